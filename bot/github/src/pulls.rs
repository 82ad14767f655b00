//! Pull requests.

use serde::Deserialize;

use crate::client::PAGE;
use crate::webhook::event::{Account, PullNumber, Sha};
use crate::{GitHubError, Repository};

/// A pull request as GitHub has it now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullSeen {
    /// GitHub's number, unique in the repository.
    pub number: PullNumber,
    /// As its author wrote it: untrusted text.
    pub title: String,
    /// Who opened it; `None` for a deleted account.
    pub author: Option<Account>,
    /// Whether it is open.
    pub open: bool,
    /// Whether it is a draft.
    pub draft: bool,
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
    /// Who merged it; lists do not say.
    pub merged_by: Option<Account>,
    /// When it was merged: RFC 3339, UTC.
    pub merged_at: Option<String>,
    /// When it last changed, by a comment too: RFC 3339, UTC.
    pub updated_at: String,
    /// Whether it can be merged.
    pub mergeable: Mergeable,
    /// The names of its labels.
    pub labels: Vec<String>,
}

/// Whether a pull request can be merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mergeable {
    /// There are no conflicts.
    Yes,
    /// There are conflicts.
    No,
    /// GitHub has not computed it yet, or the pull request comes from a list: ask again.
    NotYetKnown,
}

#[derive(Deserialize)]
pub(super) struct WireAccount {
    id: u64,
    login: String,
    #[serde(default)]
    r#type: String,
}

impl From<WireAccount> for Account {
    fn from(wire: WireAccount) -> Self {
        Self {
            id: wire.id,
            login: wire.login,
            kind: wire.r#type,
        }
    }
}

#[derive(Deserialize)]
struct WirePull {
    number: u64,
    #[serde(default)]
    title: String,
    user: Option<WireAccount>,
    state: String,
    #[serde(default)]
    draft: Option<bool>,
    head: WireEnd,
    base: WireEnd,
    merge_commit_sha: Option<Sha>,
    merged_at: Option<String>,
    merged_by: Option<WireAccount>,
    #[serde(default)]
    updated_at: String,
    mergeable: Option<bool>,
    #[serde(default)]
    labels: Vec<WireLabel>,
}

#[derive(Deserialize)]
struct WireLabel {
    name: String,
}

#[derive(Deserialize)]
struct WireEnd {
    r#ref: String,
    sha: Sha,
    repo: Option<WireRepository>,
}

#[derive(Deserialize)]
struct WireRepository {
    id: u64,
}

impl From<WirePull> for PullSeen {
    fn from(wire: WirePull) -> Self {
        let merged = wire.merged_at.is_some();
        Self {
            number: PullNumber(wire.number),
            title: wire.title,
            author: wire.user.map(Account::from),
            open: wire.state == "open",
            draft: wire.draft == Some(true),
            head: wire.head.sha,
            head_repository: wire.head.repo.map(|repository| repository.id),
            base: wire.base.r#ref,
            base_sha: wire.base.sha,
            // Before the merge this is the commit of GitHub's test merge, which is on no branch.
            merged: wire.merge_commit_sha.filter(|_| merged),
            merged_by: wire.merged_by.map(Account::from),
            merged_at: wire.merged_at,
            updated_at: wire.updated_at,
            labels: wire.labels.into_iter().map(|label| label.name).collect(),
            mergeable: match wire.mergeable {
                Some(true) => Mergeable::Yes,
                Some(false) => Mergeable::No,
                None => Mergeable::NotYetKnown,
            },
        }
    }
}

#[derive(Deserialize)]
struct WireFile {
    filename: String,
    previous_filename: Option<String>,
}

/// A thousand pull requests: after a long downtime, changes to older ones are not noticed by themselves.
const RECENT_PAGES_MAX: usize = 10;

/// GitHub ends the list of a pull request's files here, without a sign of it.
const FILES_MAX: usize = 3000;

impl Repository {
    /// The pull request with that number.
    pub async fn pull(&self, number: PullNumber) -> Result<PullSeen, GitHubError> {
        let what = format!("reading pull request #{number}");
        let route = format!("{}/pulls/{number}", self.root);
        let wire: WirePull = self.client.get(&what, &route).await?;
        Ok(wire.into())
    }

    /// All open pull requests. Lists do not say whether a pull request is mergeable.
    pub async fn open_pulls(&self) -> Result<Vec<PullSeen>, GitHubError> {
        let route = format!("{}/pulls?state=open", self.root);
        let found: Vec<WirePull> = self
            .client
            .list("listing the open pull requests", &route, |page| page)
            .await?;
        Ok(found.into_iter().map(PullSeen::from).collect())
    }

    /// The pull requests that changed at or after a time, open or not, newest first: they show what a lost webhook would
    /// have. Without a time, the hundred that changed last.
    pub async fn recent_pulls(&self, since: Option<&str>) -> Result<Vec<PullSeen>, GitHubError> {
        let mut recent = Vec::new();
        for page in 1..=RECENT_PAGES_MAX {
            let route = format!(
                "{}/pulls?state=all&sort=updated&direction=desc&per_page={PAGE}&page={page}",
                self.root
            );
            let what = "listing the pull requests that changed last";
            let found: Vec<WirePull> = self.client.get(what, &route).await?;
            let is_full = found.len() == PAGE;
            let fresh = found
                .into_iter()
                .map(PullSeen::from)
                .take_while(|pull| since.is_none_or(|since| pull.updated_at.as_str() >= since));
            let before = recent.len();
            recent.extend(fresh);
            if !is_full || since.is_none() || recent.len() - before < PAGE {
                break;
            }
        }
        Ok(recent)
    }

    /// The paths that a pull request changes, with the old names of renamed files; `None` if they may be more than GitHub
    /// lists.
    pub async fn pull_paths(&self, number: PullNumber) -> Result<Option<Vec<String>>, GitHubError> {
        let what = format!("listing the files of pull request #{number}");
        let route = format!("{}/pulls/{number}/files", self.root);
        let files: Vec<WireFile> = self.client.list(&what, &route, |page| page).await?;
        if files.len() >= FILES_MAX {
            return Ok(None);
        }
        let paths = files
            .into_iter()
            .flat_map(|file| [Some(file.filename), file.previous_filename]);
        Ok(Some(paths.flatten().collect()))
    }
}
