//! Reads and adds a run's facts in the journal, under the site's lease. It must not know what a fact means.

use execution::ledger::{Ledger, LedgerError};
use journal::{Journal, Lease, RunId};
use maas::WriteFence;
use plan::run::{Fact, RecordedFact};
use topology::observed::Timestamp;
use topology::port::Clock;

use crate::config::SitePolicy;

/// The ledger of one run in the journal.
pub struct RunLedger<'a> {
    pub journal: &'a Journal,
    pub run: RunId,
    /// The lease that adding a fact requires.
    pub lease: &'a Lease,
    pub clock: &'a Clock,
}

impl Ledger for RunLedger<'_> {
    async fn add(&mut self, fact: Fact) -> Result<(), LedgerError> {
        let now = (self.clock)();
        self.journal
            .add(self.run, self.lease, &fact, now)
            .await
            .map_err(|error| LedgerError(error.into()))
    }

    async fn facts(&mut self) -> Result<Vec<RecordedFact>, LedgerError> {
        self.journal
            .facts(self.run)
            .await
            .map_err(|error| LedgerError(error.into()))
    }
}

/// A lease as the MAAS writer uses it: it counts as held only while MAAS would finish a new request before the lease ends.
/// Before each write the journal refuses the fact if the lease's epoch is outdated; this is the second check, for a worker that
/// is paused between that fact and the request.
pub struct LeaseFence<'a> {
    pub lease: &'a Lease,
    pub clock: &'a Clock,
    /// The site's policy, which says how long MAAS may process a request.
    pub policy: &'a SitePolicy,
}

impl WriteFence for LeaseFence<'_> {
    fn still_held(&self) -> bool {
        let now: Timestamp = (self.clock)();
        now.0 < self.lease.until.0 - self.policy.unknown_pause_ms()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use journal::{JournalError, NewRun};

    use super::*;

    /// The leader distinguishes a failed store from a lost lease by the error's cause.
    #[tokio::test]
    async fn adding_a_fact_under_a_lost_lease_fails_with_that_cause() {
        let journal = Journal::open("sqlite::memory:").await.unwrap();
        let at = |ms: i64| -> Clock { Arc::new(move || Timestamp(ms)) };
        let lease = journal.take("a", "one", 1_000, Timestamp(0)).await;
        let lease = lease.unwrap().unwrap();
        let new = NewRun {
            site: "a".to_owned(),
            repository: String::new(),
            pull: None,
            digest: "d".to_owned(),
            record: "{}".to_owned(),
            maas: Vec::new(),
        };
        let first = Fact::Finished;
        let run = journal.begin(&new, &first, Timestamp(0)).await.unwrap();
        let clock = at(5_000);
        let other = journal.take("a", "two", 1_000, Timestamp(5_000)).await;
        assert!(other.unwrap().is_some());
        let mut ledger = RunLedger {
            journal: &journal,
            run,
            lease: &lease,
            clock: &clock,
        };
        let error = anyhow::Error::from(ledger.add(Fact::Finished).await.unwrap_err());
        assert!(crate::replica::is_lost(&journal, &lease, &clock, &error).await);
        let cause = error.chain().nth(1).unwrap();
        assert!(matches!(
            cause.downcast_ref(),
            Some(JournalError::LeaseLost)
        ));
    }

    #[test]
    fn nothing_is_sent_shortly_before_a_lease_ends() {
        let lease = Lease {
            site: "a".to_owned(),
            owner: "w".to_owned(),
            epoch: 1,
            until: Timestamp(180_000),
        };
        let policy = SitePolicy::default();
        let is_held_at = |now| {
            let clock: Clock = Arc::new(move || Timestamp(now));
            let fence = LeaseFence {
                lease: &lease,
                clock: &clock,
                policy: &policy,
            };
            fence.still_held()
        };
        // MAAS may process a request for 95 s.
        assert!(is_held_at(84_999));
        assert!(!is_held_at(85_000) && !is_held_at(181_000));
    }
}
