//! The durable store: deliveries, runs and their facts, the outbox, leases. The only SQL of the workspace.
//!
//! A delivery is stored before its webhook is answered, and settled once. A run's facts are only appended, under the epoch
//! of the site's lease. A message to GitHub is enqueued before it is sent. This crate must not know GitHub's or MAAS's
//! wire formats, nor what a fact means. It reads no clock: callers pass the time in.
//!
//! # Names in the database
//!
//! Some tables and columns are older than the words of the code. They keep their names: during a rolling upgrade the
//! version before works on the same tables, so a rename would need two copies that both versions write.
//!
//! | database | code |
//! |---|---|
//! | `delivery.place` | position in the queue |
//! | `delivery.again` | earliest time of the next attempt |
//! | `delivery.verdict` | [`Settled`] as JSON; `{"parked": …}` is a dead letter |
//! | `delivery.pull_lane`, `branch_lane` | [`Lanes`] |
//! | `heard` | [`HandledComment`] |
//! | `reply` | [`OutboxMessage`] |
//! | `reply.body` | [`OutboxPayload`], encoded as `payload.rs` says |
//! | `reply.place` | position in the outbox; a changed payload moves to the end |
//! | `reply.owed` | when the message was enqueued first |
//! | `reply.posted` | when this payload was sent; null while it is pending |
//! | `reply.created` | when GitHub created the object; 0 where that was not recorded |
//! | `reply.remote` | GitHub's id of the object |
//! | `reply.given_up` | the position at which sending was given up |
//! | `pull.merged_place` | [`PullRow::merged`] |
//! | `pull.touched` | when the row was last written |
//! | `run.record` | [`NewRun::record`]; `null` once retention has emptied it |

mod address;
mod backend;
mod check;
mod cursor;
mod dead_letter;
mod delivery;
mod dialect;
mod error;
mod fact;
mod journal;
mod lease;
mod lease_clock;
mod migration;
mod outbox;
mod payload;
mod postgres;
mod pull;
mod remedy;
mod retention;
mod row;
mod sqlite;
mod status;
mod write;

pub use address::StoreAddress;
pub use dead_letter::{FailedItem, Retried};
pub use delivery::{DeferReason, Delivery, HandledComment, Lanes, Settled, Stored, StoredDelivery};
pub use error::{JournalError, OpenError};
pub use fact::{NewRun, Run, RunId};
pub use journal::{CrashPoint, Journal};
pub use lease::{Lease, QUEUE};
pub use outbox::{Creations, OutboxMessage, PendingMessage, RateTier, SendFailure, Sent};
pub use payload::{
    AnnotationLevel, AnnotationPayload, CheckConclusion, CheckPayload, CheckState, HistoryPayload,
    OutboxKind, OutboxPayload, PayloadError, ReactionContent, UnreadableMessage,
};
pub use pull::PullRow;
pub use retention::Removed;
pub use status::{HeldLease, RowCounts, SchemaState};
