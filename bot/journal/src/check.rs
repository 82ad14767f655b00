//! Whether the store is whole, for the doctor: the database, what belongs to what, and whether every fact can be read.

use crate::fact::fact_of;
use crate::{Journal, JournalError};

/// What is kept and taken away when a store is opened, in bytes: twice what GitHub's webhooks of a pull request take.
const TRIED: usize = 64 << 10;

/// Facts read at a time.
const PAGE: i64 = 1000;

impl Journal {
    /// Whether the store answers and can be written to now; cheap, so that it can be asked often.
    pub async fn ready(&self) -> Result<(), JournalError> {
        let mut transaction = self.dialect.begin(self.reading()?).await?;
        // Changes nothing, and is refused where nothing may be changed.
        sqlx::query("UPDATE lease SET epoch = epoch WHERE site = ''")
            .execute(&mut *transaction)
            .await?;
        Ok(transaction.rollback().await?)
    }

    /// Whether the store may be written to, and has room for more: keeps a bookmark of [`TRIED`] bytes and takes it away
    /// again. Each is committed, since what is rolled back may never come to the disk.
    pub(crate) async fn tried_out(&self) -> Result<(), JournalError> {
        self.ready().await?;
        let mut transaction = self.dialect.begin(self.reading()?).await?;
        let keep = "INSERT INTO cursor (name, value) VALUES ('tried', $1)
                    ON CONFLICT (name) DO UPDATE SET value = excluded.value";
        sqlx::query(keep)
            .bind(incompressible(TRIED))
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        let mut transaction = self.dialect.begin(self.reading()?).await?;
        sqlx::query("DELETE FROM cursor WHERE name = 'tried'")
            .execute(&mut *transaction)
            .await?;
        Ok(transaction.commit().await?)
    }

    /// Whether the store is whole. Reads all of it, so it is for a person's question; [`Journal::ready`] is for a probe's.
    pub async fn check(&self) -> Result<(), JournalError> {
        let found = self.dialect.damage(self.reading()?).await?;
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
            .fetch_all(self.reading()?)
            .await?;
            let Some((run, place, _)) = rows.last() else {
                return Ok(());
            };
            after = (*run, *place);
            for (_, _, record) in &rows {
                fact_of(record)?;
            }
        }
    }
}

/// So many letters in which nothing comes again, so that no database makes them fewer (splitmix64 in hexadecimal).
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
