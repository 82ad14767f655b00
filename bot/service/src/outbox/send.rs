//! Sends messages to GitHub, each once and within GitHub's limits.
//!
//! A comment carries its key in an HTML comment. If the process died after posting a comment and before recording that, the
//! comment is found by its key among our own and is not posted again. The key alone is not enough: we must be the author. This
//! module must not know what a message is about.

use anyhow::Context as _;

use github::GitHubError;
use journal::{Creations, Journal, OutboxPayload, PendingMessage, RateTier, SendFailure, Sent};
use topology::observed::Timestamp;
use topology::port::Clock;

use crate::github_port::{GitHubPort, RepositoryPort};
use crate::outbox::backoff::Backoff;
use crate::outbox::rate_limit::{HOUR, Limit, MINUTE};
use crate::reply::{because, fitted};
use crate::worker::{RETRY_MS, rate_limit_of};

/// At most one edit of a comment in five seconds.
const EDIT_MS: i64 = 5_000;

/// The delays between attempts to send a message.
const BACKOFF: Backoff = Backoff {
    first: 2_000,
    longest: 600_000,
};

/// How many attempts a message gets while GitHub does not respond or denies access: about half a day.
const ATTEMPTS_MAX: i64 = 70;

/// How many attempts a message gets that GitHub refuses because of its content. More than one, because what was just created
/// at GitHub is not visible everywhere at once.
const REFUSALS_MAX: i64 = 3;

/// What may be created now, and when more may be.
struct Budget {
    tier: RateTier,
    more_at: Option<Timestamp>,
}

/// Sends pending messages.
pub struct Outbox {
    journal: Journal,
    github: GitHubPort,
    clock: Clock,
}

impl Outbox {
    pub(crate) fn new(journal: Journal, github: GitHubPort, clock: Clock) -> Self {
        Self {
            journal,
            github,
            clock,
        }
    }

    /// Sends the first message that may be sent now; false if there is none.
    pub(crate) async fn send_next(&self, now: Timestamp) -> anyhow::Result<bool> {
        let Some(first) = self.journal.next_message(now, RateTier::All).await? else {
            return Ok(false);
        };
        let budget = self.budget(now).await?;
        let next = match budget.tier {
            RateTier::All => Some(first),
            tier @ (RateTier::NoComments | RateTier::ChecksOnly | RateTier::EditsOnly) => {
                self.journal.next_message(now, tier).await?
            }
        };
        let Some(pending) = next else {
            return Ok(false);
        };
        self.send(&pending, now).await?;
        Ok(true)
    }

    /// When the next pending message may be sent: when it is due, or when the limits allow it.
    pub(crate) async fn next_at(&self, now: Timestamp) -> anyhow::Result<Option<Timestamp>> {
        match self.journal.next_message_at().await? {
            // It is due and was not sent, so the limits do not allow it.
            Some(at) if at <= now => {
                let more_at = self.budget(now).await?.more_at;
                Ok(Some(more_at.unwrap_or(Timestamp(now.0 + RETRY_MS))))
            }
            at => Ok(at),
        }
    }

    async fn budget(&self, now: Timestamp) -> anyhow::Result<Budget> {
        let created = async |limit: Limit| -> anyhow::Result<(Limit, Creations)> {
            let since = Timestamp(now.0 - limit.window);
            Ok((limit, self.journal.created_since(since).await?))
        };
        let both = [created(MINUTE).await?, created(HOUR).await?];
        let full = |(limit, created): &(Limit, Creations)| {
            let full = limit.tier(*created) != RateTier::All;
            full.then(|| limit.more_at(*created)).flatten()
        };
        Ok(Budget {
            tier: both
                .iter()
                .map(|(limit, created)| limit.tier(*created))
                .fold(RateTier::All, RateTier::max),
            more_at: both.iter().filter_map(full).max(),
        })
    }

