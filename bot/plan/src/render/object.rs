//! An object on one line, as a step that creates or deletes it shows it. Must not know steps.

use topology::object::{
    Interface, InterfaceParam, InterfaceSettings, Link, Object, RangeKind, Snippet, Subnet,
    SubnetFlags, Vlan,
};

/// The object with every field that MAAS would not set by itself.
pub(super) fn object(object: &Object) -> String {
    match object {
        Object::Space(space) => format!("space {}", space.name),
        Object::Fabric(fabric) => format!("fabric {}", fabric.name),
        Object::Vlan(row) => vlan(row),
        Object::Subnet(row) => subnet(row),
        Object::Range(range) => {
            let kind = range_type(range.kind);
            format!("range {} {kind}{}", range.range, comment(&range.comment))
        }
        Object::Route(route) => format!(
            "route {} to {} via {} metric {}",
            route.source, route.destination, route.gateway, route.metric
        ),
        Object::ReservedIp(reserved) => {
            let comment = comment(&reserved.comment);
            format!("reserved ip {} for {}{comment}", reserved.ip, reserved.mac)
        }
        Object::Interface(row) => interface(row),
        Object::Link(row) => link(row),
        Object::Snippet(row) => snippet(row),
    }
}

fn vlan(vlan: &Vlan) -> String {
    let mut words = format!("vlan {} mtu {}", vlan.at, vlan.mtu);
    if let Some(space) = &vlan.space {
        words.push_str(&format!(" in space {space}"));
    }
    if let Some(name) = vlan.name.as_ref().filter(|name| !name.is_empty()) {
        words.push_str(&format!(", name {name}"));
    }
    if vlan.dhcp_on {
        words.push_str(", dhcp_on");
    }
    for (field, rack) in [
        ("primary_rack", &vlan.primary_rack),
        ("secondary_rack", &vlan.secondary_rack),
    ] {
        if let Some(rack) = rack {
            words.push_str(&format!(", {field} {rack}"));
        }
    }
    if let Some(relay) = &vlan.relay {
        words.push_str(&format!(", relay_vlan {relay}"));
    }
    words
}

fn subnet(subnet: &Subnet) -> String {
    let mut words = format!("subnet {} {} on {}", subnet.cidr, subnet.name, subnet.vlan);
    if let Some(gateway) = subnet.gateway {
        words.push_str(&format!(", gateway {gateway}"));
    }
    if !subnet.dns.is_empty() {
        words.push_str(&format!(", dns_servers {}", listed(&subnet.dns)));
    }
    if !subnet.description.is_empty() {
        words.push_str(&format!(
            ", description {}",
            quoted_text(&subnet.description)
        ));
    }
    let (flags, usual) = (subnet.flags, SubnetFlags::default());
    for (field, value, usual) in [
        ("managed", flags.managed, usual.managed),
        ("allow_dns", flags.allow_dns, usual.allow_dns),
        ("allow_proxy", flags.allow_proxy, usual.allow_proxy),
        (
            "active_discovery",
            flags.active_discovery,
            usual.active_discovery,
        ),
    ] {
        if value != usual {
            words.push_str(&format!(", {field} {value}"));
        }
    }
    if flags.rdns_mode != usual.rdns_mode {
        words.push_str(&format!(", rdns_mode {}", flags.rdns_mode));
    }
    if !subnet.disabled_boot_architectures.is_empty() {
        words.push_str(&format!(
            ", disabled_boot_architectures {}",
            listed(&subnet.disabled_boot_architectures)
        ));
    }
    words
}

/// MAAS's word for what a range is for.
pub(super) fn range_type(kind: RangeKind) -> &'static str {
    match kind {
        RangeKind::Reserved => "reserved",
        RangeKind::Dynamic => "dynamic",
    }
}

fn interface(interface: &Interface) -> String {
    let vlan = interface
        .vlan
        .as_ref()
        .map(|vlan| format!(", vlan {vlan}"))
        .unwrap_or_default();
    format!(
        "interface {}:{} over {}{vlan}{}",
        interface.host,
        interface.name,
        ports(interface),
        settings(interface)
    )
}

/// `, bond_mode 802.3ad, mtu 9000`: what MAAS would not make by itself, and always a bond's mode.
fn settings(interface: &Interface) -> String {
    let settings: &InterfaceSettings = &interface.settings;
    let mut words = String::new();
    for param in InterfaceParam::all().filter(|param| param.kind() == interface.kind) {
        let value = settings.param(param);
        if value != param.default_value() || param == InterfaceParam::BondMode {
            words.push_str(&format!(", {} {value}", param.word()));
        }
    }
    if let Some(mtu) = settings.mtu {
        words.push_str(&format!(", mtu {mtu}"));
    }
    if !settings.tags.is_empty() {
        words.push_str(&format!(", tags {}", listed(&settings.tags)));
    }
    if settings.disabled {
        words.push_str(", not enabled");
    }
    words
}

/// The parents of an interface.
pub(super) fn ports(interface: &Interface) -> String {
    listed(&interface.parents)
}

fn link(link: &Link) -> String {
    let gateway = if link.default_gateway {
        ", default gateway"
    } else {
        ""
    };
    format!(
        "link {}:{} on {} {}{gateway}",
        link.host, link.interface, link.subnet, link.mode
    )
}

fn snippet(snippet: &Snippet) -> String {
    let off = if snippet.enabled { "" } else { ", disabled" };
    format!(
        "dhcp snippet {} of {}, {} bytes{off}",
        quoted_text(&snippet.name),
        snippet.subnet,
        snippet.value.len()
    )
}

/// A comment after what it is about; nothing if there is none.
fn comment(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    format!(" {}", quoted_text(text))
}

/// Free text, shortened to 60 characters.
pub(super) fn shortened(text: &str) -> String {
    const SHOWN: usize = 60;
    if text.chars().count() <= SHOWN {
        return text.to_owned();
    }
    text.chars().take(SHOWN - 1).chain(['…']).collect()
}

/// Free text in quotation marks, shortened; `none` if there is none.
pub(super) fn quoted_text(text: &str) -> String {
    if text.is_empty() {
        return "none".to_owned();
    }
    format!("\"{}\"", shortened(text))
}

/// Values with spaces between them.
pub(super) fn listed<T: ToString>(values: impl IntoIterator<Item = T>) -> String {
    let values: Vec<String> = values.into_iter().map(|it| it.to_string()).collect();
    if values.is_empty() {
        return "none".to_owned();
    }
    values.join(" ")
}
