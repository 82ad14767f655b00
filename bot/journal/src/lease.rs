//! The right to write to one MAAS.
//!
//! Taken with an epoch that grows at every change of hands. Facts are added under the epoch, so a worker that was
//! paused and lost its lease cannot add one, and without a fact it may not write.

use topology::observed::Timestamp;

use crate::{Journal, JournalError};

/// The right to write to one MAAS until a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Whose MAAS.
    pub site: String,
    /// Who holds it.
    pub owner: String,
    /// Grows at every change of hands.
    pub epoch: i64,
    /// Until when.
    pub until: Timestamp,
}

impl Journal {
    /// Takes the lease if it is free, expired, or one's own already. An owner is one process's whole life: a name that a
    /// second process shares would share the epoch too.
    pub async fn take(
        &self,
        site: &str,
        owner: &str,
        length_ms: i64,
        now: Timestamp,
    ) -> Result<Option<Lease>, JournalError> {
        let until = now.0 + length_ms;
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
        .bind(until)
        .bind(now.0)
        .fetch_optional(self.writing()?)
        .await?;
        self.burn()?;
        Ok(row.map(|(epoch,)| Lease {
            site: site.to_owned(),
            owner: owner.to_owned(),
            epoch,
            until: Timestamp(until),
        }))
    }

    /// Holds the lease for longer; none when it has changed hands.
    pub async fn renew(
        &self,
        lease: &Lease,
        length_ms: i64,
        now: Timestamp,
    ) -> Result<Option<Lease>, JournalError> {
        let until = Timestamp(now.0 + length_ms);
        let done = sqlx::query("UPDATE lease SET until_ms = $1 WHERE site = $2 AND epoch = $3")
            .bind(until.0)
            .bind(&lease.site)
            .bind(lease.epoch)
            .execute(self.writing()?)
            .await?;
        self.burn()?;
        Ok((done.rows_affected() == 1).then(|| Lease {
            until,
            ..lease.clone()
        }))
    }

    /// Ends what an earlier life of `owner` held: a process that starts again under its name goes on at once, and
    /// nothing is written any more under an epoch that the dead one had.
    pub async fn outlive(&self, owner: &str) -> Result<(), JournalError> {
        sqlx::query("UPDATE lease SET epoch = epoch + 1, until_ms = 0 WHERE owner = $1")
            .bind(owner)
            .execute(self.writing()?)
            .await?;
        self.burn()
    }

    /// Gives the lease back. The epoch moves on, so that nothing more is written under it.
    pub async fn release(&self, lease: &Lease) -> Result<(), JournalError> {
        sqlx::query(
            "UPDATE lease SET owner = '', epoch = epoch + 1, until_ms = 0 WHERE site = $1 AND epoch = $2",
        )
        .bind(&lease.site)
        .bind(lease.epoch)
        .execute(self.writing()?)
        .await?;
        self.burn()
    }

    /// Whether the lease is still the one in force.
    pub async fn still_held(&self, lease: &Lease, now: Timestamp) -> Result<bool, JournalError> {
        let row: Option<(i64, i64)> =
            sqlx::query_as("SELECT epoch, until_ms FROM lease WHERE site = $1")
                .bind(&lease.site)
                .fetch_optional(self.reading()?)
                .await?;
        Ok(row.is_some_and(|(epoch, until)| epoch == lease.epoch && until > now.0))
    }
}
