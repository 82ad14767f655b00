//! Deliveries: taken in their order, read, and turned into work; then settled, deferred, or made a dead letter.
//!
//! A delivery that fails waits for its time and holds up only its own lanes; one that fails too often, or ends the process
//! each time, becomes a dead letter for a person and is answered where it was asked for. It must not know how work is done.

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
pub(crate) use route::{Asked, Work, trace_of};

/// How often a delivery is begun before it becomes a dead letter: with the backoff, about five minutes in which GitHub,
/// MAAS or the store may be away.
const ATTEMPTS_MAX: i64 = 9;

const BACKOFF: Backoff = Backoff {
    first: 1_000,
    longest: 300_000,
};

/// Takes deliveries, and asks GitHub for those that never arrived.
pub struct Inbox {
    journal: Journal,
    github: GitHubPort,
    sites: Arc<Sites>,
    queue: OutboxQueue,
    clock: Clock,
    polled: poll::Polled,
}

/// A delivery whose turn it is, and what it says.
pub(crate) struct Received {
    stored: StoredDelivery,
    pub(crate) event: Box<RepositoryEvent>,
}

impl Received {
    /// `X-GitHub-Delivery`.
    pub(crate) fn delivery(&self) -> &str {
        &self.stored.delivery.id
    }

    /// Whether it was begun before: part of it may be done.
    pub(crate) fn is_repeated(&self) -> bool {
        self.stored.attempts > 0
    }

    /// Whether it was begun so often without coming back that it must have ended the process each time.
    pub(crate) fn ends_the_process(&self) -> bool {
        self.stored.attempts >= ATTEMPTS_MAX
    }
}

/// What taking the next delivery came to.
pub(crate) enum Taken {
    /// None may be taken now.
    Nothing,
    /// One was settled or deferred without any work.
    Passed,
    /// One is to be worked on.
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

    /// Takes the oldest delivery that may be taken now.
    pub(crate) async fn take(&self, now: Timestamp) -> anyhow::Result<Taken> {
        let Some(stored) = self.journal.next_delivery(now).await? else {
            return Ok(Taken::Nothing);
        };
        let delivery = &stored.delivery;
        let event = match event::read(&delivery.event, &delivery.body) {
            Ok(Some(Event::Repository(event))) => event,
            Ok(None | Some(Event::Ping)) => {
                let ignored = Settled::Ignored("nothing to do with us".to_owned());
                self.settle(&stored, &ignored).await?;
                return Ok(Taken::Passed);
            }
            Err(why) => {
                let ignored = Settled::Ignored(why.to_string());
                self.settle(&stored, &ignored).await?;
                return Ok(Taken::Passed);
            }
        };
        // An earlier delivery of its lanes may wait.
        let lanes = lanes_of(&event);
        if !self.journal.start_delivery(&delivery.id, &lanes).await? {
            return Ok(Taken::Passed);
        }
        Ok(Taken::Received(Received { stored, event }))
    }

    /// Notes what the work on a delivery came to.
    pub(crate) async fn finish(
        &self,
        received: &Received,
        result: anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let (stored, id) = (&received.stored, received.delivery());
        let Err(error) = result else {
            return self.settle(stored, &Settled::Done).await;
        };
        if let Some(again) = rate_limit_of(&error) {
            return self
                .defer(id, again, &error, DeferReason::RateLimited)
                .await;
        }
        if stored.attempts + 1 >= ATTEMPTS_MAX {
            tracing::error!("gave up; `planebot doctor` lists the delivery: {error:#}");
            self.answer_dead_letter(&received.event, id, &error).await?;
            let dead = Settled::DeadLetter(because(&error));
            return self.settle(stored, &dead).await;
        }
        let again = BACKOFF.after((self.clock)(), id, stored.attempts);
        self.defer(id, again, &error, DeferReason::Failed).await
    }

    async fn settle(&self, stored: &StoredDelivery, verdict: &Settled) -> anyhow::Result<()> {
        self.journal
            .settle(&stored.delivery.id, verdict, (self.clock)())
            .await
            .context("settling a delivery")
    }

    async fn defer(
        &self,
        id: &str,
        again: Timestamp,
        error: &anyhow::Error,
        reason: DeferReason,
    ) -> anyhow::Result<()> {
        tracing::info!("the delivery will be tried again: {error:#}");
        Ok(self
            .journal
            .defer(id, again, &because(error), reason)
            .await?)
    }

    /// When the next delivery may be taken.
    pub(crate) async fn next_at(&self) -> anyhow::Result<Option<Timestamp>> {
        Ok(self.journal.next_delivery_at().await?)
    }
}
