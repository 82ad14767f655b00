//! Whether a delivery is there. It must not know what became of it.

use crate::{Journal, JournalError};

impl Journal {
    /// Whether a delivery of that id was ever kept, settled or not.
    pub async fn has_kept(&self, id: &str) -> Result<bool, JournalError> {
        let (found,): (i64,) = sqlx::query_as("SELECT COUNT(*) FROM delivery WHERE id = $1")
            .bind(id)
            .fetch_one(self.reading()?)
            .await?;
        Ok(found > 0)
    }
}
