//! What an interface may be set to in the files: MTU, tags, parameters of bonds and bridges. Must not know which of them
//! belong to which type of interface.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::leaf::{Leaf, LeafError};
use super::reading::{Located, record};
use crate::finding::{codes, shown};
use crate::object::{InterfaceParam, ParamValues};

/// Declares a type for a parameter with a fixed list of words.
macro_rules! words {
    ($($(#[$meta:meta])* $name:ident of $param:ident;)*) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub(crate) struct $name(pub(crate) String);

        impl Leaf for $name {
            const EXPECTED: &'static str = "a word";

            fn parse(text: &str, _: bool) -> Result<Self, LeafError> {
                one_of(InterfaceParam::$param, text).map(Self)
            }
        }

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({"enum": choices(InterfaceParam::$param)})
            }
        }
    )*};
}

words! {
    /// How a bond uses its ports.
    BondMode of BondMode;
    /// How often LACP packets are sent.
    LacpRate of BondLacpRate;
    /// By what a bond chooses the port of a packet.
    XmitHashPolicy of BondXmitHashPolicy;
    /// What makes a bridge.
    BridgeType of BridgeType;
}

fn choices(param: InterfaceParam) -> &'static [&'static str] {
    match param.values() {
        ParamValues::OneOf(words) => words,
        ParamValues::Number { .. } | ParamValues::Flag => &[],
    }
}

fn one_of(param: InterfaceParam, text: &str) -> Result<String, LeafError> {
    let words = choices(param);
    if words.contains(&text) {
        return Ok(text.to_owned());
    }
    let known: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    Err(LeafError {
        code: codes::VALUE_RANGE,
        message: format!("`{}` is not one of the choices", shown(text)),
        help: format!("write one of {}", known.join(", ")),
    })
}

record! {
    /// What an interface is set to. What is omitted is left alone.
    pub(crate) struct SettingsDraft {
        /// The interface's own MTU in bytes, 552 to 65535. Omitted: left alone.
        #[schemars(range(min = 552, max = 65535))]
        mtu: Option<Located<u32>>,
        /// All its tags. Omitted: left alone. `[]`: none.
        tags: Option<Vec<Located<String>>>,
        /// Whether it is enabled. Omitted: left alone.
        enabled: Option<Located<bool>>,
        /// A bond's mode, such as `802.3ad`. Omitted: left alone; MAAS makes a new bond `balance-rr`.
        bond_mode: Option<Located<BondMode>>,
        /// `fast` or `slow`, for `802.3ad`. Omitted: left alone.
        bond_lacp_rate: Option<Located<LacpRate>>,
        /// `layer2`, `layer2+3`, `layer3+4`, `encap2+3` or `encap3+4`. Omitted: left alone.
        bond_xmit_hash_policy: Option<Located<XmitHashPolicy>>,
        /// How often a bond looks at its links, in milliseconds. Omitted: left alone.
        bond_miimon: Option<Located<u32>>,
        /// How long a port must be up before it is used, in milliseconds. Omitted: left alone.
        bond_updelay: Option<Located<u32>>,
        /// How long a port must be down before it is left, in milliseconds. Omitted: left alone.
        bond_downdelay: Option<Located<u32>>,
        /// How many peers are told when the port changes, 0 to 255. Omitted: left alone.
        #[schemars(range(min = 0, max = 255))]
        bond_num_grat_arp: Option<Located<u32>>,
        /// `standard` or `ovs`. Omitted: left alone.
        bridge_type: Option<Located<BridgeType>>,
        /// Whether a bridge speaks the spanning tree protocol. Omitted: left alone.
        bridge_stp: Option<Located<bool>>,
        /// A bridge's forward delay in seconds. Omitted: left alone.
        bridge_fd: Option<Located<u32>>,
    }
}
