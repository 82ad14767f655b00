//! Sends the messages that are owed to GitHub, once each and within its limits.
//!
//! A comment carries its key where people do not see it: when the power went between posting a comment and noting that,
//! the comment is found by its key among our own and is not posted again. The text alone never decides: the author must be
//! us. It must not know what a message says.

use anyhow::Context as _;
use journal::{Creations, Journal, OutboxPayload, PendingMessage, RateTier, SendFailure, Sent};
use topology::observed::Timestamp;
use topology::port::Clock;

use github::GitHubError;

use crate::github_port::{GitHubPort, RepositoryPort};
use crate::outbox::backoff::Backoff;
use crate::outbox::rate_limit::{HOUR, Limit, MINUTE};
use crate::reply::{because, fitted};
use crate::worker::{RETRY_MS, rate_limit_of};

/// At most one edit of a comment in five seconds.
const EDIT_MS: i64 = 5_000;

/// How long to wait before a message that failed is sent again.
const BACKOFF: Backoff = Backoff {
    first: 2_000,
    longest: 600_000,
};

/// How often a message is tried that GitHub does not answer, or does not let us post: half a day.
const ATTEMPTS_MAX: i64 = 70;

/// How often one is tried that GitHub refuses as it is. More than once: what was just created is not visible everywhere at once.
const REFUSALS_MAX: i64 = 3;

/// What may be created now, and when there will be more room.
struct Budget {
    tier: RateTier,
    more_at: Option<Timestamp>,
}

/// Sends what is owed.
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

    /// Sends the first message that may be sent now; false where there is none.
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

    /// When the next message may be sent, if any is owed: its time, or when the limits leave room for it again.
    pub(crate) async fn next_at(&self, now: Timestamp) -> anyhow::Result<Option<Timestamp>> {
        match self.journal.next_message_at().await? {
            // It is time, and it was not sent: the limits leave no room.
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
                let again = Timestamp(now.0 + EDIT_MS);
                Ok(self.journal.mark_sent(pending, sent, now, again).await?)
            }
            Err(error) => {
                // A renamed repository or a revoked token may be the reason.
                self.github.forget(&pending.repository);
                let failure = failure_of(pending, &error, now);
                match failure {
                    SendFailure::GivenUp(_) => tracing::error!(
                        message = pending.key,
                        "gave up sending a message; `planebot doctor` lists it: {error:#}"
                    ),
                    SendFailure::RetryAt(_) | SendFailure::RateLimited(_) => {
                        tracing::info!(message = pending.key, "sending again later: {error:#}");
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
                // One that is only found now was posted without being noted.
                created: pending.remote.is_none(),
            });
        }
        // A replica that was paused since it looked would post what another one has posted meanwhile.
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

/// What becomes of a message that failed: GitHub's limits are no failure of the message, and what GitHub refuses as it is (a
/// locked conversation, a deleted pull request) does not get better by trying for ever.
fn failure_of(pending: &PendingMessage, error: &anyhow::Error, now: Timestamp) -> SendFailure {
    if let Some(until) = rate_limit_of(error) {
        return SendFailure::RateLimited(until);
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
    if pending.attempts + 1 >= most {
        SendFailure::GivenUp(now)
    } else {
        SendFailure::RetryAt(BACKOFF.after(now, &pending.key, pending.attempts))
    }
}
