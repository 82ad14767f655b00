//! Interfaces that are written once for many machines.

use topology::draft::SourceFile;

const PLANE: &str = "planes: [{plane: desks, fabric: blue, cidr: 192.0.2.0/24}]\n";
const TEMPLATE: &str = "templates:\n  - name: compute\n    interfaces:\n      - {name: eth0, type: physical, links: [{plane: desks, address: host}]}\n      - {name: eth1, type: physical}\n";

fn checked(machines: &str) -> topology::check::Checked {
    let source = |path: &str, text: String| SourceFile {
        path: path.to_owned(),
        bytes: text.into_bytes(),
    };
    topology::check::check(&[
        source("a.yaml", format!("{PLANE}machines:\n{machines}")),
        source("b.yaml", TEMPLATE.to_owned()),
    ])
}

#[test]
fn machines_of_a_template_are_what_they_would_be_if_each_were_written() {
    let short = checked(
        "  - {name: m1, host: +41, template: compute}\n  - {name: m2, host: +42, template: compute, interfaces: [{name: eth1, type: physical, mtu: 9000}, {name: eth2, type: physical}]}\n",
    );
    let long = checked(
        "  - {name: m1, interfaces: [{name: eth0, type: physical, links: [{plane: desks, address: +41}]}, {name: eth1, type: physical}]}\n  - {name: m2, interfaces: [{name: eth0, type: physical, links: [{plane: desks, address: +42}]}, {name: eth1, type: physical, mtu: 9000}, {name: eth2, type: physical}]}\n",
    );
    assert_eq!(
        short.topology.unwrap().machines,
        long.topology.unwrap().machines
    );
}

#[test]
fn a_machine_without_interfaces_and_an_unknown_template_are_findings() {
    for (wrong, code) in [
        ("  - {name: m1, template: computer}\n", "machine/template"),
        ("  - {name: m1}\n", "key/missing"),
    ] {
        let found = checked(wrong);
        let told = format!("{:?}", found.findings);
        assert!(found.topology.is_none() && told.contains(code), "{told}");
    }
}
