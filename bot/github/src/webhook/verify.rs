//! From a request to a delivery that GitHub signed.
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

/// Believes a request, by its signature over the raw bytes and before anything is parsed.
pub fn receive(
    headers: &HeaderMap,
    body: &[u8],
    secrets: &Secrets,
    now: Timestamp,
) -> Result<SignedDelivery, Forged> {
    let signature = WebhookSignature::of(headers)?;
    if !signature.fits(body, secrets, now) {
        return Err(Forged::Mismatch);
    }
    let event = word(headers, "x-github-event", |c| {
        c.is_ascii_lowercase() || c == '_'
    })?;
    // A GUID at GitHub; stand-ins count.
    let id = word(headers, "x-github-delivery", |c| {
        c.is_ascii_alphanumeric() || c == '-'
    })?;
    plain_json(headers)?;
    let body = std::str::from_utf8(body)
        .ok()
        .ok_or(Forged::NotText)?
        .to_owned();
    Ok(SignedDelivery { id, event, body })
}

/// The one header of that name, of the given characters, at most 64.
fn word(
    headers: &HeaderMap,
    name: &'static str,
    fits: impl Fn(char) -> bool,
) -> Result<String, Forged> {
    let mut values = headers.get_all(name).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(Forged::Header(name));
    };
    value
        .to_str()
        .ok()
        .filter(|text| (1..=64).contains(&text.len()) && text.chars().all(fits))
        .map(str::to_owned)
        .ok_or(Forged::Header(name))
}

fn plain_json(headers: &HeaderMap) -> Result<(), Forged> {
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
