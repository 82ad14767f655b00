//! Writes to MAAS and their outcomes.
//!
//! A [`Write`] is one request that changes MAAS, in terms of objects. The client resolves names to row ids by reading MAAS
//! again; the planner never sees a row id. An [`Outcome`] has three values, because the result of a request can be unknown.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::object::Object;
use crate::observed::Timestamp;

/// What time it is: handed in by whoever may ask the machine, so that a test or a replay can set it.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// One request that changes MAAS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Write {
    /// Create this object.
    Create(Object),
    /// Change the first into the second: the same row, possibly under another key. Only the fields that differ are sent.
    Update(Box<Object>, Box<Object>),
    /// Delete this object.
    Delete(Object),
}

/// The result of a write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// MAAS accepted it, and returned this row id if any. It must still be read back.
    Done(Option<u64>),
    /// MAAS refused it. The status and the message, shortened and without secrets.
    Refused {
        /// The HTTP status.
        status: u16,
        /// MAAS's message.
        why: String,
    },
    /// It is not known whether the write happened: a timeout, a lost connection, a 409 or 5xx. Read MAAS before doing
    /// anything else.
    Unknown {
        /// What was seen instead of a response.
        why: String,
    },
}
