//! From a write and what was found to the one request that says it. Pure.
//!
//! Booleans are `true` and `false` only (3.5.12 reads `0` and `no` as true for some fields), row numbers are always
//! given where MAAS would guess (`vlan` of a subnet, `subnet` of a range), and only what differs is sent.

mod node;

use topology::Cidr;
use topology::object::{
    Fabric, IpRange, Object, RangeKind, ReservedIp, Snippet, Space, StaticRoute, Subnet,
    SubnetFlags, Vlan,
};
use topology::port::Write;

use crate::transport::{MaasRequest, Method};
use crate::writer::{NoRequest, ResolvedRefs, because};

type Made = Result<MaasRequest, NoRequest>;

/// What an object's request names by row number.
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

/// The one request.
pub(super) fn request(write: &Write, ground: &ResolvedRefs) -> Made {
    match write {
        Write::Create(new) => create(new, ground),
        Write::Update(before, after) => update(before, after, ground),
        Write::Delete(before) => delete(before, ground),
    }
}

fn create(new: &Object, ground: &ResolvedRefs) -> Made {
    match new {
        Object::Space(space) => Ok(post("spaces/").with("name", &space.name)),
        Object::Fabric(fabric) => Ok(post("fabrics/").with("name", &fabric.name)),
        Object::Vlan(vlan) => create_vlan(vlan, ground),
        Object::Subnet(subnet) => create_subnet(subnet, ground),
        Object::Range(range) => Ok(post("ipranges/")
            .with("subnet", ground.subnet(range.subnet)?)
            .with("type", kind(range.kind))
            .with("start_ip", range.range.start().to_string())
            .with("end_ip", range.range.end().to_string())
            .with("comment", &range.comment)),
        Object::Route(route) => Ok(post("static-routes/")
            .with("source", ground.subnet(route.source)?)
            .with("destination", ground.subnet(route.destination)?)
            .with("gateway_ip", route.gateway.to_string())
            .with("metric", route.metric.to_string())),
        Object::ReservedIp(reserved) => Ok(post("reservedips/")
            .with("subnet", ground.subnet(reserved.subnet)?)
            .with("ip", reserved.ip.to_string())
            .with("mac_address", &reserved.mac)
            .with("comment", &reserved.comment)),
        Object::Interface(interface) => node::create_interface(interface, ground),
        Object::Link(link) => node::create_link(link, ground),
        Object::Snippet(snippet) => create_snippet(snippet, ground),
    }
}

