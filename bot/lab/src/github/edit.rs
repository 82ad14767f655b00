//! Changes the title, body, base branch or state of an issue or pull request, and repeats the trial merge.

use serde_json::{Value, json};

use super::actor::web_flow;
use super::answer::{ApiCall, fits, invalid, maybe, unprocessable};
use super::git::merge::{MergeInput, MergeMethod, write_merge};
use super::store::{BODY_MAX, LabGitHub, StoredIssue, TITLE_MAX};
use crate::wire::LabResponse;

/// The `changes` field of the `edited` webhook.
pub(crate) type EditChanges = serde_json::Map<String, Value>;

/// Applies `title` and `body` of a request to an issue. Returns the previous values.
pub(crate) fn edit_text(issue: &mut StoredIssue, body: &Value) -> Result<EditChanges, LabResponse> {
    let mut changes = EditChanges::new();
    if let Some(title) = maybe(body, "title").filter(|title| *title != issue.title) {
        fits(&title, "Issue", "title", TITLE_MAX)?;
        changes.insert("title".to_owned(), json!({"from": issue.title}));
        issue.title = title;
    }
    if let Some(text) = maybe(body, "body").filter(|text| Some(text) != issue.body.as_ref()) {
        fits(&text, "Issue", "body", BODY_MAX)?;
        changes.insert(
            "body".to_owned(),
            json!({"from": issue.body.clone().unwrap_or_default()}),
        );
        issue.body = Some(text);
    }
    Ok(changes)
}

impl LabGitHub {
    /// Repeats the trial merge, as GitHub does when the head or the base moves.
    pub(crate) fn try_merge(&mut self, key: &str, number: u64) {
        let now = self.now;
        let repo = self.repo_mut(key);
        let Some(pull) = repo
            .issues
            .get(&number)
            .and_then(|issue| issue.pull.clone())
        else {
            return;
        };
        let base = repo.git.branch(&pull.base).unwrap_or(pull.base_oid);
        let signature = web_flow(now);
        let merge_input = MergeInput {
            base,
            head: pull.head_oid,
            message: format!("Merge {} into {base}", pull.head_oid),
            author: signature.clone(),
            committer: signature,
        };
        let trial = write_merge(&mut repo.git, MergeMethod::Merge, merge_input).ok();
        if let Some(pull) = repo
            .issues
            .get_mut(&number)
            .and_then(|issue| issue.pull.as_mut())
        {
            pull.trial = trial;
        }
    }

    /// Applies title, body, base and state, and sends the webhook of each change.
    pub(crate) fn edit_pull(
        &mut self,
        call: &ApiCall<'_>,
        number: u64,
        body: &Value,
    ) -> Result<(), LabResponse> {
        let (now, by) = (self.now, self.login(&call.who));
        let mut changes = edit_text(self.issue_mut(&call.repo, number), body)?;
        if let Some(base) = body["base"].as_str() {
            self.rebase_onto(&call.repo, number, base, &mut changes)?;
        }
        if !changes.is_empty() {
            self.issue_mut(&call.repo, number).updated = now;
            self.send_pull_request_event(
                &call.repo,
                number,
                &by,
                ("edited", json!({"changes": changes})),
            );
        }
        let issue = self.issue_mut(&call.repo, number);
        match (body["state"].as_str(), issue.is_open()) {
            (Some("closed"), true) => {
                (issue.closed, issue.updated) = (Some(now), now);
                self.send_pull_request_event(&call.repo, number, &by, ("closed", json!({})));
            }
            (Some("open"), false) if issue.is_merged() => {
                return Err(unprocessable(
                    "Validation Failed: a merged pull request cannot be reopened",
                ));
            }
            (Some("open"), false) => {
                (issue.closed, issue.updated) = (None, now);
                self.try_merge(&call.repo, number);
                self.send_pull_request_event(&call.repo, number, &by, ("reopened", json!({})));
            }
            _ => {}
        }
        Ok(())
    }

    pub(crate) fn rebase_onto(
        &mut self,
        key: &str,
        number: u64,
        base: &str,
        changes: &mut EditChanges,
    ) -> Result<(), LabResponse> {
        let repo = self.repo_mut(key);
        let tip = repo
            .git
            .branch(base)
            .ok_or_else(|| invalid("PullRequest", "base", "invalid", ""))?;
        let Some(pull) = repo
            .issues
            .get_mut(&number)
            .and_then(|issue| issue.pull.as_mut())
        else {
            return Ok(());
        };
        if pull.base != base {
            changes.insert(
                "base".to_owned(),
                json!({"ref": {"from": pull.base}, "sha": {"from": pull.base_oid.to_string()}}),
            );
            base.clone_into(&mut pull.base);
            pull.base_oid = tip;
            self.try_merge(key, number);
        }
        Ok(())
    }
}
