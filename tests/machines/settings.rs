//! What interfaces are set to: imported, compared, changed in place where MAAS allows it.

use plan::plan::{Plan, PlanPolicy};
use topology::Topology;
use topology::draft::SourceFile;

use crate::lab::{World, world_of};
use crate::walk::{carried_out, lines};

/// A machine in the state `STATUS` with a bond that has a link, and a bridge.
const LAYOUT: &str = r#"{"fabrics": [{"name": "blue", "vlans": [
    {"vid": 0, "subnets": [{"cidr": "192.0.2.0/24", "name": "desks"}]},
    {"vid": 20, "subnets": [{"cidr": "198.51.100.0/24", "name": "phones"}]}]}],
  "machines": [
    {"hostname": "m1", "status": "STATUS", "interfaces": [
        {"name": "eth0", "fabric": "blue", "vlan": 0},
        {"name": "eth1", "fabric": "blue", "vlan": 0},
        {"name": "eth2", "fabric": "blue", "vlan": 0, "mtu": 9000, "enabled": false, "tags": ["a", "b"]},
        {"name": "bond0", "type": "bond", "parents": ["eth0", "eth1"], "bond_mode": "802.3ad", "fabric": "blue", "vlan": 0,
         "links": [{"subnet": "192.0.2.0/24", "mode": "STATIC", "ip": "192.0.2.40"}]},
        {"name": "br2", "type": "bridge", "parents": ["eth2"], "fabric": "blue", "vlan": 0}]}]}"#;

async fn imported(status: &str, version: &str) -> (World, String) {
    let world = world_of(&LAYOUT.replace("STATUS", status), Some(version));
    let files = topology::write::files(&world.observe_all().await, "site");
    (
        world,
        files.into_values().collect::<Vec<_>>().join("\n---\n"),
    )
}

fn declared(files: &str) -> Topology {
    let sources: Vec<SourceFile> = files
        .split("\n---\n")
        .enumerate()
        .map(|(number, text)| SourceFile {
            path: format!("{number}.yaml"),
            bytes: text.as_bytes().to_vec(),
        })
        .collect();
    let checked = topology::check::check(&sources);
    let findings = format!("{:#?}", checked.findings);
    checked.topology.unwrap_or_else(|| panic!("{findings}"))
}

async fn planned(world: &World, topology: &Topology) -> Plan {
    let observed = world.observe(topology).await;
    Plan::between(&observed, topology, &PlanPolicy::default())
        .unwrap_or_else(|refused| panic!("{:#?}", refused.refusals))
}

const RELEASES: [&str; 3] = ["2.9.2", "3.5.12", "3.7.3"];

#[tokio::test]
async fn what_interfaces_are_set_to_is_imported_and_plans_to_no_changes() {
    for version in RELEASES {
        let (world, files) = imported("Ready", version).await;
        for stated in [
            "bond_mode: \"802.3ad\"",
            "mtu: 9000, tags: [a, b], enabled: false",
        ] {
            assert!(files.contains(stated), "{stated}: {files}");
        }
        let plan = planned(&world, &declared(&files)).await;
        assert!(plan.steps.is_empty() && plan.waits.is_empty(), "{plan:#?}");
    }
}

#[tokio::test]
async fn a_bonds_mode_changes_in_place_and_its_links_stay() {
    for version in RELEASES {
        let (world, files) = imported("Ready", version).await;
        let bond = "bond_mode: active-backup, bond_miimon: 200";
        let topology = declared(&files.replace("bond_mode: \"802.3ad\"", bond));
        let plan = planned(&world, &topology).await;
        assert_eq!(
            lines(&plan),
            [
                "! interface m1:bond0: bond_mode 802.3ad -> active-backup, bond_miimon 100 -> 200  # as declared"
            ]
        );
        carried_out(&world, &topology, &plan).await.unwrap();
    }
}

