//! Retention: finished work is deleted once nobody can ask for it any more, so the store stays bounded.
//!
//! Deleted are settled deliveries (GitHub redelivers for three days; an older one that is replayed is handled anew, and
//! a command in it is claimed already), messages that were sent or given up (each is looked up at GitHub before it is
//! created), and the large record of finished runs. What stays is one row of a few hundred bytes for each claimed
//! comment, pull request and run, and the runs' facts: they grow with what people order, not with what GitHub sends. The
//! database reuses the freed space; it does not return it to the disk.

use topology::observed::Timestamp;

use crate::error::JournalError;
use crate::journal::Journal;

/// Rows of each kind that one call deletes at most, so that no webhook waits long for it.
const BATCH: u64 = 500;

/// How many rows one call deleted or emptied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Settled deliveries, including dead letters that nobody retried.
    pub deliveries: u64,
    /// Records of finished runs; [`crate::NewRun::record`] reads `null` from then on.
    pub runs: u64,
    /// Messages that were sent or given up. Enqueued again, they are found at GitHub and edited, never sent twice.
    pub messages: u64,
}

impl Removed {
    /// Whether a batch was full, so another call may find more.
    pub fn is_full(&self) -> bool {
        [self.deliveries, self.runs, self.messages].contains(&BATCH)
    }
}

const STATEMENTS: [&str; 5] = [
    "DELETE FROM delivery WHERE id IN (SELECT id FROM delivery WHERE settled < $1 ORDER BY settled LIMIT $2)",
    "UPDATE run SET record = 'null' WHERE id IN (SELECT id FROM run WHERE ended < $1 AND record <> 'null' LIMIT $2)",
    "DELETE FROM reply WHERE key IN (SELECT key FROM reply WHERE posted < $1 ORDER BY posted LIMIT $2)",
    "DELETE FROM reply WHERE key IN
         (SELECT key FROM reply WHERE posted IS NULL AND given_up = place AND not_before < $1 LIMIT $2)",
    // A delivery that arrives after its first row was deleted counts as another delivery, so the comment stays claimed.
    "UPDATE heard SET delivery = '' WHERE (repository, comment) IN
         (SELECT repository, comment FROM heard WHERE at < $1 AND delivery <> '' LIMIT $2)",
];

impl Journal {
    /// Deletes a batch of work that finished before `older_than`, in one transaction.
    pub async fn remove_finished(&self, older_than: Timestamp) -> Result<Removed, JournalError> {
        let mut write = self.write().await?;
        let mut done = [0; STATEMENTS.len()];
        let batch = i64::try_from(BATCH).unwrap_or(i64::MAX);
        for (statement, count) in STATEMENTS.into_iter().zip(&mut done) {
            *count = sqlx::query(statement)
                .bind(older_than.0)
                .bind(batch)
                .execute(write.connection())
                .await?
                .rows_affected();
        }
        write.commit().await?;
        let [deliveries, runs, sent, given_up, _] = done;
        Ok(Removed {
            deliveries,
            runs,
            messages: sent + given_up,
        })
    }
}
