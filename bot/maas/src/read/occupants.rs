//! Who holds an address, as `subnets/{id}/?op=ip_addresses` tells it.

use topology::observed::{Holder, NodeKind, Occupant};

use crate::json::{JsonAt, JsonResult};

/// The holders of one address row. `host_of` gives a node's name where it was read, which is unique; MAAS's host name
/// may not be.
pub(crate) fn occupants(
    at: JsonAt<'_>,
    host_of: &dyn Fn(&str) -> Option<String>,
) -> JsonResult<Vec<Occupant>> {
    let ip = Some(at.field("ip")?.address()?);
    let mut holders = Vec::new();
    if let Some(node) = at.maybe("node_summary") {
        holders.push(node_holder(node, host_of)?);
    }
    if let Some(bmcs) = at.maybe("bmcs") {
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
    let interface = match node.maybe("via") {
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
    if let Some(nodes) = bmc.maybe("nodes") {
        for node in nodes.list()? {
            let host = host_of(node.field("system_id")?.text()?);
            let name = node.field("hostname")?.text()?;
            holders.push(Holder::Bmc {
                host: host.unwrap_or_else(|| name.to_owned()),
            });
        }
    }
    if holders.is_empty() {
        // A VM host's: it holds the subnet as firmly as a machine's.
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
    if let Some(records) = at.maybe("dns_records") {
        for record in records.list()? {
            let name = record.field("name")?.text()?;
            names.push(match record.maybe("domain") {
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
            user: match at.maybe("user") {
                Some(user) => user.text()?.to_owned(),
                None => String::new(),
            },
        },
        5 | 6 => Holder::Passing,
        other => Holder::Unknown(format!("an address of type {other} without a holder")),
    })
}
