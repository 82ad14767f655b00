//! Files onto a branch, in one commit, without a checkout and without force.

use std::collections::BTreeMap;

use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::webhook::event::Sha;
use crate::{FolderError, GitHubError, Repository, path};

/// Others commit to the branch too: after so many lost races a person should look.
const RACES_MAX: usize = 5;

#[derive(Deserialize)]
struct Made {
    sha: Sha,
}

impl Repository {
    /// Puts files onto a branch in one commit, and says which commit has them. The branch is made where there is none,
    /// with nothing but the files. Where the files are there already, nothing is written: after an answer that nobody
    /// knows, asking again is safe.
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
                return head.ok_or_else(|| nothing(branch));
            };
            match self.move_branch(branch, head.as_ref(), &commit).await {
                Ok(()) => return Ok(commit),
                // Somebody was faster: build on what is there now.
                Err(
                    error @ GitHubError::Refused {
                        status: 409 | 422, ..
                    },
                ) => lost = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(lost.unwrap_or_else(|| nothing(branch)))
    }

    /// A commit of the files over a head; `None` when they are there already.
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
                // A null takes a file away.
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
        let tree: Made = self
            .client
            .write("writing a tree", Method::POST, (&route, &body))
            .await?;
        if before.as_ref() == Some(&tree.sha) {
            return Ok(None);
        }
        let parents: Vec<&Sha> = head.into_iter().collect();
        let body = json!({ "message": message, "tree": tree.sha, "parents": parents });
        let route = format!("{}/git/commits", self.root);
        let commit: Made = self
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
            Err(error @ FolderError::UnreadableEntry(_)) => Err(GitHubError::Refused {
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

fn nothing(branch: &str) -> GitHubError {
    GitHubError::Refused {
        what: format!("moving the branch `{branch}`"),
        status: 409,
        why: "there is nothing to commit".to_owned(),
    }
}

/// Files to commit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// Path from the repository's root, and text.
    pub files: BTreeMap<String, String>,
    /// Folders that hold nothing but these files afterwards; elsewhere, what is there stays.
    pub whole: Vec<String>,
}
