//! The outbox: messages to GitHub, each of which takes effect once, whatever happens in between.
//!
//! A message is enqueued under a key before it is sent. Enqueuing the same key with another payload edits what was sent;
//! several edits in a row become one. GitHub's id is stored with the row, so that an edit after a crash finds its comment.
//! Checks come first, then reactions, then comments and commits; within each group the order is that of enqueuing. A
//! message that was given up is pending again once it has another payload. This module must not know how GitHub is asked.

use topology::observed::Timestamp;

use crate::error::JournalError;
use crate::journal::Journal;
use crate::payload::{OutboxPayload, UnreadableMessage};
use crate::row::text;
use crate::write::WriteTransaction;

/// A message to GitHub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxMessage {
    /// Identifies the message permanently: the same key is the same message.
    pub key: String,
    /// `owner/name`.
    pub repository: String,
    /// The number of the pull request, or the id of the comment, that it belongs to.
    pub target: Option<i64>,
    /// What GitHub is to show.
    pub payload: OutboxPayload,
}

/// A stored message, with what is known of it at GitHub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingMessage {
    /// Identifies the message permanently.
    pub key: String,
    /// `owner/name`.
    pub repository: String,
    /// The number of the pull request, or the id of the comment, that it belongs to.
    pub target: Option<i64>,
    /// What GitHub is to show; an error where this program cannot read it.
    pub payload: Result<OutboxPayload, UnreadableMessage>,
    /// GitHub's id, once it was sent.
    pub remote: Option<i64>,
    /// How often sending has failed since it was enqueued.
    pub attempts: i64,
    /// The body as stored. It is compared to find out whether a newer payload was enqueued meanwhile; encoding the
    /// payload again need not give the same text where another version wrote it.
    body: String,
}

/// What the rate limits leave room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RateTier {
    /// Everything.
    All,
    /// New checks and reactions, and edits; no new comments or commits.
    NoComments,
    /// New checks, and edits.
    ChecksOnly,
    /// Edits.
    EditsOnly,
}

impl RateTier {
    /// The first rank of which only edits may be sent.
    fn rank(self) -> i64 {
        match self {
            Self::All => 3,
            Self::NoComments => 2,
            Self::ChecksOnly => 1,
            Self::EditsOnly => 0,
        }
    }
}

/// What was created at GitHub since a given time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Creations {
    /// How many requests that create something. A commit counts as three (its tree, itself, its branch).
    pub count: i64,
    /// When the first one was made.
    pub first: Option<Timestamp>,
}

/// The result of sending a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// GitHub's id, where the object has one.
    pub remote: Option<i64>,
    /// Whether an object was created, not edited.
    pub created: bool,
}

/// What follows from a message that could not be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendFailure {
    /// It failed: sent again at that time or later.
    RetryAt(Timestamp),
    /// A rate limit was in force, which does not count as a failure: sent again at that time or later.
    RateLimited(Timestamp),
    /// It is not sent again, as of that time.
    GivenUp(Timestamp),
}

/// Checks before reactions before the rest. The index `reply_next` has the same expression.
macro_rules! rank {
    () => {
        "(CASE kind WHEN '\"check\"' THEN 0 WHEN '\"reaction\"' THEN 1 ELSE 2 END)"
    };
}

/// Not sent, and not given up with this payload.
macro_rules! pending {
    () => {
        "posted IS NULL AND (given_up IS NULL OR given_up <> place)"
    };
}

pub(crate) const NEXT: &str = concat!(
    "SELECT key, repository, kind, target, body, remote, attempts FROM reply WHERE key = (SELECT key FROM reply WHERE ",
    pending!(),
    " AND not_before <= $1 AND (",
    rank!(),
    " < $2 OR remote IS NOT NULL) ORDER BY ",
    rank!(),
    ", place LIMIT 1)"
);

pub(crate) const NEXT_AT: &str = concat!("SELECT MIN(not_before) FROM reply WHERE ", pending!());

/// Before migration 3 only the time of the last edit was stored, which is never earlier than the creation.
pub(crate) const CREATED: &str = "SELECT CAST(SUM(CASE kind WHEN '\"history\"' THEN 3 ELSE 1 END) AS BIGINT), MIN(COALESCE(created, posted))
    FROM reply WHERE COALESCE(created, posted) > $1";

type Columns = (
    String,
    String,
    String,
    Option<i64>,
    String,
    Option<i64>,
    i64,
);

fn pending_message(row: Columns) -> PendingMessage {
    let (key, repository, kind, target, body, remote, attempts) = row;
    let payload = OutboxPayload::decode(&kind, &body).map_err(|reason| UnreadableMessage {
        key: key.clone(),
        reason,
    });
    PendingMessage {
        key,
        repository,
        target,
        payload,
        remote,
        attempts,
        body,
    }
}

