//! A webhook as received, kept until settled.
//!
//! Taken up in the order in which they were kept. One that failed waits for its time and holds up only its own lanes: the
//! later ones of its pull request and of its branch. Which those are is told by whoever reads deliveries, when it takes one
//! up; until then a delivery has none.

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

/// What a delivery must not overtake, and what must not overtake it. Any words that name the same thing the same way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lanes {
    /// The pull request that it is about.
    pub pull: Option<String>,
    /// The branch that it changed.
    pub branch: Option<String>,
}

/// Why a delivery that was taken up is to be taken up again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setback {
    /// It failed: that counts.
    Failed,
    /// It was not its turn, by no fault of its own (a limit): that does not.
    Limited,
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

/// That no earlier delivery of the same pull request or branch is open. A lane that is not there holds nobody up.
macro_rules! not_held {
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
    not_held!(),
    " ORDER BY place LIMIT 1)"
);

pub(crate) const NEXT_AT: &str = concat!(
    "SELECT MIN(again) FROM delivery AS next WHERE settled IS NULL AND ",
    not_held!()
);

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

    /// The oldest delivery that may be taken up now: not settled, its time has come, and none of its lanes is held.
    pub async fn next_delivery(
        &self,
        now: Timestamp,
    ) -> Result<Option<StoredDelivery>, JournalError> {
        let row: Option<(String, String, String, i64)> = sqlx::query_as(NEXT)
            .bind(now.0)
            .fetch_optional(self.reading()?)
            .await?;
        Ok(row.map(|(id, event, body, attempts)| StoredDelivery {
            delivery: Delivery { id, event, body },
            attempts,
        }))
    }

    /// When the next delivery may be taken up, if any waits.
    pub async fn next_delivery_at(&self) -> Result<Option<Timestamp>, JournalError> {
        let (at,): (Option<i64>,) = sqlx::query_as(NEXT_AT).fetch_one(self.reading()?).await?;
        Ok(at.map(Timestamp))
    }

    /// Takes a delivery up and counts the attempt, before anything is done for it. False when one of its lanes, which are
    /// noted now, is held by an earlier one: then it waits for that one.
    pub async fn take_up(&self, id: &str, lanes: &Lanes) -> Result<bool, JournalError> {
        let mut writing = self.write().await?;
        let taken = sqlx::query(
            "UPDATE delivery SET pull_lane = $1, branch_lane = $2, attempts = attempts + 1
             WHERE id = $3 AND NOT EXISTS (SELECT 1 FROM delivery AS ahead
                 WHERE ahead.settled IS NULL AND ahead.place < delivery.place AND ahead.pull_lane = $1)
             AND NOT EXISTS (SELECT 1 FROM delivery AS ahead
                 WHERE ahead.settled IS NULL AND ahead.place < delivery.place AND ahead.branch_lane = $2)",
        )
        .bind(lanes.pull.as_deref())
        .bind(lanes.branch.as_deref())
        .bind(id)
        .execute(writing.at())
        .await?
        .rows_affected()
            == 1;
        if !taken {
            sqlx::query("UPDATE delivery SET pull_lane = $1, branch_lane = $2 WHERE id = $3")
                .bind(lanes.pull.as_deref())
                .bind(lanes.branch.as_deref())
                .bind(id)
                .execute(writing.at())
                .await?;
        }
        writing.end().await?;
        Ok(taken)
    }

    /// Puts a delivery that was taken up off until `again`.
    pub async fn put_off(
        &self,
        id: &str,
        again: Timestamp,
        why: &str,
        setback: Setback,
    ) -> Result<(), JournalError> {
        let forgiven: i64 = match setback {
            Setback::Failed => 0,
            Setback::Limited => 1,
        };
        let mut writing = self.write().await?;
        sqlx::query(
            "UPDATE delivery SET again = $1, failure = $2, attempts = attempts - $3 WHERE id = $4 AND settled IS NULL",
        )
        .bind(again.0)
        .bind(text(why))
        .bind(forgiven)
        .bind(id)
        .execute(writing.at())
        .await?;
        writing.end().await
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
