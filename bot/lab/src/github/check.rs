//! Endpoints of check runs and check suites, which only an app may write.

use serde_json::{Value, json};

use super::answer::{
    ApiCall, GitHubAnswer, created, fits, forbidden, invalid, maybe, not_found, ok, refusal, stamp,
    text,
};
use super::git::Oid;
use super::store::{GitHubActor, LabGitHub, StoredCheckRun, StoredCheckSuite};
use crate::wire::LabResponse;

/// Most annotations in one request.
const ANNOTATIONS_MAX: usize = 50;

/// Most action buttons of a check run.
const ACTIONS_MAX: usize = 3;

/// Limit of a summary or text, in characters.
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

impl LabGitHub {
    /// `POST …/check-runs`
    pub(crate) fn create_run(&mut self, call: &ApiCall<'_>) -> GitHubAnswer {
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
        let mut run = StoredCheckRun {
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
        apply_fields(&mut run, &body, self.now)?;
        run.started = run.started.or_else(|| Some(stamp(self.now)));
        let id = run.id;
        self.repo_mut(&call.repo).runs.insert(id, run);
        self.send_check_run_event(&call.repo, id, &self.app.login(), ("created", json!({})));
        let repo = self.repo(&call.repo);
        let shown = self.show_run(repo, &repo.runs[&id]);
        self.send_completed_event(&call.repo, id);
        Ok(created(&shown))
    }

    fn send_completed_event(&mut self, key: &str, id: u64) {
        if self.repo(key).runs[&id].status == "completed" {
            self.send_check_run_event(key, id, &self.app.login(), ("completed", json!({})));
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
            StoredCheckSuite {
                id,
                oid,
                branch,
                at,
            },
        );
        id
    }

    /// `PATCH …/check-runs/{check_run_id}`
    pub(crate) fn update_run(&mut self, call: &ApiCall<'_>, id: &str) -> GitHubAnswer {
        by_app(call)?;
        let body = call.json()?;
        let mut run = self.repo(&call.repo).find_run(id)?.clone();
        let was = run.status.clone();
        apply_fields(&mut run, &body, self.now)?;
        if let Some(name) = maybe(&body, "name") {
            run.name = name;
        }
        let id = run.id;
        self.repo_mut(&call.repo).runs.insert(id, run);
        if was != "completed" {
            self.send_completed_event(&call.repo, id);
        }
        let repo = self.repo(&call.repo);
        Ok(ok(&self.show_run(repo, &repo.runs[&id])))
    }

    /// `GET …/check-runs/{check_run_id}`
    pub(crate) fn get_run(&self, call: &ApiCall<'_>, id: &str) -> GitHubAnswer {
        let repo = self.repo(&call.repo);
        Ok(ok(&self.show_run(repo, repo.find_run(id)?)))
    }

    /// `GET …/check-runs/{check_run_id}/annotations`
    pub(crate) fn list_annotations(&self, call: &ApiCall<'_>, id: &str) -> GitHubAnswer {
        let repo = self.repo(&call.repo);
        let run = repo.find_run(id)?;
        let html = self.repo_html(repo);
        let show = |annotation: &Value| {
            let mut shown = annotation.clone();
            for field in ["start_column", "end_column", "title", "raw_details"] {
                shown[field] = annotation[field].clone();
            }
            shown["blob_href"] = json!(format!(
                "{html}/blob/{}/{}",
                run.oid,
                annotation["path"].as_str().unwrap_or_default()
            ));
            shown
        };
        Ok(self
            .page(call, run.annotations.iter().collect(), show)
            .answer())
    }

    /// `GET …/commits/{ref}/check-runs`: the latest of each name, unless `filter=all`.
    pub(crate) fn list_runs(&self, call: &ApiCall<'_>, name: &str) -> GitHubAnswer {
        let repo = self.repo(&call.repo);
        let oid = repo
            .resolve(name)
            .ok_or_else(|| refusal(422, &format!("No commit found for SHA: {name}")))?;
        let asked = |field| call.request.param(field);
        let latest = |run: &StoredCheckRun| {
            !repo
                .runs
                .values()
                .any(|other| other.oid == oid && other.name == run.name && other.id > run.id)
        };
        let mut all: Vec<&StoredCheckRun> = repo
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
    pub(crate) fn list_suites(&self, call: &ApiCall<'_>, name: &str) -> GitHubAnswer {
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
    pub(crate) fn get_suite(&self, call: &ApiCall<'_>, id: &str) -> GitHubAnswer {
        let repo = self.repo(&call.repo);
        let suite = id
            .parse()
            .ok()
            .and_then(|id: u64| repo.suites.get(&id))
            .ok_or_else(not_found)?;
        Ok(ok(&self.show_suite(repo, suite, true)))
    }

    /// `POST …/check-runs/{check_run_id}/rerequest`
    pub(crate) fn rerequest_run(&mut self, call: &ApiCall<'_>, id: &str) -> GitHubAnswer {
        let by = self.writer(call)?;
        let id = self.repo(&call.repo).find_run(id)?.id;
        self.send_check_run_event(&call.repo, id, &by, ("rerequested", json!({})));
        Ok(created(&json!({})))
    }
}

fn by_app(call: &ApiCall<'_>) -> Result<(), LabResponse> {
    match call.who {
        GitHubActor::Installation => Ok(()),
        GitHubActor::Anonymous => Err(refusal(401, "Requires authentication")),
        GitHubActor::User(_) | GitHubActor::App => Err(forbidden()),
    }
}

/// Applies the fields of a request to a check run.
fn apply_fields(run: &mut StoredCheckRun, body: &Value, now: i64) -> Result<(), LabResponse> {
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

fn output(run: &mut StoredCheckRun, output: &Value) -> Result<(), LabResponse> {
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
