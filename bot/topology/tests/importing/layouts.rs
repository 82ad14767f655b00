//! Reads a layout file as an observed MAAS, as the README of the layouts describes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde_json::Value;
use topology::address::{Cidr, Range};
use topology::object::{
    Fabric, Interface, InterfaceKind, InterfaceSettings, IpRange, Link, Mode, Object, RangeKind,
    ReservedIp, Space, StaticRoute, Subnet, SubnetFlags, Vlan, VlanAt,
};
use topology::observed::{Node, NodeKind, Observed, Seen, Timestamp};
use topology::version::MaasVersion;

/// Where the layouts are.
pub(crate) fn folder() -> PathBuf {
    PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/topologies"
    ))
}

/// Every layout by name.
pub(crate) fn all() -> BTreeMap<String, Value> {
    let mut layouts = BTreeMap::new();
    for folder in [folder(), folder().join("changes")] {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let json = path
                .extension()
                .is_some_and(|extension| extension == "json");
            if json && name != "layout.schema.json" {
                let text = std::fs::read_to_string(path).unwrap();
                layouts.insert(name, serde_json::from_str(&text).unwrap());
            }
        }
    }
    assert!(layouts.len() > 10);
    layouts
}

/// An empty MAAS.
pub(crate) fn empty() -> Observed {
    Observed {
        at: Timestamp(0),
        version: MaasVersion::read("3.7.3"),
        objects: BTreeMap::new(),
        default_vlans: Vec::new(),
        nodes: BTreeMap::new(),
        all_nodes: true,
        occupants: BTreeMap::new(),
        loose_snippets: None,
        elsewhere: None,
        settings: None,
        all_spaces: true,
        blind: Vec::new(),
    }
}

/// Adds an object.
pub(crate) fn put(observed: &mut Observed, object: Object) {
    let id = observed.objects.len() as u64 + 1;
    observed.objects.insert(object.key(), Seen { id, object });
}

/// The layout as MAAS would show it.
pub(crate) fn observed(layout: &Value) -> Observed {
    let mut observed = empty();
    put_controllers(&mut observed, layout);
    for fabric in list(layout, "fabrics") {
        put_fabric(&mut observed, fabric);
    }
    for space in list(layout, "spaces") {
        put(
            &mut observed,
            Object::Space(Space {
                name: space.as_str().unwrap().to_owned(),
            }),
        );
    }
    for (kind, nodes) in [
        (NodeKind::Machine, "machines"),
        (NodeKind::Device, "devices"),
    ] {
        for node in list(layout, nodes) {
            put_node(&mut observed, node, kind);
        }
    }
    observed
}

fn list<'v>(value: &'v Value, key: &str) -> impl Iterator<Item = &'v Value> {
    value
        .get(key)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

fn text(value: &Value, key: &str) -> Option<String> {
    value.get(key).and_then(Value::as_str).map(str::to_owned)
}

fn flag(value: &Value, key: &str, usual: bool) -> bool {
    value.get(key).and_then(Value::as_bool).unwrap_or(usual)
}

fn number(value: &Value, key: &str, usual: u32) -> u32 {
    value
        .get(key)
        .and_then(Value::as_u64)
        .map_or(usual, |n| u32::try_from(n).unwrap())
}

fn put_controllers(observed: &mut Observed, layout: &Value) {
    let named: Vec<String> = list(layout, "controllers")
        .filter_map(|c| text(c, "hostname"))
        .collect();
    let racks = list(layout, "fabrics")
        .flat_map(|fabric| list(fabric, "vlans"))
        .flat_map(|vlan| [text(vlan, "primary_rack"), text(vlan, "secondary_rack")])
        .flatten();
    let all: BTreeSet<String> = named
        .into_iter()
        .chain(racks)
        .chain(["rack".to_owned()])
        .collect();
    for host in all {
        let node = Node {
            locked: false,
            system_id: format!("id-{host}"),
            host: host.clone(),
            kind: NodeKind::Controller,
            is_rack: true,
            status: "Controller".to_owned(),
            boot: None,
        };
        observed.nodes.insert(host, node);
    }
}

