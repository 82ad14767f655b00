//! Who sends a request, and the answers that all endpoints share.

use super::parse;
use crate::wire::LabResponse;

/// Why a request is not answered with what it asked.
pub(crate) type MaasAnswer = Result<LabResponse, LabResponse>;

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiCaller {
    pub(crate) name: String,
    pub(crate) admin: bool,
}

impl ApiCaller {
    /// Someone without a name, who may read the version.
    pub(crate) fn anonymous() -> Self {
        Self {
            name: String::new(),
            admin: false,
        }
    }
}

/// Nobody but an administrator may make things.
pub(crate) fn admin_to_create(asker: &ApiCaller) -> Result<(), LabResponse> {
    if asker.admin {
        return Ok(());
    }
    Err(plain(403, "This method is reserved for admin users."))
}

/// Nobody but an administrator may change or remove things.
pub(crate) fn admin_to_change(asker: &ApiCaller) -> Result<(), LabResponse> {
    if asker.admin {
        Ok(())
    } else {
        Err(plain(403, ""))
    }
}

/// Text as MAAS's own exceptions send it.
pub(crate) fn plain(status: u16, text: impl Into<String>) -> LabResponse {
    LabResponse {
        status,
        headers: vec![("content-type".to_owned(), "text/plain".to_owned())],
        body: text.into().into_bytes(),
    }
}

/// An optional switch of a query or a form, where absent is `default` and nothing is off.
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

pub(crate) fn gone() -> LabResponse {
    plain(204, "")
}

pub(crate) fn bad_method() -> LabResponse {
    LabResponse::html(405, "")
}
