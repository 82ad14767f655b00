//! Replies that are owed, posted once each.
//!
//! A comment carries its key where people do not see it: when the power went between posting and writing that down, the
//! comment is found by its key among our own and not posted again. Lookup by text alone never decides: the author must
//! be us.

use anyhow::Context as _;
use journal::{Owed, ReplyKind};
use topology::observed::Timestamp;

use super::Office;
use crate::history::{BRANCH, Content};
use crate::reply::fitted;

/// At most one edit of a comment in five seconds.
const EDIT_MS: i64 = 5_000;

/// How long to wait before a reply that failed is tried again; doubled each time, up to ten minutes.
const RETRY_MS: i64 = 2_000;
const RETRY_MS_MAX: i64 = 600_000;

impl Office {
    pub(super) async fn say(&self, owed: &Owed, now: Timestamp) -> anyhow::Result<()> {
        match self.post(owed).await {
            Ok(remote) => {
                let again = Timestamp(now.0 + EDIT_MS);
                Ok(self.journal.posted(owed, remote, now, again).await?)
            }
            Err(error) => {
                let wait = RETRY_MS
                    .saturating_mul(1_i64 << owed.attempts.clamp(0, 16))
                    .min(RETRY_MS_MAX);
                tracing::warn!(reply = %owed.reply.key, "not posted: {error:#}");
                Ok(self
                    .journal
                    .not_posted(
                        &owed.reply.key,
                        Timestamp(now.0 + wait),
                        &format!("{error:#}"),
                    )
                    .await?)
            }
        }
    }

    async fn post(&self, owed: &Owed) -> anyhow::Result<Option<i64>> {
        let reply = &owed.reply;
        let target = || {
            reply
                .target
                .and_then(|target| u64::try_from(target).ok())
                .context("a reply without a target")
        };
        match reply.kind {
            ReplyKind::Comment => {
                let marker = format!("<!-- planebot:{} -->", reply.key);
                let body = format!("{}\n{marker}\n", fitted(&reply.body));
                let remote = match owed.remote {
                    Some(remote) => Some(u64::try_from(remote)?),
                    None => {
                        self.github
                            .own_comment(&reply.repository, target()?, &marker)
                            .await?
                    }
                };
                let id = match remote {
                    Some(id)
                        if self
                            .github
                            .edit_comment(&reply.repository, id, &body)
                            .await? =>
                    {
                        id
                    }
                    Some(_) | None => {
                        self.github
                            .comment(&reply.repository, target()?, &body)
                            .await?
                    }
                };
                Ok(Some(i64::try_from(id)?))
            }
            ReplyKind::Reaction => {
                self.github
                    .react(&reply.repository, target()?, &reply.body)
                    .await?;
                Ok(None)
            }
            ReplyKind::Check => {
                let known = owed.remote.and_then(|id| u64::try_from(id).ok());
                let id = self
                    .github
                    .check(&reply.repository, &reply.key, known, &reply.body)
                    .await?;
                Ok(Some(i64::try_from(id)?))
            }
            ReplyKind::History => {
                let body: serde_json::Value = serde_json::from_str(&reply.body)?;
                let content = Content {
                    files: serde_json::from_value(body["files"].clone())?,
                    whole: serde_json::from_value(body["whole"].clone())?,
                };
                let message = body["message"].as_str().unwrap_or_default();
                self.github
                    .commit_files(&reply.repository, BRANCH, &content, message)
                    .await?;
                Ok(None)
            }
        }
    }
}
