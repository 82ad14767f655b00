//! The reference site before and after its change, as files. It must not know who uses them.

/// The network before the change, as a layout.
pub const BEFORE: &str =
    include_str!("../../../../tests/topologies/changes/baldurkeep-d058-renumber.before.json");
/// The network after the change, as a layout.
pub const AFTER: &str =
    include_str!("../../../../tests/topologies/changes/baldurkeep-d058-renumber.after.json");

/// The declaration after the change: this repository's own `topology/`.
pub const DECLARED: [(&str, &str); 12] = [
    (
        "topology/data-tenant.yaml",
        include_str!("../../../../topology/data-tenant.yaml"),
    ),
    (
        "topology/jumphost.yaml",
        include_str!("../../../../topology/jumphost.yaml"),
    ),
    (
        "topology/machines.yaml",
        include_str!("../../../../topology/machines.yaml"),
    ),
    (
        "topology/metal-admin.yaml",
        include_str!("../../../../topology/metal-admin.yaml"),
    ),
    (
        "topology/metal-internal.yaml",
        include_str!("../../../../topology/metal-internal.yaml"),
    ),
    (
        "topology/oob.yaml",
        include_str!("../../../../topology/oob.yaml"),
    ),
    (
        "topology/provider-public.yaml",
        include_str!("../../../../topology/provider-public.yaml"),
    ),
    (
        "topology/provider-vip.yaml",
        include_str!("../../../../topology/provider-vip.yaml"),
    ),
    (
        "topology/replication.yaml",
        include_str!("../../../../topology/replication.yaml"),
    ),
    (
        "topology/site.yaml",
        include_str!("../../../../topology/site.yaml"),
    ),
    (
        "topology/storage.yaml",
        include_str!("../../../../topology/storage.yaml"),
    ),
    (
        "topology/vips.yaml",
        include_str!("../../../../topology/vips.yaml"),
    ),
];

/// The runbooks, by path.
pub const RUNBOOKS: [(&str, &str); 3] = [
    (
        "runbooks/jumphost.md",
        include_str!("../../../../runbooks/jumphost.md"),
    ),
    (
        "runbooks/teardown.md",
        include_str!("../../../../runbooks/teardown.md"),
    ),
    (
        "runbooks/vacate.md",
        include_str!("../../../../runbooks/vacate.md"),
    ),
];

/// The jumphost's addresses before the change: interface, address.
pub const JUMPHOST_BEFORE: [(&str, &str); 3] = [
    ("virbr1", "10.12.4.1"),
    ("virbr2", "10.12.8.1"),
    ("virbr7", "10.12.60.1"),
];
/// The jumphost's addresses after the change.
pub const JUMPHOST_AFTER: [(&str, &str); 4] = [
    ("virbr1", "10.12.4.1"),
    ("virbr2", "10.12.12.1"),
    ("virbr7", "10.12.60.1"),
    ("virbr1.104", "10.12.8.1"),
];

/// Networks that people must empty before the change is applied.
pub const VACATED: [&str; 3] = ["10.12.8.0/22", "10.12.12.0/22", "10.12.16.0/22"];

/// The output of `ip -j addr`, with the fields that planebot reads.
pub fn addresses(list: &[(&str, &str)]) -> String {
    let all: Vec<serde_json::Value> = list
        .iter()
        .map(|(interface, ip)| serde_json::json!({"ifname": interface, "addr_info": [{"family": "inet", "local": ip, "prefixlen": 22}]}))
        .collect();
    serde_json::Value::Array(all).to_string()
}
