//! Check runs and the suites that hold them: only an app writes them.

use serde_json::{Value, json};

use super::answer::{
    Answer, Call, fits, forbidden, invalid, made, maybe, not_found, ok, refusal, text,
};
use super::git::Oid;
use super::people::Who;
use super::repo::Repository;
use super::{GitHub, node, stamp};
use crate::wire::Response;

/// Annotations in one request.
const ANNOTATIONS_MAX: usize = 50;
/// Buttons of a check run.
const ACTIONS_MAX: usize = 3;
/// Characters of a summary or text.
const TEXT_MAX: usize = 65_535;

const STATUSES: [&str; 3] = ["queued", "in_progress", "completed"];
const CONCLUSIONS: [&str; 7] = [
    "action_required",
    "cancelled",
    "failure",
    "neutral",
    "success",
    "skipped",
    "timed_out",
];

#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) id: u64,
    pub(crate) suite: u64,
    pub(crate) oid: Oid,
    pub(crate) name: String,
    pub(crate) external_id: String,
    pub(crate) details_url: Option<String>,
    pub(crate) status: String,
    pub(crate) conclusion: Option<String>,
    pub(crate) started: Option<String>,
    pub(crate) completed: Option<String>,
    pub(crate) title: Option<String>,
    pub(crate) summary: Option<String>,
    pub(crate) text: Option<String>,
    pub(crate) annotations: Vec<Value>,
    pub(crate) actions: Vec<Value>,
}

/// What one app has to say about one commit.
#[derive(Clone, Debug)]
pub(crate) struct Suite {
    pub(crate) id: u64,
    pub(crate) oid: Oid,
    pub(crate) branch: Option<String>,
    pub(crate) at: i64,
}

impl Repository {
    pub(crate) fn find_run(&self, id: &str) -> Result<&Run, Response> {
        id.parse()
            .ok()
            .and_then(|id: u64| self.runs.get(&id))
            .ok_or_else(not_found)
    }
}

