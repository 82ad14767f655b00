//! Whether the store is whole, for the doctor: the database, what belongs to what, and whether every fact can be read.

use crate::fact::fact_of;
use crate::{Journal, JournalError};

/// Facts read at a time.
const PAGE: i64 = 1000;

impl Journal {
    /// Whether the store answers and can be written to now; cheap, so that it can be asked often.
    pub async fn ready(&self) -> Result<(), JournalError> {
        let mut transaction = self.dialect.begin(self.reading()?).await?;
        // Changes nothing, and is refused where nothing may be changed.
        sqlx::query("UPDATE lease SET epoch = epoch WHERE site = ''")
            .execute(&mut *transaction)
            .await?;
        Ok(transaction.rollback().await?)
    }

    /// Whether the store is whole. Reads all of it, so it is for a person's question; [`Journal::ready`] is for a probe's.
    pub async fn check(&self) -> Result<(), JournalError> {
        let found = self.dialect.damage(self.reading()?).await?;
        if !found.is_empty() {
            return Err(JournalError::Damaged(found));
        }
        let mut after = (0, 0);
        loop {
            let rows: Vec<(i64, i64, String)> = sqlx::query_as(
                "SELECT run, place, record FROM fact WHERE run > $1 OR (run = $1 AND place > $2)
                 ORDER BY run, place LIMIT $3",
            )
            .bind(after.0)
            .bind(after.1)
            .bind(PAGE)
            .fetch_all(self.reading()?)
            .await?;
            let Some((run, place, _)) = rows.last() else {
                return Ok(());
            };
            after = (*run, *place);
            for (_, _, record) in &rows {
                fact_of(record)?;
            }
        }
    }
}
