//! One write: a transaction that begins by asking whether it may, and is cut by the fuse before it and after it.

use sqlx::{Any, AnyConnection, Transaction};

use crate::{Journal, JournalError, Lease};

/// A write under way; without an end it leaves nothing.
pub(crate) struct Writing<'a> {
    journal: &'a Journal,
    transaction: Transaction<'static, Any>,
}

impl Journal {
    /// Begins a write.
    pub(crate) async fn write(&self) -> Result<Writing<'_>, JournalError> {
        let pool = self.reading()?;
        self.burn()?;
        let mut writing = Writing {
            journal: self,
            transaction: self.dialect.begin(pool).await?,
        };
        if let Some(right) = &self.right {
            writing.wants(right).await?;
        }
        Ok(writing)
    }
}

impl<'a> Writing<'a> {
    /// Where statements are sent.
    pub(crate) fn at(&mut self) -> &mut AnyConnection {
        &mut self.transaction
    }

    /// Whose write it is.
    pub(crate) fn journal(&self) -> &'a Journal {
        self.journal
    }

    /// Goes on only while the lease's epoch is the one in force. Its row is written as it was, which keeps it from
    /// changing hands until this write has ended, and others who want it from writing at the same time.
    pub(crate) async fn wants(&mut self, lease: &Lease) -> Result<(), JournalError> {
        let held = sqlx::query("UPDATE lease SET epoch = epoch WHERE site = $1 AND epoch = $2")
            .bind(&lease.site)
            .bind(lease.epoch)
            .execute(self.at())
            .await?;
        if held.rows_affected() == 0 {
            return Err(JournalError::Lost);
        }
        Ok(())
    }

    /// Makes it durable.
    pub(crate) async fn end(self) -> Result<(), JournalError> {
        self.transaction.commit().await?;
        self.journal.burn()
    }
}
