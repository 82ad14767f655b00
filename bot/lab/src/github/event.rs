//! The payloads of webhooks.

use serde_json::{Value, json};

use super::answer::{node, stamp};
use super::branch::BranchUpdate;
use super::git::{GitSignature, Oid};
use super::show::app::EVENTS;
use super::show::commit::{ChangedFile, changed, signer_name};
use super::store::{LabGitHub, StoredRepository};

/// The event's `action` and its own fields.
pub(crate) type EventFields<'a> = (&'a str, Value);

impl LabGitHub {
    /// Sends the `ping` event, as GitHub does for a new webhook.
    pub fn ping(&mut self) {
        let (id, app) = (self.app.installation, self.app.id);
        let config = json!({"content_type": "json", "insecure_ssl": "0", "secret": "********", "url": self.outbox.url.clone().unwrap_or_default()});
        let hook = json!({
            "type": "App", "id": id, "name": "web", "active": true, "events": EVENTS, "config": config,
            "updated_at": stamp(self.now), "created_at": stamp(self.now), "app_id": app,
            "deliveries_url": format!("{}/app/hook/deliveries", self.base),
        });
        let payload = json!({"zen": "Speak like a human.", "hook_id": id, "hook": hook});
        self.send("ping", None, None, &payload);
    }

    /// The fields that every repository event has, merged with `own`.
    pub(crate) fn payload(&self, repo: &StoredRepository, by: &str, own: [Value; 2]) -> Value {
        let mut payload = json!({});
        let around = json!({
            "repository": self.show_repo(repo), "sender": self.author(by),
            "installation": {"id": self.app.installation, "node_id": node("IN", self.app.installation)},
        });
        for part in own.into_iter().chain([around]) {
            if let (Value::Object(all), Value::Object(part)) = (&mut payload, part) {
                all.extend(part);
            }
        }
        if self.organizations.contains_key(&repo.owner) {
            payload["organization"] = self.organization(&repo.owner);
        }
        payload
    }

    pub(crate) fn send_pull_request_event(
        &mut self,
        key: &str,
        number: u64,
        by: &str,
        (action, own): EventFields<'_>,
    ) {
        let repo = self.repo(key);
        let about = json!({"action": action, "number": number, "pull_request": self.show_pull(repo, &repo.issues[&number])});
        let (id, payload) = (repo.id, self.payload(repo, by, [about, own]));
        self.send("pull_request", Some(action), Some(id), &payload);
    }

    pub(crate) fn send_comment_event(
        &mut self,
        key: &str,
        id: u64,
        by: &str,
        (action, own): EventFields<'_>,
    ) {
        let repo = self.repo(key);
        let comment = &repo.comments[&id];
        let issue = self.show_issue(repo, &repo.issues[&comment.issue]);
        let about =
            json!({"action": action, "issue": issue, "comment": self.show_comment(repo, comment)});
        let (id, payload) = (repo.id, self.payload(repo, by, [about, own]));
        self.send("issue_comment", Some(action), Some(id), &payload);
    }

    pub(crate) fn send_check_run_event(
        &mut self,
        key: &str,
        id: u64,
        by: &str,
        (action, own): EventFields<'_>,
    ) {
        let repo = self.repo(key);
        let about =
            json!({"action": action, "check_run": self.show_run_with_suite(repo, &repo.runs[&id])});
        let (id, payload) = (repo.id, self.payload(repo, by, [about, own]));
        self.send("check_run", Some(action), Some(id), &payload);
    }

    pub(crate) fn send_push_event(&mut self, key: &str, step: &BranchUpdate) {
        let repo = self.repo(key);
        let (before, after) = (
            step.before.unwrap_or(Oid::ZERO),
            step.after.unwrap_or(Oid::ZERO),
        );
        let fresh = match (step.before, step.after) {
            (Some(before), Some(after)) => repo.git.ahead(before, after),
            (None, Some(after)) => {
                let main = repo
                    .git
                    .branch(&repo.default_branch)
                    .filter(|_| step.branch != repo.default_branch);
                main.map_or_else(
                    || repo.git.history(after).into_iter().rev().collect(),
                    |main| repo.git.ahead(main, after),
                )
            }
            (_, None) => vec![],
        };
        let commits: Vec<Value> = fresh
            .iter()
            .map(|oid| self.pushed_commit(repo, *oid))
            .collect();
        let mail = self.signature(&step.by).email;
        let about = json!({
            "ref": format!("refs/heads/{}", step.branch), "before": before.to_string(), "after": after.to_string(),
            "created": step.before.is_none(), "deleted": step.after.is_none(), "forced": step.forced, "base_ref": null,
            "compare": format!("{}/compare/{before}...{after}", self.repo_html(repo)), "commits": commits,
            "head_commit": step.after.map(|oid| self.pushed_commit(repo, oid)), "pusher": {"name": step.by, "email": mail},
        });
        let (id, mut payload) = (repo.id, self.payload(repo, &step.by, [about, json!({})]));
        // In a push event the repository's times are epoch seconds, and its owner has a name and an email.
        payload["repository"]["created_at"] = json!(repo.created);
        payload["repository"]["pushed_at"] = json!(repo.pushed);
        payload["repository"]["owner"]["name"] = json!(repo.owner);
        payload["repository"]["owner"]["email"] = Value::Null;
        payload["repository"]["master_branch"] = json!(repo.default_branch);
        self.send("push", None, Some(id), &payload);
    }

    pub(crate) fn pushed_commit(&self, repo: &StoredRepository, oid: Oid) -> Value {
        let Some(commit) = repo.git.commit(oid) else {
            return Value::Null;
        };
        let files = changed(&repo.git, commit.parents.first().copied(), oid);
        let of = |status: &str| -> Vec<&str> {
            files
                .iter()
                .filter(|file| file.status() == status)
                .map(ChangedFile::path)
                .collect()
        };
        let who = |who: &GitSignature| json!({"name": who.name, "email": who.email, "username": signer_name(who), "date": stamp(who.at)});
        json!({
            "id": oid.to_string(), "tree_id": commit.tree.to_string(), "distinct": true, "message": commit.message,
            "timestamp": stamp(commit.committer.at), "url": format!("{}/commit/{oid}", self.repo_html(repo)),
            "author": who(&commit.author), "committer": who(&commit.committer), "added": of("added"),
            "removed": of("removed"), "modified": of("modified"),
        })
    }
}
