//! The app itself: who it is, and the webhooks that did not arrive.

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
    /// The app's number, when we are one.
    pub app: Option<u64>,
    /// What the app may do, by GitHub's words (`checks`: `write`); empty for a token.
    pub permissions: BTreeMap<String, String>,
}

impl Me {
    /// Whether a comment is ours: by the app that wrote it, or by our login. A token that does not say whose it is can
    /// only be told from people.
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

/// A webhook in GitHub's log.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct HookDelivery {
    /// GitHub's number of this attempt.
    pub id: u64,
    /// The delivery: `X-GitHub-Delivery`, the same for each attempt.
    pub guid: String,
    /// When, as GitHub writes times.
    pub delivered_at: String,
    /// Whether this attempt was one of a person or ours.
    #[serde(default)]
    pub redelivery: bool,
    /// `OK`, or what went wrong.
    pub status: String,
    /// The HTTP status; 0 where there was no answer.
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
                let asked = self.client.get("asking who we are", "/user").await;
                let user: Option<WireUser> = match asked {
                    // A token of an installation is nobody's.
                    Err(GitHubError::Denied { status: 403, .. }) => None,
                    asked => GitHubError::absent(asked)?,
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

    /// Whether we are an app: only an app is told which of its webhooks failed.
    pub fn is_app(&self) -> bool {
        matches!(self.signed_in, SignedIn::App(_))
    }

    /// A page of the webhooks that were sent, newest first, and where the next page is. GitHub keeps them for 3 days.
    pub async fn hook_deliveries(
        &self,
        cursor: Option<&str>,
    ) -> Result<(Vec<HookDelivery>, Option<String>), GitHubError> {
        // Not `status=failure`: that leaves out the ones that nobody answered.
        let mut route = "/app/hook/deliveries?per_page=100".to_owned();
        if let Some(cursor) = cursor {
            route = format!("{route}&cursor={}", segment(cursor));
        }
        let what = "listing the webhooks that were sent";
        let (page, answer) = self.client.get_answer(what, &route).await?;
        Ok((page, answer.next_cursor()))
    }

    /// Asks GitHub to send one again, under the same delivery id.
    pub async fn redeliver(&self, id: u64) -> Result<(), GitHubError> {
        let route = format!("/app/hook/deliveries/{id}/attempts");
        self.client
            .submit(
                "asking for a webhook again",
                Method::POST,
                (&route, &json!({})),
            )
            .await
    }
}

impl HookDelivery {
    /// Whether somebody took it: any 2xx.
    pub fn arrived(&self) -> bool {
        (200..300).contains(&self.status_code)
    }

    /// Of each delivery that never got through, the newest attempt; `log` is newest first.
    pub fn missed(log: &[Self]) -> Vec<&Self> {
        let mut newest: BTreeMap<&str, &Self> = BTreeMap::new();
        for attempt in log {
            let known = newest.entry(&attempt.guid).or_insert(attempt);
            if attempt.arrived() {
                *known = attempt;
            }
        }
        newest
            .into_values()
            .filter(|attempt| !attempt.arrived())
            .collect()
    }
}
