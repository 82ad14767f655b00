//! What each kind of report changes.

use super::*;
use serde_json::json;

/// Two planes in two fabrics, and a controller with an address in the first plane on an interface of the given kind.
fn two_planes(kind: &str, version: &str) -> LabMaas {
    let below = json!({"name": "eth0", "type": "physical", "mac": "52:54:00:00:00:01", "fabric": "one", "vlan": 0});
    let link = json!([{"mode": "STATIC", "subnet": "10.8.0.0/22", "ip": "10.8.0.4"}]);
    let interfaces = if kind == "physical" {
        let mut only = below;
        only["links"] = link;
        json!([only])
    } else {
        json!([below, {"name": "br0", "type": kind, "mac": "52:54:00:00:00:02", "parents": ["eth0"], "links": link}])
    };
    let layout = json!({
        "fabrics": [
            {"name": "one", "vlans": [{"vid": 0, "subnets": [{"cidr": "10.8.0.0/22", "name": "one"}]}]},
            {"name": "two", "vlans": [{"vid": 0, "subnets": [{"cidr": "10.16.0.0/22", "name": "two"}]}]},
        ],
        "controllers": [{"hostname": "ctl", "kind": "rack", "interfaces": interfaces}],
        "machines": [{"hostname": "m0", "interfaces": [{"name": "e0", "fabric": "one", "vlan": 0,
            "links": [{"mode": "STATIC", "subnet": "10.8.0.0/22", "ip": "10.8.0.77"}]}]}],
    });
    LabMaas::load(&layout.to_string(), Some(version)).expect("the layout loads")
}

fn reported(kind: &str, addresses: &[&str]) -> Vec<ReportedInterface> {
    let addresses = addresses
        .iter()
        .map(|text| text.parse().expect("an address"));
    let addresses = addresses.collect();
    let eth0 = ReportedInterface {
        name: "eth0".to_owned(),
        kind: "physical".to_owned(),
        mac: "52:54:00:00:00:01".to_owned(),
        ..ReportedInterface::default()
    };
    if kind == "physical" {
        return vec![ReportedInterface { addresses, ..eth0 }];
    }
    let bridge = ReportedInterface {
        name: "br0".to_owned(),
        kind: kind.to_owned(),
        mac: "52:54:00:00:00:02".to_owned(),
        parents: vec!["eth0".to_owned()],
        addresses,
        ..ReportedInterface::default()
    };
    vec![eth0, bridge]
}

fn fabric_of(maas: &LabMaas, name: &str) -> String {
    let subnet = maas.subnets.values().find(|subnet| subnet.name == name);
    let vlan = &maas.vlans[&subnet.expect("the plane is there").vlan];
    maas.fabrics[&vlan.fabric].name.clone()
}

fn recidr(maas: &mut LabMaas, name: &str, cidr: &str) {
    let subnet = maas.subnets.values_mut().find(|subnet| subnet.name == name);
    subnet.expect("the plane is there").cidr = cidr.parse().expect("a network");
}

/// Moves `one` to a free network, and `two` to the network of the controller's address.
fn chain(maas: &mut LabMaas) {
    recidr(maas, "one", "10.20.0.0/22");
    recidr(maas, "two", "10.8.0.0/22");
}

#[test]
fn the_same_report_again_changes_nothing() {
    for kind in ["physical", "bridge"] {
        let mut maas = two_planes(kind, "3.5.12");
        maas.report("ctl", &reported(kind, &["10.8.0.4/22"]))
            .expect("taken in");
        let before = maas.clone();
        assert_eq!(
            maas.controller_reports()["ctl"],
            reported(kind, &["10.8.0.4/22"])
        );
        maas.report("ctl", &reported(kind, &["10.8.0.4/22"]))
            .expect("taken in");
        assert!(maas.same_rows(&before), "{kind}");
    }
}

