//! MAAS's texts are untrusted, and a MAAS that was changed by hand contains what no declaration may express.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use proptest::prelude::*;
use topology::address::{Cidr, Range};
use topology::object::{
    Fabric, Interface, InterfaceKind, InterfaceSettings, IpRange, Link, Mode, Object, RangeKind,
    ReservedIp, Space, StaticRoute, Subnet, SubnetFlags, Vlan, VlanAt,
};
use topology::observed::{Node, NodeKind, Observed};

use crate::layouts::{empty, put};
use crate::{checked, import};

const NAMES: &[&str] = &[
    "a",
    "A",
    "site",
    "machines",
    "storage",
    "storage",
    "10.0.0.0/24",
    "none",
    "on",
    "1",
    "a: b",
    "x # y",
    "it's",
    "\"q\"",
    "new\nline",
    "\u{1b}[2J",
    "\u{202e}",
    "",
    " ",
    "- x",
    "{}",
    "&a",
    "*a",
    "!t",
    "<<",
    "../../etc/passwd",
    "ünïcode",
    "undefined",
    "fabric-0",
    "fabric-7",
    "very long very long very long very long very long very long name",
    "`x`",
    "@org/team",
    "<!-- -->",
    "${HOME}",
    "con",
    "a.yaml",
    "%",
    "plane: b\nfabric: c",
    "\u{0}",
];

const CIDRS: &[&str] = &[
    "10.0.0.0/24",
    "10.0.0.0/16",
    "10.0.1.0/24",
    "10.0.0.128/25",
    "10.0.2.0/31",
    "10.0.3.1/32",
    "0.0.0.0/0",
    "192.168.0.0/16",
    "fd00::/64",
    "fd00::/48",
    "fd00:1::/64",
    "fd00:2::1/128",
    "10.9.0.0/22",
    "10.9.4.0/22",
];

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(NAMES).prop_map(str::to_owned),
        1 => any::<String>(),
        2 => "[a-z]{1,8}(-[0-9])?",
    ]
}

fn cidr() -> impl Strategy<Value = Cidr> {
    prop::sample::select(CIDRS).prop_map(|cidr| cidr.parse().unwrap())
}

/// Addresses inside, at the edges of, and outside the networks above.
fn address() -> impl Strategy<Value = IpAddr> {
    let inside = (
        cidr(),
        prop::sample::select(&[0_u128, 1, 2, 20, 40, 127, 200, 254, 255, 256, 1022, 70_000][..]),
    )
        .prop_map(|(cidr, offset)| cidr.at(offset).unwrap_or(cidr.last()));
    prop_oneof![9 => inside, 1 => Just(ip("8.8.8.8")), 1 => Just(ip("fe80::1"))]
}

fn vlan_at() -> impl Strategy<Value = VlanAt> {
    let fabric = prop::sample::select(&["f", "g", "fabric-0", "fabric-9", "a: b", "G"][..]);
    let vid = prop::sample::select(&[0_u16, 7, 77][..]);
    (fabric, vid).prop_map(|(fabric, vid)| VlanAt {
        fabric: fabric.to_owned(),
        vid,
    })
}

fn vlan() -> impl Strategy<Value = Vlan> {
    let racks = prop::sample::select(&[None, Some("r1"), Some("r2"), Some("gone")][..]);
    (
        (
            vlan_at(),
            prop::option::of(name()),
            prop::sample::select(&[1500_u32, 9000, 100, 70_000][..]),
        ),
        (
            prop::option::of(name()),
            any::<bool>(),
            racks.clone(),
            racks,
            prop::option::of(vlan_at()),
        ),
    )
        .prop_map(
            |((at, name, mtu), (space, dhcp_on, primary, secondary, relay))| Vlan {
                name: name.filter(|_| at.vid != 0),
                at,
                mtu,
                space,
                dhcp_on,
                primary_rack: primary.map(str::to_owned),
                secondary_rack: secondary.map(str::to_owned),
                relay: relay.filter(|_| !dhcp_on),
            },
        )
}

