//! One plane's file; a field is written only if omitting it would mean something else.

use super::import::{ImportedPlane, SiteImport};
use super::literal::{SCHEMA_LINE, address_in, literal};
use super::scalar::{comment, scalar};
use crate::address::{Cidr, Range};
use crate::check::names::{self, NameKind};
use crate::object::{
    IpRange, Object, RangeKind, ReservedIp, StaticRoute, Subnet, SubnetFlags, Vlan,
};

/// Lines of YAML at one depth.
struct Lines {
    text: String,
    indent: &'static str,
    /// Replaces the next line's indent: the `- ` of a list item.
    first: Option<&'static str>,
}

impl Lines {
    fn line(&mut self, line: &str) {
        let lead = self.first.take().unwrap_or(self.indent);
        self.text.push_str(lead);
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn remark(&mut self, remark: &str) {
        self.text.push_str(self.indent);
        self.text.push_str(&comment(remark));
        self.text.push('\n');
    }
}

/// The whole file.
pub(super) fn file(import: &SiteImport<'_>, plane: &ImportedPlane<'_>) -> String {
    let mut lines = Lines {
        text: SCHEMA_LINE.to_owned(),
        indent: "",
        first: None,
    };
    lines.line(&format!("plane: {}", scalar(&plane.key)));
    vlan_lines(import, plane.vlan, &mut lines);
    let Some((first, further)) = plane.subnets.split_first() else {
        return lines.text;
    };
    subnet_lines(import, plane, first, &mut lines);
    if !further.is_empty() {
        lines.line("subnets:");
    }
    lines.indent = "    ";
    for subnet in further {
        lines.first = Some("  - ");
        subnet_lines(import, plane, subnet, &mut lines);
    }
    lines.text
}

fn vlan_lines(import: &SiteImport<'_>, vlan: &Vlan, lines: &mut Lines) {
    lines.line(&format!("fabric: {}", scalar(&vlan.at.fabric)));
    if vlan.at.vid != 0 {
        lines.line(&format!("vid: {}", vlan.at.vid));
    }
    if let Some(name) = vlan.name.as_deref().filter(|_| vlan.at.vid != 0) {
        if names::is_maas_name(NameKind::Vlan, name) {
            lines.line(&format!("vlan_name: {}", scalar(name)));
        } else {
            lines.remark(&format!("its VLAN's name is left alone: {name}"));
        }
    }
    match vlan.space.as_deref() {
        Some(space) if names::is_maas_name(NameKind::Space, space) && space != "undefined" => {
            lines.line(&format!("space: {}", scalar(space)));
        }
        Some(space) => lines.remark(&format!("its space's name is left alone: {space}")),
        None => {}
    }
    if (552..=65535).contains(&vlan.mtu) {
        if vlan.mtu != 1500 {
            lines.line(&format!("mtu: {}", vlan.mtu));
        }
    } else {
        lines.remark(&format!("its MTU is left alone: {}", vlan.mtu));
    }
    dhcp_line(import, vlan, lines);
}

fn dhcp_line(import: &SiteImport<'_>, vlan: &Vlan, lines: &mut Lines) {
    match dhcp(import, vlan) {
        Ok(served) if served == "off" => {}
        Ok(served) => lines.line(&format!("dhcp: {served}")),
        Err(why) => lines.remark(&why),
    }
}

/// The value of `dhcp` for a VLAN, or a comment on why it is left alone.
pub(super) fn dhcp(import: &SiteImport<'_>, vlan: &Vlan) -> Result<String, String> {
    if let Some(relay) = &vlan.relay {
        // A relay to a relayed VLAN cannot be declared.
        let plane = import
            .planes
            .get(relay)
            .filter(|plane| plane.vlan.relay.is_none());
        return match plane {
            Some(plane) => Ok(format!("{{relay: {}}}", scalar(&plane.key))),
            None => Err(format!("its DHCP relay is left alone: {relay}")),
        };
    }
    if !vlan.dhcp_on {
        return Ok("off".to_owned());
    }
    let host = |id: &Option<String>| import.rack(id.as_deref()?);
    match (host(&vlan.primary_rack), host(&vlan.secondary_rack)) {
        (Some(primary), Some(secondary)) => {
            let (primary, secondary) = (scalar(primary), scalar(secondary));
            Ok(format!("{{primary: {primary}, secondary: {secondary}}}"))
        }
        _ if vlan.primary_rack.is_some() => Ok("on".to_owned()),
        _ => Err("DHCP is on without a rack, and is left alone".to_owned()),
    }
}

/// One subnet with everything on it, as YAML without indentation.
pub(super) fn subnet_text(
    import: &SiteImport<'_>,
    plane: &ImportedPlane<'_>,
    subnet: &Subnet,
) -> String {
    let mut lines = Lines {
        text: String::new(),
        indent: "",
        first: None,
    };
    subnet_lines(import, plane, subnet, &mut lines);
    lines.text
}

fn subnet_lines(
    import: &SiteImport<'_>,
    plane: &ImportedPlane<'_>,
    subnet: &Subnet,
    lines: &mut Lines,
) {
    lines.line(&format!("cidr: {}", scalar_cidr(subnet.cidr)));
    let is_first = plane
        .subnets
        .first()
        .is_some_and(|first| first.cidr == subnet.cidr);
    let default_name = if is_first {
        plane.key.clone()
    } else {
        subnet.cidr.to_string()
    };
    if subnet.name != default_name {
        lines.line(&format!("name: {}", super::naming::subnet_name(subnet)));
    }
    match (plane.bare, subnet.gateway) {
        (Some(why), _) => {
            lines.remark(&format!(
                "left alone, because it could not be declared: {why}"
            ));
            lines.line("gateway: leave");
        }
        (None, Some(gateway)) => {
            lines.line(&format!("gateway: {}", address_in(subnet.cidr, gateway)));
        }
        (None, None) => {}
    }
    if !subnet.dns.is_empty() {
        let resolvers = subnet
            .dns
            .iter()
            .map(|ip| resolver(import, subnet.cidr, *ip));
        lines.line(&format!(
            "dns: [{}]",
            resolvers.collect::<Vec<_>>().join(", ")
        ));
    }
    if plane.bare.is_some() {
        lines.line("reserve: leave");
    } else {
        reserve_lines(import, subnet, lines);
        route_line(import, subnet, lines);
        reserved_ip_lines(import, subnet, lines);
    }
    flag_lines(subnet, lines);
}

pub(super) fn scalar_cidr(cidr: Cidr) -> String {
    if cidr.is_v6() {
        format!("\"{cidr}\"")
    } else {
        cidr.to_string()
    }
}

/// A resolver in another plane is written as a reference, which stays valid when that plane moves.
pub(super) fn resolver(import: &SiteImport<'_>, home: Cidr, ip: std::net::IpAddr) -> String {
    if home.contains(ip) {
        return address_in(home, ip);
    }
    // A reference resolves to the plane's subnet of the same address family.
    match import
        .reference(ip)
        .filter(|_| ip.is_ipv6() == home.is_v6())
    {
        Some((key, offset)) => format!("{key}+{offset}"),
        None => literal(ip),
    }
}

fn reserve_lines(import: &SiteImport<'_>, subnet: &Subnet, lines: &mut Lines) {
    let mut ranges: Vec<&IpRange> = import.observed.ranges_of(subnet.cidr).collect();
    ranges.sort_by_key(|range| range.range);
    if ranges.is_empty() {
        return;
    }
    lines.line("reserve:");
    for range in ranges {
        let item = reservation(subnet.cidr, range).replace('\n', "\n    ");
        for (number, line) in item.lines().enumerate() {
            lines.line(&format!("{}{line}", if number == 0 { "  - " } else { "" }));
        }
    }
}

/// One reservation, as YAML without indentation.
pub(super) fn reservation(cidr: Cidr, range: &IpRange) -> String {
    let mut stated = Vec::new();
    if !range.comment.is_empty() {
        stated.push(format!("name: {}", scalar(&range.comment)));
    }
    if let Some(purpose) = purpose(range) {
        stated.push(format!("purpose: {purpose}"));
    }
    stated.push(format!("range: {}", range_in(cidr, range.range)));
    stated.join("\n")
}

/// MAAS distinguishes only dynamic and reserved. The other purposes are guessed from the comment; they are all the same to
/// MAAS.
pub(super) fn purpose(range: &IpRange) -> Option<&'static str> {
    if range.kind == RangeKind::Dynamic {
        return Some("dynamic");
    }
    let comment = range.comment.to_lowercase();
    let words: Vec<&str> = comment.split(|c: char| !c.is_alphanumeric()).collect();
    let says = |known: &[&str]| words.iter().any(|word| known.contains(word));
    if says(&["vip", "vips", "virtual"]) {
        Some("vip")
    } else if says(&["floating", "fip", "fips", "float"]) {
        Some("floating")
    } else if says(&[
        "management",
        "mgmt",
        "bmc",
        "ipmi",
        "oob",
        "console",
        "switch",
        "switches",
        "infra",
    ]) {
        Some("management")
    } else {
        None
    }
}

