//! An observation as a layout, so that the lab's MAAS can be loaded with what a real one holds now.
//!
//! It is the JSON that the lab loads, with two additions: nodes have the `system_id` that MAAS gave them, because VLANs
//! refer to their racks by it and a rehearsed plan must find the same ids; and a fabric's default VLAN is marked when its
//! VID is not 0. Loading it and observing again gives an equal observation except for row numbers and time; what the format
//! cannot express is listed in [`ObservedLayout::omitted`]. It must not know plans.

mod nodes;
mod snippets;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde_json::{Map, Value, json};
use topology::Cidr;
use topology::object::{Interface, Link, Object, RangeKind, Subnet, Vlan, VlanAt};
use topology::observed::{Holder, NodeKind, Observed};

/// A layout, and what it omits.
#[derive(Clone, Debug)]
pub struct ObservedLayout {
    /// For the lab's loader.
    pub json: Value,
    /// What the format cannot express, one line each, for people.
    pub omitted: Vec<String>,
}

/// `observed` as a layout.
pub fn layout(observed: &Observed) -> ObservedLayout {
    let mut builder = LayoutBuilder::new(observed);
    let fabrics = builder.fabrics();
    let (nodes, unobserved) = (builder.nodes(), builder.unobserved_nodes());
    let bare = |kind| {
        let read = nodes.iter().filter(|(node, _)| *node == kind);
        let unobserved = unobserved.iter().filter(|(node, _)| *node == kind);
        read.chain(unobserved)
            .map(|(_, json)| json.clone())
            .collect::<Vec<Value>>()
    };
    let json = json!({
        "version": observed.version.to_string(),
        "fabrics": fabrics,
        "spaces": builder.loose_spaces(),
        "machines": bare(NodeKind::Machine),
        "devices": bare(NodeKind::Device),
        "controllers": bare(NodeKind::Controller),
        "dns_records": builder.dns_records(),
        "users": builder.users(),
        "snippets": builder.loose_snippets(),
    });
    ObservedLayout {
        json,
        omitted: builder.omitted,
    }
}

struct LayoutBuilder<'a> {
    observed: &'a Observed,
    hosts: BTreeMap<&'a str, &'a str>,
    interfaces: BTreeMap<&'a str, Vec<&'a Interface>>,
    links: BTreeMap<(&'a str, &'a str), Vec<&'a Link>>,
    /// Addresses of baseboard controllers, by the host name of their machine.
    bmcs: BTreeMap<&'a str, IpAddr>,
    omitted: Vec<String>,
}

impl<'a> LayoutBuilder<'a> {
    fn new(observed: &'a Observed) -> Self {
        let mut builder = Self {
            observed,
            hosts: BTreeMap::new(),
            interfaces: BTreeMap::new(),
            links: BTreeMap::new(),
            bmcs: BTreeMap::new(),
            omitted: Vec::new(),
        };
        for node in observed.nodes.values() {
            builder.hosts.insert(&node.system_id, &node.host);
        }
        for interface in observed.all().filter_map(Object::as_interface) {
            builder
                .interfaces
                .entry(&interface.host)
                .or_default()
                .push(interface);
        }
        for link in observed.links() {
            let place = (link.host.as_str(), link.interface.as_str());
            builder.links.entry(place).or_default().push(link);
        }
        for occupant in observed.occupants.values().flatten() {
            if let (Some(ip), Holder::Bmc { host }) = (occupant.ip, &occupant.holder) {
                builder.bmcs.insert(host, ip);
            }
        }
        builder
    }

    fn fabrics(&mut self) -> Vec<Value> {
        let mut names: Vec<(u64, &str)> = Vec::new();
        for seen in self.observed.objects.values() {
            if let Object::Fabric(fabric) = &seen.object {
                names.push((seen.id, &fabric.name));
            }
        }
        // In MAAS's order, so that equal observations give equal layouts.
        names.sort_unstable();
        names
            .into_iter()
            .map(|(_, name)| json!({"name": name, "vlans": self.vlans(name)}))
            .collect()
    }

