//! Replies that are owed, posted once each.
//!
//! A comment carries its key where people do not see it: when the power went between posting and writing that down, the
//! comment is found by its key among our own and not posted again. Lookup by text alone never decides: the author must
//! be us.

use anyhow::Context as _;
use journal::{Made, Owed, Posted, Reply, ReplyKind, Room, Unsaid};
use topology::observed::Timestamp;

use crate::history::BRANCH;
use crate::outbox::backoff::Backoff;
use crate::outbox::rate_limit::{HOUR, Limit, MINUTE};
use crate::reply::{because, fitted};
use crate::worker::{AGAIN_MS, Office, limit_in};
use github::Content;
use github::GitHubError;

/// At most one edit of a comment in five seconds.
const EDIT_MS: i64 = 5_000;

/// How long to wait before a reply that failed is tried again.
const PAUSES: Backoff = Backoff {
    first: 2_000,
    longest: 600_000,
};

/// How often a reply is tried that GitHub does not answer for, or does not let us post: half a day.
const ATTEMPTS_MAX: i64 = 70;

/// How often one is tried that GitHub refuses as it is. More than once: what was just made is not everywhere at once.
const REFUSALS_MAX: i64 = 3;

/// What may be made now, and when there will be more room.
struct Budget {
    room: Room,
    more_at: Option<Timestamp>,
}

impl Office {
    /// Says the first reply that may be said now; false where there is none.
    pub(crate) async fn say_one(&self, now: Timestamp) -> anyhow::Result<bool> {
        let Some(first) = self.journal.next_reply(now, Room::All).await? else {
            return Ok(false);
        };
        let budget = self.budget(now).await?;
        let next = match budget.room {
            Room::All => Some(first),
            room @ (Room::NoWords | Room::Checks | Room::Edits) => {
                self.journal.next_reply(now, room).await?
            }
        };
        let Some(owed) = next else {
            return Ok(false);
        };
        self.say(&owed, now).await?;
        Ok(true)
    }

    /// When the next reply may be said, if any is owed: its time, or when there is room for it again.
    pub(crate) async fn next_saying_at(&self, now: Timestamp) -> anyhow::Result<Option<Timestamp>> {
        match self.journal.next_reply_at().await? {
            // It is time, and it was not said: there is no room.
            Some(at) if at <= now => {
                let more_at = self.budget(now).await?.more_at;
                Ok(Some(more_at.unwrap_or(Timestamp(now.0 + AGAIN_MS))))
            }
            at => Ok(at),
        }
    }

    async fn budget(&self, now: Timestamp) -> anyhow::Result<Budget> {
        let made = async |limit: Limit| -> anyhow::Result<(Limit, Made)> {
            let since = Timestamp(now.0 - limit.window);
            Ok((limit, self.journal.made_since(since).await?))
        };
        let both = [made(MINUTE).await?, made(HOUR).await?];
        let full = |(limit, made): &(Limit, Made)| {
            let full = limit.room(*made) != Room::All;
            full.then(|| limit.more_at(*made)).flatten()
        };
        Ok(Budget {
            room: both
                .iter()
                .map(|(limit, made)| limit.room(*made))
                .fold(Room::All, Room::max),
            more_at: both.iter().filter_map(full).max(),
        })
    }

    async fn say(&self, owed: &Owed, now: Timestamp) -> anyhow::Result<()> {
        let key = &owed.reply.key;
        match self.post(owed).await {
            Ok(posted) => {
                let again = Timestamp(now.0 + EDIT_MS);
                Ok(self.journal.posted(owed, posted, now, again).await?)
            }
            Err(error) => {
                let unsaid = unsaid(owed, &error, now);
                if let Unsaid::GivenUp(_) = unsaid {
                    tracing::error!(reply = %key, "given up: {error:#}");
                } else {
                    tracing::warn!(reply = %key, "not posted: {error:#}");
                }
                let why = because(&error);
                Ok(self.journal.not_posted(key, unsaid, &why).await?)
            }
        }
    }

    async fn post(&self, owed: &Owed) -> anyhow::Result<Posted> {
        let reply = &owed.reply;
        let made = |remote| Posted { remote, made: true };
        match reply.kind {
            ReplyKind::Comment => self.post_comment(owed).await,
            ReplyKind::Reaction => {
                self.github
                    .react(&reply.repository, target_of(reply)?, &reply.body)
                    .await?;
                Ok(made(None))
            }
            ReplyKind::Check => {
                let known = owed.remote.and_then(|id| u64::try_from(id).ok());
                let id = self
                    .github
                    .check(&reply.repository, &reply.key, known, &reply.body)
                    .await?;
                Ok(Posted {
                    remote: Some(i64::try_from(id)?),
                    made: known.is_none(),
                })
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
                Ok(made(None))
            }
        }
    }

    async fn post_comment(&self, owed: &Owed) -> anyhow::Result<Posted> {
        let reply = &owed.reply;
        let (repository, number) = (&reply.repository, target_of(reply)?);
        let marker = format!("<!-- planebot:{} -->", reply.key);
        let body = format!("{}\n{marker}\n", fitted(&reply.body));
        let remote = match owed.remote {
            Some(remote) => Some(u64::try_from(remote)?),
            None => self.github.own_comment(repository, number, &marker).await?,
        };
        if let Some(id) = remote
            && self.github.edit_comment(repository, id, &body).await?
        {
            return Ok(Posted {
                remote: Some(i64::try_from(id)?),
                // One that is only found now was made without anybody noting it.
                made: owed.remote.is_none(),
            });
        }
        // A replica that was paused since it looked would say what another one has said meanwhile.
        self.journal.still_ours((self.clock)()).await?;
        let id = self.github.comment(repository, number, &body).await?;
        Ok(Posted {
            remote: Some(i64::try_from(id)?),
            made: true,
        })
    }
}

fn target_of(reply: &Reply) -> anyhow::Result<u64> {
    let target = reply.target.and_then(|target| u64::try_from(target).ok());
    target.context("a reply without a target")
}

/// What becomes of a reply that failed: GitHub's limits are no failure of it, and what GitHub refuses as it is (a locked
/// conversation, a pull request that is gone) does not get better by asking for ever.
fn unsaid(owed: &Owed, error: &anyhow::Error, now: Timestamp) -> Unsaid {
    if let Some(until) = limit_in(error) {
        return Unsaid::Limited(until);
    }
    let said = error
        .chain()
        .find_map(|cause| cause.downcast_ref::<GitHubError>());
    let most = match said {
        Some(GitHubError::Gone { .. } | GitHubError::Refused { .. }) => REFUSALS_MAX,
        // GitHub says 403 of a locked conversation too ("Unable to create comment because issue is locked.").
        Some(GitHubError::Denied { why, .. }) if why.contains("locked") => REFUSALS_MAX,
        Some(
            GitHubError::Denied { .. } | GitHubError::Unknown { .. } | GitHubError::Limited { .. },
        )
        | None => ATTEMPTS_MAX,
    };
    if owed.attempts + 1 >= most {
        Unsaid::GivenUp(now)
    } else {
        Unsaid::Again(PAUSES.after(now, &owed.reply.key, owed.attempts))
    }
}
