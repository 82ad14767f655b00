//! How the store stays bounded: what is over goes once nobody can ask for it any more.
//!
//! Gone are settled deliveries (GitHub sends one again for three days; an older one that is played again is looked at
//! anew, and a command in it is claimed already), replies that were said or given up (each is looked for at GitHub before
//! it is made), and the bulk of runs that are over. What stays is one row of some hundred bytes for each command that was
//! heard, each pull request and each run, and a run's facts: they grow with what people order, not with what GitHub
//! sends. Room that is freed is used again by the store, not given back to the disk.

use topology::observed::Timestamp;

use crate::{Journal, JournalError};

/// Rows of a kind that one call takes at most, so that no webhook waits for it.
const BATCH: u64 = 500;

/// What was emptied or taken out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compacted {
    /// Settled deliveries, also the ones that are parked: nobody came for them.
    pub deliveries: u64,
    /// Records of runs that are over; `Run::new.record` reads `null` from then on.
    pub runs: u64,
    /// Replies that were said, or given up. Owed once more, they are found at GitHub and edited, never said twice.
    pub replies: u64,
}

impl Compacted {
    /// Whether there may be more.
    pub fn is_full(&self) -> bool {
        [self.deliveries, self.runs, self.replies].contains(&BATCH)
    }
}

const STATEMENTS: [&str; 5] = [
    "DELETE FROM delivery WHERE id IN (SELECT id FROM delivery WHERE settled < $1 ORDER BY settled LIMIT $2)",
    "UPDATE run SET record = 'null' WHERE id IN (SELECT id FROM run WHERE ended < $1 AND record <> 'null' LIMIT $2)",
    "DELETE FROM reply WHERE key IN (SELECT key FROM reply WHERE posted < $1 ORDER BY posted LIMIT $2)",
    "DELETE FROM reply WHERE key IN
         (SELECT key FROM reply WHERE posted IS NULL AND given_up = place AND not_before < $1 LIMIT $2)",
    // A delivery of the same id that comes after its first one is gone is another one: the command stays claimed.
    "UPDATE heard SET delivery = '' WHERE (repository, comment) IN
         (SELECT repository, comment FROM heard WHERE at < $1 AND delivery <> '' LIMIT $2)",
];

impl Journal {
    /// Takes out some of what was over before `older_than`, in one transaction.
    pub async fn compact(&self, older_than: Timestamp) -> Result<Compacted, JournalError> {
        let mut writing = self.write().await?;
        let mut done = [0; STATEMENTS.len()];
        let batch = i64::try_from(BATCH).unwrap_or(i64::MAX);
        for (statement, count) in STATEMENTS.into_iter().zip(&mut done) {
            *count = sqlx::query(statement)
                .bind(older_than.0)
                .bind(batch)
                .execute(writing.at())
                .await?
                .rows_affected();
        }
        writing.end().await?;
        let [deliveries, runs, said, given_up, _] = done;
        Ok(Compacted {
            deliveries,
            runs,
            replies: said + given_up,
        })
    }
}