    fn vlans(&mut self, fabric: &str) -> Vec<Value> {
        let is_default = |at: &VlanAt| self.observed.default_vlans.contains(at);
        let mut vlans: Vec<&'a Vlan> = self
            .observed
            .vlans()
            .filter(|vlan| vlan.at.fabric == fabric)
            .collect();
        // The first row becomes the fabric's default.
        vlans.sort_by_key(|vlan| (!is_default(&vlan.at), vlan.at.vid));
        vlans.into_iter().map(|vlan| self.vlan(vlan)).collect()
    }

    fn vlan(&mut self, vlan: &'a Vlan) -> Value {
        let subnets: Vec<&'a Subnet> = self
            .observed
            .subnets()
            .filter(|subnet| subnet.vlan == vlan.at)
            .collect();
        let subnets: Vec<Value> = subnets
            .into_iter()
            .map(|subnet| self.subnet(subnet))
            .collect();
        let mut json = json!({
            "vid": vlan.at.vid,
            "mtu": vlan.mtu,
            "dhcp": vlan.dhcp_on,
            "subnets": subnets,
        });
        let object = object_of(&mut json);
        if vlan.at.vid != 0 && self.observed.default_vlans.contains(&vlan.at) {
            object.insert("default".to_owned(), Value::Bool(true));
        }
        put(object, "name", vlan.name.as_ref());
        put(object, "space", vlan.space.as_ref());
        if let Some(relay) = &vlan.relay {
            object.insert(
                "relay".to_owned(),
                json!({"fabric": relay.fabric, "vid": relay.vid}),
            );
        }
        if vlan.dhcp_on && vlan.primary_rack.is_none() {
            self.omitted.push(format!(
                "VLAN {}: DHCP without a rack; the lab gives it one",
                vlan.at
            ));
        }
        for (name, rack) in [
            ("primary_rack", &vlan.primary_rack),
            ("secondary_rack", &vlan.secondary_rack),
        ] {
            let Some(rack) = rack else { continue };
            match self.hosts.get(rack.as_str()) {
                Some(host) => put(object, name, Some(host)),
                None => self.omitted.push(format!(
                    "VLAN {}: its rack `{rack}` was not observed",
                    vlan.at
                )),
            }
        }
        json
    }

    fn subnet(&mut self, subnet: &Subnet) -> Value {
        let mut json = json!({
            "cidr": subnet.cidr,
            "name": subnet.name,
            "dns": subnet.dns,
            "description": subnet.description,
            "managed": subnet.flags.managed,
            "allow_dns": subnet.flags.allow_dns,
            "allow_proxy": subnet.flags.allow_proxy,
            "active_discovery": subnet.flags.active_discovery,
            "rdns_mode": subnet.flags.rdns_mode,
            "disabled_boot_architectures": subnet.disabled_boot_architectures,
            "ranges": self.ranges(subnet.cidr),
            "routes": self.routes(subnet.cidr),
            "reserved_ips": self.reserved_ips(subnet.cidr),
            "snippets": self.snippets(subnet.cidr),
            "addresses": self.addresses(subnet.cidr),
        });
        put(object_of(&mut json), "gateway", subnet.gateway);
        json
    }

    fn ranges(&mut self, cidr: Cidr) -> Vec<Value> {
        let mut ranges = Vec::new();
        for range in self.observed.ranges_of(cidr) {
            if !range.range.within(&cidr) {
                self.omitted.push(format!(
                    "range {} lies outside its subnet {cidr}",
                    range.range
                ));
                continue;
            }
            let kind = match range.kind {
                RangeKind::Reserved => "reserved",
                RangeKind::Dynamic => "dynamic",
            };
            ranges.push(json!({
                "type": kind,
                "start": range.range.start(),
                "end": range.range.end(),
                "comment": range.comment,
            }));
        }
        ranges
    }

