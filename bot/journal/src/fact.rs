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
use crate::write::WriteTransaction;

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
    /// By what its MAAS is recognised, such as its URLs. Two open runs never have an entry in common. Empty where an older
    /// version began the run.
    pub maas: Vec<String>,
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
    String,
);

fn run_from(row: RunRow) -> Result<Run, JournalError> {
    let (id, site, repository, pull, digest, began, ended, record, maas) = row;
    Ok(Run {
        id: RunId(id),
        new: NewRun {
            site,
            repository,
            pull,
            digest,
            record,
            maas: from_json("run", &maas)?,
        },
        began: Timestamp(began),
        ended: ended.map(Timestamp),
    })
}

/// The result of one attempt to insert a run.
enum Begun {
    Run(RunId),
    /// A run of the same number, or an open run of the same site, was inserted first.
    Overtaken,
    /// Another site's open run is on the same MAAS.
    MaasIsBusy,
}

const COLUMNS: &str =
    "SELECT id, site, repository, pull, digest, began, ended, record, maas FROM run";

impl Journal {
    /// Begins a run with its first fact, in one transaction. A site has at most one open run, and so has a MAAS.
    pub async fn begin(
        &self,
        new: &NewRun,
        first: &Fact,
        now: Timestamp,
    ) -> Result<RunId, JournalError> {
        for _ in 0..BEGIN_ATTEMPTS_MAX {
            match self.try_begin(new, first, now).await? {
                Begun::Run(id) => return Ok(id),
                Begun::MaasIsBusy => return Err(JournalError::Busy),
                Begun::Overtaken => {}
            }
            if self.has_open_run(&new.site).await? {
                return Err(JournalError::Busy);
            }
        }
        Err(JournalError::Busy)
    }

    async fn try_begin(
        &self,
        new: &NewRun,
        first: &Fact,
        now: Timestamp,
    ) -> Result<Begun, JournalError> {
        let mut write = self.write().await?;
        if write.has_open_run_on(&new.maas).await? {
            return Ok(Begun::MaasIsBusy);
        }
        let (id,): (i64,) = sqlx::query_as("SELECT COALESCE(MAX(id), 0) + 1 FROM run")
            .fetch_one(write.connection())
            .await?;
        let inserted = sqlx::query(
            "INSERT INTO run (id, site, repository, pull, digest, began, record, maas) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(id)
        .bind(&new.site)
        .bind(&new.repository)
        .bind(new.pull)
        .bind(&new.digest)
        .bind(now.0)
        .bind(text(&new.record))
        .bind(to_json(&new.maas))
        .execute(write.connection())
        .await;
        match inserted {
            Err(error) if is_duplicate_key(&error) => return Ok(Begun::Overtaken),
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
        Ok(Begun::Run(RunId(id)))
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
        rows.into_iter().map(run_from).collect()
    }

    /// The run of that number, if there is one.
    pub async fn run(&self, id: RunId) -> Result<Option<Run>, JournalError> {
        let row: Option<RunRow> =
            sqlx::query_as(sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE id = $1")))
                .bind(id.0)
                .fetch_optional(self.pool()?)
                .await?;
        row.map(run_from).transpose()
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
        rows.into_iter().map(run_from).collect()
    }
}

impl WriteTransaction<'_> {
    /// Whether an open run has one of these entries. Until this write ends no other can begin a run on a MAAS: PostgreSQL
    /// would show neither of two transactions the other's new row, so both first write one and the same row.
    async fn has_open_run_on(&mut self, maas: &[String]) -> Result<bool, JournalError> {
        if maas.is_empty() {
            return Ok(false);
        }
        sqlx::query(
            "INSERT INTO cursor (name, value) VALUES ('(beginning a run)', '')
             ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        )
        .execute(self.connection())
        .await?;
        let rows: Vec<(String,)> = sqlx::query_as("SELECT maas FROM run WHERE ended IS NULL")
            .fetch_all(self.connection())
            .await?;
        for (row,) in rows {
            let theirs: Vec<String> = from_json("run", &row)?;
            if theirs.iter().any(|entry| maas.contains(entry)) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