fn put_fabric(observed: &mut Observed, fabric: &Value) {
    let name = text(fabric, "name").unwrap();
    put(observed, Object::Fabric(Fabric { name: name.clone() }));
    let untagged = VlanAt {
        fabric: name.clone(),
        vid: 0,
    };
    let mtu = number(fabric, "mtu", 1500);
    observed.default_vlans.push(untagged.clone());
    put(observed, Object::Vlan(bare(untagged, mtu)));
    for vlan in list(fabric, "vlans") {
        let at = VlanAt {
            fabric: name.clone(),
            vid: u16::try_from(number(vlan, "vid", 0)).unwrap(),
        };
        put_vlan(observed, vlan, at.clone(), mtu);
        for subnet in list(vlan, "subnets") {
            put_subnet(observed, subnet, &at);
        }
    }
}

fn bare(at: VlanAt, mtu: u32) -> Vlan {
    Vlan {
        at,
        name: None,
        mtu,
        space: None,
        dhcp_on: false,
        primary_rack: None,
        secondary_rack: None,
        relay: None,
    }
}

fn put_vlan(observed: &mut Observed, vlan: &Value, at: VlanAt, mtu: u32) {
    let dhcp_on = flag(vlan, "dhcp", false);
    let rack = |key: &str| text(vlan, key).map(|host| format!("id-{host}"));
    let space = text(vlan, "space");
    if let Some(name) = space.clone() {
        put(observed, Object::Space(Space { name }));
    }
    let relay = vlan.get("relay").filter(|_| !dhcp_on).map(|relay| VlanAt {
        fabric: text(relay, "fabric").unwrap(),
        vid: u16::try_from(number(relay, "vid", 0)).unwrap(),
    });
    let row = Vlan {
        name: text(vlan, "name").filter(|_| at.vid != 0),
        mtu: number(vlan, "mtu", mtu),
        space,
        dhcp_on,
        primary_rack: rack("primary_rack").or_else(|| dhcp_on.then(|| "id-rack".to_owned())),
        secondary_rack: rack("secondary_rack"),
        relay,
        at,
    };
    put(observed, Object::Vlan(row));
}

fn put_subnet(observed: &mut Observed, subnet: &Value, at: &VlanAt) {
    let cidr: Cidr = text(subnet, "cidr").unwrap().parse().unwrap();
    let ip = |value: &Value, key: &str| text(value, key).map(|ip| ip.parse().unwrap());
    let mut arches: Vec<String> = list(subnet, "disabled_boot_architectures")
        .filter_map(|arch| arch.as_str().map(str::to_owned))
        .collect();
    arches.sort();
    put(
        observed,
        Object::Subnet(Subnet {
            cidr,
            name: text(subnet, "name").unwrap_or_else(|| cidr.to_string()),
            vlan: at.clone(),
            gateway: ip(subnet, "gateway"),
            dns: list(subnet, "dns")
                .map(|ip| ip.as_str().unwrap().parse().unwrap())
                .collect(),
            flags: SubnetFlags {
                managed: flag(subnet, "managed", true),
                allow_dns: flag(subnet, "allow_dns", true),
                allow_proxy: flag(subnet, "allow_proxy", true),
                active_discovery: flag(subnet, "active_discovery", false),
                rdns_mode: u8::try_from(number(subnet, "rdns_mode", 2)).unwrap(),
            },
            description: text(subnet, "description").unwrap_or_default(),
            disabled_boot_architectures: arches,
        }),
    );
    for range in list(subnet, "ranges") {
        put(
            observed,
            Object::Range(IpRange {
                subnet: cidr,
                range: Range::new(ip(range, "start").unwrap(), ip(range, "end").unwrap()).unwrap(),
                kind: if text(range, "type").unwrap() == "dynamic" {
                    RangeKind::Dynamic
                } else {
                    RangeKind::Reserved
                },
                comment: text(range, "comment").unwrap_or_default(),
            }),
        );
    }
    for route in list(subnet, "routes") {
        put(
            observed,
            Object::Route(StaticRoute {
                source: cidr,
                destination: text(route, "destination").unwrap().parse().unwrap(),
                gateway: ip(route, "gateway").unwrap(),
                metric: number(route, "metric", 0),
            }),
        );
    }
    for reserved in list(subnet, "reserved_ips") {
        put(
            observed,
            Object::ReservedIp(ReservedIp {
                ip: ip(reserved, "ip").unwrap(),
                mac: text(reserved, "mac").unwrap(),
                subnet: cidr,
                comment: text(reserved, "comment").unwrap_or_default(),
            }),
        );
    }
}