pub(super) fn range_in(cidr: Cidr, range: Range) -> String {
    let (start, end) = (
        address_in(cidr, range.start()),
        address_in(cidr, range.end()),
    );
    match (start.starts_with('+'), end.starts_with('+')) {
        (true, true) if start == end => start,
        (true, true) => format!("{start}..{end}"),
        // Either both as offsets or both in full.
        _ if range.start().is_ipv6() => format!("\"{}..{}\"", range.start(), range.end()),
        _ => format!("{}..{}", range.start(), range.end()),
    }
}

fn route_line(import: &SiteImport<'_>, subnet: &Subnet, lines: &mut Lines) {
    let Some(routes) = import.routes.get(&subnet.cidr) else {
        return;
    };
    if routes
        .iter()
        .any(|route| !subnet.cidr.contains(route.gateway))
    {
        return lines.remark("its static routes are left alone: a gateway is outside the subnet");
    }
    lines.line("routes:");
    for route in routes {
        lines.line(&format!("  - {}", self::route(import, subnet.cidr, route)));
    }
}

/// One static route, on one line.
pub(super) fn route(import: &SiteImport<'_>, home: Cidr, route: &StaticRoute) -> String {
    let to = destination(import, route.destination);
    let via = address_in(home, route.gateway);
    let metric = if route.metric == 0 {
        String::new()
    } else {
        format!(", metric: {}", route.metric)
    };
    format!("{{to: {to}, via: {via}{metric}}}")
}

