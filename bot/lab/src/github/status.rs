//! Endpoints of commit statuses, and the combined status.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::answer::{
    ApiCall, GitHubAnswer, created, fits, invalid, maybe, node, not_found, refusal, stamp, text,
};
use super::store::{LabGitHub, StoredRepository, StoredStatus};

const STATES: [&str; 4] = ["error", "failure", "pending", "success"];

/// Limits of a description and of a context, in characters.
const DESCRIPTION_MAX: usize = 140;

const NAME_MAX: usize = 255;

impl LabGitHub {
    fn show_status(&self, repo: &StoredRepository, status: &StoredStatus) -> Value {
        json!({
            "url": format!("{}/statuses/{}", self.repo_url(repo), status.oid), "id": status.id, "node_id": node("SC", status.id),
            "avatar_url": self.user(&status.by)["avatar_url"], "state": status.state, "description": status.description,
            "target_url": status.target_url, "context": status.name, "created_at": stamp(status.at),
            "updated_at": stamp(status.at), "creator": self.user(&status.by),
        })
    }

    /// `POST …/statuses/{sha}`
    pub(crate) fn create_status(&mut self, call: &ApiCall<'_>, sha: &str) -> GitHubAnswer {
        let by = self.writer(call)?;
        let body = call.json()?;
        let state = text(&body, "Status", "state")?.to_owned();
        if !STATES.contains(&state.as_str()) {
            return Err(invalid("Status", "state", "invalid", ""));
        }
        let name = maybe(&body, "context").unwrap_or_else(|| "default".to_owned());
        let description = maybe(&body, "description");
        fits(&name, "Status", "context", NAME_MAX)?;
        fits(
            description.as_deref().unwrap_or_default(),
            "Status",
            "description",
            DESCRIPTION_MAX,
        )?;
        let repo = self.repo(&call.repo);
        let oid = sha
            .parse()
            .ok()
            .filter(|oid| repo.git.commit(*oid).is_some());
        let oid = oid.ok_or_else(|| refusal(422, &format!("No commit found for SHA: {sha}")))?;
        let (id, at) = (self.id(), self.now);
        let status = StoredStatus {
            id,
            oid,
            state,
            name,
            description,
            target_url: maybe(&body, "target_url"),
            by,
            at,
        };
        self.repo_mut(&call.repo).statuses.push(status.clone());
        Ok(created(&self.show_status(self.repo(&call.repo), &status)))
    }

    /// `GET …/commits/{ref}/statuses`, newest first.
    pub(crate) fn list_statuses(&self, call: &ApiCall<'_>, name: &str) -> GitHubAnswer {
        let repo = self.repo(&call.repo);
        let oid = repo.resolve(name).ok_or_else(not_found)?;
        let all = repo
            .statuses
            .iter()
            .rev()
            .filter(|status| status.oid == oid);
        Ok(self
            .page(call, all.collect(), |status| self.show_status(repo, status))
            .answer())
    }

    /// `GET …/commits/{ref}/status`: the latest of each name.
    pub(crate) fn combined_status(&self, call: &ApiCall<'_>, name: &str) -> GitHubAnswer {
        let repo = self.repo(&call.repo);
        let oid = repo.resolve(name).ok_or_else(not_found)?;
        let of = repo.statuses.iter().filter(|status| status.oid == oid);
        let latest: BTreeMap<&str, &StoredStatus> =
            of.map(|status| (status.name.as_str(), status)).collect();
        let any = |states: &[&str]| {
            latest
                .values()
                .any(|status| states.contains(&status.state.as_str()))
        };
        let state = if any(&["error", "failure"]) {
            "failure"
        } else if latest.is_empty() || any(&["pending"]) {
            "pending"
        } else {
            "success"
        };
        let (url, total) = (self.repo_url(repo), latest.len());
        let page = self.page(call, latest.into_values().collect(), |status| {
            let mut shown = self.show_status(repo, status);
            if let Value::Object(fields) = &mut shown {
                fields.shift_remove("creator"); // in short, without its author
            }
            shown
        });
        Ok(page.within(|statuses| {
            json!({
                "state": state, "statuses": statuses, "sha": oid.to_string(), "total_count": total,
                "repository": self.show_repo(repo), "commit_url": format!("{url}/commits/{oid}"),
                "url": format!("{url}/commits/{oid}/status"),
            })
        }))
    }
}
