//! A webhook as received, kept until settled.

use serde::{Deserialize, Serialize};
use topology::observed::Timestamp;

use crate::{Journal, JournalError, text, written};

/// One webhook as it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// GitHub's `X-GitHub-Delivery`: a redelivery keeps it.
    pub id: String,
    /// GitHub's `X-GitHub-Event`, which no signature covers.
    pub event: String,
    /// The body, whose signature was good.
    pub body: String,
}

/// What keeping said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It is kept now.
    New,
    /// It was kept before; nothing changed.
    SeenBefore,
}

/// A kept delivery that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredDelivery {
    /// As received.
    pub delivery: Delivery,
    /// How often it was begun before.
    pub attempts: i64,
}

/// How a delivery ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Settled {
    /// It was acted on.
    Done,
    /// It says nothing to us.
    Ignored(String),
    /// It failed too often, and waits for a person.
    Parked(String),
}

/// A comment, as one delivery tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// `owner/name`.
    pub repository: String,
    /// GitHub's id of the comment.
    pub comment: i64,
    /// A hash of its words, for the record.
    pub body_hash: String,
    /// The delivery that tells of it.
    pub delivery: String,
}

impl Journal {
    /// Keeps a delivery. 202 is sent after this, never before.
    pub async fn keep(&self, delivery: &Delivery, now: Timestamp) -> Result<Kept, JournalError> {
        let mut writing = self.write().await?;
        let done = sqlx::query(
            "INSERT INTO delivery (id, event, received, place, body)
             VALUES ($1, $2, $3, (SELECT COALESCE(MAX(place), 0) + 1 FROM delivery), $4)
             ON CONFLICT (id) DO NOTHING",
        )
        .bind(&delivery.id)
        .bind(&delivery.event)
        .bind(now.0)
        .bind(text(&delivery.body))
        .execute(writing.at())
        .await?;
        if done.rows_affected() == 0 {
            return Ok(Kept::SeenBefore);
        }
        writing.end().await?;
        Ok(Kept::New)
    }

    /// The oldest delivery that is not settled; counts the attempt.
    pub async fn next_delivery(&self) -> Result<Option<StoredDelivery>, JournalError> {
        let row: Option<(String, String, String, i64)> =
            sqlx::query_as("SELECT id, event, body, attempts FROM delivery WHERE settled IS NULL ORDER BY place LIMIT 1")
                .fetch_optional(self.reading()?)
                .await?;
        let Some((id, event, body, attempts)) = row else {
            return Ok(None);
        };
        let mut writing = self.write().await?;
        sqlx::query("UPDATE delivery SET attempts = attempts + 1 WHERE id = $1")
            .bind(&id)
            .execute(writing.at())
            .await?;
        writing.end().await?;
        Ok(Some(StoredDelivery {
            delivery: Delivery { id, event, body },
            attempts,
        }))
    }

    /// Settles a delivery, once.
    pub async fn settle(
        &self,
        id: &str,
        verdict: &Settled,
        now: Timestamp,
    ) -> Result<(), JournalError> {
        let mut writing = self.write().await?;
        sqlx::query(
            "UPDATE delivery SET settled = $1, verdict = $2 WHERE id = $3 AND settled IS NULL",
        )
        .bind(now.0)
        .bind(written(verdict))
        .bind(id)
        .execute(writing.at())
        .await?;
        writing.end().await
    }

    /// How many deliveries wait, and how many are parked.
    pub async fn queue(&self) -> Result<(i64, i64), JournalError> {
        let (waiting,): (i64,) =
            sqlx::query_as("SELECT COUNT(*) FROM delivery WHERE settled IS NULL")
                .fetch_one(self.reading()?)
                .await?;
        let (parked,): (i64,) =
            sqlx::query_as("SELECT COUNT(*) FROM delivery WHERE verdict LIKE '{\"parked\"%'")
                .fetch_one(self.reading()?)
                .await?;
        Ok((waiting, parked))
    }

    /// Claims a comment for a delivery: true for the first delivery that tells of it, also when it asks again after a power
    /// cut; false for every other, so that a command is acted on once however often it is told.
    pub async fn hear(&self, heard: &Heard, now: Timestamp) -> Result<bool, JournalError> {
        let mut writing = self.write().await?;
        let done = sqlx::query(
            "INSERT INTO heard (repository, comment, body_hash, delivery, at) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (repository, comment) DO UPDATE SET delivery = excluded.delivery
             WHERE heard.delivery = excluded.delivery",
        )
        .bind(&heard.repository)
        .bind(heard.comment)
        .bind(&heard.body_hash)
        .bind(&heard.delivery)
        .bind(now.0)
        .execute(writing.at())
        .await?;
        writing.end().await?;
        Ok(done.rows_affected() == 1)
    }
}
