//! Nodes of an observation, as a layout has them. Must not know which of them a plan changes.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::{Map, Value, json};
use topology::object::{Interface, InterfaceKind, InterfaceParam, Link, Mode, ParamValues};
use topology::observed::{Holder, Node, NodeKind};

use crate::rehearse::layout::{LayoutBuilder, object_of, put};

impl<'a> LayoutBuilder<'a> {
    /// The observed nodes.
    pub(super) fn nodes(&self) -> Vec<(NodeKind, Value)> {
        let nodes = self.observed.nodes.values();
        nodes.map(|node| (node.kind, self.node(node))).collect()
    }

    fn node(&self, node: &Node) -> Value {
        let own = self.interfaces.get(node.host.as_str());
        let mut own = own.cloned().unwrap_or_default();
        // The lab boots a machine from the first physical interface of its layout.
        own.sort_by_key(|interface| node.boot.as_ref() != Some(&interface.name));
        let interfaces: Vec<Value> = parents_first(own)
            .into_iter()
            .map(|interface| self.interface(interface))
            .collect();
        let mut json = json!({
            "hostname": node.host,
            "system_id": node.system_id,
            "interfaces": interfaces,
        });
        let object = object_of(&mut json);
        match node.kind {
            NodeKind::Machine => put(object, "status", Some(&node.status)),
            NodeKind::Controller if !node.is_rack => put(object, "kind", Some("region")),
            NodeKind::Controller | NodeKind::Device => {}
        }
        // The power type is not read, because power parameters hold passwords. Any type keeps its subnet.
        let bmc = self.bmcs.get(node.host.as_str());
        put(
            object,
            "bmc",
            bmc.map(|ip| json!({"type": "ipmi", "address": ip})),
        );
        json
    }

    fn interface(&self, interface: &'a Interface) -> Value {
        let siblings = self.links_of(interface);
        let links: Vec<Value> = siblings
            .iter()
            .map(|link| self.link(link, siblings))
            .collect();
        let kind = match interface.kind {
            InterfaceKind::Physical => "physical",
            InterfaceKind::Bond => "bond",
            InterfaceKind::Bridge => "bridge",
            InterfaceKind::Vlan => "vlan",
            InterfaceKind::Unknown => "unknown",
        };
        let mut json = json!({
            "name": interface.name,
            "type": kind,
            "parents": interface.parents,
            "links": links,
        });
        let object = object_of(&mut json);
        put_settings(object, interface);
        if let Some(at) = &interface.vlan {
            put(object, "fabric", Some(&at.fabric));
            put(object, "vlan", Some(at.vid));
        }
        json
    }

    fn link(&self, link: &Link, siblings: &[&Link]) -> Value {
        let (mode, ip) = match link.mode {
            Mode::Auto => ("AUTO", self.allocated(link, siblings)),
            Mode::Static(ip) => ("STATIC", Some(ip)),
            Mode::Dhcp => ("DHCP", self.allocated(link, siblings)),
            Mode::LinkUp => ("LINK_UP", None),
        };
        let mut json = json!({"subnet": link.subnet, "mode": mode});
        put(object_of(&mut json), "ip", ip);
        if link.default_gateway {
            put(object_of(&mut json), "default_gateway", Some(true));
        }
        json
    }

    /// The address that MAAS allocated to a link without one of its own: an address of its interface that no static link
    /// has.
    fn allocated(&self, link: &Link, siblings: &[&Link]) -> Option<IpAddr> {
        let held = self.observed.occupants.get(&link.subnet)?.iter();
        let here = |holder: &Holder| {
            matches!(holder, Holder::Node { host, interface, .. }
                if *host == link.host && interface.as_ref() == Some(&link.interface))
        };
        let claimed = |ip| siblings.iter().any(|other| other.mode == Mode::Static(ip));
        held.filter(|it| here(&it.holder))
            .filter_map(|it| it.ip)
            .find(|ip| !claimed(*ip))
    }

