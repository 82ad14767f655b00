//! Check runs and suites as the API and webhooks show them.

use serde_json::{Value, json};

use crate::github::answer::{node, stamp};
use crate::github::git::{GitSignature, Oid};
use crate::github::store::{
    LabGitHub, StoredCheckRun, StoredCheckSuite, StoredIssue, StoredPullRequest, StoredRepository,
};

impl LabGitHub {
    pub(crate) fn show_run(&self, repo: &StoredRepository, run: &StoredCheckRun) -> Value {
        let url = format!("{}/check-runs/{}", self.repo_url(repo), run.id);
        let html = format!("{}/runs/{}", self.repo_html(repo), run.id);
        json!({
            "id": run.id, "node_id": node("CR", run.id), "name": run.name, "head_sha": run.oid.to_string(),
            "external_id": run.external_id, "url": url, "html_url": html,
            "details_url": run.details_url.clone().unwrap_or_else(|| html.clone()),
            "status": run.status, "conclusion": run.conclusion, "started_at": run.started, "completed_at": run.completed,
            "output": {
                "title": run.title, "summary": run.summary, "text": run.text, "annotations_count": run.annotations.len(),
                "annotations_url": format!("{url}/annotations"),
            },
            "check_suite": {"id": run.suite}, "app": self.show_app(), "pull_requests": self.pulls_at(repo, run.oid),
        })
    }

    /// The open pull requests with this head commit, as check runs show them.
    pub(crate) fn pulls_at(&self, repo: &StoredRepository, oid: Oid) -> Value {
        let url = self.repo_url(repo);
        let here = json!({"id": repo.id, "url": url, "name": repo.name});
        let open = repo.issues.values().filter(|issue| issue.is_open());
        let at = open
            .filter_map(|issue| Some((issue, issue.pull.as_ref()?)))
            .filter(|(_, pull)| pull.head_oid == oid && pull.fork.is_none());
        let show = |(issue, pull): (&StoredIssue, &StoredPullRequest)| {
            json!({
                "id": issue.id, "number": issue.number, "url": format!("{url}/pulls/{}", issue.number),
                "head": {"ref": pull.head, "sha": pull.head_oid.to_string(), "repo": here},
                "base": {"ref": pull.base, "sha": pull.base_oid.to_string(), "repo": here},
            })
        };
        Value::Array(at.map(show).collect())
    }

    /// A check run as webhooks show it: with the whole suite.
    pub(crate) fn show_run_with_suite(
        &self,
        repo: &StoredRepository,
        run: &StoredCheckRun,
    ) -> Value {
        let mut shown = self.show_run(repo, run);
        shown["check_suite"] = self.show_suite(repo, &repo.suites[&run.suite], false);
        shown
    }

    pub(crate) fn show_suite(
        &self,
        repo: &StoredRepository,
        suite: &StoredCheckSuite,
        whole: bool,
    ) -> Value {
        let url = format!("{}/check-suites/{}", self.repo_url(repo), suite.id);
        let runs: Vec<&StoredCheckRun> = repo
            .runs
            .values()
            .filter(|run| run.suite == suite.id)
            .collect();
        let done = runs.iter().all(|run| run.status == "completed");
        let bad = runs.iter().any(|run| {
            matches!(
                run.conclusion.as_deref(),
                Some("failure" | "timed_out" | "action_required")
            )
        });
        let conclusion = done.then_some(if bad { "failure" } else { "success" });
        let parent = repo
            .git
            .commit(suite.oid)
            .and_then(|commit| commit.parents.first().copied());
        let mut shown = json!({
            "id": suite.id, "node_id": node("CS", suite.id), "head_branch": suite.branch, "head_sha": suite.oid.to_string(),
            "status": if done { "completed" } else { "in_progress" }, "conclusion": conclusion, "url": url,
            "before": parent.unwrap_or(Oid::ZERO).to_string(), "after": suite.oid.to_string(),
            "pull_requests": self.pulls_at(repo, suite.oid), "app": self.show_app(), "created_at": stamp(suite.at),
            "updated_at": stamp(suite.at),
        });
        if whole {
            shown["repository"] = self.show_repo(repo);
            shown["head_commit"] = simple_commit(repo, suite.oid);
            shown["latest_check_runs_count"] = json!(runs.len());
            shown["check_runs_url"] = json!(format!("{url}/check-runs"));
        }
        shown
    }
}

pub(crate) fn simple_commit(repo: &StoredRepository, oid: Oid) -> Value {
    let Some(commit) = repo.git.commit(oid) else {
        return Value::Null;
    };
    let who = |who: &GitSignature| json!({"name": who.name, "email": who.email});
    json!({
        "id": oid.to_string(), "tree_id": commit.tree.to_string(), "message": commit.message,
        "timestamp": stamp(commit.committer.at), "author": who(&commit.author), "committer": who(&commit.committer),
    })
}
