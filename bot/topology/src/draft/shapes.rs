//! Values with their own syntax: who serves DHCP, and the legs of a group of virtual addresses.
//!
//! Must not know what either means to MAAS.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::leaf::AddressRef;
use super::reading::{FromYaml, Located, Reader, record};
use crate::finding::FilePosition;
use crate::yaml::{Value, YamlNode};

/// Who serves DHCP.
#[derive(Clone, Debug)]
pub(crate) struct DhcpDraft {
    pub(crate) place: FilePosition,
    pub(crate) served: Served,
}

/// How DHCP is served.
#[derive(Clone, Debug)]
pub(crate) enum Served {
    Off,
    On,
    By(RacksDraft),
    Unread,
}

impl DhcpDraft {
    /// Whether requests are relayed to another plane.
    pub(crate) fn is_relay(&self) -> bool {
        matches!(&self.served, Served::By(racks) if racks.relay.is_some())
    }
}

record! {
    /// Which racks serve DHCP, or which plane requests are relayed to.
    pub(crate) struct RacksDraft {
        /// The primary rack, by host name.
        primary: Option<Located<String>>,
        /// The secondary rack, by host name.
        secondary: Option<Located<String>>,
        /// The plane that DHCP requests are relayed to.
        relay: Option<Located<String>>,
    }
}

record! {
    /// One leg of a group of virtual addresses.
    pub(crate) struct Leg {
        /// The plane.
        plane: Located<String>,
        /// `+51` or an address. Omitted: the group's `host`.
        address: Option<Located<AddressRef>>,
    }
}

/// Leg name to leg, in the order of the file.
#[derive(Clone, Debug)]
pub(crate) struct Legs(pub(crate) Vec<(Located<String>, Leg)>);

impl FromYaml for DhcpDraft {
    fn read(node: &YamlNode, reader: &mut Reader<'_, '_>) -> Option<Self> {
        let served = match &node.value {
            Value::Text { text, .. } if text == "on" => Served::On,
            Value::Text { text, .. } if text == "off" => Served::Off,
            Value::Map(_) => reader.record(node).map_or(Served::Unread, Served::By),
            Value::Nothing | Value::Text { .. } | Value::List(_) => {
                reader
                    .report_wrong_type(node, "`on`, `off`, `{primary: RACK}` or `{relay: PLANE}`");
                Served::Unread
            }
        };
        Some(Self {
            place: reader.place(node.at),
            served,
        })
    }
}

impl FromYaml for Legs {
    fn read(node: &YamlNode, reader: &mut Reader<'_, '_>) -> Option<Self> {
        let Value::Map(entries) = &node.value else {
            reader.report_wrong_type(node, "a mapping such as `{public: PLANE}`");
            return Some(Self(Vec::new()));
        };
        let mut legs = Vec::new();
        for (key, value) in entries {
            let name = Located {
                value: Some(key.text.clone()),
                place: reader.place(key.at),
            };
            let leg = if matches!(value.value, Value::Map(_)) {
                reader.record(value)
            } else {
                Located::read(value, reader).map(|plane| Leg {
                    plane,
                    address: None,
                })
            };
            legs.extend(leg.map(|leg| (name, leg)));
        }
        Some(Self(legs))
    }
}

impl JsonSchema for DhcpDraft {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Dhcp".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let racks = generator.subschema_for::<RacksDraft>();
        json_schema!({"anyOf": [{"enum": ["on", "off"]}, racks]})
    }
}

impl JsonSchema for Legs {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Legs".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let leg = generator.subschema_for::<Leg>();
        json_schema!({"type": "object", "additionalProperties": {"anyOf": [{"type": "string"}, leg]}})
    }
}
