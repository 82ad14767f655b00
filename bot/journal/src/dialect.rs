//! Two databases, one set of queries: the little that each says in its own way, chosen in one place.

use std::sync::{Arc, Mutex};

use sqlx::error::DatabaseError;
use sqlx::postgres::PgDatabaseError;
use sqlx::{Any, AnyConnection, AnyPool, Transaction};

use crate::address::Kind;
use crate::{Address, OpenError, postgres, sqlite};

/// Which database it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// One file, one machine.
    Sqlite,
    /// One server, many replicas.
    Postgres,
}

/// A store that is open and up to date.
pub(crate) struct Opened {
    pub(crate) dialect: Dialect,
    pub(crate) pool: AnyPool,
    /// A store in memory ends with its last connection, and a call that is given up may take its connection with it.
    pub(crate) anchor: Option<Arc<Mutex<AnyConnection>>>,
}

impl Dialect {
    /// Opens the store, or says why not; nothing of it is kept open then.
    pub(crate) async fn open(address: &Address) -> Result<Opened, OpenError> {
        match &address.0 {
            Kind::Memory => sqlite::in_memory(address).await,
            Kind::File(path) => sqlite::on_a_file(address, path).await,
            Kind::Server(server) => postgres::open(address, server).await,
        }
    }

    /// A connection to what is at the address, which changes nothing of it; none where a file is not made yet.
    pub(crate) async fn look(address: &Address) -> Result<Option<AnyConnection>, OpenError> {
        match &address.0 {
            Kind::Memory => Ok(None),
            Kind::File(path) => sqlite::look(address, path).await,
            Kind::Server(server) => postgres::look(address, server).await.map(Some),
        }
    }

    /// Asks for the bytes that the store takes.
    pub(crate) fn size(self) -> &'static str {
        match self {
            Self::Sqlite => {
                "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
            }
            Self::Postgres => "SELECT pg_database_size(current_database())",
        }
    }

    /// Begins to write.
    pub(crate) async fn begin(
        self,
        pool: &AnyPool,
    ) -> Result<Transaction<'static, Any>, sqlx::Error> {
        let statement = match self {
            Self::Sqlite => sqlite::WRITING,
            Self::Postgres => postgres::WRITING,
        };
        pool.begin_with(statement).await
    }

    /// What is wrong with the database itself, one line each.
    pub(crate) async fn damage(self, pool: &AnyPool) -> Result<Vec<String>, sqlx::Error> {
        match self {
            Self::Sqlite => sqlite::damage(pool).await,
            Self::Postgres => postgres::damage(pool).await,
        }
    }
}

/// What to try.
pub(crate) fn remedy(error: &sqlx::Error) -> &'static str {
    if matches!(error, sqlx::Error::PoolTimedOut) {
        return "it does not answer, or is too busy: see that it runs and can be reached, and try again";
    }
    match error.as_database_error() {
        Some(said) if said.try_downcast_ref::<PgDatabaseError>().is_some() => {
            postgres::remedy(said.code().as_deref())
        }
        Some(said) => sqlite::remedy(said.code().as_deref()),
        None => postgres::remedy(None),
    }
}

/// Whether the error is that a row of that key is there.
pub(crate) fn is_there(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .is_some_and(DatabaseError::is_unique_violation)
}
