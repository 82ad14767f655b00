//! OAuth 1.0a PLAINTEXT as MAAS checks it: piston3's checks in piston3's order, with MAAS's messages
//! (3.5.9 maasserver/api/auth.py; seen on 3.5.12 and 3.7.3).

use std::collections::BTreeMap;

use super::answer::{ApiCaller, plain};
use super::store::LabMaas;
use crate::wire::{LabRequest, LabResponse, decode};

/// How long a timestamp is accepted, in seconds. One in the future always is.
const TIMESTAMP_SECONDS: i64 = 300;

/// If one of these is not in the header, MAAS treats the request as unsigned: 401 `Forbidden`.
const REQUIRED_FIELDS: [&str; 6] = [
    "oauth_consumer_key",
    "oauth_token",
    "oauth_signature",
    "oauth_signature_method",
    "oauth_timestamp",
    "oauth_nonce",
];

/// The OAuth parameters of a request.
struct Signed(BTreeMap<String, String>);

impl Signed {
    fn read(header: &str) -> Result<Self, LabResponse> {
        let mut fields = BTreeMap::new();
        for part in header.split(',').filter(|part| !part.contains("realm")) {
            let Some((key, value)) = part.trim().split_once('=') else {
                return Err(unauthorized(
                    "Unable to parse OAuth parameters from Authorization header.",
                ));
            };
            fields.insert(key.to_owned(), decode(value.trim_matches('"'), false));
        }
        Ok(Self(fields))
    }

    fn field(&self, name: &str) -> Result<&str, LabResponse> {
        let absent =
            || LabResponse::text(400, format!("'Bad Request: Parameter not found: {name}'"));
        self.0.get(name).map(String::as_str).ok_or_else(absent)
    }
}

/// 401, with the reason quoted as Python's `repr` does.
fn unauthorized(reason: &str) -> LabResponse {
    let quote = if reason.contains('\'') { '"' } else { '\'' };
    LabResponse::html(401, format!("Authorization Error: {quote}{reason}{quote}"))
}

impl LabMaas {
    /// Authenticates a request and uses up its nonce, unless the request is rolled back: [`Self::release_nonce`].
    pub(crate) fn authenticate(&mut self, request: &LabRequest) -> Result<ApiCaller, LabResponse> {
        let header = request.header("authorization").unwrap_or_default();
        if REQUIRED_FIELDS.iter().any(|name| !header.contains(name)) {
            return Err(plain(401, "Forbidden"));
        }
        // A scheme in another case passes the test above, but MAAS then fails to parse it.
        let Some(rest) = header.strip_prefix("OAuth ") else {
            let message = "'NoneType' object has no attribute 'verify_request'";
            return Err(LabResponse::text(500, message));
        };
        let signed = Signed::read(rest)?;
        let consumer = signed.field("oauth_consumer_key")?;
        let version = signed.field("oauth_version").unwrap_or("1.0");
        if version != "1.0" && !version.is_empty() {
            return Err(unauthorized(&format!(
                "OAuth version {version} not supported."
            )));
        }
        if self.users.iter().all(|user| user.consumer != consumer) {
            return Err(LabResponse::html(
                401,
                "Authorization Error: Invalid API key.",
            ));
        }
        let token = signed.field("oauth_token")?;
        // Only the token identifies the user; any existing consumer key is accepted (seen on 3.5.12 and 3.7.3).
        let user = self.users.iter().find(|user| user.token == token).cloned();
        let Some(user) = user else {
            return Err(unauthorized(&format!("Invalid access token: {token}")));
        };
        check_time(signed.field("oauth_timestamp")?, request.now)?;
        let nonce = nonce_key(consumer, token, signed.field("oauth_nonce")?);
        if !self.nonces.insert(nonce) {
            let nonce = signed.field("oauth_nonce")?;
            return Err(unauthorized(&format!("Nonce already used: {nonce}")));
        }
        check_signature(&signed, &user.secret)?;
        Ok(ApiCaller {
            name: user.name,
            admin: user.admin,
        })
    }

    /// Makes the nonce of a request that was rolled back usable again.
    pub(crate) fn release_nonce(&mut self, request: &LabRequest) {
        let header = request.header("authorization").unwrap_or_default();
        let signed = header.strip_prefix("OAuth ").map(Signed::read);
        let Some(Ok(signed)) = signed else { return };
        let field = |name: &str| signed.field(name).unwrap_or_default();
        self.nonces.remove(&nonce_key(
            field("oauth_consumer_key"),
            field("oauth_token"),
            field("oauth_nonce"),
        ));
    }
}

fn nonce_key(consumer: &str, token: &str, nonce: &str) -> String {
    format!("{consumer}/{token}/{nonce}")
}

fn check_time(text: &str, now: i64) -> Result<(), LabResponse> {
    let Ok(time) = text.trim().parse::<i64>() else {
        let message = format!("invalid literal for int() with base 10: '{text}'");
        return Err(LabResponse::text(500, message));
    };
    if now - time > TIMESTAMP_SECONDS {
        return Err(unauthorized(&format!(
            "Expired timestamp: given {time} and now {now} has a greater difference than threshold {TIMESTAMP_SECONDS}"
        )));
    }
    Ok(())
}

fn check_signature(signed: &Signed, secret: &str) -> Result<(), LabResponse> {
    let method = signed
        .field("oauth_signature_method")
        .unwrap_or("PLAINTEXT");
    if method != "PLAINTEXT" && method != "HMAC-SHA1" {
        return Err(unauthorized(&format!(
            "Signature method {method} not supported try one of the following: PLAINTEXT, HMAC-SHA1"
        )));
    }
    let Ok(signature) = signed.field("oauth_signature") else {
        return Err(unauthorized("Missing signature."));
    };
    if signature == format!("&{secret}") {
        return Ok(());
    }
    // A real MAAS prints the expected secret, so clients must not log this answer.
    Err(unauthorized(&format!(
        "Invalid signature. Expected signature base string: &{secret}"
    )))
}
