//! What differs between the two databases in SQL alone. All other queries serve both. It must not know how either is
//! opened.

use std::sync::{Arc, Mutex};

use sqlx::error::DatabaseError;
use sqlx::{Any, AnyConnection, AnyPool, Transaction};

/// The kind of database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// One file, one machine.
    Sqlite,
    /// One server, many replicas.
    Postgres,
}

/// A store that is open and migrated.
pub(crate) struct OpenStore {
    pub(crate) dialect: Dialect,
    pub(crate) pool: AnyPool,
    /// A store in memory ends with its last connection, and a call that is cancelled may take the pool's connection with
    /// it. This one stays open.
    pub(crate) anchor: Option<Arc<Mutex<AnyConnection>>>,
}

impl Dialect {
    /// Selects the store's size in bytes.
    pub(crate) fn size_query(self) -> &'static str {
        match self {
            Self::Sqlite => {
                "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
            }
            Self::Postgres => "SELECT pg_database_size(current_database())",
        }
    }

    /// How a write transaction begins.
    ///
    /// SQLite: it takes the write lock before it reads, and so waits for another writer instead of failing when what it
    /// read has changed. PostgreSQL: whatever the database's own defaults are; rows that are read before they are written
    /// are locked by the statements that read them.
    pub(crate) fn begin_statement(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN IMMEDIATE",
            Self::Postgres => "BEGIN ISOLATION LEVEL READ COMMITTED",
        }
    }

    /// Begins a write transaction.
    pub(crate) async fn begin(
        self,
        pool: &AnyPool,
    ) -> Result<Transaction<'static, Any>, sqlx::Error> {
        pool.begin_with(self.begin_statement()).await
    }
}

/// Whether a row of that key exists already.
pub(crate) fn is_duplicate_key(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .is_some_and(DatabaseError::is_unique_violation)
}
