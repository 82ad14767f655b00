//! A run's facts in the journal, under its lease.

use journal::{Journal, Lease, RunId};
use plan::run::{Fact, Noted};
use topology::observed::Timestamp;

use crate::clock::Clock;
use crate::executor::{Ledger, NotKept};
use crate::maas::Epoch;

/// How long a lease lasts without being renewed: three times the longest silence that MAAS is given.
pub const LEASE_MS: i64 = 180_000;

/// A run in the journal.
pub struct Keeping<'a> {
    /// The journal.
    pub journal: &'a Journal,
    /// The run.
    pub run: RunId,
    /// The right to add to it.
    pub lease: &'a Lease,
    /// What time it is.
    pub clock: &'a Clock,
}

impl Ledger for Keeping<'_> {
    async fn add(&mut self, fact: Fact) -> Result<(), NotKept> {
        let now = (self.clock)();
        self.journal
            .add(self.run, self.lease, &fact, now)
            .await
            .map_err(|error| NotKept(error.to_string()))
    }

    async fn facts(&mut self) -> Result<Vec<Noted>, NotKept> {
        self.journal
            .facts(self.run)
            .await
            .map_err(|error| NotKept(error.to_string()))
    }
}

/// A lease as the hands see it: held while its time runs. The journal refuses the fact before each write once the epoch
/// has moved on, so that this is the second lock on the door.
pub struct Right<'a> {
    /// The lease.
    pub lease: &'a Lease,
    /// What time it is.
    pub clock: &'a Clock,
}

impl Epoch for Right<'_> {
    fn still_held(&self) -> bool {
        let now: Timestamp = (self.clock)();
        now < self.lease.until
    }
}
