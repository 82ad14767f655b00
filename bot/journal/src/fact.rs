//! Runs and their facts as rows.
//!
//! Each fact's record carries the version of its format, `v`. Rows of every past version are read.

use plan::run::{Fact, RecordedFact};
use serde::{Deserialize, Serialize};
use topology::observed::Timestamp;

use crate::Lease;
use crate::dialect::is_duplicate_key;
use crate::error::JournalError;
use crate::journal::Journal;
use crate::row::{from_json, text, to_json};

/// The format in which facts are written.
const FORMAT: u32 = 1;

/// Attempts to insert a run. Each failed one lost its number to a run of another site, of which there are few.
const BEGIN_ATTEMPTS_MAX: u32 = 16;

/// A run's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RunId(pub i64);

/// A run before it has a number.
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
    /// The plan and the order, as JSON text.
    pub record: String,
}

/// A run as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Its number.
    pub id: RunId,
    /// What it was begun with.
    pub new: NewRun,
    /// When it began.
    pub began: Timestamp,
    /// When it finished or was aborted.
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

fn encode_fact(fact: &Fact) -> String {
    to_json(&FactRow {
        v: FORMAT,
        fact: fact.clone(),
    })
}

/// Reads a fact of any format that was ever written.
pub(crate) fn decode_fact(record: &str) -> Result<Fact, JournalError> {
    match from_json::<Format>("fact", record)?.v {
        1 => Ok(from_json::<FactRow>("fact", record)?.fact),
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

fn run_from(row: RunRow) -> Run {
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
    /// Begins a run with its first fact, in one transaction. A site has at most one open run.
    pub async fn begin(
        &self,
        new: &NewRun,
        first: &Fact,
        now: Timestamp,
    ) -> Result<RunId, JournalError> {
        for _ in 0..BEGIN_ATTEMPTS_MAX {
            if let Some(id) = self.try_begin(new, first, now).await? {
                return Ok(id);
            }
            if self.has_open_run(&new.site).await? {
                return Err(JournalError::Busy);
            }
        }
        Err(JournalError::Busy)
    }

    /// `None` where a run of the same number, or an open run of the same site, was inserted first.
    async fn try_begin(
        &self,
        new: &NewRun,
        first: &Fact,
        now: Timestamp,
    ) -> Result<Option<RunId>, JournalError> {
        let mut write = self.write().await?;
        let (id,): (i64,) = sqlx::query_as("SELECT COALESCE(MAX(id), 0) + 1 FROM run")
            .fetch_one(write.connection())
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
        .execute(write.connection())
        .await;
        match inserted {
            Err(error) if is_duplicate_key(&error) => return Ok(None),
            Err(error) => return Err(error.into()),
            Ok(_) => {}
        }
        sqlx::query("INSERT INTO fact (run, place, at, record) VALUES ($1, 1, $2, $3)")
            .bind(id)
            .bind(now.0)
            .bind(encode_fact(first))
            .execute(write.connection())
            .await?;
        write.commit().await?;
        Ok(Some(RunId(id)))
    }

    async fn has_open_run(&self, site: &str) -> Result<bool, JournalError> {
        let row: Option<(i64,)> =
            sqlx::query_as("SELECT id FROM run WHERE site = $1 AND ended IS NULL")
                .bind(site)
                .fetch_optional(self.pool()?)
                .await?;
        Ok(row.is_some())
    }

    /// Appends a fact under the lease, which is checked in the same transaction.
    pub async fn add(
        &self,
        run: RunId,
        lease: &Lease,
        fact: &Fact,
        now: Timestamp,
    ) -> Result<(), JournalError> {
        let mut write = self.write().await?;
        write.require(lease).await?;
        let inserted = sqlx::query(
            "INSERT INTO fact (run, place, at, record)
             SELECT id, (SELECT COALESCE(MAX(place), 0) + 1 FROM fact WHERE run = $1), $2, $3
             FROM run WHERE id = $1 AND site = $4",
        )
        .bind(run.0)
        .bind(now.0)
        .bind(encode_fact(fact))
        .bind(&lease.site)
        .execute(write.connection())
        .await?;
        if inserted.rows_affected() == 0 {
            return Err(JournalError::LeaseLost);
        }
        if matches!(fact, Fact::Finished | Fact::Aborted { .. }) {
            sqlx::query("UPDATE run SET ended = $1 WHERE id = $2 AND ended IS NULL")
                .bind(now.0)
                .bind(run.0)
                .execute(write.connection())
                .await?;
        }
        write.commit().await
    }

    /// All facts of a run, in order.
    pub async fn facts(&self, run: RunId) -> Result<Vec<RecordedFact>, JournalError> {
        let rows: Vec<(i64, String)> =
            sqlx::query_as("SELECT at, record FROM fact WHERE run = $1 ORDER BY place")
                .bind(run.0)
                .fetch_all(self.pool()?)
                .await?;
        rows.into_iter()
            .map(|(at, record)| {
                decode_fact(&record).map(|fact| RecordedFact {
                    at: Timestamp(at),
                    fact,
                })
            })
            .collect()
    }

    /// Runs that have not finished, oldest first.
    pub async fn open_runs(&self) -> Result<Vec<Run>, JournalError> {
        let rows: Vec<RunRow> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "{COLUMNS} WHERE ended IS NULL ORDER BY id"
        )))
        .fetch_all(self.pool()?)
        .await?;
        Ok(rows.into_iter().map(run_from).collect())
    }

    /// The run of that number, if there is one.
    pub async fn run(&self, id: RunId) -> Result<Option<Run>, JournalError> {
        let row: Option<RunRow> =
            sqlx::query_as(sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE id = $1")))
                .bind(id.0)
                .fetch_optional(self.pool()?)
                .await?;
        Ok(row.map(run_from))
    }

    /// How many runs of one plan of a pull request were begun.
    pub async fn count_runs(
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
        .fetch_one(self.pool()?)
        .await?;
        Ok(count)
    }

    /// The latest runs of a site, newest first.
    pub async fn runs(&self, site: &str, limit: i64) -> Result<Vec<Run>, JournalError> {
        let rows: Vec<RunRow> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "{COLUMNS} WHERE site = $1 ORDER BY id DESC LIMIT $2"
        )))
        .bind(site)
        .bind(limit)
        .fetch_all(self.pool()?)
        .await?;
        Ok(rows.into_iter().map(run_from).collect())
    }
}
