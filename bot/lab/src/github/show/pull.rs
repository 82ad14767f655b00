//! Pull requests as the API shows them.

use serde_json::{Value, json};

use super::commit::changed;
use crate::github::answer::{node, stamp};
use crate::github::git::Oid;
use crate::github::store::{LabGitHub, StoredIssue, StoredPullRequest, StoredRepository};

impl LabGitHub {
    /// A pull request as lists show it.
    pub(crate) fn show_pull_simple(
        &self,
        repo: &StoredRepository,
        issue: &StoredIssue,
        pull: &StoredPullRequest,
    ) -> Value {
        let (base, html) = (self.repo_url(repo), self.repo_html(repo));
        let (url, html) = (
            format!("{base}/pulls/{}", issue.number),
            format!("{html}/pull/{}", issue.number),
        );
        let comments = format!("{base}/issues/{}/comments", issue.number);
        let side = |owner: &str, branch: &str, oid: Oid| json!({"label": format!("{owner}:{branch}"), "ref": branch, "sha": oid.to_string(), "user": self.author(owner)});
        let mut head = side(pull.head_owner(repo), &pull.head, pull.head_oid);
        let of = pull
            .fork
            .as_ref()
            .map_or(Some(repo), |fork| self.repositories.get(fork));
        head["repo"] = of.map_or(Value::Null, |of| self.show_repo(of)); // null where the fork is gone
        let mut into = side(&repo.owner, &pull.base, pull.base_oid);
        into["repo"] = self.show_repo(repo);
        let merge_commit = pull.merged.as_ref().map(|merged| merged.oid).or(pull.trial);
        let links = [
            ("self", url.clone()),
            ("html", html.clone()),
            ("issue", format!("{base}/issues/{}", issue.number)),
            ("comments", comments.clone()),
            ("review_comments", format!("{url}/comments")),
            (
                "review_comment",
                format!("{base}/pulls/comments{{/number}}"),
            ),
            ("commits", format!("{url}/commits")),
            ("statuses", format!("{base}/statuses/{}", pull.head_oid)),
        ];
        let links = links
            .into_iter()
            .map(|(name, href)| (name.to_owned(), json!({"href": href})))
            .collect();
        json!({
            "url": url, "id": issue.id, "node_id": node("PR", issue.id), "html_url": html,
            "diff_url": format!("{html}.diff"), "patch_url": format!("{html}.patch"),
            "issue_url": format!("{base}/issues/{}", issue.number), "commits_url": format!("{url}/commits"),
            "review_comments_url": format!("{url}/comments"), "review_comment_url": format!("{base}/pulls/comments{{/number}}"),
            "comments_url": comments, "statuses_url": format!("{base}/statuses/{}", pull.head_oid),
            "number": issue.number, "state": issue.word(), "locked": issue.locked, "title": issue.title,
            "user": self.author(&issue.author), "body": issue.body, "labels": self.labels_of(repo, issue), "milestone": null,
            "active_lock_reason": null, "created_at": stamp(issue.created), "updated_at": stamp(issue.updated),
            "closed_at": issue.closed.map(stamp), "merged_at": pull.merged.as_ref().map(|merged| stamp(merged.at)),
            "merge_commit_sha": merge_commit.map(|oid| oid.to_string()), "assignee": null, "assignees": [],
            "requested_reviewers": [], "requested_teams": [], "draft": false,
            "head": head, "base": into,
            "_links": Value::Object(links),
            "author_association": self.association(repo, &issue.author), "auto_merge": null,
        })
    }

    /// A pull request with all fields.
    pub(crate) fn show_pull(&self, repo: &StoredRepository, issue: &StoredIssue) -> Value {
        let Some(pull) = &issue.pull else {
            return Value::Null;
        };
        let mut shown = self.show_pull_simple(repo, issue, pull);
        let from = repo
            .git
            .merge_base(pull.base_oid, pull.head_oid)
            .unwrap_or(pull.base_oid);
        let files = changed(&repo.git, Some(from), pull.head_oid);
        let comments = repo
            .comments
            .values()
            .filter(|comment| comment.issue == issue.number)
            .count();
        let mergeable = issue.is_open().then_some(pull.trial.is_some());
        let more = json!({
            "merged": pull.merged.is_some(), "mergeable": mergeable, "rebaseable": mergeable,
            "mergeable_state": match mergeable { Some(true) => "clean", Some(false) => "dirty", None => "unknown" },
            "merged_by": pull.merged.as_ref().map(|merged| self.user(&merged.by)), "comments": comments,
            "review_comments": 0, "maintainer_can_modify": false,
            "commits": repo.git.ahead(pull.base_oid, pull.head_oid).len(),
            "additions": files.iter().map(|file| file.additions).sum::<usize>(),
            "deletions": files.iter().map(|file| file.deletions).sum::<usize>(), "changed_files": files.len(),
        });
        if let (Value::Object(shown), Value::Object(more)) = (&mut shown, more) {
            shown.extend(more);
        }
        shown
    }
}
