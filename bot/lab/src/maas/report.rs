//! What a controller's report of its own interfaces does to the network: it makes subnets, moves interfaces, and drags
//! planes along (3.5.9 `metadataserver/builtin_scripts/network.py`; each case seen on 3.5.12 and 3.7.3).

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;

use super::store::{
    AllocType, LabMaas, NodeType, StoredAddress, StoredInterface, StoredSubnet, StoredVlan,
};

/// One interface as a controller reports it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReportedInterface {
    /// Its name on the host.
    pub name: String,
    /// `physical`, `bridge`, `bond` or `vlan`; "" is physical.
    pub kind: String,
    /// Its MAC.
    pub mac: String,
    /// The interfaces under it, by name; they come before it.
    pub parents: Vec<String>,
    /// The tag of a VLAN interface.
    pub vid: Option<u16>,
    /// Its addresses with their prefixes.
    pub addresses: Vec<IpNet>,
    /// The gateway of the network that it is in.
    pub gateway: Option<IpAddr>,
}

/// MAAS refused a report, and kept nothing of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ReportRefused(String);

impl LabMaas {
    /// Takes a controller's report in. Interfaces that it does not name are gone.
    pub fn report(
        &mut self,
        hostname: &str,
        said: &[ReportedInterface],
    ) -> Result<(), ReportRefused> {
        let node = self
            .node_by_host(hostname)
            .map(|node| node.system_id.clone());
        let node = node.ok_or_else(|| ReportRefused(format!("no controller {hostname}")))?;
        let mut after = self.clone();
        let stale: Vec<u64> = after
            .interfaces_of(&node)
            .filter(|row| said.iter().all(|one| one.name != row.name))
            .map(|row| row.id)
            .collect();
        for id in stale {
            if after.interfaces.contains_key(&id) {
                after.drop_interface(id);
            }
        }
        for one in said {
            let id = after.reported_row(&node, one);
            after.follow_networks(id, one);
            after.take_addresses_over(id, one)?;
            after.settle_vlan(id);
        }
        *self = after;
        Ok(())
    }

    /// What each controller reports while nothing changes on its host: its interfaces and addresses, as its rows have them.
    pub fn controllers_say(&self) -> BTreeMap<String, Vec<ReportedInterface>> {
        self.nodes
            .values()
            .filter(|node| {
                matches!(
                    node.kind,
                    NodeType::Rack | NodeType::Region | NodeType::RegionRack
                )
            })
            .map(|node| {
                let rows = self.interfaces_of(&node.system_id);
                let said = rows.map(|row| self.as_reported(row)).collect();
                (node.hostname.clone(), said)
            })
            .collect()
    }

    fn as_reported(&self, row: &StoredInterface) -> ReportedInterface {
        let addresses = self.links_of(row.id).filter_map(|link| {
            let net = self.subnets.get(&link.subnet?)?.cidr;
            IpNet::new(link.ip?, net.prefix_len()).ok()
        });
        let parents = row.parents.iter().filter_map(|id| self.interfaces.get(id));
        let vlan = row.vlan.and_then(|id| self.vlans.get(&id));
        ReportedInterface {
            name: row.name.clone(),
            kind: row.kind.clone(),
            mac: row.mac.clone(),
            parents: parents.map(|parent| parent.name.clone()).collect(),
            vid: vlan.filter(|_| row.kind == "vlan").map(|vlan| vlan.vid),
            addresses: addresses.collect(),
            gateway: None,
        }
    }

