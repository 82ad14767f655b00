//! Runs and their facts as rows, and how old rows are read.
//!
//! Every record carries the version of its format, `v`; rows written by every past version can be read.

use plan::run::{Fact, Noted};
use serde::{Deserialize, Serialize};
use topology::observed::Timestamp;

use crate::dialect::is_there;
use crate::{Journal, JournalError, Lease, read, text, written};

/// The format of records that this program writes.
const FORMAT: u32 = 1;

/// How often a run's beginning is tried: each other try lost its number to a run of another site, of which there are few.
const BEGINNINGS_MAX: u32 = 16;

/// A run's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RunId(pub i64);

/// What a run begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRun {
    /// The site.
    pub site: String,
    /// `owner/name`; empty for a run from a terminal.
    pub repository: String,
    /// The pull request, if any.
    pub pull: Option<i64>,
    /// The plan's digest.
    pub digest: String,
    /// The plan, the order and what belongs to it, as JSON text.
    pub record: String,
}

/// A run as kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Its number.
    pub id: RunId,
    /// What it began with.
    pub new: NewRun,
    /// When.
    pub began: Timestamp,
    /// When it was over, if it is.
    pub ended: Option<Timestamp>,
}

#[derive(Serialize, Deserialize)]
struct FactRow {
    v: u32,
    fact: Fact,
}

#[derive(Deserialize)]
struct Format {
    v: u32,
}

fn record_of(fact: &Fact) -> String {
    written(&FactRow {
        v: FORMAT,
        fact: fact.clone(),
    })
}

/// A fact of any format that was ever written.
pub(crate) fn fact_of(record: &str) -> Result<Fact, JournalError> {
    match read::<Format>("fact", record)?.v {
        1 => Ok(read::<FactRow>("fact", record)?.fact),
        v => Err(JournalError::TooNew { table: "fact", v }),
    }
}

type RunRow = (
    i64,
    String,
    String,
    Option<i64>,
    String,
    i64,
    Option<i64>,
    String,
);

fn run_of(row: RunRow) -> Run {
    let (id, site, repository, pull, digest, began, ended, record) = row;
    Run {
        id: RunId(id),
        new: NewRun {
            site,
            repository,
            pull,
            digest,
            record,
        },
        began: Timestamp(began),
        ended: ended.map(Timestamp),
    }
}

const COLUMNS: &str = "SELECT id, site, repository, pull, digest, began, ended, record FROM run";

impl Journal {
    /// Begins a run with its first fact, in one transaction. A site has one run at a time.
    pub async fn begin(
        &self,
        new: &NewRun,
        first: &Fact,
        now: Timestamp,
    ) -> Result<RunId, JournalError> {
        for _ in 0..BEGINNINGS_MAX {
            if let Some(id) = self.try_to_begin(new, first, now).await? {
                return Ok(id);
            }
            if self.has_open_run(&new.site).await? {
                return Err(JournalError::Busy);
            }
        }
        Err(JournalError::Busy)
    }

