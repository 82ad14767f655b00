//! Commits files to a branch, without a checkout and without a force push.

use std::collections::BTreeMap;

use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::webhook::event::Sha;
use crate::{FolderError, GitHubError, Repository, path};

/// Others commit to the branch too. After so many lost races in a row, something else must be wrong.
const RACES_MAX: usize = 5;

#[derive(Deserialize)]
struct Created {
    sha: Sha,
}

impl Repository {
    /// Commits files to a branch, and returns the commit that has them. A missing branch is created with nothing but the
    /// files. If the files are there already, nothing is written, so repeating the call after [`GitHubError::Unknown`] is
    /// safe.
    pub async fn commit_files(
        &self,
        branch: &str,
        content: &Content,
        message: &str,
    ) -> Result<Sha, GitHubError> {
        let mut lost = None;
        for _ in 0..RACES_MAX {
            let head = self.branch(branch).await?;
            let Some(commit) = self.commit_on(head.as_ref(), content, message).await? else {
                return head.ok_or_else(|| nothing_to_commit(branch));
            };
            match self.move_branch(branch, head.as_ref(), &commit).await {
                Ok(()) => return Ok(commit),
                // Somebody else committed first: build on what is there now.
                Err(
                    error @ GitHubError::Refused {
                        status: 409 | 422, ..
                    },
                ) => lost = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(lost.unwrap_or_else(|| nothing_to_commit(branch)))
    }

    /// Creates a commit of the files on top of a head; `None` if the files are there already.
    async fn commit_on(
        &self,
        head: Option<&Sha>,
        content: &Content,
        message: &str,
    ) -> Result<Option<Sha>, GitHubError> {
        let mut entries: Vec<Value> = content
            .files
            .iter()
            .map(|(path, text)| json!({ "path": path, "mode": "100644", "type": "blob", "content": text }))
            .collect();
        let mut before = None;
        if let Some(head) = head {
            before = Some(self.commit(head).await?.tree);
            for folder in &content.whole {
                // A null removes a file.
                let gone = self.paths_in(head, folder).await?;
                let gone = gone
                    .into_iter()
                    .filter(|path| !content.files.contains_key(path));
                entries.extend(gone.map(
                    |path| json!({ "path": path, "mode": "100644", "type": "blob", "sha": null }),
                ));
            }
        }
        let mut body = json!({ "tree": entries });
        if let Some(before) = &before {
            body["base_tree"] = json!(before);
        }
        let route = format!("{}/git/trees", self.root);
        let tree: Created = self
            .client
            .write("writing a tree", Method::POST, (&route, &body))
            .await?;
        if before.as_ref() == Some(&tree.sha) {
            return Ok(None);
        }
        let parents: Vec<&Sha> = head.into_iter().collect();
        let body = json!({ "message": message, "tree": tree.sha, "parents": parents });
        let route = format!("{}/git/commits", self.root);
        let commit: Created = self
            .client
            .write("writing a commit", Method::POST, (&route, &body))
            .await?;
        Ok(Some(commit.sha))
    }

    /// The paths of the files in a folder at a commit.
    async fn paths_in(&self, commit: &Sha, folder: &str) -> Result<Vec<String>, GitHubError> {
        match self.folder(commit, folder, |_| false).await {
            Ok(found) => Ok(found.unwanted),
            Err(FolderError::GitHub(error)) => Err(error),
            Err(error @ FolderError::Unreadable(_)) => Err(GitHubError::Refused {
                what: format!("reading `{folder}`"),
                status: 422,
                why: error.to_string(),
            }),
        }
    }

    async fn move_branch(
        &self,
        branch: &str,
        head: Option<&Sha>,
        to: &Sha,
    ) -> Result<(), GitHubError> {
        let what = format!("moving the branch `{branch}`");
        if head.is_some() {
            let route = format!("{}/git/refs/heads/{}", self.root, path::path(branch));
            let body = json!({ "sha": to, "force": false });
            self.client
                .submit(&what, Method::PATCH, (&route, &body))
                .await
        } else {
            let route = format!("{}/git/refs", self.root);
            let body = json!({ "ref": format!("refs/heads/{branch}"), "sha": to });
            self.client
                .submit(&what, Method::POST, (&route, &body))
                .await
        }
    }
}

fn nothing_to_commit(branch: &str) -> GitHubError {
    GitHubError::Refused {
        what: format!("moving the branch `{branch}`"),
        status: 409,
        why: "there is nothing to commit".to_owned(),
    }
}

/// What to commit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// The text of each file, by its path from the repository's root.
    pub files: BTreeMap<String, String>,
    /// Folders in which all other files are removed; elsewhere, other files stay.
    pub whole: Vec<String>,
}
