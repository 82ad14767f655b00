//! Deployments: they show runs on GitHub's page of environments.

use http::Method;
use serde::Deserialize;
use serde_json::json;

use crate::webhook::event::Sha;
use crate::{GitHubError, Repository};

/// Characters of a status' description (GitHub's API description).
const DESCRIPTION_CHARACTERS_MAX: usize = 140;

/// A deployment as GitHub has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Deployed {
    /// GitHub's number.
    pub id: u64,
}

/// The state of a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeploymentStatus {
    /// Waiting for an operator.
    Pending,
    /// Running.
    InProgress,
    /// Finished and verified.
    Success,
    /// Stopped.
    Failure,
    /// Ended by an operator, or superseded.
    Inactive,
}

impl DeploymentStatus {
    fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::InProgress => "in_progress",
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Inactive => "inactive",
        }
    }
}

impl Repository {
    /// Creates a deployment of a commit to an environment. GitHub is asked to merge nothing and to wait for no check.
    pub async fn create_deployment(
        &self,
        commit: &Sha,
        environment: &str,
        digest: &str,
    ) -> Result<Deployed, GitHubError> {
        let what = format!("creating a deployment to `{environment}`");
        let route = format!("{}/deployments", self.root);
        let body = json!({
            "ref": commit,
            "environment": environment,
            "description": format!("plan {digest}"),
            "payload": { "digest": digest },
            "auto_merge": false,
            "required_contexts": [],
        });
        self.client
            .write(&what, Method::POST, (&route, &body))
            .await
    }

    /// Sets the state of a deployment.
    pub async fn set_deployment(
        &self,
        id: u64,
        status: DeploymentStatus,
        description: &str,
    ) -> Result<(), GitHubError> {
        let what = format!("updating deployment {id}");
        let route = format!("{}/deployments/{id}/statuses", self.root);
        let short: String = description
            .chars()
            .take(DESCRIPTION_CHARACTERS_MAX)
            .collect();
        let body = json!({ "state": status.word(), "description": short });
        self.client
            .submit(&what, Method::POST, (&route, &body))
            .await
    }
}
