//! Accepting a webhook: a request becomes a delivery only if GitHub signed it.
//!
//! The signature over the raw bytes is checked before anything is parsed. It must not know what a delivery says.

use http::HeaderMap;
use topology::observed::Timestamp;

use crate::credentials::Secrets;

use super::signature::{Forged, WebhookSignature};

/// A request that GitHub signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedDelivery {
    /// `X-GitHub-Delivery`: the same for each attempt at one delivery.
    pub id: String,
    /// `X-GitHub-Event`.
    pub event: String,
    /// The JSON, as it came.
    pub body: String,
}

/// Accepts a request by its signature over the raw bytes, before anything is parsed.
pub fn receive(
    headers: &HeaderMap,
    body: &[u8],
    secrets: &Secrets,
    now: Timestamp,
) -> Result<SignedDelivery, Forged> {
    let signature = WebhookSignature::of(headers)?;
    if !signature.matches(body, secrets, now) {
        return Err(Forged::Mismatch);
    }
    let event = single_header(headers, "x-github-event", |c| {
        c.is_ascii_lowercase() || c == '_'
    })?;
    // GitHub sends a GUID; the lab sends a number.
    let id = single_header(headers, "x-github-delivery", |c| {
        c.is_ascii_alphanumeric() || c == '-'
    })?;
    check_content_type(headers)?;
    let body = std::str::from_utf8(body)
        .ok()
        .ok_or(Forged::NotText)?
        .to_owned();
    Ok(SignedDelivery { id, event, body })
}

/// The only header of that name, with 1 to 64 of the allowed characters.
fn single_header(
    headers: &HeaderMap,
    name: &'static str,
    is_allowed: impl Fn(char) -> bool,
) -> Result<String, Forged> {
    let mut values = headers.get_all(name).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(Forged::Header(name));
    };
    value
        .to_str()
        .ok()
        .filter(|text| (1..=64).contains(&text.len()) && text.chars().all(is_allowed))
        .map(str::to_owned)
        .ok_or(Forged::Header(name))
}

fn check_content_type(headers: &HeaderMap) -> Result<(), Forged> {
    if headers.contains_key(http::header::CONTENT_ENCODING) {
        return Err(Forged::NotJson);
    }
    let mut types = headers.get_all(http::header::CONTENT_TYPE).iter();
    let (Some(kind), None) = (types.next(), types.next()) else {
        return Err(Forged::NotJson);
    };
    let essence = kind.to_str().unwrap_or("").split(';').next().unwrap_or("");
    if essence.trim().eq_ignore_ascii_case("application/json") {
        Ok(())
    } else {
        Err(Forged::NotJson)
    }
}
