//! Issues, and pull requests as issues: number, title, text, labels, open or closed.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::answer::{Answer, Call, fits, maybe, ok};
use super::pull::Pull;
use super::repo::Repository;
use super::{GitHub, node, stamp};
use crate::wire::Response;

/// The longest text of an issue, a pull request or a comment, in characters.
pub(crate) const BODY_MAX: usize = 65_536;
/// The longest title.
pub(crate) const TITLE_MAX: usize = 256;

#[derive(Clone, Debug)]
pub(crate) struct Issue {
    pub(crate) id: u64,
    pub(crate) number: u64,
    pub(crate) title: String,
    pub(crate) body: Option<String>,
    pub(crate) author: String,
    pub(crate) labels: BTreeSet<String>,
    pub(crate) created: i64,
    pub(crate) updated: i64,
    pub(crate) closed: Option<i64>,
    pub(crate) locked: bool,
    pub(crate) reactions: BTreeMap<u64, super::reaction::Reaction>,
    pub(crate) reviews: Vec<super::review::Review>,
    pub(crate) pull: Option<Pull>,
}

impl Issue {
    pub(crate) fn is_open(&self) -> bool {
        self.closed.is_none()
    }

    pub(crate) fn is_merged(&self) -> bool {
        self.pull.as_ref().is_some_and(|pull| pull.merged.is_some())
    }

    pub(crate) fn word(&self) -> &'static str {
        if self.is_open() { "open" } else { "closed" }
    }
}

/// What an edit changed, as the `edited` webhook tells it.
pub(crate) type Changes = serde_json::Map<String, Value>;

/// Puts `title` and `body` of a request into an issue; what they were before.
pub(crate) fn retell(issue: &mut Issue, body: &Value) -> Result<Changes, Response> {
    let mut changes = Changes::new();
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

impl Repository {
    pub(crate) fn find_issue(&self, number: &str) -> Result<&Issue, Response> {
        number
            .parse()
            .ok()
            .and_then(|number: u64| self.issues.get(&number))
            .ok_or_else(super::answer::not_found)
    }
}

impl GitHub {
    /// Everything that an issue has, also where it is a pull request.
    pub(crate) fn show_issue(&self, repo: &Repository, issue: &Issue) -> Value {
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
            "reactions": super::reaction::rollup(&format!("{url}/reactions"), &issue.reactions),
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

    /// `GET /repos/{owner}/{repo}/issues/{issue_number}`
    pub(crate) fn get_issue(&self, call: &Call<'_>, number: &str) -> Answer {
        let repo = self.repo(&call.repo);
        let issue = repo.find_issue(number)?;
        Ok(ok(&self.show_issue(repo, issue)))
    }

    /// `PATCH /repos/{owner}/{repo}/issues/{issue_number}`: a pull request is edited as one.
    pub(crate) fn patch_issue(&mut self, call: &Call<'_>, number: &str) -> Answer {
        let found = self.repo(&call.repo).find_issue(number)?;
        let number = found.number;
        self.may_edit(call, &found.author)?;
        let body = call.json()?;
        if found.pull.is_some() {
            self.edit_pull(call, number, &body)?;
        } else {
            let now = self.now;
            let issue = self.issue_mut(&call.repo, number);
            retell(issue, &body)?;
            match body["state"].as_str() {
                Some("closed") => issue.closed = issue.closed.or(Some(now)),
                Some(_) => issue.closed = None,
                None => {}
            }
            issue.updated = now;
        }
        let repo = self.repo(&call.repo);
        Ok(ok(&self.show_issue(repo, &repo.issues[&number])))
    }

    pub(crate) fn issue_mut(&mut self, key: &str, number: u64) -> &mut Issue {
        self.repo_mut(key)
            .issues
            .get_mut(&number)
            .expect("this issue was found before")
    }

    /// A new issue with the next number.
    pub(crate) fn add_issue(
        &mut self,
        key: &str,
        author: &str,
        [title, body]: [Option<String>; 2],
        pull: Option<Pull>,
    ) -> u64 {
        let (id, now) = (self.id(), self.now);
        let repo = self.repo_mut(key);
        let number = repo.issues.len() as u64 + 1;
        let issue = Issue {
            id,
            number,
            title: title.unwrap_or_default(),
            body,
            author: author.to_owned(),
            labels: BTreeSet::new(),
            created: now,
            updated: now,
            closed: None,
            locked: false,
            reactions: BTreeMap::new(),
            reviews: vec![],
            pull,
        };
        repo.issues.insert(number, issue);
        number
    }
}