fn update(before: &Object, after: &Object, ground: &ResolvedRefs) -> Made {
    let row = ground.row()?;
    match (before, after) {
        (Object::Space(a), Object::Space(b)) => Ok(rename(&format!("spaces/{row}/"), a, b)),
        (Object::Fabric(_), Object::Fabric(Fabric { name })) => {
            Ok(put(format!("fabrics/{row}/")).with("name", name))
        }
        (Object::Vlan(a), Object::Vlan(b)) => update_vlan(row, a, b, ground),
        (Object::Subnet(a), Object::Subnet(b)) => update_subnet(row, a, b, ground),
        (Object::Range(a), Object::Range(b)) => update_range(row, a, b, ground),
        (Object::Route(a), Object::Route(b)) => update_route(row, a, b, ground),
        (Object::ReservedIp(a), Object::ReservedIp(b)) => update_reserved_ip(row, a, b),
        (Object::Interface(a), Object::Interface(b)) => node::update_interface(row, a, b, ground),
        (Object::Link(_), Object::Link(_)) => Err(because(
            "a link cannot be changed; it is removed and made again".to_owned(),
        )),
        (Object::Snippet(_), Object::Snippet(_)) => Err(because(
            "a DHCP snippet is never changed; it is taken off and hung up again".to_owned(),
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
        ) => Err(because(format!(
            "`{}` cannot become `{}`",
            before.key(),
            after.key()
        ))),
    }
}

fn delete(before: &Object, ground: &ResolvedRefs) -> Made {
    let row = ground.row()?;
    let path = match before {
        Object::Space(_) => format!("spaces/{row}/"),
        Object::Fabric(_) => format!("fabrics/{row}/"),
        Object::Vlan(_) => format!("vlans/{row}/"),
        Object::Subnet(_) => format!("subnets/{row}/"),
        Object::Range(_) => format!("ipranges/{row}/"),
        Object::Route(_) => format!("static-routes/{row}/"),
        Object::ReservedIp(_) => format!("reservedips/{row}/"),
        Object::Snippet(_) => format!("dhcp-snippets/{row}/"),
        Object::Interface(interface) => return node::delete_interface(interface, row, ground),
        Object::Link(link) => return node::delete_link(link, row, ground),
    };
    Ok(MaasRequest::new(Method::Delete, path))
}

fn rename(path: &str, _before: &Space, after: &Space) -> MaasRequest {
    put(path.to_owned()).with("name", &after.name)
}

fn create_vlan(vlan: &Vlan, ground: &ResolvedRefs) -> Made {
    let racks = vlan.primary_rack.is_some() || vlan.secondary_rack.is_some();
    if vlan.dhcp_on || racks || vlan.relay.is_some() {
        return Err(because(format!(
            "`{}` must be made first and be given DHCP afterwards",
            vlan.at
        )));
    }
    let fabric = ground.fabric(&vlan.at.fabric)?;
    let mut request = post(&format!("fabrics/{fabric}/vlans/"))
        .with("vid", vlan.at.vid.to_string())
        .with("mtu", vlan.mtu.to_string());
    if let Some(name) = &vlan.name {
        request = request.with("name", name);
    }
    if let Some(space) = &vlan.space {
        request = request.with("space", space_name(space)?);
    }
    Ok(request)
}

fn update_vlan(row: u64, before: &Vlan, after: &Vlan, ground: &ResolvedRefs) -> Made {
    let mut request = put(format!("vlans/{row}/"));
    if before.at.fabric != after.at.fabric {
        request = request.with("fabric", ground.fabric(&after.at.fabric)?);
    }
    if before.at.vid != after.at.vid {
        request = request.with("vid", after.at.vid.to_string());
    }
    if let (true, Some(name)) = (before.name != after.name, &after.name) {
        request = request.with("name", name);
    }
    if before.space != after.space {
        let space = after.space.as_deref().map_or(Ok(""), space_name)?;
        request = request.with("space", space);
    }
    let racks = |vlan: &Vlan| (vlan.primary_rack.clone(), vlan.secondary_rack.clone());
    let turned = before.dhcp_on != after.dhcp_on;
    if turned {
        request = request.with("dhcp_on", boolean(after.dhcp_on));
    }
    // Both racks or none: clearing the primary alone promotes the secondary (3.5.9 maasserver/forms/vlan.py:106-112).
    if racks(before) != racks(after) || (turned && after.dhcp_on) {
        request = request
            .with(
                "primary_rack",
                after.primary_rack.as_deref().unwrap_or_default(),
            )
            .with(
                "secondary_rack",
                after.secondary_rack.as_deref().unwrap_or_default(),
            );
    }
    if before.relay != after.relay {
        let relay = match &after.relay {
            Some(at) => ground.vlan(at)?,
            None => String::new(),
        };
        request = request.with("relay_vlan", relay);
    }
    // A write that changes nothing still sends something: it makes MAAS serve what was changed before.
    if before.mtu != after.mtu || request.form.is_empty() {
        request = request.with("mtu", after.mtu.to_string());
    }
    Ok(request)
}

/// MAAS takes a name or a row number here, so a name of digits could be taken for another space's number.
fn space_name(name: &str) -> Result<&str, NoRequest> {
    if name.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(because(format!(
            "the space's name `{name}` is a number, which MAAS would take for a row number"
        )));
    }
    Ok(name)
}

fn create_subnet(subnet: &Subnet, ground: &ResolvedRefs) -> Made {
    let mut request = post("subnets/")
        .with("cidr", subnet.cidr.to_string())
        .with("name", &subnet.name)
        .with("vlan", ground.vlan(&subnet.vlan)?);
    if let Some(gateway) = subnet.gateway {
        request = request.with("gateway_ip", gateway.to_string());
    }
    if !subnet.dns.is_empty() {
        request = request.with("dns_servers", dns(subnet));
    }
    if !subnet.description.is_empty() {
        request = request.with("description", &subnet.description);
    }
    if !subnet.disabled_boot_architectures.is_empty() {
        request = request.with(
            "disabled_boot_architectures",
            subnet.disabled_boot_architectures.join(","),
        );
    }
    Ok(with_flags(request, SubnetFlags::default(), subnet.flags))
}

