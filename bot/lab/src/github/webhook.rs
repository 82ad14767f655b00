//! The webhook queue: signatures, deliveries, redeliveries, injected faults.

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::Sha256;

use super::store::{LabGitHub, WebhookDelivery, WebhookFault, WebhookOutcome};

impl LabGitHub {
    /// Sets the URL and the secret of the webhook.
    pub fn set_webhook(&mut self, url: &str, secret: &str) {
        self.outbox.url = Some(url.to_owned());
        secret.clone_into(&mut self.outbox.secret);
    }

    /// The secret that signs webhooks.
    pub fn webhook_secret(&self) -> &str {
        &self.outbox.secret
    }

    /// The `X-Hub-Signature-256` of a webhook with this body.
    pub fn sign(&self, body: &[u8]) -> String {
        signature(&self.outbox.secret, body)
    }

    /// Injects a fault into the next webhook; called twice, into the next two.
    pub fn inject_webhook_fault(&mut self, fault: WebhookFault) {
        self.outbox.faults.push_back(fault);
    }

    /// All deliveries so far, oldest first.
    pub fn deliveries(&self) -> Vec<&WebhookDelivery> {
        self.outbox.log.values().collect()
    }

    /// Takes the next webhook from the queue. The caller delivers it and calls [`Self::record_outcome`].
    pub fn take_delivery(&mut self) -> Option<WebhookDelivery> {
        let id = self.outbox.queue.pop_front()?;
        self.outbox.log.get(&id).cloned()
    }

    /// Records the result of a delivery.
    pub fn record_outcome(&mut self, id: u64, outcome: WebhookOutcome) {
        if let Some(one) = self.outbox.log.get_mut(&id) {
            one.outcome = outcome;
        }
    }

    /// Whether no webhook is waiting or being sent. A delayed one does not count: only another webhook releases it.
    pub fn is_settled(&self) -> bool {
        let delayed = self.outbox.delayed;
        self.outbox
            .log
            .values()
            .all(|one| one.outcome != WebhookOutcome::Waiting || Some(one.id) == delayed)
    }

    /// Sends a webhook again with the same GUID and returns the id of the new delivery.
    pub fn redeliver(&mut self, id: u64) -> Option<u64> {
        let one = self.outbox.log.get(&id)?.clone();
        let again = WebhookDelivery {
            redelivery: true,
            outcome: WebhookOutcome::Waiting,
            delivered_at: self.now,
            ..one
        };
        Some(self.enqueue(again))
    }

    /// The headers of a delivery, including the signature.
    pub fn headers(&self, one: &WebhookDelivery) -> Vec<(&'static str, String)> {
        vec![
            ("content-type", "application/json".to_owned()),
            ("user-agent", "GitHub-Hookshot/1ab0000".to_owned()),
            ("x-github-delivery", one.guid.clone()),
            ("x-github-event", one.event.to_owned()),
            ("x-github-hook-id", self.app.installation.to_string()),
            (
                "x-github-hook-installation-target-id",
                self.app.id.to_string(),
            ),
            (
                "x-github-hook-installation-target-type",
                "integration".to_owned(),
            ),
            (
                "x-hub-signature-256",
                signature(&self.outbox.secret, &one.body),
            ),
        ]
    }

    pub(crate) fn send(
        &mut self,
        event: &'static str,
        action: Option<&str>,
        repository: Option<u64>,
        payload: &Value,
    ) {
        self.outbox.guids += 1;
        let one = WebhookDelivery {
            id: 0,
            guid: format!("00000000-0000-4000-8000-{:012x}", self.outbox.guids),
            event,
            action: action.map(str::to_owned),
            body: payload.to_string().into_bytes(),
            delivered_at: self.now,
            redelivery: false,
            outcome: WebhookOutcome::Waiting,
            repository,
        };
        match self.outbox.faults.pop_front() {
            None => {
                self.enqueue(one);
            }
            Some(WebhookFault::Lose) => {
                self.log_delivery(WebhookDelivery {
                    outcome: WebhookOutcome::Lost,
                    ..one
                });
            }
            Some(WebhookFault::Duplicate) => {
                self.enqueue(one.clone());
                self.enqueue(one);
            }
            Some(WebhookFault::Delay) => {
                let id = self.log_delivery(one);
                self.outbox.queue.extend(self.outbox.delayed.replace(id));
            }
        }
    }

    fn log_delivery(&mut self, mut one: WebhookDelivery) -> u64 {
        one.id = self.id();
        let id = one.id;
        self.outbox.log.insert(id, one);
        id
    }

    /// Queues a delivery, followed by a delayed one. Without a webhook URL it is unreachable.
    fn enqueue(&mut self, one: WebhookDelivery) -> u64 {
        let id = self.log_delivery(one);
        let ids = std::iter::once(id).chain(self.outbox.delayed.take());
        if self.outbox.url.is_some() {
            self.outbox.queue.extend(ids);
            self.outbox.wake.notify_one();
        } else {
            for id in ids {
                self.record_outcome(id, WebhookOutcome::Unreachable);
            }
        }
        id
    }
}

/// `sha256=` and the HMAC of the raw body.
pub(crate) fn signature(secret: &str, body: &[u8]) -> String {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(body);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::signature;

    #[test]
    fn the_signature_matches_githubs_documentation() {
        // docs.github.com, "Validating webhook deliveries": the test values for implementations.
        assert_eq!(
            signature("It's a Secret to Everybody", b"Hello, World!"),
            "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
        );
    }
}
