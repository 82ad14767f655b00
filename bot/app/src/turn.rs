//! One delivery, one move, or one rest: the only loop.
//!
//! A turn never reacts; it asks the journal what is next: a reply that is owed, a delivery that waits, a run whose facts
//! were not told, a run that can move, or nothing until a time. Production calls it for ever, a story calls it until it rests. What happens in one
//! turn survives a power cut in the middle of it: everything that was decided is written down before it is done.

mod admission;
mod failed;
mod forge;
mod hear;
mod merged;
mod missed;
mod order;
mod parked;
mod record;
mod run;
mod say;
mod several;
mod survey;
mod tell;
mod unfit;

use std::collections::BTreeMap;

use anyhow::Context as _;
use journal::{Journal, Settled};
use topology::observed::Timestamp;

use crate::clock::Clock;
use crate::config::Config;
use crate::desk::Desk;
use crate::event;

pub use failed::AskedAgain;
pub use forge::Forge;
pub use record::Record;
pub use tell::Told;

/// How often a delivery is begun before it is parked for a person: GitHub, MAAS or the store may be away for a while.
const ATTEMPTS_MAX: i64 = 5;

/// How long to rest after something failed that may go well the next time.
const AGAIN_MS: i64 = 1_000;

/// What a turn came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turned {
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
    pub github: Forge,
    /// The sites at work, by name.
    pub desks: BTreeMap<String, Desk>,
    /// What time it is.
    pub clock: Clock,
    /// Who this process is, for leases.
    pub owner: String,
    /// What this process has told of the runs.
    pub told: Told,
}

impl Office {
    /// One turn.
    pub async fn turn(&self) -> anyhow::Result<Turned> {
        let now = (self.clock)();
        if let Some(owed) = self.journal.next_reply(now).await? {
            self.say(&owed, now).await?;
            return Ok(Turned::Moved);
        }
        if let Some(stored) = self.journal.next_delivery().await? {
            return self.settle(stored).await;
        }
        // A GitHub or a MAAS that does not answer keeps a run from being told, not from moving.
        let again = match self.tell_a_run().await {
            Ok(true) => return Ok(Turned::Moved),
            Ok(false) => None,
            Err(error) => {
                tracing::warn!("a run was not told: {error:#}");
                Some(Timestamp(now.0 + AGAIN_MS))
            }
        };
        if let Some(turned) = self.move_a_run(now).await? {
            return Ok(turned);
        }
        let wake = [
            self.journal.next_reply_at().await?,
            self.next_move_at(now).await?,
            again,
        ]
        .into_iter()
        .flatten()
        .min();
        Ok(Turned::Rests(wake))
    }

    async fn settle(&self, stored: journal::StoredDelivery) -> anyhow::Result<Turned> {
        let now = (self.clock)();
        let id = stored.delivery.id.clone();
        let verdict = match event::read(&stored.delivery) {
            Err(why) => Settled::Ignored(why.to_string()),
            Ok(None | Some(event::Event::Ping)) => {
                Settled::Ignored("nothing to do with us".to_owned())
            }
            Ok(Some(event::Event::Happened(occurrence))) => {
                let telling = hear::Telling {
                    delivery: &id,
                    again: stored.attempts > 0,
                };
                match Box::pin(self.hear(&occurrence, &telling)).await {
                    Ok(()) => Settled::Done,
                    Err(error) if stored.attempts + 1 >= ATTEMPTS_MAX => {
                        tracing::error!(delivery = %id, "parked: {error:#}");
                        self.tell_parked(&occurrence, &id, &error).await?;
                        Settled::Parked(format!("{error:#}"))
                    }
                    Err(error) => {
                        tracing::warn!(delivery = %id, "will be tried again: {error:#}");
                        return Ok(Turned::Rests(Some(Timestamp(now.0 + AGAIN_MS))));
                    }
                }
            }
        };
        self.journal
            .settle(&id, &verdict, now)
            .await
            .context("settling a delivery")?;
        Ok(Turned::Moved)
    }

    /// Turns until there is nothing to do.
    pub async fn settle_all(&self) -> anyhow::Result<Option<Timestamp>> {
        loop {
            if let Turned::Rests(until) = self.turn().await? {
                return Ok(until);
            }
        }
    }
}
