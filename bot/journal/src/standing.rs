//! How a store stands, for the doctor: looked at without opening it, which would bring it up to date, and counted.

use sqlx::AnyConnection;
use topology::observed::Timestamp;

use crate::lease::LeaseTime;
use crate::migration::{self, unreachable};
use crate::{Address, Journal, JournalError, OpenError};

/// What is found at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing yet: the first start makes it.
    New,
    /// Another version's, which the next start brings up to date.
    Older {
        /// The migrations it has.
        has: usize,
        /// The migrations that this program knows.
        known: usize,
    },
    /// This version's.
    Current,
}

/// How many rows there are of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Deliveries, settled or not.
    pub deliveries: i64,
    /// Replies, said or not.
    pub replies: i64,
    /// Pull requests.
    pub pulls: i64,
    /// Runs.
    pub runs: i64,
    /// Facts of runs.
    pub facts: i64,
    /// Commands that were heard.
    pub heard: i64,
    /// Bytes, on the disk or in memory.
    pub bytes: i64,
}

/// A lease that was given and not run out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Whose MAAS, or [`crate::QUEUE`].
    pub site: String,
    /// Who holds it.
    pub owner: String,
    /// How much longer, in milliseconds, by the clock that ends it.
    pub left: i64,
}

impl Standing {
    /// Looks at the store without changing anything of it: nothing is made, nothing is brought up to date.
    pub async fn of(address: &Address) -> Result<Self, OpenError> {
        match crate::dialect::Dialect::look(address).await? {
            Some(mut connection) => {
                let found = Self::read(address, &mut connection).await;
                drop(sqlx::Connection::close(connection).await);
                found
            }
            None => Ok(Self::New),
        }
    }

    async fn read(address: &Address, connection: &mut AnyConnection) -> Result<Self, OpenError> {
        let lost = |source| unreachable(address, source);
        let is_there = if address.is_a_server() {
            "SELECT COUNT(to_regclass('_sqlx_migrations'))"
        } else {
            "SELECT COUNT(*) FROM sqlite_master WHERE name = '_sqlx_migrations'"
        };
        let (tables,): (i64,) = sqlx::query_as(is_there)
            .fetch_one(&mut *connection)
            .await
            .map_err(lost)?;
        if tables == 0 {
            return Ok(Self::New);
        }
        let applied: Vec<(i64, Vec<u8>)> =
            sqlx::query_as("SELECT version, checksum FROM _sqlx_migrations ORDER BY version")
                .fetch_all(connection)
                .await
                .map_err(lost)?;
        migration::fits(address, &applied)?;
        let (has, known) = (applied.len(), migration::KNOWN);
        Ok(if has < known {
            Self::Older { has, known }
        } else {
            Self::Current
        })
    }
}

impl Journal {
    /// How many rows there are, and how much room they take.
    pub async fn counts(&self) -> Result<Counts, JournalError> {
        let (deliveries, replies, pulls, runs, facts, heard): (i64, i64, i64, i64, i64, i64) =
            sqlx::query_as(
                "SELECT (SELECT COUNT(*) FROM delivery), (SELECT COUNT(*) FROM reply), (SELECT COUNT(*) FROM pull),
                     (SELECT COUNT(*) FROM run), (SELECT COUNT(*) FROM fact), (SELECT COUNT(*) FROM heard)",
            )
            .fetch_one(self.reading()?)
            .await?;
        let (bytes,): (i64,) = sqlx::query_as(self.dialect.size())
            .fetch_one(self.reading()?)
            .await?;
        Ok(Counts {
            deliveries,
            replies,
            pulls,
            runs,
            facts,
            heard,
            bytes,
        })
    }

    /// The leases that are held now.
    pub async fn held(&self, now: Timestamp) -> Result<Vec<Held>, JournalError> {
        let at = self.time(now).await?;
        let rows: Vec<(String, String, i64)> = sqlx::query_as(
            "SELECT site, owner, until_ms FROM lease WHERE until_ms >= $1 ORDER BY site",
        )
        .bind(at.0)
        .fetch_all(self.reading()?)
        .await?;
        Ok(rows
            .into_iter()
            .map(|(site, owner, until)| Held {
                site,
                owner,
                left: until - at.0,
            })
            .collect())
    }

    /// What time it is for leases: the database's where it has a clock, else the time that is passed in.
    pub async fn time(&self, now: Timestamp) -> Result<Timestamp, JournalError> {
        match self.lease_time {
            LeaseTime::PassedIn => Ok(now),
            LeaseTime::Databases => {
                let mut reading = self.reading()?.acquire().await?;
                Ok(self.lease_time.at(&mut reading, now).await?)
            }
        }
    }
}
