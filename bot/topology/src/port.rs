//! What may be asked of the world: one write, and what came of it.
//!
//! A [`Write`] is one request that changes MAAS, said in objects. Whoever sends it resolves names to row numbers by a
//! fresh look; whoever plans never sees a row number. An [`Outcome`] has three values, because not knowing is one.

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
    /// Make this.
    Create(Object),
    /// Make the first into the second: the same row, perhaps under another key. Only what differs is sent.
    Update(Box<Object>, Box<Object>),
    /// Remove this.
    Delete(Object),
}

/// What came of a write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// MAAS said yes, with the row number where it gave one. Still to be read back.
    Done(Option<u64>),
    /// MAAS said no, with its status and its words, cut short and without secrets.
    Refused {
        /// The HTTP status.
        status: u16,
        /// MAAS's words.
        why: String,
    },
    /// Nobody knows whether it happened: a timeout, a lost connection, a 409 or 5xx. Look before anything else.
    Unknown {
        /// What was seen instead of an answer.
        why: String,
    },
}
