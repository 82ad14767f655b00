//! The body of a request, and how MAAS's forms read it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::parse;
use crate::wire::{LabRequest, LabResponse, pairs};

/// The fields of a body. A repeated field has several values.
#[derive(Clone, Debug, Default)]
pub(crate) struct Form {
    fields: BTreeMap<String, Vec<String>>,
    /// The names in the order of the body.
    order: Vec<String>,
    unread: bool,
}

impl Form {
    /// Reads urlencoded, multipart or JSON bodies.
    pub(crate) fn read(request: &LabRequest) -> Result<Self, LabResponse> {
        let kind = request.header("content-type").unwrap_or_default();
        let text = String::from_utf8_lossy(&request.body);
        let mut form = Self::default();
        if request.body.is_empty() {
            return Ok(form);
        }
        if kind.contains("json") {
            let value: Option<Value> = serde_json::from_str(&text).ok();
            let Some(Value::Object(map)) = value else {
                return Err(LabResponse::text(400, "Bad Request"));
            };
            for (key, value) in map {
                match &value {
                    Value::Array(list) => {
                        for item in list {
                            form.add(&key, &scalar(item));
                        }
                    }
                    Value::Null
                    | Value::Bool(_)
                    | Value::Number(_)
                    | Value::String(_)
                    | Value::Object(_) => form.add(&key, &scalar(&value)),
                }
            }
        } else if kind.contains("multipart/form-data") {
            for (name, value) in super::multipart::parts(kind, &request.body) {
                form.add(&name, &value);
            }
        } else if kind.contains("yaml") {
            for (key, value) in text.lines().filter_map(|line| line.split_once(':')) {
                form.add(key.trim(), value.trim().trim_matches(['"', '\'']));
            }
        } else if kind.is_empty() || kind.contains("form-urlencoded") {
            for (key, value) in pairs(&text) {
                form.add(&key, &value);
            }
        } else {
            form.unread = true;
        }
        Ok(form)
    }

    /// Whether the body has a content type that MAAS does not parse.
    pub(crate) fn is_unread(&self) -> bool {
        self.unread
    }

    /// Refuses fields that contain NUL.
    pub(crate) fn refuse_nul(&self) -> Result<(), LabResponse> {
        let mut errors = FormErrors::default();
        for (field, values) in &self.fields {
            if values.iter().any(|value| value.contains('\0')) {
                errors.add(field, "Null characters are not allowed.");
            }
        }
        errors.done()
    }

    fn add(&mut self, key: &str, value: &str) {
        if !self.fields.contains_key(key) {
            self.order.push(key.to_owned());
        }
        self.fields
            .entry(key.to_owned())
            .or_default()
            .push(value.to_owned());
    }

    /// The last value, as in Django's `QueryDict`, without surrounding whitespace.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.fields
            .get(key)
            .and_then(|list| list.last())
            .map(|value| value.trim())
    }

    pub(crate) fn all(&self, key: &str) -> Option<&[String]> {
        self.fields.get(key).map(Vec::as_slice)
    }

    /// All fields with their values.
    pub(crate) fn lists(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.order.iter().filter_map(|name| {
            let values = self.fields.get(name)?;
            Some((name.as_str(), values.as_slice()))
        })
    }

    /// Each value with its field.
    pub(crate) fn pairs(&self) -> Vec<(String, String)> {
        let lists = self.lists();
        lists
            .flat_map(|(name, values)| {
                let values = values.iter();
                values.map(move |value| (name.to_owned(), value.clone()))
            })
            .collect()
    }

    /// The last value unchanged, with whitespace: MAAS reads booleans and choices like this.
    pub(crate) fn raw(&self, key: &str) -> Option<&str> {
        let list = self.fields.get(key)?;
        list.last().map(String::as_str)
    }

    /// The last value, if it is not empty.
    pub(crate) fn given(&self, key: &str) -> Option<&str> {
        self.get(key).filter(|text| !text.is_empty())
    }

    /// A checkbox; `None` if absent.
    pub(crate) fn checkbox(&self, key: &str) -> Option<bool> {
        self.raw(key).map(parse::ticked)
    }

    /// Whether a checkbox is set: absent, empty, `false` and `0` are not.
    pub(crate) fn tick(&self, key: &str) -> bool {
        self.get(key)
            .is_some_and(|value| !matches!(value, "" | "false" | "False" | "0"))
    }

    /// A strict boolean: only `true`, `True`, `1` and `on` are true.
    pub(crate) fn switch(&self, key: &str) -> Option<bool> {
        self.get(key)
            .map(|value| matches!(value, "true" | "True" | "1" | "on"))
    }
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

/// Errors by field, as MAAS's forms report them.
#[derive(Default)]
pub(crate) struct FormErrors(Vec<(String, Vec<String>)>);

impl FormErrors {
    pub(crate) fn add(&mut self, field: &str, message: impl Into<String>) {
        let message = message.into();
        match self.0.iter_mut().find(|(name, _)| name == field) {
            Some((_, list)) => list.push(message),
            None => self.0.push((field.to_owned(), vec![message])),
        }
    }

    pub(crate) fn has(&self, field: &str) -> bool {
        self.0.iter().any(|(name, _)| name == field)
    }

    /// Reports the errors of a field under another name.
    pub(crate) fn rename(&mut self, field: &str, name: &str) {
        for (known, _) in self.0.iter_mut().filter(|(known, _)| known == field) {
            name.clone_into(known);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// 400 with the errors, if there are any.
    pub(crate) fn done(self) -> Result<(), LabResponse> {
        if self.0.is_empty() {
            return Ok(());
        }
        let map: serde_json::Map<String, Value> = self
            .0
            .into_iter()
            .map(|(field, list)| (field, json!(list)))
            .collect();
        Err(LabResponse::json(400, &Value::Object(map)))
    }
}

/// 400 with one error.
pub(crate) fn field_error(field: &str, message: impl Into<String>) -> LabResponse {
    let mut errors = FormErrors::default();
    errors.add(field, message);
    match errors.done() {
        Ok(()) => LabResponse::text(500, "no error"),
        Err(response) => response,
    }
}

/// Adds an error if a text is longer than its column.
pub(crate) fn refuse_long(field: &str, text: &str, most: usize, errors: &mut FormErrors) -> bool {
    let length = text.chars().count();
    if length > most {
        let message = format!("Ensure this value has at most {most} characters (it has {length}).");
        errors.add(field, message);
    }
    length > most
}

/// Whether a name starts with a letter, a digit or `_` and otherwise also has spaces and dashes
/// (3.7.3 `maasserver/fields.py`, `MODEL_NAME_VALIDATOR`).
pub(crate) fn is_title(text: &str) -> bool {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    text.starts_with(word) && text.chars().all(|c| word(c) || c == ' ' || c == '-')
}

/// MAAS's names: letters, digits, `_` and `-` (3.5.9 maasserver/models/fabric.py:22-28).
pub(crate) fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_alphanumeric() || c == '_' || c == '-')
}

pub(crate) const NO_CHOICE: &str =
    "Select a valid choice. That choice is not one of the available choices.";
pub(crate) const REQUIRED: &str = "This field is required.";
pub(crate) const NO_NUMBER: &str = "Enter a whole number.";
pub(crate) const INVALID: &str = "Enter a valid value.";
pub(crate) const BAD_IP: &str = "Enter a valid IPv4 or IPv6 address.";

/// Django's message for a choice that does not exist.
pub(crate) fn no_such_choice(text: &str) -> String {
    format!("Select a valid choice. {text} is not one of the available choices.")
}
