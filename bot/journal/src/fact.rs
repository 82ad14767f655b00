//! Runs and their facts as rows, and how old rows are read.
//!
//! Every record carries the version of its format, `v`; rows written by every past version can be read.

use plan::run::{Fact, Noted};
use serde::{Deserialize, Serialize};
use topology::observed::Timestamp;

use crate::{Journal, JournalError, Lease, read, written};

/// The format of records that this program writes.
const FORMAT: u32 = 1;

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
        let mut transaction = self.writing()?.begin_with(crate::sqlite::WRITING).await?;
        let (id,): (i64,) = sqlx::query_as("SELECT COALESCE(MAX(id), 0) + 1 FROM run")
            .fetch_one(&mut *transaction)
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
        .bind(&new.record)
        .execute(&mut *transaction)
        .await;
        match inserted {
            Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {
                return Err(JournalError::Busy);
            }
            Err(error) => return Err(error.into()),
            Ok(_) => {}
        }
        sqlx::query("INSERT INTO fact (run, place, at, record) VALUES ($1, 1, $2, $3)")
            .bind(id)
            .bind(now.0)
            .bind(record_of(first))
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        self.burn()?;
        Ok(RunId(id))
    }

    /// Adds a fact under the lease. A lease that moved on refuses, in the same transaction.
    pub async fn add(
        &self,
        run: RunId,
        lease: &Lease,
        fact: &Fact,
        now: Timestamp,
    ) -> Result<(), JournalError> {
        let mut transaction = self.writing()?.begin_with(crate::sqlite::WRITING).await?;
        let held: Option<(i64,)> = sqlx::query_as(
            "SELECT lease.epoch FROM run JOIN lease ON lease.site = run.site WHERE run.id = $1 AND run.site = $2",
        )
        .bind(run.0)
        .bind(&lease.site)
        .fetch_optional(&mut *transaction)
        .await?;
        if held.is_none_or(|(epoch,)| epoch != lease.epoch) {
            return Err(JournalError::Lost);
        }
        sqlx::query(
            "INSERT INTO fact (run, place, at, record)
             VALUES ($1, (SELECT COALESCE(MAX(place), 0) + 1 FROM fact WHERE run = $1), $2, $3)",
        )
        .bind(run.0)
        .bind(now.0)
        .bind(record_of(fact))
        .execute(&mut *transaction)
        .await?;
        if matches!(fact, Fact::Finished | Fact::Aborted { .. }) {
            sqlx::query("UPDATE run SET ended = $1 WHERE id = $2 AND ended IS NULL")
                .bind(now.0)
                .bind(run.0)
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        self.burn()
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