    /// None where a row of the same number, or an open run of the same site, came first.
    async fn try_to_begin(
        &self,
        new: &NewRun,
        first: &Fact,
        now: Timestamp,
    ) -> Result<Option<RunId>, JournalError> {
        let mut writing = self.write().await?;
        let (id,): (i64,) = sqlx::query_as("SELECT COALESCE(MAX(id), 0) + 1 FROM run")
            .fetch_one(writing.at())
            .await?;
        let inserted = sqlx::query(
            "INSERT INTO run (id, site, repository, pull, digest, began, record) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(id)
        .bind(&new.site)
        .bind(&new.repository)
        .bind(new.pull)
        .bind(&new.digest)
        .bind(now.0)
        .bind(text(&new.record))
        .execute(writing.at())
        .await;
        match inserted {
            Err(error) if is_there(&error) => return Ok(None),
            Err(error) => return Err(error.into()),
            Ok(_) => {}
        }
        sqlx::query("INSERT INTO fact (run, place, at, record) VALUES ($1, 1, $2, $3)")
            .bind(id)
            .bind(now.0)
            .bind(record_of(first))
            .execute(writing.at())
            .await?;
        writing.end().await?;
        Ok(Some(RunId(id)))
    }

    async fn has_open_run(&self, site: &str) -> Result<bool, JournalError> {
        let row: Option<(i64,)> =
            sqlx::query_as("SELECT id FROM run WHERE site = $1 AND ended IS NULL")
                .bind(site)
                .fetch_optional(self.reading()?)
                .await?;
        Ok(row.is_some())
    }

    /// Adds a fact under the lease. A lease that moved on refuses, in the same transaction.
    pub async fn add(
        &self,
        run: RunId,
        lease: &Lease,
        fact: &Fact,
        now: Timestamp,
    ) -> Result<(), JournalError> {
        let mut writing = self.write().await?;
        writing.wants(lease).await?;
        let inserted = sqlx::query(
            "INSERT INTO fact (run, place, at, record)
             SELECT id, (SELECT COALESCE(MAX(place), 0) + 1 FROM fact WHERE run = $1), $2, $3
             FROM run WHERE id = $1 AND site = $4",
        )
        .bind(run.0)
        .bind(now.0)
        .bind(record_of(fact))
        .bind(&lease.site)
        .execute(writing.at())
        .await?;
        if inserted.rows_affected() == 0 {
            return Err(JournalError::Lost);
        }
        if matches!(fact, Fact::Finished | Fact::Aborted { .. }) {
            sqlx::query("UPDATE run SET ended = $1 WHERE id = $2 AND ended IS NULL")
                .bind(now.0)
                .bind(run.0)
                .execute(writing.at())
                .await?;
        }
        writing.end().await
    }

    /// All facts of a run, in order.
    pub async fn facts(&self, run: RunId) -> Result<Vec<Noted>, JournalError> {
        let rows: Vec<(i64, String)> =
            sqlx::query_as("SELECT at, record FROM fact WHERE run = $1 ORDER BY place")
                .bind(run.0)
                .fetch_all(self.reading()?)
                .await?;
        rows.into_iter()
            .map(|(at, record)| {
                fact_of(&record).map(|fact| Noted {
                    at: Timestamp(at),
                    fact,
                })
            })
            .collect()
    }

    /// Runs that are not over, oldest first.
    pub async fn open_runs(&self) -> Result<Vec<Run>, JournalError> {
        let rows: Vec<RunRow> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "{COLUMNS} WHERE ended IS NULL ORDER BY id"
        )))
        .fetch_all(self.reading()?)
        .await?;
        Ok(rows.into_iter().map(run_of).collect())
    }

    /// The run of that number.
    pub async fn run(&self, id: RunId) -> Result<Option<Run>, JournalError> {
        let row: Option<RunRow> =
            sqlx::query_as(sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE id = $1")))
                .bind(id.0)
                .fetch_optional(self.reading()?)
                .await?;
        Ok(row.map(run_of))
    }

    /// How many runs of one plan of a pull request were begun.
    pub async fn runs_of(
        &self,
        repository: &str,
        pull: i64,
        digest: &str,
    ) -> Result<i64, JournalError> {
        let (count,): (i64,) = sqlx::query_as(
            "SELECT COUNT(*) FROM run WHERE repository = $1 AND pull = $2 AND digest = $3",
        )
        .bind(repository)
        .bind(pull)
        .bind(digest)
        .fetch_one(self.reading()?)
        .await?;
        Ok(count)
    }

    /// The last runs of a site, newest first.
    pub async fn runs(&self, site: &str, limit: i64) -> Result<Vec<Run>, JournalError> {
        let rows: Vec<RunRow> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "{COLUMNS} WHERE site = $1 ORDER BY id DESC LIMIT $2"
        )))
        .bind(site)
        .bind(limit)
        .fetch_all(self.reading()?)
        .await?;
        Ok(rows.into_iter().map(run_of).collect())
    }
}
