//! Messages to GitHub: enqueued by the part that decides on them, sent within GitHub's limits.

pub(crate) mod backoff;
pub(crate) mod queue;
mod rate_limit;
mod send;

pub(crate) use queue::{Conversation, OutboxQueue, answer_key, reaction_key};
pub use send::Outbox;
