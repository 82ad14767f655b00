//! Pull requests.

use serde::Deserialize;

use crate::webhook::event::{Account, PullNumber, Sha};
use crate::{GitHubError, Repository};

/// A pull request as GitHub has it now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullSeen {
    /// Its number.
    pub number: PullNumber,
    /// Its title, as its author wrote it.
    pub title: String,
    /// Who opened it; `None` for an account that is gone.
    pub author: Option<Account>,
    /// Whether it is open.
    pub open: bool,
    /// Whether it is a draft.
    pub draft: bool,
    /// The head commit.
    pub head: Sha,
    /// The number of the repository that the head is in; `None` when it is gone.
    pub head_repository: Option<u64>,
    /// The branch it goes to.
    pub base: String,
    /// The commit of that branch that it was compared with last.
    pub base_sha: Sha,
    /// The commit that the merge made; `None` while it is not merged.
    pub merged: Option<Sha>,
    /// Who merged it.
    pub merged_by: Option<Account>,
    /// When it was merged, as GitHub writes times.
    pub merged_at: Option<String>,
    /// When anything about it changed last, a comment too, as GitHub writes times.
    pub updated_at: String,
    /// Whether GitHub could merge it.
    pub mergeable: Mergeable,
}

/// Whether GitHub could merge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mergeable {
    /// It could.
    Yes,
    /// There are conflicts.
    No,
    /// It has not found out yet: ask again.
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
            // Before the merge this is GitHub's test merge, which is nobody's commit.
            merged: wire.merge_commit_sha.filter(|_| merged),
            merged_by: wire.merged_by.map(Account::from),
            merged_at: wire.merged_at,
            updated_at: wire.updated_at,
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

/// After a long absence, a thousand are looked at; who changed them earlier asks again.
const RECENT_PAGES_MAX: usize = 10;

/// GitHub's list of a pull request's files ends here without saying so.
const FILES_MAX: usize = 3000;

impl Repository {
    /// A pull request.
    pub async fn pull(&self, number: PullNumber) -> Result<PullSeen, GitHubError> {
        let what = format!("reading pull request #{number}");
        let route = format!("{}/pulls/{number}", self.root);
        let wire: WirePull = self.client.get(&what, &route).await?;
        Ok(wire.into())
    }

    /// The open ones. Lists do not say whether a pull request is mergeable.
    pub async fn open_pulls(&self) -> Result<Vec<PullSeen>, GitHubError> {
        let route = format!("{}/pulls?state=open", self.root);
        let found: Vec<WirePull> = self
            .client
            .list("listing the open pull requests", &route, |page| page)
            .await?;
        Ok(found.into_iter().map(PullSeen::from).collect())
    }

    /// Those that changed at or after a time, open or not, newest first: what a lost webhook may have told. Without a
    /// time, the hundred that changed last.
    pub async fn recent_pulls(&self, since: Option<&str>) -> Result<Vec<PullSeen>, GitHubError> {
        let mut recent = Vec::new();
        for page in 1..=RECENT_PAGES_MAX {
            let route = format!(
                "{}/pulls?state=all&sort=updated&direction=desc&per_page=100&page={page}",
                self.root
            );
            let what = "listing the pull requests that changed last";
            let found: Vec<WirePull> = self.client.get(what, &route).await?;
            let whole = found.len() == 100;
            let fresh = found
                .into_iter()
                .map(PullSeen::from)
                .take_while(|pull| since.is_none_or(|since| pull.updated_at.as_str() >= since));
            let before = recent.len();
            recent.extend(fresh);
            if !whole || since.is_none() || recent.len() - before < 100 {
                break;
            }
        }
        Ok(recent)
    }

    /// The paths that a pull request touches, old names of renamed files too. `None`: more than GitHub lists.
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