    /// Machines and devices that were not observed but hold addresses on the observed subnets: as much of them as those
    /// addresses show.
    pub(super) fn unobserved_nodes(&self) -> Vec<(NodeKind, Value)> {
        let mut unobserved: BTreeMap<(&str, bool), UnobservedNode> = BTreeMap::new();
        for (cidr, occupants) in &self.observed.occupants {
            for occupant in occupants {
                let (host, device) = match &occupant.holder {
                    Holder::Node { host, kind, .. } => (host, *kind == NodeKind::Device),
                    Holder::Bmc { host } => (host, false),
                    Holder::Dns { .. }
                    | Holder::User { .. }
                    | Holder::Passing
                    | Holder::Unknown(_) => continue,
                };
                if self.observed.nodes.contains_key(host) {
                    continue;
                }
                let node = unobserved.entry((host, device)).or_default();
                match (&occupant.holder, occupant.ip) {
                    (Holder::Node { interface, .. }, Some(ip)) => {
                        let name = interface.as_deref().unwrap_or("eth0");
                        let links = node.interfaces.entry(name.to_owned()).or_default();
                        links.push(json!({"subnet": cidr, "mode": "STATIC", "ip": ip}));
                    }
                    (Holder::Bmc { .. }, ip) => node.bmc = ip,
                    (
                        Holder::Node { .. }
                        | Holder::Dns { .. }
                        | Holder::User { .. }
                        | Holder::Passing
                        | Holder::Unknown(_),
                        _,
                    ) => {}
                }
            }
        }
        let nodes = unobserved.into_iter().map(|((host, device), node)| {
            let kind = if device {
                NodeKind::Device
            } else {
                NodeKind::Machine
            };
            (kind, node.into_json(host))
        });
        nodes.collect()
    }

    fn links_of(&self, interface: &'a Interface) -> &[&'a Link] {
        let place = (interface.host.as_str(), interface.name.as_str());
        self.links.get(&place).map_or(&[], Vec::as_slice)
    }
}

fn put_settings(object: &mut Map<String, Value>, interface: &Interface) {
    let settings = &interface.settings;
    put(object, "mtu", settings.mtu);
    put(object, "enabled", Some(!settings.disabled));
    put(object, "tags", Some(&settings.tags));
    let params: Map<String, Value> = InterfaceParam::all()
        .filter(|param| param.kind() == interface.kind)
        .map(|param| {
            let text = settings.param(param);
            let value = match param.values() {
                ParamValues::OneOf(_) => json!(text),
                ParamValues::Number { .. } => json!(text.parse::<u64>().unwrap_or_default()),
                ParamValues::Flag => json!(text == "true"),
            };
            (param.word().to_owned(), value)
        })
        .collect();
    put(object, "params", Some(params));
}

/// What its addresses show of a node that was not observed.
#[derive(Default)]
struct UnobservedNode {
    interfaces: BTreeMap<String, Vec<Value>>,
    bmc: Option<IpAddr>,
}

impl UnobservedNode {
    fn into_json(self, host: &str) -> Value {
        let interfaces = self.interfaces.into_iter();
        let interfaces: Vec<Value> = interfaces
            .map(|(name, links)| json!({"name": name, "links": links}))
            .collect();
        // In the state Deployed nothing may be taken from a machine.
        let mut json = json!({"hostname": host, "status": "Deployed", "interfaces": interfaces});
        let bmc = self.bmc.map(|ip| json!({"type": "ipmi", "address": ip}));
        put(object_of(&mut json), "bmc", bmc);
        json
    }
}

/// Interfaces ordered so that each comes after its parents.
fn parents_first(mut waiting: Vec<&Interface>) -> Vec<&Interface> {
    let mut placed: Vec<&Interface> = Vec::new();
    loop {
        let (ready, rest): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|interface| {
            let known = |parent: &String| placed.iter().any(|it| it.name == *parent);
            interface.parents.iter().all(known)
        });
        if ready.is_empty() {
            // A parent is missing or its own ancestor. The loader's error names the place.
            placed.extend(rest);
            return placed;
        }
        placed.extend(ready);
        waiting = rest;
    }
}
