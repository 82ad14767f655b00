//! The schemas of scalars, for editors. Must not know how a scalar is parsed.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::leaf::{
    AddressRef, Destination, GatewayDraft, INTERFACE_KINDS, LinkAddress, Mac, Offset, PURPOSES,
    RangeRef, STRATEGIES, SpaceDraft, SubnetNameDraft,
};
use super::state::STATES;
use crate::address::Cidr;
use crate::object::InterfaceKind;
use crate::plane::{Purpose, Strategy};
use crate::removed::DeclaredState;

fn words<T>(table: &[(&'static str, T)]) -> Vec<&'static str> {
    table.iter().map(|(word, _)| *word).collect()
}

macro_rules! leaf_schema {
    ($($type:ty: $schema:expr;)*) => {$(
        impl JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                $schema
            }
        }
    )*};
}

// Editors parse an unquoted `+1` as a number, so numbers are allowed wherever an offset is.
leaf_schema! {
    Offset: json_schema!({"type": ["string", "integer"], "pattern": "^\\+([0-9]+|[0-9A-Fa-f:]*:[0-9A-Fa-f:]*)$"});
    AddressRef: json_schema!({"type": ["string", "integer"]});
    RangeRef: json_schema!({"type": ["string", "integer"]});
    GatewayDraft: json_schema!({"type": ["string", "integer"]});
    SubnetNameDraft: json_schema!({"type": "string"});
    SpaceDraft: json_schema!({"type": "string"});
    LinkAddress: json_schema!({"anyOf": [{"enum": ["host", "auto", "dhcp", "link-up"]}, {"type": ["string", "integer"]}]});
    Destination: json_schema!({"type": "string"});
    Mac: json_schema!({"type": "string"});
    Cidr: json_schema!({"type": "string", "pattern": "/[0-9]+$"});
    Purpose: json_schema!({"enum": words(PURPOSES)});
    DeclaredState: json_schema!({"enum": words(STATES)});
    Strategy: json_schema!({"enum": words(STRATEGIES)});
    InterfaceKind: json_schema!({"enum": words(INTERFACE_KINDS)});
}
