//! What people see in a repository, for tests: comments, reactions, check runs, files, history.

use std::collections::BTreeMap;

use serde_json::Value;

use super::actions::RepositoryActions;
use super::git::Oid;
use super::show::commit::signer_name;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssueCommentView {
    pub id: u64,
    /// The author's login, or the name if no user has the email.
    pub author: String,
    pub body: String,
    /// Whether it was edited after it was written.
    pub edited: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckRunView {
    pub id: u64,
    pub name: String,
    /// `queued`, `in_progress` or `completed`.
    pub status: String,
    /// `success`, `failure`, …; `None` while it runs.
    pub conclusion: Option<String>,
    /// Title of the output.
    pub title: String,
    /// Summary of the output.
    pub summary: String,
    /// `path:line level message` for each annotation.
    pub annotations: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitView {
    pub oid: Oid,
    /// The author's login, or the name if no user has the email.
    pub author: String,
    /// Title and body.
    pub message: String,
}

impl RepositoryActions<'_> {
    /// The comments of an issue or pull request, oldest first.
    pub fn comments(&self, number: u64) -> Vec<IssueCommentView> {
        let all = self
            .repo()
            .comments
            .values()
            .filter(|comment| comment.issue == number);
        all.map(|comment| IssueCommentView {
            id: comment.id,
            author: comment.author.clone(),
            body: comment.body.clone(),
            edited: comment.updated != comment.created,
        })
        .collect()
    }

    /// Reactions to a comment: login and content.
    pub fn reactions(&self, comment: u64) -> Vec<(String, String)> {
        let comment = self.repo().comments.get(&comment);
        let all = comment
            .into_iter()
            .flat_map(|comment| comment.reactions.values());
        all.map(|reaction| (reaction.by.clone(), reaction.kind.clone()))
            .collect()
    }

    /// The check runs of a commit, oldest first.
    pub fn check_runs(&self, oid: Oid) -> Vec<CheckRunView> {
        let all = self.repo().runs.values().filter(|run| run.oid == oid);
        all.map(|run| CheckRunView {
            id: run.id,
            name: run.name.clone(),
            status: run.status.clone(),
            conclusion: run.conclusion.clone(),
            title: run.title.clone().unwrap_or_default(),
            summary: run.summary.clone().unwrap_or_default(),
            annotations: run.annotations.iter().map(annotation).collect(),
        })
        .collect()
    }

    /// The tip of a branch.
    pub fn head(&self, branch: &str) -> Option<Oid> {
        self.repo().git.branch(branch)
    }

    /// The files of a branch: path to text.
    pub fn files_at(&self, branch: &str) -> BTreeMap<String, String> {
        let git = &self.repo().git;
        let files = git
            .resolve(branch)
            .map(|oid| git.files(oid))
            .unwrap_or_default();
        let text = |oid| String::from_utf8_lossy(git.blob(oid).unwrap_or_default()).into_owned();
        files
            .into_iter()
            .map(|(path, entry)| (path, text(entry.oid)))
            .collect()
    }

    /// The commits of a branch, newest first.
    pub fn log(&self, branch: &str) -> Vec<CommitView> {
        let git = &self.repo().git;
        let all = git
            .resolve(branch)
            .map(|oid| git.history(oid))
            .unwrap_or_default();
        let seen = |oid| {
            let commit = git.commit(oid)?;
            Some(CommitView {
                oid,
                author: signer_name(&commit.author),
                message: commit.message.clone(),
            })
        };
        all.into_iter().filter_map(seen).collect()
    }

    /// `open`, `closed` or `merged`.
    pub fn pull_state(&self, number: u64) -> Option<&'static str> {
        let issue = self.repo().issues.get(&number)?;
        Some(if issue.is_merged() {
            "merged"
        } else {
            issue.word()
        })
    }
}

fn annotation(shown: &Value) -> String {
    let text = |field: &str| shown[field].as_str().unwrap_or_default();
    format!(
        "{}:{} {} {}",
        text("path"),
        shown["start_line"],
        text("annotation_level"),
        text("message")
    )
}
