//! Adopting single objects by name: exactly those, or a conflict that says what would work.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use topology::write::{ImportOptions, merged};

use crate::{checked, layouts, sources};

type Texts = BTreeMap<String, String>;

const DECLARED: &[(&str, &str)] = &[
    (
        "desks.yaml",
        "# Desks.\nplane: desks\nfabric: blue\ncidr: 192.0.2.0/24\n",
    ),
    (
        "known.yaml",
        "leave_alone:\n  - green   # the neighbours'\n  - 198.51.100.0/24\nspaces: [spare]\n",
    ),
    (
        "hosts.yaml",
        "machines:\n  - name: m1\n    interfaces:\n      - {name: eth0, type: physical, links: [{plane: desks, address: +9}]}\n",
    ),
];

/// Two fabrics; on the declared VLAN a network that nobody declared; two networks of one name.
fn cloud() -> Value {
    let nic = |ip: &str| json!({"name": "eth0", "links": [{"subnet": "192.0.2.0/24", "mode": "STATIC", "ip": ip}]});
    json!({
        "fabrics": [
            {"name": "blue", "vlans": [
                {"vid": 0, "subnets": [{"cidr": "192.0.2.0/24", "name": "desks"}, {"cidr": "2001:db8::/64", "name": "desks six"}]},
                {"vid": 20, "space": "voice", "subnets": [{"cidr": "198.51.100.0/24", "name": "phones"}]},
                {"vid": 30, "name": "empty"}]},
            {"name": "green", "vlans": [
                {"vid": 0, "subnets": [{"cidr": "203.0.113.0/25", "name": "twin"}, {"cidr": "203.0.113.128/25", "name": "twin"}]},
                {"vid": 7, "space": "blue", "subnets": [{"cidr": "10.0.0.0/16", "name": "older"}, {"cidr": "10.0.1.0/24", "name": "younger"}]}]}],
        "spaces": ["lonely", "spare"],
        "machines": [{"hostname": "m1", "interfaces": [nic("192.0.2.9")]}, {"hostname": "m2", "interfaces": [nic("192.0.2.10")]}]
    })
}

/// What adopting those changes: each line that goes and each that comes, or the refusal.
fn adopted(names: &[&str]) -> String {
    let before: Texts = DECLARED
        .iter()
        .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
        .collect();
    let options = ImportOptions {
        adopt: names.iter().map(|name| (*name).to_owned()).collect(),
        drop_gone: false,
    };
    let observed = layouts::observed(&cloud());
    let changed = match merged(&observed, "site", &sources(&before), &options) {
        Ok(changed) => changed,
        Err(refused) => {
            let rendered: Vec<String> = refused.iter().map(ToString::to_string).collect();
            return rendered.join("\n");
        }
    };
    let mut after = before.clone();
    let mut rendered = String::new();
    for (path, text) in changed {
        let text = text.unwrap();
        let was: Vec<&str> = before
            .get(&path)
            .map(|text| text.lines().collect())
            .unwrap_or_default();
        let gone = was
            .iter()
            .filter(|line| !text.lines().any(|is| is == **line));
        gone.for_each(|line| rendered.push_str(&format!("{path} - {line}\n")));
        let come = text
            .lines()
            .filter(|line| !was.contains(line) && !line.starts_with("# yaml-"));
        come.for_each(|line| rendered.push_str(&format!("{path} + {line}\n")));
        after.insert(path, text);
    }
    let checked = checked(&after);
    assert!(checked.topology.is_some(), "{:#?}", checked.findings);
    rendered
}

