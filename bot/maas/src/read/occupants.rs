//! Who holds an address, as `subnets/{id}/?op=ip_addresses` lists it. Must not know who of them matters.

use std::collections::BTreeMap;

use topology::Cidr;
use topology::object::Key;
use topology::observed::{Holder, NodeKind, Observed, Occupant, Scope};

use crate::MaasReader;
use crate::json::{JsonAt, JsonResult, each};
use crate::request::ReadError;
use crate::transport::{MaasRequest, Transport};

impl<W: Transport> MaasReader<W> {
    /// Reads who holds addresses on that subnet now: nodes, BMCs, DNS names and users. A link without an address yet
    /// (AUTO of a machine that is not deployed) is not in that list; read the links to find it.
    pub async fn occupants(&self, cidr: &Cidr) -> Result<Vec<Occupant>, ReadError> {
        let Some(seen) = self.find_subnet(*cidr).await? else {
            return Ok(Vec::new());
        };
        let mut occupants = self.occupants_of(seen.id, &BTreeMap::new()).await?;
        occupants.sort();
        occupants.dedup();
        Ok(occupants)
    }

    /// The occupants of each subnet in `scope.occupants`, two subnets at a time.
    pub(super) async fn all_occupants(
        &self,
        observed: &Observed,
        scope: &Scope,
    ) -> Result<BTreeMap<Cidr, Vec<Occupant>>, ReadError> {
        let hosts: BTreeMap<&str, &str> = observed
            .nodes
            .values()
            .map(|node| (node.system_id.as_str(), node.host.as_str()))
            .collect();
        let (evens, odds): (Vec<_>, Vec<_>) = scope
            .occupants
            .iter()
            .enumerate()
            .partition(|(index, _)| index % 2 == 0);
        let occupants_of_half = |half: Vec<(usize, &Cidr)>| {
            let (hosts, half): (_, Vec<Cidr>) =
                (&hosts, half.into_iter().map(|(_, cidr)| *cidr).collect());
            async move {
                let mut found = Vec::new();
                for cidr in half {
                    let occupants = match observed.id(&Key::Subnet(cidr)) {
                        Some(id) => self.occupants_of(id, hosts).await?,
                        None => Vec::new(),
                    };
                    found.push((cidr, occupants));
                }
                Ok::<_, ReadError>(found)
            }
        };
        let (mut found, others) =
            tokio::try_join!(occupants_of_half(evens), occupants_of_half(odds))?;
        found.extend(others);
        Ok(found.into_iter().collect())
    }

    async fn occupants_of(
        &self,
        subnet: u64,
        hosts: &BTreeMap<&str, &str>,
    ) -> Result<Vec<Occupant>, ReadError> {
        // With the summary (the default), because only that names the node, the BMC or the DNS name.
        let request =
            MaasRequest::get(format!("subnets/{subnet}/")).with_query("op", "ip_addresses");
        let body = self.client.read(&request).await?;
        let host_of = |system_id: &str| {
            let observed = hosts.get(system_id).map(|host| (*host).to_owned());
            observed.or_else(|| self.client.host_of(system_id))
        };
        let lists = each(&request, &body, |at| occupants(at, &host_of))?;
        Ok(lists.into_iter().flatten().collect())
    }
}

/// The holders of one address. `host_of` returns the unique name of a node that was observed; the host name in this
/// response may not be unique.
fn occupants(
    at: JsonAt<'_>,
    host_of: &dyn Fn(&str) -> Option<String>,
) -> JsonResult<Vec<Occupant>> {
    let ip = Some(at.field("ip")?.address()?);
    let mut holders = Vec::new();
    if let Some(node) = at.optional("node_summary") {
        holders.push(node_holder(node, host_of)?);
    }
    if let Some(bmcs) = at.optional("bmcs") {
        for bmc in bmcs.list()? {
            holders.extend(bmc_holders(bmc, host_of)?);
        }
    }
    if holders.is_empty() {
        holders.push(nodeless(at)?);
    }
    let occupant = |holder| Occupant { ip, holder };
    Ok(holders.into_iter().map(occupant).collect())
}

/// By `node_type` (3.5.9 maasserver/enum.py: 0 machine, 1 device, 2 rack, 3 region, 4 region and rack).
fn node_holder(node: JsonAt<'_>, host_of: &dyn Fn(&str) -> Option<String>) -> JsonResult<Holder> {
    let name = node.field("hostname")?.text()?;
    let kind = match node.field("node_type")?.number::<u64>()? {
        0 => NodeKind::Machine,
        1 => NodeKind::Device,
        2..=4 => NodeKind::Controller,
        other => return Ok(Holder::Unknown(format!("node `{name}` of type {other}"))),
    };
    let interface = match node.optional("via") {
        Some(via) => Some(via.text()?.to_owned()),
        None => None,
    };
    let host = host_of(node.field("system_id")?.text()?);
    Ok(Holder::Node {
        host: host.unwrap_or_else(|| name.to_owned()),
        kind,
        interface,
    })
}

fn bmc_holders(
    bmc: JsonAt<'_>,
    host_of: &dyn Fn(&str) -> Option<String>,
) -> JsonResult<Vec<Holder>> {
    let mut holders = Vec::new();
    if let Some(nodes) = bmc.optional("nodes") {
        for node in nodes.list()? {
            let host = host_of(node.field("system_id")?.text()?);
            let name = node.field("hostname")?.text()?;
            holders.push(Holder::Bmc {
                host: host.unwrap_or_else(|| name.to_owned()),
            });
        }
    }
    if holders.is_empty() {
        // A VM host's BMC keeps the subnet from being deleted as a machine's does.
        let id = bmc.field("id")?.number::<u64>()?;
        holders.push(Holder::Bmc {
            host: format!("(no machine; BMC {id})"),
        });
    }
    Ok(holders)
}

/// By DNS names, else by `alloc_type` (3.5.9 maasserver/enum.py: 4 user-reserved, 5 DHCP, 6 discovered).
fn nodeless(at: JsonAt<'_>) -> JsonResult<Holder> {
    let mut names = Vec::new();
    if let Some(records) = at.optional("dns_records") {
        for record in records.list()? {
            let name = record.field("name")?.text()?;
            names.push(match record.optional("domain") {
                Some(domain) => format!("{name}.{}", domain.text()?),
                None => name.to_owned(),
            });
        }
    }
    if !names.is_empty() {
        names.sort();
        return Ok(Holder::Dns { names });
    }
    Ok(match at.field("alloc_type")?.number::<u64>()? {
        4 => Holder::User {
            user: match at.optional("user") {
                Some(user) => user.text()?.to_owned(),
                None => String::new(),
            },
        },
        5 | 6 => Holder::Passing,
        other => Holder::Unknown(format!("an address of type {other} without a holder")),
    })
}
