//! What changes on an object: each field that differs, with its old and new value, under MAAS's name for it.
//!
//! Must not know steps, or where a line is shown.

use std::fmt::Display;

use topology::object::{
    Interface, InterfaceParam, IpRange, Link, Mode, Object, ReservedIp, Snippet, StaticRoute,
    Subnet, Vlan,
};

use super::object::{listed, ports, quoted_text, range_type};

/// The fields that differ, as `field old -> new`.
#[derive(Default)]
struct FieldChanges(Vec<String>);

impl FieldChanges {
    fn add<T: PartialEq + Display + ?Sized>(&mut self, field: &str, old: &T, new: &T) {
        if old != new {
            self.0.push(format!("{field} {old} -> {new}"));
        }
    }

    fn add_optional<T: PartialEq + Display>(
        &mut self,
        field: &str,
        old: Option<T>,
        new: Option<T>,
    ) {
        let shown = |value: Option<T>| value.map_or_else(|| "none".to_owned(), |it| it.to_string());
        self.add(field, &shown(old), &shown(new));
    }

    /// Free text. Of two long texts that begin alike, the part that differs is shown.
    fn add_text(&mut self, field: &str, old: &str, new: &str) {
        if old == new {
            return;
        }
        let (mut shown_old, mut shown_new) = (quoted_text(old), quoted_text(new));
        if shown_old == shown_new {
            let same = old.chars().zip(new.chars()).take_while(|(a, b)| a == b);
            let same = same.count();
            let rest = |text: &str| text.chars().skip(same).collect::<String>();
            shown_old = format!("…{}", quoted_text(&rest(old)));
            shown_new = format!("…{}", quoted_text(&rest(new)));
        }
        self.add(field, &shown_old, &shown_new);
    }

    /// The fields after what they belong to.
    fn of(self, what: &str) -> String {
        if self.0.is_empty() {
            return format!("{what}: rewritten unchanged");
        }
        format!("{what}: {}", self.0.join(", "))
    }
}

/// What turns `before` into `after`, on one line.
pub(super) fn change(before: &Object, after: &Object) -> String {
    match (before, after) {
        (Object::Space(before), Object::Space(after)) => {
            format!("space {} -> {}", before.name, after.name)
        }
        (Object::Fabric(before), Object::Fabric(after)) => {
            format!("fabric {} -> {}", before.name, after.name)
        }
        (Object::Vlan(before), Object::Vlan(after)) => vlan(before, after),
        (Object::Subnet(before), Object::Subnet(after)) => subnet(before, after),
        (Object::Range(before), Object::Range(after)) => range(before, after),
        (Object::Route(before), Object::Route(after)) => route(before, after),
        (Object::ReservedIp(before), Object::ReservedIp(after)) => reserved_ip(before, after),
        (Object::Interface(before), Object::Interface(after)) => interface(before, after),
        (Object::Link(before), Object::Link(after)) => link(before, after),
        (Object::Snippet(before), Object::Snippet(after)) => snippet(before, after),
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
            after,
        ) => super::object::object(after),
    }
}

fn vlan(before: &Vlan, after: &Vlan) -> String {
    let mut fields = FieldChanges::default();
    fields.add("fabric", &before.at.fabric, &after.at.fabric);
    fields.add("vid", &before.at.vid, &after.at.vid);
    fields.add_optional("name", before.name.as_ref(), after.name.as_ref());
    fields.add("mtu", &before.mtu, &after.mtu);
    fields.add_optional("space", before.space.as_ref(), after.space.as_ref());
    fields.add("dhcp_on", &before.dhcp_on, &after.dhcp_on);
    let racks = (before.primary_rack.as_ref(), after.primary_rack.as_ref());
    fields.add_optional("primary_rack", racks.0, racks.1);
    let racks = (
        before.secondary_rack.as_ref(),
        after.secondary_rack.as_ref(),
    );
    fields.add_optional("secondary_rack", racks.0, racks.1);
    fields.add_optional("relay_vlan", before.relay.as_ref(), after.relay.as_ref());
    fields.of(&format!("vlan {}", after.at))
}

