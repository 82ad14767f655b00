//! Clouds with everything odd in them: names that YAML, file systems or keys may take for something else, networks of every
//! size and family, ranges with no or with equal comments.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

/// Names that MAAS takes for a fabric, a space or a VLAN, and that YAML, file systems or keys may take for something else.
const NAMES: &[&str] = &[
    "1_provider",
    "yes",
    "No",
    "null",
    "None",
    "none",
    "on",
    "leave",
    "1e3",
    "0x1f",
    "007",
    "1_000",
    "ünïcode",
    "日本",
    "site",
    "machines",
    "machines-2",
    "untagged",
    "a b",
    "A B",
    "a-b",
    "a_b",
    "-dash",
    "con",
    "true",
    "fabric-77",
    "space-9",
];

/// Texts that MAAS takes for a subnet's name, a description or a comment.
const TEXTS: &[&str] = &[
    "",
    "plain",
    "plain",
    "it's",
    "say \"x\"",
    "a # b",
    "# a",
    "a: b",
    "a:",
    "- a",
    "-",
    "[x]",
    "{x}",
    "&a",
    "*a",
    "!a",
    "%a",
    "@a",
    "`a`",
    "| a",
    "> a",
    "yes",
    "null",
    "~",
    "1e3",
    "0x1f",
    "+1",
    "+1..+9",
    "10.0.0.1",
    "leave",
    "none",
    "back\\slash",
    "tab\there",
    "two\nlines",
    "ünïcode",
    "🦀",
    "\u{202e}abc",
    "trailing ",
    " leading",
    "VIP band",
    "switches and BMCs",
    "a, b",
    "x}",
    "]",
    "10.0.0.0/24",
];

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        5 => prop::sample::select(NAMES).prop_map(str::to_owned),
        1 => Just("long".repeat(64)),
        3 => "[a-z]{2,6}",
    ]
}

fn words() -> impl Strategy<Value = String> {
    prop_oneof![
        5 => prop::sample::select(TEXTS).prop_map(str::to_owned),
        1 => Just("long ".repeat(50).trim_end().to_owned()),
        3 => "[a-z]{2,6}",
        1 => "[^\\x00-\\x1f]{1,12}",
    ]
}

/// One network: which of the pool it is, how long its prefix, and what hangs on it.
#[derive(Clone, Debug)]
struct Net {
    name: String,
    v6: bool,
    prefix: u8,
    gateway: u8,
    cuts: Vec<(u8, u8, bool, String)>,
    flags: [bool; 4],
    rdns: u8,
    description: String,
    dns: Vec<u8>,
}

fn net() -> impl Strategy<Value = Net> {
    let prefix = prop_oneof![
        4 => Just((false, 24_u8)),
        1 => prop::sample::select(&[(false, 31_u8), (false, 30), (false, 22), (false, 32), (false, 16)][..]),
        2 => prop::sample::select(&[(true, 64_u8), (true, 127), (true, 112), (true, 48), (true, 128)][..]),
    ];
    let cuts = prop::collection::vec((2_u8..9, 0_u8..8, any::<bool>(), words()), 0..4);
    (
        (words(), prefix, 0_u8..4, cuts),
        (
            any::<[bool; 4]>(),
            0_u8..3,
            words(),
            prop::collection::vec(0_u8..6, 0..3),
        ),
    )
        .prop_map(
            |((name, (v6, prefix), gateway, cuts), (flags, rdns, description, dns))| Net {
                name,
                v6,
                prefix,
                gateway,
                cuts,
                flags,
                rdns,
                description,
                dns,
            },
        )
}

/// The addresses of a network, by their place in it.
struct Place {
    base: String,
    v6: bool,
}

impl Place {
    fn at(&self, offset: usize) -> String {
        let base = &self.base;
        let low = offset & 0xffff;
        match (self.v6, offset) {
            (false, _) => format!("{base}{offset}"),
            (true, 0) => base.clone(),
            (true, 1..=0xffff) => format!("{base}{offset:x}"),
            (true, 0x1_0000..=0xffff_ffff) => format!("{base}{:x}:{low:x}", offset >> 16),
            (true, _) => format!(
                "{base}{:x}:{:x}:{low:x}",
                offset >> 32,
                offset >> 16 & 0xffff
            ),
        }
    }
}

fn written(net: &Net, number: usize) -> Value {
    let base = if net.v6 {
        format!("fd00:{number:x}::")
    } else {
        format!("10.{number}.0.")
    };
    let place = Place { base, v6: net.v6 };
    let hosts: usize = match (net.v6, net.prefix) {
        (false, 32) | (true, 128) => 1,
        (false, 31) | (true, 127) => 2,
        (false, 30) => 3,
        _ => 250,
    };
    let mut subnet = json!({
        "cidr": format!("{}/{}", place.at(0), net.prefix),
        "managed": net.flags[0], "allow_dns": net.flags[1], "allow_proxy": net.flags[2],
        "active_discovery": net.flags[3], "rdns_mode": net.rdns, "description": net.description,
    });
    if !net.name.is_empty() {
        subnet["name"] = json!(net.name);
    }
    let gateway = usize::from(net.gateway);
    if (1..hosts).contains(&gateway) {
        subnet["gateway"] = json!(place.at(gateway));
    }
    let known = [
        "8.8.8.8",
        "fd00:1::5",
        "10.1.0.5",
        "10.2.0.1",
        "2001:db8::1",
        "10.0.0.3",
    ];
    subnet["dns"] = net.dns.iter().map(|at| known[usize::from(*at)]).collect();
    if hosts == 250 {
        subnet["ranges"] = ranges(net, &place);
    }
    subnet
}

