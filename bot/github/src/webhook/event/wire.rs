//! The bodies of webhooks, as little of them as we read.
//!
//! One struct for all events, because which of the top-level keys are there is what tells the kinds apart.

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::webhook::event::{
    Account, CommentEvent, Event, Occurrence, PullEvent, PullNumber, Push, RepositoryRef, Sha,
    Unreadable, What,
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

/// What an edit changed; only whether the base did.
#[derive(Deserialize)]
struct WireChanges {
    base: Option<IgnoredAny>,
}

/// What a body is, by its keys.
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
    /// The events that we read, by the header's word.
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
        // The order matters: what is listed first has every key of what follows, and more.
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

    fn words(self) -> &'static str {
        match self {
            Self::Ping => "a ping",
            Self::PullRequest => "a pull request's",
            Self::IssueComment => "a comment's",
            Self::Push => "a push's",
            Self::CheckRun => "a check run's",
            Self::CheckSuite => "a check suite's",
            Self::Other => "none of that kind",
        }
    }
}

/// Reads a body as what the header says it is.
pub(super) fn read(header: &str, text: &str) -> Result<Option<Event>, Unreadable> {
    let Some(kind) = Kind::of_header(header) else {
        return Ok(None);
    };
    let body: Body = serde_json::from_str(text).map_err(|source| Unreadable::Garbled {
        event: header.to_owned(),
        source,
    })?;
    let shape = Kind::of_body(&body);
    if shape != kind {
        return Err(Unreadable::Confused {
            header: header.to_owned(),
            body: shape.words(),
        });
    }
    if kind == Kind::Ping {
        return Ok(Some(Event::Ping));
    }
    let Some(place) = place(&body) else {
        return Err(lacking(header, "repository"));
    };
    let (what, sender) = match kind {
        Kind::PullRequest => pull_request(header, body)?,
        Kind::IssueComment => issue_comment(header, body)?,
        Kind::Push => push(header, body)?,
        Kind::CheckRun | Kind::CheckSuite => check(body),
        Kind::Ping | Kind::Other => (None, None),
    };
    Ok(what.map(|what| {
        Event::Happened(Box::new(Occurrence {
            place,
            sender: sender.map(Account::from),
            what,
        }))
    }))
}

type Read = (Option<What>, Option<WireAccount>);

fn place(body: &Body) -> Option<RepositoryRef> {
    body.repository.as_ref().map(|repository| RepositoryRef {
        repository_id: repository.id,
        full_name: repository.full_name.clone(),
        installation: body.installation.as_ref().map(|it| it.id),
    })
}

fn lacking(event: &str, field: &'static str) -> Unreadable {
    Unreadable::Lacking {
        event: event.to_owned(),
        field,
    }
}

fn pull_request(header: &str, body: Body) -> Result<Read, Unreadable> {
    let retargeted = body.changes.is_some_and(|changes| changes.base.is_some());
    let wire = body
        .pull_request
        .ok_or_else(|| lacking(header, "pull_request"))?;
    if body.number != Some(wire.number) {
        return Err(lacking(header, "number"));
    }
    let merged = wire.merged == Some(true);
    let pull = PullEvent {
        number: PullNumber(wire.number),
        author: wire.user.map(Account::from),
        head: wire.head.sha,
        head_repository: wire.head.repo.map(|repository| repository.id),
        base: wire.base.r#ref,
        base_sha: wire.base.sha,
        // Before the merge this is GitHub's test merge, which is nobody's commit.
        merged: wire.merge_commit_sha.filter(|_| merged),
        open: wire.state == "open",
    };
    let what = match body.action.as_deref() {
        Some("opened") => Some(What::PullOpened(pull)),
        Some("synchronize") => Some(What::PullSynchronized(pull)),
        Some("reopened") => Some(What::PullReopened(pull)),
        Some("edited") if retargeted => Some(What::PullRetargeted(pull)),
        Some("closed") if merged && pull.merged.is_none() => {
            return Err(lacking(header, "merge_commit_sha"));
        }
        Some("closed") => Some(What::PullClosed(pull)),
        Some(_) | None => None,
    };
    Ok((what, body.sender))
}

fn issue_comment(header: &str, body: Body) -> Result<Read, Unreadable> {
    let issue = body.issue.ok_or_else(|| lacking(header, "issue"))?;
    let wire = body.comment.ok_or_else(|| lacking(header, "comment"))?;
    let comment = CommentEvent {
        id: wire.id,
        number: PullNumber(issue.number),
        on_pull: issue.pull_request.is_some(),
        opener: issue.user.map(Account::from),
        body: wire.body.unwrap_or_default(),
        author: wire.user.map(Account::from),
        // Without both times nobody can say that it was not edited.
        edited: wire.created_at.is_none() || wire.created_at != wire.updated_at,
        created_at: wire.created_at,
        via_app: wire.performed_via_github_app.is_some(),
    };
    let what = match body.action.as_deref() {
        Some("created") => Some(What::Commented(comment)),
        Some("edited") => Some(What::CommentEdited(comment)),
        Some("deleted") => Some(What::CommentDeleted(comment)),
        Some(_) | None => None,
    };
    Ok((what, body.sender))
}

fn push(header: &str, body: Body) -> Result<Read, Unreadable> {
    let sha = |field, text: Option<String>| {
        text.and_then(|text| Sha::parse(&text).ok())
            .ok_or_else(|| lacking(header, field))
    };
    let what = What::Pushed(Push {
        reference: body.r#ref.ok_or_else(|| lacking(header, "ref"))?,
        before: sha("before", body.before)?,
        after: sha("after", body.after)?,
        forced: body.forced == Some(true),
    });
    Ok((Some(what), body.sender))
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
    let what = What::CheckRerequested {
        check_run,
        head,
        app: app.map(|app| app.id),
    };
    (Some(what), body.sender)
}
