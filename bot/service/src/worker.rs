//! One delivery, one move, or one rest: the only loop.
//!
//! A turn never reacts; it asks the journal what is next: a reply that is owed, a delivery that waits, a run whose facts
//! were not told, a run that can move, or nothing until a time. While GitHub wants to be left alone, runs go on. Production
//! calls it for ever, a story calls it until it rests. What happens in one turn survives a power cut in the middle of it:
//! everything that was decided is written down before it is done.

use std::collections::BTreeMap;

use journal::Journal;
use topology::observed::Timestamp;

use crate::config::Config;
use crate::github_port::GitHubPort;
use crate::runs::publish::PublishedFacts;
use crate::site::SiteRuntime;
use github::GitHubError;
use topology::port::Clock;

/// How long to rest after something failed that may go well the next time.
pub(crate) const AGAIN_MS: i64 = 1_000;

/// What a turn came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkerState {
    /// Something was done; there may be more.
    Moved,
    /// Nothing to do before that time, or before somebody speaks.
    Rests(Option<Timestamp>),
}

/// Everything that a turn may reach.
pub struct Office {
    /// The configuration.
    pub config: Config,
    /// The memory.
    pub journal: Journal,
    /// GitHub.
    pub github: GitHubPort,
    /// The sites at work, by name.
    pub desks: BTreeMap<String, SiteRuntime>,
    /// What time it is.
    pub clock: Clock,
    /// Who this process is, for leases.
    pub owner: String,
    /// What this process has told of the runs.
    pub told: PublishedFacts,
}

impl Office {
    /// One turn.
    pub async fn turn(&self) -> anyhow::Result<WorkerState> {
        let now = (self.clock)();
        // Both need GitHub. A storm of deliveries must not keep a run from its next move.
        let quiet = self.github.0.quiet_until(now);
        let runs_first = self.told.is_runs_turn();
        if quiet.is_none() {
            if self.say_one(now).await? {
                return Ok(WorkerState::Moved);
            }
            if !runs_first && self.settle_one(now).await? {
                self.told.settled();
                return Ok(WorkerState::Moved);
            }
        }
        self.told.runs_had_their_turn();
        // A GitHub or a MAAS that does not answer keeps a run from being told, not from moving.
        let mut again = match self.tell_a_run().await {
            Ok(true) => return Ok(WorkerState::Moved),
            Ok(false) => None,
            Err(error) => {
                tracing::warn!("a run was not told: {error:#}");
                Some(limit_in(&error).unwrap_or(Timestamp(now.0 + AGAIN_MS)))
            }
        };
        match self.move_a_run(now).await {
            Ok(true) => return Ok(WorkerState::Moved),
            Ok(false) => {}
            Err(error) if is_githubs(&error) => {
                tracing::warn!("a run was not moved: {error:#}");
                let at = limit_in(&error).unwrap_or(Timestamp(now.0 + AGAIN_MS));
                again = Some(again.map_or(at, |again| again.min(at)));
            }
            Err(error) => return Err(error),
        }
        if quiet.is_none() && runs_first && self.settle_one(now).await? {
            self.told.settled();
            return Ok(WorkerState::Moved);
        }
        self.rest(now, quiet, again).await
    }

    /// Until when there is nothing to do.
    async fn rest(
        &self,
        now: Timestamp,
        quiet: Option<Timestamp>,
        again: Option<Timestamp>,
    ) -> anyhow::Result<WorkerState> {
        let github = match quiet {
            Some(until) => [Some(until), None],
            None => [
                self.next_saying_at(now).await?,
                self.journal.next_delivery_at().await?,
            ],
        };
        let wake = github
            .into_iter()
            .chain([self.next_move_at(now).await?, again])
            .flatten()
            .min();
        Ok(WorkerState::Rests(wake))
    }

    /// Turns until there is nothing to do.
    pub async fn settle_all(&self) -> anyhow::Result<Option<Timestamp>> {
        loop {
            if let WorkerState::Rests(until) = self.turn().await? {
                return Ok(until);
            }
        }
    }
}

/// Until when GitHub wants to be left alone, where that is why something failed.
pub(crate) fn limit_in(error: &anyhow::Error) -> Option<Timestamp> {
    error.chain().find_map(|cause| {
        if let Some(GitHubError::Limited { retry_at, .. }) = cause.downcast_ref() {
            return Some(*retry_at);
        }
        None
    })
}

/// Whether GitHub is why something failed.
pub(crate) fn is_githubs(error: &anyhow::Error) -> bool {
    error
        .chain()
        .any(|cause| cause.downcast_ref::<GitHubError>().is_some())
}