impl Journal {
    /// Enqueues a message. A stored message of the same key stays as it is if its payload is the same; with another payload
    /// it is pending again, as an edit.
    pub async fn enqueue(
        &self,
        message: &OutboxMessage,
        now: Timestamp,
    ) -> Result<(), JournalError> {
        let mut write = self.write().await?;
        write.enqueue(message, now).await?;
        write.commit().await
    }

    /// The first message that may be sent now. One whose payload this program cannot read is among them: fail or give it
    /// up with [`Journal::mark_failed`], and the others follow.
    pub async fn next_message(
        &self,
        now: Timestamp,
        tier: RateTier,
    ) -> Result<Option<PendingMessage>, JournalError> {
        let row: Option<Columns> = sqlx::query_as(NEXT)
            .bind(now.0)
            .bind(tier.rank())
            .fetch_optional(self.pool()?)
            .await?;
        Ok(row.map(pending_message))
    }

    /// When the next message may be sent, if any is pending.
    pub async fn next_message_at(&self) -> Result<Option<Timestamp>, JournalError> {
        let (at,): (Option<i64>,) = sqlx::query_as(NEXT_AT).fetch_one(self.pool()?).await?;
        Ok(at.map(Timestamp))
    }

    /// What all replicas have created at GitHub after a time, across restarts.
    pub async fn created_since(&self, after: Timestamp) -> Result<Creations, JournalError> {
        let (count, first): (Option<i64>, Option<i64>) = sqlx::query_as(CREATED)
            .bind(after.0)
            .fetch_one(self.pool()?)
            .await?;
        Ok(Creations {
            count: count.unwrap_or(0),
            first: first.map(Timestamp),
        })
    }

    /// Records that the message was sent with that payload. A newer payload stays pending until `again` at least. An edit
    /// does not count as created, also where an older version did not store when the object was created.
    pub async fn mark_sent(
        &self,
        message: &PendingMessage,
        sent: Sent,
        now: Timestamp,
        again: Timestamp,
    ) -> Result<(), JournalError> {
        let mut write = self.write().await?;
        sqlx::query(
            "UPDATE reply SET remote = COALESCE($1, remote), attempts = 0, failure = NULL, not_before = $2,
                 posted = CASE WHEN body = $3 THEN $4 ELSE NULL END,
                 created = CASE WHEN $5 = 1 THEN $4 ELSE COALESCE(created, 0) END
             WHERE key = $6",
        )
        .bind(sent.remote)
        .bind(again.0)
        .bind(&message.body)
        .bind(now.0)
        .bind(i64::from(sent.created))
        .bind(&message.key)
        .execute(write.connection())
        .await?;
        write.commit().await
    }

    /// Records that the message could not be sent.
    pub async fn mark_failed(
        &self,
        key: &str,
        failure: SendFailure,
        why: &str,
    ) -> Result<(), JournalError> {
        let (at, failures, given_up) = match failure {
            SendFailure::RetryAt(at) => (at, 1, 0),
            SendFailure::RateLimited(at) => (at, 0, 0),
            SendFailure::GivenUp(at) => (at, 1, 1),
        };
        let mut write = self.write().await?;
        sqlx::query(
            "UPDATE reply SET attempts = attempts + $1, not_before = $2, failure = $3,
                 given_up = CASE WHEN $4 = 1 THEN place ELSE given_up END
             WHERE key = $5",
        )
        .bind(failures)
        .bind(at.0)
        .bind(text(why))
        .bind(given_up)
        .bind(key)
        .execute(write.connection())
        .await?;
        write.commit().await
    }

    /// The message of that key, sent or not, if there is one.
    pub async fn message(&self, key: &str) -> Result<Option<PendingMessage>, JournalError> {
        let row: Option<Columns> =
            sqlx::query_as("SELECT key, repository, kind, target, body, remote, attempts FROM reply WHERE key = $1")
                .bind(key)
                .fetch_optional(self.pool()?)
                .await?;
        Ok(row.map(pending_message))
    }
}

impl WriteTransaction<'_> {
    /// Enqueues a message, as [`Journal::enqueue`] does.
    pub(crate) async fn enqueue(
        &mut self,
        message: &OutboxMessage,
        now: Timestamp,
    ) -> Result<(), JournalError> {
        let (kind, body) = message.payload.encode();
        sqlx::query(
            "INSERT INTO reply (key, place, repository, kind, target, body, owed, not_before)
             VALUES ($1, (SELECT COALESCE(MAX(place), 0) + 1 FROM reply), $2, $3, $4, $5, $6, $6)
             ON CONFLICT (key) DO UPDATE SET
                 place = CASE WHEN reply.body = excluded.body THEN reply.place ELSE excluded.place END,
                 posted = CASE WHEN reply.body = excluded.body THEN reply.posted ELSE NULL END,
                 attempts = CASE WHEN reply.body = excluded.body THEN reply.attempts ELSE 0 END,
                 body = excluded.body",
        )
        .bind(&message.key)
        .bind(&message.repository)
        .bind(kind)
        .bind(message.target)
        .bind(body)
        .bind(now.0)
        .execute(self.connection())
        .await?;
        Ok(())
    }
}
