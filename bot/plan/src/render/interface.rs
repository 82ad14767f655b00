//! What changes on an interface, in words. Must not know where it is shown.

use topology::object::{Interface, InterfaceParam, InterfaceSettings};

/// The interface, and each field with its old and new value.
pub(super) fn interface_change(before: &Interface, after: &Interface) -> String {
    let mut words = Vec::new();
    let none = || "none".to_owned();
    if before.parents != after.parents {
        words.push(format!("over {} -> {}", listed(before), listed(after)));
    }
    if before.vlan != after.vlan {
        let vlan = |it: &Interface| it.vlan.as_ref().map_or_else(none, ToString::to_string);
        words.push(format!("vlan {} -> {}", vlan(before), vlan(after)));
    }
    let (old, new) = (&before.settings, &after.settings);
    for param in InterfaceParam::all() {
        let (old, new) = (old.param(param), new.param(param));
        if old != new {
            words.push(format!("{} {old} -> {new}", param.word()));
        }
    }
    if old.mtu != new.mtu {
        let mtu = |mtu: Option<u32>| mtu.map_or_else(none, |mtu| mtu.to_string());
        words.push(format!("mtu {} -> {}", mtu(old.mtu), mtu(new.mtu)));
    }
    if old.disabled != new.disabled {
        words.push(format!("enabled {} -> {}", !old.disabled, !new.disabled));
    }
    if old.tags != new.tags {
        words.push(format!("tags {} -> {}", tags(old), tags(new)));
    }
    format!(
        "interface {}:{}: {}",
        after.host,
        after.name,
        words.join(", ")
    )
}

/// `, bond_mode 802.3ad, mtu 9000`: what MAAS would not make by itself, and always a bond's mode.
pub(super) fn settings_words(interface: &Interface) -> String {
    let settings = &interface.settings;
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
        words.push_str(&format!(", tags {}", tags(settings)));
    }
    if settings.disabled {
        words.push_str(", not enabled");
    }
    words
}

fn tags(settings: &InterfaceSettings) -> String {
    let tags: Vec<&str> = settings.tags.iter().map(String::as_str).collect();
    if tags.is_empty() {
        return "none".to_owned();
    }
    tags.join(" ")
}

fn listed(interface: &Interface) -> String {
    let names: Vec<&str> = interface.parents.iter().map(String::as_str).collect();
    names.join(" ")
}
