//! Builds the one request that carries out a write, from the write and the rows it refers to. Pure.
//!
//! Booleans are `true` and `false` only (3.5.12 reads `0` and `no` as true for some fields), row numbers are always sent
//! where MAAS would guess (`vlan` of a subnet, `subnet` of a range), and only what differs is sent. Must not know what
//! MAAS will answer.

mod node;
mod settings;
mod subnet;

use topology::Cidr;
use topology::object::{
    Fabric, IpRange, Object, RangeKind, ReservedIp, Snippet, Space, StaticRoute, Vlan,
};
use topology::port::Write;

use crate::transport::{MaasRequest, Method};
use crate::writer::{NoRequest, ResolvedRefs, refusal};

type RequestResult = Result<MaasRequest, NoRequest>;

/// What an object's request refers to by row number.
#[derive(Debug, Default)]
pub(super) struct References {
    pub(super) vlans: bool,
    pub(super) subnets: Vec<Cidr>,
    pub(super) host: Option<String>,
}

pub(super) fn references(object: &Object) -> References {
    let subnets = match object {
        Object::Space(_) | Object::Fabric(_) | Object::Vlan(_) | Object::Interface(_) => Vec::new(),
        Object::Subnet(subnet) => vec![subnet.cidr],
        Object::Range(range) => vec![range.subnet],
        Object::Route(route) => vec![route.source, route.destination],
        Object::ReservedIp(reserved) => vec![reserved.subnet],
        Object::Link(link) => vec![link.subnet],
        Object::Snippet(snippet) => vec![snippet.subnet],
    };
    let host = match object {
        Object::Interface(interface) => Some(interface.host.clone()),
        Object::Link(link) => Some(link.host.clone()),
        Object::Space(_)
        | Object::Fabric(_)
        | Object::Vlan(_)
        | Object::Subnet(_)
        | Object::Range(_)
        | Object::Route(_)
        | Object::ReservedIp(_)
        | Object::Snippet(_) => None,
    };
    let vlans = match object {
        Object::Fabric(_) | Object::Vlan(_) | Object::Subnet(_) | Object::Interface(_) => true,
        Object::Space(_)
        | Object::Range(_)
        | Object::Route(_)
        | Object::ReservedIp(_)
        | Object::Link(_)
        | Object::Snippet(_) => false,
    };
    References {
        vlans,
        subnets,
        host,
    }
}

/// The request that carries `write` out.
pub(super) fn request(write: &Write, refs: &ResolvedRefs) -> RequestResult {
    match write {
        Write::Create(new) => create(new, refs),
        Write::Update(before, after) => update(before, after, refs),
        Write::Delete(before) => delete(before, refs),
    }
}

fn create(new: &Object, refs: &ResolvedRefs) -> RequestResult {
    match new {
        Object::Space(space) => Ok(post("spaces/").with_field("name", &space.name)),
        Object::Fabric(fabric) => Ok(post("fabrics/").with_field("name", &fabric.name)),
        Object::Vlan(vlan) => create_vlan(vlan, refs),
        Object::Subnet(subnet) => subnet::create_subnet(subnet, refs),
        Object::Range(range) => Ok(post("ipranges/")
            .with_field("subnet", refs.subnet(range.subnet)?)
            .with_field("type", kind(range.kind))
            .with_field("start_ip", range.range.start().to_string())
            .with_field("end_ip", range.range.end().to_string())
            .with_field("comment", &range.comment)),
        Object::Route(route) => Ok(post("static-routes/")
            .with_field("source", refs.subnet(route.source)?)
            .with_field("destination", refs.subnet(route.destination)?)
            .with_field("gateway_ip", route.gateway.to_string())
            .with_field("metric", route.metric.to_string())),
        Object::ReservedIp(reserved) => Ok(post("reservedips/")
            .with_field("subnet", refs.subnet(reserved.subnet)?)
            .with_field("ip", reserved.ip.to_string())
            .with_field("mac_address", &reserved.mac)
            .with_field("comment", &reserved.comment)),
        Object::Interface(interface) => node::create_interface(interface, refs),
        Object::Link(link) => node::create_link(link, refs),
        Object::Snippet(snippet) => create_snippet(snippet, refs),
    }
}

