//! The clock by which leases expire.

use sqlx::AnyConnection;
use topology::observed::Timestamp;

use crate::dialect::Dialect;

/// The clock by which leases expire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LeaseClock {
    /// The times that callers pass in: all who share the store run on one machine, or in one simulation.
    Caller,
    /// The database's: a replica whose clock is ahead must not take a lease under which another still writes.
    Database,
}

impl LeaseClock {
    pub(crate) fn of(dialect: Dialect) -> Self {
        match dialect {
            Dialect::Sqlite => Self::Caller,
            Dialect::Postgres => Self::Database,
        }
    }

    /// The time for leases. The database's clock is read after the caller read `now` and before the lease is written, so
    /// a holder that counts from `now` stops before anybody else may begin.
    pub(crate) async fn now(
        self,
        connection: &mut AnyConnection,
        now: Timestamp,
    ) -> Result<Timestamp, sqlx::Error> {
        match self {
            Self::Caller => Ok(now),
            Self::Database => {
                let (at,): (i64,) = sqlx::query_as(
                    "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)",
                )
                .fetch_one(connection)
                .await?;
                Ok(Timestamp(at))
            }
        }
    }
}
