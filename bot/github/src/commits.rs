//! Commits and branches, and how they compare.

use serde::Deserialize;

use crate::webhook::event::Sha;
use crate::{GitHubError, Repository, path};

/// A commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitSeen {
    /// Its own SHA.
    pub sha: Sha,
    /// The SHA of its tree.
    pub tree: Sha,
    /// None for a root commit, two for a merge.
    pub parents: Vec<Sha>,
    /// The whole message.
    pub message: String,
}

/// How a head compares with a base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ancestry {
    /// The same commit.
    Identical,
    /// The head has all commits of the base, and more.
    Ahead,
    /// The base has all commits of the head, and more.
    Behind,
    /// Each has commits that the other lacks.
    Diverged,
}

/// A comparison of two commits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// How the head compares with the base.
    pub ancestry: Ancestry,
    /// The paths that differ, with the old names of renamed files; `None` when there may be more than GitHub lists.
    pub paths: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct WireNamed {
    sha: Sha,
}

#[derive(Deserialize)]
struct WireComparison {
    status: String,
    #[serde(default)]
    files: Vec<WireFile>,
}

#[derive(Deserialize)]
struct WireFile {
    filename: String,
    previous_filename: Option<String>,
}

/// GitHub lists at most 300 files of a comparison, all on its first page.
const FILES_MAX: usize = 300;

impl Repository {
    /// The head of a branch; `None` if there is no such branch.
    pub async fn branch(&self, name: &str) -> Result<Option<Sha>, GitHubError> {
        #[derive(Deserialize)]
        struct Wire {
            object: WireNamed,
        }
        let what = format!("reading the branch `{name}`");
        let route = format!("{}/git/ref/heads/{}", self.root, path::path(name));
        let found: Option<Wire> = GitHubError::absent(self.client.get(&what, &route).await)?;
        Ok(found.map(|wire| wire.object.sha))
    }

    /// The commit with that SHA.
    pub async fn commit(&self, sha: &Sha) -> Result<CommitSeen, GitHubError> {
        #[derive(Deserialize)]
        struct Wire {
            sha: Sha,
            tree: WireNamed,
            parents: Vec<WireNamed>,
            message: String,
        }
        let what = format!("reading commit {}", sha.short());
        let route = format!("{}/git/commits/{sha}", self.root);
        let is_whole = |found: &Wire| found.sha == *sha;
        let wire: Wire = self.client.object(&what, &route, is_whole).await?;
        Ok(CommitSeen {
            sha: wire.sha,
            tree: wire.tree.sha,
            parents: wire.parents.into_iter().map(|parent| parent.sha).collect(),
            message: wire.message,
        })
    }

    /// How `head` compares with `base`, and what changed in it since their merge base. Both may be branches.
    pub async fn compare(&self, base: &str, head: &str) -> Result<Comparison, GitHubError> {
        let what = format!("comparing `{base}` with `{head}`");
        let route = format!(
            "{}/compare/{}...{}?per_page=1",
            self.root,
            path::path(base),
            path::path(head)
        );
        let wire: WireComparison = self.client.get(&what, &route).await?;
        let ancestry = match wire.status.as_str() {
            "identical" => Ancestry::Identical,
            "ahead" => Ancestry::Ahead,
            "behind" => Ancestry::Behind,
            _ => Ancestry::Diverged,
        };
        let complete = wire.files.len() < FILES_MAX;
        let paths = wire
            .files
            .into_iter()
            .flat_map(|file| [Some(file.filename), file.previous_filename])
            .flatten();
        Ok(Comparison {
            ancestry,
            paths: complete.then(|| paths.collect()),
        })
    }

    /// Whether a commit is on a branch now. A force push can remove one that was.
    pub async fn is_on(&self, commit: &Sha, branch: &str) -> Result<bool, GitHubError> {
        match GitHubError::absent(self.compare(commit.as_str(), branch).await)? {
            Some(found) => Ok(matches!(
                found.ancestry,
                Ancestry::Identical | Ancestry::Ahead
            )),
            None => Ok(false),
        }
    }
}