fn update(before: &Object, after: &Object, refs: &ResolvedRefs) -> RequestResult {
    let row = refs.row()?;
    match (before, after) {
        (Object::Space(a), Object::Space(b)) => Ok(rename(&format!("spaces/{row}/"), a, b)),
        (Object::Fabric(_), Object::Fabric(Fabric { name })) => {
            Ok(put(format!("fabrics/{row}/")).with_field("name", name))
        }
        (Object::Vlan(a), Object::Vlan(b)) => update_vlan(row, a, b, refs),
        (Object::Subnet(a), Object::Subnet(b)) => subnet::update_subnet(row, a, b, refs),
        (Object::Range(a), Object::Range(b)) => update_range(row, a, b, refs),
        (Object::Route(a), Object::Route(b)) => update_route(row, a, b, refs),
        (Object::ReservedIp(a), Object::ReservedIp(b)) => update_reserved_ip(row, a, b),
        (Object::Interface(a), Object::Interface(b)) => node::update_interface(row, a, b, refs),
        (Object::Link(a), Object::Link(b)) => node::update_link(row, a, b, refs),
        (Object::Snippet(_), Object::Snippet(_)) => Err(refusal(
            "a DHCP snippet is never changed; it is deleted and recreated".to_owned(),
        )),
        (
            Object::Space(_)
            | Object::Fabric(_)
            | Object::Vlan(_)
            | Object::Subnet(_)
            | Object::Range(_)
            | Object::Route(_)
            | Object::ReservedIp(_)
            | Object::Interface(_)
            | Object::Link(_)
            | Object::Snippet(_),
            _,
        ) => Err(refusal(format!(
            "`{}` cannot become `{}`",
            before.key(),
            after.key()
        ))),
    }
}

fn delete(before: &Object, refs: &ResolvedRefs) -> RequestResult {
    let row = refs.row()?;
    let path = match before {
        Object::Space(_) => format!("spaces/{row}/"),
        Object::Fabric(_) => format!("fabrics/{row}/"),
        Object::Vlan(_) => format!("vlans/{row}/"),
        Object::Subnet(_) => format!("subnets/{row}/"),
        Object::Range(_) => format!("ipranges/{row}/"),
        Object::Route(_) => format!("static-routes/{row}/"),
        Object::ReservedIp(_) => format!("reservedips/{row}/"),
        Object::Snippet(_) => format!("dhcp-snippets/{row}/"),
        Object::Interface(interface) => return node::delete_interface(interface, row, refs),
        Object::Link(link) => return node::delete_link(link, row, refs),
    };
    Ok(MaasRequest::new(Method::Delete, path))
}

fn rename(path: &str, _before: &Space, after: &Space) -> MaasRequest {
    put(path.to_owned()).with_field("name", &after.name)
}

fn create_vlan(vlan: &Vlan, refs: &ResolvedRefs) -> RequestResult {
    let racks = vlan.primary_rack.is_some() || vlan.secondary_rack.is_some();
    if vlan.dhcp_on || racks || vlan.relay.is_some() {
        return Err(refusal(format!(
            "`{}` must be created first, without DHCP, racks or relay",
            vlan.at
        )));
    }
    let fabric = refs.fabric(&vlan.at.fabric)?;
    let mut request = post(&format!("fabrics/{fabric}/vlans/"))
        .with_field("vid", vlan.at.vid.to_string())
        .with_field("mtu", vlan.mtu.to_string());
    if let Some(name) = &vlan.name {
        request = request.with_field("name", name);
    }
    if let Some(space) = &vlan.space {
        request = request.with_field("space", space_name(space)?);
    }
    Ok(request)
}