#[tokio::test]
async fn a_bond_gets_a_port_in_place_and_gives_one_back_that_goes_elsewhere() {
    let (world, files) = imported("Ready", "3.5.12").await;
    let fewer = files
        .replace("parents: [eth0, eth1]", "parents: [eth0]")
        .replace(
            "{name: eth1, type: physical, plane: desks}",
            "{name: eth1, type: physical, plane: phones}",
        );
    let topology = declared(&fewer);
    let plan = planned(&world, &topology).await;
    assert_eq!(
        lines(&plan),
        [
            "! interface m1:bond0: parents eth0 eth1 -> eth0  # its declared ports",
            "! interface m1:eth1: vlan blue/untagged -> blue/20  # its declared VLAN; its links are made again",
        ]
    );
    carried_out(&world, &topology, &plan).await.unwrap();
    let back = declared(&files);
    let plan = planned(&world, &back).await;
    carried_out(&world, &back, &plan).await.unwrap();
}

#[tokio::test]
async fn a_bond_goes_to_another_vlan_with_its_ports() {
    let (world, files) = imported("Ready", "3.7.3").await;
    let moved = files
        .replace(
            "{name: eth0, type: physical, plane: desks}",
            "{name: eth0, type: physical, plane: phones}",
        )
        .replace(
            "{name: eth1, type: physical, plane: desks}",
            "{name: eth1, type: physical, plane: phones}",
        )
        .replace(
            "parents: [eth0, eth1], plane: desks",
            "parents: [eth0, eth1], plane: phones",
        )
        .replace("links: [{plane: desks", "links: [{plane: phones");
    let topology = declared(&moved);
    let plan = planned(&world, &topology).await;
    assert_eq!(
        lines(&plan),
        [
            "- link m1:bond0 on 192.0.2.0/24 192.0.2.40  # not declared for this interface",
            "! interface m1:bond0: vlan blue/untagged -> blue/20  # its declared VLAN; its links are made again",
            "+ link m1:bond0 on 198.51.100.0/24 198.51.100.40  # declared",
        ]
    );
    carried_out(&world, &topology, &plan).await.unwrap();
}

#[tokio::test]
async fn a_deployed_machine_gets_its_tags_and_waits_with_the_rest() {
    let (world, files) = imported("Deployed", "3.5.12").await;
    let changed = files
        .replace("tags: [a, b]", "tags: [b, c]")
        .replace("mtu: 9000", "mtu: 1500")
        .replace("bond_mode: \"802.3ad\"", "bond_mode: balance-rr");
    let topology = declared(&changed);
    let plan = planned(&world, &topology).await;
    assert_eq!(
        lines(&plan),
        [
            "! interface m1:eth2: tags a b -> b  # as declared",
            "! interface m1:eth2: tags b -> b c  # as declared",
        ]
    );
    let waits: Vec<&str> = plan.waits.iter().map(|item| item.what.as_str()).collect();
    assert_eq!(
        waits,
        [
            "! interface m1:eth2: mtu 9000 -> 1500",
            "! interface m1:bond0: bond_mode 802.3ad -> balance-rr",
        ]
    );
    carried_out(&world, &topology, &plan).await.unwrap();
}

#[test]
fn what_maas_does_not_accept_is_a_finding() {
    let text = |interface: &str| {
        format!(
            "machines:\n  - {{name: m1, interfaces: [{{name: eth0, type: physical}}, {interface}]}}\n"
        )
    };
    for wrong in [
        "{name: eth1, type: physical, bond_mode: 802.3ad}",
        "{name: b, type: bond, parents: [eth0], bridge_fd: 1}",
        "{name: b, type: bond, parents: [eth0], bond_mode: lacp}",
        "{name: b, type: bond, parents: [eth0], bond_num_grat_arp: 256}",
        "{name: b, type: bridge, parents: [eth0], bridge_type: linux}",
        "{name: eth1, type: physical, mtu: 551}",
        "{name: eth1, type: physical, tags: [\"two words\"]}",
    ] {
        let source = SourceFile {
            path: "machines.yaml".to_owned(),
            bytes: text(wrong).into_bytes(),
        };
        assert!(
            topology::check::check(&[source]).topology.is_none(),
            "{wrong}"
        );
    }
}
