//! What was asked, decided and done: open, keep, begin, add, read. The only SQL.
//!
//! Deliveries are kept before they are answered and settled once; a run's facts are only added to, under the lease's
//! epoch; replies are owed before they are posted. It must not know GitHub's or MAAS's wire, nor what a fact means.
//! Time is a value passed in.

mod delivery;
mod fact;
mod lease;
mod pull;
mod reply;
mod sqlite;

pub use delivery::{Delivery, Kept, Settled, StoredDelivery};
pub use fact::{NewRun, Run, RunId};
pub use lease::Lease;
pub use pull::Pull;
pub use reply::{Owed, Reply, ReplyKind};

use sqlx::AnyPool;
use std::sync::Arc;

/// Whether the power goes after this write. Production's never does; the crash laws' does.
pub type Fuse = Arc<dyn Fn() -> bool + Send + Sync>;

/// Durable memory.
#[derive(Clone)]
pub struct Journal {
    pool: AnyPool,
    fuse: Fuse,
}

impl std::fmt::Debug for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Journal")
    }
}

/// Why a journal cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The address is none that this program knows.
    #[error("`{0}` is no store: write `sqlite://FILE`")]
    NotAStore(String),
    /// It cannot be reached, written or read.
    #[error(
        "cannot open the store `{path}`: {source}; see that its folder exists, is writable and has room"
    )]
    Unreachable {
        /// Where.
        path: String,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
    /// It was written by a newer planebot, or is damaged.
    #[error(
        "the store `{path}` does not fit this planebot: {source}; use the version that wrote it, or restore a backup"
    )]
    DoesNotFit {
        /// Where.
        path: String,
        /// Why.
        #[source]
        source: sqlx::migrate::MigrateError,
    },
}

/// Why something was not kept or read; cut by what the caller does next.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Another run of this site is not over.
    #[error("another run of this site is not over")]
    Busy,
    /// The lease's epoch has moved on: this worker may not write.
    #[error("the lease was lost to another worker")]
    Lost,
    /// A row cannot be read.
    #[error("a row of `{table}` cannot be read: {source}")]
    Corrupt {
        /// Which table.
        table: &'static str,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The power went, in a law's world.
    #[error("the power went")]
    PowerCut,
    /// The store did not do it.
    #[error("the store failed: {0}")]
    Store(#[from] sqlx::Error),
}

impl Journal {
    /// The same journal with a fuse: after each durable write it says whether the power goes.
    #[must_use]
    pub fn with_fuse(mut self, fuse: Fuse) -> Self {
        self.fuse = fuse;
        self
    }

    /// Whether the store answers, and is whole.
    pub async fn check(&self) -> Result<(), JournalError> {
        let (word,): (String,) = sqlx::query_as("PRAGMA quick_check")
            .fetch_one(&self.pool)
            .await?;
        if word == "ok" {
            Ok(())
        } else {
            Err(JournalError::Store(sqlx::Error::Protocol(word)))
        }
    }

    /// A named bookmark.
    pub async fn cursor(&self, name: &str) -> Result<Option<String>, JournalError> {
        let row: Option<(String,)> = sqlx::query_as("SELECT value FROM cursor WHERE name = $1")
            .bind(name)
            .fetch_optional(&self.pool)
            .await?;
        Ok(row.map(|(value,)| value))
    }

    /// Moves a bookmark.
    pub async fn set_cursor(&self, name: &str, value: &str) -> Result<(), JournalError> {
        sqlx::query("INSERT INTO cursor (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value")
            .bind(name)
            .bind(value)
            .execute(&self.pool)
            .await?;
        self.burn()
    }

    /// Called after each durable write.
    fn burn(&self) -> Result<(), JournalError> {
        if (self.fuse)() {
            Err(JournalError::PowerCut)
        } else {
            Ok(())
        }
    }
}

fn written<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("records are made of strings, numbers and lists")
}

fn read<T: serde::de::DeserializeOwned>(
    table: &'static str,
    text: &str,
) -> Result<T, JournalError> {
    serde_json::from_str(text).map_err(|source| JournalError::Corrupt { table, source })
}