    fn routes(&self, source: Cidr) -> Vec<Value> {
        let routes = self
            .observed
            .routes()
            .filter(|route| route.source == source);
        routes
            .map(|route| {
                json!({"destination": route.destination, "gateway": route.gateway, "metric": route.metric})
            })
            .collect()
    }

    fn reserved_ips(&self, cidr: Cidr) -> Vec<Value> {
        let reserved = self.observed.all().filter_map(Object::as_reserved_ip);
        reserved
            .filter(|it| it.subnet == cidr)
            .map(|it| json!({"ip": it.ip, "mac": it.mac, "comment": it.comment}))
            .collect()
    }

    /// Addresses without an interface and a DNS name.
    fn addresses(&mut self, cidr: Cidr) -> Vec<Value> {
        let mut addresses = Vec::new();
        for occupant in self.observed.occupants.get(&cidr).into_iter().flatten() {
            let Some(ip) = occupant.ip else { continue };
            match &occupant.holder {
                Holder::User { user } => {
                    addresses.push(json!({"ip": ip, "kind": "user-reserved", "owner": user}));
                }
                Holder::Passing => addresses.push(json!({"ip": ip, "kind": "discovered"})),
                Holder::Unknown(words) => self.omitted.push(format!("{ip}: {words}")),
                Holder::Node { .. } | Holder::Bmc { .. } | Holder::Dns { .. } => {}
            }
        }
        addresses
    }

    fn loose_spaces(&self) -> Vec<&'a str> {
        let spaces = self.observed.all().filter_map(|object| {
            if let Object::Space(space) = object {
                Some(space.name.as_str())
            } else {
                None
            }
        });
        spaces.collect()
    }

    /// Owners of addresses other than the lab's own administrator.
    fn users(&self) -> Vec<Value> {
        let holders = self
            .observed
            .occupants
            .values()
            .flatten()
            .map(|it| &it.holder);
        let users: BTreeSet<&str> = holders
            .filter_map(|holder| {
                if let Holder::User { user } = holder {
                    Some(user.as_str())
                } else {
                    None
                }
            })
            .filter(|user| !matches!(*user, "" | "admin"))
            .collect();
        users
            .into_iter()
            .map(|name| json!({"name": name}))
            .collect()
    }

    fn dns_records(&self) -> Vec<Value> {
        let mut records = Vec::new();
        for occupant in self.observed.occupants.values().flatten() {
            let (Some(ip), Holder::Dns { names }) = (occupant.ip, &occupant.holder) else {
                continue;
            };
            let kind = if ip.is_ipv4() { "A" } else { "AAAA" };
            for name in names {
                // The lab has only MAAS's default domain, and appends it.
                let name = name.strip_suffix(".maas").unwrap_or(name);
                records.push(json!({"name": name, "type": kind, "data": ip}));
            }
        }
        records
    }
}

fn object_of(json: &mut Value) -> &mut Map<String, Value> {
    json.as_object_mut()
        .expect("created as an object by the caller")
}

