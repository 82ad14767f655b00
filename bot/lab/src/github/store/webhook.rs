//! Webhooks that were sent or wait to be sent.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use tokio::sync::Notify;

/// What may happen to a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebhookFault {
    /// It never arrives.
    Lose,
    /// It arrives twice, with one GUID.
    Duplicate,
    /// It arrives after the one that follows it.
    Delay,
}

/// What became of a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebhookOutcome {
    /// It waits or is on its way.
    Waiting,
    /// The other side answered with that status.
    Answered(u16),
    /// Nobody answered.
    Unreachable,
    /// It was lost on purpose.
    Lost,
}

impl WebhookOutcome {
    pub(crate) fn is_ok(self) -> bool {
        matches!(self, Self::Answered(200..300))
    }
}

/// One webhook on its way, or gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookDelivery {
    /// Counts up; a redelivery has a new one.
    pub id: u64,
    /// `X-GitHub-Delivery`: a redelivery keeps it.
    pub guid: String,
    /// `X-GitHub-Event`.
    pub event: &'static str,
    /// The payload's `action`, where it has one.
    pub action: Option<String>,
    /// The raw bytes that are signed.
    pub body: Vec<u8>,
    /// When it was sent, in seconds since 1970.
    pub delivered_at: i64,
    /// Whether it was sent again by request.
    pub redelivery: bool,
    /// What became of it.
    pub outcome: WebhookOutcome,
    pub(crate) repository: Option<u64>,
}

/// Webhooks that were, and are to be, sent.
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