fn update_vlan(row: u64, before: &Vlan, after: &Vlan, refs: &ResolvedRefs) -> RequestResult {
    let mut request = put(format!("vlans/{row}/"));
    if before.at.fabric != after.at.fabric {
        request = request.with_field("fabric", refs.fabric(&after.at.fabric)?);
    }
    if before.at.vid != after.at.vid {
        request = request.with_field("vid", after.at.vid.to_string());
    }
    if let (true, Some(name)) = (before.name != after.name, &after.name) {
        request = request.with_field("name", name);
    }
    if before.space != after.space {
        let space = after.space.as_deref().map_or(Ok(""), space_name)?;
        request = request.with_field("space", space);
    }
    let racks = |vlan: &Vlan| (vlan.primary_rack.clone(), vlan.secondary_rack.clone());
    let dhcp_changes = before.dhcp_on != after.dhcp_on;
    if dhcp_changes {
        request = request.with_field("dhcp_on", boolean(after.dhcp_on));
    }
    // Always both racks: clearing the primary alone promotes the secondary (3.5.9 maasserver/forms/vlan.py:106-112).
    if racks(before) != racks(after) || (dhcp_changes && after.dhcp_on) {
        request = request
            .with_field(
                "primary_rack",
                after.primary_rack.as_deref().unwrap_or_default(),
            )
            .with_field(
                "secondary_rack",
                after.secondary_rack.as_deref().unwrap_or_default(),
            );
    }
    if before.relay != after.relay {
        let relay = match &after.relay {
            Some(at) => refs.vlan(at)?,
            None => String::new(),
        };
        request = request.with_field("relay_vlan", relay);
    }
    // A write without a difference still sends a field: it makes MAAS apply an earlier change.
    if before.mtu != after.mtu || request.form.is_empty() {
        request = request.with_field("mtu", after.mtu.to_string());
    }
    Ok(request)
}

/// MAAS accepts a name or a row number here, so it could read a name of digits as another space's row number.
fn space_name(name: &str) -> Result<&str, NoRequest> {
    if name.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(refusal(format!(
            "the space's name `{name}` is a number, which MAAS would read as a row number"
        )));
    }
    Ok(name)
}

fn update_range(row: u64, before: &IpRange, after: &IpRange, refs: &ResolvedRefs) -> RequestResult {
    let mut request = put(format!("ipranges/{row}/"));
    if before.subnet != after.subnet {
        request = request.with_field("subnet", refs.subnet(after.subnet)?);
    }
    if before.kind != after.kind {
        request = request.with_field("type", kind(after.kind));
    }
    if before.range != after.range {
        request = request
            .with_field("start_ip", after.range.start().to_string())
            .with_field("end_ip", after.range.end().to_string());
    }
    // On 3.7, dhcpd gets a changed gateway only when the range is written again, even with the same comment.
    if before.comment != after.comment || request.form.is_empty() {
        request = request.with_field("comment", &after.comment);
    }
    Ok(request)
}

fn update_route(
    row: u64,
    before: &StaticRoute,
    after: &StaticRoute,
    refs: &ResolvedRefs,
) -> RequestResult {
    let mut request = put(format!("static-routes/{row}/"));
    if before.source != after.source {
        request = request.with_field("source", refs.subnet(after.source)?);
    }
    if before.destination != after.destination {
        request = request.with_field("destination", refs.subnet(after.destination)?);
    }
    if before.gateway != after.gateway {
        request = request.with_field("gateway_ip", after.gateway.to_string());
    }
    if before.metric != after.metric || request.form.is_empty() {
        request = request.with_field("metric", after.metric.to_string());
    }
    Ok(request)
}

fn update_reserved_ip(row: u64, before: &ReservedIp, after: &ReservedIp) -> RequestResult {
    let fixed = |it: &ReservedIp| (it.ip, it.mac.clone(), it.subnet);
    if fixed(before) != fixed(after) {
        return Err(refusal(
            "address, MAC and subnet of a reserved IP cannot be changed; it has to be deleted and recreated"
                .to_owned(),
        ));
    }
    Ok(put(format!("reservedips/{row}/")).with_field("comment", &after.comment))
}

fn create_snippet(snippet: &Snippet, refs: &ResolvedRefs) -> RequestResult {
    Ok(post("dhcp-snippets/")
        .with_field("name", &snippet.name)
        .with_field("value", &snippet.value)
        .with_field("description", &snippet.description)
        .with_field("enabled", boolean(snippet.enabled))
        .with_field("subnet", refs.subnet(snippet.subnet)?))
}

fn post(path: &str) -> MaasRequest {
    MaasRequest::new(Method::Post, path)
}

fn put(path: String) -> MaasRequest {
    MaasRequest::new(Method::Put, path)
}

fn boolean(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

fn kind(kind: RangeKind) -> &'static str {
    match kind {
        RangeKind::Reserved => "reserved",
        RangeKind::Dynamic => "dynamic",
    }
}
