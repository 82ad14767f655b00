//! What an interface is set to besides its place: MTU, tags, whether it is enabled, and the parameters of bonds and
//! bridges. Must not know how any of it is declared or sent.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::InterfaceKind;

/// A parameter of a bond or of a bridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InterfaceParam {
    BondMode,
    BondLacpRate,
    BondXmitHashPolicy,
    BondMiimon,
    BondUpdelay,
    BondDowndelay,
    BondNumGratArp,
    BridgeType,
    BridgeStp,
    BridgeFd,
}

/// What a parameter may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParamValues {
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A whole number from 0.
    Number { max: u32 },
    /// `true` or `false`.
    Flag,
}

/// A parameter, its name in MAAS and in files, the value that MAAS gives it when none is sent (seen on 3.5.12 and 3.7.3,
/// where the documentation says otherwise), and its values.
type ParamRow = (InterfaceParam, &'static str, &'static str, ParamValues);

const NUMBER: ParamValues = ParamValues::Number { max: 2_147_483_647 };

/// Each parameter once.
const PARAMS: [ParamRow; 10] = [
    (
        InterfaceParam::BondMode,
        "bond_mode",
        "balance-rr",
        ParamValues::OneOf(&[
            "balance-rr",
            "active-backup",
            "balance-xor",
            "broadcast",
            "802.3ad",
            "balance-tlb",
            "balance-alb",
        ]),
    ),
    (
        InterfaceParam::BondLacpRate,
        "bond_lacp_rate",
        "fast",
        ParamValues::OneOf(&["fast", "slow"]),
    ),
    (
        InterfaceParam::BondXmitHashPolicy,
        "bond_xmit_hash_policy",
        "layer2",
        ParamValues::OneOf(&["layer2", "layer2+3", "layer3+4", "encap2+3", "encap3+4"]),
    ),
    (InterfaceParam::BondMiimon, "bond_miimon", "100", NUMBER),
    (InterfaceParam::BondUpdelay, "bond_updelay", "0", NUMBER),
    (InterfaceParam::BondDowndelay, "bond_downdelay", "0", NUMBER),
    (
        InterfaceParam::BondNumGratArp,
        "bond_num_grat_arp",
        "1",
        ParamValues::Number { max: 255 },
    ),
    (
        InterfaceParam::BridgeType,
        "bridge_type",
        "standard",
        ParamValues::OneOf(&["standard", "ovs"]),
    ),
    (
        InterfaceParam::BridgeStp,
        "bridge_stp",
        "false",
        ParamValues::Flag,
    ),
    (InterfaceParam::BridgeFd, "bridge_fd", "15", NUMBER),
];

impl InterfaceParam {
    /// Every parameter, in the order of the documentation.
    pub fn all() -> impl Iterator<Item = Self> {
        PARAMS.iter().map(|row| row.0)
    }

    fn row(self) -> &'static ParamRow {
        let row = PARAMS.iter().find(|row| row.0 == self);
        row.expect("the table has a row for each parameter")
    }

    /// Its name, in MAAS and in files.
    pub fn word(self) -> &'static str {
        self.row().1
    }

    /// The value that MAAS gives it when none is sent.
    pub fn default_value(self) -> &'static str {
        self.row().2
    }

    /// What it may be.
    pub fn values(self) -> ParamValues {
        self.row().3
    }

    /// The type of interface that has it.
    pub fn kind(self) -> InterfaceKind {
        if self.word().starts_with("bond") {
            InterfaceKind::Bond
        } else {
            InterfaceKind::Bridge
        }
    }
}

/// What an interface is set to. [`Default`] is what MAAS makes when nothing is sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceSettings {
    /// Its own MTU in bytes; `None` if it follows its VLAN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtu: Option<u32>,
    /// Free words.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub tags: BTreeSet<String>,
    /// Whether it is switched off.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub disabled: bool,
    /// The parameters that differ from MAAS's defaults.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    params: BTreeMap<InterfaceParam, String>,
}

impl InterfaceSettings {
    /// Whether it is what MAAS makes when nothing is sent.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// The value of a parameter.
    pub fn param(&self, param: InterfaceParam) -> &str {
        self.params
            .get(&param)
            .map_or_else(|| param.default_value(), String::as_str)
    }

    /// Sets a parameter.
    pub fn set(&mut self, param: InterfaceParam, value: &str) {
        if value == param.default_value() {
            self.params.remove(&param);
        } else {
            self.params.insert(param, value.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_at_its_default_is_not_kept() {
        let mut settings = InterfaceSettings::default();
        for param in InterfaceParam::all() {
            settings.set(param, param.default_value());
        }
        assert!(settings.is_default());
        settings.set(InterfaceParam::BondMode, "802.3ad");
        assert_eq!(settings.param(InterfaceParam::BondMode), "802.3ad");
        settings.set(InterfaceParam::BondMode, "balance-rr");
        assert!(settings.is_default());
    }

    #[test]
    fn every_default_is_a_value_of_its_parameter() {
        for param in InterfaceParam::all() {
            let fits = match param.values() {
                ParamValues::OneOf(words) => words.contains(&param.default_value()),
                ParamValues::Number { max } => param.default_value().parse::<u32>().unwrap() <= max,
                ParamValues::Flag => ["true", "false"].contains(&param.default_value()),
            };
            assert!(fits, "{}", param.word());
        }
    }
}
