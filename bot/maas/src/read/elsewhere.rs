//! What no subnet tells: addresses that lie in none, and MAAS's own settings that name addresses.
//!
//! MAAS keeps addresses without a subnet (of BMCs, users, DNS names, or left behind by a CIDR that changed in place), and a
//! subnet that comes takes up those inside it (seen on 3.5.12 and 3.7.3). Must not know which of them matter.

use std::collections::BTreeMap;

use topology::observed::{Holder, MaasSetting, Observed, Occupant};

use crate::ask::ReadError;
use crate::json::{JsonAt, JsonResult, each, one};
use crate::read::MaasReader;
use crate::transport::{MaasRequest, Transport};

/// The settings that hold addresses (3.5.9 maasserver/forms/settings.py; all of them in 2.9.2 and 3.7.3 too).
const NAMING: [&str; 5] = [
    "upstream_dns",
    "ntp_servers",
    "dns_trusted_acl",
    "http_proxy",
    "remote_syslog",
];

impl<W: Transport> MaasReader<W> {
    /// Addresses that MAAS keeps outside of every subnet of theirs, and neighbours that its racks saw there.
    pub(super) async fn elsewhere(&self, observed: &Observed) -> Result<Vec<Occupant>, ReadError> {
        let hosts: BTreeMap<&str, &str> = observed
            .nodes
            .values()
            .map(|node| (node.system_id.as_str(), node.host.as_str()))
            .collect();
        let request = MaasRequest::get("ipaddresses/").asking("all", "true");
        let body = self.client.read(&request).await?;
        let kept = each(&request, &body, |at| kept(at, &hosts))?;
        let seen = self.list("discovery/", seen).await?;
        let inside = |occupant: &Occupant| {
            let ip = occupant.ip;
            observed
                .subnets()
                .any(|subnet| ip.is_some_and(|ip| subnet.cidr.contains(ip)))
        };
        let mut elsewhere: Vec<Occupant> = kept.into_iter().flatten().collect();
        elsewhere.extend(seen.into_iter().filter(|occupant| !inside(occupant)));
        elsewhere.sort();
        elsewhere.dedup();
        Ok(elsewhere)
    }

    /// The settings that may name addresses, those that are empty left out.
    pub(super) async fn settings(&self) -> Result<Vec<MaasSetting>, ReadError> {
        let mut settings = Vec::new();
        for name in NAMING {
            let request = MaasRequest::get("maas/")
                .asking("op", "get_config")
                .asking("name", name);
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

/// An address row that no subnet has, or that lies outside of its subnet.
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

/// By `alloc_type` (3.5.9 maasserver/enum.py: 4 user-reserved, 5 DHCP, 6 discovered). A BMC's and a DNS name's row say no
/// more than that they are there.
fn holder(at: JsonAt<'_>, hosts: &BTreeMap<&str, &str>) -> JsonResult<Holder> {
    let kind = at.field("alloc_type")?.number::<u64>()?;
    if let Some(interfaces) = at.maybe("interface_set") {
        for interface in interfaces.list()? {
            let Some(id) = interface.maybe("system_id") else {
                // One that belongs to no node has its MAC only.
                interface.field("mac_address")?.text()?;
                continue;
            };
            let id = id.text()?;
            let host = hosts.get(id).copied().unwrap_or(id);
            return Ok(Holder::Unknown(format!("the node `{host}`")));
        }
    }
    Ok(match (kind, at.maybe("owner")) {
        (5 | 6, _) => Holder::Passing,
        (4, Some(owner)) => Holder::User {
            user: owner.field("username")?.text()?.to_owned(),
        },
        (_, _) => Holder::Unknown("a BMC or a DNS name".to_owned()),
    })
}

/// A neighbour (`discovery/`, in all releases from 2.1).
fn seen(at: JsonAt<'_>) -> JsonResult<Occupant> {
    Ok(Occupant {
        ip: Some(at.field("ip")?.address()?),
        holder: Holder::Passing,
    })
}