/// A route's destination: a plane if it is that plane's first subnet of its family, otherwise a network.
pub(super) fn destination(import: &SiteImport<'_>, cidr: Cidr) -> String {
    let plane = import.plane_of(cidr).filter(|plane| {
        let mut of_family = plane
            .subnets
            .iter()
            .filter(|s| s.cidr.is_v6() == cidr.is_v6());
        of_family.next().is_some_and(|first| first.cidr == cidr)
    });
    plane.map_or_else(|| scalar_cidr(cidr), |plane| scalar(&plane.key))
}

fn reserved_ip_lines(import: &SiteImport<'_>, subnet: &Subnet, lines: &mut Lines) {
    let of: Vec<&ReservedIp> = import
        .observed
        .all()
        .filter_map(Object::as_reserved_ip)
        .filter(|reserved| reserved.subnet == subnet.cidr)
        .collect();
    if of.is_empty() {
        return;
    }
    lines.line("reserved_ips:");
    for reserved in of {
        lines.line(&format!("  - {}", reserved_ip(subnet.cidr, reserved)));
    }
}

/// One reserved IP, on one line.
pub(super) fn reserved_ip(home: Cidr, reserved: &ReservedIp) -> String {
    let ip = address_in(home, reserved.ip);
    let comment = if reserved.comment.is_empty() {
        String::new()
    } else {
        format!(", comment: {}", scalar(&reserved.comment))
    };
    format!(
        "{{ip: {ip}, mac: \"{}\"{comment}}}",
        scalar_inside(&reserved.mac)
    )
}

/// A MAC has only hex digits and colons; anything else could end the quotes.
fn scalar_inside(mac: &str) -> String {
    mac.chars()
        .filter(|c| c.is_ascii_hexdigit() || matches!(c, ':' | '-'))
        .collect()
}

fn flag_lines(subnet: &Subnet, lines: &mut Lines) {
    let usual = SubnetFlags::default();
    let flags = subnet.flags;
    let switches = [
        ("managed", flags.managed, usual.managed),
        ("allow_dns", flags.allow_dns, usual.allow_dns),
        ("allow_proxy", flags.allow_proxy, usual.allow_proxy),
        (
            "active_discovery",
            flags.active_discovery,
            usual.active_discovery,
        ),
    ];
    for (name, value, _) in switches
        .into_iter()
        .filter(|(_, value, usual)| value != usual)
    {
        lines.line(&format!("{name}: {value}"));
    }
    if flags.rdns_mode != usual.rdns_mode && flags.rdns_mode <= 2 {
        lines.line(&format!("rdns_mode: {}", flags.rdns_mode));
    }
    if !subnet.description.is_empty() {
        lines.line(&format!(
            "subnet_description: {}",
            scalar(&subnet.description)
        ));
    }
    if !subnet.disabled_boot_architectures.is_empty() {
        let all: Vec<String> = subnet
            .disabled_boot_architectures
            .iter()
            .map(|a| scalar(a))
            .collect();
        lines.line(&format!(
            "disabled_boot_architectures: [{}]",
            all.join(", ")
        ));
    }
}
