//! The store stays bounded: what is over is taken out, a batch at a time, by the one that works.
//!
//! It must not know how the store does it.

use topology::observed::Timestamp;

use crate::pulls::record::{PullRecord, PullStatus};
use crate::worker::Office;

const DAY_MS: i64 = 86_400_000;

/// Stages after which nobody asks for the plan any more.
const OVER: [PullStatus; 3] = [
    PullStatus::Applied,
    PullStatus::Superseded,
    PullStatus::Closed,
];

impl Office {
    /// Takes out some of what was over before the days that are kept; true where there may be more.
    pub async fn tidy(&self) -> anyhow::Result<bool> {
        let now = (self.clock)();
        let before = Timestamp(now.0 - self.config.store.keep_days * DAY_MS);
        let compacted = self.journal.compact(before).await?;
        let idle = self
            .journal
            .idle_pulls(&OVER.map(PullStatus::word), before, now)
            .await?;
        for row in &idle {
            let number = u64::try_from(row.number)?;
            let record = PullRecord::of(row)?.without_plan();
            let row = record.row(&row.repository, number, &row.site);
            self.journal.put_pull(&row, now).await?;
        }
        if compacted != journal::Compacted::default() || !idle.is_empty() {
            tracing::info!(pulls = idle.len(), "taken out of the store: {compacted:?}");
        }
        Ok(compacted.is_full())
    }
}
