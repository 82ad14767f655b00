//! One write: a transaction that first checks the fence, with a crash point before and after it.

use sqlx::{Any, AnyConnection, Transaction};

use crate::Lease;
use crate::error::JournalError;
use crate::journal::Journal;

/// An open write transaction. Dropped without [`WriteTransaction::commit`], it changes nothing.
pub(crate) struct WriteTransaction<'a> {
    journal: &'a Journal,
    transaction: Transaction<'static, Any>,
}

impl Journal {
    /// Begins a write.
    pub(crate) async fn write(&self) -> Result<WriteTransaction<'_>, JournalError> {
        let pool = self.pool()?;
        self.reach_crash_point()?;
        let mut write = WriteTransaction {
            journal: self,
            transaction: self.dialect.begin(pool).await?,
        };
        if let Some(fence) = &self.fence {
            write.require(fence).await?;
        }
        Ok(write)
    }
}

impl<'a> WriteTransaction<'a> {
    pub(crate) fn connection(&mut self) -> &mut AnyConnection {
        &mut self.transaction
    }

    pub(crate) fn journal(&self) -> &'a Journal {
        self.journal
    }

    /// Fails unless the lease's epoch is in force. The lease's row is written unchanged: that locks it, so it cannot
    /// change hands before this write has ended, and other writes under it wait.
    pub(crate) async fn require(&mut self, lease: &Lease) -> Result<(), JournalError> {
        let held = sqlx::query("UPDATE lease SET epoch = epoch WHERE site = $1 AND epoch = $2")
            .bind(&lease.site)
            .bind(lease.epoch)
            .execute(self.connection())
            .await?;
        if held.rows_affected() == 0 {
            return Err(JournalError::LeaseLost);
        }
        Ok(())
    }

    /// Makes the write durable.
    pub(crate) async fn commit(self) -> Result<(), JournalError> {
        self.transaction.commit().await?;
        self.journal.reach_crash_point()
    }
}
