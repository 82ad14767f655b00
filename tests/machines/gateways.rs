//! Default gateways: imported, chosen, kept over a change of the network, or said to be lost.

use plan::plan::{Plan, PlanPolicy};
use topology::Topology;
use topology::draft::SourceFile;

use crate::lab::{World, world_of};
use crate::walk::{carried_out, lines};

/// m1 has its chosen default gateways on `prod`, and other links beside it.
const LAYOUT: &str = r#"{"fabrics": [{"name": "blue", "vlans": [
    {"vid": 0, "subnets": [{"cidr": "192.0.2.0/24", "name": "pxe", "gateway": "192.0.2.1"}]},
    {"vid": 30, "subnets": [{"cidr": "198.51.100.0/24", "name": "prod", "gateway": "198.51.100.1"},
        {"cidr": "2001:db8:1::/64", "name": "prod-six", "gateway": "2001:db8:1::1"}]}]}],
  "machines": [
    {"hostname": "m1", "status": "STATUS", "interfaces": [
        {"name": "eth0", "fabric": "blue", "vlan": 0, "links": [{"subnet": "192.0.2.0/24", "mode": "STATIC", "ip": "192.0.2.40"}]},
        {"name": "eth1", "fabric": "blue", "vlan": 30, "links": [
            {"subnet": "198.51.100.0/24", "mode": "STATIC", "ip": "198.51.100.40", "default_gateway": true},
            {"subnet": "2001:db8:1::/64", "mode": "STATIC", "ip": "2001:db8:1::40", "default_gateway": true}]}]}]}"#;

const RELEASES: [&str; 3] = ["2.9.2", "3.5.12", "3.7.3"];

async fn imported(status: &str, version: &str) -> (World, String) {
    let world = world_of(&LAYOUT.replace("STATUS", status), Some(version));
    let files = topology::write::files(&world.observe_all().await, "site");
    let texts: Vec<String> = files.into_values().collect();
    (world, texts.join("\n---\n"))
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

/// The links of m1 that are default gateways now.
async fn chosen(world: &World) -> Vec<String> {
    let observed = world.observe_all().await;
    let links = observed.links().filter(|link| link.default_gateway);
    links.map(|link| link.subnet.to_string()).collect()
}

#[tokio::test]
async fn chosen_gateways_are_imported_for_each_family() {
    for version in RELEASES {
        let (world, files) = imported("Ready", version).await;
        assert_eq!(files.matches("default_gateway: true").count(), 2, "{files}");
        let plan = planned(&world, &declared(&files)).await;
        assert!(plan.steps.is_empty() && plan.waits.is_empty(), "{plan:#?}");
    }
}

#[tokio::test]
async fn another_link_becomes_the_default_gateway_of_its_family() {
    for version in RELEASES {
        let (world, files) = imported("Ready", version).await;
        let other = files
            .replacen(", default_gateway: true", "", 1)
            .replace(
                "{plane: pxe, address: +40}",
                "{plane: pxe, address: +40, default_gateway: true}",
            )
            .replace(
                "{plane: pxe, address: host}",
                "{plane: pxe, address: host, default_gateway: true}",
            );
        let topology = declared(&other);
        let plan = planned(&world, &topology).await;
        assert_eq!(
            lines(&plan),
            [
                "! link m1:eth0 on 192.0.2.0/24 192.0.2.40: default gateway false -> true  # the machine's default gateway"
            ]
        );
        carried_out(&world, &topology, &plan).await.unwrap();
        assert_eq!(chosen(&world).await, ["192.0.2.0/24", "2001:db8:1::/64"]);
    }
}

#[tokio::test]
async fn on_a_deployed_machine_the_choice_waits_for_a_release() {
    let (world, files) = imported("Deployed", "3.5.12").await;
    let other = files
        .replacen(", default_gateway: true", "", 1)
        .replace(
            "{plane: pxe, address: +40}",
            "{plane: pxe, address: +40, default_gateway: true}",
        )
        .replace(
            "{plane: pxe, address: host}",
            "{plane: pxe, address: host, default_gateway: true}",
        );
    let plan = planned(&world, &declared(&other)).await;
    assert!(plan.steps.is_empty());
    assert_eq!(plan.waits.len(), 1, "{:?}", plan.waits);
    assert_eq!(plan.waits[0].waits_for, "a release");
}

#[tokio::test]
async fn a_renumbered_network_keeps_the_choice_declared_or_not() {
    for version in RELEASES {
        for declare in [true, false] {
            let (world, files) = imported("Ready", version).await;
            let mut moved = files.replace("198.51.100.", "203.0.113.");
            if !declare {
                moved = moved.replace(", default_gateway: true", "");
            }
            let topology = declared(&moved);
            let plan = planned(&world, &topology).await;
            let told = lines(&plan).join("\n");
            assert!(
                told.contains("on 203.0.113.0/24 203.0.113.40, default gateway"),
                "{told}"
            );
            carried_out(&world, &topology, &plan).await.unwrap();
            assert_eq!(chosen(&world).await, ["203.0.113.0/24", "2001:db8:1::/64"]);
        }
    }
}

#[tokio::test]
async fn a_choice_that_cannot_be_restored_is_said_before() {
    let (world, files) = imported("Ready", "3.5.12").await;
    let planes: Vec<&str> = files
        .split("\n---\n")
        .filter(|text| !text.contains("machines:"))
        .collect();
    let topology = declared(&planes.join("\n---\n").replace("198.51.100.", "203.0.113."));
    let plan = planned(&world, &topology).await;
    let said = plan.warnings.iter().filter(|warning| {
        warning.contains("default gateway of `m1` was chosen (`eth1` on 198.51.100.0/24)")
    });
    assert_eq!(said.count(), 1, "{:#?}", plan.warnings);
}

#[tokio::test]
async fn an_interface_that_changes_its_vlan_keeps_the_choice_where_the_network_goes_along() {
    let (world, files) = imported("Ready", "3.7.3").await;
    let moved = files.replace("vid: 30", "vid: 31");
    let topology = declared(&moved);
    let plan = planned(&world, &topology).await;
    carried_out(&world, &topology, &plan).await.unwrap();
    assert_eq!(chosen(&world).await, ["198.51.100.0/24", "2001:db8:1::/64"]);
}

#[test]
fn a_gateway_that_maas_does_not_accept_is_a_finding() {
    let planes = "planes:\n  - {plane: bare, fabric: blue, cidr: 192.0.2.0/24}\n  - {plane: full, fabric: blue, vid: 5, cidr: 198.51.100.0/24, gateway: +1}\n";
    for wrong in [
        "[{plane: bare, address: +9, default_gateway: true}]",
        "[{plane: full, address: dhcp, default_gateway: true}]",
        "[{plane: full, address: link-up, default_gateway: true}]",
        "[{plane: full, address: +9, default_gateway: true}, {plane: full, address: +10, default_gateway: true}]",
    ] {
        let text = format!(
            "{planes}machines:\n  - {{name: m1, interfaces: [{{name: eth0, type: physical, links: {wrong}}}]}}\n"
        );
        let source = SourceFile {
            path: "all.yaml".to_owned(),
            bytes: text.into_bytes(),
        };
        let checked = topology::check::check(&[source]);
        let told = format!("{:?}", checked.findings);
        assert!(
            checked.topology.is_none() && told.contains("link/gateway"),
            "{wrong}: {told}"
        );
    }
}
