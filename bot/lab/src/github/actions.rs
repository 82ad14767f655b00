//! What simulated people do. Each action is an API request by that person, so GitHub's permissions and webhooks apply.

use serde_json::{Value, json};

use super::actor::token_of;
use super::branch::BranchUpdate;
use super::git::merge::MergeMethod;
use super::git::{FileMode, GitCommit, Oid, TreeEntry};
use super::store::{LabGitHub, RepositoryPermission, StoredRepository};
use crate::wire::{LabRequest, LabResponse};

/// GitHub refused a request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("GitHub answered {status}: {message}")]
pub struct GitHubRefusal {
    /// The HTTP status.
    pub status: u16,
    /// The `message` of the answer, and those of its `errors`.
    pub message: String,
}

#[derive(Clone, Copy, Debug)]
pub struct NewPullRequest<'a> {
    /// The branch with the changes, or `owner:branch` of a fork.
    pub head: &'a str,
    /// The branch to merge into.
    pub base: &'a str,
    pub title: &'a str,
    pub body: &'a str,
}

impl LabGitHub {
    /// Actions in a repository, by `owner/name`. Panics if there is no such repository.
    pub fn at(&mut self, full_name: &str) -> RepositoryActions<'_> {
        assert!(
            self.repositories.contains_key(full_name),
            "there is no repository `{full_name}`"
        );
        RepositoryActions {
            hub: self,
            key: full_name.to_owned(),
        }
    }
}

/// Actions of people in one repository.
pub struct RepositoryActions<'a> {
    hub: &'a mut LabGitHub,
    key: String,
}

