//! Webhooks that were sent or wait to be sent.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use tokio::sync::Notify;

/// A fault in the delivery of a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebhookFault {
    /// It never arrives.
    Lose,
    /// It arrives twice, with one GUID.
    Duplicate,
    /// It arrives after the one that follows it.
    Delay,
}

/// The result of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebhookOutcome {
    /// It waits or is being sent.
    Waiting,
    /// The receiver answered with this status.
    Answered(u16),
    /// The receiver did not answer.
    Unreachable,
    /// It was lost by [`WebhookFault::Lose`].
    Lost,
}

impl WebhookOutcome {
    pub(crate) fn is_ok(self) -> bool {
        matches!(self, Self::Answered(200..300))
    }
}

/// One delivery of a webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookDelivery {
    /// Increases with each delivery; a redelivery has its own id.
    pub id: u64,
    /// `X-GitHub-Delivery`; a redelivery has the same one.
    pub guid: String,
    /// `X-GitHub-Event`, for example `push`.
    pub event: &'static str,
    /// The payload's `action`, if it has one.
    pub action: Option<String>,
    /// The raw payload, which is signed.
    pub body: Vec<u8>,
    /// Seconds since 1970.
    pub delivered_at: i64,
    /// Whether it is a redelivery.
    pub redelivery: bool,
    /// What became of it.
    pub outcome: WebhookOutcome,
    pub(crate) repository: Option<u64>,
}

/// The configuration of the webhook, its deliveries, and those that wait.
#[derive(Clone, Debug)]
pub(crate) struct WebhookQueue {
    pub(crate) url: Option<String>,
    pub(crate) secret: String,
    pub(crate) log: BTreeMap<u64, WebhookDelivery>,
    pub(crate) queue: VecDeque<u64>,
    pub(crate) delayed: Option<u64>,
    pub(crate) faults: VecDeque<WebhookFault>,
    pub(crate) guids: u64,
    pub(crate) wake: Arc<Notify>,
}

impl Default for WebhookQueue {
    fn default() -> Self {
        Self {
            url: None,
            secret: "a secret between the lab and its bot".to_owned(),
            log: BTreeMap::new(),
            queue: VecDeque::new(),
            delayed: None,
            faults: VecDeque::new(),
            guids: 0,
            wake: Arc::new(Notify::new()),
        }
    }
}
