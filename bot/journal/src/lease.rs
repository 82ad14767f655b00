//! Leases: the exclusive right to write to one site's MAAS, or to work off the queue.
//!
//! A lease's epoch is its fencing token: it grows with every new holder. Facts are added under the epoch, so a worker that
//! was paused and lost its lease cannot add one, and without a fact it may not write to MAAS.

use std::sync::Arc;

use topology::observed::Timestamp;

use crate::dialect::Dialect;
use crate::error::JournalError;
use crate::journal::Journal;
use crate::lease_clock::LeaseClock;
use crate::write::WriteTransaction;

/// The lease for working off deliveries, outbox messages and open runs. One replica of many holds it, so they are handled
/// in order and by one worker. No site can have this name.
pub const QUEUE: &str = "(queue)";

/// A lease as its holder knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The site, or [`QUEUE`].
    pub site: String,
    /// The process that holds it; see [`Journal::owner_name`].
    pub owner: String,
    /// The fencing token: grows with every new holder.
    pub epoch: i64,
    /// When it expires, by the holder's own clock. The holder stops by then; others may take it then or a little later.
    pub until: Timestamp,
}

impl Journal {
    /// The same journal, whose leases expire by the times that callers pass in, on every database. For simulations with
    /// their own clock.
    #[must_use]
    pub fn with_caller_clock(mut self) -> Self {
        self.lease_clock = LeaseClock::Caller;
        self
    }

    /// The same journal, where every write requires in its own transaction that this lease's epoch is in force: a replica
    /// that was paused and lost the queue writes nothing more.
    #[must_use]
    pub fn fenced_by(mut self, lease: &Lease) -> Self {
        self.fence = Some(Arc::new(lease.clone()));
        self
    }

    /// Takes the lease if it is free, expired, or already the owner's. An owner names one process from start to exit: two
    /// processes of one name would share the epoch too.
    pub async fn take(
        &self,
        site: &str,
        owner: &str,
        length_ms: i64,
        now: Timestamp,
    ) -> Result<Option<Lease>, JournalError> {
        let mut write = self.write().await?;
        let at = write.lease_time(now).await?;
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
        .fetch_optional(write.connection())
        .await?;
        write.commit().await?;
        Ok(row.map(|(epoch,)| Lease {
            site: site.to_owned(),
            owner: owner.to_owned(),
            epoch,
            until: Timestamp(now.0 + length_ms),
        }))
    }

    /// Extends the lease; `None` when its epoch is no longer in force.
    pub async fn renew(
        &self,
        lease: &Lease,
        length_ms: i64,
        now: Timestamp,
    ) -> Result<Option<Lease>, JournalError> {
        let mut write = self.write().await?;
        let at = write.lease_time(now).await?;
        let done = sqlx::query("UPDATE lease SET until_ms = $1 WHERE site = $2 AND epoch = $3")
            .bind(at.0 + length_ms)
            .bind(&lease.site)
            .bind(lease.epoch)
            .execute(write.connection())
            .await?;
        write.commit().await?;
        Ok((done.rows_affected() == 1).then(|| Lease {
            until: Timestamp(now.0 + length_ms),
            ..lease.clone()
        }))
    }

    /// The owner's name under which a process that listens at `address` holds leases until it exits.
    ///
    /// On one machine no other process can listen there, so the address is the name, and the leases of its predecessor end
    /// now ([`Journal::end_leases_of`]): it continues at once. Replicas on many machines may all listen at the same
    /// address; each start of each gets its own name, and the leases of a dead one expire.
    pub async fn owner_name(&self, address: &str) -> Result<String, JournalError> {
        if self.dialect == Dialect::Sqlite {
            self.end_leases_of(address).await?;
            return Ok(address.to_owned());
        }
        let mut write = self.write().await?;
        let (start,): (String,) = sqlx::query_as(
            "INSERT INTO cursor (name, value) VALUES ('(lives)', '1')
             ON CONFLICT (name) DO UPDATE SET value = CAST(CAST(cursor.value AS BIGINT) + 1 AS TEXT)
             RETURNING value",
        )
        .fetch_one(write.connection())
        .await?;
        write.commit().await?;
        Ok(format!("{address}, start {start}"))
    }

    /// Whether other machines may share the store: then they store deliveries that this process has not received.
    pub fn is_shared(&self) -> bool {
        self.dialect == Dialect::Postgres
    }

    /// Ends all leases of `owner`: a process that restarts under that name continues at once, and nothing more is written
    /// under its predecessor's epochs.
    pub async fn end_leases_of(&self, owner: &str) -> Result<(), JournalError> {
        let mut write = self.write().await?;
        sqlx::query("UPDATE lease SET epoch = epoch + 1, until_ms = 0 WHERE owner = $1")
            .bind(owner)
            .execute(write.connection())
            .await?;
        write.commit().await
    }

    /// Gives the lease up. The epoch moves on, so nothing more is written under it.
    pub async fn release(&self, lease: &Lease) -> Result<(), JournalError> {
        let mut write = self.write().await?;
        sqlx::query(
            "UPDATE lease SET owner = '', epoch = epoch + 1, until_ms = 0 WHERE site = $1 AND epoch = $2",
        )
        .bind(&lease.site)
        .bind(lease.epoch)
        .execute(write.connection())
        .await?;
        write.commit().await
    }

    /// Fails with [`JournalError::LeaseLost`] when the fence of this journal is no longer in force. For requests that
    /// leave the process, which no transaction can fence: called directly before they are sent.
    pub async fn check_fence(&self, now: Timestamp) -> Result<(), JournalError> {
        match &self.fence {
            Some(fence) if !self.is_in_force(fence, now).await? => Err(JournalError::LeaseLost),
            Some(_) | None => Ok(()),
        }
    }

    /// Whether the lease has not expired and nobody else has taken it.
    pub async fn is_in_force(&self, lease: &Lease, now: Timestamp) -> Result<bool, JournalError> {
        let mut connection = self.pool()?.acquire().await?;
        let at = self.lease_clock.now(&mut connection, now).await?;
        let row: Option<(i64, i64)> =
            sqlx::query_as("SELECT epoch, until_ms FROM lease WHERE site = $1")
                .bind(&lease.site)
                .fetch_optional(&mut *connection)
                .await?;
        Ok(row.is_some_and(|(epoch, until)| epoch == lease.epoch && until > at.0))
    }
}

impl WriteTransaction<'_> {
    async fn lease_time(&mut self, now: Timestamp) -> Result<Timestamp, JournalError> {
        let clock = self.journal().lease_clock;
        Ok(clock.now(self.connection(), now).await?)
    }
}
