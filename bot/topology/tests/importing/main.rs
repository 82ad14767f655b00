//! What `write` writes is accepted by `check`, and matches what was observed.

#![expect(clippy::unwrap_used, reason = "tests report failures by panicking")]

mod adopting;
mod hostile;
mod layouts;
mod merging;
mod reference;

use std::collections::{BTreeMap, BTreeSet};

use topology::address::{Cidr, Range};
use topology::check::{Checked, check};
use topology::draft::SourceFile;
use topology::finding::Severity;
use topology::object::{Mode, Object, RangeKind, Subnet, SubnetFlags, Vlan, VlanAt};
use topology::observed::{NodeKind, Observed};
use topology::plane::{Dhcp, Plane, PlaneSubnet, Topology};
use topology::write;

fn sources(files: &BTreeMap<String, String>) -> Vec<SourceFile> {
    files
        .iter()
        .map(|(path, text)| SourceFile {
            path: path.clone(),
            bytes: text.clone().into_bytes(),
        })
        .collect()
}

fn checked(files: &BTreeMap<String, String>) -> Checked {
    check(&sources(files))
}

/// The law: no errors, and what is declared matches what was observed. For a real MAAS, everything is declared or left alone
/// by name.
fn import(
    observed: &Observed,
    real: bool,
) -> (BTreeMap<String, String>, Topology, Vec<&'static str>) {
    let files = write::files(observed, "site");
    let checked = checked(&files);
    let errors: Vec<String> = checked
        .findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error)
        .map(ToString::to_string)
        .collect();
    assert!(errors.is_empty(), "{}\n{files:#?}", errors.join("\n"));
    let topology = checked.topology.unwrap();
    represents(&topology, observed, real, false);
    (
        files,
        topology,
        checked
            .findings
            .iter()
            .map(|finding| finding.code)
            .collect(),
    )
}

/// What is declared matches what was observed. `real`: everything is declared or left alone by name. With `over`, an omitted
/// field may be anything that MAAS has; otherwise it is MAAS's default.
fn represents(topology: &Topology, observed: &Observed, real: bool, over: bool) {
    let planes: BTreeMap<&VlanAt, &Plane> =
        topology.planes.values().map(|p| (&p.vlan, p)).collect();
    let subnets: BTreeMap<Cidr, (&Plane, &PlaneSubnet)> = topology
        .planes
        .values()
        .flat_map(|plane| {
            plane
                .subnets
                .iter()
                .map(move |subnet| (subnet.cidr, (plane, subnet)))
        })
        .collect();
    let alone = |name: &str| topology.leave_alone.contains(name);
    let fabrics: BTreeSet<&str> = planes.keys().map(|at| at.fabric.as_str()).collect();
    for object in observed.all() {
        match object {
            Object::Fabric(it) => assert!(
                fabrics.contains(it.name.as_str()) || alone(&it.name),
                "{}",
                it.name
            ),
            Object::Space(it) => {
                let carried = planes
                    .values()
                    .any(|p| p.space == Some(Some(it.name.clone())));
                assert!(
                    !real || carried || topology.spaces.contains(&it.name),
                    "{}",
                    it.name
                );
            }
            Object::Vlan(vlan) => match planes.get(&vlan.at) {
                Some(plane) => same_vlan(plane, vlan, observed, real && !over),
                None => assert!(
                    !real || alone(&vlan.at.fabric) || observed.default_vlans.contains(&vlan.at),
                    "{}",
                    vlan.at
                ),
            },
            Object::Subnet(subnet) => match subnets.get(&subnet.cidr) {
                Some((plane, declared)) => same_subnet(plane, declared, (subnet, over), observed),
                None => assert!(
                    alone(&subnet.cidr.to_string()) || alone(&subnet.vlan.fabric),
                    "{}",
                    subnet.cidr
                ),
            },
            Object::Range(_)
            | Object::Route(_)
            | Object::ReservedIp(_)
            | Object::Link(_)
            // A program for dhcpd, which no file declares.
            | Object::Snippet(_) => {}
            Object::Interface(it) => {
                if observed.nodes[&it.host].kind == NodeKind::Machine
                    && topology.machines.contains_key(&it.host)
                {
                    let machine = &topology.machines[&it.host];
                    let declared = machine
                        .interfaces
                        .iter()
                        .find(|i| i.name == it.name)
                        .unwrap();
                    assert_eq!((declared.kind, &declared.parents), (it.kind, &it.parents));
                    assert_eq!(declared.vlan, it.vlan);
                    same_links(declared.links.as_deref(), &it.host, &it.name, observed);
                }
            }
        }
    }
}

