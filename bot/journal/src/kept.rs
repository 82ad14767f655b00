//! Whether a delivery is there. It must not know what became of it.

use crate::{Journal, JournalError};

impl Journal {
    /// Whether a delivery of that id was ever kept, settled or not.
    pub async fn has_kept(&self, id: &str) -> Result<bool, JournalError> {
        let row: Option<(i64,)> = sqlx::query_as("SELECT 1 FROM delivery WHERE id = $1")
            .bind(id)
            .fetch_optional(self.reading()?)
            .await?;
        Ok(row.is_some())
    }
}
