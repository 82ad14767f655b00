//! What happens when a branch moves: the push event, new heads and trial merges of pull requests, merges by push.

use serde_json::json;

use super::git::Oid;
use super::store::{LabGitHub, StoredMerge};

/// A branch that is moved, created (no `before`) or deleted (no `after`).
#[derive(Clone, Debug)]
pub(crate) struct BranchUpdate {
    pub(crate) branch: String,
    pub(crate) before: Option<Oid>,
    pub(crate) after: Option<Oid>,
    pub(crate) by: String,
    pub(crate) forced: bool,
}

impl LabGitHub {
    /// Sets or deletes the branch and does nothing else.
    pub(crate) fn set_branch(&mut self, key: &str, step: &BranchUpdate) {
        let now = self.now;
        let repo = self.repo_mut(key);
        repo.pushed = now;
        let name = format!("refs/heads/{}", step.branch);
        match step.after {
            Some(oid) => repo.git.refs.insert(name, oid),
            None => repo.git.refs.remove(&name),
        };
    }

    /// Sends the push event and updates pull requests: moves their head, repeats the trial merge on a new base, closes those
    /// that the push merged. A fork sends no push event; its objects are shared, and its pull requests are updated.
    pub(crate) fn after_branch_update(&mut self, key: &str, step: &BranchUpdate) {
        let Some(parent) = self.repo(key).parent.clone() else {
            self.send_push_event(key, step);
            return self.update_pull_requests(key, None, step);
        };
        if self.repositories.contains_key(&parent) {
            let git = self.repo(key).git.clone();
            self.repo_mut(&parent).git.add_objects(&git);
            self.update_pull_requests(&parent, Some(key), step);
        }
    }

    pub(crate) fn update_pull_requests(
        &mut self,
        key: &str,
        fork: Option<&str>,
        step: &BranchUpdate,
    ) {
        let repo = self.repo(key);
        let open = repo.issues.values().filter(|issue| issue.is_open());
        let touched: Vec<(u64, bool)> = open
            .filter_map(|issue| Some((issue.number, issue.pull.as_ref()?)))
            .map(|(number, pull)| {
                let by_head = pull.head == step.branch && pull.fork.as_deref() == fork;
                (number, by_head, fork.is_none() && pull.base == step.branch)
            })
            .filter(|(_, by_head, by_base)| *by_head || *by_base)
            .map(|(number, by_head, _)| (number, by_head))
            .collect();
        for (number, by_head) in touched {
            match step.after {
                None => self.close_pull_request(key, number, &step.by, None),
                Some(after) if by_head => self.head_moved(key, number, step, after),
                Some(after) => self.base_moved(key, number, step, after),
            }
        }
    }

    pub(crate) fn head_moved(&mut self, key: &str, number: u64, step: &BranchUpdate, after: Oid) {
        let now = self.now;
        let repo = self.repo_mut(key);
        let Some(issue) = repo.issues.get_mut(&number) else {
            return;
        };
        issue.updated = now;
        let Some(pull) = &mut issue.pull else { return };
        let before = pull.head_oid;
        pull.head_oid = after;
        pull.base_oid = repo.git.branch(&pull.base).unwrap_or(pull.base_oid);
        self.try_merge(key, number);
        let extra = json!({"before": before.to_string(), "after": after.to_string()});
        self.send_pull_request_event(key, number, &step.by, ("synchronize", extra));
    }

    pub(crate) fn base_moved(&mut self, key: &str, number: u64, step: &BranchUpdate, after: Oid) {
        let repo = self.repo(key);
        let head_reached = (repo
            .issues
            .get(&number)
            .and_then(|issue| issue.pull.as_ref()))
        .is_some_and(|pull| repo.git.reaches(after, pull.head_oid));
        if head_reached {
            self.close_pull_request(key, number, &step.by, Some(after));
        } else {
            self.try_merge(key, number);
        }
    }

    pub(crate) fn close_pull_request(
        &mut self,
        key: &str,
        number: u64,
        by: &str,
        merged_as: Option<Oid>,
    ) {
        let now = self.now;
        let issue = self.issue_mut(key, number);
        (issue.closed, issue.updated) = (Some(now), now);
        if let (Some(pull), Some(oid)) = (&mut issue.pull, merged_as) {
            pull.merged = Some(StoredMerge {
                by: by.to_owned(),
                at: now,
                oid,
            });
        }
        self.send_pull_request_event(key, number, by, ("closed", json!({})));
    }
}
