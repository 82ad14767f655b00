//! The API key, and the `Authorization` header made from it: OAuth 1.0a PLAINTEXT.
//!
//! The key must not leave this module except in that header.

use std::num::NonZeroU64;

use oauth::{Builder, Credentials, Plaintext};
use oauth1_request as oauth;
use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret as _, SecretString};

use crate::environment::Stamp;

/// A MAAS API key: consumer, token and secret.
#[derive(Clone, Debug)]
pub struct ApiKey {
    consumer: SecretString,
    token: SecretString,
    secret: SecretString,
}

/// Why a text is not an API key. Never shows the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApiKeyError {
    /// It does not have three parts.
    #[error(
        "the API key must be `consumer:token:secret`, as `maas apikey` prints it; this one has {0} parts"
    )]
    Parts(usize),
    /// It has a character that MAAS never puts into a key, and that would be signed wrongly.
    #[error(
        "the {0} of the API key is empty or has a character other than A-Z a-z 0-9 - . _ ~; was all of it copied?"
    )]
    Character(&'static str),
}

impl ApiKey {
    /// Parses `consumer:token:secret`; white space around it (a file's last newline) is dropped.
    ///
    /// Characters outside the unreserved set are refused because the signature is sent without percent-encoding, and
    /// MAAS's own keys never have them.
    pub fn read(text: &str) -> Result<Self, ApiKeyError> {
        let parts: Vec<&str> = text.trim().split(':').collect();
        let [consumer, token, secret] = parts.as_slice() else {
            return Err(ApiKeyError::Parts(parts.len()));
        };
        Ok(Self {
            consumer: part("consumer", consumer)?,
            token: part("token", token)?,
            secret: part("secret", secret)?,
        })
    }

    /// The value of `Authorization`, marked sensitive. `uri` has no query: PLAINTEXT does not sign one, and the OAuth
    /// library refuses it.
    pub fn header(&self, method: &str, uri: &str, stamp: &Stamp) -> HeaderValue {
        let client = Credentials::new(self.consumer.expose_secret(), self.secret_of_consumer());
        let token = Credentials::new(self.token.expose_secret(), self.secret.expose_secret());
        let mut builder = Builder::new(client, Plaintext::new());
        builder
            .token(token)
            .nonce(stamp.nonce.as_str())
            .timestamp(NonZeroU64::new(stamp.seconds))
            .version(true);
        let text = builder.authorize(method, uri, &());
        let mut value = HeaderValue::from_str(&text)
            .expect("the parts of a key and a nonce are unreserved ASCII");
        value.set_sensitive(true);
        value
    }

    /// Replaces the parts of this key in a response: a proxy's error page may show the request it received.
    pub(crate) fn hide(&self, body: Vec<u8>) -> Vec<u8> {
        let parts = [&self.consumer, &self.token, &self.secret];
        parts.into_iter().fold(body, |body, part| {
            without(body, part.expose_secret().as_bytes())
        })
    }

    /// MAAS's consumers have no secret.
    #[expect(clippy::unused_self, reason = "it reads as a part of the key")]
    fn secret_of_consumer(&self) -> &'static str {
        ""
    }
}

fn part(name: &'static str, text: &str) -> Result<SecretString, ApiKeyError> {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    if text.is_empty() || !text.bytes().all(unreserved) {
        return Err(ApiKeyError::Character(name));
    }
    Ok(SecretString::from(text))
}

/// A shorter part would match ordinary text, and no real key has one.
const HIDDEN_BYTES_MIN: usize = 4;

fn without(body: Vec<u8>, part: &[u8]) -> Vec<u8> {
    if part.len() < HIDDEN_BYTES_MIN {
        return body;
    }
    let mut kept = Vec::with_capacity(body.len());
    let mut rest = body.as_slice();
    while let Some(at) = rest.windows(part.len()).position(|head| head == part) {
        kept.extend_from_slice(&rest[..at]);
        kept.extend_from_slice(b"(hidden)");
        rest = &rest[at + part.len()..];
    }
    kept.extend_from_slice(rest);
    kept
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Name to value of each parameter, percent-decoded, in no order.
    fn parameters(header: &str) -> BTreeMap<String, String> {
        header
            .strip_prefix("OAuth ")
            .unwrap()
            .split(',')
            .map(|pair| {
                let (name, value) = pair.trim().split_once('=').unwrap();
                let value = value.trim_matches('"').replace("%26", "&");
                (name.to_owned(), value)
            })
            .collect()
    }

    #[test]
    fn the_header_is_what_maas_expects_for_every_allowed_character() {
        let key = ApiKey::read("Cons-._~9:Tok-._~9:Sec-._~9\n").unwrap();
        let stamp = Stamp {
            nonce: "n0nce".to_owned(),
            seconds: 1_795_442_724,
        };
        let header = key.header("GET", "http://maas.test/MAAS/api/2.0/subnets/", &stamp);
        assert!(header.is_sensitive());
        // The form that oauthlib and piston3 (what MAAS runs) both accept.
        let reference = format!(
            r#"OAuth oauth_version="1.0", oauth_signature_method="PLAINTEXT", oauth_consumer_key="{}", oauth_token="{}", oauth_signature="{}", oauth_nonce="{}", oauth_timestamp="{}""#,
            "Cons-._~9", "Tok-._~9", "%26Sec-._~9", "n0nce", 1_795_442_724
        );
        assert_eq!(parameters(header.to_str().unwrap()), parameters(&reference));
    }

    #[test]
    fn a_key_that_cannot_be_signed_is_refused_without_being_shown() {
        for bad in [
            "", "a:b", "a:b:c:d", "a::c", "a:b:c d", "a:b:c/d", "a:b:c+", "a:b:ü", "a:b:c%26",
        ] {
            let message = ApiKey::read(bad).unwrap_err().to_string();
            assert!(bad.is_empty() || !message.contains(bad), "{message}");
        }
        let shown = format!("{:?}", ApiKey::read("consumer1:token2:secret3").unwrap());
        assert!(
            !shown.contains("secret3") && !shown.contains("token2"),
            "{shown}"
        );
    }
}
