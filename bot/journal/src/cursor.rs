//! Named bookmarks: how far something was read.

use crate::error::JournalError;
use crate::journal::Journal;

impl Journal {
    /// Reads a bookmark.
    pub async fn cursor(&self, name: &str) -> Result<Option<String>, JournalError> {
        let row: Option<(String,)> = sqlx::query_as("SELECT value FROM cursor WHERE name = $1")
            .bind(name)
            .fetch_optional(self.pool()?)
            .await?;
        Ok(row.map(|(value,)| value))
    }

    /// Writes a bookmark.
    pub async fn set_cursor(&self, name: &str, value: &str) -> Result<(), JournalError> {
        let mut write = self.write().await?;
        sqlx::query("INSERT INTO cursor (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value")
            .bind(name)
            .bind(value)
            .execute(write.connection())
            .await?;
        write.commit().await
    }
}
