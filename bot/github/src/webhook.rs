//! Webhooks: from bytes to a delivery that GitHub signed, and from a delivery to what happened.

pub mod event;
mod signature;
mod verify;

pub use signature::{Forged, WebhookSignature};
pub use verify::{SignedDelivery, receive};
