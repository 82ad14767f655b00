//! All rows of the lab's GitHub: accounts, organizations, the app, repositories, webhooks. It must not know requests.

mod repository;
mod webhook;

pub use repository::RepositoryPermission;
pub(crate) use repository::{
    BODY_MAX, StoredCheckRun, StoredCheckSuite, StoredComment, StoredDeployment,
    StoredDeploymentStatus, StoredIssue, StoredLabel, StoredMerge, StoredPullRequest,
    StoredReaction, StoredRepository, StoredReview, StoredStatus, TITLE_MAX,
};
pub(crate) use webhook::WebhookQueue;
pub use webhook::{WebhookDelivery, WebhookFault, WebhookOutcome};

use std::collections::{BTreeMap, BTreeSet};

/// The login that GitHub shows in place of a deleted user.
pub(crate) const GHOST: &str = "ghost";

/// The initial time: 2026-01-05 08:00 UTC, a Monday.
pub(crate) const START_TIME: i64 = 1_767_600_000;

/// The whole state of a GitHub.
#[derive(Clone, Debug)]
pub struct LabGitHub {
    pub(crate) base: String,
    pub(crate) now: i64,
    pub(crate) ids: u64,
    pub(crate) requests: u64,
    pub(crate) accounts: BTreeMap<String, StoredAccount>,
    pub(crate) organizations: BTreeMap<String, StoredOrganization>,
    pub(crate) tokens: BTreeMap<String, GitHubActor>,
    pub(crate) usage: BTreeMap<String, RateUsage>,
    pub(crate) repositories: BTreeMap<String, StoredRepository>,
    pub(crate) renamed: BTreeMap<String, String>,
    pub(crate) app: StoredApp,
    pub(crate) outbox: WebhookQueue,
}

impl LabGitHub {
    pub(crate) fn add_account(&mut self, login: &str, kind: AccountKind) -> u64 {
        if let Some(known) = self.accounts.get(login) {
            return known.id;
        }
        let id = self.id();
        let person = StoredAccount {
            id,
            login: login.to_owned(),
            kind,
            joined: self.now,
        };
        self.accounts.insert(login.to_owned(), person);
        id
    }

    /// The base URL without a trailing slash: the start of every URL in an answer.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The clock, in seconds since 1970.
    pub fn now(&self) -> i64 {
        self.now
    }

    /// Advances the clock.
    pub fn advance(&mut self, seconds: i64) {
        self.now += seconds;
    }

    /// The next id of any row.
    pub(crate) fn id(&mut self) -> u64 {
        self.ids += 1;
        self.ids
    }

    /// A repository that the route has found. Panics on any other key.
    pub(crate) fn repo(&self, key: &str) -> &StoredRepository {
        self.repositories
            .get(key)
            .expect("the route found this repository")
    }

    pub(crate) fn repo_mut(&mut self, key: &str) -> &mut StoredRepository {
        self.repositories
            .get_mut(key)
            .expect("the route found this repository")
    }

    pub(crate) fn comment_mut(&mut self, key: &str, id: u64) -> &mut StoredComment {
        self.repo_mut(key)
            .comments
            .get_mut(&id)
            .expect("this comment was found before")
    }

    pub(crate) fn issue_mut(&mut self, key: &str, number: u64) -> &mut StoredIssue {
        self.repo_mut(key)
            .issues
            .get_mut(&number)
            .expect("this issue was found before")
    }

    /// Adds an issue or pull request with the next number.
    pub(crate) fn add_issue(
        &mut self,
        key: &str,
        author: &str,
        [title, body]: [Option<String>; 2],
        pull: Option<StoredPullRequest>,
    ) -> u64 {
        let (id, now) = (self.id(), self.now);
        let repo = self.repo_mut(key);
        let number = repo.issues.len() as u64 + 1;
        let issue = StoredIssue {
            id,
            number,
            title: title.unwrap_or_default(),
            body,
            author: author.to_owned(),
            labels: BTreeSet::new(),
            created: now,
            updated: now,
            closed: None,
            locked: false,
            reactions: BTreeMap::new(),
            reviews: vec![],
            pull,
        };
        repo.issues.insert(number, issue);
        number
    }
}

/// The requests of a token's owner in one hour.
#[derive(Clone, Debug, Default)]
pub(crate) struct RateUsage {
    pub(crate) hour: i64,
    pub(crate) used: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct StoredApp {
    pub(crate) slug: String,
    pub(crate) id: u64,
    pub(crate) installation: u64,
    pub(crate) tokens: u64,
}

impl StoredApp {
    pub(crate) fn new(slug: &str) -> Self {
        Self {
            slug: slug.to_owned(),
            id: 0,
            installation: 0,
            tokens: 0,
        }
    }

    /// The app's login.
    pub(crate) fn login(&self) -> String {
        format!("{}[bot]", self.slug)
    }
}

/// Who sends a request, according to its token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum GitHubActor {
    /// No token.
    Anonymous,
    User(String),
    /// The app's installation, by an installation token.
    Installation,
    /// The app itself, by a JSON Web Token.
    App,
}

impl GitHubActor {
    /// The key of the rate limit.
    pub(crate) fn key(&self) -> String {
        match self {
            Self::Anonymous => String::new(),
            Self::User(login) => login.clone(),
            Self::Installation => "installation".to_owned(),
            Self::App => "app".to_owned(),
        }
    }
}

/// The `type` of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AccountKind {
    User,
    Bot,
    Organization,
}

#[derive(Clone, Debug)]
pub(crate) struct StoredAccount {
    pub(crate) id: u64,
    pub(crate) login: String,
    pub(crate) kind: AccountKind,
    pub(crate) joined: i64,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct StoredOrganization {
    /// Login to whether the member is an owner.
    pub(crate) members: BTreeMap<String, bool>,
    pub(crate) teams: BTreeMap<String, StoredTeam>,
}

#[derive(Clone, Debug)]
pub(crate) struct StoredTeam {
    pub(crate) id: u64,
    pub(crate) slug: String,
    /// Login to whether the member has accepted the invitation.
    pub(crate) members: BTreeMap<String, bool>,
}
