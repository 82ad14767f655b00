//! The worker: one message, one delivery, one move, or a rest.
//!
//! It never reacts; it asks each part what is next: a message that is owed, a delivery that waits, a run whose facts were
//! not published, a run that can move, or nothing until a time. While GitHub's rate limit holds, runs go on. Production
//! steps it for ever, a test steps it until it rests. What happens in one step survives a power cut in the middle of it:
//! everything that was decided is written down before it is done.
//!
//! It wires the parts together and must not know what a delivery says or what a run does.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use github::GitHubError;
use journal::Journal;
use topology::observed::Timestamp;
use topology::port::Clock;
use tracing::Instrument as _;

use crate::github_port::GitHubPort;
use crate::inbox::{Asked, Inbox, Received, Redelivered, Taken, Work, trace_of};
use crate::orders::{CommandContext, Orders};
use crate::outbox::{Outbox, OutboxQueue};
use crate::pulls::Pulls;
use crate::retention::Retention;
use crate::runs::{PublishedFacts, Runs};
use crate::sites::Sites;

/// How long to rest after something failed that may succeed the next time.
pub(crate) const RETRY_MS: i64 = 1_000;

/// After so many deliveries the runs come first, however many more deliveries wait.
const DELIVERIES_PER_MOVE: usize = 8;

/// What a step came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkerState {
    /// Something was done; there may be more.
    Progressed,
    /// Nothing to do before that time, or before a delivery arrives.
    Idle(Option<Timestamp>),
}

/// Everything that the parts are built from, but for the journal.
#[derive(Clone)]
pub struct Wiring {
    /// GitHub.
    pub github: GitHubPort,
    /// The sites.
    pub sites: Arc<Sites>,
    /// What time it is.
    pub clock: Clock,
    /// Who this process is, for leases.
    pub owner: String,
    /// How many days finished work is kept.
    pub keep_days: i64,
}

/// The parts, and whose turn it is.
pub struct Worker {
    github: GitHubPort,
    clock: Clock,
    inbox: Inbox,
    pulls: Arc<Pulls>,
    orders: Orders,
    runs: Arc<Runs>,
    outbox: Outbox,
    retention: Retention,
    /// Deliveries since the runs had their turn.
    deliveries: AtomicUsize,
}

impl Wiring {
    /// A worker on a journal.
    pub fn worker(&self, journal: &Journal) -> Worker {
        self.worker_after(journal, PublishedFacts::default())
    }

    /// A worker that goes on where another one stands: it does not publish again what that one published.
    pub fn worker_after(&self, journal: &Journal, published: PublishedFacts) -> Worker {
        let (github, sites) = (&self.github, &self.sites);
        let clock = || Arc::clone(&self.clock);
        let queue = OutboxQueue::new(journal.clone(), clock());
        let pulls = Arc::new(Pulls::new(
            journal.clone(),
            github.clone(),
            Arc::clone(sites),
            queue.clone(),
            clock(),
        ));
        let runs = Arc::new(Runs::new(
            journal.clone(),
            github.clone(),
            Arc::clone(&pulls),
            (Arc::clone(sites), queue.clone()),
            (clock(), self.owner.clone()),
            published,
        ));
        Worker {
            github: github.clone(),
            clock: clock(),
            inbox: Inbox::new(
                journal.clone(),
                github.clone(),
                Arc::clone(sites),
                queue.clone(),
                clock(),
            ),
            orders: Orders::new(
                journal.clone(),
                (Arc::clone(&pulls), Arc::clone(&runs)),
                queue,
                clock(),
            ),
            outbox: Outbox::new(journal.clone(), github.clone(), clock()),
            retention: Retention::new(journal.clone(), clock(), self.keep_days),
            pulls,
            runs,
            deliveries: AtomicUsize::new(0),
        }
    }
}

impl Worker {
    /// One step.
    pub async fn step(&self) -> anyhow::Result<WorkerState> {
        let now = (self.clock)();
        // Messages and deliveries need GitHub. A storm of deliveries must not keep a run from its next move.
        let limited = self.github.client().paused_until(now);
        let runs_first = self.deliveries.load(Ordering::Relaxed) >= DELIVERIES_PER_MOVE;
        if limited.is_none() {
            if self.outbox.send_next(now).await? {
                return Ok(WorkerState::Progressed);
            }
            if !runs_first && self.process_delivery(now).await? {
                return Ok(WorkerState::Progressed);
            }
        }
        self.deliveries.store(0, Ordering::Relaxed);
        // A GitHub or a MAAS that does not answer keeps a run from being published, not from moving.
        let mut retry_at = match self.runs.publish_one().await {
            Ok(true) => return Ok(WorkerState::Progressed),
            Ok(false) => None,
            Err(error) => {
                tracing::info!("publishing a run failed and is tried again: {error:#}");
                Some(rate_limit_of(&error).unwrap_or(Timestamp(now.0 + RETRY_MS)))
            }
        };
        match self.runs.move_one(now).await {
            Ok(true) => return Ok(WorkerState::Progressed),
            Ok(false) => {}
            Err(error) if is_github_error(&error) => {
                tracing::info!("a run waits for GitHub: {error:#}");
                let at = rate_limit_of(&error).unwrap_or(Timestamp(now.0 + RETRY_MS));
                retry_at = Some(retry_at.map_or(at, |retry_at| retry_at.min(at)));
            }
            Err(error) => return Err(error),
        }
        if limited.is_none() && runs_first && self.process_delivery(now).await? {
            return Ok(WorkerState::Progressed);
        }
        self.idle(now, limited, retry_at).await
    }

