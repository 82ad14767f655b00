//! The app as the API shows it.

use serde_json::{Value, json};

use crate::github::answer::{node, stamp};
use crate::github::store::{LabGitHub, START_TIME};

/// The events that the app is subscribed to.
pub(crate) const EVENTS: [&str; 4] = ["check_run", "issue_comment", "pull_request", "push"];

impl LabGitHub {
    /// The app's owner: the owner of the first repository that is not a fork.
    pub(crate) fn app_owner(&self) -> String {
        let first = self
            .repositories
            .values()
            .find(|repo| repo.parent.is_none());
        first.map_or_else(|| self.app.login(), |repo| repo.owner.clone())
    }

    pub(crate) fn show_app(&self) -> Value {
        let html = format!("{}/apps/{}", self.base, self.app.slug);
        json!({
            "id": self.app.id, "slug": self.app.slug, "node_id": node("A", self.app.id), "owner": self.user(&self.app_owner()),
            "name": self.app.slug, "description": "", "external_url": html, "html_url": html, "created_at": stamp(START_TIME),
            "updated_at": stamp(START_TIME), "permissions": rights(), "events": EVENTS,
        })
    }
}

pub(crate) fn rights() -> Value {
    json!({
        "checks": "write", "contents": "write", "deployments": "write", "issues": "write", "members": "read",
        "metadata": "read", "pull_requests": "write", "statuses": "write",
    })
}