fn update_subnet(row: u64, before: &Subnet, after: &Subnet, ground: &ResolvedRefs) -> Made {
    let mut request = put(format!("subnets/{row}/"));
    let moved = before.cidr != after.cidr;
    if moved {
        request = request.with("cidr", after.cidr.to_string());
    }
    if before.vlan != after.vlan {
        request = request.with("vlan", ground.vlan(&after.vlan)?);
    }
    // With the CIDR always, because an old gateway outside the new CIDR is a 400.
    if before.gateway != after.gateway || moved {
        let gateway = after.gateway.map(|ip| ip.to_string());
        request = request.with("gateway_ip", gateway.unwrap_or_default());
    }
    if before.dns != after.dns {
        request = request.with("dns_servers", dns(after));
    }
    if before.description != after.description {
        request = request.with("description", &after.description);
    }
    if before.disabled_boot_architectures != after.disabled_boot_architectures {
        request = request.with(
            "disabled_boot_architectures",
            after.disabled_boot_architectures.join(","),
        );
    }
    request = with_flags(request, before.flags, after.flags);
    // With the CIDR always, because MAAS renames by itself when the name was the old CIDR.
    if before.name != after.name || moved || request.form.is_empty() {
        request = request.with("name", &after.name);
    }
    Ok(request)
}

fn with_flags(mut request: MaasRequest, before: SubnetFlags, after: SubnetFlags) -> MaasRequest {
    let flags = [
        ("managed", before.managed, after.managed),
        ("allow_dns", before.allow_dns, after.allow_dns),
        ("allow_proxy", before.allow_proxy, after.allow_proxy),
        (
            "active_discovery",
            before.active_discovery,
            after.active_discovery,
        ),
    ];
    for (name, before, after) in flags {
        if before != after {
            request = request.with(name, boolean(after));
        }
    }
    if before.rdns_mode != after.rdns_mode {
        request = request.with("rdns_mode", after.rdns_mode.to_string());
    }
    request
}

fn update_range(row: u64, before: &IpRange, after: &IpRange, ground: &ResolvedRefs) -> Made {
    let mut request = put(format!("ipranges/{row}/"));
    if before.subnet != after.subnet {
        request = request.with("subnet", ground.subnet(after.subnet)?);
    }
    if before.kind != after.kind {
        request = request.with("type", kind(after.kind));
    }
    if before.range != after.range {
        request = request
            .with("start_ip", after.range.start().to_string())
            .with("end_ip", after.range.end().to_string());
    }
    // The same comment again is how dhcpd is made to hear of a changed gateway on 3.7.
    if before.comment != after.comment || request.form.is_empty() {
        request = request.with("comment", &after.comment);
    }
    Ok(request)
}

fn update_route(
    row: u64,
    before: &StaticRoute,
    after: &StaticRoute,
    ground: &ResolvedRefs,
) -> Made {
    let mut request = put(format!("static-routes/{row}/"));
    if before.source != after.source {
        request = request.with("source", ground.subnet(after.source)?);
    }
    if before.destination != after.destination {
        request = request.with("destination", ground.subnet(after.destination)?);
    }
    if before.gateway != after.gateway {
        request = request.with("gateway_ip", after.gateway.to_string());
    }
    if before.metric != after.metric || request.form.is_empty() {
        request = request.with("metric", after.metric.to_string());
    }
    Ok(request)
}

fn update_reserved_ip(row: u64, before: &ReservedIp, after: &ReservedIp) -> Made {
    let fixed = |it: &ReservedIp| (it.ip, it.mac.clone(), it.subnet);
    if fixed(before) != fixed(after) {
        return Err(because(
            "address, MAC and subnet of a reserved IP cannot be changed; it is removed and made again"
                .to_owned(),
        ));
    }
    Ok(put(format!("reservedips/{row}/")).with("comment", &after.comment))
}

fn create_snippet(snippet: &Snippet, ground: &ResolvedRefs) -> Made {
    Ok(post("dhcp-snippets/")
        .with("name", &snippet.name)
        .with("value", &snippet.value)
        .with("description", &snippet.description)
        .with("enabled", boolean(snippet.enabled))
        .with("subnet", ground.subnet(snippet.subnet)?))
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

fn dns(subnet: &Subnet) -> String {
    let servers: Vec<String> = subnet.dns.iter().map(ToString::to_string).collect();
    servers.join(" ")
}
