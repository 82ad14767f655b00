//! Commits, branches, and how they stand to each other.

use serde::Deserialize;

use crate::webhook::event::Sha;
use crate::{GitHubError, Repository, path};

/// A commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitSeen {
    /// Its name.
    pub sha: Sha,
    /// Its tree.
    pub tree: Sha,
    /// What it was made of.
    pub parents: Vec<Sha>,
    /// The whole message.
    pub message: String,
}

/// How a head stands to a base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ancestry {
    /// The same commit.
    Identical,
    /// The head has everything of the base, and more.
    Ahead,
    /// The base has everything of the head, and more.
    Behind,
    /// Each has what the other lacks.
    Diverged,
}

/// What a comparison shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// How the head stands to the base.
    pub stand: Ancestry,
    /// The paths that differ, old names too; `None` when there are as many as GitHub lists at most, so perhaps more.
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
    /// The commit that a branch is at; `None` where there is no such branch.
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

    /// A commit.
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

    /// How `head` stands to `base`, and what differs since they parted. Both may be branches.
    pub async fn compare(&self, base: &str, head: &str) -> Result<Comparison, GitHubError> {
        let what = format!("comparing `{base}` with `{head}`");
        let route = format!(
            "{}/compare/{}...{}?per_page=1",
            self.root,
            path::path(base),
            path::path(head)
        );
        let wire: WireComparison = self.client.get(&what, &route).await?;
        let stand = match wire.status.as_str() {
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
            stand,
            paths: complete.then(|| paths.collect()),
        })
    }

    /// Whether a commit is on a branch now: it may have been, before somebody rewrote the branch.
    pub async fn is_on(&self, commit: &Sha, branch: &str) -> Result<bool, GitHubError> {
        match GitHubError::absent(self.compare(commit.as_str(), branch).await)? {
            Some(found) => Ok(matches!(found.stand, Ancestry::Identical | Ancestry::Ahead)),
            None => Ok(false),
        }
    }
}
