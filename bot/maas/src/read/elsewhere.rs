//! What no subnet's list has: addresses outside every subnet, and MAAS's own settings that name addresses.
//!
//! MAAS keeps addresses without a subnet (of BMCs, users, DNS names, or left behind by a CIDR that changed in place), and a
//! new subnet adopts those inside it (seen on 3.5.12 and 3.7.3). Must not know which of them matter.

use std::collections::BTreeMap;

use topology::observed::{Holder, MaasSetting, Observed, Occupant};

use crate::json::{JsonAt, JsonResult, each, one};
use crate::read::MaasReader;
use crate::request::ReadError;
use crate::transport::{MaasRequest, Transport};

/// The settings that hold addresses (3.5.9 maasserver/forms/settings.py; all of them in 2.9.2 and 3.7.3 too).
const ADDRESS_SETTINGS: [&str; 5] = [
    "upstream_dns",
    "ntp_servers",
    "dns_trusted_acl",
    "http_proxy",
    "remote_syslog",
];

impl<W: Transport> MaasReader<W> {
    /// Addresses that MAAS keeps outside their subnet or without one, and neighbours that its racks discovered outside
    /// every subnet.
    pub(super) async fn elsewhere(&self, observed: &Observed) -> Result<Vec<Occupant>, ReadError> {
        let hosts: BTreeMap<&str, &str> = observed
            .nodes
            .values()
            .map(|node| (node.system_id.as_str(), node.host.as_str()))
            .collect();
        let request = MaasRequest::get("ipaddresses/").with_query("all", "true");
        let body = self.client.read(&request).await?;
        let kept = each(&request, &body, |at| kept(at, &hosts))?;
        let neighbours = self.list("discovery/", neighbour).await?;
        let inside = |occupant: &Occupant| {
            let ip = occupant.ip;
            observed
                .subnets()
                .any(|subnet| ip.is_some_and(|ip| subnet.cidr.contains(ip)))
        };
        let mut elsewhere: Vec<Occupant> = kept.into_iter().flatten().collect();
        elsewhere.extend(neighbours.into_iter().filter(|occupant| !inside(occupant)));
        elsewhere.sort();
        elsewhere.dedup();
        Ok(elsewhere)
    }

    /// The settings that may name addresses, without the empty ones.
    pub(super) async fn settings(&self) -> Result<Vec<MaasSetting>, ReadError> {
        let mut settings = Vec::new();
        for name in ADDRESS_SETTINGS {
            let request = MaasRequest::get("maas/")
                .with_query("op", "get_config")
                .with_query("name", name);
            let body = self.client.read(&request).await?;
            let value = one(&request, &body, |at| Ok(at.text_or_null()?.to_owned()))?;
            if !value.is_empty() {
                let name = name.to_owned();
                settings.push(MaasSetting { name, value });
            }
        }
        Ok(settings)
    }
}

/// An address without a subnet, or outside its subnet.
fn kept(at: JsonAt<'_>, hosts: &BTreeMap<&str, &str>) -> JsonResult<Option<Occupant>> {
    let Some(ip) = at.nullable("ip")? else {
        return Ok(None);
    };
    if ip.is_blank() {
        return Ok(None);
    }
    let ip = ip.address()?;
    if let Some(subnet) = at.nullable("subnet")?
        && subnet.field("cidr")?.cidr()?.contains(ip)
    {
        return Ok(None);
    }
    Ok(Some(Occupant {
        ip: Some(ip),
        holder: holder(at, hosts)?,
    }))
}

/// By `alloc_type` (3.5.9 maasserver/enum.py: 4 user-reserved, 5 DHCP, 6 discovered). The rows of a
/// BMC and of a DNS name look alike and name neither.
fn holder(at: JsonAt<'_>, hosts: &BTreeMap<&str, &str>) -> JsonResult<Holder> {
    let kind = at.field("alloc_type")?.number::<u64>()?;
    if let Some(interfaces) = at.optional("interface_set") {
        for interface in interfaces.list()? {
            let Some(id) = interface.optional("system_id") else {
                // An interface that belongs to no node has only its MAC.
                interface.field("mac_address")?.text()?;
                continue;
            };
            let id = id.text()?;
            let host = hosts.get(id).copied().unwrap_or(id);
            return Ok(Holder::Unknown(format!("the node `{host}`")));
        }
    }
    Ok(match (kind, at.optional("owner")) {
        (5 | 6, _) => Holder::Passing,
        (4, Some(owner)) => Holder::User {
            user: owner.field("username")?.text()?.to_owned(),
        },
        (_, _) => Holder::Unknown("a BMC or a DNS name".to_owned()),
    })
}

/// A neighbour that a rack discovered (`discovery/`, in all releases from 2.1).
fn neighbour(at: JsonAt<'_>) -> JsonResult<Occupant> {
    Ok(Occupant {
        ip: Some(at.field("ip")?.address()?),
        holder: Holder::Passing,
    })
}
