//! What a controller's report of its interfaces changes: it creates subnets, moves interfaces, and moves linked subnets to
//! other VLANs (3.5.9 `metadataserver/builtin_scripts/network.py`; each case seen on 3.5.12 and 3.7.3).

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;

use super::store::{AllocType, LabMaas, NodeType, StoredAddress, StoredInterface, StoredSubnet};

/// One interface as a controller reports it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReportedInterface {
    /// The name on the host.
    pub name: String,
    /// `physical`, `bridge`, `bond` or `vlan`; "" is physical.
    pub kind: String,
    pub mac: String,
    /// Names of the parent interfaces, which come earlier in the report.
    pub parents: Vec<String>,
    /// The tag of a VLAN interface.
    pub vid: Option<u16>,
    /// Addresses with prefix length.
    pub addresses: Vec<IpNet>,
    /// The gateway of its network.
    pub gateway: Option<IpAddr>,
}

/// MAAS refused a report and changed nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ReportRefused(String);

impl LabMaas {
    /// Applies a controller's report. Interfaces that are not in the report are removed.
    pub fn report(
        &mut self,
        hostname: &str,
        report: &[ReportedInterface],
    ) -> Result<(), ReportRefused> {
        let node = self
            .node_by_host(hostname)
            .map(|node| node.system_id.clone());
        let node = node.ok_or_else(|| ReportRefused(format!("no controller {hostname}")))?;
        let mut after = self.clone();
        let stale: Vec<u64> = after
            .interfaces_of(&node)
            .filter(|row| report.iter().all(|one| one.name != row.name))
            .map(|row| row.id)
            .collect();
        for id in stale {
            if after.interfaces.contains_key(&id) {
                after.remove_interface(id);
            }
        }
        for one in report {
            let id = after.interface_row(&node, one);
            after.follow_networks(id, one);
            after.take_addresses_over(id, one)?;
            after.take_linked_vlan(id);
        }
        *self = after;
        Ok(())
    }

    /// The report of each controller, by host name, if nothing changes on the host: interfaces and addresses as in the rows.
    pub fn controller_reports(&self) -> BTreeMap<String, Vec<ReportedInterface>> {
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
                let report = rows.map(|row| self.current_report(row)).collect();
                (node.hostname.clone(), report)
            })
            .collect()
    }

    fn current_report(&self, row: &StoredInterface) -> ReportedInterface {
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

    fn interface_row(&mut self, node: &str, one: &ReportedInterface) -> u64 {
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
                under.map(|vlan| self.vlan_with_tag(self.vlans[&vlan].fabric, vid))
            }
            _ => under,
        };
        let id = self.next("interface");
        self.interfaces.insert(
            id,
            StoredInterface {
                id,
                vlan,
                parents,
                ..StoredInterface::new(node, &one.name, kind, &one.mac.to_lowercase())
            },
        );
        id
    }

    fn subnet_of(&self, net: IpNet) -> Option<u64> {
        let exact = self.subnets.values().find(|subnet| subnet.cidr == net);
        exact.map(|subnet| subnet.id)
    }

    /// Before the links are processed, a bridge, bond or VLAN interface moves to the VLAN of the subnet with exactly a reported
    /// network. The subnets of its *old* links move too, and so do the ports of a bridge or bond.
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

    /// Each address gets a row in the subnet of its network, even if another node had it. Unreported addresses are removed.
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
            self.remove_address(link);
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

    /// The subnet with exactly this network; created if missing. A /32 or /128 belongs to the smallest subnet that contains it.
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

    /// Finally the interface moves to the VLAN of one linked subnet, and the other linked subnets move too. MAAS takes the first
    /// of a Python set, which for small sets is ordered by row number modulo 8.
    fn take_linked_vlan(&mut self, id: u64) {
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
mod tests;
