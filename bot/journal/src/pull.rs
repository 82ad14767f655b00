//! Pull requests as the bot sees them: one row each, its record written by the app.

use topology::observed::Timestamp;

use crate::{Journal, JournalError};

/// One pull request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pull {
    /// `owner/name`.
    pub repository: String,
    /// Its number.
    pub number: i64,
    /// The site that it touches.
    pub site: String,
    /// When it was merged, in the order of merges.
    pub merged: Option<Timestamp>,
    /// A word for where it stands, to select by.
    pub stage: String,
    /// Everything else, as JSON text.
    pub record: String,
}

/// A record with more characters holds a plan.
const LONG_RECORD: i64 = 4_000;

/// How many idle pull requests of a stage are told of at a time.
const IDLE_MAX: i64 = 50;

type PullRow = (String, i64, String, Option<i64>, String, String);

fn pull_of(row: PullRow) -> Pull {
    let (repository, number, site, merged, stage, record) = row;
    Pull {
        repository,
        number,
        site,
        merged: merged.map(Timestamp),
        stage,
        record,
    }
}

impl Journal {
    /// The pull request, if it was seen.
    pub async fn pull(&self, repository: &str, number: i64) -> Result<Option<Pull>, JournalError> {
        let row: Option<PullRow> = sqlx::query_as(
            "SELECT repository, number, site, merged_place, stage, record FROM pull WHERE repository = $1 AND number = $2",
        )
        .bind(repository)
        .bind(number)
        .fetch_optional(self.reading()?)
        .await?;
        Ok(row.map(pull_of))
    }

    /// Writes the pull request's row.
    pub async fn put_pull(&self, pull: &Pull, now: Timestamp) -> Result<(), JournalError> {
        let mut writing = self.write().await?;
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
        .execute(writing.at())
        .await?;
        writing.end().await
    }

    /// A site's pull requests at a stage, in the order of their merges, then of their numbers.
    pub async fn pulls_at(&self, site: &str, stage: &str) -> Result<Vec<Pull>, JournalError> {
        let rows: Vec<PullRow> = sqlx::query_as(
            "SELECT repository, number, site, merged_place, stage, record FROM pull
             WHERE site = $1 AND stage = $2 ORDER BY merged_place, number",
        )
        .bind(site)
        .bind(stage)
        .fetch_all(self.reading()?)
        .await?;
        Ok(rows.into_iter().map(pull_of).collect())
    }

    /// Pull requests at one of those stages whose records are long and were not written since `before`. A row that a
    /// version wrote which noted no time counts from now on.
    pub async fn idle_pulls(
        &self,
        stages: &[&str],
        before: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<Pull>, JournalError> {
        let mut writing = self.write().await?;
        sqlx::query("UPDATE pull SET touched = $1 WHERE touched IS NULL")
            .bind(now.0)
            .execute(writing.at())
            .await?;
        let mut idle = Vec::new();
        for stage in stages {
            let rows: Vec<PullRow> = sqlx::query_as(
                "SELECT repository, number, site, merged_place, stage, record FROM pull
                 WHERE stage = $1 AND touched < $2 AND LENGTH(record) > $3 ORDER BY touched LIMIT $4",
            )
            .bind(*stage)
            .bind(before.0)
            .bind(LONG_RECORD)
            .bind(IDLE_MAX)
            .fetch_all(writing.at())
            .await?;
            idle.extend(rows.into_iter().map(pull_of));
        }
        writing.end().await?;
        Ok(idle)
    }
}