    fn reported_row(&mut self, node: &str, one: &ReportedInterface) -> u64 {
        let known = self.interfaces_of(node).find(|row| row.name == one.name);
        if let Some(known) = known.map(|row| row.id) {
            if let Some(row) = self.interfaces.get_mut(&known) {
                row.mac = one.mac.to_lowercase();
            }
            return known;
        }
        let parents: Vec<u64> = self
            .interfaces_of(node)
            .filter(|row| one.parents.contains(&row.name))
            .map(|row| row.id)
            .collect();
        let kind = if one.kind.is_empty() {
            "physical"
        } else {
            &one.kind
        };
        let under = parents.first().and_then(|id| self.interfaces[id].vlan);
        let vlan = match one.vid {
            Some(vid) if kind == "vlan" => {
                under.map(|vlan| self.tagged(self.vlans[&vlan].fabric, vid))
            }
            _ => under,
        };
        let id = self.next("interface");
        self.interfaces.insert(
            id,
            StoredInterface {
                id,
                node: node.to_owned(),
                name: one.name.clone(),
                kind: kind.to_owned(),
                mac: one.mac.to_lowercase(),
                vlan,
                parents,
                mtu: None,
                enabled: true,
                bridge_type: "standard".to_owned(),
                bond_mode: "active-backup".to_owned(),
            },
        );
        id
    }

    /// The VLAN of that tag, made when it is missing.
    fn tagged(&mut self, fabric: u64, vid: u16) -> u64 {
        let known = self
            .vlans
            .values()
            .find(|vlan| vlan.fabric == fabric && vlan.vid == vid);
        if let Some(known) = known {
            return known.id;
        }
        let id = self.next("vlan");
        self.vlans.insert(
            id,
            StoredVlan {
                id,
                fabric,
                vid,
                name: None,
                mtu: 1500,
                space: None,
                dhcp_on: false,
                primary: None,
                secondary: None,
                relay: None,
            },
        );
        id
    }

    fn subnet_of(&self, net: IpNet) -> Option<u64> {
        let exact = self.subnets.values().find(|subnet| subnet.cidr == net);
        exact.map(|subnet| subnet.id)
    }

    /// Before the links are looked at, a bridge, bond or VLAN interface takes the VLAN of the subnet that has exactly a
    /// reported network, and every plane that its *old* links point to comes along. Its ports too.
    fn follow_networks(&mut self, id: u64, one: &ReportedInterface) {
        let row = self.interfaces[&id].clone();
        let mut nets = one.addresses.iter().map(IpNet::trunc);
        let found = nets.find_map(|net| self.subnet_of(net));
        let vlan = found.map(|subnet| self.subnets[&subnet].vlan);
        if row.kind == "physical" || vlan.is_none() || vlan == row.vlan {
            return;
        }
        self.move_interface(id, vlan);
        if row.kind != "vlan" {
            for port in row.parents {
                if let Some(port) = self.interfaces.get_mut(&port) {
                    port.vlan = vlan;
                }
            }
        }
    }

    fn move_interface(&mut self, id: u64, vlan: Option<u64>) {
        let linked: Vec<u64> = self.links_of(id).filter_map(|link| link.subnet).collect();
        for subnet in linked {
            if let (Some(row), Some(vlan)) = (self.subnets.get_mut(&subnet), vlan) {
                row.vlan = vlan;
            }
        }
        if let Some(row) = self.interfaces.get_mut(&id) {
            row.vlan = vlan;
        }
    }

    /// Each address gets a row in the subnet of its network, whoever had it; what was not reported goes.
    fn take_addresses_over(
        &mut self,
        id: u64,
        one: &ReportedInterface,
    ) -> Result<(), ReportRefused> {
        let mut kept = Vec::new();
        for address in &one.addresses {
            let subnet = self.reported_subnet(id, *address, one.gateway)?;
            kept.push(self.claim(id, address.addr(), subnet));
        }
        let old: Vec<u64> = self
            .links_of(id)
            .filter(|link| link.ip.is_some() || !kept.is_empty())
            .map(|link| link.id)
            .filter(|link| !kept.contains(link))
            .collect();
        for link in old {
            self.drop_address(link);
        }
        if self.interfaces[&id].vlan.is_some() {
            self.ensure_link_up(id);
        }
        Ok(())
    }

