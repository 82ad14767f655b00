//! The right to write to one MAAS.
//!
//! Taken with an epoch that grows at every change of hands. Facts are added under the epoch, so a worker that was
//! paused and lost its lease cannot add one, and without a fact it may not write.

use std::sync::Arc;

use topology::observed::Timestamp;

use crate::dialect::Dialect;
use crate::writing::Writing;
use crate::{Journal, JournalError};

/// Names the right to work off what waits: deliveries, replies, runs that can move. Of many replicas one holds it, so that
/// what waits is done in its order and by one; no site has this name.
pub const QUEUE: &str = "(queue)";

/// The right to write to one MAAS until a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Whose MAAS.
    pub site: String,
    /// Who holds it.
    pub owner: String,
    /// Grows at every change of hands.
    pub epoch: i64,
    /// Until when, by the holder's own clock. A holder stops by then; others may take it then or a little later.
    pub until: Timestamp,
}

/// By which clock a lease runs out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LeaseTime {
    /// The times that are passed in: all who share the store are on one machine, or in one world of a test.
    PassedIn,
    /// The database's: a replica whose clock is ahead must not take a lease that another still writes under.
    Databases,
}

impl LeaseTime {
    pub(crate) fn of(dialect: Dialect) -> Self {
        match dialect {
            Dialect::Sqlite => Self::PassedIn,
            Dialect::Postgres => Self::Databases,
        }
    }
}

impl Journal {
    /// The same journal whose leases run by the times that are passed in, on every database: for worlds with a clock of
    /// their own.
    #[must_use]
    pub fn by_the_passed_in_time(mut self) -> Self {
        self.lease_time = LeaseTime::PassedIn;
        self
    }

    /// The same journal, every write of which wants this lease's epoch to be in force, in the same transaction: a replica
    /// that was paused and lost the queue writes nothing more.
    #[must_use]
    pub fn under(mut self, lease: &Lease) -> Self {
        self.right = Some(Arc::new(lease.clone()));
        self
    }

    /// Takes the lease if it is free, expired, or one's own already. An owner is one process's whole life: a name that a
    /// second process shares would share the epoch too.
    pub async fn take(
        &self,
        site: &str,
        owner: &str,
        length_ms: i64,
        now: Timestamp,
    ) -> Result<Option<Lease>, JournalError> {
        let mut writing = self.write().await?;
        let at = writing.lease_time(now).await?;
        let row: Option<(i64,)> = sqlx::query_as(
            "INSERT INTO lease (site, owner, epoch, until_ms) VALUES ($1, $2, 1, $3)
             ON CONFLICT (site) DO UPDATE SET
                 epoch = CASE WHEN lease.owner = excluded.owner THEN lease.epoch ELSE lease.epoch + 1 END,
                 owner = excluded.owner, until_ms = excluded.until_ms
             WHERE lease.owner = excluded.owner OR lease.until_ms < $4
             RETURNING epoch",
        )
        .bind(site)
        .bind(owner)
        .bind(at.0 + length_ms)
        .bind(at.0)
        .fetch_optional(writing.at())
        .await?;
        writing.end().await?;
        Ok(row.map(|(epoch,)| Lease {
            site: site.to_owned(),
            owner: owner.to_owned(),
            epoch,
            until: Timestamp(now.0 + length_ms),
        }))
    }

    /// Holds the lease for longer; none when it has changed hands.
    pub async fn renew(
        &self,
        lease: &Lease,
        length_ms: i64,
        now: Timestamp,
    ) -> Result<Option<Lease>, JournalError> {
        let mut writing = self.write().await?;
        let at = writing.lease_time(now).await?;
        let done = sqlx::query("UPDATE lease SET until_ms = $1 WHERE site = $2 AND epoch = $3")
            .bind(at.0 + length_ms)
            .bind(&lease.site)
            .bind(lease.epoch)
            .execute(writing.at())
            .await?;
        writing.end().await?;
        Ok((done.rows_affected() == 1).then(|| Lease {
            until: Timestamp(now.0 + length_ms),
            ..lease.clone()
        }))
    }

