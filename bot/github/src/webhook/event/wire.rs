//! The bodies of webhooks, with only the fields that are read.
//!
//! One struct serves all events, because the top-level keys are what tells the kinds apart.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{
    Account, CommentEvent, Event, EventDetails, EventError, PullEvent, PullNumber, Push,
    RepositoryEvent, RepositoryRef, Sha,
};

#[derive(Deserialize)]
struct Body {
    action: Option<String>,
    number: Option<u64>,
    pull_request: Option<WirePull>,
    issue: Option<WireIssue>,
    comment: Option<WireComment>,
    review: Option<IgnoredAny>,
    thread: Option<IgnoredAny>,
    deployment: Option<IgnoredAny>,
    check_run: Option<WireCheckRun>,
    check_suite: Option<WireCheckSuite>,
    hook_id: Option<IgnoredAny>,
    zen: Option<IgnoredAny>,
    commits: Option<IgnoredAny>,
    pusher: Option<IgnoredAny>,
    changes: Option<WireChanges>,
    r#ref: Option<String>,
    before: Option<String>,
    after: Option<String>,
    forced: Option<bool>,
    repository: Option<WireRepository>,
    installation: Option<WireInstallation>,
    sender: Option<WireAccount>,
}

#[derive(Deserialize)]
struct WireAccount {
    id: u64,
    login: String,
    #[serde(default)]
    r#type: String,
}

impl From<WireAccount> for Account {
    fn from(account: WireAccount) -> Self {
        Self {
            id: account.id,
            login: account.login,
            kind: account.r#type,
        }
    }
}

#[derive(Deserialize)]
struct WireRepository {
    id: u64,
    full_name: String,
}

#[derive(Deserialize)]
struct WireInstallation {
    id: u64,
}

#[derive(Deserialize)]
struct WirePull {
    number: u64,
    #[serde(default)]
    state: String,
    user: Option<WireAccount>,
    head: WireEnd,
    base: WireEnd,
    merged: Option<bool>,
    merge_commit_sha: Option<Sha>,
}

#[derive(Deserialize)]
struct WireEnd {
    r#ref: String,
    sha: Sha,
    repo: Option<WireNumbered>,
}

#[derive(Deserialize)]
struct WireNumbered {
    id: u64,
}

#[derive(Deserialize)]
struct WireIssue {
    number: u64,
    user: Option<WireAccount>,
    pull_request: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct WireComment {
    id: u64,
    #[serde(default)]
    body: Option<String>,
    user: Option<WireAccount>,
    created_at: Option<String>,
    updated_at: Option<String>,
    performed_via_github_app: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct WireCheckRun {
    id: u64,
    head_sha: Sha,
    app: Option<WireNumbered>,
}

#[derive(Deserialize)]
struct WireCheckSuite {
    head_sha: Sha,
    app: Option<WireNumbered>,
}

/// What an edit changed; only whether it was the base is read.
#[derive(Deserialize)]
struct WireChanges {
    base: Option<IgnoredAny>,
}

/// The kind of event, by the header or by the body's keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Ping,
    PullRequest,
    IssueComment,
    Push,
    CheckRun,
    CheckSuite,
    Other,
}

impl Kind {
    /// `None` for events that are not read.
    fn of_header(word: &str) -> Option<Self> {
        match word {
            "ping" => Some(Self::Ping),
            "pull_request" => Some(Self::PullRequest),
            "issue_comment" => Some(Self::IssueComment),
            "push" => Some(Self::Push),
            "check_run" => Some(Self::CheckRun),
            "check_suite" => Some(Self::CheckSuite),
            _ => None,
        }
    }

    fn of_body(body: &Body) -> Self {
        let pushed = body.r#ref.is_some()
            && body.after.is_some()
            && (body.commits.is_some() || body.pusher.is_some());
        // The order matters: a kind that is tested first may have every key of those that follow.
        if body.review.is_some() || body.thread.is_some() || body.deployment.is_some() {
            Self::Other
        } else if body.comment.is_some() {
            if body.issue.is_some() && body.pull_request.is_none() {
                Self::IssueComment
            } else {
                Self::Other
            }
        } else if body.check_run.is_some() {
            Self::CheckRun
        } else if body.check_suite.is_some() {
            Self::CheckSuite
        } else if body.pull_request.is_some() && body.number.is_some() {
            Self::PullRequest
        } else if pushed {
            Self::Push
        } else if body.zen.is_some() && body.hook_id.is_some() {
            Self::Ping
        } else {
            Self::Other
        }
    }

    fn description(self) -> &'static str {
        match self {
            Self::Ping => "that of a ping",
            Self::PullRequest => "that of a pull request",
            Self::IssueComment => "that of a comment",
            Self::Push => "that of a push",
            Self::CheckRun => "that of a check run",
            Self::CheckSuite => "that of a check suite",
            Self::Other => "of another kind",
        }
    }
}

