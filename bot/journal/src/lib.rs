//! What was asked, decided and done: open, keep, begin, add, read. The only SQL.
//!
//! Deliveries are kept before they are answered and settled once; a run's facts are only added to, under the lease's
//! epoch; replies are owed before they are posted. It must not know GitHub's or MAAS's wire, nor what a fact means.
//! Time is a value passed in.

mod address;
mod check;
mod compact;
mod delivery;
mod dialect;
mod fact;
mod kept;
mod lease;
mod migration;
mod postgres;
mod pull;
mod reply;
mod sqlite;
mod standing;
mod stuck;
mod writing;

pub use address::Address;
pub use compact::Compacted;
pub use delivery::{Delivery, Heard, Kept, Lanes, Setback, Settled, StoredDelivery};
pub use fact::{NewRun, Run, RunId};
pub use lease::{Lease, QUEUE};
pub use pull::Pull;
pub use reply::{Made, Owed, Posted, Reply, ReplyKind, Room, Unsaid};
pub use standing::{Counts, Held, Standing};
pub use stuck::{Retried, Stuck};

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sqlx::AnyPool;

use dialect::{Dialect, remedy};
use lease::LeaseTime;

/// Whether the power goes now. Asked twice for each write, before it is durable and after; production's never goes, the
/// crash laws' does.
pub type Fuse = Arc<dyn Fn() -> bool + Send + Sync>;

/// Durable memory.
#[derive(Clone)]
pub struct Journal {
    dialect: Dialect,
    pool: AnyPool,
    lease_time: LeaseTime,
    /// What every write of this journal wants to hold, if anything.
    right: Option<Arc<Lease>>,
    _anchor: Option<Arc<std::sync::Mutex<sqlx::AnyConnection>>>,
    fuse: Fuse,
    dark: Arc<AtomicBool>,
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
    #[error("`{0}` is no store: write `sqlite://FILE` or `postgres://USER@HOST/DATABASE`")]
    NotAStore(String),
    /// The address of a PostgreSQL database that cannot be understood; what it says may be secret.
    #[error("the store's address is not `postgres://USER@HOST/DATABASE`: {0}")]
    NotAnAddress(&'static str),
    /// The database is there, and cannot be used.
    #[error("cannot use the store `{path}`: {remedy}")]
    Unsuitable {
        /// Where.
        path: String,
        /// Why, and what to try.
        remedy: &'static str,
    },
    /// It cannot be reached, written or read.
    #[error("cannot open the store `{path}`: {source}; {remedy}")]
    Unreachable {
        /// Where.
        path: String,
        /// What to try.
        remedy: &'static str,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
    /// A newer planebot wrote it.
    #[error(
        "the store `{path}` was written by a newer planebot: it has migration {version}, this one knows {known}; use the newer one"
    )]
    TooNew {
        /// Where.
        path: String,
        /// The first migration that this program does not have.
        version: i64,
        /// How many migrations this program has.
        known: usize,
    },
    /// Its tables are not the ones that this planebot would have made.
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
    /// A row was written by a newer planebot.
    #[error(
        "a row of `{table}` has the format {v}, which this planebot does not know; use the one that wrote it"
    )]
    TooNew {
        /// Which table.
        table: &'static str,
        /// The row's format.
        v: u32,
    },
    /// The store is damaged.
    #[error("the store is damaged: {}; restore a backup", .0.join("; "))]
    Damaged(Vec<String>),
    /// The power went, in a law's world.
    #[error("the power went")]
    PowerCut,
    /// The store did not do it.
    #[error("the store failed: {0}; {remedy}", remedy = remedy(.0))]
    Store(#[from] sqlx::Error),
}

impl Journal {
    /// Opens the journal at `url` (`sqlite://FILE`, made when missing, `sqlite::memory:`, or
    /// `postgres://USER@HOST/DATABASE`), and brings it up to date.
    pub async fn open(url: &str) -> Result<Self, OpenError> {
        Self::open_at(&Address::parse(url)?).await
    }

    /// The same at an address that was read before.
    pub async fn open_at(address: &Address) -> Result<Self, OpenError> {
        let opened = Dialect::open(address).await?;
        let journal = Self {
            dialect: opened.dialect,
            pool: opened.pool,
            lease_time: LeaseTime::of(opened.dialect),
            right: None,
            _anchor: opened.anchor,
            fuse: Arc::new(|| false),
            dark: Arc::new(AtomicBool::new(false)),
        };
        // A store that is up to date was only read so far.
        match journal.tried_out().await {
            Err(JournalError::Store(source)) => Err(migration::unreachable(address, source)),
            Ok(()) | Err(_) => Ok(journal),
        }
    }

    /// The same journal with a fuse. Once the power went, this one and its clones do and say nothing more; the journal it
    /// was made of, or the store opened again, is the world after the cut.
    #[must_use]
    pub fn with_fuse(mut self, fuse: Fuse) -> Self {
        self.fuse = fuse;
        self.dark = Arc::new(AtomicBool::new(false));
        self
    }

    /// A named bookmark.
    pub async fn cursor(&self, name: &str) -> Result<Option<String>, JournalError> {
        let row: Option<(String,)> = sqlx::query_as("SELECT value FROM cursor WHERE name = $1")
            .bind(name)
            .fetch_optional(self.reading()?)
            .await?;
        Ok(row.map(|(value,)| value))
    }

    /// Moves a bookmark.
    pub async fn set_cursor(&self, name: &str, value: &str) -> Result<(), JournalError> {
        let mut writing = self.write().await?;
        sqlx::query("INSERT INTO cursor (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value")
            .bind(name)
            .bind(value)
            .execute(writing.at())
            .await?;
        writing.end().await
    }

    /// The store, to read from.
    fn reading(&self) -> Result<&AnyPool, JournalError> {
        if self.dark.load(Ordering::SeqCst) {
            return Err(JournalError::PowerCut);
        }
        Ok(&self.pool)
    }

    /// Asks the fuse: called before each write and after it is durable.
    fn burn(&self) -> Result<(), JournalError> {
        if (self.fuse)() {
            self.dark.store(true, Ordering::SeqCst);
            return Err(JournalError::PowerCut);
        }
        Ok(())
    }
}

/// Text as both databases can keep it: PostgreSQL's has no place for a NUL.
fn text(text: &str) -> String {
    text.replace('\0', "\u{FFFD}")
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
