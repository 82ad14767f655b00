//! How the store stays bounded: what is over loses its bulk, never its identity.
//!
//! Ids, verdicts, facts and remote ids stay for ever, some hundred bytes each: they are what keeps an old delivery that
//! is played again from being new. Room that is freed is used again by the store, not given back to the disk.

use topology::observed::Timestamp;

use crate::{Journal, JournalError};

/// What was emptied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compacted {
    /// Bodies of settled deliveries. One that is parked waits for a person and keeps its body.
    pub deliveries: u64,
    /// Records of runs that are over; `Run::new.record` reads `null` from then on.
    pub runs: u64,
    /// Bodies of comments and checks that were posted. Owed once more, they are edited, never said twice.
    pub replies: u64,
}

impl Journal {
    /// Empties what was over before `older_than`, in one transaction.
    pub async fn compact(&self, older_than: Timestamp) -> Result<Compacted, JournalError> {
        let mut writing = self.write().await?;
        let mut emptied = [0; 3];
        let statements = [
            "UPDATE delivery SET body = '' WHERE settled < $1 AND body <> '' AND verdict NOT LIKE '{\"parked\"%'",
            "UPDATE run SET record = 'null' WHERE ended < $1 AND record <> 'null'",
            "UPDATE reply SET body = '' WHERE posted < $1 AND body <> '' AND remote IS NOT NULL
                 AND kind IN ('\"comment\"', '\"check\"')",
        ];
        for (statement, count) in statements.into_iter().zip(&mut emptied) {
            *count = sqlx::query(statement)
                .bind(older_than.0)
                .execute(writing.at())
                .await?
                .rows_affected();
        }
        writing.end().await?;
        let [deliveries, runs, replies] = emptied;
        Ok(Compacted {
            deliveries,
            runs,
            replies,
        })
    }
}
