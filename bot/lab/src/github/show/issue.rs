//! Issues, labels and comments as the API shows them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::github::answer::{node, stamp};
use crate::github::store::{
    LabGitHub, StoredComment, StoredIssue, StoredLabel, StoredReaction, StoredRepository,
};

/// The contents that a reaction can have.
pub(crate) const KINDS: [&str; 8] = [
    "+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes",
];

impl LabGitHub {
    pub(crate) fn show_comment(&self, repo: &StoredRepository, comment: &StoredComment) -> Value {
        let base = self.repo_url(repo);
        let url = format!("{base}/issues/comments/{}", comment.id);
        let kind = if repo
            .issues
            .get(&comment.issue)
            .is_some_and(|issue| issue.pull.is_some())
        {
            "pull"
        } else {
            "issues"
        };
        json!({
            "id": comment.id, "node_id": node("IC", comment.id), "url": url,
            "html_url": format!("{}/{kind}/{}#issuecomment-{}", self.repo_html(repo), comment.issue, comment.id),
            "issue_url": format!("{base}/issues/{}", comment.issue), "user": self.user(&comment.author), "body": comment.body,
            "created_at": stamp(comment.created), "updated_at": stamp(comment.updated),
            "author_association": self.association(repo, &comment.author),
            "reactions": reaction_counts(&format!("{url}/reactions"), &comment.reactions),
            "performed_via_github_app": comment.by_app.then(|| self.show_app()),
        })
    }

    /// The fields that issues and pull requests share.
    pub(crate) fn show_issue(&self, repo: &StoredRepository, issue: &StoredIssue) -> Value {
        let base = self.repo_url(repo);
        let url = format!("{base}/issues/{}", issue.number);
        let kind = if issue.pull.is_some() {
            "pull"
        } else {
            "issues"
        };
        let html = format!("{}/{kind}/{}", self.repo_html(repo), issue.number);
        let comments = repo
            .comments
            .values()
            .filter(|comment| comment.issue == issue.number)
            .count();
        let mut shown = json!({
            "id": issue.id, "node_id": node("I", issue.id), "url": url, "repository_url": base,
            "labels_url": format!("{url}/labels{{/name}}"), "comments_url": format!("{url}/comments"),
            "events_url": format!("{url}/events"), "html_url": html, "number": issue.number, "state": issue.word(),
            "state_reason": null, "title": issue.title, "body": issue.body, "user": self.author(&issue.author),
            "labels": self.labels_of(repo, issue), "assignee": null, "assignees": [], "milestone": null,
            "locked": issue.locked, "active_lock_reason": null, "comments": comments,
            "closed_at": issue.closed.map(stamp), "created_at": stamp(issue.created), "updated_at": stamp(issue.updated),
            "author_association": self.association(repo, &issue.author), "timeline_url": format!("{url}/timeline"),
            "reactions": reaction_counts(&format!("{url}/reactions"), &issue.reactions),
            "performed_via_github_app": null,
        });
        if let Some(pull) = &issue.pull {
            let api = format!("{base}/pulls/{}", issue.number);
            shown["draft"] = json!(false);
            shown["pull_request"] = json!({
                "url": api, "html_url": html, "diff_url": format!("{html}.diff"), "patch_url": format!("{html}.patch"),
                "merged_at": pull.merged.as_ref().map(|merged| stamp(merged.at)),
            });
        }
        shown
    }

    pub(crate) fn show_label(&self, repo: &StoredRepository, label: &StoredLabel) -> Value {
        json!({
            "id": label.id, "node_id": node("LA", label.id), "url": format!("{}/labels/{}", self.repo_url(repo), label.name),
            "name": label.name, "color": label.color, "default": false, "description": label.description,
        })
    }

    pub(crate) fn labels_of(&self, repo: &StoredRepository, issue: &StoredIssue) -> Value {
        let known = issue.labels.iter().filter_map(|name| repo.labels.get(name));
        Value::Array(known.map(|label| self.show_label(repo, label)).collect())
    }
}

/// The `reactions` field: the count of each kind.
pub(crate) fn reaction_counts(url: &str, all: &BTreeMap<u64, StoredReaction>) -> Value {
    let mut shown = json!({"url": url, "total_count": all.len()});
    for kind in KINDS {
        shown[kind] = json!(
            all.values()
                .filter(|reaction| reaction.kind == kind)
                .count()
        );
    }
    shown
}
