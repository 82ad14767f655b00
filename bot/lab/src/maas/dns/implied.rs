//! Names that MAAS serves without a row: of nodes, their interfaces and reserved addresses (`dnsresources/?all=true`; seen on
//! 3.5.12 and 3.7.3).

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::BASE;
use crate::maas::answer::ApiCaller;
use crate::maas::store::{AllocType, LabMaas, StoredAddress, StoredNode};

impl LabMaas {
    /// One object for each name and domain, each with its A and AAAA records.
    pub(super) fn implied_names(
        &self,
        domain: Option<u64>,
        name: Option<&str>,
        kind: Option<&str>,
        caller: &ApiCaller,
    ) -> Vec<Value> {
        let mut names: BTreeMap<(u64, String), Vec<Value>> = BTreeMap::new();
        for row in self.addresses.values().filter(|row| row.ip.is_some()) {
            for (home, label, record) in self.names_of(row) {
                let own = caller.admin || row.user.as_ref().is_none_or(|user| *user == caller.name);
                let wanted = kind.is_none_or(|kind| record["rrtype"] == kind);
                if own && wanted && domain.is_none_or(|domain| domain == home) {
                    names.entry((home, label)).or_default().push(record);
                }
            }
        }
        let shown = names.into_iter().filter_map(|((home, label), records)| {
            let first = label.split('.').next().unwrap_or_default();
            if name.is_some_and(|name| name != first) {
                return None;
            }
            Some(json!({
                "address_ttl": null, "ip_addresses": null, "resource_records": records, "id": -1,
                "fqdn": format!("{first}.{}", self.domains[&home].name), "resource_uri": format!("{BASE}/dnsresources/-1/"),
            }))
        });
        shown.collect()
    }

    /// The names of an address: those that were given, else its host's, else one made from its digits.
    fn names_of(&self, row: &StoredAddress) -> Vec<(u64, String, Value)> {
        let interface = row.interface.and_then(|id| self.interfaces.get(&id));
        let node = interface.map(|interface| &self.nodes[&interface.node]);
        let given = self
            .dns
            .values()
            .filter(|name| name.addresses.contains(&row.id));
        let mut names: Vec<(u64, String, Value)> = given
            .map(|name| {
                let record = self.address_record(row, node, row.user.as_deref(), Some(name.id));
                (name.domain, name.name.clone(), record)
            })
            .collect();
        if let (Some(interface), Some(node)) = (interface, node) {
            if row.alloc == AllocType::Discovered {
                return names;
            }
            let best = self.main_address(node) == Some(row.id);
            let label = if best {
                node.hostname.clone()
            } else {
                format!("{}.{}", interface.name, node.hostname)
            };
            let user = node.owner.as_deref().filter(|_| !best);
            names.push((
                node.domain,
                label,
                self.address_record(row, Some(node), user, None),
            ));
        } else if names.is_empty() && row.alloc == AllocType::UserReserved {
            let label = row.ip.map(|ip| ip.to_string().replace(['.', ':'], "-"));
            let record = self.address_record(row, None, row.user.as_deref(), None);
            names.push((self.default_domain, label.unwrap_or_default(), record));
        }
        names
    }

    /// The address that carries the host's own name: the boot interface's, else the first; STATIC before AUTO.
    fn main_address(&self, node: &StoredNode) -> Option<u64> {
        let interfaces = self.interfaces_of(&node.system_id);
        let links = interfaces.flat_map(|interface| {
            let boot = node.boot_interface == Some(interface.id);
            self.links_of(interface.id)
                .filter(|link| link.ip.is_some() && link.alloc != AllocType::Discovered)
                .map(move |link| {
                    (
                        !boot,
                        link.alloc != AllocType::Sticky,
                        interface.id,
                        link.id,
                    )
                })
        });
        links.min().map(|(_, _, _, link)| link)
    }

    fn address_record(
        &self,
        row: &StoredAddress,
        node: Option<&StoredNode>,
        user: Option<&str>,
        name: Option<u64>,
    ) -> Value {
        let kind = match row.ip {
            Some(ip) if ip.is_ipv6() => "AAAA",
            _ => "A",
        };
        json!({
            "system_id": node.map(|node| &node.system_id), "node_type": node.map(|node| node.kind as u8),
            "user_id": user.and_then(|user| self.user_number(user)), "dnsresource_id": name, "ttl": null, "rrtype": kind,
            "rrdata": row.ip, "dnsdata_id": null,
        })
    }

    /// The number of a user. Since 3.6 MAAS's own worker comes first.
    fn user_number(&self, name: &str) -> Option<u64> {
        let at = self.users.iter().position(|user| user.name == name)?;
        Some(at as u64 + self.version.first_user_id())
    }
}