fn subnet() -> impl Strategy<Value = Subnet> {
    (
        (
            cidr(),
            name(),
            vlan_at(),
            prop::option::of(address()),
            prop::collection::vec(address(), 0..3),
        ),
        (any::<[bool; 4]>(), 0_u8..4, name()),
    )
        .prop_map(
            |((cidr, name, vlan, gateway, dns), (flags, rdns_mode, description))| Subnet {
                cidr,
                name,
                vlan,
                gateway: gateway.filter(|ip| ip.is_ipv6() == cidr.is_v6()),
                dns,
                flags: SubnetFlags {
                    managed: flags[0],
                    allow_dns: flags[1],
                    allow_proxy: flags[2],
                    active_discovery: flags[3],
                    rdns_mode: rdns_mode.min(2),
                },
                disabled_boot_architectures: vec![description.clone()],
                description,
            },
        )
}

fn hanging() -> impl Strategy<Value = Option<Object>> {
    let range = (cidr(), address(), address(), any::<bool>(), name()).prop_map(
        |(subnet, a, b, dynamic, comment)| {
            let kind = if dynamic {
                RangeKind::Dynamic
            } else {
                RangeKind::Reserved
            };
            let range = Range::new(a.min(b), a.max(b))?;
            Some(Object::Range(IpRange {
                subnet,
                range,
                kind,
                comment,
            }))
        },
    );
    let route =
        (cidr(), cidr(), address(), 0_u32..3).prop_map(|(source, destination, gateway, metric)| {
            Some(Object::Route(StaticRoute {
                source,
                destination,
                gateway,
                metric,
            }))
        });
    let reserved = (address(), name(), cidr(), name()).prop_map(|(ip, mac, subnet, comment)| {
        Some(Object::ReservedIp(ReservedIp {
            ip,
            mac,
            subnet,
            comment,
        }))
    });
    prop_oneof![3 => range, 1 => route, 1 => reserved]
}

fn kind() -> impl Strategy<Value = InterfaceKind> {
    prop::sample::select(
        &[
            InterfaceKind::Physical,
            InterfaceKind::Bond,
            InterfaceKind::Bridge,
            InterfaceKind::Vlan,
            InterfaceKind::Unknown,
        ][..],
    )
}

fn on_a_machine() -> impl Strategy<Value = Vec<Object>> {
    let host = prop::sample::select(&["m1", "m2", "m_3"][..]);
    let mode = prop_oneof![
        Just(Mode::Auto),
        Just(Mode::Dhcp),
        Just(Mode::LinkUp),
        address().prop_map(Mode::Static),
    ];
    let links = prop::collection::vec((cidr(), mode), 0..3);
    let parents =
        prop::collection::btree_set(prop::sample::select(&["e0", "e1", "b: 0"][..]), 0..3);
    (
        host,
        name(),
        kind(),
        parents,
        prop::option::of(vlan_at()),
        links,
    )
        .prop_map(|(host, name, kind, parents, vlan, links)| {
            let host = host.to_owned();
            let mut objects = vec![Object::Interface(Interface {
                settings: InterfaceSettings::default(),
                host: host.clone(),
                name: name.clone(),
                kind,
                parents: parents
                    .into_iter()
                    .map(str::to_owned)
                    .collect::<BTreeSet<_>>(),
                vlan,
            })];
            objects.extend(links.into_iter().map(|(subnet, mode)| {
                Object::Link(Link {
                    default_gateway: false,
                    host: host.clone(),
                    interface: name.clone(),
                    subnet,
                    mode,
                })
            }));
            objects
        })
}

pub(crate) fn any_maas() -> impl Strategy<Value = Observed> {
    (
        prop::collection::vec(vlan(), 0..6),
        prop::collection::vec(subnet(), 0..10),
        prop::collection::vec(hanging(), 0..10),
        prop::collection::vec(on_a_machine(), 0..6),
        prop::collection::vec(name(), 0..3),
    )
        .prop_map(|(vlans, subnets, hanging, machines, spaces)| {
            let mut observed = empty();
            for vlan in vlans {
                put_vlan(&mut observed, vlan);
            }
            for subnet in subnets {
                if observed.vlan(&subnet.vlan).is_none() {
                    put_vlan(&mut observed, bare(subnet.vlan.clone()));
                }
                put(&mut observed, Object::Subnet(subnet));
            }
            for object in hanging.into_iter().flatten() {
                put(&mut observed, object);
            }
            for name in spaces {
                put(&mut observed, Object::Space(Space { name }));
            }
            let nodes = [
                ("m1", NodeKind::Machine),
                ("m2", NodeKind::Machine),
                ("m_3", NodeKind::Machine),
            ];
            for (host, kind) in nodes.into_iter().chain([("rack1", NodeKind::Controller)]) {
                let system_id = if host == "rack1" { "r1" } else { host }.to_owned();
                let node = Node {
                    locked: false,
                    system_id,
                    host: host.to_owned(),
                    kind,
                    is_rack: kind == NodeKind::Controller,
                    status: "Ready".to_owned(),
                    boot: None,
                };
                observed.nodes.insert(host.to_owned(), node);
            }
            for object in machines.into_iter().flatten() {
                put(&mut observed, object);
            }
            observed
        })
}

