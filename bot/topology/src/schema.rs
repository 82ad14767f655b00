//! The JSON Schema of a declaration, for editors: completion, hover texts, and errors before the first push.
//!
//! Generated from the draft's types, so it has exactly the keys that the reader accepts. It is more lenient than the check:
//! it does not cover what needs other files (another plane, an overlap).

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::draft::{PlaneFile, SiteFile};

/// One schema for both kinds of files, distinguished by the key `plane`. Draft 7, which every editor's YAML support
/// understands.
pub fn schema() -> Value {
    let mut generator = SchemaSettings::draft07().into_generator();
    let plane = generator.subschema_for::<PlaneFile>();
    let site = generator.subschema_for::<SiteFile>();
    let mut definitions = Value::Object(generator.take_definitions(true));
    tidy(&mut definitions);
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "A network declared for planebot",
        "description": "A file with the key `plane` declares one plane; any other declares machines, virtual addresses, spaces and the like.",
        "type": "object",
        "if": {"required": ["plane"]},
        "then": plane,
        "else": site,
        "definitions": definitions,
    })
}

/// The schema as a file, to be stored next to the sites' folders.
pub fn text() -> String {
    format!("{:#}\n", schema())
}

/// Draft 7 has no `unevaluatedProperties`, and an omitted value means an omitted key, never `null`.
fn tidy(value: &mut Value) {
    match value {
        Value::Object(map) => tidy_object(map),
        Value::Array(items) => items.iter_mut().for_each(tidy),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn tidy_object(map: &mut Map<String, Value>) {
    if let Some(closed) = map.remove("unevaluatedProperties") {
        map.insert("additionalProperties".to_owned(), closed);
    }
    // Options come as `type: [x, null]` or `anyOf: [x, {type: null}]`.
    if let Some(Value::Array(types)) = map.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            map.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(choices)) = map.get_mut("enum") {
        choices.retain(|choice| !choice.is_null());
    }
    if let Some(Value::Array(choices)) = map.get_mut("anyOf") {
        choices.retain(|choice| choice != &json!({"type": "null"}));
        if let [only] = choices.as_slice()
            && let Some(only) = only.as_object().cloned()
        {
            map.remove("anyOf");
            for (key, value) in only {
                map.entry(key).or_insert(value);
            }
        }
    }
    // Draft 7 ignores everything next to a `$ref`, but editors show the description next to it.
    if map.len() > 1
        && let Some(reference) = map.remove("$ref")
    {
        map.insert("allOf".to_owned(), json!([{"$ref": reference}]));
    }
    map.values_mut().for_each(tidy);
}
