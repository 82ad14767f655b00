//! Failed work: dead letters, deferred deliveries, messages that were given up, and how an operator retries them.

use topology::observed::Timestamp;

use crate::Settled;
use crate::error::JournalError;
use crate::journal::Journal;
use crate::row::from_json;

/// A failed delivery or message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedItem {
    /// The delivery's id or the message's key: what [`Journal::retry`] takes.
    pub id: String,
    /// The delivery's event, or the message's repository.
    pub about: String,
    /// Since when it has waited for an operator; of a deferred delivery, when it is tried again.
    pub at: Timestamp,
    /// The error.
    pub why: String,
}

/// What [`Journal::retry`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retried {
    /// A delivery. It is back at its old position.
    Delivery,
    /// A message.
    Message,
    /// Nothing of that name waits for an operator.
    Nothing,
}

type Columns = (String, String, i64, Option<String>);

fn failed_item((id, about, at, why): Columns) -> FailedItem {
    FailedItem {
        id,
        about,
        at: Timestamp(at),
        why: why.unwrap_or_default(),
    }
}

impl Journal {
    /// Dead letters, newest first.
    pub async fn dead_letters(&self, limit: i64) -> Result<Vec<FailedItem>, JournalError> {
        let rows: Vec<Columns> = sqlx::query_as(
            "SELECT id, event, settled, verdict FROM delivery WHERE verdict LIKE '{\"parked\"%' ORDER BY place DESC LIMIT $1",
        )
        .bind(limit)
        .fetch_all(self.pool()?)
        .await?;
        rows.into_iter()
            .map(|(id, about, at, verdict)| {
                let verdict: Settled =
                    from_json("delivery", verdict.as_deref().unwrap_or_default())?;
                let why = match verdict {
                    Settled::DeadLetter(why) | Settled::Ignored(why) => Some(why),
                    Settled::Done => None,
                };
                Ok(failed_item((id, about, at, why)))
            })
            .collect()
    }

    /// How many dead letters a pull request's lane has.
    pub async fn dead_letters_in(&self, pull_lane: &str) -> Result<i64, JournalError> {
        let (count,): (i64,) = sqlx::query_as(
            "SELECT COUNT(*) FROM delivery WHERE verdict LIKE '{\"parked\"%' AND pull_lane = $1",
        )
        .bind(pull_lane)
        .fetch_one(self.pool()?)
        .await?;
        Ok(count)
    }

    /// Deliveries that failed and will be tried again, the next one first.
    pub async fn deferred(&self, limit: i64) -> Result<Vec<FailedItem>, JournalError> {
        let rows: Vec<Columns> = sqlx::query_as(
            "SELECT id, event, again, failure FROM delivery WHERE settled IS NULL AND failure IS NOT NULL
             ORDER BY again LIMIT $1",
        )
        .bind(limit)
        .fetch_all(self.pool()?)
        .await?;
        Ok(rows.into_iter().map(failed_item).collect())
    }

    /// Messages that were given up, newest first.
    pub async fn given_up_messages(&self, limit: i64) -> Result<Vec<FailedItem>, JournalError> {
        let rows: Vec<Columns> = sqlx::query_as(
            "SELECT key, repository, not_before, failure FROM reply WHERE posted IS NULL AND given_up = place
             ORDER BY place DESC LIMIT $1",
        )
        .bind(limit)
        .fetch_all(self.pool()?)
        .await?;
        Ok(rows.into_iter().map(failed_item).collect())
    }

    /// How many messages are pending, and how many were given up.
    pub async fn outbox_depth(&self) -> Result<(i64, i64), JournalError> {
        let (unsent, given_up): (i64, i64) = sqlx::query_as(
            "SELECT COUNT(*), COUNT(CASE WHEN given_up = place THEN 1 END) FROM reply WHERE posted IS NULL",
        )
        .fetch_one(self.pool()?)
        .await?;
        Ok((unsent - given_up, given_up))
    }

    /// Puts a dead letter or a given up message back into its queue, as if it had not failed: a delivery at its old
    /// position, before the later ones of its lanes.
    pub async fn retry(&self, id: &str) -> Result<Retried, JournalError> {
        let mut write = self.write().await?;
        let mut retried = Retried::Nothing;
        for (statement, what) in [
            (
                "UPDATE delivery SET settled = NULL, verdict = NULL, attempts = 0, again = 0, failure = NULL
                 WHERE id = $1 AND verdict LIKE '{\"parked\"%'",
                Retried::Delivery,
            ),
            (
                "UPDATE reply SET given_up = NULL, attempts = 0, not_before = 0, failure = NULL
                 WHERE key = $1 AND posted IS NULL AND given_up = place",
                Retried::Message,
            ),
        ] {
            let done = sqlx::query(statement)
                .bind(id)
                .execute(write.connection())
                .await?;
            if done.rows_affected() == 1 {
                retried = what;
            }
        }
        write.commit().await?;
        Ok(retried)
    }
}
