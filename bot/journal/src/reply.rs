//! What we owe people: said once, whatever happens in between.
//!
//! A reply is owed under a key before it is posted. An edit of a reply that is posted is the same row with a newer body;
//! several edits in a row are one. The remote id is kept with the row, so that after a crash an edit finds its comment.

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

    /// The oldest reply that is owed and may be posted now.
    pub async fn next_reply(&self, now: Timestamp) -> Result<Option<Owed>, JournalError> {
        let row: Option<ReplyRow> = sqlx::query_as(
            "SELECT key, repository, kind, target, body, remote, attempts FROM reply
             WHERE posted IS NULL AND not_before <= $1 ORDER BY place LIMIT 1",
        )
        .bind(now.0)
        .fetch_optional(self.reading()?)
        .await?;
        row.map(owed_of).transpose()
    }

    /// When the next reply may be posted, if any is owed.
    pub async fn next_reply_at(&self) -> Result<Option<Timestamp>, JournalError> {
        let (at,): (Option<i64>,) =
            sqlx::query_as("SELECT MIN(not_before) FROM reply WHERE posted IS NULL")
                .fetch_one(self.reading()?)
                .await?;
        Ok(at.map(Timestamp))
    }

    /// The reply was said, with that body; a newer body stays owed, not before `again`.
    pub async fn posted(
        &self,
        owed: &Owed,
        remote: Option<i64>,
        now: Timestamp,
        again: Timestamp,
    ) -> Result<(), JournalError> {
        let mut writing = self.write().await?;
        sqlx::query(
            "UPDATE reply SET remote = COALESCE($1, remote), attempts = 0, failure = NULL, not_before = $2,
                 posted = CASE WHEN body = $3 THEN $4 ELSE NULL END
             WHERE key = $5",
        )
        .bind(remote)
        .bind(again.0)
        .bind(text(&owed.reply.body))
        .bind(now.0)
        .bind(&owed.reply.key)
        .execute(writing.at())
        .await?;
        writing.end().await
    }

    /// The reply could not be said; again not before `again`.
    pub async fn not_posted(
        &self,
        key: &str,
        again: Timestamp,
        why: &str,
    ) -> Result<(), JournalError> {
        let mut writing = self.write().await?;
        sqlx::query("UPDATE reply SET attempts = attempts + 1, not_before = $1, failure = $2 WHERE key = $3")
            .bind(again.0)
            .bind(text(why))
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
