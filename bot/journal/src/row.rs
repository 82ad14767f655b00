//! Values as columns hold them: text that both databases can store, and JSON.

use crate::error::JournalError;

/// Text that both databases can store: PostgreSQL's `TEXT` cannot hold a NUL.
pub(crate) fn text(text: &str) -> String {
    text.replace('\0', "\u{FFFD}")
}

pub(crate) fn to_json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("records consist of strings, numbers and lists")
}

pub(crate) fn from_json<T: serde::de::DeserializeOwned>(
    table: &'static str,
    text: &str,
) -> Result<T, JournalError> {
    serde_json::from_str(text).map_err(|source| JournalError::Corrupt { table, source })
}