    /// The name under which a process that listens at `door` holds leases, for this one life of it.
    ///
    /// On one machine nobody else can listen there, so the door is name enough, and what its earlier life held is ended
    /// ([`Journal::outlive`]): it goes on at once. Replicas on many machines may all listen at the same address; each
    /// life of each gets a name of its own, and what a dead one held runs out.
    pub async fn name(&self, door: &str) -> Result<String, JournalError> {
        if self.dialect == Dialect::Sqlite {
            self.outlive(door).await?;
            return Ok(door.to_owned());
        }
        let mut writing = self.write().await?;
        let (life,): (String,) = sqlx::query_as(
            "INSERT INTO cursor (name, value) VALUES ('(lives)', '1')
             ON CONFLICT (name) DO UPDATE SET value = CAST(CAST(cursor.value AS BIGINT) + 1 AS TEXT)
             RETURNING value",
        )
        .fetch_one(writing.at())
        .await?;
        writing.end().await?;
        Ok(format!("{door}, life {life}"))
    }

    /// Whether other machines may share the store: then deliveries come that this process did not keep.
    pub fn is_shared(&self) -> bool {
        self.dialect == Dialect::Postgres
    }

    /// Ends what an earlier life of `owner` held: a process that starts again under its name goes on at once, and
    /// nothing is written any more under an epoch that the dead one had.
    pub async fn outlive(&self, owner: &str) -> Result<(), JournalError> {
        let mut writing = self.write().await?;
        sqlx::query("UPDATE lease SET epoch = epoch + 1, until_ms = 0 WHERE owner = $1")
            .bind(owner)
            .execute(writing.at())
            .await?;
        writing.end().await
    }

    /// Gives the lease back. The epoch moves on, so that nothing more is written under it.
    pub async fn release(&self, lease: &Lease) -> Result<(), JournalError> {
        let mut writing = self.write().await?;
        sqlx::query(
            "UPDATE lease SET owner = '', epoch = epoch + 1, until_ms = 0 WHERE site = $1 AND epoch = $2",
        )
        .bind(&lease.site)
        .bind(lease.epoch)
        .execute(writing.at())
        .await?;
        writing.end().await
    }

    /// Asks whether the right that every write of this journal wants is still in force: [`JournalError::Lost`] where it is
    /// not. For what leaves the process and cannot be fenced, directly before it leaves.
    pub async fn still_ours(&self, now: Timestamp) -> Result<(), JournalError> {
        match &self.right {
            Some(right) if !self.still_held(right, now).await? => Err(JournalError::Lost),
            Some(_) | None => Ok(()),
        }
    }

    /// Whether the lease is still the one in force.
    pub async fn still_held(&self, lease: &Lease, now: Timestamp) -> Result<bool, JournalError> {
        let mut reading = self.reading()?.acquire().await?;
        let at = self.lease_time.at(&mut reading, now).await?;
        let row: Option<(i64, i64)> =
            sqlx::query_as("SELECT epoch, until_ms FROM lease WHERE site = $1")
                .bind(&lease.site)
                .fetch_optional(&mut *reading)
                .await?;
        Ok(row.is_some_and(|(epoch, until)| epoch == lease.epoch && until > at.0))
    }
}

impl LeaseTime {
    /// What time it is for a lease. It is read after `now` was and before the lease is written, so that whoever counts
    /// from `now` stops before anybody else may begin.
    pub(crate) async fn at(
        self,
        connection: &mut sqlx::AnyConnection,
        now: Timestamp,
    ) -> Result<Timestamp, sqlx::Error> {
        match self {
            Self::PassedIn => Ok(now),
            Self::Databases => {
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

impl Writing<'_> {
    async fn lease_time(&mut self, now: Timestamp) -> Result<Timestamp, JournalError> {
        let lease_time = self.journal().lease_time;
        Ok(lease_time.at(self.at(), now).await?)
    }
}
