//! Comments in a pull request's conversation, and reactions to them.

use http::Method;
use serde::Deserialize;
use serde_json::json;

use crate::pulls::WireAccount;
use crate::webhook::event::{Account, PullNumber};
use crate::{GitHubError, Repository, path};

/// GitHub: 422 "body is too long (maximum is 65536 characters)".
pub const COMMENT_CHARACTERS_MAX: usize = 65_536;

/// A comment as GitHub has it now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommentSeen {
    /// GitHub's number.
    pub id: u64,
    /// Its Markdown.
    pub body: String,
    /// Who wrote it; `None` for a deleted account.
    pub author: Option<Account>,
    /// The number of the app that wrote it; `None` if a person did.
    pub app: Option<u64>,
    /// When it was written: RFC 3339, UTC.
    pub created_at: String,
    /// When it was last changed.
    pub updated_at: String,
}

impl CommentSeen {
    /// Whether it was changed after it was written.
    pub fn edited(&self) -> bool {
        self.created_at != self.updated_at
    }
}

/// The reactions that we give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// The comment was read.
    Eyes,
    /// The command was carried out.
    Rocket,
    /// The command was refused.
    Confused,
}

impl Reaction {
    /// GitHub's word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Eyes => "eyes",
            Self::Rocket => "rocket",
            Self::Confused => "confused",
        }
    }
}

#[derive(Deserialize)]
struct WireComment {
    id: u64,
    body: Option<String>,
    user: Option<WireAccount>,
    performed_via_github_app: Option<WireApp>,
    created_at: String,
    updated_at: String,
}

#[derive(Deserialize)]
struct WireApp {
    id: u64,
}

impl From<WireComment> for CommentSeen {
    fn from(wire: WireComment) -> Self {
        Self {
            id: wire.id,
            body: wire.body.unwrap_or_default(),
            author: wire.user.map(Account::from),
            app: wire.performed_via_github_app.map(|app| app.id),
            created_at: wire.created_at,
            updated_at: wire.updated_at,
        }
    }
}

impl Repository {
    /// The comments of a pull request, oldest first. `since`: only those changed at or after a time
    /// (`2026-11-23T12:00:00Z`).
    pub async fn comments(
        &self,
        number: PullNumber,
        since: Option<&str>,
    ) -> Result<Vec<CommentSeen>, GitHubError> {
        let what = format!("listing the comments of #{number}");
        let mut route = format!("{}/issues/{number}/comments", self.root);
        if let Some(since) = since {
            route = format!("{route}?since={}", path::segment(since));
        }
        let found: Vec<WireComment> = self.client.list(&what, &route, |page| page).await?;
        Ok(found.into_iter().map(CommentSeen::from).collect())
    }

    /// The comment with that number.
    pub async fn comment(&self, id: u64) -> Result<CommentSeen, GitHubError> {
        let what = format!("reading comment {id}");
        let route = format!("{}/issues/comments/{id}", self.root);
        let wire: WireComment = self.client.get(&what, &route).await?;
        Ok(wire.into())
    }

    /// Writes a comment.
    pub async fn create_comment(
        &self,
        number: PullNumber,
        body: &str,
    ) -> Result<CommentSeen, GitHubError> {
        let what = format!("commenting on #{number}");
        check_length(&what, body)?;
        let route = format!("{}/issues/{number}/comments", self.root);
        let wire: WireComment = self
            .client
            .write(&what, Method::POST, (&route, &json!({ "body": body })))
            .await?;
        Ok(wire.into())
    }

    /// Replaces the text of a comment of ours.
    pub async fn update_comment(&self, id: u64, body: &str) -> Result<CommentSeen, GitHubError> {
        let what = format!("changing comment {id}");
        check_length(&what, body)?;
        let route = format!("{}/issues/comments/{id}", self.root);
        let wire: WireComment = self
            .client
            .write(&what, Method::PATCH, (&route, &json!({ "body": body })))
            .await?;
        Ok(wire.into())
    }

    /// Reacts to a comment. Repeating a reaction changes nothing.
    pub async fn react(&self, comment: u64, reaction: Reaction) -> Result<(), GitHubError> {
        let what = format!("reacting to comment {comment}");
        let route = format!("{}/issues/comments/{comment}/reactions", self.root);
        let body = json!({ "content": reaction.word() });
        self.client
            .submit(&what, Method::POST, (&route, &body))
            .await
    }
}

fn check_length(what: &str, body: &str) -> Result<(), GitHubError> {
    let length = body.chars().count();
    if length <= COMMENT_CHARACTERS_MAX {
        return Ok(());
    }
    Err(GitHubError::Refused {
        what: what.to_owned(),
        status: 422,
        why: format!(
            "a comment has at most {COMMENT_CHARACTERS_MAX} characters, this has {length}"
        ),
    })
}
