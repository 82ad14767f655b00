//! Finds the row that a path or field names: by id, by name, or by a specifier such as `cidr:192.0.2.0/24`
//! (3.7.3 `maasserver/utils/orm.py`, `MAASQueriesMixin`, and the `specifier_types` of each model).

use std::net::IpAddr;

use super::answer::{missing, plain};
use super::parse::{self, InvalidNetwork};
use super::store::{LabMaas, StoredSubnet};
use crate::wire::LabResponse;

/// The id in a path, of rows without a name. Anything else is a 500, because MAAS passes it to its database
/// (seen on 3.5.12 and 3.7.3).
pub(crate) fn row_number(kind: &'static str, text: &str) -> Result<u64, LabResponse> {
    // MAAS also looks for rows of these kinds by `name`, a column that they do not have.
    let columns = match kind {
        "IPRange" => {
            "comment, created, dhcpsnippet, end_ip, id, start_ip, subnet, subnet_id, type, updated, user, user_id"
        }
        "ReservedIP" => "comment, created, id, ip, mac_address, subnet, subnet_id, updated",
        "DNSData" => "created, dnsresource, dnsresource_id, id, rrdata, rrtype, ttl, updated",
        _ => "",
    };
    if let Some(id) = parse::number(text) {
        return Ok(id);
    }
    Err(match (parse::integer(text), columns) {
        (Some(_), _) if !text.contains('.') => missing(kind),
        (_, "") => {
            let message = format!("Field 'id' expected a number but got '{text}'.");
            LabResponse::text(500, message)
        }
        (_, columns) => {
            let message =
                format!("Cannot resolve keyword 'name' into field. Choices are: {columns}");
            LabResponse::text(500, message)
        }
    })
}

impl LabMaas {
    /// A subnet by id, CIDR, name, or one of its specifiers.
    pub(crate) fn find_subnet(&self, text: &str) -> Result<u64, LabResponse> {
        match self.find_subnets(text)?.as_slice() {
            [id] => Ok(*id),
            [] => Err(missing("Subnet")),
            _ => Err(plain(403, "Too many Subnet objects match the given query.")),
        }
    }

    /// All subnets that a specifier names.
    pub(crate) fn find_subnets(&self, text: &str) -> Result<Vec<u64>, LabResponse> {
        let text = text.trim();
        Ok(match text.split_once(':') {
            Some(("id", id)) => match parse::number(id) {
                Some(id) => self.subnets_where(|subnet| subnet.id == id),
                None => return Err(plain(400, "Subnet ID must be numeric.")),
            },
            Some(("cidr", cidr)) => match parse::network(cidr) {
                Ok(net) => self.subnets_where(|subnet| subnet.cidr == net),
                Err(InvalidNetwork::Format | InvalidNetwork::Crash) => {
                    return Err(LabResponse::text(500, format!("invalid IPNetwork {cidr}")));
                }
            },
            Some(("name", name)) => self.subnets_where(|subnet| subnet.name == name),
            Some(("ip", ip)) => self.subnets_containing(ip)?,
            Some(("vid", vid)) => self.subnets_tagged(vid)?,
            Some(("vlan", vlan)) => {
                self.subnets_tagged(vlan.strip_prefix("vid:").unwrap_or(vlan))?
            }
            Some(("fabric", fabric)) => {
                let home = self.find_fabric(fabric).ok();
                self.subnets_where(|subnet| Some(self.vlans[&subnet.vlan].fabric) == home)
            }
            Some(("space", "undefined")) => {
                self.subnets_where(|subnet| self.vlans[&subnet.vlan].space.is_none())
            }
            Some(("space", space)) => {
                let space = self.find_space(space)?;
                self.subnets_where(|subnet| self.vlans[&subnet.vlan].space == Some(space))
            }
            Some(_) | None => self.subnets_without_specifier(text),
        })
    }

    fn subnets_where(&self, fits: impl Fn(&StoredSubnet) -> bool) -> Vec<u64> {
        let all = self.subnets.values().filter(|subnet| fits(subnet));
        all.map(|subnet| subnet.id).collect()
    }

    /// Without a specifier: a number is an id, a network is a CIDR, anything else is a name.
    fn subnets_without_specifier(&self, text: &str) -> Vec<u64> {
        if let Some(id) = parse::number(text) {
            return self.subnets_where(|subnet| subnet.id == id);
        }
        match parse::network(text) {
            Ok(net) => self.subnets_where(|subnet| subnet.cidr == net),
            Err(InvalidNetwork::Format | InvalidNetwork::Crash) => {
                self.subnets_where(|subnet| subnet.name == text)
            }
        }
    }

    fn subnets_containing(&self, text: &str) -> Result<Vec<u64>, LabResponse> {
        let ip: IpAddr = parse::address(text).ok_or_else(|| {
            let message = format!("failed to detect a valid IP address from '{text}'");
            LabResponse::text(500, message)
        })?;
        Ok(self.subnets_where(|subnet| subnet.cidr.contains(&ip)))
    }

    fn subnets_tagged(&self, text: &str) -> Result<Vec<u64>, LabResponse> {
        let vid = if text == "untagged" {
            Some(0)
        } else {
            parse::integer(text)
        };
        let Some(vid) = vid else {
            return Ok(
                self.subnets_where(|subnet| self.vlans[&subnet.vlan].name.as_deref() == Some(text))
            );
        };
        if !(0..=4094).contains(&vid) {
            return Err(plain(
                400,
                "VLAN tag (VID) out of range (0-4094; 0 for untagged.)",
            ));
        }
        Ok(self.subnets_where(|subnet| i64::from(self.vlans[&subnet.vlan].vid) == vid))
    }

    /// A fabric by id, by the name that MAAS would give it, or by name.
    pub(crate) fn find_fabric(&self, text: &str) -> Result<u64, LabResponse> {
        let text = text.trim();
        let id = parse::number(text);
        let name = text.strip_prefix("name:").unwrap_or(text);
        let found = match id.or(numbered("fabric-", text)) {
            Some(id) => self.fabrics.get(&id),
            None => self.fabrics.values().find(|row| row.name == name),
        };
        found.map(|row| row.id).ok_or_else(|| missing("Fabric"))
    }

    /// A space by id, by name, or by a subnet in it.
    pub(crate) fn find_space(&self, text: &str) -> Result<u64, LabResponse> {
        let text = text.trim();
        let id = parse::number(text);
        let name = text.strip_prefix("name:").unwrap_or(text);
        let id = id.or(numbered("space-", text));
        let found = match (id, text.strip_prefix("subnet:")) {
            (Some(id), _) => self.spaces.get(&id).map(|row| row.id),
            (None, Some(subnet)) => {
                let subnet = self.find_subnet(subnet)?;
                self.vlans[&self.subnets[&subnet].vlan].space
            }
            (None, None) => {
                let named = self.spaces.values().find(|row| row.name == name);
                named.map(|row| row.id)
            }
        };
        found.ok_or_else(|| missing("Space"))
    }
}

/// The id in a name that MAAS gives by itself, such as `fabric-7`. It names that row even after a renaming.
fn numbered(prefix: &str, text: &str) -> Option<u64> {
    text.strip_prefix(prefix)?.parse().ok()
}
