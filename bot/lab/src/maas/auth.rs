//! OAuth 1.0a PLAINTEXT as MAAS checks it: piston3's checks in piston3's order, with MAAS's words
//! (3.5.9 maasserver/api/auth.py; seen on 3.5.12 and 3.7.3, odd as it is).

use std::collections::BTreeMap;

use super::answer::{ApiCaller, plain};
use super::store::LabMaas;
use crate::wire::{LabRequest, LabResponse, decode};

/// How long a timestamp is good for, in seconds. One from the future always is.
const TIMESTAMP_SECONDS: i64 = 300;

/// Without each of these somewhere in the header nobody tried to sign: 401 `Forbidden`.
const REQUIRED_FIELDS: [&str; 6] = [
    "oauth_consumer_key",
    "oauth_token",
    "oauth_signature",
    "oauth_signature_method",
    "oauth_timestamp",
    "oauth_nonce",
];

/// What a signed request says about itself.
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

/// 401, with Python's quotes around the reason.
fn unauthorized(reason: &str) -> LabResponse {
    let quote = if reason.contains('\'') { '"' } else { '\'' };
    LabResponse::html(401, format!("Authorization Error: {quote}{reason}{quote}"))
}

impl LabMaas {
    /// Who asks. The nonce is used up, unless the request is undone: [`Self::release_nonce`].
    pub(crate) fn authenticate(&mut self, request: &LabRequest) -> Result<ApiCaller, LabResponse> {
        let header = request.header("authorization").unwrap_or_default();
        if REQUIRED_FIELDS.iter().any(|name| !header.contains(name)) {
            return Err(plain(401, "Forbidden"));
        }
        // A scheme in another case passes the test above and then is not understood.
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
        // The token alone says whose request it is; any consumer that exists will do (seen on 3.5.12 and 3.7.3).
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

    /// A request that was undone leaves its nonce unused: it may be sent again as it is.
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
    // A real MAAS prints the secret that it expected; no reader of this answer may keep it.
    Err(unauthorized(&format!(
        "Invalid signature. Expected signature base string: &{secret}"
    )))
}