#[test]
fn an_old_address_recreates_its_network() {
    let mut maas = two_planes("physical", "3.7.3");
    recidr(&mut maas, "one", "10.20.0.0/22");
    maas.report("ctl", &reported("physical", &["10.8.0.4/22"]))
        .expect("taken in");
    assert_eq!(fabric_of(&maas, "10.8.0.0/22"), "one");
    maas.report("ctl", &reported("physical", &["10.20.0.4/22"]))
        .expect("taken in");
    assert_eq!(
        fabric_of(&maas, "10.8.0.0/22"),
        "one",
        "the stray one stays"
    );
}

#[test]
fn a_physical_interface_moves_no_subnet() {
    let mut maas = two_planes("physical", "3.7.3");
    chain(&mut maas);
    maas.report("ctl", &reported("physical", &["10.8.0.4/22"]))
        .expect("taken in");
    assert_eq!(
        (fabric_of(&maas, "one"), fabric_of(&maas, "two")),
        ("one".to_owned(), "two".to_owned())
    );
}

#[test]
fn a_bridge_permanently_moves_the_subnet_of_its_old_link() {
    let mut maas = two_planes("bridge", "3.7.3");
    chain(&mut maas);
    maas.report("ctl", &reported("bridge", &["10.8.0.4/22"]))
        .expect("taken in");
    assert_eq!(fabric_of(&maas, "one"), "two");
    let ports = maas.interfaces.values().filter(|row| row.name == "eth0");
    assert!(
        ports
            .map(|row| row.vlan)
            .all(|vlan| vlan == Some(maas.default_vlan(2).expect("a VLAN")))
    );
    maas.report("ctl", &reported("bridge", &["10.20.0.4/22"]))
        .expect("taken in");
    assert_eq!(
        fabric_of(&maas, "one"),
        "two",
        "the right report does not undo it"
    );
}

#[test]
fn a_bridge_without_its_old_address_moves_no_subnet() {
    let mut maas = two_planes("bridge", "3.7.3");
    maas.report("ctl", &reported("bridge", &[]))
        .expect("taken in");
    chain(&mut maas);
    maas.report("ctl", &reported("bridge", &["10.20.0.4/22"]))
        .expect("taken in");
    assert_eq!(
        (fabric_of(&maas, "one"), fabric_of(&maas, "two")),
        ("one".to_owned(), "two".to_owned())
    );
}

#[test]
fn another_netmask_adds_an_overlapping_subnet_or_refuses_the_whole_report() {
    let mut older = two_planes("physical", "3.5.12");
    older
        .report("ctl", &reported("physical", &["10.8.0.4/24"]))
        .expect("taken in");
    assert_eq!(fabric_of(&older, "10.8.0.0/24"), "one");
    let mut newer = two_planes("physical", "3.7.3");
    let before = newer.clone();
    assert!(
        newer
            .report("ctl", &reported("physical", &["10.8.0.4/24"]))
            .is_err()
    );
    assert!(newer.same_rows(&before));
}

#[test]
fn a_reported_address_is_removed_from_a_machine() {
    let mut maas = two_planes("physical", "3.7.3");
    maas.report("ctl", &reported("physical", &["10.8.0.77/22"]))
        .expect("taken in");
    let machine = maas
        .node_by_host("m0")
        .expect("it is there")
        .system_id
        .clone();
    let links = maas
        .interfaces_of(&machine)
        .map(|row| maas.links_of(row.id).count());
    assert_eq!(links.sum::<usize>(), 0);
}

#[test]
fn an_unknown_network_on_a_new_interface_creates_a_fabric() {
    let mut maas = two_planes("physical", "3.7.3");
    let mut report = reported("physical", &["10.8.0.4/22"]);
    report.push(ReportedInterface {
        name: "eth1".to_owned(),
        mac: "52:54:00:00:00:09".to_owned(),
        addresses: vec!["10.99.0.1/24".parse().expect("an address")],
        ..ReportedInterface::default()
    });
    maas.report("ctl", &report).expect("taken in");
    assert!(fabric_of(&maas, "10.99.0.0/24").starts_with("fabric-"));
}
