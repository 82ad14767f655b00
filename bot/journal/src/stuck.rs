//! What waits for a person: deliveries that failed too often, replies that GitHub refuses, and how both are tried again.

use topology::observed::Timestamp;

use crate::{Journal, JournalError, Settled, read};

/// Something that waits for a person, or for its time after it failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stuck {
    /// The delivery's id, or the reply's key: what [`Journal::retry`] takes.
    pub id: String,
    /// The event, or the repository.
    pub about: String,
    /// Since when; of a delivery that will be tried again, when.
    pub at: Timestamp,
    /// Why.
    pub why: String,
}

/// What is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retried {
    /// A delivery, in its old place.
    Delivery,
    /// A reply.
    Reply,
    /// Nothing of that name waits for a person.
    Nothing,
}

type StuckRow = (String, String, i64, Option<String>);

fn stuck_of((id, about, at, why): StuckRow) -> Stuck {
    Stuck {
        id,
        about,
        at: Timestamp(at),
        why: why.unwrap_or_default(),
    }
}

impl Journal {
    /// Deliveries that are parked, newest first.
    pub async fn parked(&self, limit: i64) -> Result<Vec<Stuck>, JournalError> {
        let rows: Vec<StuckRow> = sqlx::query_as(
            "SELECT id, event, settled, verdict FROM delivery WHERE verdict LIKE '{\"parked\"%' ORDER BY place DESC LIMIT $1",
        )
        .bind(limit)
        .fetch_all(self.reading()?)
        .await?;
        rows.into_iter()
            .map(|(id, about, at, verdict)| {
                let verdict: Settled = read("delivery", verdict.as_deref().unwrap_or_default())?;
                let why = match verdict {
                    Settled::Parked(why) | Settled::Ignored(why) => Some(why),
                    Settled::Done => None,
                };
                Ok(stuck_of((id, about, at, why)))
            })
            .collect()
    }

    /// How many deliveries of a pull request's lane are parked.
    pub async fn parked_in(&self, pull_lane: &str) -> Result<i64, JournalError> {
        let (count,): (i64,) = sqlx::query_as(
            "SELECT COUNT(*) FROM delivery WHERE verdict LIKE '{\"parked\"%' AND pull_lane = $1",
        )
        .bind(pull_lane)
        .fetch_one(self.reading()?)
        .await?;
        Ok(count)
    }

    /// Deliveries that failed and will be tried again, in the order of their times.
    pub async fn put_off_until(&self, limit: i64) -> Result<Vec<Stuck>, JournalError> {
        let rows: Vec<StuckRow> = sqlx::query_as(
            "SELECT id, event, again, failure FROM delivery WHERE settled IS NULL AND failure IS NOT NULL
             ORDER BY again LIMIT $1",
        )
        .bind(limit)
        .fetch_all(self.reading()?)
        .await?;
        Ok(rows.into_iter().map(stuck_of).collect())
    }

    /// Replies that are given up, newest first.
    pub async fn given_up(&self, limit: i64) -> Result<Vec<Stuck>, JournalError> {
        let rows: Vec<StuckRow> = sqlx::query_as(
            "SELECT key, repository, not_before, failure FROM reply WHERE posted IS NULL AND given_up = place
             ORDER BY place DESC LIMIT $1",
        )
        .bind(limit)
        .fetch_all(self.reading()?)
        .await?;
        Ok(rows.into_iter().map(stuck_of).collect())
    }

    /// How many replies are owed, and how many of them are given up.
    pub async fn replies(&self) -> Result<(i64, i64), JournalError> {
        let (owed, given_up): (i64, i64) = sqlx::query_as(
            "SELECT COUNT(*), COUNT(CASE WHEN given_up = place THEN 1 END) FROM reply WHERE posted IS NULL",
        )
        .fetch_one(self.reading()?)
        .await?;
        Ok((owed - given_up, given_up))
    }

    /// Has what is parked or given up tried again, as if it had not failed: a delivery in its old place, before the later
    /// ones of its lanes.
    pub async fn retry(&self, id: &str) -> Result<Retried, JournalError> {
        let mut writing = self.write().await?;
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
                Retried::Reply,
            ),
        ] {
            let done = sqlx::query(statement)
                .bind(id)
                .execute(writing.at())
                .await?;
            if done.rows_affected() == 1 {
                retried = what;
            }
        }
        writing.end().await?;
        Ok(retried)
    }
}