    fn claim(&mut self, interface: u64, ip: IpAddr, subnet: Option<u64>) -> u64 {
        let known = self.addresses.values().find(|row| {
            row.ip == Some(ip) && row.alloc != AllocType::Discovered && row.bmc_of.is_none()
        });
        let id = match known.map(|row| row.id) {
            Some(id) => id,
            None => self.add_link(interface, AllocType::Sticky, subnet, Some(ip)),
        };
        if let Some(row) = self.addresses.get_mut(&id) {
            *row = StoredAddress {
                id,
                ip: Some(ip),
                alloc: AllocType::Sticky,
                subnet,
                user: None,
                interface: Some(interface),
                unknown: None,
                bmc_of: None,
            };
        }
        id
    }

    /// The subnet of exactly that network, made where there is none; a host's own prefix goes to the narrowest around it.
    fn reported_subnet(
        &mut self,
        id: u64,
        address: IpNet,
        gateway: Option<IpAddr>,
    ) -> Result<Option<u64>, ReportRefused> {
        let net = address.trunc();
        let subnet = match self.subnet_of(net) {
            Some(subnet) => subnet,
            None if net.prefix_len() == net.max_prefix_len() => {
                return Ok(self.best_subnet(address.addr()));
            }
            None => self.make_reported_subnet(id, net)?,
        };
        let fits = gateway.filter(|gateway| net.contains(gateway));
        if let Some(row) = self.subnets.get_mut(&subnet) {
            row.gateway = row.gateway.or(fits);
        }
        Ok(Some(subnet))
    }

    fn make_reported_subnet(&mut self, id: u64, net: IpNet) -> Result<u64, ReportRefused> {
        let overlaps = self
            .subnets
            .values()
            .any(|other| other.cidr.contains(&net) || net.contains(&other.cidr));
        if overlaps && self.version.refuses_overlap() {
            let message = format!("Subnet {net} would overlap with existing subnets.");
            return Err(ReportRefused(message));
        }
        let vlan = if let Some(vlan) = self.interfaces[&id].vlan {
            vlan
        } else {
            let fabric = self.make_fabric(None, None);
            self.default_vlan(fabric).unwrap_or_default()
        };
        let subnet = self.next("subnet");
        self.subnets.insert(
            subnet,
            StoredSubnet {
                id: subnet,
                name: net.to_string(),
                cidr: net,
                vlan,
                gateway: None,
                dns: Vec::new(),
                allow_dns: true,
                allow_proxy: true,
                active_discovery: false,
                managed: true,
                rdns_mode: 2,
                description: String::new(),
                disabled_boot_architectures: Vec::new(),
            },
        );
        self.adopt_orphans(subnet);
        Ok(subnet)
    }

