//! What `check` reports: nothing for valid declarations, and one finding for every kind of mistake.

#![expect(clippy::unwrap_used, reason = "tests report failures by panicking")]

use std::collections::BTreeSet;

use proptest::prelude::*;
use topology::check::{Checked, check};
use topology::draft::SourceFile;
use topology::finding::{CODES, Severity};

const METAL: &str = "\
plane: metal-admin
description: PXE and provisioning
fabric: 2_metal
vid: 103
space: metal-admin
mtu: 1500
cidr: 10.12.12.0/22
gateway: +1
dns: [+1, 8.8.8.8]
dhcp: on
strategy: recreate
reserve:
  - name: admin API VIP band
    purpose: vip
    range: +2..+100
  - name: PXE
    purpose: dynamic
    range: 10.12.13.0-10.12.15.254
reserved_ips: [{ip: +120, mac: \"52:54:00:00:00:01\", comment: console}]
";

fn files(all: &[(&str, &str)]) -> Vec<SourceFile> {
    all.iter()
        .map(|(path, text)| SourceFile {
            path: (*path).to_owned(),
            bytes: text.as_bytes().to_vec(),
        })
        .collect()
}

fn rendered(checked: &Checked) -> String {
    let all: Vec<String> = checked.findings.iter().map(ToString::to_string).collect();
    all.join("\n")
}

#[test]
fn one_file_declares_a_plane() {
    let checked = check(&files(&[("metal-admin.yaml", METAL)]));
    assert_eq!(rendered(&checked), "");
    let topology = checked.topology.unwrap();
    insta::assert_json_snapshot!(topology.planes["metal-admin"], @r#"
    {
      "key": "metal-admin",
      "description": "PXE and provisioning",
      "vlan": {
        "fabric": "2_metal",
        "vid": 103
      },
      "vlan_name": null,
      "space": "metal-admin",
      "mtu": 1500,
      "dhcp": {
        "on": {
          "primary": null,
          "secondary": null
        }
      },
      "strategy": "recreate",
      "subnets": [
        {
          "cidr": "10.12.12.0/22",
          "name": "metal-admin",
          "gateway": "10.12.12.1",
          "dns": [
            "10.12.12.1",
            "8.8.8.8"
          ],
          "reservations": [
            {
              "name": "admin API VIP band",
              "purpose": "vip",
              "range": {
                "start": "10.12.12.2",
                "end": "10.12.12.100"
              }
            },
            {
              "name": "PXE",
              "purpose": "dynamic",
              "range": {
                "start": "10.12.13.0",
                "end": "10.12.15.254"
              }
            }
          ],
          "routes": null,
          "reserved_ips": [
            {
              "ip": "10.12.12.120",
              "mac": "52:54:00:00:00:01",
              "comment": "console"
            }
          ],
          "managed": null,
          "allow_dns": null,
          "allow_proxy": null,
          "active_discovery": null,
          "rdns_mode": null,
          "description": null,
          "disabled_boot_architectures": null
        }
      ]
    }
    "#);
}

/// Each entry: the files' text (a line `== path` begins another file), and the expected codes, in order.
const TABLE: &[(&str, &[&str])] = &[
    (
        "\u{feff}---\r\nplane: a  # a comment\r\nfabric: f\r\n...\r\n",
        &[],
    ),
    (
        "plane: a\nfabric: f\ncidr: 10.0.0.0/24\nreserve: [{range: +2-+9}, {range: +20}, {range: 10.0.0.30 - 10.0.0.40}]\ngateway: none\ndns: leave\nroutes: leave\n",
        &[],
    ),
    (
        "plane: a\nfabric: f\nspace: none\ndhcp: {primary: rack0, secondary: rack1}\nsubnets: [{cidr: \"fd00::/64\", gateway: \"fe80::1\", reserve: [{purpose: dynamic, range: \"fd00::1:0:0..fd00::1:0:ffff\"}]}]\n",
        &[],
    ),
    ("", &["file/empty"]),
    ("# nothing\n", &["file/empty"]),
    ("{}\n", &["file/empty"]),
    ("[]\n", &["value/type"]),
    ("word\n", &["value/type"]),
    (
        "plane: a\nfabric: f\ncidr: 10.0.0.1/24\n",
        &["cidr/host-bits"],
    ),
    ("plane: a\nfabric: f\ncidr: 10.0.0.0\n", &["cidr/syntax"]),
    ("plane: a\nfabric: f\ncidr: 0.0.0.0/0\n", &["cidr/prefix"]),
    ("plane: a\nfabric: f\ncidr: 10.0.0.1/32\n", &["cidr/prefix"]),
    ("plane: a\nfabrik: f\n", &["key/missing", "key/unknown"]),
    ("plane: a\nfabric: f\nplane: b\n", &["yaml/duplicate-key"]),
    ("plane: a\nfabric:\n", &["value/empty"]),
    ("plane: a\nfabric: [f]\n", &["value/type"]),
    ("plane: a\nfabric: f\nvid: 4095\n", &["vlan/vid"]),
    ("plane: a\nfabric: f\nvid: 010\n", &["value/type"]),
    ("plane: a\nfabric: f\nmtu: 551\n", &["vlan/mtu"]),
    ("plane: a\nfabric: f\nmtu: 65536\n", &["vlan/mtu"]),
    (
        "plane: a\nfabric: f\nvlan_name: x\n",
        &["vlan/untagged-name"],
    ),
    ("plane: a\nfabric: f/1\n", &["name/syntax"]),
    ("plane: a\nfabric: fabric-3\n", &["name/generated"]),
    (
        "plane: a\nfabric: f\nspace: undefined\n",
        &["name/reserved"],
    ),
    ("plane: a b\nfabric: f\n", &["plane/key"]),
    (
        "plane: a\nfabric: f\ncidr: 10.0.0.0/24\nname: \"what?\"\n",
        &["name/odd"],
    ),
    (
        "plane: a\nfabric: f\ndescription: \"\\e[2J\"\n",
        &["value/control"],
    ),
    ("plane: a\nfabric: f\nstrategy: fast\n", &["value/range"]),
    ("plane: a\nfabric: f\ngateway: +1\n", &["subnet/no-cidr"]),
    (
        "plane: a\nfabric: f\ncidr: 10.0.0.0/24\ngateway: +256\n",
        &["address/outside"],
    ),
    (
        "plane: a\nfabric: f\ncidr: 10.0.0.0/24\ngateway: 10.0.1.1\n",
        &["address/outside"],
    ),
    (
        "plane: a\nfabric: f\ncidr: 10.0.0.0/24\ngateway: 1\n",
        &["address/syntax"],
    ),
    (
        "plane: a\nfabric: f\ncidr: 10.0.0.0/24\ndns: [b+1]\n",
        &["plane/unknown"],
    ),
    (
        "plane: a\nfabric: f\ncidr: 10.0.0.0/24\nrdns_mode: 3\n",
        &["value/range"],
    ),
    (
        "plane: a\nfabric: f\ncidr: 10.0.0.0/24\ndhcp: on\n",
        &["dhcp/no-range"],
    ),
    (
        "plane: a\nfabric: f\ndhcp: {secondary: r}\n",
        &["dhcp/racks", "dhcp/no-range"],
    ),
    ("plane: a\nfabric: f\ndhcp: {relay: a}\n", &["dhcp/relay"]),
    (
        "plane: a\nfabric: f\ncidr: 10.0.0.0/24\nreserve: [{range: +0..+5}]\n",
        &["range/network-address"],
    ),
    (
        "plane: a\nfabric: f\ncidr: 10.0.0.0/24\nreserve: [{range: +5..+255}]\n",
        &["range/broadcast-address"],
    ),
    (
        "plane: a\nfabric: f\ncidr: 10.0.0.0/24\nreserve: [{range: +9..+5}]\n",
        &["range/order"],
    ),
    (
        "plane: a\nfabric: f\ncidr: 10.0.0.0/24\nreserve: [{range: \"+9..fe80::1\"}]\n",
        &["address/family"],
    ),
    (
        "plane: a\nfabric: f\ncidr: 10.0.0.0/24\nreserve: [{range: 10.0.0.9..10.0.1.1}]\n",
        &["range/outside"],
    ),
    (
        "plane: a\nfabric: f\ncidr: 10.0.0.0/24\nreserve: [{range: some}]\n",
        &["range/syntax"],
    ),
    (
        "plane: a\nfabric: f\ncidr: 10.0.0.0/24\nreserve:\n- range: +5..+9\n- range: +9..+12\n",
        &["overlap/reserved"],
    ),
    (
        "plane: a\nfabric: f\ncidr: fd00::/64\nreserve: [{range: +5..+9}]\n",
        &["range/v6-implicit"],
    ),
    (
        "plane: a\nfabric: f\ncidr: fd00::/48\nreserve: [{range: +5..+9, purpose: dynamic}]\n",
        &["range/v6-small"],
    ),
    (
        "plane: a\nfabric: f\ncidr: 10.0.0.0/24\ngateway: +9\ndns: [+8]\ndhcp: off\nreserve: [{range: +5..+9, purpose: dynamic}]\n",
        &["gateway/in-dynamic", "dns/in-dynamic", "dhcp/idle-range"],
    ),
    (
        "plane: a\nfabric: f\ncidr: 10.0.0.0/24\nreserve: [{range: +5..+9, purpose: dynamic}]\nreserved_ips: [{ip: +6, mac: \"52:54:00:00:00:01\"}, {ip: +60, mac: 1-2}, {ip: +60, mac: \"52:54:00:00:00:01\"}]\n",
        &["address/in-dynamic", "mac/syntax", "reserved-ip/twice"],
    ),
    (
        "plane: a\nfabric: f\ncidr: 10.0.0.0/24\nroutes: [{to: a, via: +1}, {to: 10.9.0.0/24, via: +1}, {to: 10.9.0.0/24, via: +1}]\n",
        &[
            "route/self",
            "route/undeclared",
            "route/twice",
            "route/undeclared",
        ],
    ),
    (
        "planes:\n- {plane: a, fabric: f, cidr: 10.0.0.0/16}\n- {plane: a, fabric: g}\n- {plane: b, fabric: f}\n- {plane: c, fabric: f, vid: 3, cidr: 10.0.9.0/24}\n",
        &["plane/duplicate", "plane/duplicate-vlan", "overlap/plane"],
    ),
    (
        "planes:\n- {plane: a, fabric: f, mtu: 1500}\n- {plane: b, fabric: f, vid: 7, mtu: 9000}\n",
        &["vlan/mtu-above-untagged"],
    ),
    (
        "planes:\n- {plane: a, fabric: f, cidr: 10.0.0.0/24, dns: [10.0.1.1]}\n- {plane: b, fabric: f, vid: 7, cidr: 10.0.1.0/24, dns: [c+1]}\n- {plane: c, fabric: f, vid: 8}\n",
        &["dns/foreign", "plane/no-subnet"],
    ),
    (
        "planes:\n- {plane: a, fabric: f, cidr: 10.0.0.0/24}\nleave_alone: [f, 10.0.0.0/24, g]\n",
        &["leave-alone/declared", "leave-alone/declared"],
    ),
    (
        "planes: [{plane: a, fabric: f, vid: 1, cidr: 192.0.2.0/24}, {plane: b, state: absent, fabric: f, vid: 1, cidr: 192.0.2.0/24},\n\
         {plane: c, fabric: f, vid: 2, dhcp: {relay: b}}]",
        &["plane/absent", "plane/absent"],
    ),
    (
        "planes: [{plane: a, fabric: f, space: s}]\nfabrics: [{name: f, state: absent}, {name: g, state: present}]\n\
         spaces: [{name: s, state: absent}]",
        &["state/both", "state/both", "state/both"],
    ),
    (
        "planes:\n- {plane: a, fabric: f, cidr: 10.0.0.0/24, reserve: [{range: +9..+99, purpose: vip}]}\njumphost: [{interface: br0, plane: a, address: +1}]\nvips:\n- {name: k, host: +50, on: {public: a}}\n- {name: k, on: {public: a, admin: {plane: a, address: +51}}}\n- {name: l, host: +1, on: {public: a, internal: x}}\n",
        &[
            "vip/duplicate",
            "vip/no-host",
            "address/twice",
            "vip/outside-band",
            "plane/unknown",
        ],
    ),
    (
        "planes:\n- {plane: a, fabric: f, cidr: 10.0.0.0/24}\nmachines:\n- {name: -x, interfaces: []}\n- name: n\n  interfaces:\n  - {name: e, type: physical, plane: a, vlan: {fabric: f}, links: [{plane: a, address: host}]}\n  - {name: e, type: physical}\n  - {name: v, type: vlan, parents: [q]}\n  - {name: w, type: wifi}\n  - {name: b1, type: bridge, parents: [b2]}\n  - {name: b2, type: bridge, parents: [b1]}\n- {name: n, interfaces: []}\n",
        &[
            "machine/name",
            "interface/cycle",
            "interface/vlan",
            "machine/no-host",
            "machine/duplicate",
            "interface/parent",
            "interface/unknown-type",
            "machine/duplicate",
        ],
    ),
    (
        "planes:\n- {plane: a, fabric: f, subnets: [{cidr: 10.0.0.0/24}, {cidr: 10.0.1.0/24}]}\n- {plane: b, fabric: f, vid: 9, cidr: 10.0.2.0/24, reserve: [{range: +20..+30, purpose: dynamic}]}\nmachines:\n- name: n\n  host: +20\n  interfaces:\n  - {name: e, type: physical, plane: b, links: [{plane: a, address: host}, {plane: a, address: +1, subnet: 10.0.7.0/24}, {plane: b, address: host}, {plane: b, address: auto}, {plane: b, address: auto}]}\n",
        &[
            "link/subnet",
            "link/other-vlan",
            "link/other-vlan",
            "link/subnet",
            "address/in-dynamic",
            "link/twice",
        ],
    ),
    (
        "plane: a\nfabric: f\ncidr: 10.0.0.0/24\n== m.yaml\nmachines:\n  - {name: m1, template: none}\n  - name: m2\n    interfaces:\n      - {name: eth0, type: physical, bond_mode: 802.3ad}\n      - {name: eth1, type: physical, links: [{plane: a, address: +9, default_gateway: true}]}\n",
        &["machine/template", "interface/parameter", "link/gateway"],
    ),
    (
        "plane: a\nfabric: f\n== A.YAML\nspaces: [x]\n== a.yaml\nspaces: [y]\n",
        &["file/path"],
    ),
    ("spaces: [x]\n== ../b.yaml\nspaces: [y]\n", &["file/path"]),
    (
        "planes: [{plane: a, fabric: f, cidr: 10.0.0.0/24}]\njumphost:\n- {interface: br0, plane: a, address: +0}\n- {interface: $(id), plane: a, address: +1}\n",
        &["address/edge", "jumphost/interface"],
    ),
];

fn sources(text: &str) -> Vec<SourceFile> {
    let mut all = Vec::new();
    for (position, part) in text.split("== ").enumerate() {
        let (path, text) = if position == 0 {
            ("x.yaml", part)
        } else {
            part.split_once('\n').unwrap()
        };
        all.push(SourceFile {
            path: path.to_owned(),
            bytes: text.as_bytes().to_vec(),
        });
    }
    all
}

#[test]
fn every_mistake_has_its_code() {
    let mut surprises = Vec::new();
    for (text, codes) in TABLE {
        let checked = check(&sources(text));
        let found: Vec<&str> = checked
            .findings
            .iter()
            .map(|finding| finding.code)
            .collect();
        if found != *codes {
            surprises.push(format!(
                "{text}{found:?} instead of {codes:?}\n{}",
                rendered(&checked)
            ));
        }
        let errors = checked
            .findings
            .iter()
            .any(|f| f.severity == Severity::Error);
        assert_eq!(errors, checked.topology.is_none(), "{text}");
        for finding in &checked.findings {
            assert!(
                !finding.help.is_empty() && !finding.help.ends_with('.'),
                "{}",
                finding.help
            );
            assert!(!finding.message.ends_with('.'), "{}", finding.message);
            let first = finding.message.chars().next().unwrap();
            assert!(
                !first.is_ascii_uppercase()
                    || finding.message.starts_with("MAAS")
                    || finding.message.starts_with("DHCP"),
                "{}",
                finding.message
            );
        }
    }
    assert!(surprises.is_empty(), "{}", surprises.join("\n"));
}

/// Covered by other tests, some of them in `yaml.rs`.
const ELSEWHERE: &[&str] = &[
    "value/long",
    "file/size",
    "file/nul",
    "file/utf-8",
    "file/lfs",
    "site/shared",
    "site/maybe-shared",
];

#[test]
fn every_code_is_reported_for_some_mistake() {
    let found: BTreeSet<&str> = TABLE
        .iter()
        .flat_map(|(_, codes)| codes.iter().copied())
        .collect();
    for code in CODES {
        let elsewhere = ELSEWHERE.contains(&code.name) || code.name.starts_with("yaml/");
        assert!(
            elsewhere || found.contains(code.name),
            "`{}` is never reported",
            code.name
        );
    }
}

#[test]
fn binary_and_oversized_files_are_refused_at_once() {
    let one = |bytes: Vec<u8>| {
        check(&[SourceFile {
            path: "a.yaml".to_owned(),
            bytes,
        }])
    };
    let codes_of = |checked: &Checked| checked.findings.iter().map(|f| f.code).collect::<Vec<_>>();
    assert_eq!(codes_of(&one(vec![b'#'; 5 * 1024 * 1024])), ["file/size"]);
    assert_eq!(codes_of(&one(b"plane: \0\n".to_vec())), ["file/nul"]);
    assert_eq!(codes_of(&one(b"plane: \xff\n".to_vec())), ["file/utf-8"]);
    assert_eq!(
        codes_of(&one(
            b"version https://git-lfs.github.com/spec/v1\noid x\n".to_vec()
        )),
        ["file/lfs"]
    );
    let many: Vec<SourceFile> = (0..5000)
        .map(|n| SourceFile {
            path: format!("{n}.yaml"),
            bytes: b"spaces: [a]\n".to_vec(),
        })
        .collect();
    assert_eq!(codes_of(&check(&many)), ["file/size"]);
    let wrong = format!("planes:\n{}", "- {plane: a b, fabric: f}\n".repeat(2000));
    let checked = one(wrong.into_bytes());
    assert!(
        checked.findings.len() <= topology::finding::FINDINGS_MAX && checked.topology.is_none()
    );
}

/// A pull request must not be able to keep the bot busy: no rule compares every plane with every other.
#[test]
fn a_large_invalid_declaration_is_checked_too() {
    let mut all = Vec::new();
    let mut section = |name: &str, head: &str, line: &dyn Fn(usize) -> String| {
        let lines: Vec<String> = (0..4096).map(line).collect();
        let bytes = format!("{head}\n{}", lines.concat()).into_bytes();
        all.push(SourceFile {
            path: format!("{name}.yaml"),
            bytes,
        });
    };
    section("planes", "planes:", &|n| {
        format!(
            "- {{plane: p{n}, fabric: f, vid: 1, cidr: 10.{}.{}.0/24, dns: [q{n}+1, 10.1.1.1]}}\n",
            n / 250,
            n % 250
        )
    });
    section("machine", "machines:\n- name: m\n  interfaces:", &|n| {
        format!("  - {{name: e{n}, type: bridge, parents: [e{}]}}\n", n + 1)
    });
    section("vips", "vips:", &|n| {
        format!("- {{name: v, host: +{n}, on: {{a: p{n}, b: q}}}}\n")
    });
    let checked = check(&all);
    assert!(checked.topology.is_none());
    assert!(checked.findings.len() <= topology::finding::FINDINGS_MAX);
    let long = format!("spaces: [{}]\n", "a, ".repeat(4097));
    assert_eq!(
        check(&files(&[("a.yaml", &long)])).findings[0].code,
        "value/long"
    );
}

#[test]
fn one_mistake_is_not_repeated_by_everything_that_refers_to_it() {
    let jumphost = "jumphost: [{interface: br0, plane: a, address: +1}]\n";
    for (plane, code) in [
        ("plane: a\nfabric: f\ncidr: 10.0.0.1/24\n", "cidr/host-bits"),
        ("plane: a\ncidr: 10.0.0.0/24\n", "key/missing"),
        ("plane: a  # broken\nfabric: [f\n", "yaml/syntax"),
    ] {
        let checked = check(&files(&[("a.yaml", plane), ("jumphost.yaml", jumphost)]));
        let codes: Vec<&str> = checked.findings.iter().map(|f| f.code).collect();
        assert_eq!(codes, [code], "{}", rendered(&checked));
    }
}

#[test]
fn files_other_than_yaml_are_skipped() {
    let mut all = files(&[
        ("a.yaml", METAL),
        ("README.md", "# planes"),
        ("x.schema.json", "{}"),
    ]);
    let with = check(&all);
    all.truncate(1);
    assert_eq!(with, check(&all));
    assert_eq!(with.declared_at["metal-admin"], ("a.yaml".to_owned(), 1));
}

#[test]
fn different_declarations_have_different_digests() {
    let tree = |all: &[(&str, &str)]| check(&files(all)).topology.unwrap().tree;
    let one = tree(&[("a.yaml", "spaces: [a]\n"), ("b.yaml", "spaces: [b]\n")]);
    assert_eq!(one.len(), 64);
    assert_eq!(
        one,
        tree(&[("b.yaml", "spaces: [b]\n"), ("a.yaml", "spaces: [a]\n")])
    );
    for other in [
        tree(&[("a.yaml", "spaces: [b]\n"), ("b.yaml", "spaces: [a]\n")]),
        tree(&[("a.yaml", "spaces: [a]\n"), ("c.yaml", "spaces: [b]\n")]),
        tree(&[("a.yaml", "spaces: [a]\n#"), ("b.yaml", "spaces: [b]\n")]),
    ] {
        assert_ne!(one, other);
    }
}

/// Fragments that corrupt a file: special in YAML, or in the syntax of addresses.
const SPOILERS: &[&str] = &[
    ":",
    "- ",
    "\n",
    "  ",
    "\t",
    "{",
    "}",
    "[",
    "]",
    "&a ",
    "*a",
    "!t ",
    "|",
    ">",
    "#",
    "\"",
    "'",
    "+",
    "..",
    "-",
    "/",
    "0",
    "99999999999999999999999999999999999999999999",
    "::",
    "\u{1b}",
    "\u{202e}",
    "é",
    "plane",
    "leave",
    "null",
    "<<",
    "---\n",
    "%",
    "@",
    ",",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_corrupted_file_gives_findings_or_a_topology(
        spoils in prop::collection::vec((any::<prop::sample::Index>(), prop::sample::select(SPOILERS), 0_usize..4), 1..6),
        second in prop::sample::select(TABLE),
    ) {
        let mut text = METAL.to_owned();
        for (at, with, length) in spoils {
            let places: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
            let Some(&start) = places.get(at.index(places.len().max(1))) else { continue };
            let end = text[start..].char_indices().nth(length).map_or(text.len(), |(n, _)| start + n);
            text.replace_range(start..end, with);
        }
        let mut sources = sources(second.0);
        sources.push(SourceFile { path: "spoilt.yaml".to_owned(), bytes: text.into_bytes() });
        let checked = check(&sources);
        let errors = checked.findings.iter().any(|f| f.severity == Severity::Error);
        prop_assert_eq!(errors, checked.topology.is_none());
        prop_assert!(checked.findings.is_sorted());
        for finding in &checked.findings {
            let shown = finding.to_string();
            prop_assert!(!shown.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'), "{}", shown);
            prop_assert!(finding.line >= 1 && finding.column >= 1);
        }
    }

    #[test]
    fn random_bytes_give_findings(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let checked = check(&[SourceFile { path: "a.yaml".to_owned(), bytes }]);
        prop_assert!(checked.topology.is_none());
    }
}

fn guide() -> String {
    std::fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../topology/README.md"
    ))
    .unwrap()
}

#[test]
fn the_example_in_the_guide_is_accepted() {
    let guide = guide();
    let (_, rest) = guide.split_once("```yaml\n").unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    let other = "plane: other-plane\nfabric: other\ncidr: 10.0.0.0/24\n";
    let checked = check(&files(&[("a.yaml", example), ("b.yaml", other)]));
    assert!(checked.topology.is_some(), "{}", rendered(&checked));
}

#[test]
fn every_code_is_in_the_guide() {
    let guide = guide();
    let (_, table) = guide.split_once("|---|---|---|\n").unwrap();
    let expected: Vec<String> = CODES
        .iter()
        .map(|code| format!("| `{}` | {} | {} |", code.name, code.severity, code.means))
        .collect();
    assert_eq!(table.lines().collect::<Vec<_>>(), expected);
}

/// The codes of the findings about a file.
fn codes_of(text: &str) -> Vec<&'static str> {
    let checked = check(&files(&[("a.yaml", text)]));
    checked.findings.iter().map(|it| it.code).collect()
}

#[test]
fn a_name_that_maas_refuses_or_changes_is_a_finding_with_a_name_that_it_takes() {
    let refused = [
        (
            "fabric: my lab\n",
            "name/syntax",
            "write for example `my-lab`",
        ),
        ("fabric: a.b\n", "name/syntax", "write for example `a-b`"),
        (
            "fabric: blue\nspace: my space\n",
            "name/syntax",
            "write for example `my-space`",
        ),
        (
            "fabric: blue\nspace: a:b\n",
            "name/syntax",
            "write for example `a-b`",
        ),
        (
            "fabric: blue\nvid: 5\nvlan_name: a.b\n",
            "name/syntax",
            "write for example `a-b`",
        ),
        (
            "fabric: blue\nvid: 5\nvlan_name: \" a\"\n",
            "name/syntax",
            "write for example `a`",
        ),
        (
            "fabric: blue\ncidr: 192.0.2.0/24\nname: \" a \"\n",
            "name/syntax",
            "write `a`",
        ),
        (
            "fabric: blue\ncidr: 192.0.2.0/24\nname: \"  \"\n",
            "name/syntax",
            "write `none`",
        ),
        (
            "fabric: blue\ncidr: 192.0.2.0/24\nname: \"<b>\"\n",
            "name/odd",
            "use letters",
        ),
    ];
    for (fields, code, help) in refused {
        let checked = check(&files(&[("a.yaml", &format!("plane: a\n{fields}"))]));
        let shown = rendered(&checked);
        assert!(checked.topology.is_none(), "{fields}");
        assert!(
            shown.contains(code) && shown.contains(help),
            "{fields}: {shown}"
        );
    }
    for taken in [
        "fabric: \u{fc}b-1_x\n",
        "fabric: blue\nvid: 5\nvlan_name: two words\n",
        "fabric: blue\ncidr: 192.0.2.0/24\nname: \"a/b c:\u{e9}.\"\n",
    ] {
        assert_eq!(codes_of(&format!("plane: a\n{taken}")), [""; 0], "{taken}");
    }
    assert_eq!(
        codes_of("plane: a\nfabric: blue\nspace: space-3\n"),
        ["name/generated"]
    );
}

#[test]
fn a_subnet_without_a_name_has_that_of_its_cidr() {
    let name = |line: &str| {
        let text = format!("plane: a\nfabric: blue\ncidr: 192.0.2.0/24\n{line}");
        let checked = check(&files(&[("a.yaml", &text)]));
        checked.topology.unwrap().planes["a"].subnets[0]
            .name
            .clone()
    };
    assert_eq!(name(""), "a");
    assert_eq!(name("name: none\n"), "192.0.2.0/24");
    assert_eq!(name("name: \"none\"\n"), "none");
}

#[test]
fn a_boot_architecture_is_one_that_maas_knows_by_its_name() {
    let of = |list: &str| {
        let text = format!(
            "plane: a\nfabric: blue\ncidr: 192.0.2.0/24\ndisabled_boot_architectures: {list}\n"
        );
        rendered(&check(&files(&[("a.yaml", &text)])))
    };
    assert_eq!(of("[pxe, uefi_amd64_tftp, ipxe]"), "");
    assert!(of("[uefi_amd64_tfpt]").contains("did you mean `uefi_amd64_tftp`?"));
    assert!(of("[banana]").contains("write one of `pxe`"));
    assert!(of("[\"0x07\"]").contains("write `uefi_amd64_tftp`"));
    assert!(of("[\"00:0b\"]").contains("write `uefi_arm64_tftp`"));
}

#[test]
fn an_ipv6_offset_may_be_written_in_hex_groups_wherever_an_offset_may() {
    let text = "plane: a\nfabric: blue\ncidr: 2001:db8::/64\ngateway: +::1\ndns: [+::1:0:0, a+::2, +3]\n\
                reserve:\n  - {range: +::1:0:0:0..+::1:0:0:ff, purpose: vip}\n";
    let machine = "machines:\n  - name: m\n    host: +::a:0:0\n    interfaces:\n      - name: eth0\n        type: physical\n\
                   \x20       links: [{plane: a, address: host}, {plane: a, address: +::b:0:0}]\n";
    let checked = check(&files(&[("a.yaml", text), ("machines.yaml", machine)]));
    assert_eq!(rendered(&checked), "");
    let topology = checked.topology.unwrap();
    let subnet = &topology.planes["a"].subnets[0];
    let shown = format!(
        "{:?} {:?} {:?}",
        subnet.gateway, subnet.dns, subnet.reservations
    );
    for address in [
        "2001:db8::1",
        "2001:db8::1:0:0",
        "2001:db8::2",
        "2001:db8::3",
        "2001:db8:0:0:1::",
        "2001:db8::1:0:0:ff",
    ] {
        assert!(shown.contains(address), "{address}: {shown}");
    }
    for bad in ["+::1.2.3.4", "+1:", "+::g", "+:::1", "+1:2", "+:", "+::1::"] {
        let text = format!("plane: a\nfabric: blue\ncidr: 2001:db8::/64\ngateway: \"{bad}\"\n");
        assert_eq!(codes_of(&text), ["address/syntax"], "{bad}");
    }
    let low = "plane: a\nfabric: blue\ncidr: 2001:db8::/64\nreserve:\n  - {range: +::10..+::ff}\n";
    assert!(rendered(&check(&files(&[("a.yaml", low)]))).contains("start at `+::1:0:0` or later"));
}
