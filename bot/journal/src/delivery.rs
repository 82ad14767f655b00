//! The queue of webhook deliveries: stored as received, settled once.
//!
//! Deliveries are handled in the order in which they were stored. A failed one is deferred and blocks only its lanes: the
//! later deliveries of its pull request and of its branch. The caller determines the lanes when it starts a delivery;
//! until then a delivery has none.

use serde::{Deserialize, Serialize};
use topology::observed::Timestamp;

use crate::error::JournalError;
use crate::journal::Journal;
use crate::row::{text, to_json};

/// A webhook delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// GitHub's `X-GitHub-Delivery`. A redelivery has the same one.
    pub id: String,
    /// GitHub's `X-GitHub-Event`. The signature does not cover it.
    pub event: String,
    /// The body, whose signature was verified.
    pub body: String,
}

/// The result of [`Journal::store_delivery`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// The delivery was inserted.
    New,
    /// It was stored before; nothing changed.
    Duplicate,
}

/// A stored delivery that is not settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredDelivery {
    /// The delivery as received.
    pub delivery: Delivery,
    /// How many attempts were started before.
    pub attempts: i64,
}

/// A delivery's ordering keys: deliveries with an equal key are handled in order. The text is the caller's choice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lanes {
    /// The key of its pull request.
    pub pull: Option<String>,
    /// The key of the branch that it changed.
    pub branch: Option<String>,
}

/// Why a started delivery is deferred.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeferReason {
    /// It failed. The attempt counts.
    Failed,
    /// A rate limit was in force. The attempt does not count.
    RateLimited,
}

/// How a delivery was settled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Settled {
    /// It was handled.
    Done,
    /// It asks for nothing, for this reason.
    Ignored(String),
    /// It failed too often, with this error, and waits for an operator's [`Journal::retry`]. Stored under its older name.
    #[serde(rename = "parked")]
    DeadLetter(String),
}

/// A comment that a delivery has reported and that is acted on at most once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandledComment {
    /// `owner/name`.
    pub repository: String,
    /// GitHub's id of the comment.
    pub comment: i64,
    /// A hash of its text, for the record.
    pub body_hash: String,
    /// The delivery that reported it.
    pub delivery: String,
}

/// No earlier delivery of the same pull request or branch is open. A null lane blocks nothing.
macro_rules! not_blocked {
    () => {
        "NOT EXISTS (SELECT 1 FROM delivery AS ahead
             WHERE ahead.settled IS NULL AND ahead.pull_lane = next.pull_lane AND ahead.place < next.place)
         AND NOT EXISTS (SELECT 1 FROM delivery AS ahead
             WHERE ahead.settled IS NULL AND ahead.branch_lane = next.branch_lane AND ahead.place < next.place)"
    };
}

pub(crate) const NEXT: &str = concat!(
    "SELECT id, event, body, attempts FROM delivery WHERE id = (
         SELECT id FROM delivery AS next WHERE settled IS NULL AND again <= $1 AND ",
    not_blocked!(),
    " ORDER BY place LIMIT 1)"
);

pub(crate) const NEXT_AT: &str = concat!(
    "SELECT MIN(again) FROM delivery AS next WHERE settled IS NULL AND ",
    not_blocked!()
);

impl Journal {
    /// Stores a delivery. The webhook is answered (202) only after this.
    pub async fn store_delivery(
        &self,
        delivery: &Delivery,
        now: Timestamp,
    ) -> Result<Stored, JournalError> {
        let mut write = self.write().await?;
        let done = sqlx::query(
            "INSERT INTO delivery (id, event, received, place, body)
             VALUES ($1, $2, $3, (SELECT COALESCE(MAX(place), 0) + 1 FROM delivery), $4)
             ON CONFLICT (id) DO NOTHING",
        )
        .bind(&delivery.id)
        .bind(&delivery.event)
        .bind(now.0)
        .bind(text(&delivery.body))
        .execute(write.connection())
        .await?;
        if done.rows_affected() == 0 {
            return Ok(Stored::Duplicate);
        }
        write.commit().await?;
        Ok(Stored::New)
    }

    /// Whether a delivery of that id is stored, settled or not.
    pub async fn has_delivery(&self, id: &str) -> Result<bool, JournalError> {
        let (found,): (i64,) = sqlx::query_as("SELECT COUNT(*) FROM delivery WHERE id = $1")
            .bind(id)
            .fetch_one(self.pool()?)
            .await?;
        Ok(found > 0)
    }

