//! Fabrics, VLANs, subnets, ranges, routes, reserved IPs and spaces, as API 2.0 spells them. Must not know which of them
//! are declared.

use topology::address::Range;
use topology::object::{
    Fabric, IpRange, Object, RangeKind, ReservedIp, Space, StaticRoute, Subnet, SubnetFlags, Vlan,
    VlanAt,
};
use topology::observed::Seen;

use crate::json::{JsonAt, JsonResult, each};
use crate::request::{Cause, ReadError, read_error};
use crate::transport::MaasRequest;

/// The contents of `fabrics/`.
#[derive(Debug)]
pub(crate) struct Fabrics {
    fabrics: Vec<(u64, String)>,
    vlans: Vec<VlanRow>,
}

#[derive(Debug)]
struct VlanRow {
    id: u64,
    vlan: Vlan,
    is_default: bool,
}

/// A VLAN whose relay is still a row number.
struct Unresolved {
    row: VlanRow,
    relay: Option<u64>,
}

impl Fabrics {
    pub(crate) fn read(request: &MaasRequest, body: &[u8]) -> Result<Self, ReadError> {
        let mut fabrics = Vec::new();
        let mut unresolved = Vec::new();
        let rows = each(request, body, fabric)?;
        for (id, name, vlans) in rows {
            fabrics.push((id, name));
            unresolved.extend(vlans);
        }
        let places: Vec<(u64, VlanAt)> = unresolved
            .iter()
            .map(|it| (it.row.id, it.row.vlan.at.clone()))
            .collect();
        let mut vlans = Vec::new();
        for Unresolved { mut row, relay } in unresolved {
            if let Some(relay) = relay {
                let place = places.iter().find(|(id, _)| *id == relay);
                let Some((_, at)) = place else {
                    let cause = Cause::InvalidResponse {
                        place: format!("vlan {}", row.vlan.at),
                        problem: format!("its relay is VLAN {relay}, which is not listed"),
                    };
                    return Err(read_error(request, cause));
                };
                row.vlan.relay = Some(at.clone());
            }
            vlans.push(row);
        }
        Ok(Self { fabrics, vlans })
    }

    /// The default VLAN of each fabric, sorted.
    pub(crate) fn defaults(&self) -> Vec<VlanAt> {
        let defaults = self.vlans.iter().filter(|row| row.is_default);
        let mut places: Vec<VlanAt> = defaults.map(|row| row.vlan.at.clone()).collect();
        places.sort();
        places
    }

    pub(crate) fn vlans(&self) -> impl Iterator<Item = &Vlan> {
        self.vlans.iter().map(|row| &row.vlan)
    }

    /// The row number of a fabric.
    pub(crate) fn fabric_row(&self, name: &str) -> Option<u64> {
        let found = self.fabrics.iter().find(|(_, known)| known == name);
        found.map(|(id, _)| *id)
    }

    /// The row number of a VLAN.
    pub(crate) fn vlan_row(&self, at: &VlanAt) -> Option<u64> {
        let found = self.vlans.iter().find(|row| row.vlan.at == *at);
        found.map(|row| row.id)
    }

    /// Fabrics and VLANs as objects.
    pub(crate) fn seen(&self) -> impl Iterator<Item = Seen> {
        let fabrics = self.fabrics.iter().map(|(id, name)| Seen {
            id: *id,
            object: Object::Fabric(Fabric { name: name.clone() }),
        });
        let vlans = self.vlans.iter().map(|row| Seen {
            id: row.id,
            object: Object::Vlan(row.vlan.clone()),
        });
        fabrics.chain(vlans)
    }
}

fn fabric(at: JsonAt<'_>) -> JsonResult<(u64, String, Vec<Unresolved>)> {
    let name = at.field("name")?.text()?.to_owned();
    let mut vlans = Vec::new();
    for item in at.field("vlans")?.list()? {
        vlans.push(vlan(item, &name)?);
    }
    // The default VLAN is the one with the lowest id, whatever its VID (3.5.9 maasserver/models/fabric.py:160-163).
    if let Some(first) = vlans.iter_mut().min_by_key(|it| it.row.id) {
        first.row.is_default = true;
        first.row.vlan.name = None;
    }
    Ok((at.field("id")?.number()?, name, vlans))
}

fn vlan(at: JsonAt<'_>, fabric: &str) -> JsonResult<Unresolved> {
    let relay = match at.nullable("relay_vlan")? {
        None => None,
        Some(relay) if relay.is_number() => Some(relay.number()?),
        Some(relay) => Some(relay.field("id")?.number()?),
    };
    let text = |name| match at.nullable(name)? {
        Some(text) => Ok(Some(text.text()?.to_owned())),
        None => Ok(None),
    };
    let vlan = Vlan {
        at: VlanAt {
            fabric: fabric.to_owned(),
            vid: at.field("vid")?.number()?,
        },
        // The name of an unnamed tagged VLAN is null (seen on 3.5.12 and 3.7.3).
        name: text("name")?,
        mtu: at.field("mtu")?.number()?,
        space: bound_space(at)?,
        dhcp_on: at.field("dhcp_on")?.flag()?,
        primary_rack: text("primary_rack")?,
        secondary_rack: text("secondary_rack")?,
        relay: None,
    };
    let row = VlanRow {
        id: at.field("id")?.number()?,
        vlan,
        is_default: false,
    };
    Ok(Unresolved { row, relay })
}