/// Reads a body as the event that the header names.
pub(super) fn read(header: &str, text: &str) -> Result<Option<Event>, EventError> {
    let Some(kind) = Kind::of_header(header) else {
        return Ok(None);
    };
    let body: Body = serde_json::from_str(text).map_err(|source| EventError::Malformed {
        event: header.to_owned(),
        source,
    })?;
    let shape = Kind::of_body(&body);
    if shape != kind {
        return Err(EventError::Mismatched {
            header: header.to_owned(),
            body: shape.description(),
        });
    }
    if kind == Kind::Ping {
        return Ok(Some(Event::Ping));
    }
    let Some(repository) = repository(&body) else {
        return Err(missing(header, "repository"));
    };
    let (details, sender) = match kind {
        Kind::PullRequest => pull_request(header, body)?,
        Kind::IssueComment => issue_comment(header, body)?,
        Kind::Push => push(header, body)?,
        Kind::CheckRun | Kind::CheckSuite => check(body),
        Kind::Ping | Kind::Other => (None, None),
    };
    Ok(details.map(|details| {
        Event::Repository(Box::new(RepositoryEvent {
            repository,
            sender: sender.map(Account::from),
            details,
        }))
    }))
}

type Read = (Option<EventDetails>, Option<WireAccount>);

fn repository(body: &Body) -> Option<RepositoryRef> {
    body.repository.as_ref().map(|repository| RepositoryRef {
        repository_id: repository.id,
        full_name: repository.full_name.clone(),
        installation: body.installation.as_ref().map(|it| it.id),
    })
}

fn missing(event: &str, field: &'static str) -> EventError {
    EventError::Missing {
        event: event.to_owned(),
        field,
    }
}

fn pull_request(header: &str, body: Body) -> Result<Read, EventError> {
    let retargeted = body.changes.is_some_and(|changes| changes.base.is_some());
    let wire = body
        .pull_request
        .ok_or_else(|| missing(header, "pull_request"))?;
    if body.number != Some(wire.number) {
        return Err(missing(header, "number"));
    }
    let merged = wire.merged == Some(true);
    let pull = PullEvent {
        number: PullNumber(wire.number),
        author: wire.user.map(Account::from),
        head: wire.head.sha,
        head_repository: wire.head.repo.map(|repository| repository.id),
        base: wire.base.r#ref,
        base_sha: wire.base.sha,
        // Before the merge this is the commit of GitHub's test merge, which is on no branch.
        merged: wire.merge_commit_sha.filter(|_| merged),
        open: wire.state == "open",
    };
    let details = match body.action.as_deref() {
        Some("opened") => Some(EventDetails::PullOpened(pull)),
        Some("synchronize") => Some(EventDetails::PullSynchronized(pull)),
        Some("reopened") => Some(EventDetails::PullReopened(pull)),
        Some("edited") if retargeted => Some(EventDetails::PullRetargeted(pull)),
        Some("closed") if merged && pull.merged.is_none() => {
            return Err(missing(header, "merge_commit_sha"));
        }
        Some("closed") => Some(EventDetails::PullClosed(pull)),
        Some(_) | None => None,
    };
    Ok((details, body.sender))
}

fn issue_comment(header: &str, body: Body) -> Result<Read, EventError> {
    let issue = body.issue.ok_or_else(|| missing(header, "issue"))?;
    let wire = body.comment.ok_or_else(|| missing(header, "comment"))?;
    let comment = CommentEvent {
        id: wire.id,
        number: PullNumber(issue.number),
        on_pull: issue.pull_request.is_some(),
        opener: issue.user.map(Account::from),
        body: wire.body.unwrap_or_default(),
        author: wire.user.map(Account::from),
        // Without both times it may have been edited.
        edited: wire.created_at.is_none() || wire.created_at != wire.updated_at,
        created_at: wire.created_at,
        via_app: wire.performed_via_github_app.is_some(),
    };
    let details = match body.action.as_deref() {
        Some("created") => Some(EventDetails::Commented(comment)),
        Some("edited") => Some(EventDetails::CommentEdited(comment)),
        Some("deleted") => Some(EventDetails::CommentDeleted(comment)),
        Some(_) | None => None,
    };
    Ok((details, body.sender))
}

fn push(header: &str, body: Body) -> Result<Read, EventError> {
    let sha = |field, text: Option<String>| {
        text.and_then(|text| Sha::parse(&text).ok())
            .ok_or_else(|| missing(header, field))
    };
    let details = EventDetails::Pushed(Push {
        reference: body.r#ref.ok_or_else(|| missing(header, "ref"))?,
        before: sha("before", body.before)?,
        after: sha("after", body.after)?,
        forced: body.forced == Some(true),
    });
    Ok((Some(details), body.sender))
}

fn check(body: Body) -> Read {
    if body.action.as_deref() != Some("rerequested") {
        return (None, None);
    }
    let (check_run, head, app) = match (body.check_run, body.check_suite) {
        (Some(run), _) => (Some(run.id), run.head_sha, run.app),
        (None, Some(suite)) => (None, suite.head_sha, suite.app),
        (None, None) => return (None, None),
    };
    let details = EventDetails::CheckRerequested {
        check_run,
        head,
        app: app.map(|app| app.id),
    };
    (Some(details), body.sender)
}