    /// At last the interface takes the VLAN of one subnet that it is linked to, and all others linked come along. Which
    /// one is picked by the order that Python's small sets have: by row number modulo 8.
    fn settle_vlan(&mut self, id: u64) {
        let linked = self.links_of(id).filter_map(|link| link.subnet);
        let Some(subnet) = linked.min_by_key(|subnet| (subnet % 8, *subnet)) else {
            return;
        };
        let vlan = Some(self.subnets[&subnet].vlan);
        if vlan != self.interfaces[&id].vlan {
            self.move_interface(id, vlan);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Two planes, a third network's VLAN, a controller with an address in the first plane on that kind of interface.
    fn stage(kind: &str, version: &str) -> LabMaas {
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
        LabMaas::load(&layout.to_string(), Some(version)).expect("the stage loads")
    }

    fn said(kind: &str, addresses: &[&str]) -> Vec<ReportedInterface> {
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

    /// one goes to a free network, two takes the one that the controller still has.
    fn chain(maas: &mut LabMaas) {
        recidr(maas, "one", "10.20.0.0/22");
        recidr(maas, "two", "10.8.0.0/22");
    }

    #[test]
    fn the_same_report_again_changes_nothing() {
        for kind in ["physical", "bridge"] {
            let mut maas = stage(kind, "3.5.12");
            maas.report("ctl", &said(kind, &["10.8.0.4/22"]))
                .expect("taken in");
            let before = maas.clone();
            assert_eq!(maas.controllers_say()["ctl"], said(kind, &["10.8.0.4/22"]));
            maas.report("ctl", &said(kind, &["10.8.0.4/22"]))
                .expect("taken in");
            assert!(maas.same_rows(&before), "{kind}");
        }
    }

    #[test]
    fn an_old_address_makes_its_network_again() {
        let mut maas = stage("physical", "3.7.3");
        recidr(&mut maas, "one", "10.20.0.0/22");
        maas.report("ctl", &said("physical", &["10.8.0.4/22"]))
            .expect("taken in");
        assert_eq!(fabric_of(&maas, "10.8.0.0/22"), "one");
        maas.report("ctl", &said("physical", &["10.20.0.4/22"]))
            .expect("taken in");
        assert_eq!(
            fabric_of(&maas, "10.8.0.0/22"),
            "one",
            "the stray one stays"
        );
    }

    #[test]
    fn a_physical_interface_moves_alone() {
        let mut maas = stage("physical", "3.7.3");
        chain(&mut maas);
        maas.report("ctl", &said("physical", &["10.8.0.4/22"]))
            .expect("taken in");
        assert_eq!(
            (fabric_of(&maas, "one"), fabric_of(&maas, "two")),
            ("one".to_owned(), "two".to_owned())
        );
    }

    #[test]
    fn a_bridge_drags_the_plane_that_its_old_link_points_to_for_good() {
        let mut maas = stage("bridge", "3.7.3");
        chain(&mut maas);
        maas.report("ctl", &said("bridge", &["10.8.0.4/22"]))
            .expect("taken in");
        assert_eq!(fabric_of(&maas, "one"), "two");
        let ports = maas.interfaces.values().filter(|row| row.name == "eth0");
        assert!(
            ports
                .map(|row| row.vlan)
                .all(|vlan| vlan == Some(maas.default_vlan(2).expect("a VLAN")))
        );
        maas.report("ctl", &said("bridge", &["10.20.0.4/22"]))
            .expect("taken in");
        assert_eq!(
            fabric_of(&maas, "one"),
            "two",
            "the right report does not undo it"
        );
    }

    #[test]
    fn a_bridge_that_lost_its_address_in_time_drags_nothing() {
        let mut maas = stage("bridge", "3.7.3");
        maas.report("ctl", &said("bridge", &[])).expect("taken in");
        chain(&mut maas);
        maas.report("ctl", &said("bridge", &["10.20.0.4/22"]))
            .expect("taken in");
        assert_eq!(
            (fabric_of(&maas, "one"), fabric_of(&maas, "two")),
            ("one".to_owned(), "two".to_owned())
        );
    }

    #[test]
    fn another_netmask_overlaps_or_refuses_the_whole_report() {
        let mut older = stage("physical", "3.5.12");
        older
            .report("ctl", &said("physical", &["10.8.0.4/24"]))
            .expect("taken in");
        assert_eq!(fabric_of(&older, "10.8.0.0/24"), "one");
        let mut newer = stage("physical", "3.7.3");
        let before = newer.clone();
        assert!(
            newer
                .report("ctl", &said("physical", &["10.8.0.4/24"]))
                .is_err()
        );
        assert!(newer.same_rows(&before));
    }

    #[test]
    fn an_address_is_taken_away_from_a_machine() {
        let mut maas = stage("physical", "3.7.3");
        maas.report("ctl", &said("physical", &["10.8.0.77/22"]))
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
    fn an_unknown_network_on_a_new_interface_makes_a_fabric() {
        let mut maas = stage("physical", "3.7.3");
        let mut report = said("physical", &["10.8.0.4/22"]);
        report.push(ReportedInterface {
            name: "eth1".to_owned(),
            mac: "52:54:00:00:00:09".to_owned(),
            addresses: vec!["10.99.0.1/24".parse().expect("an address")],
            ..ReportedInterface::default()
        });
        maas.report("ctl", &report).expect("taken in");
        assert!(fabric_of(&maas, "10.99.0.0/24").starts_with("fabric-"));
    }
}
