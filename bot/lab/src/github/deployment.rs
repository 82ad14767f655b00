//! Endpoints of deployments, their statuses, and environments.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::answer::{
    ApiCall, GitHubAnswer, created, fits, invalid, maybe, node, ok, refusal, stamp, text,
};
use super::store::{LabGitHub, StoredDeployment, StoredDeploymentStatus, StoredRepository};
use crate::wire::LabResponse;

const STATES: [&str; 7] = [
    "error",
    "failure",
    "inactive",
    "in_progress",
    "queued",
    "pending",
    "success",
];

/// Limit of a status description, in characters.
const DESCRIPTION_MAX: usize = 140;

impl LabGitHub {
    fn show_deployment(&self, repo: &StoredRepository, one: &StoredDeployment) -> Value {
        let base = self.repo_url(repo);
        let url = format!("{base}/deployments/{}", one.id);
        let last = one
            .statuses
            .values()
            .next_back()
            .map_or(one.at, |step| step.at);
        json!({
            "url": url, "id": one.id, "node_id": node("DE", one.id), "sha": one.oid.to_string(), "ref": one.name,
            "task": one.task, "payload": one.payload, "original_environment": one.environment,
            "environment": one.environment, "description": one.description, "creator": self.user(&one.by),
            "created_at": stamp(one.at), "updated_at": stamp(last), "statuses_url": format!("{url}/statuses"),
            "repository_url": base, "transient_environment": false, "production_environment": false,
            "performed_via_github_app": null,
        })
    }

    fn show_deployment_status(
        &self,
        repo: &StoredRepository,
        one: &StoredDeployment,
        step: &StoredDeploymentStatus,
    ) -> Value {
        let base = self.repo_url(repo);
        let url = format!("{base}/deployments/{}", one.id);
        json!({
            "url": format!("{url}/statuses/{}", step.id), "id": step.id, "node_id": node("DS", step.id), "state": step.state,
            "creator": self.user(&step.by), "description": step.description, "environment": one.environment,
            "target_url": step.target_url, "log_url": step.target_url, "environment_url": "", "created_at": stamp(step.at),
            "updated_at": stamp(step.at), "deployment_url": url, "repository_url": base, "performed_via_github_app": null,
        })
    }

    /// `POST …/deployments`
    pub(crate) fn create_deployment(&mut self, call: &ApiCall<'_>) -> GitHubAnswer {
        let by = self.writer(call)?;
        let body = call.json()?;
        let name = text(&body, "Deployment", "ref")?.to_owned();
        let repo = self.repo(&call.repo);
        let oid = repo
            .resolve(&name)
            .ok_or_else(|| refusal(422, &format!("No ref found for: {name}")))?;
        let (id, at) = (self.id(), self.now);
        let one = StoredDeployment {
            id,
            oid,
            name,
            task: maybe(&body, "task").unwrap_or_else(|| "deploy".to_owned()),
            payload: if body["payload"].is_null() {
                json!({})
            } else {
                body["payload"].clone()
            },
            environment: maybe(&body, "environment").unwrap_or_else(|| "production".to_owned()),
            description: maybe(&body, "description"),
            by,
            at,
            statuses: BTreeMap::new(),
        };
        self.repo_mut(&call.repo)
            .deployments
            .insert(id, one.clone());
        Ok(created(&self.show_deployment(self.repo(&call.repo), &one)))
    }

    /// `GET …/deployments`, newest first.
    pub(crate) fn list_deployments(&self, call: &ApiCall<'_>) -> LabResponse {
        let repo = self.repo(&call.repo);
        let asked = |field| call.request.param(field);
        let all = repo.deployments.values().rev();
        let all = all.filter(|one| asked("sha").is_none_or(|sha| sha == one.oid.to_string()));
        let all = all.filter(|one| asked("ref").is_none_or(|name| name == one.name));
        let all = all.filter(|one| asked("environment").is_none_or(|name| name == one.environment));
        self.page(call, all.collect(), |one| self.show_deployment(repo, one))
            .answer()
    }

    /// `GET …/deployments/{deployment_id}`
    pub(crate) fn get_deployment(&self, call: &ApiCall<'_>, id: &str) -> GitHubAnswer {
        let repo = self.repo(&call.repo);
        Ok(ok(&self.show_deployment(repo, repo.find_deployment(id)?)))
    }

    /// `POST …/deployments/{deployment_id}/statuses`
    pub(crate) fn create_deployment_status(
        &mut self,
        call: &ApiCall<'_>,
        id: &str,
    ) -> GitHubAnswer {
        let by = self.writer(call)?;
        let body = call.json()?;
        let of = self.repo(&call.repo).find_deployment(id)?.id;
        let state = text(&body, "DeploymentStatus", "state")?.to_owned();
        if !STATES.contains(&state.as_str()) {
            return Err(invalid("DeploymentStatus", "state", "invalid", ""));
        }
        let description = maybe(&body, "description").unwrap_or_default();
        fits(
            &description,
            "DeploymentStatus",
            "description",
            DESCRIPTION_MAX,
        )?;
        let target = maybe(&body, "log_url").or_else(|| maybe(&body, "target_url"));
        let (id, at) = (self.id(), self.now);
        let step = StoredDeploymentStatus {
            id,
            state,
            description,
            target_url: target.unwrap_or_default(),
            by,
            at,
        };
        if let Some(one) = self.repo_mut(&call.repo).deployments.get_mut(&of) {
            one.statuses.insert(id, step.clone());
        }
        let repo = self.repo(&call.repo);
        Ok(created(&self.show_deployment_status(
            repo,
            &repo.deployments[&of],
            &step,
        )))
    }

    /// `GET …/deployments/{deployment_id}/statuses`, newest first.
    pub(crate) fn list_deployment_statuses(&self, call: &ApiCall<'_>, id: &str) -> GitHubAnswer {
        let repo = self.repo(&call.repo);
        let one = repo.find_deployment(id)?;
        let all = one.statuses.values().rev().collect();
        Ok(self
            .page(call, all, |step| {
                self.show_deployment_status(repo, one, step)
            })
            .answer())
    }

    /// `GET` and `PUT …/environments/{environment_name}`: every environment exists and has no rules.
    pub(crate) fn environment(&self, call: &ApiCall<'_>, name: &str) -> GitHubAnswer {
        if call.request.method == "PUT" {
            self.writer(call)?;
        }
        let repo = self.repo(&call.repo);
        Ok(ok(&json!({
            "id": repo.id, "node_id": node("EN", repo.id), "name": name,
            "url": format!("{}/environments/{name}", self.repo_url(repo)),
            "html_url": format!("{}/deployments/{name}", self.repo_html(repo)), "created_at": stamp(repo.created),
            "updated_at": stamp(repo.created), "protection_rules": [], "deployment_branch_policy": null,
        })))
    }
}