fn subnet(before: &Subnet, after: &Subnet) -> String {
    let mut fields = FieldChanges::default();
    fields.add("cidr", &before.cidr, &after.cidr);
    fields.add("vlan", &before.vlan, &after.vlan);
    fields.add("name", &before.name, &after.name);
    fields.add_optional("gateway", before.gateway, after.gateway);
    fields.add("dns_servers", &listed(&before.dns), &listed(&after.dns));
    fields.add_text("description", &before.description, &after.description);
    let (old, new) = (before.flags, after.flags);
    fields.add("managed", &old.managed, &new.managed);
    fields.add("allow_dns", &old.allow_dns, &new.allow_dns);
    fields.add("allow_proxy", &old.allow_proxy, &new.allow_proxy);
    fields.add(
        "active_discovery",
        &old.active_discovery,
        &new.active_discovery,
    );
    fields.add("rdns_mode", &old.rdns_mode, &new.rdns_mode);
    fields.add(
        "disabled_boot_architectures",
        &listed(&before.disabled_boot_architectures),
        &listed(&after.disabled_boot_architectures),
    );
    fields.of(&format!("subnet {} {}", after.cidr, after.name))
}

fn range(before: &IpRange, after: &IpRange) -> String {
    let mut fields = FieldChanges::default();
    fields.add("addresses", &before.range, &after.range);
    fields.add("type", &range_type(before.kind), &range_type(after.kind));
    fields.add("subnet", &before.subnet, &after.subnet);
    fields.add_text("comment", &before.comment, &after.comment);
    let kind = range_type(after.kind);
    // A comment that changes is among the fields.
    let name = match after.comment.as_str() {
        "" => String::new(),
        name if name == before.comment => format!(" {}", quoted_text(name)),
        _ => String::new(),
    };
    fields.of(&format!("range {} {kind}{name}", after.range))
}

fn route(before: &StaticRoute, after: &StaticRoute) -> String {
    let mut fields = FieldChanges::default();
    fields.add("source", &before.source, &after.source);
    fields.add("destination", &before.destination, &after.destination);
    fields.add("gateway_ip", &before.gateway, &after.gateway);
    fields.add("metric", &before.metric, &after.metric);
    fields.of(&format!(
        "route {} to {} via {}",
        after.source, after.destination, after.gateway
    ))
}

fn reserved_ip(before: &ReservedIp, after: &ReservedIp) -> String {
    let mut fields = FieldChanges::default();
    fields.add("ip", &before.ip, &after.ip);
    fields.add("mac_address", &before.mac, &after.mac);
    fields.add("subnet", &before.subnet, &after.subnet);
    fields.add_text("comment", &before.comment, &after.comment);
    fields.of(&format!("reserved ip {} for {}", after.ip, after.mac))
}

fn interface(before: &Interface, after: &Interface) -> String {
    let mut fields = FieldChanges::default();
    fields.add("name", &before.name, &after.name);
    fields.add("parents", &ports(before), &ports(after));
    fields.add_optional("vlan", before.vlan.as_ref(), after.vlan.as_ref());
    let (old, new) = (&before.settings, &after.settings);
    for param in InterfaceParam::all() {
        fields.add(param.word(), &old.param(param), &new.param(param));
    }
    fields.add_optional("mtu", old.mtu, new.mtu);
    fields.add("enabled", &!old.disabled, &!new.disabled);
    fields.add("tags", &listed(&old.tags), &listed(&new.tags));
    fields.of(&format!("interface {}:{}", after.host, after.name))
}

fn link(before: &Link, after: &Link) -> String {
    let mut fields = FieldChanges::default();
    fields.add("subnet", &before.subnet, &after.subnet);
    match (before.mode, after.mode) {
        (Mode::Static(old), Mode::Static(new)) => fields.add("ip_address", &old, &new),
        (old, new) => fields.add("mode", &old, &new),
    }
    fields.add(
        "default gateway",
        &before.default_gateway,
        &after.default_gateway,
    );
    let at = format!("link {}:{}", after.host, after.interface);
    fields.of(&format!("{at} on {} {}", after.subnet, after.mode))
}

fn snippet(before: &Snippet, after: &Snippet) -> String {
    let mut fields = FieldChanges::default();
    fields.add("subnet", &before.subnet, &after.subnet);
    fields.add_text("name", &before.name, &after.name);
    if before.value != after.value {
        let bytes = |it: &Snippet| format!("{} bytes", it.value.len());
        fields
            .0
            .push(format!("value {} -> {}", bytes(before), bytes(after)));
    }
    fields.add_text("description", &before.description, &after.description);
    fields.add("enabled", &before.enabled, &after.enabled);
    let name = quoted_text(&after.name);
    fields.of(&format!("dhcp snippet {name} of {}", after.subnet))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_long_texts_that_begin_alike_the_end_is_shown() {
        let mut fields = FieldChanges::default();
        let long = "a".repeat(80);
        fields.add_text("description", &format!("{long}x"), &format!("{long}y"));
        fields.add_text("comment", "", "new");
        fields.add_text("name", "same", "same");
        assert_eq!(
            fields.of("subnet"),
            "subnet: description …\"x\" -> …\"y\", comment none -> \"new\""
        );
    }
}
