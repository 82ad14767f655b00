//! What a delivery says that happened.
//!
//! Reads only the fields that are used, into small structs of our own: octocrab's models refuse payloads that GitHub's
//! schema allows (a deleted account, an unknown action). A delivery whose body is not of the kind that its header says
//! is refused, because no signature covers the header. It must not know who may ask for what.

mod wire;

/// Something that happened on GitHub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// GitHub sends it to test a new webhook.
    Ping,
    /// Something happened in a repository.
    Repository(Box<RepositoryEvent>),
}

/// Something that happened in a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositoryEvent {
    /// Where it happened.
    pub repository: RepositoryRef,
    /// Whose action it was; `None` for a deleted account.
    pub sender: Option<Account>,
    /// What happened.
    pub details: EventDetails,
}

/// A repository. Its number stays when it is renamed or transferred; a recreated repository has another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositoryRef {
    /// GitHub's number of the repository.
    pub repository_id: u64,
    /// `owner/name` when the delivery was sent.
    pub full_name: String,
    /// The installation that the delivery is for, when an app has the webhook.
    pub installation: Option<u64>,
}

/// What happened, by kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventDetails {
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
    /// A comment was changed. It is never a command, whatever it says now.
    CommentEdited(CommentEvent),
    /// A comment was removed.
    CommentDeleted(CommentEvent),
    /// A branch or tag moved.
    Pushed(Push),
    /// Somebody pressed GitHub's "Re-run" for a check.
    CheckRerequested {
        /// Its number, or `None` for the whole suite.
        check_run: Option<u64>,
        /// The commit that was checked.
        head: Sha,
        /// The number of the app that made the check.
        app: Option<u64>,
    },
}

/// A pull request as it was when the delivery was sent; it may have changed since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullEvent {
    /// GitHub's number, unique in the repository.
    pub number: PullNumber,
    /// Who opened it; `None` for a deleted account.
    pub author: Option<Account>,
    /// The head commit.
    pub head: Sha,
    /// The number of the repository that the head is in; `None` when that was deleted.
    pub head_repository: Option<u64>,
    /// The branch that it is to be merged into.
    pub base: String,
    /// The commit of that branch that GitHub compared with.
    pub base_sha: Sha,
    /// The commit that the merge made; `None` if it is not merged.
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
    /// Whether that is a pull request.
    pub on_pull: bool,
    /// Who opened the pull request or issue.
    pub opener: Option<Account>,
    /// Its Markdown.
    pub body: String,
    /// Who wrote it; `None` for a deleted account.
    pub author: Option<Account>,
    /// When it was written: RFC 3339, UTC.
    pub created_at: Option<String>,
    /// Whether it was changed after it was written.
    pub edited: bool,
    /// Whether an app wrote it in a person's name.
    pub via_app: bool,
}

/// A push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Push {
    /// `refs/heads/main`.
    pub reference: String,
    /// The commit before; zeros when the branch or tag was created.
    pub before: Sha,
    /// The commit now; zeros when the branch or tag was deleted.
    pub after: Sha,
    /// Whether it was a force push.
    pub forced: bool,
}

/// An account on GitHub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// GitHub's number, which stays when the login changes.
    pub id: u64,
    /// The name, which can change and be taken by somebody else.
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

/// The SHA of a git object: 40 or 64 lower-case hex digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sha(String);

/// The text is not a SHA.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the SHA of a git object")]
pub struct NotASha(String);

impl Sha {
    /// Accepts 40 or 64 lower-case hex digits.
    pub fn parse(text: &str) -> Result<Self, NotASha> {
        let good = matches!(text.len(), 40 | 64)
            && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if good {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotASha(text.chars().take(80).collect()))
        }
    }

    /// All digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first seven digits, for people.
    pub fn short(&self) -> &str {
        &self.0[..7]
    }

    /// Whether it stands for "no object".
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
pub enum EventError {
    /// The body is not JSON of the expected shape: nested too deep, a key twice, a number too large, …
    #[error("the body of `{event}` cannot be read")]
    Malformed {
        /// `X-GitHub-Event`.
        event: String,
        /// The parser's error.
        source: serde_json::Error,
    },
    /// The body is of another kind than the header says, which no signature covers.
    #[error("the header says `{header}`, but the body is {body}")]
    Mismatched {
        /// `X-GitHub-Event`.
        header: String,
        /// What the body looks like.
        body: &'static str,
    },
    /// A field that this event always has is missing.
    #[error("`{event}` without `{field}`")]
    Missing {
        /// `X-GitHub-Event`.
        event: String,
        /// Its name.
        field: &'static str,
    },
}

/// Reads a delivery; `None` if it is of no interest.
///
/// `event` is the header `X-GitHub-Event`, `body` the JSON that came with it.
pub fn read(event: &str, body: &str) -> Result<Option<Event>, EventError> {
    wire::read(event, body)
}

#[cfg(test)]
mod tests;
