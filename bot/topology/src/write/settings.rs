//! What an interface is set to, as keys of its line. Must not know how a file is edited.

use crate::object::{InterfaceKind, InterfaceParam, InterfaceSettings};
use crate::plane::DeclaredSettings;

use super::patch::FieldEdits;
use super::scalar::scalar;

/// The keys, in the order of the documentation.
pub(super) const KEYS: [&str; 13] = [
    "mtu",
    "tags",
    "enabled",
    "bond_mode",
    "bond_lacp_rate",
    "bond_xmit_hash_policy",
    "bond_miimon",
    "bond_updelay",
    "bond_downdelay",
    "bond_num_grat_arp",
    "bridge_type",
    "bridge_stp",
    "bridge_fd",
];

/// `, bond_mode: 802.3ad, mtu: 9000`: what MAAS would not make by itself, and always a bond's mode.
pub(super) fn settings_text(kind: InterfaceKind, settings: &InterfaceSettings) -> String {
    let mut text = String::new();
    let mut add = |key: &str, value: &str| text.push_str(&format!(", {key}: {value}"));
    for param in InterfaceParam::all().filter(|param| param.kind() == kind) {
        let value = settings.param(param);
        if value != param.default_value() || param == InterfaceParam::BondMode {
            add(param.word(), &scalar_of(param, value));
        }
    }
    if let Some(mtu) = settings.mtu {
        add("mtu", &mtu.to_string());
    }
    if !settings.tags.is_empty() {
        add("tags", &list(settings));
    }
    if settings.disabled {
        add("enabled", "false");
    }
    text
}

/// Updates what is declared; what is left alone stays so.
pub(super) fn change(
    before: &DeclaredSettings,
    now: &InterfaceSettings,
    fields: &mut FieldEdits<'_>,
) {
    for (param, value) in &before.params {
        let there = now.param(*param);
        if there != value {
            fields.set(param.word(), &scalar_of(*param, there));
        }
    }
    match (before.mtu, now.mtu) {
        (Some(_), None) => fields.remove("mtu"),
        (Some(before), Some(mtu)) if before != mtu => fields.set("mtu", &mtu.to_string()),
        (Some(_) | None, _) => {}
    }
    if before.tags.as_ref().is_some_and(|tags| *tags != now.tags) {
        fields.set("tags", &list(now));
    }
    if before.enabled == Some(now.disabled) {
        fields.set("enabled", if now.disabled { "false" } else { "true" });
    }
}

fn list(settings: &InterfaceSettings) -> String {
    let tags: Vec<String> = settings.tags.iter().map(|tag| scalar(tag)).collect();
    format!("[{}]", tags.join(", "))
}

/// A flag is written bare.
fn scalar_of(param: InterfaceParam, value: &str) -> String {
    match param {
        InterfaceParam::BondMode
        | InterfaceParam::BondLacpRate
        | InterfaceParam::BondXmitHashPolicy
        | InterfaceParam::BridgeType => scalar(value),
        InterfaceParam::BondMiimon
        | InterfaceParam::BondUpdelay
        | InterfaceParam::BondDowndelay
        | InterfaceParam::BondNumGratArp
        | InterfaceParam::BridgeStp
        | InterfaceParam::BridgeFd => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_parameter_has_a_key() {
        for param in InterfaceParam::all() {
            assert!(KEYS.contains(&param.word()), "{}", param.word());
        }
    }
}
