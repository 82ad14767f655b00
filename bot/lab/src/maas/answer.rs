//! Who sends a request, and the answers that all endpoints share.

use super::parse;
use crate::wire::{LabRequest, LabResponse};

/// The answer to a request, or the refusal.
pub(crate) type MaasAnswer = Result<LabResponse, LabResponse>;

/// The authenticated user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiCaller {
    pub(crate) name: String,
    pub(crate) admin: bool,
}

impl ApiCaller {
    /// A client without credentials, which may read the version.
    pub(crate) fn anonymous() -> Self {
        Self {
            name: String::new(),
            admin: false,
        }
    }
}

/// Refuses everyone but administrators to create an object.
pub(crate) fn admin_to_create(caller: &ApiCaller) -> Result<(), LabResponse> {
    if caller.admin {
        return Ok(());
    }
    Err(plain(403, "This method is reserved for admin users."))
}

/// Refuses everyone but administrators to change or delete an object.
pub(crate) fn admin_to_change(caller: &ApiCaller) -> Result<(), LabResponse> {
    if caller.admin {
        Ok(())
    } else {
        Err(plain(403, ""))
    }
}

/// A text answer as MAAS's exceptions send it.
pub(crate) fn plain(status: u16, text: impl Into<String>) -> LabResponse {
    LabResponse {
        status,
        headers: vec![("content-type".to_owned(), "text/plain".to_owned())],
        body: text.into().into_bytes(),
    }
}

/// An optional boolean of a query or a form. Absent is `default`, empty is false.
pub(crate) fn flag(given: Option<&str>, name: &str, default: bool) -> Result<bool, LabResponse> {
    match given {
        None => Ok(default),
        Some("") => Ok(false),
        Some(text) => parse::switch(text).ok_or_else(|| {
            let message = format!("Invalid {name}: Value should be 'true' or 'false'");
            plain(400, message)
        }),
    }
}

pub(crate) fn missing(kind: &str) -> LabResponse {
    plain(404, format!("No {kind} matches the given query."))
}

pub(crate) fn no_content() -> LabResponse {
    plain(204, "")
}

pub(crate) fn bad_method() -> LabResponse {
    LabResponse::html(405, "")
}

/// The last value of a query parameter, which is the one that Django takes.
pub(crate) fn last_param<'a>(request: &'a LabRequest, name: &str) -> Option<&'a str> {
    let mut query = request.query.iter().rev();
    let found = query.find(|(key, _)| key == name);
    found.map(|(_, value)| value.as_str())
}
