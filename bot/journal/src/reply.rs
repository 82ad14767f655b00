//! What we owe people: said once, whatever happens in between.
//!
//! A reply is owed under a key before it is posted. An edit of a reply that is posted is the same row with a newer body;
//! several edits in a row are one. The remote id is kept with the row, so that after a crash an edit finds its comment.
//! Checks come first, then reactions, then words; each kind in the order in which it was owed. What is given up is owed
//! again once there are other words for it.

use serde::{Deserialize, Serialize};
use topology::observed::Timestamp;

use crate::{Journal, JournalError, read, text, written};

/// What kind of thing is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReplyKind {
    /// A comment on a pull request, edited in place when its body changes.
    Comment,
    /// A reaction on a comment.
    Reaction,
    /// A check run on a commit.
    Check,
    /// A commit on the history branch.
    History,
}

/// One thing to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Names it, for ever: the same key is the same reply.
    pub key: String,
    /// `owner/name`.
    pub repository: String,
    /// What kind.
    pub kind: ReplyKind,
    /// The pull request or the comment it belongs to.
    pub target: Option<i64>,
    /// The words, or JSON for what is no comment.
    pub body: String,
}

/// A reply that is owed, with what is known of it at the other side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owed {
    /// The reply.
    pub reply: Reply,
    /// GitHub's id, once it was posted.
    pub remote: Option<i64>,
    /// How often posting it failed since it was owed.
    pub attempts: i64,
}

/// What may be said now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Room {
    /// Everything.
    All,
    /// No new words: checks, reactions, and edits of what is there.
    NoWords,
    /// Checks, and edits of what is there.
    Checks,
    /// Nothing new: edits of what is there.
    Edits,
}

impl Room {
    /// The first rank that needs to be there already.
    fn rank(self) -> i64 {
        match self {
            Self::All => 3,
            Self::NoWords => 2,
            Self::Checks => 1,
            Self::Edits => 0,
        }
    }
}

/// How many things were made at GitHub since a time, and when the first of them was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Made {
    /// How many; a commit is three (its tree, itself, its branch).
    pub count: i64,
    /// The first.
    pub first: Option<Timestamp>,
}

/// What came of saying a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Posted {
    /// GitHub's id, where it has one.
    pub remote: Option<i64>,
    /// Whether something was made, and not only changed.
    pub made: bool,
}

/// What becomes of a reply that was not said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsaid {
    /// It failed: said again not before that time.
    Again(Timestamp),
    /// A limit stood in the way, which is no failure of the reply's: not before that time.
    Limited(Timestamp),
    /// GitHub refuses it for good, as of that time.
    GivenUp(Timestamp),
}

/// Checks before reactions before words: the very expression of the index.
macro_rules! rank {
    () => {
        "(CASE kind WHEN '\"check\"' THEN 0 WHEN '\"reaction\"' THEN 1 ELSE 2 END)"
    };
}

/// Owed, and not given up with these words.
macro_rules! open {
    () => {
        "posted IS NULL AND (given_up IS NULL OR given_up <> place)"
    };
}

pub(crate) const NEXT: &str = concat!(
    "SELECT key, repository, kind, target, body, remote, attempts FROM reply WHERE key = (SELECT key FROM reply WHERE ",
    open!(),
    " AND not_before <= $1 AND (",
    rank!(),
    " < $2 OR remote IS NOT NULL) ORDER BY ",
    rank!(),
    ", place LIMIT 1)"
);

pub(crate) const NEXT_AT: &str = concat!("SELECT MIN(not_before) FROM reply WHERE ", open!());

/// Before migration 3 only the time of the last words was noted, which is never earlier.
pub(crate) const MADE: &str = "SELECT CAST(SUM(CASE kind WHEN '\"history\"' THEN 3 ELSE 1 END) AS BIGINT), MIN(COALESCE(created, posted))
    FROM reply WHERE COALESCE(created, posted) > $1";

type ReplyRow = (
    String,
    String,
    String,
    Option<i64>,
    String,
    Option<i64>,
    i64,
);

fn owed_of(row: ReplyRow) -> Result<Owed, JournalError> {
    let (key, repository, kind, target, body, remote, attempts) = row;
    let kind = read("reply", &kind)?;
    Ok(Owed {
        reply: Reply {
            key,
            repository,
            kind,
            target,
            body,
        },
        remote,
        attempts,
    })
}

