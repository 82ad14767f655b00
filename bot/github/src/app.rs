//! The app itself: who it is, and GitHub's log of its webhooks.

use std::collections::BTreeMap;

use http::Method;
use serde::Deserialize;
use serde_json::json;

use crate::path::segment;
use crate::{CommentSeen, GitHub, GitHubError, SignedIn};

/// Who we are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Me {
    /// The login under which our comments appear; `None` for a token that does not say whose it is.
    pub login: Option<String>,
    /// The app's number; `None` for a token.
    pub app: Option<u64>,
    /// What the app may do, in GitHub's words (`checks`: `write`); empty for a token.
    pub permissions: BTreeMap<String, String>,
}

impl Me {
    /// Whether a comment is ours: by the app that wrote it, or by our login. With a token that does not say whose it is,
    /// any bot's comment counts as ours.
    pub fn wrote(&self, comment: &CommentSeen) -> bool {
        let author = comment.author.as_ref();
        if self.app.is_some() && self.app == comment.app {
            return true;
        }
        match &self.login {
            Some(login) => author.is_some_and(|author| author.login == *login),
            None => author.is_some_and(|author| author.kind == "Bot"),
        }
    }
}

/// One attempt to deliver a webhook, from GitHub's log.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct HookDelivery {
    /// The number of this attempt.
    pub id: u64,
    /// The delivery: `X-GitHub-Delivery`, the same for each attempt.
    pub guid: String,
    /// When it was sent: RFC 3339, UTC.
    pub delivered_at: String,
    /// Whether a person or this client asked for this attempt.
    #[serde(default)]
    pub redelivery: bool,
    /// `OK`, or the error in GitHub's words.
    pub status: String,
    /// The HTTP status; 0 if there was no answer.
    #[serde(default)]
    pub status_code: u16,
    /// `X-GitHub-Event`.
    pub event: String,
}

impl GitHub {
    /// Who we are.
    pub async fn me(&self) -> Result<Me, GitHubError> {
        #[derive(Deserialize)]
        struct WireApp {
            id: u64,
            slug: Option<String>,
            name: String,
            #[serde(default)]
            permissions: BTreeMap<String, String>,
        }
        #[derive(Deserialize)]
        struct WireUser {
            login: String,
        }
        match self.signed_in {
            SignedIn::Token => {
                let user = self.client.get("asking who we are", "/user").await;
                let user: Option<WireUser> = match user {
                    // A token of an installation belongs to no user.
                    Err(GitHubError::Denied { status: 403, .. }) => None,
                    user => GitHubError::absent(user)?,
                };
                Ok(Me {
                    login: user.map(|user| user.login),
                    app: None,
                    permissions: BTreeMap::new(),
                })
            }
            SignedIn::App(_) => {
                let app: WireApp = self.client.get("asking who we are", "/app").await?;
                Ok(Me {
                    login: Some(format!("{}[bot]", app.slug.unwrap_or(app.name))),
                    app: Some(app.id),
                    permissions: app.permissions,
                })
            }
        }
    }

    /// Whether we are an app: only an app may read the log of its webhooks.
    pub fn is_app(&self) -> bool {
        matches!(self.signed_in, SignedIn::App(_))
    }

    /// A page of the log, newest first, and the cursor of the next page. GitHub keeps 3 days.
    pub async fn hook_deliveries(
        &self,
        cursor: Option<&str>,
    ) -> Result<(Vec<HookDelivery>, Option<String>), GitHubError> {
        // Not `status=failure`: that leaves out those without an answer.
        let mut route = "/app/hook/deliveries?per_page=100".to_owned();
        if let Some(cursor) = cursor {
            route = format!("{route}&cursor={}", segment(cursor));
        }
        let what = "listing the deliveries of webhooks";
        let (page, answer) = self.client.get_answer(what, &route).await?;
        Ok((page, answer.next_cursor()))
    }

    /// Asks GitHub to send a webhook again, under the same delivery id.
    pub async fn redeliver(&self, id: u64) -> Result<(), GitHubError> {
        let route = format!("/app/hook/deliveries/{id}/attempts");
        self.client
            .submit("redelivering a webhook", Method::POST, (&route, &json!({})))
            .await
    }
}

impl HookDelivery {
    /// Whether it was accepted: any 2xx.
    pub fn succeeded(&self) -> bool {
        (200..300).contains(&self.status_code)
    }

    /// The newest attempt of each delivery without a successful one; `log` is newest first.
    pub fn undelivered(log: &[Self]) -> Vec<&Self> {
        let mut newest: BTreeMap<&str, &Self> = BTreeMap::new();
        for attempt in log {
            let known = newest.entry(&attempt.guid).or_insert(attempt);
            if attempt.succeeded() {
                *known = attempt;
            }
        }
        newest
            .into_values()
            .filter(|attempt| !attempt.succeeded())
            .collect()
    }
}
