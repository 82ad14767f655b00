//! The token of one installation of the app: asked for when it is needed, once for all who wait, and renewed.
//!
//! octocrab 0.54.9 would do this too, but once for each of the requests that wait at the same time, and where neither the
//! counts nor the limits here see it. It must not know what is sent with the token.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use http::Method;
use octocrab::auth::AppAuth;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Mutex;
use topology::observed::Timestamp;

use crate::client::SignedInClient;
use crate::error::GitHubError;
use crate::request::ApiRequest;
use crate::response::ApiResponse;

/// A token is renewed this long before it expires: longer than any request takes.
const RENEWAL_MILLISECONDS: i64 = 60_000;

/// A token without a time is taken to last this long (GitHub docs: installation tokens expire after one hour).
const TOKEN_MILLISECONDS: i64 = 3_600_000;

/// One installation of the app.
pub(super) struct Installation {
    /// GitHub's number.
    pub(super) id: u64,
    app: AppAuth,
    token: Mutex<Option<InstallationToken>>,
}

#[derive(Clone)]
struct InstallationToken {
    token: Arc<SecretString>,
    expires_at: Timestamp,
}

impl Installation {
    pub(super) fn new(id: u64, app: AppAuth) -> Self {
        Self {
            id,
            app,
            token: Mutex::new(None),
        }
    }

    /// Makes the next request ask for a token.
    #[cfg(test)]
    pub(super) async fn forget_token(&self) {
        *self.token.lock().await = None;
    }

    /// Sends with the token. After a 401 it is sent once more with a new one: a 401 did nothing, so that this is safe for a
    /// write too.
    pub(super) async fn send(
        &self,
        client: &SignedInClient,
        what: &str,
        request: &ApiRequest<'_>,
    ) -> Result<ApiResponse, GitHubError> {
        let token = self.token(client, None).await?;
        let answer = client.exchange(&token, what, request).await;
        if !matches!(answer, Err(GitHubError::Denied { status: 401, .. })) {
            return answer;
        }
        let token = self.token(client, Some(&token)).await?;
        client.exchange(&token, what, request).await
    }

    /// The token, but not the one that GitHub refused. The lock is held while GitHub is asked, so that of many who
    /// wait one asks.
    async fn token(
        &self,
        client: &SignedInClient,
        refused: Option<&Arc<SecretString>>,
    ) -> Result<Arc<SecretString>, GitHubError> {
        let mut held = self.token.lock().await;
        let now = (client.now)();
        if let Some(known) = &*held
            && known.expires_at.0 - RENEWAL_MILLISECONDS > now.0
            && refused.is_none_or(|refused| !Arc::ptr_eq(refused, &known.token))
        {
            return Ok(Arc::clone(&known.token));
        }
        *held = None;
        let new = self.ask(client, now).await?;
        let token = Arc::clone(&new.token);
        *held = Some(new);
        Ok(token)
    }

    async fn ask(
        &self,
        client: &SignedInClient,
        now: Timestamp,
    ) -> Result<InstallationToken, GitHubError> {
        #[derive(Deserialize)]
        struct Wire {
            token: String,
            expires_at: Option<String>,
        }
        let what = "asking for a token of the installation";
        let route = format!("/app/installations/{}/access_tokens", self.id);
        let request = ApiRequest::write(Method::POST, &route, &json!({}));
        let jwt = app_token(&self.app, what)?;
        let answer = client.exchange(&jwt, what, &request).await;
        let wire: Wire = answer
            .map_err(|error| self.not_installed(client, error))?
            .parse(what)?;
        let expires_at = wire.expires_at.as_deref().and_then(|text| {
            let time = chrono::DateTime::parse_from_rfc3339(text).ok()?;
            Some(Timestamp(time.timestamp_millis()))
        });
        Ok(InstallationToken {
            token: Arc::new(SecretString::from(wire.token)),
            expires_at: expires_at.unwrap_or(Timestamp(now.0 + TOKEN_MILLISECONDS)),
        })
    }

    /// A token that is refused because the installation was removed or suspended. It may come back under another number,
    /// so it is looked for again. A 404 is no [`GitHubError::Gone`] here: what was asked for may well be there.
    fn not_installed(&self, client: &SignedInClient, error: GitHubError) -> GitHubError {
        match error {
            GitHubError::Gone { what, status } => {
                client.unauthorized.store(true, Ordering::Relaxed);
                let why = format!("there is no installation {} any more", self.id);
                GitHubError::Denied { what, status, why }
            }
            GitHubError::Denied { .. } => {
                client.unauthorized.store(true, Ordering::Relaxed);
                error
            }
            GitHubError::Limited { .. }
            | GitHubError::Unknown { .. }
            | GitHubError::Refused { .. } => error,
        }
    }
}

/// A JWT that signs a request as the app. octocrab makes it by the machine's clock, valid for 9 minutes.
pub(super) fn app_token(app: &AppAuth, what: &str) -> Result<SecretString, GitHubError> {
    match app.generate_bearer_token() {
        Ok(token) => Ok(SecretString::from(token)),
        Err(_) => Err(GitHubError::Unknown {
            what: what.to_owned(),
            why: "the app's private key cannot sign".to_owned(),
        }),
    }
}