fn put_node(observed: &mut Observed, node: &Value, kind: NodeKind) {
    let host = text(node, "hostname").unwrap();
    let status = text(node, "status").unwrap_or_else(|| "Ready".to_owned());
    let row = Node {
        locked: false,
        system_id: format!("id-{host}"),
        host: host.clone(),
        kind,
        is_rack: false,
        status,
        boot: None,
    };
    observed.nodes.insert(host.clone(), row);
    let mut vlans: BTreeMap<String, VlanAt> = BTreeMap::new();
    for interface in list(node, "interfaces") {
        let name = text(interface, "name").unwrap();
        let parents: BTreeSet<String> = list(interface, "parents")
            .filter_map(|p| p.as_str().map(str::to_owned))
            .collect();
        let linked = list(interface, "links")
            .filter_map(|link| text(link, "subnet"))
            .find_map(|cidr| {
                observed
                    .subnet(&cidr.parse().unwrap())
                    .map(|s| s.vlan.clone())
            });
        let fabric =
            text(interface, "fabric").or_else(|| linked.as_ref().map(|at| at.fabric.clone()));
        let vid = interface
            .get("vlan")
            .map(|_| u16::try_from(number(interface, "vlan", 0)).unwrap());
        let codes_of = fabric.zip(vid).map(|(fabric, vid)| VlanAt { fabric, vid });
        let parent = parents.iter().find_map(|parent| vlans.get(parent).cloned());
        let vlan = codes_of.or(linked).or(parent);
        if let Some(at) = vlan.clone() {
            vlans.insert(name.clone(), at);
        }
        put(
            observed,
            Object::Interface(Interface {
                settings: InterfaceSettings::default(),
                host: host.clone(),
                name: name.clone(),
                kind: kind_of(text(interface, "type").as_deref()),
                parents,
                vlan,
            }),
        );
        put_links(observed, interface, &host, &name);
    }
}

fn kind_of(word: Option<&str>) -> InterfaceKind {
    match word {
        None | Some("physical") => InterfaceKind::Physical,
        Some("bond") => InterfaceKind::Bond,
        Some("bridge") => InterfaceKind::Bridge,
        Some("vlan") => InterfaceKind::Vlan,
        Some(_) => InterfaceKind::Unknown,
    }
}

fn put_links(observed: &mut Observed, interface: &Value, host: &str, name: &str) {
    for link in list(interface, "links") {
        let Some(subnet) = text(link, "subnet").map(|cidr| cidr.parse().unwrap()) else {
            continue;
        };
        if observed.subnet(&subnet).is_none() {
            continue;
        }
        let mode = match text(link, "mode").unwrap().as_str() {
            "AUTO" => Mode::Auto,
            "DHCP" => Mode::Dhcp,
            "LINK_UP" => Mode::LinkUp,
            _ => Mode::Static(text(link, "ip").unwrap().parse().unwrap()),
        };
        put(
            observed,
            Object::Link(Link {
                default_gateway: false,
                host: host.to_owned(),
                interface: name.to_owned(),
                subnet,
                mode,
            }),
        );
    }
}
