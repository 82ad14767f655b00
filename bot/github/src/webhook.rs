//! Webhooks: whether GitHub signed a request, and what its body says that happened.

pub mod event;
mod signature;
mod verify;

pub use signature::{Forged, WebhookSignature};
pub use verify::{SignedDelivery, receive};