fn put<T: serde::Serialize>(object: &mut Map<String, Value>, name: &str, value: Option<T>) {
    if let Some(value) = value {
        object.insert(name.to_owned(), json!(value));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::{Arc, Mutex};

    use lab::maas::LabMaas;
    use maas::{Environment, MaasClient};
    use topology::observed::{Scope, Timestamp};

    use super::*;
    use crate::rehearse::in_memory::InMemoryMaas;

    /// A clock that stands still, no sleeps, and a new nonce each time, because MAAS refuses repeated ones.
    fn unique_nonces() -> Environment {
        let count = AtomicU64::new(0);
        Environment {
            now: Arc::new(|| Timestamp(1_000)),
            nonce: Arc::new(move || format!("nonce{}", count.fetch_add(1, Ordering::SeqCst))),
            sleep: Arc::new(|_| Box::pin(async {})),
        }
    }

    const OFFICE: &str = r#"{
      "fabrics": [
        {"name": "blue", "vlans": [
          {"vid": 0, "space": "office", "dhcp": true, "primary_rack": "rack1", "subnets": [
            {"cidr": "192.0.2.0/24", "name": "desks", "gateway": "192.0.2.1", "dns": ["198.51.100.9", "192.0.2.2"],
             "description": "for <people>", "allow_proxy": false, "active_discovery": true, "rdns_mode": 0,
             "ranges": [{"type": "dynamic", "start": "192.0.2.100", "end": "192.0.2.199", "comment": "pxe"},
                        {"type": "reserved", "start": "192.0.2.3", "end": "192.0.2.9"}],
             "routes": [{"destination": "198.51.100.0/24", "gateway": "192.0.2.3", "metric": 7}],
             "reserved_ips": [{"ip": "192.0.2.50", "mac": "52:54:00:00:00:aa", "comment": "printer"}],
             "snippets": [{"name": "boot", "value": "next-server 192.0.2.9;", "description": "by bob", "enabled": false}],
             "addresses": [{"ip": "192.0.2.60", "kind": "user-reserved", "owner": "bob"},
                           {"ip": "192.0.2.61", "kind": "discovered"}]}]},
          {"vid": 12, "name": "twelve", "mtu": 9000, "subnets": [
            {"cidr": "2001:db8:12::/64", "gateway": "fe80::1", "managed": false,
             "disabled_boot_architectures": ["pxe", "uefi_amd64_tftp"]}]}]},
        {"name": "odd", "vlans": [{"vid": 77, "default": true, "subnets": [{"cidr": "203.0.113.0/25"}]}, {"vid": 0, "mtu": 1400}]},
        {"name": "fabric-9", "vlans": [
          {"vid": 0, "relay": {"fabric": "blue", "vid": 0}, "primary_rack": "rack1", "subnets": [{"cidr": "198.51.100.0/24"}]}]}],
      "spaces": ["attic"],
      "users": [{"name": "bob"}],
      "snippets": [{"name": "all", "value": "max-lease-time 60;"}, {"name": "one", "value": "", "node": "m1"}],
      "dns_records": [{"name": "wiki", "type": "A", "data": "192.0.2.70"}],
      "controllers": [{"hostname": "rack1", "kind": "region+rack", "interfaces": [
        {"name": "br0", "type": "bridge", "fabric": "blue", "vlan": 0, "links": [{"subnet": "192.0.2.0/24", "mode": "STATIC", "ip": "192.0.2.4"}]}]}],
      "machines": [
        {"hostname": "m1", "status": "Deployed", "bmc": {"type": "ipmi", "address": "198.51.100.21"}, "interfaces": [
          {"name": "eth1", "fabric": "blue", "vlan": 0}, {"name": "eth0", "fabric": "blue", "vlan": 0},
          {"name": "bond0", "type": "bond", "parents": ["eth0", "eth1"], "links": [{"subnet": "192.0.2.0/24", "mode": "AUTO", "ip": "192.0.2.80"}]},
          {"name": "bond0.12", "type": "vlan", "parents": ["bond0"], "vlan": 12, "links": [{"subnet": "2001:db8:12::/64", "mode": "STATIC", "ip": "2001:db8:12::9"}]}]},
        {"hostname": "m2", "interfaces": [
          {"name": "eth0", "links": [{"subnet": "192.0.2.0/24", "mode": "AUTO"}, {"subnet": "192.0.2.0/24", "mode": "STATIC", "ip": "192.0.2.81"}]},
          {"name": "eth1", "links": [{"subnet": "198.51.100.0/24", "mode": "DHCP"}]}, {"name": "eth2"}]}],
      "devices": [{"hostname": "switch1", "interfaces": [{"name": "p0", "links": [{"subnet": "198.51.100.0/24", "mode": "STATIC", "ip": "198.51.100.31"}]}]}]
    }"#;

    async fn observed(text: &str, version: &str, scope: &Scope) -> Observed {
        let maas = LabMaas::load(text, Some(version)).unwrap();
        let transport = InMemoryMaas::new(Arc::new(Mutex::new(maas)), unique_nonces());
        let client = MaasClient::new(transport, unique_nonces());
        let mut seen = client.reader().observe(scope).await.unwrap();
        for row in seen.objects.values_mut() {
            row.id = 0;
        }
        seen.at = Timestamp(0);
        seen
    }

    fn everything() -> Scope {
        Scope {
            occupants: ["192.0.2.0/24", "198.51.100.0/24", "2001:db8:12::/64"]
                .map(|cidr| cidr.parse().unwrap())
                .to_vec(),
            all_nodes: true,
            machines: Vec::new(),
            all_spaces: true,
            snippets: true,
            ..Scope::default()
        }
    }

    #[tokio::test]
    async fn a_maas_loaded_from_an_observation_is_observed_the_same() {
        for version in ["2.9.2", "3.5.12", "3.7.3"] {
            let first = observed(OFFICE, version, &everything()).await;
            assert_eq!(first.blind, []);
            let layout = layout(&first);
            assert_eq!(layout.omitted, Vec::<String>::new());
            let again = observed(&layout.json.to_string(), version, &everything()).await;
            assert_eq!(first, again, "{version}");
        }
    }

    #[tokio::test]
    async fn dhcp_snippets_are_the_same_in_the_loaded_maas() {
        for version in ["2.9.2", "3.7.3"] {
            let first = observed(OFFICE, version, &everything()).await;
            let again = layout(&first).json.to_string();
            let again = observed(&again, version, &everything()).await;
            assert_eq!(first.snippets().count(), 1);
            assert!(first.snippets().eq(again.snippets()));
            assert_eq!(first.loose_snippets.as_ref().map(Vec::len), Some(2));
            assert_eq!(first.loose_snippets, again.loose_snippets);
        }
    }

    #[tokio::test]
    async fn every_kept_layout_is_the_same_after_being_observed_and_loaded() {
        let kept = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/topologies");
        let mut tried = 0;
        for folder in [kept.to_owned(), format!("{kept}/changes")] {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                if path.extension().is_none_or(|end| end != "json") || name.contains(".schema.") {
                    continue;
                }
                let text = std::fs::read_to_string(&path).unwrap();
                // The one that is large on purpose tests nothing new here and takes most of the time.
                if text.len() > 250_000 {
                    continue;
                }
                let bare = observed(&text, "3.7.3", &Scope::default()).await;
                let scope = Scope {
                    occupants: bare.subnets().map(|subnet| subnet.cidr).collect(),
                    ..everything()
                };
                let first = observed(&text, "3.7.3", &scope).await;
                let again = layout(&first).json.to_string();
                assert_eq!(first, observed(&again, "3.7.3", &scope).await, "{name}");
                tried += 1;
            }
        }
        assert!(tried > 10, "{tried}");
    }

    #[tokio::test]
    async fn a_node_that_was_not_observed_is_built_from_its_addresses() {
        let scope = Scope {
            all_nodes: false,
            all_spaces: false,
            ..everything()
        };
        let first = observed(OFFICE, "3.5.12", &scope).await;
        let again = observed(&layout(&first).json.to_string(), "3.5.12", &scope).await;
        assert_eq!(first, again);
    }

    #[tokio::test]
    async fn what_the_format_cannot_express_is_listed() {
        let mut observed = observed(OFFICE, "3.5.12", &everything()).await;
        observed.nodes.clear();
        let omitted = layout(&observed).omitted.join("\n");
        assert!(omitted.contains("its rack"), "{omitted}");
    }
}
