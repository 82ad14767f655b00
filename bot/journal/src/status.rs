//! The store's status, for `planebot doctor`: its migrations (read without opening it, which would migrate it), row counts
//! and leases in force.

use sqlx::AnyConnection;
use topology::observed::Timestamp;

use crate::address::StoreAddress;
use crate::backend;
use crate::error::{JournalError, OpenError};
use crate::journal::Journal;
use crate::lease_clock::LeaseClock;
use crate::migration::{self, unreachable};

/// The state of a store's schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemaState {
    /// There is no store yet: the first start creates it.
    New,
    /// An older version's, which the next start migrates.
    Older {
        /// How many migrations the store has.
        has: usize,
        /// How many migrations this program has.
        known: usize,
    },
    /// This version's.
    Current,
}

/// How many rows there are of each kind, and how much space they take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RowCounts {
    /// Deliveries, settled or not.
    pub deliveries: i64,
    /// Outbox messages, sent or not.
    pub messages: i64,
    /// Pull requests.
    pub pulls: i64,
    /// Runs.
    pub runs: i64,
    /// Facts of all runs.
    pub facts: i64,
    /// Comments that a delivery has claimed.
    pub comments: i64,
    /// Bytes on the disk or in memory.
    pub bytes: i64,
}

/// A lease in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldLease {
    /// The site, or [`crate::QUEUE`].
    pub site: String,
    /// The process that holds it.
    pub owner: String,
    /// Milliseconds until it expires, by the clock that ends it.
    pub left: i64,
}

impl SchemaState {
    /// Reads the state without changing the store: nothing is created, nothing migrated.
    pub async fn of(address: &StoreAddress) -> Result<Self, OpenError> {
        match backend::connect_only(address).await? {
            Some(mut connection) => {
                let found = Self::read(address, &mut connection).await;
                drop(sqlx::Connection::close(connection).await);
                found
            }
            None => Ok(Self::New),
        }
    }

    async fn read(
        address: &StoreAddress,
        connection: &mut AnyConnection,
    ) -> Result<Self, OpenError> {
        let failed = |source| unreachable(address, source);
        let count_tables = if address.is_server() {
            "SELECT COUNT(to_regclass('_sqlx_migrations'))"
        } else {
            "SELECT COUNT(*) FROM sqlite_master WHERE name = '_sqlx_migrations'"
        };
        let (tables,): (i64,) = sqlx::query_as(count_tables)
            .fetch_one(&mut *connection)
            .await
            .map_err(failed)?;
        if tables == 0 {
            return Ok(Self::New);
        }
        let applied: Vec<(i64, Vec<u8>)> =
            sqlx::query_as("SELECT version, checksum FROM _sqlx_migrations ORDER BY version")
                .fetch_all(connection)
                .await
                .map_err(failed)?;
        migration::check_applied(address, &applied)?;
        let (has, known) = (applied.len(), migration::KNOWN);
        Ok(if has < known {
            Self::Older { has, known }
        } else {
            Self::Current
        })
    }
}

impl Journal {
    /// Counts the rows of each kind.
    pub async fn counts(&self) -> Result<RowCounts, JournalError> {
        let (deliveries, messages, pulls, runs, facts, comments): (i64, i64, i64, i64, i64, i64) =
            sqlx::query_as(
                "SELECT (SELECT COUNT(*) FROM delivery), (SELECT COUNT(*) FROM reply), (SELECT COUNT(*) FROM pull),
                     (SELECT COUNT(*) FROM run), (SELECT COUNT(*) FROM fact), (SELECT COUNT(*) FROM heard)",
            )
            .fetch_one(self.pool()?)
            .await?;
        let (bytes,): (i64,) = sqlx::query_as(self.dialect.size_query())
            .fetch_one(self.pool()?)
            .await?;
        Ok(RowCounts {
            deliveries,
            messages,
            pulls,
            runs,
            facts,
            comments,
            bytes,
        })
    }

    /// The leases in force, by site.
    pub async fn held_leases(&self, now: Timestamp) -> Result<Vec<HeldLease>, JournalError> {
        let at = self.lease_time(now).await?;
        let rows: Vec<(String, String, i64)> = sqlx::query_as(
            "SELECT site, owner, until_ms FROM lease WHERE until_ms >= $1 ORDER BY site",
        )
        .bind(at.0)
        .fetch_all(self.pool()?)
        .await?;
        Ok(rows
            .into_iter()
            .map(|(site, owner, until)| HeldLease {
                site,
                owner,
                left: until - at.0,
            })
            .collect())
    }

    /// The time by which leases expire: the database's where it has a clock, else `now`.
    pub async fn lease_time(&self, now: Timestamp) -> Result<Timestamp, JournalError> {
        match self.lease_clock {
            LeaseClock::Caller => Ok(now),
            LeaseClock::Database => {
                let mut connection = self.pool()?.acquire().await?;
                Ok(self.lease_clock.now(&mut connection, now).await?)
            }
        }
    }
}
