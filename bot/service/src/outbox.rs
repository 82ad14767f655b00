//! Messages that are owed to GitHub: queued by whoever decides them, sent within GitHub's limits.

pub(crate) mod backoff;
pub(crate) mod queue;
mod rate_limit;
mod send;

pub(crate) use queue::{Conversation, OutboxQueue, answer_key, reaction_key};
pub use send::Outbox;
