//! Bytes to a delivery.
//!
//! The door to the outside: a body is believed only after its signature, kept before it is answered, and read by
//! nobody here. 202 is sent after the journal has the delivery, never before; a journal that fails is a 503, and
//! GitHub's log then shows the delivery as failed, to be sent again. It must not know what a delivery says.

mod door;
mod signature;

use http::HeaderMap;
use journal::Delivery;
use topology::observed::Timestamp;

use crate::config::Secrets;

pub use door::{BODY_SECONDS_MAX, Counts, Door, router};
pub use signature::Signature;

/// Why a request is no delivery of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Forged {
    /// No `X-Hub-Signature-256`; a SHA-1 signature does not count.
    #[error("there is no `X-Hub-Signature-256`")]
    Unsigned,
    /// Not one header `sha256=` with 64 lower-case hex digits.
    #[error("`X-Hub-Signature-256` is not one `sha256=` with 64 lower-case hex digits")]
    Malformed,
    /// The signature is of other bytes, or made with another secret.
    #[error("the signature does not fit the body")]
    Mismatch,
    /// Signed, but not one header as GitHub sends it.
    #[error("`{0}` is missing, twice there, or not as GitHub sends it")]
    Header(&'static str),
    /// Signed, but not plain JSON: the webhook's content type must be `application/json`.
    #[error("the body must be `application/json`, without `Content-Encoding`")]
    NotJson,
    /// Signed, but not UTF-8.
    #[error("the body is not UTF-8")]
    NotText,
}

/// Believes a request, by its signature over the raw bytes and before anything is parsed.
pub fn receive(
    headers: &HeaderMap,
    body: &[u8],
    secrets: &Secrets,
    now: Timestamp,
) -> Result<Delivery, Forged> {
    let signature = Signature::of(headers)?;
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
    Ok(Delivery { id, event, body })
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

#[cfg(test)]
mod tests;
