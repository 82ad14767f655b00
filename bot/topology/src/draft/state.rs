//! `state: absent`, and the entries that carry it beside a name. Must not know what is removed, or how.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::leaf::{Leaf, LeafError, choose};
use super::reading::{FromYaml, Located, Reader, record};
use crate::removed::DeclaredState;
use crate::yaml::{Value, YamlNode};

pub(super) const STATES: &[(&str, DeclaredState)] = &[
    ("absent", DeclaredState::Absent),
    ("present", DeclaredState::Present),
];

impl Leaf for DeclaredState {
    const EXPECTED: &'static str = "`absent` or `present`";

    fn parse(text: &str, _: bool) -> Result<Self, LeafError> {
        choose(text, STATES)
    }
}

/// Whether something says that it is not to be there.
pub(crate) fn is_absent(state: Option<&Located<DeclaredState>>) -> bool {
    state.and_then(|state| state.value) == Some(DeclaredState::Absent)
}

record! {
    /// Something by its name, and whether it is to be there.
    pub(crate) struct NamedDraft {
        /// Its name in MAAS.
        name: Located<String>,
        /// `absent`: it is removed.
        state: Located<DeclaredState>,
    }
}

/// A space: its name, or its name and its state.
#[derive(Clone, Debug)]
pub(crate) struct SpaceEntry {
    pub(crate) name: Located<String>,
    pub(crate) absent: bool,
}

impl FromYaml for SpaceEntry {
    fn read(node: &YamlNode, reader: &mut Reader<'_, '_>) -> Option<Self> {
        if matches!(node.value, Value::Map(_)) {
            let named: NamedDraft = reader.record(node)?;
            return Some(Self {
                absent: is_absent(Some(&named.state)),
                name: named.name,
            });
        }
        Located::read(node, reader).map(|name| Self {
            name,
            absent: false,
        })
    }
}

impl JsonSchema for SpaceEntry {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "SpaceEntry".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let named = generator.subschema_for::<NamedDraft>();
        json_schema!({"anyOf": [{"type": "string"}, named]})
    }
}
