//! What changes on an interface, in words. Must not know where it is shown.

use topology::object::Interface;

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
    format!(
        "interface {}:{}: {}",
        after.host,
        after.name,
        words.join(", ")
    )
}

fn listed(interface: &Interface) -> String {
    let names: Vec<&str> = interface.parents.iter().map(String::as_str).collect();
    names.join(" ")
}