#[test]
fn a_subnet_on_a_declared_vlan_joins_its_plane_and_links_name_their_subnet() {
    insta::assert_snapshot!(adopted(&["2001:db8::/64"]), @r#"
    desks.yaml + subnets:
    desks.yaml +   - cidr: "2001:db8::/64"
    desks.yaml +     name: desks six
    hosts.yaml -       - {name: eth0, type: physical, links: [{plane: desks, address: +9}]}
    hosts.yaml +       - {name: eth0, type: physical, links: [{plane: desks, address: +9, subnet: "192.0.2.0/24"}]}
    "#);
    assert_eq!(adopted(&["desks six"]), adopted(&["2001:db8::/64"]));
}

#[test]
fn a_subnet_on_another_vlan_brings_its_vlan_and_leaves_leave_alone() {
    insta::assert_snapshot!(adopted(&["198.51.100.0/24"]), @r#"
    known.yaml -   - 198.51.100.0/24
    phones.yaml + plane: phones
    phones.yaml + fabric: blue
    phones.yaml + vid: 20
    phones.yaml + space: voice
    phones.yaml + cidr: 198.51.100.0/24
    "#);
    assert_eq!(adopted(&["blue/20"]), adopted(&["phones"]));
    insta::assert_snapshot!(adopted(&["203.0.113.0/25"]), @r#"
    known.yaml -   - green   # the neighbours'
    known.yaml +   # the neighbours'
    known.yaml +   - 10.0.0.0/16
    known.yaml +   - 10.0.1.0/24
    known.yaml +   - 203.0.113.128/25
    twin.yaml + plane: twin
    twin.yaml + fabric: green
    twin.yaml + cidr: 203.0.113.0/25
    "#);
}

#[test]
fn vlans_spaces_and_machines_are_adopted_by_name() {
    insta::assert_snapshot!(adopted(&["blue/30", "lonely", "m2"]), @r#"
    empty.yaml + plane: empty
    empty.yaml + fabric: blue
    empty.yaml + vid: 30
    empty.yaml + vlan_name: empty
    hosts.yaml +   - name: m2
    hosts.yaml +       - {name: eth0, type: physical, plane: desks, links: [{plane: desks, address: +10}]}
    known.yaml - spaces: [spare]
    known.yaml + spaces: [spare, lonely]
    "#);
}

#[test]
fn what_cannot_be_adopted_is_refused_with_a_remedy() {
    insta::assert_snapshot!(adopted(&["192.0.2.0/24"]), @r"desks.yaml:2: `192.0.2.0/24` is already declared; leave it out; `planebot plan` shows what differs");
    insta::assert_snapshot!(adopted(&["192.0.2.0/25", "blue/99", "m3"]), @r#"
    this MAAS has no object `192.0.2.0/25`; write it as `planebot audit` lists it: a network such as `192.0.2.0/24`, `FABRIC/VID`, or the name of a subnet, fabric, space or machine
    this MAAS has no object `blue/99`; write it as `planebot audit` lists it: a network such as `192.0.2.0/24`, `FABRIC/VID`, or the name of a subnet, fabric, space or machine
    this MAAS has no object `m3`; write it as `planebot audit` lists it: a network such as `192.0.2.0/24`, `FABRIC/VID`, or the name of a subnet, fabric, space or machine
    "#);
    insta::assert_snapshot!(adopted(&["twin"]), @r"`twin` is ambiguous: 2 objects have that name; use one of `203.0.113.0/25`, `203.0.113.128/25`");
    insta::assert_snapshot!(adopted(&["blue"]), @r"`blue` is ambiguous: 2 objects have that name; use one of `fabric:blue`, `space:blue`");
    insta::assert_snapshot!(adopted(&["desks", "spare", "m1", "blue/untagged"]), @r"
    desks.yaml:2: `desks` is already declared; leave it out; `planebot plan` shows what differs
    `spare` is already declared; leave it out; `planebot plan` shows what differs
    `m1` is already declared; leave it out; `planebot plan` shows what differs
    ");
    insta::assert_snapshot!(adopted(&["10.0.0.0/16", "10.0.1.0/24"]), @r#"
    `10.0.1.0/24` cannot be declared: overlaps 10.0.0.0/16; change it in MAAS first, or leave it undeclared
    "#);
}
