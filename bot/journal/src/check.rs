//! Health checks: whether the store accepts writes, and whether it is intact (the database's own check, references, and
//! every fact readable).

use crate::backend;
use crate::error::JournalError;
use crate::fact::decode_fact;
use crate::journal::Journal;

/// Bytes that are written and deleted when a store is opened: twice the size of GitHub's webhooks about a pull request.
const TRIAL_BYTES: usize = 64 << 10;

/// Facts that one query reads.
const PAGE: i64 = 1000;

impl Journal {
    /// Whether the store answers and accepts writes now. Cheap enough for a readiness probe.
    pub async fn ready(&self) -> Result<(), JournalError> {
        let mut transaction = self.dialect.begin(self.pool()?).await?;
        // Changes no row, and fails where the store is read-only.
        sqlx::query("UPDATE lease SET epoch = epoch WHERE site = ''")
            .execute(&mut *transaction)
            .await?;
        Ok(transaction.rollback().await?)
    }

    /// Whether the store accepts writes and its disk has room: writes a bookmark of [`TRIAL_BYTES`] and deletes it. Both
    /// are committed, since a rolled back write may never reach the disk.
    pub(crate) async fn try_write(&self) -> Result<(), JournalError> {
        self.ready().await?;
        let mut transaction = self.dialect.begin(self.pool()?).await?;
        let insert = "INSERT INTO cursor (name, value) VALUES ('tried', $1)
                    ON CONFLICT (name) DO UPDATE SET value = excluded.value";
        sqlx::query(insert)
            .bind(incompressible(TRIAL_BYTES))
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        let mut transaction = self.dialect.begin(self.pool()?).await?;
        sqlx::query("DELETE FROM cursor WHERE name = 'tried'")
            .execute(&mut *transaction)
            .await?;
        Ok(transaction.commit().await?)
    }

    /// Whether the store is intact. It reads every fact, so it is for operators; probes use [`Journal::ready`].
    pub async fn check(&self) -> Result<(), JournalError> {
        let found = backend::damage(self.dialect, self.pool()?).await?;
        if !found.is_empty() {
            return Err(JournalError::Damaged(found));
        }
        let mut after = (0, 0);
        loop {
            let rows: Vec<(i64, i64, String)> = sqlx::query_as(
                "SELECT run, place, record FROM fact WHERE run > $1 OR (run = $1 AND place > $2)
                 ORDER BY run, place LIMIT $3",
            )
            .bind(after.0)
            .bind(after.1)
            .bind(PAGE)
            .fetch_all(self.pool()?)
            .await?;
            let Some((run, place, _)) = rows.last() else {
                return Ok(());
            };
            after = (*run, *place);
            for (_, _, record) in &rows {
                decode_fact(record)?;
            }
        }
    }
}

/// Text of that length that no database can compress (splitmix64 in hexadecimal).
fn incompressible(bytes: usize) -> String {
    let mixed = |place: u64| {
        let mut mixed = place.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    };
    (1..)
        .map(|place| format!("{:016x}", mixed(place)))
        .take(bytes.div_ceil(16))
        .collect()
}