impl RepositoryActions<'_> {
    fn ask(
        &mut self,
        by: &str,
        method: &str,
        (tail, body): (&str, &Value),
    ) -> Result<Value, GitHubRefusal> {
        let request = LabRequest {
            method: method.to_owned(),
            path: format!("/repos/{}{tail}", self.key),
            query: vec![],
            headers: vec![(
                "authorization".to_owned(),
                format!("Bearer {}", token_of(by)),
            )],
            body: body.to_string().into_bytes(),
            now: 0,
        };
        read(&self.hub.answer(&request))
    }

    pub(crate) fn repo(&self) -> &StoredRepository {
        self.hub.repo(&self.key)
    }

    /// Grants a user a permission in this repository.
    pub fn grant(&mut self, login: &str, permission: RepositoryPermission) {
        self.hub.add_user(login);
        self.hub
            .repo_mut(&self.key)
            .grants
            .insert(login.to_owned(), permission);
    }

    /// Grants a team a permission in this repository.
    pub fn grant_team(&mut self, slug: &str, permission: RepositoryPermission) {
        self.hub
            .repo_mut(&self.key)
            .teams
            .insert(slug.to_owned(), permission);
    }

    /// Commits files to a branch and pushes it. Files are path and text; `None` deletes the file. A missing branch starts at
    /// the default branch.
    pub fn commit_files(
        &mut self,
        author: &str,
        branch: &str,
        message: &str,
        files: &[(&str, Option<&str>)],
    ) -> Result<Oid, GitHubRefusal> {
        self.may_push(author)?;
        self.hub.now += 1;
        let own = self.hub.signature(author);
        let repo = self.hub.repo_mut(&self.key);
        let before = repo.git.branch(branch);
        let from = before.or_else(|| repo.git.branch(&repo.default_branch));
        let mut all = from.map(|from| repo.git.files(from)).unwrap_or_default();
        for (path, text) in files {
            match text {
                Some(text) => {
                    let mode = all.get(*path).map_or(FileMode::File, |known| known.mode);
                    let oid = repo.git.write_blob(text.as_bytes());
                    all.insert((*path).to_owned(), TreeEntry { mode, oid });
                }
                None => {
                    all.remove(*path);
                }
            }
        }
        let tree = repo.git.write_tree(&all);
        let commit = GitCommit {
            tree,
            parents: from.into_iter().collect(),
            author: own.clone(),
            committer: own,
            message: message.to_owned(),
        };
        let oid = repo.git.write_commit(commit);
        self.push(author, branch, oid)?;
        Ok(oid)
    }

    /// Sets a branch to a commit, with a forced push if it is not a fast-forward.
    pub fn push(&mut self, by: &str, branch: &str, oid: Oid) -> Result<(), GitHubRefusal> {
        self.may_push(by)?;
        let git = &self.repo().git;
        let before = git.branch(branch);
        let forced = before.is_some_and(|before| !git.reaches(oid, before));
        let step = BranchUpdate {
            branch: branch.to_owned(),
            before,
            after: Some(oid),
            by: by.to_owned(),
            forced,
        };
        self.hub.set_branch(&self.key, &step);
        self.hub.after_branch_update(&self.key, &step);
        Ok(())
    }

    fn may_push(&self, by: &str) -> Result<(), GitHubRefusal> {
        if self.hub.granted(self.repo(), by) >= Some(RepositoryPermission::Write) {
            return Ok(());
        }
        Err(GitHubRefusal {
            status: 403,
            message: format!("Permission to {} denied to {by}.", self.key),
        })
    }

    /// Opens a pull request and returns its number.
    pub fn open_pull(
        &mut self,
        author: &str,
        proposal: NewPullRequest<'_>,
    ) -> Result<u64, GitHubRefusal> {
        let NewPullRequest {
            head,
            base,
            title,
            body,
        } = proposal;
        let body = json!({"head": head, "base": base, "title": title, "body": body});
        let answer = self.ask(author, "POST", ("/pulls", &body))?;
        Ok(answer["number"].as_u64().unwrap_or_default())
    }

    /// Opens an issue and returns its number.
    pub fn open_issue(&mut self, author: &str, title: &str, body: &str) -> u64 {
        self.hub.now += 1;
        self.hub.add_issue(
            &self.key,
            author,
            [Some(title.to_owned()), Some(body.to_owned())],
            None,
        )
    }

    /// Writes a comment and returns its id.
    pub fn comment(&mut self, author: &str, number: u64, body: &str) -> Result<u64, GitHubRefusal> {
        let answer = self.ask(
            author,
            "POST",
            (
                &format!("/issues/{number}/comments"),
                &json!({"body": body}),
            ),
        )?;
        Ok(answer["id"].as_u64().unwrap_or_default())
    }

    pub fn edit_comment(&mut self, by: &str, id: u64, body: &str) -> Result<(), GitHubRefusal> {
        self.ask(
            by,
            "PATCH",
            (&format!("/issues/comments/{id}"), &json!({"body": body})),
        )
        .map(drop)
    }

    pub fn delete_comment(&mut self, by: &str, id: u64) -> Result<(), GitHubRefusal> {
        self.ask(
            by,
            "DELETE",
            (&format!("/issues/comments/{id}"), &json!({})),
        )
        .map(drop)
    }

    /// Adds a reaction to a comment, for example `+1` or `eyes`.
    pub fn react(&mut self, by: &str, comment: u64, content: &str) -> Result<(), GitHubRefusal> {
        let payload = json!({"content": content});
        self.ask(
            by,
            "POST",
            (&format!("/issues/comments/{comment}/reactions"), &payload),
        )
        .map(drop)
    }

    /// Merges a pull request and returns the new tip of its base.
    pub fn merge(&mut self, by: &str, number: u64, how: MergeMethod) -> Result<Oid, GitHubRefusal> {
        let answer = self.ask(
            by,
            "PUT",
            (
                &format!("/pulls/{number}/merge"),
                &json!({"merge_method": how.word()}),
            ),
        )?;
        let oid = answer["sha"].as_str().and_then(|sha| sha.parse().ok());
        Ok(oid.unwrap_or(Oid::ZERO))
    }

    /// Closes a pull request without merging it.
    pub fn close(&mut self, by: &str, number: u64) -> Result<(), GitHubRefusal> {
        self.edit_pull(by, number, &json!({"state": "closed"}))
    }

    /// Reopens a closed pull request.
    pub fn reopen(&mut self, by: &str, number: u64) -> Result<(), GitHubRefusal> {
        self.edit_pull(by, number, &json!({"state": "open"}))
    }

    /// Changes `title`, `body`, `base` or `state`, as `PATCH /repos/{owner}/{repo}/pulls/{pull_number}` does.
    pub fn edit_pull(
        &mut self,
        by: &str,
        number: u64,
        fields: &Value,
    ) -> Result<(), GitHubRefusal> {
        self.ask(by, "PATCH", (&format!("/pulls/{number}"), fields))
            .map(drop)
    }

    /// Locks the conversation: only users with write access can still comment.
    pub fn lock(&mut self, number: u64) {
        self.hub.issue_mut(&self.key, number).locked = true;
    }

    /// Puts a label on an issue or pull request; an unknown one is created.
    pub fn label(&mut self, by: &str, number: u64, name: &str) -> Result<(), GitHubRefusal> {
        let labels = json!({"labels": [name]});
        self.ask(by, "POST", (&format!("/issues/{number}/labels"), &labels))
            .map(drop)
    }

    /// Requests that a check run is repeated.
    pub fn rerequest(&mut self, by: &str, run: u64) -> Result<(), GitHubRefusal> {
        self.ask(
            by,
            "POST",
            (&format!("/check-runs/{run}/rerequest"), &json!({})),
        )
        .map(drop)
    }

    /// Uses an action button of a check run: sends `requested_action`.
    pub fn request_action(&mut self, by: &str, run: u64, identifier: &str) {
        let payload = json!({"requested_action": {"identifier": identifier}});
        self.hub
            .send_check_run_event(&self.key, run, by, ("requested_action", payload));
    }
}

fn read(response: &LabResponse) -> Result<Value, GitHubRefusal> {
    let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    if response.status < 400 {
        return Ok(body);
    }
    let errors = body["errors"].as_array().into_iter().flatten();
    let errors: Vec<&str> = errors
        .filter_map(|error| error["message"].as_str())
        .collect();
    let message = body["message"].as_str().unwrap_or_default();
    Err(GitHubRefusal {
        status: response.status,
        message: [&[message][..], &errors].concat().join(": "),
    })
}
