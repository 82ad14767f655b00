//! OAuth 1.0a PLAINTEXT as MAAS checks it.

use super::store::Maas;
use super::{Asker, plain};
use crate::wire::{Request, Response, decode};

impl Maas {
    pub(crate) fn authenticate(&mut self, request: &Request) -> Result<Asker, Response> {
        let forbidden = || plain(401, "Forbidden");
        let header = request.header("authorization").unwrap_or_default();
        let rest = header.strip_prefix("OAuth ").ok_or_else(forbidden)?;
        let fields: Vec<(String, String)> = rest
            .split(',')
            .filter_map(|part| part.split_once('='))
            .map(|(key, value)| {
                (
                    key.trim().to_owned(),
                    decode(value.trim().trim_matches('"'), false),
                )
            })
            .collect();
        let field = |name: &str| {
            fields
                .iter()
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.clone())
        };
        let (Some(consumer), Some(token), Some(signature), Some(nonce), Some(time)) = (
            field("oauth_consumer_key"),
            field("oauth_token"),
            field("oauth_signature"),
            field("oauth_nonce"),
            field("oauth_timestamp"),
        ) else {
            return Err(forbidden());
        };
        let user = self
            .users
            .iter()
            .find(|user| user.consumer == consumer && user.token == token);
        let Some(user) = user.cloned() else {
            return Err(plain(401, "Authorization Error: 'Invalid consumer.'"));
        };
        let time: i64 = time
            .parse()
            .ok()
            .ok_or_else(|| Response::html(500, "Internal server error"))?;
        if request.now - time > 300 {
            return Err(plain(
                401,
                format!(
                    "Authorization Error: 'Expired timestamp: given {time} and now {} has a greater difference than threshold 300'",
                    request.now
                ),
            ));
        }
        if signature != format!("&{}", user.secret) {
            // A real MAAS prints the secret that it expected; no reader of this answer may keep it.
            return Err(plain(
                401,
                format!(
                    "Authorization Error: 'Invalid signature. Expected signature base string: &{}'",
                    user.secret
                ),
            ));
        }
        if !self.nonces.insert(format!("{consumer}/{time}/{nonce}")) {
            return Err(plain(
                401,
                format!("Authorization Error: 'Nonce already used: {nonce}'"),
            ));
        }
        Ok(Asker {
            name: user.name,
            admin: user.admin,
        })
    }
}