fn same_links(declared: Option<&[(Cidr, Mode)]>, host: &str, name: &str, observed: &Observed) {
    if let Some(declared) = declared {
        let there: BTreeSet<(Cidr, Mode)> = observed
            .links()
            .filter(|link| link.host == host && link.interface == name)
            .map(|link| (link.subnet, link.mode))
            .collect();
        assert_eq!(declared.iter().copied().collect::<BTreeSet<_>>(), there);
    }
}

fn same_vlan(plane: &Plane, vlan: &Vlan, observed: &Observed, real: bool) {
    if let Some(name) = &plane.vlan_name {
        assert_eq!(Some(name), vlan.name.as_ref());
    }
    if let Some(space) = &plane.space {
        assert_eq!(*space, vlan.space);
    }
    assert!(plane.mtu.is_none() && !real || plane.mtu.unwrap_or(1500) == vlan.mtu);
    match &plane.dhcp {
        None => assert!(
            !real || !vlan.dhcp_on && vlan.relay.is_none(),
            "{}",
            vlan.at
        ),
        Some(Dhcp::Off) => assert!(!vlan.dhcp_on && vlan.relay.is_none()),
        Some(Dhcp::Relay(to)) => assert_eq!(Some(to), vlan.relay.as_ref()),
        Some(Dhcp::On { primary, secondary }) => {
            assert!(vlan.dhcp_on);
            for (host, id) in [
                (primary, &vlan.primary_rack),
                (secondary, &vlan.secondary_rack),
            ] {
                if let Some(host) = host {
                    assert_eq!(Some(&observed.nodes[host].system_id), id.as_ref());
                }
            }
        }
    }
}

fn same_subnet(
    plane: &Plane,
    declared: &PlaneSubnet,
    (subnet, over): (&Subnet, bool),
    observed: &Observed,
) {
    assert_eq!((&declared.name, &plane.vlan), (&subnet.name, &subnet.vlan));
    if let Some(gateway) = declared.gateway {
        assert_eq!(gateway, subnet.gateway);
    }
    assert_eq!(declared.dns.as_ref(), Some(&subnet.dns));
    let unsaid = if over {
        subnet.flags
    } else {
        SubnetFlags::default()
    };
    let flags = SubnetFlags {
        managed: declared.managed.unwrap_or(unsaid.managed),
        allow_dns: declared.allow_dns.unwrap_or(unsaid.allow_dns),
        allow_proxy: declared.allow_proxy.unwrap_or(unsaid.allow_proxy),
        active_discovery: declared.active_discovery.unwrap_or(unsaid.active_discovery),
        rdns_mode: declared.rdns_mode.unwrap_or(unsaid.rdns_mode),
    };
    assert_eq!(flags, subnet.flags);
    let there = &subnet.description;
    let codes_of = declared.description.as_ref();
    assert_eq!(
        codes_of.map_or(if over { there } else { "" }, |codes_of| codes_of),
        there
    );
    let there = &subnet.disabled_boot_architectures[..];
    let codes_of = declared.disabled_boot_architectures.as_deref();
    assert_eq!(codes_of.unwrap_or(if over { there } else { &[] }), there);
    if let Some(reservations) = &declared.reservations {
        let mut codes_of: Vec<(Range, RangeKind, &str)> = reservations
            .iter()
            .map(|r| (r.range, r.purpose.kind(), r.name.as_str()))
            .collect();
        codes_of.sort();
        let there: Vec<(Range, RangeKind, &str)> = observed
            .ranges_of(subnet.cidr)
            .map(|r| (r.range, r.kind, r.comment.as_str()))
            .collect();
        assert_eq!(codes_of, there);
    }
    let routes = observed
        .routes()
        .filter(|route| route.source == subnet.cidr)
        .count();
    assert!(
        declared
            .routes
            .as_ref()
            .is_none_or(|declared| declared.len() == routes)
    );
}