    /// The oldest delivery that can start now: not settled, not deferred beyond `now`, and none of its lanes blocked.
    pub async fn next_delivery(
        &self,
        now: Timestamp,
    ) -> Result<Option<StoredDelivery>, JournalError> {
        let row: Option<(String, String, String, i64)> = sqlx::query_as(NEXT)
            .bind(now.0)
            .fetch_optional(self.pool()?)
            .await?;
        Ok(row.map(|(id, event, body, attempts)| StoredDelivery {
            delivery: Delivery { id, event, body },
            attempts,
        }))
    }

    /// When the next delivery can start, if any is open.
    pub async fn next_delivery_at(&self) -> Result<Option<Timestamp>, JournalError> {
        let (at,): (Option<i64>,) = sqlx::query_as(NEXT_AT).fetch_one(self.pool()?).await?;
        Ok(at.map(Timestamp))
    }

    /// Records the delivery's lanes and counts the attempt, before anything is done for it. `false` when an earlier
    /// delivery blocks one of the lanes: then the attempt does not count, and it waits for that one.
    pub async fn start_delivery(&self, id: &str, lanes: &Lanes) -> Result<bool, JournalError> {
        let mut write = self.write().await?;
        let started = sqlx::query(
            "UPDATE delivery SET pull_lane = $1, branch_lane = $2, attempts = attempts + 1
             WHERE id = $3 AND NOT EXISTS (SELECT 1 FROM delivery AS ahead
                 WHERE ahead.settled IS NULL AND ahead.place < delivery.place AND ahead.pull_lane = $1)
             AND NOT EXISTS (SELECT 1 FROM delivery AS ahead
                 WHERE ahead.settled IS NULL AND ahead.place < delivery.place AND ahead.branch_lane = $2)",
        )
        .bind(lanes.pull.as_deref())
        .bind(lanes.branch.as_deref())
        .bind(id)
        .execute(write.connection())
        .await?
        .rows_affected()
            == 1;
        if !started {
            sqlx::query("UPDATE delivery SET pull_lane = $1, branch_lane = $2 WHERE id = $3")
                .bind(lanes.pull.as_deref())
                .bind(lanes.branch.as_deref())
                .bind(id)
                .execute(write.connection())
                .await?;
        }
        write.commit().await?;
        Ok(started)
    }

    /// Defers a started delivery until `again`.
    pub async fn defer(
        &self,
        id: &str,
        again: Timestamp,
        why: &str,
        reason: DeferReason,
    ) -> Result<(), JournalError> {
        let uncounted: i64 = match reason {
            DeferReason::Failed => 0,
            DeferReason::RateLimited => 1,
        };
        let mut write = self.write().await?;
        sqlx::query(
            "UPDATE delivery SET again = $1, failure = $2, attempts = attempts - $3 WHERE id = $4 AND settled IS NULL",
        )
        .bind(again.0)
        .bind(text(why))
        .bind(uncounted)
        .bind(id)
        .execute(write.connection())
        .await?;
        write.commit().await
    }

    /// Settles a delivery. The first result stands.
    pub async fn settle(
        &self,
        id: &str,
        verdict: &Settled,
        now: Timestamp,
    ) -> Result<(), JournalError> {
        let mut write = self.write().await?;
        sqlx::query(
            "UPDATE delivery SET settled = $1, verdict = $2 WHERE id = $3 AND settled IS NULL",
        )
        .bind(now.0)
        .bind(to_json(verdict))
        .bind(id)
        .execute(write.connection())
        .await?;
        write.commit().await
    }

    /// How many deliveries are open, and how many are dead letters.
    pub async fn queue_depth(&self) -> Result<(i64, i64), JournalError> {
        let (open,): (i64,) = sqlx::query_as("SELECT COUNT(*) FROM delivery WHERE settled IS NULL")
            .fetch_one(self.pool()?)
            .await?;
        let (dead_letters,): (i64,) =
            sqlx::query_as("SELECT COUNT(*) FROM delivery WHERE verdict LIKE '{\"parked\"%'")
                .fetch_one(self.pool()?)
                .await?;
        Ok((open, dead_letters))
    }

    /// Claims a comment for a delivery: `true` for the first delivery that reports it, also when it asks again after a power
    /// cut; `false` for every other, so a command is acted on once however often it is reported.
    pub async fn claim_comment(
        &self,
        comment: &HandledComment,
        now: Timestamp,
    ) -> Result<bool, JournalError> {
        let mut write = self.write().await?;
        let done = sqlx::query(
            "INSERT INTO heard (repository, comment, body_hash, delivery, at) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (repository, comment) DO UPDATE SET delivery = excluded.delivery
             WHERE heard.delivery = excluded.delivery",
        )
        .bind(&comment.repository)
        .bind(comment.comment)
        .bind(&comment.body_hash)
        .bind(&comment.delivery)
        .bind(now.0)
        .execute(write.connection())
        .await?;
        write.commit().await?;
        Ok(done.rows_affected() == 1)
    }
}
