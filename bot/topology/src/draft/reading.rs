//! Reads a tree into records: the known keys, the required ones, and suggestions for unknown ones.
//!
//! Reading continues after a finding. Must not know what any key means.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::leaf::{Leaf, LeafError};
use super::suggest::suggest;
use crate::finding::{FilePosition, FindingCode, Findings, codes, shown};
use crate::yaml::{Position, Value, YamlKey, YamlNode};

/// Reads one file.
pub(crate) struct Reader<'r, 'a> {
    pub(super) file: usize,
    pub(super) findings: &'r mut Findings<'a>,
}

/// A value with its position. `value` is `None` if it could not be read, which has a finding.
#[derive(Clone, Debug)]
pub(crate) struct Located<T> {
    pub(crate) value: Option<T>,
    pub(crate) place: FilePosition,
}

/// A list, or the word `leave`.
#[derive(Clone, Debug)]
pub(crate) enum OrLeave<T> {
    Leave,
    These(Vec<T>),
}

/// A type that can be read from a YAML node.
pub(crate) trait FromYaml: Sized {
    /// `None` if it could not be read, which has a finding.
    fn read(node: &YamlNode, reader: &mut Reader<'_, '_>) -> Option<Self>;

    /// The value for an absent key; `None` if the key is required.
    fn when_absent() -> Option<Self> {
        None
    }

    /// The value for a missing required key, which has a finding; `None` drops the whole record.
    fn when_missing(_: FilePosition) -> Option<Self> {
        None
    }
}

/// A mapping with known keys.
pub(crate) trait YamlRecord: Sized {
    /// The keys, in the order of the documentation.
    fn keys() -> Vec<&'static str>;

    /// Reads the fields. `None` if a required one is missing.
    fn take(fields: &RecordFields<'_>, reader: &mut Reader<'_, '_>) -> Option<Self>;
}

/// A mapping's entries, and its position.
pub(crate) struct RecordFields<'n> {
    entries: &'n [(YamlKey, YamlNode)],
    at: Position,
}