    async fn send(&self, pending: &PendingMessage, now: Timestamp) -> anyhow::Result<()> {
        match self.post(pending).await {
            Ok(sent) => {
                tracing::debug!(message = pending.key, "sent a message to GitHub");
                let next_edit = Timestamp(now.0 + EDIT_MS);
                Ok(self
                    .journal
                    .mark_sent(pending, sent, now, next_edit)
                    .await?)
            }
            Err(error) => {
                // The cause may be a renamed repository or a revoked token.
                self.github.forget(&pending.repository);
                let failure = failure_of(pending, &error, now);
                match failure {
                    SendFailure::GivenUp(_) => tracing::error!(
                        message = pending.key,
                        "gave up on sending a message; `planebot doctor` lists it: {error:#}"
                    ),
                    SendFailure::RetryAt(_) | SendFailure::RateLimited(_) => {
                        tracing::info!(
                            message = pending.key,
                            "sending a message failed and will be retried: {error:#}"
                        );
                    }
                }
                let why = because(&error);
                Ok(self
                    .journal
                    .mark_failed(&pending.key, failure, &why)
                    .await?)
            }
        }
    }

    async fn post(&self, pending: &PendingMessage) -> anyhow::Result<Sent> {
        let payload = pending.payload.clone()?;
        let repository = self.github.read_last(&pending.repository).await?;
        let created = |remote| Sent {
            remote,
            created: true,
        };
        match &payload {
            OutboxPayload::Comment { text } => self.post_comment(pending, &repository, text).await,
            OutboxPayload::Reaction(content) => {
                repository.react(target_of(pending)?, *content).await?;
                Ok(created(None))
            }
            OutboxPayload::Check(check) => {
                let known = pending.remote.and_then(|id| u64::try_from(id).ok());
                let id = repository.check(&pending.key, known, check).await?;
                Ok(Sent {
                    remote: Some(i64::try_from(id)?),
                    created: known.is_none(),
                })
            }
            OutboxPayload::History(commit) => {
                repository.commit_history(commit).await?;
                Ok(created(None))
            }
        }
    }

    async fn post_comment(
        &self,
        pending: &PendingMessage,
        repository: &RepositoryPort,
        text: &str,
    ) -> anyhow::Result<Sent> {
        let number = target_of(pending)?;
        let marker = format!("<!-- planebot:{} -->", pending.key);
        let body = format!("{}\n{marker}\n", fitted(text));
        let remote = match pending.remote {
            Some(remote) => Some(u64::try_from(remote)?),
            None => repository.own_comment(number, &marker).await?,
        };
        if let Some(id) = remote
            && repository.edit_comment(id, &body).await?
        {
            return Ok(Sent {
                remote: Some(i64::try_from(id)?),
                // A comment that was only found now was posted, but not recorded.
                created: pending.remote.is_none(),
            });
        }
        // If this replica was paused after that search, another may have posted the comment since.
        self.journal.check_fence((self.clock)()).await?;
        let id = repository.comment(number, &body).await?;
        Ok(Sent {
            remote: Some(i64::try_from(id)?),
            created: true,
        })
    }
}

fn target_of(pending: &PendingMessage) -> anyhow::Result<u64> {
    let target = pending.target.and_then(|target| u64::try_from(target).ok());
    target.context("the message has no target")
}

/// How a failed message continues. A rate limit is no failure of the message. What GitHub refuses because of its target or
/// content, such as a locked conversation or a deleted pull request, is not retried for long.
fn failure_of(pending: &PendingMessage, error: &anyhow::Error, now: Timestamp) -> SendFailure {
    if let Some(until) = rate_limit_of(error) {
        return SendFailure::RateLimited(until);
    }
    let cause = error
        .chain()
        .find_map(|cause| cause.downcast_ref::<GitHubError>());
    let attempts_max = match cause {
        Some(GitHubError::Gone { .. } | GitHubError::Refused { .. }) => REFUSALS_MAX,
        // GitHub also returns 403 for a locked conversation ("Unable to create comment because issue is locked.").
        Some(GitHubError::Denied { why, .. }) if why.contains("locked") => REFUSALS_MAX,
        Some(
            GitHubError::Denied { .. } | GitHubError::Unknown { .. } | GitHubError::Limited { .. },
        )
        | None => ATTEMPTS_MAX,
    };
    if pending.attempts + 1 >= attempts_max {
        SendFailure::GivenUp(now)
    } else {
        SendFailure::RetryAt(BACKOFF.after(now, &pending.key, pending.attempts))
    }
}
