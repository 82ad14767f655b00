//! Pull requests: one row each. It must not know what the record says; the application writes and reads it.

use topology::observed::Timestamp;

use crate::error::JournalError;
use crate::journal::Journal;
use crate::outbox::OutboxMessage;
use crate::write::WriteTransaction;

/// A pull request as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullRow {
    /// `owner/name`.
    pub repository: String,
    pub number: i64,
    /// The site whose declaration it changes.
    pub site: String,
    /// When it was merged. Rows are ordered by it.
    pub merged: Option<Timestamp>,
    /// Its status as one word, to select by.
    pub stage: String,
    /// Everything else, as JSON text.
    pub record: String,
}

/// Characters of a record. A longer one holds a plan.
const LONG_RECORD: i64 = 4_000;

/// Idle pull requests that one call returns for each stage, at most.
const IDLE_MAX: i64 = 50;

type Columns = (String, i64, String, Option<i64>, String, String);

fn pull_row(row: Columns) -> PullRow {
    let (repository, number, site, merged, stage, record) = row;
    PullRow {
        repository,
        number,
        site,
        merged: merged.map(Timestamp),
        stage,
        record,
    }
}

impl Journal {
    /// The pull request's row, if there is one.
    pub async fn pull(
        &self,
        repository: &str,
        number: i64,
    ) -> Result<Option<PullRow>, JournalError> {
        let row: Option<Columns> = sqlx::query_as(
            "SELECT repository, number, site, merged_place, stage, record FROM pull WHERE repository = $1 AND number = $2",
        )
        .bind(repository)
        .bind(number)
        .fetch_optional(self.pool()?)
        .await?;
        Ok(row.map(pull_row))
    }

    /// Inserts or replaces the pull request's row.
    pub async fn put_pull(&self, pull: &PullRow, now: Timestamp) -> Result<(), JournalError> {
        let mut write = self.write().await?;
        write.put_pull(pull, now).await?;
        write.commit().await
    }

    /// Inserts or replaces the pull request's row and enqueues the message that shows it, both or neither: what people
    /// read on GitHub is what is stored.
    pub async fn put_shown_pull(
        &self,
        pull: &PullRow,
        message: &OutboxMessage,
        now: Timestamp,
    ) -> Result<(), JournalError> {
        let mut write = self.write().await?;
        write.put_pull(pull, now).await?;
        write.enqueue(message, now).await?;
        write.commit().await
    }

    /// A site's pull requests at a stage, ordered by merge time, then by number.
    pub async fn pulls_at(&self, site: &str, stage: &str) -> Result<Vec<PullRow>, JournalError> {
        let rows: Vec<Columns> = sqlx::query_as(
            "SELECT repository, number, site, merged_place, stage, record FROM pull
             WHERE site = $1 AND stage = $2 ORDER BY merged_place, number",
        )
        .bind(site)
        .bind(stage)
        .fetch_all(self.pool()?)
        .await?;
        Ok(rows.into_iter().map(pull_row).collect())
    }

    /// Pull requests at one of these stages whose records are long and were not written since `before`. Versions without
    /// migration 3 stored no time of writing: such a row ages from `now` on.
    pub async fn idle_pulls(
        &self,
        stages: &[&str],
        before: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<PullRow>, JournalError> {
        let mut write = self.write().await?;
        sqlx::query("UPDATE pull SET touched = $1 WHERE touched IS NULL")
            .bind(now.0)
            .execute(write.connection())
            .await?;
        let mut idle = Vec::new();
        for stage in stages {
            let rows: Vec<Columns> = sqlx::query_as(
                "SELECT repository, number, site, merged_place, stage, record FROM pull
                 WHERE stage = $1 AND touched < $2 AND LENGTH(record) > $3 ORDER BY touched LIMIT $4",
            )
            .bind(*stage)
            .bind(before.0)
            .bind(LONG_RECORD)
            .bind(IDLE_MAX)
            .fetch_all(write.connection())
            .await?;
            idle.extend(rows.into_iter().map(pull_row));
        }
        write.commit().await?;
        Ok(idle)
    }
}

impl WriteTransaction<'_> {
    /// Inserts or replaces a pull request's row.
    async fn put_pull(&mut self, pull: &PullRow, now: Timestamp) -> Result<(), JournalError> {
        sqlx::query(
            "INSERT INTO pull (repository, number, site, merged_place, stage, record, touched) VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (repository, number) DO UPDATE SET site = excluded.site, merged_place = excluded.merged_place,
                 stage = excluded.stage, record = excluded.record, touched = excluded.touched",
        )
        .bind(&pull.repository)
        .bind(pull.number)
        .bind(&pull.site)
        .bind(pull.merged.map(|at| at.0))
        .bind(&pull.stage)
        .bind(&pull.record)
        .bind(now.0)
        .execute(self.connection())
        .await?;
        Ok(())
    }
}
