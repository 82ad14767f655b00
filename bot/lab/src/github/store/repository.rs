//! Rows of a repository: issues, pull requests, comments, checks, statuses, deployments.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::github::git::{Git, Oid};

/// The longest text of an issue, a pull request or a comment, in characters.
pub(crate) const BODY_MAX: usize = 65_536;

/// The longest title, in characters.
pub(crate) const TITLE_MAX: usize = 256;

#[derive(Clone, Debug)]
pub(crate) struct StoredCheckRun {
    pub(crate) id: u64,
    pub(crate) suite: u64,
    pub(crate) oid: Oid,
    pub(crate) name: String,
    pub(crate) external_id: String,
    pub(crate) details_url: Option<String>,
    pub(crate) status: String,
    pub(crate) conclusion: Option<String>,
    pub(crate) started: Option<String>,
    pub(crate) completed: Option<String>,
    pub(crate) title: Option<String>,
    pub(crate) summary: Option<String>,
    pub(crate) text: Option<String>,
    pub(crate) annotations: Vec<Value>,
    pub(crate) actions: Vec<Value>,
}

/// The check runs of the app on one commit.
#[derive(Clone, Debug)]
pub(crate) struct StoredCheckSuite {
    pub(crate) id: u64,
    pub(crate) oid: Oid,
    pub(crate) branch: Option<String>,
    pub(crate) at: i64,
}

#[derive(Clone, Debug)]
pub(crate) struct StoredComment {
    pub(crate) id: u64,
    /// The issue's number.
    pub(crate) issue: u64,
    pub(crate) author: String,
    pub(crate) body: String,
    pub(crate) created: i64,
    pub(crate) updated: i64,
    /// Whether an app wrote it.
    pub(crate) by_app: bool,
    pub(crate) reactions: BTreeMap<u64, StoredReaction>,
}

#[derive(Clone, Debug)]
pub(crate) struct StoredDeployment {
    pub(crate) id: u64,
    pub(crate) oid: Oid,
    pub(crate) name: String,
    pub(crate) task: String,
    pub(crate) payload: Value,
    pub(crate) environment: String,
    pub(crate) description: Option<String>,
    pub(crate) by: String,
    pub(crate) at: i64,
    pub(crate) statuses: BTreeMap<u64, StoredDeploymentStatus>,
}

/// One status of a deployment.
#[derive(Clone, Debug)]
pub(crate) struct StoredDeploymentStatus {
    pub(crate) id: u64,
    pub(crate) state: String,
    pub(crate) description: String,
    pub(crate) target_url: String,
    pub(crate) by: String,
    pub(crate) at: i64,
}

#[derive(Clone, Debug)]
pub(crate) struct StoredIssue {
    pub(crate) id: u64,
    pub(crate) number: u64,
    pub(crate) title: String,
    pub(crate) body: Option<String>,
    pub(crate) author: String,
    pub(crate) labels: BTreeSet<String>,
    pub(crate) created: i64,
    pub(crate) updated: i64,
    pub(crate) closed: Option<i64>,
    pub(crate) locked: bool,
    pub(crate) reactions: BTreeMap<u64, StoredReaction>,
    pub(crate) reviews: Vec<StoredReview>,
    pub(crate) pull: Option<StoredPullRequest>,
}

impl StoredIssue {
    pub(crate) fn is_open(&self) -> bool {
        self.closed.is_none()
    }

    pub(crate) fn is_merged(&self) -> bool {
        self.pull.as_ref().is_some_and(|pull| pull.merged.is_some())
    }

