//! Keeps the store bounded: removes finished work after a configured number of days, one batch at a time. It must not know
//! how the store removes it.

use journal::{Journal, Removed};
use topology::observed::Timestamp;
use topology::port::Clock;

use crate::pulls::record::{PullRecord, PullStatus};

const DAY_MS: i64 = 86_400_000;

/// Statuses after which the plan is no longer needed.
const FINISHED: [PullStatus; 3] = [
    PullStatus::Applied,
    PullStatus::Superseded,
    PullStatus::Closed,
];

/// Removes finished work from the store.
pub(crate) struct Retention {
    journal: Journal,
    clock: Clock,
    /// How many days finished work is kept.
    keep_days: i64,
}

impl Retention {
    pub(crate) fn new(journal: Journal, clock: Clock, keep_days: i64) -> Self {
        Self {
            journal,
            clock,
            keep_days,
        }
    }

    /// Removes one batch of work that finished more than `keep_days` ago; true if there may be more.
    pub(crate) async fn remove_batch(&self) -> anyhow::Result<bool> {
        let now = (self.clock)();
        let before = Timestamp(now.0 - self.keep_days * DAY_MS);
        let removed = self.journal.remove_finished(before).await?;
        let idle = self
            .journal
            .idle_pulls(&FINISHED.map(PullStatus::word), before, now)
            .await?;
        for row in &idle {
            let number = u64::try_from(row.number)?;
            let record = PullRecord::of(row)?.without_plan();
            let row = record.row(&row.repository, number, &row.site);
            self.journal.put_pull(&row, now).await?;
        }
        if removed != Removed::default() || !idle.is_empty() {
            tracing::debug!(pulls = idle.len(), ?removed, "removed finished work");
        }
        Ok(removed.is_full())
    }
}
