//! A delivery to what happened.
//!
//! Reads only the fields that matter, into small structs of our own: octocrab's models refuse payloads that GitHub's
//! schema allows (a deleted account, an unknown action). A delivery whose body is not of the kind that its header says
//! is refused, because no signature covers the header. It must not know who may ask for what.

mod wire;

/// Something that happened on GitHub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// GitHub tried the webhook.
    Ping,
    /// Something happened in a repository.
    Happened(Box<Occurrence>),
}

/// What happened, where, and by whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occurrence {
    /// The repository.
    pub place: RepositoryRef,
    /// Whose action it was; `None` for an account that is gone.
    pub sender: Option<Account>,
    /// What.
    pub what: What,
}

/// A repository. The number stays when it is renamed or transferred; a recreated one has another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositoryRef {
    /// GitHub's number of the repository.
    pub repository_id: u64,
    /// `owner/name` as of now.
    pub full_name: String,
    /// The installation that the delivery is for, when an app has the webhook.
    pub installation: Option<u64>,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A pull request was opened.
    PullOpened(PullEvent),
    /// Its head moved.
    PullSynchronized(PullEvent),
    /// It was opened again.
    PullReopened(PullEvent),
    /// Its base branch was changed.
    PullRetargeted(PullEvent),
    /// It was merged or closed: see [`PullEvent::merged`].
    PullClosed(PullEvent),
    /// A comment was written.
    Commented(CommentEvent),
    /// A comment was changed: whatever it says now, it is no command.
    CommentEdited(CommentEvent),
    /// A comment was removed.
    CommentDeleted(CommentEvent),
    /// A branch or tag moved.
    Pushed(Push),
    /// Somebody asks for a check again.
    CheckRerequested {
        /// The check run, or `None` for the whole suite.
        check_run: Option<u64>,
        /// The commit.
        head: Sha,
        /// The app that made the check.
        app: Option<u64>,
    },
}

/// A pull request as the delivery has it; it may be older than what GitHub says now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullEvent {
    /// Its number.
    pub number: PullNumber,
    /// Who opened it.
    pub author: Option<Account>,
    /// The head commit.
    pub head: Sha,
    /// The number of the repository that the head is in; `None` when it is gone.
    pub head_repository: Option<u64>,
    /// The branch it goes to.
    pub base: String,
    /// The commit of that branch.
    pub base_sha: Sha,
    /// The commit that the merge made; `None` while it is not merged.
    pub merged: Option<Sha>,
    /// Whether it is open.
    pub open: bool,
}

/// A comment in a pull request's or an issue's conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommentEvent {
    /// GitHub's number.
    pub id: u64,
    /// The pull request or issue.
    pub number: PullNumber,
    /// Whether it is a pull request.
    pub on_pull: bool,
    /// Who opened that.
    pub opener: Option<Account>,
    /// What it says.
    pub body: String,
    /// Who wrote it; `None` for an account that is gone.
    pub author: Option<Account>,
    /// When it was written, as GitHub writes times.
    pub created_at: Option<String>,
    /// Whether it was changed after it was written.
    pub edited: bool,
    /// Whether an app wrote it in somebody's name.
    pub via_app: bool,
}

/// A push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Push {
    /// `refs/heads/main`.
    pub reference: String,
    /// What it was; zeros when it was made.
    pub before: Sha,
    /// What it is; zeros when it was removed.
    pub after: Sha,
    /// Whether history was rewritten.
    pub forced: bool,
}

/// An account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// GitHub's number, which stays when the login changes.
    pub id: u64,
    /// The login.
    pub login: String,
    /// `User`, `Bot`, `Organization`, `Mannequin`.
    pub kind: String,
}

/// The number of a pull request (or issue: they share the numbers).
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub struct PullNumber(pub u64);

impl std::fmt::Display for PullNumber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A git object's name: 40 or 64 lower-case hex digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sha(String);

/// A text that is no git object's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a git object's name")]
pub struct NotASha(String);

impl Sha {
    /// Believes 40 or 64 lower-case hex digits.
    pub fn parse(text: &str) -> Result<Self, NotASha> {
        let good = matches!(text.len(), 40 | 64)
            && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if good {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotASha(text.chars().take(80).collect()))
        }
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first seven digits, for people.
    pub fn short(&self) -> &str {
        &self.0[..7]
    }

    /// Whether it says that there is no object.
    pub fn is_zero(&self) -> bool {
        self.0.bytes().all(|digit| digit == b'0')
    }
}

impl TryFrom<String> for Sha {
    type Error = NotASha;
    fn try_from(text: String) -> Result<Self, NotASha> {
        Self::parse(&text)
    }
}

impl From<Sha> for String {
    fn from(sha: Sha) -> Self {
        sha.0
    }
}

impl std::fmt::Display for Sha {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a delivery cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// The body is not the JSON that we read: nested too deep, a key twice, a number too large, …
    #[error("the body of `{event}` cannot be read")]
    Garbled {
        /// The header's word.
        event: String,
        /// The parser's words.
        source: serde_json::Error,
    },
    /// The body is of another kind than the header says; no signature covers the header.
    #[error("the header says `{header}`, but the body is {body}")]
    Confused {
        /// The header's word.
        header: String,
        /// What the body looks like.
        body: &'static str,
    },
    /// A field that this event always has is missing.
    #[error("`{event}` without `{field}`")]
    Lacking {
        /// The header's word.
        event: String,
        /// The field.
        field: &'static str,
    },
}

/// Reads a delivery. `None`: it says nothing to us.
///
/// `event` is the header `X-GitHub-Event`, `body` the JSON that came with it.
pub fn read(event: &str, body: &str) -> Result<Option<Event>, Unreadable> {
    wire::read(event, body)
}

#[cfg(test)]
mod tests;