    pub(crate) fn word(&self) -> &'static str {
        if self.is_open() { "open" } else { "closed" }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct StoredLabel {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) color: String,
    pub(crate) description: Option<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct StoredPullRequest {
    /// The repository of the head, if it is a fork.
    pub(crate) fork: Option<String>,
    /// Branch names.
    pub(crate) head: String,
    pub(crate) base: String,
    /// The tip of the head; unchanged after the pull request closes.
    pub(crate) head_oid: Oid,
    /// The tip of the base when the head last moved.
    pub(crate) base_oid: Oid,
    /// The trial merge commit; `None` if there are conflicts.
    pub(crate) trial: Option<Oid>,
    pub(crate) merged: Option<StoredMerge>,
}

impl StoredPullRequest {
    /// The owner of the head's repository.
    pub(crate) fn head_owner<'a>(&'a self, repo: &'a StoredRepository) -> &'a str {
        let fork = self.fork.as_deref().and_then(|fork| fork.split_once('/'));
        fork.map_or(&repo.owner, |(owner, _)| owner)
    }
}

#[derive(Clone, Debug)]
pub(crate) struct StoredMerge {
    pub(crate) by: String,
    pub(crate) at: i64,
    pub(crate) oid: Oid,
}

#[derive(Clone, Debug)]
pub(crate) struct StoredReaction {
    pub(crate) id: u64,
    pub(crate) by: String,
    pub(crate) kind: String,
    pub(crate) at: i64,
}

#[derive(Clone, Debug)]
pub(crate) struct StoredRepository {
    pub(crate) id: u64,
    pub(crate) owner: String,
    pub(crate) name: String,
    /// The repository that it is a fork of.
    pub(crate) parent: Option<String>,
    pub(crate) private: bool,
    pub(crate) default_branch: String,
    pub(crate) created: i64,
    pub(crate) pushed: i64,
    pub(crate) git: Git,
    pub(crate) grants: BTreeMap<String, RepositoryPermission>,
    pub(crate) teams: BTreeMap<String, RepositoryPermission>,
    /// Issues and pull requests, which share their numbers.
    pub(crate) issues: BTreeMap<u64, StoredIssue>,
    pub(crate) comments: BTreeMap<u64, StoredComment>,
    pub(crate) labels: BTreeMap<String, StoredLabel>,
    pub(crate) runs: BTreeMap<u64, StoredCheckRun>,
    pub(crate) suites: BTreeMap<u64, StoredCheckSuite>,
    pub(crate) statuses: Vec<StoredStatus>,
    pub(crate) deployments: BTreeMap<u64, StoredDeployment>,
}

impl StoredRepository {
    pub(crate) fn full_name(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }

    /// The commit that a name in a path or body means; `HEAD` is the default branch.
    pub(crate) fn resolve(&self, name: &str) -> Option<Oid> {
        let name = if name == "HEAD" {
            &self.default_branch
        } else {
            name
        };
        self.git.resolve(name)
    }

    /// Branch names, sorted, with their tips.
    pub(crate) fn branches(&self) -> Vec<(&str, Oid)> {
        let heads = self.git.refs.iter();
        heads
            .filter_map(|(name, oid)| Some((name.strip_prefix("refs/heads/")?, *oid)))
            .collect()
    }
}

#[derive(Clone, Debug)]
pub(crate) struct StoredReview {
    pub(crate) id: u64,
    pub(crate) author: String,
    pub(crate) body: String,
    pub(crate) state: &'static str,
    pub(crate) oid: Oid,
    pub(crate) at: i64,
}

#[derive(Clone, Debug)]
pub(crate) struct StoredStatus {
    pub(crate) id: u64,
    pub(crate) oid: Oid,
    pub(crate) state: String,
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) target_url: Option<String>,
    pub(crate) by: String,
    pub(crate) at: i64,
}

/// Repository permissions, lowest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RepositoryPermission {
    /// Read and comment.
    Read,
    /// Manage issues.
    Triage,
    /// Push.
    Write,
    /// Manage the repository, without destructive actions.
    Maintain,
    /// Everything.
    Admin,
}

impl RepositoryPermission {
    /// The role name, and the legacy `permission` for it.
    pub(crate) fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Read => ("read", "read"),
            Self::Triage => ("triage", "read"),
            Self::Write => ("write", "write"),
            Self::Maintain => ("maintain", "write"),
            Self::Admin => ("admin", "admin"),
        }
    }
}
