//! The worker: each step sends one message, processes one delivery, publishes a run, or makes one move of a run.
//!
//! It has no callbacks; it asks each part for the next work: a pending message, a waiting delivery, a run with unpublished
//! facts, a run that can move, or nothing until a given time. While GitHub's rate limit is exceeded, runs continue.
//! Production steps it for ever; a test steps it until it is idle. A step survives a crash in the middle of it: every decision
//! is stored before it is carried out.
//!
//! It connects the parts and must not know what a delivery contains or what a run does.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tracing::Instrument as _;

use github::GitHubError;
use journal::Journal;
use topology::observed::Timestamp;
use topology::port::Clock;

use crate::github_port::GitHubPort;
use crate::inbox::{CommandRequest, Inbox, Received, Redelivered, Taken, Work, trace_of};
use crate::orders::{CommandContext, Orders};
use crate::outbox::{Outbox, OutboxQueue};
use crate::pulls::Pulls;
use crate::retention::Retention;
use crate::runs::{PublishedFacts, Runs};
use crate::sites::Sites;

/// How long to wait after a failure that may be transient, in milliseconds.
pub(crate) const RETRY_MS: i64 = 1_000;

/// After this many deliveries runs take precedence, however many more deliveries are waiting.
const DELIVERIES_PER_MOVE: usize = 8;

/// The result of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkerState {
    /// Work was done; there may be more.
    Progressed,
    /// There is nothing to do before this time, or before a delivery arrives.
    Idle(Option<Timestamp>),
}

/// Everything that the parts are built from, except the journal.
#[derive(Clone)]
pub struct Wiring {
    pub github: GitHubPort,
    pub sites: Arc<Sites>,
    pub clock: Clock,
    /// The name under which this process holds leases.
    pub owner: String,
    /// How many days finished work is kept.
    pub keep_days: i64,
}

/// The parts, and the order in which they get their turn.
pub struct Worker {
    github: GitHubPort,
    clock: Clock,
    inbox: Inbox,
    pulls: Arc<Pulls>,
    orders: Orders,
    runs: Arc<Runs>,
    outbox: Outbox,
    retention: Retention,
    /// Deliveries since runs last had their turn.
    deliveries: AtomicUsize,
}

impl Wiring {
    /// Builds a worker on a journal.
    pub fn worker(&self, journal: &Journal) -> Worker {
        self.worker_after(journal, PublishedFacts::default())
    }

    /// Builds a worker that continues after another: it does not publish again what that one published.
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
    /// Makes one step.
    pub async fn step(&self) -> anyhow::Result<WorkerState> {
        let now = (self.clock)();
        // Messages and deliveries need GitHub. A burst of deliveries must not delay a run's next move.
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
        // If GitHub or MAAS does not respond, a run cannot be published, but it can still move.
        let mut retry_at = match self.runs.publish_one().await {
            Ok(true) => return Ok(WorkerState::Progressed),
            Ok(false) => None,
            Err(error) => {
                tracing::info!("publishing a run failed and will be retried: {error:#}");
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

    /// Finds out until when there is nothing to do.
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

    /// Steps until there is nothing to do; returns until when.
    pub async fn run_until_idle(&self) -> anyhow::Result<Option<Timestamp>> {
        loop {
            if let WorkerState::Idle(until) = self.step().await? {
                return Ok(until);
            }
        }
    }

    /// Processes the next delivery that is due; false if there is none.
    async fn process_delivery(&self, now: Timestamp) -> anyhow::Result<bool> {
        match self.inbox.take(now).await? {
            Taken::Nothing => return Ok(false),
            Taken::Skipped => {}
            Taken::Received(received) => {
                let delivery = received.delivery();
                let span = if let Some(id) = trace_of(&received.event) {
                    tracing::info_span!("delivery", %id, delivery)
                } else {
                    tracing::info_span!("delivery", delivery)
                };
                let work = async {
                    let result = if received.crashes_the_process() {
                        Err(anyhow::anyhow!(
                            "planebot stopped each time while processing it"
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
            Some(Work::Follow(request)) => self.follow(request, received.is_repeated()).await,
        }
    }

    async fn follow(&self, request: CommandRequest<'_>, repeated: bool) -> anyhow::Result<()> {
        let context = CommandContext {
            runtime: request.runtime,
            repository: &request.repository,
            comment: request.comment,
            commenter: request.commenter,
            repeated,
        };
        self.orders.follow(&context, request.command).await
    }

    /// Which facts of runs this worker has published.
    pub fn published(&self) -> PublishedFacts {
        self.runs.published().clone()
    }

    /// Polls GitHub for changes whose webhook did not arrive; returns how many deliveries it stored.
    pub async fn poll(&self) -> anyhow::Result<usize> {
        self.inbox.poll().await
    }

    /// Asks GitHub to redeliver the webhooks that failed.
    pub async fn redeliver_failed(&self) -> anyhow::Result<Redelivered> {
        self.inbox.redeliver_failed().await
    }

    /// Removes a batch of finished work; true if there may be more.
    pub async fn remove_finished(&self) -> anyhow::Result<bool> {
        self.retention.remove_batch().await
    }
}

/// When GitHub's rate limit ends, if the rate limit caused the error.
pub(crate) fn rate_limit_of(error: &anyhow::Error) -> Option<Timestamp> {
    error.chain().find_map(|cause| {
        if let Some(GitHubError::Limited { retry_at, .. }) = cause.downcast_ref() {
            return Some(*retry_at);
        }
        None
    })
}

/// Whether a request to GitHub caused the error.
pub(crate) fn is_github_error(error: &anyhow::Error) -> bool {
    error
        .chain()
        .any(|cause| cause.downcast_ref::<GitHubError>().is_some())
}