impl GitHub {
    pub(crate) fn show_run(&self, repo: &Repository, run: &Run) -> Value {
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

    /// The open pull requests whose head that commit is, in very short.
    fn pulls_at(&self, repo: &Repository, oid: Oid) -> Value {
        let url = self.repo_url(repo);
        let here = json!({"id": repo.id, "url": url, "name": repo.name});
        let open = repo.issues.values().filter(|issue| issue.is_open());
        let at = open
            .filter_map(|issue| Some((issue, issue.pull.as_ref()?)))
            .filter(|(_, pull)| pull.head_oid == oid && pull.fork.is_none());
        let show = |(issue, pull): (&super::issue::Issue, &super::pull::Pull)| {
            json!({
                "id": issue.id, "number": issue.number, "url": format!("{url}/pulls/{}", issue.number),
                "head": {"ref": pull.head, "sha": pull.head_oid.to_string(), "repo": here},
                "base": {"ref": pull.base, "sha": pull.base_oid.to_string(), "repo": here},
            })
        };
        Value::Array(at.map(show).collect())
    }

    /// A run as webhooks show it: with its whole suite.
    pub(crate) fn show_run_with_suite(&self, repo: &Repository, run: &Run) -> Value {
        let mut shown = self.show_run(repo, run);
        shown["check_suite"] = self.show_suite(repo, &repo.suites[&run.suite], false);
        shown
    }

    fn show_suite(&self, repo: &Repository, suite: &Suite, whole: bool) -> Value {
        let url = format!("{}/check-suites/{}", self.repo_url(repo), suite.id);
        let runs: Vec<&Run> = repo
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

    /// `POST …/check-runs`
    pub(crate) fn create_run(&mut self, call: &Call<'_>) -> Answer {
        by_app(call)?;
        let body = call.json()?;
        let name = text(&body, "CheckRun", "name")?.to_owned();
        let sha = text(&body, "CheckRun", "head_sha")?;
        let repo = self.repo(&call.repo);
        let oid = sha
            .parse()
            .ok()
            .filter(|oid| repo.git.commit(*oid).is_some());
        let oid = oid.ok_or_else(|| refusal(422, &format!("No commit found for SHA: {sha}")))?;
        let suite = self.suite_for(&call.repo, oid);
        let mut run = Run {
            id: self.id(),
            suite,
            oid,
            name,
            external_id: String::new(),
            details_url: None,
            status: "queued".to_owned(),
            conclusion: None,
            started: None,
            completed: None,
            title: None,
            summary: None,
            text: None,
            annotations: vec![],
            actions: vec![],
        };
        told(&mut run, &body, self.now)?;
        run.started = run.started.or_else(|| Some(stamp(self.now)));
        let id = run.id;
        self.repo_mut(&call.repo).runs.insert(id, run);
        self.tell_run(&call.repo, id, &self.app.login(), ("created", json!({})));
        let repo = self.repo(&call.repo);
        let shown = self.show_run(repo, &repo.runs[&id]);
        self.tell_completion(&call.repo, id);
        Ok(made(&shown))
    }

    fn tell_completion(&mut self, key: &str, id: u64) {
        if self.repo(key).runs[&id].status == "completed" {
            self.tell_run(key, id, &self.app.login(), ("completed", json!({})));
        }
    }

    fn suite_for(&mut self, key: &str, oid: Oid) -> u64 {
        let repo = self.repo(key);
        if let Some(known) = repo.suites.values().find(|suite| suite.oid == oid) {
            return known.id;
        }
        let branch = repo
            .branches()
            .into_iter()
            .find(|(_, tip)| *tip == oid)
            .map(|(name, _)| name.to_owned());
        let (id, at) = (self.id(), self.now);
        self.repo_mut(key).suites.insert(
            id,
            Suite {
                id,
                oid,
                branch,
                at,
            },
        );
        id
    }

    /// `PATCH …/check-runs/{check_run_id}`
    pub(crate) fn update_run(&mut self, call: &Call<'_>, id: &str) -> Answer {
        by_app(call)?;
        let body = call.json()?;
        let mut run = self.repo(&call.repo).find_run(id)?.clone();
        let was = run.status.clone();
        told(&mut run, &body, self.now)?;
        if let Some(name) = maybe(&body, "name") {
            run.name = name;
        }
        let id = run.id;
        self.repo_mut(&call.repo).runs.insert(id, run);
        if was != "completed" {
            self.tell_completion(&call.repo, id);
        }
        let repo = self.repo(&call.repo);
        Ok(ok(&self.show_run(repo, &repo.runs[&id])))
    }

    /// `GET …/check-runs/{check_run_id}`
    pub(crate) fn get_run(&self, call: &Call<'_>, id: &str) -> Answer {
        let repo = self.repo(&call.repo);
        Ok(ok(&self.show_run(repo, repo.find_run(id)?)))
    }

    /// `GET …/check-runs/{check_run_id}/annotations`
    pub(crate) fn list_annotations(&self, call: &Call<'_>, id: &str) -> Answer {
        let repo = self.repo(&call.repo);
        let run = repo.find_run(id)?;
        let html = self.repo_html(repo);
        let show = |told: &Value| {
            let mut shown = told.clone();
            for field in ["start_column", "end_column", "title", "raw_details"] {
                shown[field] = told[field].clone();
            }
            shown["blob_href"] = json!(format!(
                "{html}/blob/{}/{}",
                run.oid,
                told["path"].as_str().unwrap_or_default()
            ));
            shown
        };
        Ok(self
            .page(call, run.annotations.iter().collect(), show)
            .answer())
    }

    /// `GET …/commits/{ref}/check-runs`: the latest of each name, unless `filter=all`.
    pub(crate) fn list_runs(&self, call: &Call<'_>, name: &str) -> Answer {
        let repo = self.repo(&call.repo);
        let oid = repo
            .resolve(name)
            .ok_or_else(|| refusal(422, &format!("No commit found for SHA: {name}")))?;
        let asked = |field| call.request.param(field);
        let latest = |run: &Run| {
            !repo
                .runs
                .values()
                .any(|other| other.oid == oid && other.name == run.name && other.id > run.id)
        };
        let mut all: Vec<&Run> = repo
            .runs
            .values()
            .filter(|run| run.oid == oid)
            .filter(|run| asked("check_name").is_none_or(|name| name == run.name))
            .filter(|run| asked("status").is_none_or(|status| status == run.status))
            .filter(|run| asked("filter") == Some("all") || latest(run))
            .collect();
        all.reverse();
        Ok(self
            .page(call, all, |run| self.show_run(repo, run))
            .counted("check_runs"))
    }

    /// `GET …/commits/{ref}/check-suites`
    pub(crate) fn list_suites(&self, call: &Call<'_>, name: &str) -> Answer {
        let repo = self.repo(&call.repo);
        let oid = repo
            .resolve(name)
            .ok_or_else(|| refusal(422, &format!("No commit found for SHA: {name}")))?;
        let all = repo
            .suites
            .values()
            .filter(|suite| suite.oid == oid)
            .collect();
        Ok(self
            .page(call, all, |suite| self.show_suite(repo, suite, true))
            .counted("check_suites"))
    }

    /// `GET …/check-suites/{check_suite_id}`
    pub(crate) fn get_suite(&self, call: &Call<'_>, id: &str) -> Answer {
        let repo = self.repo(&call.repo);
        let suite = id
            .parse()
            .ok()
            .and_then(|id: u64| repo.suites.get(&id))
            .ok_or_else(not_found)?;
        Ok(ok(&self.show_suite(repo, suite, true)))
    }

    /// `POST …/check-runs/{check_run_id}/rerequest`
    pub(crate) fn rerequest_run(&mut self, call: &Call<'_>, id: &str) -> Answer {
        let by = self.writer(call)?;
        let id = self.repo(&call.repo).find_run(id)?.id;
        self.tell_run(&call.repo, id, &by, ("rerequested", json!({})));
        Ok(made(&json!({})))
    }
}

fn by_app(call: &Call<'_>) -> Result<(), Response> {
    match call.who {
        Who::Installation => Ok(()),
        Who::Nobody => Err(refusal(401, "Requires authentication")),
        Who::Person(_) | Who::App => Err(forbidden()),
    }
}

/// Puts what a request says into a run.
fn told(run: &mut Run, body: &Value, now: i64) -> Result<(), Response> {
    let word = |field: &str, known: &[&str]| match body[field].as_str() {
        Some(word) if known.contains(&word) => Ok(Some(word.to_owned())),
        Some(_) => Err(invalid("CheckRun", field, "invalid", "")),
        None => Ok(None),
    };
    run.details_url = maybe(body, "details_url").or(run.details_url.take());
    if let Some(external) = maybe(body, "external_id") {
        run.external_id = external;
    }
    run.started = maybe(body, "started_at").or(run.started.take());
    let conclusion = word("conclusion", &CONCLUSIONS)?;
    if let Some(status) = word("status", &STATUSES)? {
        if status == "completed" && conclusion.is_none() && run.conclusion.is_none() {
            return Err(invalid("CheckRun", "conclusion", "missing_field", ""));
        }
        if status != "completed" {
            (run.conclusion, run.completed) = (None, None);
        }
        run.status = status;
    }
    if conclusion.is_some() {
        "completed".clone_into(&mut run.status);
        run.completed = maybe(body, "completed_at").or_else(|| Some(stamp(now)));
        run.conclusion = conclusion;
    }
    if let Some(actions) = body["actions"].as_array() {
        if actions.len() > ACTIONS_MAX {
            return Err(invalid(
                "CheckRun",
                "actions",
                "custom",
                "actions exceeds a maximum quantity of 3",
            ));
        }
        run.actions.clone_from(actions);
    }
    output(run, &body["output"])
}

fn output(run: &mut Run, output: &Value) -> Result<(), Response> {
    if output.is_null() {
        return Ok(());
    }
    for field in ["summary", "text"] {
        fits(
            output[field].as_str().unwrap_or_default(),
            "CheckRun",
            field,
            TEXT_MAX,
        )?;
    }
    run.title = maybe(output, "title").or(run.title.take());
    run.summary = maybe(output, "summary").or(run.summary.take());
    run.text = maybe(output, "text").or(run.text.take());
    let more = output["annotations"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    if more.len() > ANNOTATIONS_MAX {
        return Err(invalid(
            "CheckRun",
            "annotations",
            "custom",
            "annotations exceeds a maximum quantity of 50",
        ));
    }
    for one in &more {
        for field in ["path", "message", "annotation_level"] {
            text(one, "CheckRun", field)?;
        }
    }
    run.annotations.extend(more);
    Ok(())
}

fn simple_commit(repo: &Repository, oid: Oid) -> Value {
    let Some(commit) = repo.git.commit(oid) else {
        return Value::Null;
    };
    let who = |who: &super::git::Signature| json!({"name": who.name, "email": who.email});
    json!({
        "id": oid.to_string(), "tree_id": commit.tree.to_string(), "message": commit.message,
        "timestamp": stamp(commit.committer.at), "author": who(&commit.author), "committer": who(&commit.committer),
    })
}