impl Journal {
    /// Owes a reply. The same key with the same body is nothing new; with another body it is to be edited.
    pub async fn owe(&self, reply: &Reply, now: Timestamp) -> Result<(), JournalError> {
        let mut writing = self.write().await?;
        sqlx::query(
            "INSERT INTO reply (key, place, repository, kind, target, body, owed, not_before)
             VALUES ($1, (SELECT COALESCE(MAX(place), 0) + 1 FROM reply), $2, $3, $4, $5, $6, $6)
             ON CONFLICT (key) DO UPDATE SET
                 place = CASE WHEN reply.body = excluded.body THEN reply.place ELSE excluded.place END,
                 posted = CASE WHEN reply.body = excluded.body THEN reply.posted ELSE NULL END,
                 attempts = CASE WHEN reply.body = excluded.body THEN reply.attempts ELSE 0 END,
                 body = excluded.body",
        )
        .bind(&reply.key)
        .bind(&reply.repository)
        .bind(written(&reply.kind))
        .bind(reply.target)
        .bind(text(&reply.body))
        .bind(now.0)
        .execute(writing.at())
        .await?;
        writing.end().await
    }

    /// The first reply that is owed and may be posted now.
    pub async fn next_reply(
        &self,
        now: Timestamp,
        room: Room,
    ) -> Result<Option<Owed>, JournalError> {
        let row: Option<ReplyRow> = sqlx::query_as(NEXT)
            .bind(now.0)
            .bind(room.rank())
            .fetch_optional(self.reading()?)
            .await?;
        row.map(owed_of).transpose()
    }

    /// When the next reply may be posted, if any is owed.
    pub async fn next_reply_at(&self) -> Result<Option<Timestamp>, JournalError> {
        let (at,): (Option<i64>,) = sqlx::query_as(NEXT_AT).fetch_one(self.reading()?).await?;
        Ok(at.map(Timestamp))
    }

    /// What was made at GitHub after a time, by every replica and before every restart.
    pub async fn made_since(&self, after: Timestamp) -> Result<Made, JournalError> {
        let (count, first): (Option<i64>, Option<i64>) = sqlx::query_as(MADE)
            .bind(after.0)
            .fetch_one(self.reading()?)
            .await?;
        Ok(Made {
            count: count.unwrap_or(0),
            first: first.map(Timestamp),
        })
    }

    /// The reply was said, with that body; a newer body stays owed, not before `again`. An edit makes nothing, also of what
    /// a version made that did not note when.
    pub async fn posted(
        &self,
        owed: &Owed,
        posted: Posted,
        now: Timestamp,
        again: Timestamp,
    ) -> Result<(), JournalError> {
        let mut writing = self.write().await?;
        sqlx::query(
            "UPDATE reply SET remote = COALESCE($1, remote), attempts = 0, failure = NULL, not_before = $2,
                 posted = CASE WHEN body = $3 THEN $4 ELSE NULL END,
                 created = CASE WHEN $5 = 1 THEN $4 ELSE COALESCE(created, 0) END
             WHERE key = $6",
        )
        .bind(posted.remote)
        .bind(again.0)
        .bind(text(&owed.reply.body))
        .bind(now.0)
        .bind(i64::from(posted.made))
        .bind(&owed.reply.key)
        .execute(writing.at())
        .await?;
        writing.end().await
    }

    /// The reply could not be said.
    pub async fn not_posted(
        &self,
        key: &str,
        unsaid: Unsaid,
        why: &str,
    ) -> Result<(), JournalError> {
        let (at, failures, given_up) = match unsaid {
            Unsaid::Again(at) => (at, 1, 0),
            Unsaid::Limited(at) => (at, 0, 0),
            Unsaid::GivenUp(at) => (at, 1, 1),
        };
        let mut writing = self.write().await?;
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
        .execute(writing.at())
        .await?;
        writing.end().await
    }

    /// The reply of that key, said or not.
    pub async fn reply(&self, key: &str) -> Result<Option<Owed>, JournalError> {
        let row: Option<ReplyRow> =
            sqlx::query_as("SELECT key, repository, kind, target, body, remote, attempts FROM reply WHERE key = $1")
                .bind(key)
                .fetch_optional(self.reading()?)
                .await?;
        row.map(owed_of).transpose()
    }
}
