//! `X-Hub-Signature-256`: HMAC-SHA-256 over the raw body (GitHub docs, validating webhook deliveries).

use hmac::{Hmac, KeyInit as _, Mac as _};
use http::HeaderMap;
use secrecy::ExposeSecret as _;
use sha2::Sha256;
use topology::observed::Timestamp;

use crate::credentials::Secrets;

/// Why a request is not accepted as a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Forged {
    /// No `X-Hub-Signature-256`; a SHA-1 signature is not accepted.
    #[error("there is no header `X-Hub-Signature-256`")]
    Unsigned,
    /// Not one header `sha256=` with 64 lower-case hex digits.
    #[error("`X-Hub-Signature-256` is not one `sha256=` with 64 lower-case hex digits")]
    Malformed,
    /// The signature is of other bytes, or was made with another secret.
    #[error("the signature does not match the body")]
    Mismatch,
    /// Signed, but a header is not there exactly once as GitHub sends it.
    #[error("the header `{0}` is missing, repeated, or not as GitHub sends it")]
    Header(&'static str),
    /// Signed, but not plain JSON: the webhook's content type must be `application/json`.
    #[error("the body must be `application/json`, without `Content-Encoding`")]
    NotJson,
    /// Signed, but not UTF-8.
    #[error("the body is not UTF-8")]
    NotText,
}

/// A well-formed signature, not yet verified.
#[derive(Clone, Debug)]
pub struct WebhookSignature([u8; 32]);

impl WebhookSignature {
    /// Reads the header. Only its form is checked, so that the body of a request without a signature need not be read.
    pub fn of(headers: &HeaderMap) -> Result<Self, Forged> {
        let mut values = headers.get_all("x-hub-signature-256").iter();
        let value = values.next().ok_or(Forged::Unsigned)?;
        if values.next().is_some() {
            return Err(Forged::Malformed);
        }
        let digits = value
            .as_bytes()
            .strip_prefix(b"sha256=")
            .filter(|digits| !digits.iter().any(u8::is_ascii_uppercase))
            .ok_or(Forged::Malformed)?;
        let mut bytes = [0; 32];
        hex::decode_to_slice(digits, &mut bytes)
            .ok()
            .ok_or(Forged::Malformed)?;
        Ok(Self(bytes))
    }

    /// Whether it matches the body under one of the secrets that are valid now. `verify_slice` takes the same time wherever
    /// they differ.
    pub(super) fn matches(&self, body: &[u8], secrets: &Secrets, now: Timestamp) -> bool {
        let mut matches = false;
        for secret in secrets.at(now) {
            let mac = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes())
                .expect("HMAC takes a key of any length");
            matches |= mac.chain_update(body).verify_slice(&self.0).is_ok();
        }
        matches
    }
}
