//! Deliveries: taken in order, read, and turned into work; then settled, deferred, or made a dead letter.
//!
//! A delivery that fails is retried later and blocks only its own lanes. One that fails too often, or crashes the process each
//! time, becomes a dead letter for a person, and its pull request gets a comment. It must not know how work is done.

mod dead_letter;
pub(crate) mod lanes;
mod poll;
mod redeliver;
mod route;

use std::sync::Arc;

use anyhow::Context as _;

use github::webhook::event::{self, Event, RepositoryEvent};
use journal::{DeferReason, Journal, Settled, StoredDelivery};
use topology::observed::Timestamp;
use topology::port::Clock;

use crate::github_port::GitHubPort;
use crate::outbox::OutboxQueue;
use crate::outbox::backoff::Backoff;
use crate::reply::because;
use crate::sites::Sites;
use crate::worker::rate_limit_of;
use lanes::lanes_of;

pub use redeliver::Redelivered;
pub(crate) use route::{CommandRequest, Work, trace_of};

/// How many attempts a delivery gets before it becomes a dead letter: with the backoff, GitHub, MAAS or the store may be
/// unavailable for about five minutes.
const ATTEMPTS_MAX: i64 = 9;

const BACKOFF: Backoff = Backoff {
    first: 1_000,
    longest: 300_000,
};

/// Takes deliveries, and recovers those that never arrived from GitHub.
pub struct Inbox {
    journal: Journal,
    github: GitHubPort,
    sites: Arc<Sites>,
    queue: OutboxQueue,
    clock: Clock,
    polled: poll::Polled,
}

/// A delivery that was taken, and its event.
pub(crate) struct Received {
    stored: StoredDelivery,
    pub(crate) event: Box<RepositoryEvent>,
}

impl Received {
    /// `X-GitHub-Delivery`.
    pub(crate) fn delivery(&self) -> &str {
        &self.stored.delivery.id
    }

    /// Whether there was an attempt before: part of the work may be done.
    pub(crate) fn is_repeated(&self) -> bool {
        self.stored.attempts > 0
    }

    /// Whether its attempts are used up although none was recorded as failed: each must have crashed the process.
    pub(crate) fn crashes_the_process(&self) -> bool {
        self.stored.attempts >= ATTEMPTS_MAX
    }
}

/// The result of taking the next delivery.
pub(crate) enum Taken {
    /// No delivery can be taken now.
    Nothing,
    /// One was settled or deferred without any work.
    Skipped,
    /// One needs work.
    Received(Received),
}

impl Inbox {
    pub(crate) fn new(
        journal: Journal,
        github: GitHubPort,
        sites: Arc<Sites>,
        queue: OutboxQueue,
        clock: Clock,
    ) -> Self {
        Self {
            journal,
            github,
            sites,
            queue,
            clock,
            polled: poll::Polled::default(),
        }
    }

    /// Takes the oldest delivery that is due.
    pub(crate) async fn take(&self, now: Timestamp) -> anyhow::Result<Taken> {
        let Some(stored) = self.journal.next_delivery(now).await? else {
            return Ok(Taken::Nothing);
        };
        let delivery = &stored.delivery;
        let event = match event::read(&delivery.event, &delivery.body) {
            Ok(Some(Event::Repository(event))) => event,
            Ok(None | Some(Event::Ping)) => {
                let ignored = Settled::Ignored("not relevant to planebot".to_owned());
                self.settle(&stored, &ignored).await?;
                return Ok(Taken::Skipped);
            }
            Err(why) => {
                let ignored = Settled::Ignored(why.to_string());
                self.settle(&stored, &ignored).await?;
                return Ok(Taken::Skipped);
            }
        };
        // An earlier delivery in its lanes may still be waiting.
        let lanes = lanes_of(&event);
        if !self.journal.start_delivery(&delivery.id, &lanes).await? {
            return Ok(Taken::Skipped);
        }
        Ok(Taken::Received(Received { stored, event }))
    }

    /// Records the result of the work on a delivery.
    pub(crate) async fn finish(
        &self,
        received: &Received,
        result: anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let (stored, id) = (&received.stored, received.delivery());
        let Err(error) = result else {
            return self.settle(stored, &Settled::Done).await;
        };
        if let Some(retry_at) = rate_limit_of(&error) {
            return self
                .defer(id, retry_at, &error, DeferReason::RateLimited)
                .await;
        }
        if stored.attempts + 1 >= ATTEMPTS_MAX {
            tracing::error!("gave up on the delivery; `planebot doctor` lists it: {error:#}");
            self.answer_dead_letter(&received.event, id, &error).await?;
            let dead = Settled::DeadLetter(because(&error));
            return self.settle(stored, &dead).await;
        }
        let retry_at = BACKOFF.after((self.clock)(), id, stored.attempts);
        self.defer(id, retry_at, &error, DeferReason::Failed).await
    }

    async fn settle(&self, stored: &StoredDelivery, outcome: &Settled) -> anyhow::Result<()> {
        self.journal
            .settle(&stored.delivery.id, outcome, (self.clock)())
            .await
            .context("settling a delivery")
    }

    async fn defer(
        &self,
        id: &str,
        retry_at: Timestamp,
        error: &anyhow::Error,
        reason: DeferReason,
    ) -> anyhow::Result<()> {
        tracing::info!("the delivery will be retried: {error:#}");
        Ok(self
            .journal
            .defer(id, retry_at, &because(error), reason)
            .await?)
    }

    /// When the next delivery is due.
    pub(crate) async fn next_at(&self) -> anyhow::Result<Option<Timestamp>> {
        Ok(self.journal.next_delivery_at().await?)
    }
}