    /// Until when there is nothing to do.
    async fn idle(
        &self,
        now: Timestamp,
        limited: Option<Timestamp>,
        retry_at: Option<Timestamp>,
    ) -> anyhow::Result<WorkerState> {
        let github = match limited {
            Some(until) => [Some(until), None],
            None => [self.outbox.next_at(now).await?, self.inbox.next_at().await?],
        };
        let wake = github
            .into_iter()
            .chain([self.runs.next_at(now).await?, retry_at])
            .flatten()
            .min();
        Ok(WorkerState::Idle(wake))
    }

    /// Steps until there is nothing to do; until when.
    pub async fn run_until_idle(&self) -> anyhow::Result<Option<Timestamp>> {
        loop {
            if let WorkerState::Idle(until) = self.step().await? {
                return Ok(until);
            }
        }
    }

    /// Works on the next delivery that may be taken; false where there is none.
    async fn process_delivery(&self, now: Timestamp) -> anyhow::Result<bool> {
        match self.inbox.take(now).await? {
            Taken::Nothing => return Ok(false),
            Taken::Passed => {}
            Taken::Received(received) => {
                let delivery = received.delivery();
                let span = match trace_of(&received.event) {
                    Some(id) => tracing::info_span!("delivery", %id, delivery),
                    None => tracing::info_span!("delivery", delivery),
                };
                let work = async {
                    let result = if received.ends_the_process() {
                        Err(anyhow::anyhow!(
                            "planebot stopped each time in the middle of it"
                        ))
                    } else {
                        Box::pin(self.work_on(&received)).await
                    };
                    self.inbox.finish(&received, result).await
                };
                work.instrument(span).await?;
            }
        }
        self.deliveries.fetch_add(1, Ordering::Relaxed);
        Ok(true)
    }

    async fn work_on(&self, received: &Received) -> anyhow::Result<()> {
        match self.inbox.route(received).await? {
            None => Ok(()),
            Some(Work::PlanPull {
                repository,
                touched,
                number,
            }) => self.pulls.changed(&repository, &touched, number).await,
            Some(Work::ClosePull {
                repository,
                sites,
                number,
            }) => self.pulls.closed(&repository, &sites, number).await,
            Some(Work::PlanCommit {
                repository,
                sites,
                head,
            }) => {
                for (runtime, number) in self.pulls.planned_at(&sites, &head).await? {
                    self.pulls.changed(&repository, &[runtime], number).await?;
                }
                Ok(())
            }
            Some(Work::Follow(asked)) => self.follow(asked, received.is_repeated()).await,
        }
    }

    async fn follow(&self, asked: Asked<'_>, repeated: bool) -> anyhow::Result<()> {
        let context = CommandContext {
            runtime: asked.runtime,
            repository: &asked.repository,
            comment: asked.comment,
            commenter: asked.commenter,
            repeated,
        };
        self.orders.follow(&context, asked.command).await
    }

    /// What this worker has published of the runs.
    pub fn published(&self) -> PublishedFacts {
        self.runs.published().clone()
    }

    /// Asks GitHub for what no webhook brought; how many deliveries that made.
    pub async fn poll(&self) -> anyhow::Result<usize> {
        self.inbox.poll().await
    }

    /// Asks GitHub to send again the webhooks that it could not deliver.
    pub async fn redeliver_failed(&self) -> anyhow::Result<Redelivered> {
        self.inbox.redeliver_failed().await
    }

    /// Removes a batch of finished work; true where there may be more.
    pub async fn remove_finished(&self) -> anyhow::Result<bool> {
        self.retention.remove_batch().await
    }
}

/// Until when GitHub's rate limit holds, where that is why something failed.
pub(crate) fn rate_limit_of(error: &anyhow::Error) -> Option<Timestamp> {
    error.chain().find_map(|cause| {
        if let Some(GitHubError::Limited { retry_at, .. }) = cause.downcast_ref() {
            return Some(*retry_at);
        }
        None
    })
}

/// Whether GitHub is why something failed.
pub(crate) fn is_github_error(error: &anyhow::Error) -> bool {
    error
        .chain()
        .any(|cause| cause.downcast_ref::<GitHubError>().is_some())
}