fn ranges(net: &Net, place: &Place) -> Value {
    // MAAS keeps the first 2^32 addresses of a /64 for itself.
    let mut next = match (net.v6, net.prefix) {
        (true, 64) => 0x1_0000_0000,
        (true, 112) => 0x1000,
        (true, _) => 0x1_0000,
        (false, _) => 8,
    };
    let mut ranges = Vec::new();
    for (gap, length, dynamic, comment) in &net.cuts {
        let start = next + usize::from(*gap);
        let length = if *dynamic && net.v6 {
            0x200
        } else {
            usize::from(*length)
        };
        let end = start + length;
        next = end + 1;
        if !net.v6 && end > 250 {
            break;
        }
        let kind = if *dynamic { "dynamic" } else { "reserved" };
        let (start, end) = (place.at(start), place.at(end));
        ranges.push(json!({"type": kind, "start": start, "end": end, "comment": comment}));
    }
    json!(ranges)
}

type Vlan = (u16, Option<String>, Option<String>, u32, bool, Vec<Net>);
type Machine = (String, u8, &'static str);

/// A cloud: fabrics of VLANs of networks, and machines on the first of them.
pub(super) fn cloud() -> impl Strategy<Value = Value> {
    let vlan = (
        0_u16..4095,
        prop::option::of(name()),
        prop::option::of(name()),
        prop::sample::select(&[1500_u32, 1500, 9000, 552][..]),
        any::<bool>(),
        prop::collection::vec(net(), 0..3),
    );
    let fabric = (name(), prop::collection::vec(vlan, 0..4));
    let mode = prop::sample::select(&["AUTO", "STATIC", "DHCP", "LINK_UP"][..]);
    let machines = prop::collection::vec(("[a-z]{1,5}", 0_u8..9, mode), 0..3);
    let spaces = prop::collection::vec(name(), 0..2);
    (prop::collection::vec(fabric, 1..4), spaces, machines).prop_map(
        |(fabrics, spaces, machines)| {
            let mut number = 0;
            let named: BTreeMap<String, Vec<Vlan>> = fabrics.into_iter().collect();
            let fabrics: Vec<Value> = named
            .iter()
            .map(|(name, vlans)| json!({"name": name, "vlans": written_vlans(vlans, &mut number)}))
            .collect();
            let machines = written_machines(machines, &fabrics);
            json!({"fabrics": fabrics, "spaces": spaces, "machines": machines})
        },
    )
}

fn written_vlans(vlans: &[Vlan], number: &mut usize) -> Value {
    let mut written_vlans = BTreeMap::new();
    for (vid, name, space, mtu, untagged, nets) in vlans {
        let vid = if *untagged { 0 } else { *vid };
        let subnets: Vec<Value> = nets
            .iter()
            .map(|net| {
                *number += 1;
                written(net, *number)
            })
            .collect();
        let subnets = json!(subnets);
        let dhcp = subnets.to_string().contains("dynamic");
        let mut vlan = json!({"vid": vid, "mtu": mtu, "dhcp": dhcp, "subnets": subnets});
        if let Some(name) = name.as_ref().filter(|_| vid != 0) {
            vlan["name"] = json!(name);
        }
        if let Some(space) = space {
            vlan["space"] = json!(space);
        }
        written_vlans.insert(vid, vlan);
    }
    json!(written_vlans.into_values().collect::<Vec<Value>>())
}

fn written_machines(machines: Vec<Machine>, fabrics: &[Value]) -> Value {
    let vlans = fabrics
        .iter()
        .filter_map(|fabric| fabric["vlans"].as_array());
    let subnets = vlans
        .flatten()
        .filter_map(|vlan| vlan["subnets"].as_array());
    let cidrs = subnets
        .flatten()
        .filter_map(|subnet| subnet["cidr"].as_str());
    let Some(cidr) = cidrs.into_iter().find(|cidr| cidr.ends_with(".0/24")) else {
        return json!([]);
    };
    let base = cidr.trim_end_matches("0/24");
    let mut hosts = BTreeMap::new();
    for (at, (host, nic, mode)) in machines.into_iter().enumerate() {
        let mut link = json!({"subnet": cidr, "mode": mode});
        if mode == "STATIC" {
            link["ip"] = json!(format!("{base}{}", 251 + at));
        }
        let mac = format!("52:54:00:00:00:{at:02x}");
        let nic = json!({"name": format!("eth{nic}"), "links": [link], "mac": mac});
        let node = json!({"hostname": host, "status": "Ready", "interfaces": [nic]});
        hosts.insert(host, node);
    }
    json!(hosts.into_values().collect::<Vec<Value>>())
}
