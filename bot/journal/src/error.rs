//! Why a store cannot be opened, and why an operation on it failed.

use crate::remedy::remedy;

/// Why a journal cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The scheme is unknown, or the path is empty.
    #[error(
        "`{0}` is not a store address: write `sqlite://FILE` or `postgres://USER@HOST/DATABASE`"
    )]
    NotAStore(String),
    /// A PostgreSQL address that cannot be parsed. It is not shown, since it may hold a password.
    #[error("the store's address is not `postgres://USER@HOST/DATABASE`: {0}")]
    NotAnAddress(&'static str),
    /// The database answers, but cannot hold what the journal writes.
    #[error("cannot use the store `{path}`: {remedy}")]
    Unsuitable {
        /// The address without its password.
        path: String,
        /// The cause, and what to try.
        remedy: &'static str,
    },
    /// It cannot be reached, written or read.
    #[error("cannot open the store `{path}`: {source}; {remedy}")]
    Unreachable {
        /// The address without its password.
        path: String,
        /// What to try.
        remedy: &'static str,
        /// The database's error.
        #[source]
        source: sqlx::Error,
    },
    /// A newer planebot has migrated it.
    #[error(
        "the store `{path}` was written by a newer planebot: it has migration {version}, this one knows {known}; use the newer one"
    )]
    TooNew {
        /// The address without its password.
        path: String,
        /// The first migration that this program does not have.
        version: i64,
        /// How many migrations this program has.
        known: usize,
    },
    /// Its migrations differ from this planebot's.
    #[error(
        "the store `{path}` does not fit this planebot: {source}; use the version that wrote it, or restore a backup"
    )]
    DoesNotFit {
        /// The address without its password.
        path: String,
        /// The migration that differs.
        #[source]
        source: sqlx::migrate::MigrateError,
    },
}

/// Why an operation on an open journal failed. The variants are split by what the caller does next.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The site already has an open run.
    #[error("another run of this site has not finished")]
    Busy,
    /// The lease's epoch has moved on: this worker may not write.
    #[error("the lease was lost to another worker")]
    LeaseLost,
    /// A row cannot be parsed.
    #[error("a row of `{table}` cannot be read: {source}")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// The parser's error.
        #[source]
        source: serde_json::Error,
    },
    /// A row was written by a newer planebot.
    #[error(
        "a row of `{table}` has the format {v}, which this planebot does not know; use the one that wrote it"
    )]
    TooNew {
        /// The table.
        table: &'static str,
        /// The row's format.
        v: u32,
    },
    /// The store is damaged; one entry for each problem.
    #[error("the store is damaged: {}; restore a backup", .0.join("; "))]
    Damaged(Vec<String>),
    /// A test's [`crate::CrashPoint`] cut the power.
    #[error("simulated power cut")]
    PowerCut,
    /// The database refused or did not answer.
    #[error("the store failed: {0}; {remedy}", remedy = remedy(.0))]
    Store(#[from] sqlx::Error),
}
