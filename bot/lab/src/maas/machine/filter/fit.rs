//! Whether a node fits the constraints that were read.

use super::{NodeFilter, status_word};
use crate::maas::store::{LabMaas, StoredInterface, StoredNode};

impl LabMaas {
    /// Whether a node fits.
    pub(crate) fn fits(&self, node: &StoredNode, filter: &NodeFilter) -> bool {
        let any = |name: &str, test: &dyn Fn(&str) -> bool| {
            filter.all(name).iter().any(|value| test(value))
        };
        let may = |name: &str, test: &dyn Fn(&str) -> bool| {
            filter.all(name).is_empty() || any(name, test)
        };
        let interfaces: Vec<&StoredInterface> = self.interfaces_of(&node.system_id).collect();
        let domain = &self.domains[&node.domain].name;
        let on_fabric = |name: &str| {
            let fabrics = interfaces.iter().filter_map(|row| self.fabric_of(row));
            fabrics.into_iter().any(|id| self.fabrics[&id].name == name)
        };
        let power = node.power_state();
        let status = |word: &str| status_word(&node.status) == word.trim_start_matches('=');
        may("id", &|id| node.system_id == id)
            && may("system_id", &|id| node.system_id == id)
            && may("hostname", &|name| node.hostname == name)
            && may("name", &|name| match name.split_once('.') {
                Some((host, home)) => node.hostname == host && domain == home,
                None => node.hostname == name,
            })
            && may("mac_address", &|mac| {
                let mac = mac.to_lowercase().replace('-', ":");
                interfaces.iter().any(|row| row.mac.to_lowercase() == mac)
            })
            && may("domain", &|name| domain == name)
            && may("owner", &|name| node.owner.as_deref() == Some(name))
            && may("status", &status)
            && may("power_state", &|word| word.trim_start_matches('=') == power)
            && may("fabrics", &on_fabric)
            && may("agent_name", &str::is_empty)
            && !any("not_id", &|id| node.system_id == id)
            && !any("not_system_id", &|id| node.system_id == id)
            && !any("not_hostname", &|name| node.hostname == name)
            && !any("not_domain", &|name| domain == name)
            && !any("not_owner", &|name| node.owner.as_deref() == Some(name))
            && !any("not_status", &status)
            && !any("not_power_state", &|word| {
                word.trim_start_matches('=') == power
            })
            && !any("not_fabrics", &on_fabric)
            && filter.all("not_in_zone").is_empty()
            && filter.all("not_in_pool").is_empty()
            && self.fits_networks(&interfaces, filter)
            && self.fits_interfaces(&interfaces, filter)
            && ["storage", "devices", "pod", "pod_type"]
                .iter()
                .all(|name| filter.all(name).is_empty())
            && ["mem", "cpu_count", "cpu_speed", "link_speed"]
                .iter()
                .all(|name| {
                    may(name, &|text| {
                        text.trim().parse::<f64>().is_ok_and(|n| n <= 0.0)
                    })
                })
    }

    fn fabric_of(&self, row: &StoredInterface) -> Option<u64> {
        row.vlan.map(|vlan| self.vlans[&vlan].fabric)
    }

    fn fits_networks(&self, interfaces: &[&StoredInterface], filter: &NodeFilter) -> bool {
        let linked = |subnet: &u64| {
            let mut links = interfaces.iter().flat_map(|row| self.links_of(row.id));
            links.any(|link| link.subnet == Some(*subnet))
        };
        let on = |vlan: &u64| interfaces.iter().any(|row| row.vlan == Some(*vlan));
        let rows = |name: &str| filter.rows.get(name).map(Vec::as_slice).unwrap_or_default();
        rows("subnets").iter().all(linked)
            && !rows("not_subnets").iter().any(linked)
            && (rows("vlans").is_empty() || rows("vlans").iter().any(on))
            && !rows("not_vlans").iter().any(on)
    }

    /// `label:key=value,…;label:…`: each label needs an interface with all of it.
    fn fits_interfaces(&self, interfaces: &[&StoredInterface], filter: &NodeFilter) -> bool {
        let texts = filter.all("interfaces").iter();
        let mut labels = texts
            .flat_map(|text| text.split(';'))
            .filter(|text| !text.is_empty());
        labels.all(|label| {
            let (_, keys) = label.split_once(':').unwrap_or(("", label));
            interfaces.iter().any(|row| {
                keys.split(',').all(|key| {
                    let (key, value) = key.split_once('=').unwrap_or((key, ""));
                    self.interface_has(row, key, value)
                })
            })
        })
    }

    fn interface_has(&self, row: &StoredInterface, key: &str, value: &str) -> bool {
        let vlan = row.vlan.map(|vlan| &self.vlans[&vlan]);
        let subnet = |id: u64| self.links_of(row.id).any(|link| link.subnet == Some(id));
        match key {
            "id" => row.id.to_string() == value,
            "name" => row.name == value,
            "type" => row.kind == value,
            "tag" => row.tags.iter().any(|tag| tag == value),
            "fabric" => self.fabric_of(row) == self.find_fabric(value).ok(),
            "vid" => vlan.is_some_and(|vlan| vlan.vid.to_string() == value),
            "vlan" => {
                let rows = self.find_vlans(value).unwrap_or_default();
                vlan.is_some_and(|vlan| rows.contains(&vlan.id))
            }
            "space" if value == "undefined" => vlan.is_some_and(|vlan| vlan.space.is_none()),
            "space" => {
                let space = self.find_space(value).ok();
                vlan.is_some_and(|vlan| vlan.space.is_some() && vlan.space == space)
            }
            "subnet" | "subnet_cidr" => self.find_subnet(value).is_ok_and(subnet),
            "ip" => {
                let ip = value.parse().ok();
                self.links_of(row.id)
                    .any(|link| ip.is_some() && link.ip == ip)
            }
            "mode" => self.links_of(row.id).any(|link| link.ip.is_none()),
            _ => false,
        }
    }
}
