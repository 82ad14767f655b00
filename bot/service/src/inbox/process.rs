//! One delivery: taken up, acted on, and settled, put off or parked.
//!
//! One that fails waits for its time and holds up only its own lanes; one that fails too often, or ends the process each
//! time, is parked for a person and told where it was asked for. It must not know what a delivery asks for.

use anyhow::Context as _;
use journal::{Lanes, Setback, Settled, StoredDelivery};
use topology::observed::Timestamp;

use crate::inbox::dispatch::DeliveryAttempt;
use crate::inbox::lanes::lanes_of;
use crate::outbox::backoff::Backoff;
use crate::reply::because;
use crate::worker::{Office, limit_in};
use github::webhook::event;
use github::webhook::event::{Event, Occurrence};

/// How often a delivery is begun before it is parked for a person: with its pauses, about five minutes in which GitHub,
/// MAAS or the store may be away.
const ATTEMPTS_MAX: i64 = 9;

const PAUSES: Backoff = Backoff {
    first: 1_000,
    longest: 300_000,
};

impl Office {
    /// Settles the oldest delivery that may be taken up now; false where there is none.
    pub(crate) async fn settle_one(&self, now: Timestamp) -> anyhow::Result<bool> {
        let Some(stored) = self.journal.next_delivery(now).await? else {
            return Ok(false);
        };
        let id = stored.delivery.id.clone();
        let verdict = match event::read(&stored.delivery.event, &stored.delivery.body) {
            Err(why) => Some(Settled::Ignored(why.to_string())),
            Ok(None | Some(Event::Ping)) => {
                Some(Settled::Ignored("nothing to do with us".to_owned()))
            }
            Ok(Some(Event::Happened(occurrence))) => {
                let lanes = lanes_of(&occurrence);
                self.acted_on(&stored, &occurrence, &lanes).await?
            }
        };
        if let Some(verdict) = verdict {
            self.journal
                .settle(&id, &verdict, (self.clock)())
                .await
                .context("settling a delivery")?;
        }
        Ok(true)
    }

    /// What came of it; none where it waits: for an earlier one of its lanes, or for its time.
    async fn acted_on(
        &self,
        stored: &StoredDelivery,
        occurrence: &Occurrence,
        lanes: &Lanes,
    ) -> anyhow::Result<Option<Settled>> {
        let id = &stored.delivery.id;
        if !self.journal.take_up(id, lanes).await? {
            return Ok(None);
        }
        let telling = DeliveryAttempt {
            delivery: id,
            again: stored.attempts > 0,
        };
        // One that is begun once too often never came back: it ended the process each time.
        let done = if stored.attempts < ATTEMPTS_MAX {
            Box::pin(self.hear(occurrence, &telling)).await
        } else {
            Err(anyhow::anyhow!(
                "planebot stopped each time in the middle of it"
            ))
        };
        match done {
            Ok(()) => Ok(Some(Settled::Done)),
            Err(error) if limit_in(&error).is_some() => {
                let again = limit_in(&error).unwrap_or_else(|| (self.clock)());
                self.put_off(id, again, &error, Setback::Limited).await
            }
            Err(error) if stored.attempts + 1 >= ATTEMPTS_MAX => {
                tracing::error!(delivery = %id, "parked: {error:#}");
                self.tell_parked(occurrence, id, &error).await?;
                Ok(Some(Settled::Parked(because(&error))))
            }
            Err(error) => {
                let again = PAUSES.after((self.clock)(), id, stored.attempts);
                self.put_off(id, again, &error, Setback::Failed).await
            }
        }
    }

    async fn put_off(
        &self,
        id: &str,
        again: Timestamp,
        error: &anyhow::Error,
        setback: Setback,
    ) -> anyhow::Result<Option<Settled>> {
        tracing::warn!(delivery = %id, "will be tried again: {error:#}");
        self.journal
            .put_off(id, again, &because(error), setback)
            .await?;
        Ok(None)
    }
}