fn bare(at: VlanAt) -> Vlan {
    Vlan {
        at,
        name: None,
        mtu: 1500,
        space: None,
        dhcp_on: false,
        primary_rack: None,
        secondary_rack: None,
        relay: None,
    }
}

fn put_vlan(observed: &mut Observed, vlan: Vlan) {
    put(
        observed,
        Object::Fabric(Fabric {
            name: vlan.at.fabric.clone(),
        }),
    );
    if vlan.at.vid == 0 {
        observed.default_vlans.push(vlan.at.clone());
    }
    put(observed, Object::Vlan(vlan));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_maas_can_be_imported(observed in any_maas()) {
        import(&observed, false);
    }

    #[test]
    fn the_order_of_the_files_does_not_matter(observed in any_maas(), seed in any::<u64>()) {
        let files = topology::write::files(&observed, "site");
        let straight = checked(&files);
        let mut sources = crate::sources(&files);
        let count = sources.len().max(1);
        sources.rotate_left(usize::try_from(seed % count as u64).unwrap());
        sources.reverse();
        prop_assert_eq!(topology::check::check(&sources), straight);
    }
}

#[test]
fn of_two_overlapping_subnets_the_older_is_declared() {
    let mut observed = empty();
    let at = VlanAt {
        fabric: "f".to_owned(),
        vid: 0,
    };
    put_vlan(&mut observed, bare(at.clone()));
    for (cidr, name) in [("10.0.1.0/24", "older"), ("10.0.0.0/16", "younger")] {
        put(
            &mut observed,
            Object::Subnet(Subnet {
                cidr: cidr.parse().unwrap(),
                name: name.to_owned(),
                vlan: at.clone(),
                gateway: None,
                dns: Vec::new(),
                flags: SubnetFlags::default(),
                description: String::new(),
                disabled_boot_architectures: Vec::new(),
            }),
        );
    }
    let (files, topology, _) = import(&observed, true);
    assert_eq!(topology.planes["older"].subnets.len(), 1);
    assert!(
        files["site.yaml"].contains("- 10.0.0.0/16  # overlaps 10.0.1.0/24"),
        "{files:#?}"
    );
}

#[test]
fn what_a_changed_cidr_left_behind_is_left_alone_with_a_comment() {
    let mut observed = empty();
    let at = VlanAt {
        fabric: "f".to_owned(),
        vid: 0,
    };
    put_vlan(&mut observed, bare(at.clone()));
    let cidr: Cidr = "10.0.1.0/24".parse().unwrap();
    put(
        &mut observed,
        Object::Subnet(Subnet {
            cidr,
            name: "moved".to_owned(),
            vlan: at,
            gateway: Some(ip("10.0.1.1")),
            dns: vec![ip("10.0.1.1")],
            flags: SubnetFlags::default(),
            description: String::new(),
            disabled_boot_architectures: Vec::new(),
        }),
    );
    let range = Range::new(ip("10.0.0.5"), ip("10.0.0.9")).unwrap();
    let stale = IpRange {
        subnet: cidr,
        range,
        kind: RangeKind::Dynamic,
        comment: "PXE".to_owned(),
    };
    put(&mut observed, Object::Range(stale));
    let (files, ..) = import(&observed, true);
    let shown: BTreeMap<&String, Vec<&str>> = files
        .iter()
        .map(|(path, text)| (path, text.lines().collect()))
        .collect();
    insta::assert_debug_snapshot!(shown, @r##"
    {
        "moved.yaml": [
            "# yaml-language-server: $schema=../topology.schema.json",
            "plane: moved",
            "fabric: f",
            "cidr: 10.0.1.0/24",
            "# left alone, because it could not be declared: `10.0.0.5-10.0.0.9` is not inside `10.0.1.0/24`",
            "gateway: leave",
            "dns: [+1]",
            "reserve: leave",
        ],
    }
    "##);
}