/// MAAS says `undefined` for no space (3.5.9 maasserver/models/space.py:19-25).
fn bound_space(at: JsonAt<'_>) -> JsonResult<Option<String>> {
    let name = match at.nullable("space")? {
        Some(space) => space.text()?.to_owned(),
        None => return Ok(None),
    };
    Ok((name != "undefined").then_some(name))
}

/// Fabric and VID of a VLAN that is embedded in another object.
pub(crate) fn vlan_at(at: JsonAt<'_>) -> JsonResult<VlanAt> {
    Ok(VlanAt {
        fabric: at.field("fabric")?.text()?.to_owned(),
        vid: at.field("vid")?.number()?,
    })
}

/// A space; `None` for the pseudo-space that collects VLANs without one.
pub(crate) fn space(at: JsonAt<'_>) -> JsonResult<Option<Seen>> {
    let name = at.field("name")?.text()?.to_owned();
    if name == "undefined" {
        return Ok(None);
    }
    Ok(Some(Seen {
        id: at.field("id")?.number()?,
        object: Object::Space(Space { name }),
    }))
}

pub(crate) fn subnet(at: JsonAt<'_>) -> JsonResult<Seen> {
    let flag = |name| at.field(name)?.flag();
    let flags = SubnetFlags {
        managed: flag("managed")?,
        allow_dns: flag("allow_dns")?,
        allow_proxy: flag("allow_proxy")?,
        active_discovery: flag("active_discovery")?,
        rdns_mode: at.field("rdns_mode")?.number()?,
    };
    // A subnet created without a gateway has `""`; one that never had a gateway has `null` (seen on 3.5.12 and 3.7.3).
    let gateway = match at.nullable("gateway_ip")? {
        Some(gateway) if gateway.is_blank() => None,
        Some(gateway) => Some(gateway.address()?),
        None => None,
    };
    let mut dns = Vec::new();
    if let Some(servers) = at.nullable("dns_servers")? {
        for server in servers.list()? {
            dns.push(server.address()?);
        }
    }
    // Since MAAS 3.0.
    let mut disabled_boot_architectures = Vec::new();
    if let Some(names) = at.optional("disabled_boot_architectures") {
        for name in names.list()? {
            disabled_boot_architectures.push(name.text()?.to_owned());
        }
    }
    disabled_boot_architectures.sort();
    let subnet = Subnet {
        cidr: at.field("cidr")?.cidr()?,
        name: at.field("name")?.text()?.to_owned(),
        vlan: vlan_at(at.field("vlan")?)?,
        gateway,
        dns,
        flags,
        description: free_text(at, "description")?,
        disabled_boot_architectures,
    };
    Ok(Seen {
        id: at.field("id")?.number()?,
        object: Object::Subnet(subnet),
    })
}

pub(crate) fn range(at: JsonAt<'_>) -> JsonResult<Seen> {
    let kind = at.field("type")?;
    let kind = match kind.text()? {
        "reserved" => RangeKind::Reserved,
        "dynamic" => RangeKind::Dynamic,
        _ => return Err(kind.fault("neither `reserved` nor `dynamic`")),
    };
    let (start, end) = (at.field("start_ip")?, at.field("end_ip")?);
    let range = Range::new(start.address()?, end.address()?)
        .ok_or_else(|| end.fault("before the range's start"))?;
    let range = IpRange {
        subnet: at.field("subnet")?.field("cidr")?.cidr()?,
        range,
        kind,
        comment: free_text(at, "comment")?,
    };
    Ok(Seen {
        id: at.field("id")?.number()?,
        object: Object::Range(range),
    })
}

pub(crate) fn route(at: JsonAt<'_>) -> JsonResult<Seen> {
    let route = StaticRoute {
        source: at.field("source")?.field("cidr")?.cidr()?,
        destination: at.field("destination")?.field("cidr")?.cidr()?,
        gateway: at.field("gateway_ip")?.address()?,
        metric: at.field("metric")?.number()?,
    };
    Ok(Seen {
        id: at.field("id")?.number()?,
        object: Object::Route(route),
    })
}

pub(crate) fn reserved_ip(at: JsonAt<'_>) -> JsonResult<Seen> {
    let reserved = ReservedIp {
        ip: at.field("ip")?.address()?,
        mac: at.field("mac_address")?.text()?.to_lowercase(),
        subnet: at.field("subnet")?.field("cidr")?.cidr()?,
        comment: free_text(at, "comment")?,
    };
    Ok(Seen {
        id: at.field("id")?.number()?,
        object: Object::ReservedIp(reserved),
    })
}

/// Free text that MAAS may give as null.
fn free_text(at: JsonAt<'_>, name: &str) -> JsonResult<String> {
    match at.nullable(name)? {
        Some(text) => Ok(text.text()?.to_owned()),
        None => Ok(String::new()),
    }
}