#[test]
fn every_layout_can_be_imported() {
    let mut rendered = String::new();
    for (name, layout) in layouts::all() {
        let observed = layouts::observed(&layout);
        let (files, topology, mut codes) = import(&observed, true);
        let bytes: usize = files.values().map(String::len).sum();
        codes.sort_unstable();
        codes.dedup();
        let left: Vec<&str> = topology.leave_alone.iter().map(String::as_str).collect();
        rendered.push_str(&format!(
            "{name}: {} files, {} KiB, {} planes, {} machines, warnings {codes:?}, left alone {left:?}\n",
            files.len(), bytes / 1024, topology.planes.len(), topology.machines.len(),
        ));
        let with_interfaces = |host: &str| observed.interfaces_of(host).next().is_some();
        let machines = observed
            .nodes
            .values()
            .filter(|node| node.kind == NodeKind::Machine && with_interfaces(&node.host))
            .count();
        assert_eq!(topology.machines.len(), machines, "{name}");
    }
    insta::assert_snapshot!(rendered, @r#"
    ajanis-sandbox-r7525.json: 2 files, 0 KiB, 2 planes, 0 machines, warnings ["dhcp/no-range"], left alone []
    baldurkeep-d052.json: 9 files, 4 KiB, 7 planes, 4 machines, warnings [], left alone ["fabric-4"]
    baldurkeep-d058-renumber.after.json: 10 files, 5 KiB, 8 planes, 4 machines, warnings [], left alone ["fabric-4"]
    baldurkeep-d058-renumber.before.json: 9 files, 4 KiB, 7 planes, 4 machines, warnings [], left alone ["fabric-4"]
    cengn-pod1-recidr.after.json: 4 files, 2 KiB, 3 planes, 5 machines, warnings ["dhcp/no-range"], left alone []
    cengn-pod1-recidr.before.json: 4 files, 2 KiB, 3 planes, 5 machines, warnings ["dhcp/no-range"], left alone []
    joid-intel-pod5.json: 6 files, 3 KiB, 5 planes, 5 machines, warnings ["dhcp/no-range"], left alone []
    juniper-pod1-plane-rename.after.json: 3 files, 1 KiB, 2 planes, 5 machines, warnings ["dhcp/no-range"], left alone []
    juniper-pod1-plane-rename.before.json: 3 files, 1 KiB, 2 planes, 5 machines, warnings ["dhcp/no-range"], left alone []
    lenovo-pod1-vlan104.after.json: 5 files, 2 KiB, 4 planes, 5 machines, warnings ["dhcp/no-range"], left alone []
    lenovo-pod1-vlan104.before.json: 4 files, 1 KiB, 3 planes, 5 machines, warnings ["dhcp/no-range"], left alone []
    lnx1288-homelab.json: 9 files, 2 KiB, 8 planes, 3 machines, warnings ["gateway/in-dynamic", "name/generated"], left alone []
    onenet-six-envs.json: 28 files, 55 KiB, 27 planes, 62 machines, warnings ["dhcp/no-range", "route/undeclared"], left alone []
    sunbeam-sbc01-dualstack.json: 7 files, 1 KiB, 7 planes, 0 machines, warnings [], left alone []
    synthetic-sampledata-64.json: 66 files, 318 KiB, 64 planes, 768 machines, warnings [], left alone []
    treasuremap-seaworthy.json: 8 files, 4 KiB, 7 planes, 5 machines, warnings [], left alone []
    "#);
}

#[test]
fn an_import_is_written_as_a_person_would() {
    let layouts = layouts::all();
    let (files, ..) = import(&layouts::observed(&layouts["baldurkeep-d052.json"]), true);
    let shown: Vec<String> = ["metal-admin.yaml", "storage.yaml", "site.yaml"]
        .iter()
        .map(|path| format!("== {path}\n{}", files[*path]))
        .collect();
    insta::assert_snapshot!(shown.join("\n"), @r"
    == metal-admin.yaml
    # yaml-language-server: $schema=../topology.schema.json
    plane: metal-admin
    fabric: 2_metal
    space: metal-admin
    dhcp: on
    cidr: 10.12.8.0/22
    gateway: +1
    dns: [+1]
    reserve:
      - name: admin API VIPs
        purpose: vip
        range: +2..+63
      - name: PXE
        purpose: dynamic
        range: +256..+1022

    == storage.yaml
    # yaml-language-server: $schema=../topology.schema.json
    plane: storage
    fabric: 8_storage
    space: storage
    cidr: 10.12.32.0/22
    dns: [metal-admin+1]

    == site.yaml
    # yaml-language-server: $schema=../topology.schema.json
    # imported from `site`, MAAS 3.7.3

    # known, not declared, never touched
    leave_alone:
      - fabric-4  # 10.37.195.0/24, fd42:8019:9206:57de::/64
    ");
    let machines: Vec<&str> = files["machines.yaml"].lines().take(15).collect();
    insta::assert_snapshot!(machines.join("\n"), @r"
    # yaml-language-server: $schema=../topology.schema.json
    machines:
      - name: openstack0
        host: +40
        interfaces:
          - {name: boot-nic, type: physical}
          - {name: enp10s0, type: physical, plane: replication, links: [{plane: replication, address: host}]}
          - {name: enp1s0, type: physical, plane: provider-public, links: [{plane: provider-public, address: host}]}
          - {name: enp8s0, type: physical, plane: data-tenant, links: [{plane: data-tenant, address: host}]}
          - {name: enp9s0, type: physical, plane: storage, links: [{plane: storage, address: host}]}
          - {name: br-metal, type: bridge, parents: [boot-nic], plane: metal-admin, links: [{plane: metal-admin, address: host}]}
          - {name: br-metal.103, type: vlan, parents: [br-metal], plane: metal-admin}
          - {name: br-internal, type: bridge, parents: [br-metal.103], plane: metal-internal, links: [{plane: metal-internal, address: host}]}
      - name: openstack1
        host: +41
    ");
}