/// Declares a record: its struct, its keys, how it is read, and its schema.
macro_rules! record {
    (
        $(#[$meta:meta])* $vis:vis struct $name:ident {
            $( $(#[$about:meta])* $field:ident : $type:ty, )*
        }
        $(with $(#[$flat_about:meta])* $flat:ident : $flat_type:ty)?
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, schemars::JsonSchema)]
        #[schemars(deny_unknown_fields)]
        $vis struct $name {
            $( $(#[$about])* $vis $field: $type, )*
            $( $(#[$flat_about])* #[schemars(flatten)] $vis $flat: $flat_type, )?
        }

        impl $crate::draft::reading::YamlRecord for $name {
            fn keys() -> Vec<&'static str> {
                #[allow(unused_mut, clippy::allow_attributes, reason = "only records with a flattened part push to it")]
                let mut keys = vec![$( stringify!($field).trim_start_matches("r#") ),*];
                $( keys.extend(<$flat_type as $crate::draft::reading::YamlRecord>::keys()); )?
                keys
            }

            fn take(
                fields: &$crate::draft::reading::RecordFields<'_>,
                reader: &mut $crate::draft::reading::Reader<'_, '_>,
            ) -> Option<Self> {
                $( let $field = reader.field(fields, stringify!($field).trim_start_matches("r#")); )*
                $( let $flat = <$flat_type as $crate::draft::reading::YamlRecord>::take(fields, reader); )?
                Some(Self { $( $field: $field?, )* $( $flat: $flat?, )? })
            }
        }

        impl $crate::draft::reading::FromYaml for $name {
            fn read(
                node: &$crate::yaml::YamlNode,
                reader: &mut $crate::draft::reading::Reader<'_, '_>,
            ) -> Option<Self> {
                reader.record(node)
            }
        }
    };
}
pub(crate) use record;

impl YamlNode {
    /// Whether this is a mapping with that key.
    pub(super) fn has_key(&self, key: &str) -> bool {
        matches!(&self.value, Value::Map(entries) if entries.iter().any(|(k, _)| k.text == key))
    }

    fn type_name(&self) -> &'static str {
        match self.value {
            Value::Nothing => "nothing",
            Value::Text { .. } => "a scalar",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }
}

impl Reader<'_, '_> {
    /// The position in this file.
    pub(super) fn place(&self, at: Position) -> FilePosition {
        FilePosition {
            file: self.file,
            line: at.line,
            column: at.column,
            width: at.width,
        }
    }

    fn report(&mut self, code: FindingCode, at: Position, message: String, help: &str) {
        let place = self.place(at);
        self.findings.add(code, place, message, help);
    }

    pub(super) fn report_wrong_type(&mut self, node: &YamlNode, expected: &str) {
        if matches!(node.value, Value::Nothing) {
            let help = "give one, or remove the line";
            return self.report(
                codes::VALUE_EMPTY,
                node.at,
                "the value is missing".to_owned(),
                help,
            );
        }
        let message = format!("this is {}; expected {expected}", node.type_name());
        self.report(
            codes::VALUE_TYPE,
            node.at,
            message,
            "see the schema, or a similar file",
        );
    }

    /// Reads a mapping, and reports unknown keys.
    pub(super) fn record<T: YamlRecord>(&mut self, node: &YamlNode) -> Option<T> {
        let Value::Map(entries) = &node.value else {
            self.report_wrong_type(node, "a mapping");
            return None;
        };
        let keys = T::keys();
        for (key, _) in entries {
            if !keys.contains(&key.text.as_str()) {
                let message = format!("unknown key `{}`", shown(&key.text));
                self.report(
                    codes::KEY_UNKNOWN,
                    key.at,
                    message,
                    &suggest(&key.text, &keys),
                );
            }
        }
        let at = entries.first().map_or(node.at, |(key, _)| key.at);
        T::take(&RecordFields { entries, at }, self)
    }

    /// Reads one field of a mapping.
    pub(super) fn field<T: FromYaml>(&mut self, fields: &RecordFields<'_>, key: &str) -> Option<T> {
        let Some((_, node)) = fields.entries.iter().find(|(k, _)| k.text == key) else {
            if T::when_absent().is_none() {
                let message = format!("`{key}` is missing");
                let help = format!("add a line `{key}: …`");
                self.report(codes::KEY_MISSING, fields.at, message, &help);
            }
            return T::when_absent().or_else(|| T::when_missing(self.place(fields.at)));
        };
        T::read(node, self)
    }
}

/// The most entries of one list, so that rules that compare every entry with every other stay fast.
const LIST_MAX: usize = 4096;

impl<T: Leaf> FromYaml for Located<T> {
    fn read(node: &YamlNode, reader: &mut Reader<'_, '_>) -> Option<Self> {
        let place = reader.place(node.at);
        let value = match &node.value {
            Value::Text { text, plain } => match T::parse(text, *plain) {
                Ok(value) => Some(value),
                Err(LeafError {
                    code,
                    message,
                    help,
                }) => {
                    reader.findings.add(code, place, message, help);
                    None
                }
            },
            Value::Nothing | Value::List(_) | Value::Map(_) => {
                reader.report_wrong_type(node, T::EXPECTED);
                None
            }
        };
        Some(Self { value, place })
    }

    fn when_missing(place: FilePosition) -> Option<Self> {
        Some(Self { value: None, place })
    }
}

impl<T: FromYaml> FromYaml for Option<T> {
    fn read(node: &YamlNode, reader: &mut Reader<'_, '_>) -> Option<Self> {
        Some(T::read(node, reader))
    }

    fn when_absent() -> Option<Self> {
        Some(None)
    }
}

impl<T: FromYaml> FromYaml for Vec<T> {
    fn read(node: &YamlNode, reader: &mut Reader<'_, '_>) -> Option<Self> {
        let Value::List(items) = &node.value else {
            reader.report_wrong_type(node, "a list");
            return Some(Self::new());
        };
        if items.len() > LIST_MAX {
            let message = format!("this list has {} entries", items.len());
            let help = "the limit is 4096; split it over several files";
            reader.report(codes::VALUE_LONG, node.at, message, help);
            return Some(Self::new());
        }
        Some(
            items
                .iter()
                .filter_map(|item| T::read(item, reader))
                .collect(),
        )
    }
}

impl<T: FromYaml> FromYaml for OrLeave<T> {
    fn read(node: &YamlNode, reader: &mut Reader<'_, '_>) -> Option<Self> {
        match &node.value {
            Value::Text { text, plain: true } if text == "leave" => Some(Self::Leave),
            Value::List(_) => Vec::read(node, reader).map(Self::These),
            Value::Nothing | Value::Text { .. } | Value::Map(_) => {
                reader.report_wrong_type(node, "a list (or `leave`)");
                Some(Self::Leave)
            }
        }
    }
}

impl<T: JsonSchema> JsonSchema for Located<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

impl<T: JsonSchema> JsonSchema for OrLeave<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("{}OrLeave", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let item = generator.subschema_for::<T>();
        json_schema!({"anyOf": [{"type": "array", "items": item}, {"const": "leave"}]})
    }
}
