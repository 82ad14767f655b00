//! The webhook configuration and deliveries as the API shows them.

use serde_json::{Value, json};

use crate::github::answer::stamp;
use crate::github::store::{LabGitHub, WebhookDelivery, WebhookOutcome};

impl LabGitHub {
    pub(crate) fn show_hook(&self) -> Value {
        json!({"content_type": "json", "insecure_ssl": "0", "secret": "********", "url": self.outbox.url.clone().unwrap_or_default()})
    }

    pub(crate) fn show_delivery(&self, one: &WebhookDelivery, whole: bool) -> Value {
        let (status, code) = one.outcome.status_text();
        let mut shown = json!({
            "id": one.id, "guid": one.guid, "delivered_at": stamp(one.delivered_at), "redelivery": one.redelivery,
            "duration": 0.01, "status": status, "status_code": code, "event": one.event, "action": one.action,
            "installation_id": self.app.installation, "repository_id": one.repository, "throttled_at": null,
        });
        if whole {
            let headers: serde_json::Map<String, Value> = self
                .headers(one)
                .into_iter()
                .map(|(name, value)| (name.to_owned(), json!(value)))
                .collect();
            let payload: Value = serde_json::from_slice(&one.body).unwrap_or_default();
            shown["url"] = json!(self.outbox.url.clone().unwrap_or_default());
            shown["request"] = json!({"headers": headers, "payload": payload});
            shown["response"] = json!({"headers": {}, "payload": ""});
        }
        shown
    }
}

impl WebhookOutcome {
    /// `status` and `status_code` in the log of deliveries.
    pub(crate) fn status_text(self) -> (&'static str, u16) {
        match self {
            Self::Waiting => ("pending", 0),
            Self::Answered(code @ 200..300) => ("OK", code),
            Self::Answered(code) => ("Invalid HTTP Response", code),
            Self::Unreachable | Self::Lost => ("failed to connect to host", 0),
        }
    }
}
