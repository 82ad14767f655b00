//! MAAS, spoken to: eyes that read and hands that write.
//!
//! A [`MaasClient`] is one MAAS behind one [`Transport`]. Whoever plans is given [`MaasReader`] only; [`MaasWriter`] are got by showing a
//! right to write ([`WriteFence`]) and last no longer than it. The client knows API 2.0 of MAAS 2.9 to 3.7 and speaks in the
//! nouns of `topology`; it must not know what anyone intends, and it has no clock of its own.
//!
//! The surprising thing: MAAS's row numbers are never handed out as identity. The client remembers them only to ask
//! cheaply, and checks by each answer that the row is still the object that was meant.

mod ask;
mod environment;
mod http;
mod json;
mod key;
mod look;
pub mod outgoing;
mod read;
mod row_cache;
mod transport;
mod writer;

use std::sync::{Arc, Mutex};

use tokio::sync::Semaphore;

pub use ask::{Cause, ReadError};
pub use environment::{Environment, Pausing, Stamp};
pub use http::{
    BODY_BYTES_MAX, CONNECT_SECONDS_MAX, Http, Limits, NotAUrl, READ_SECONDS_MAX,
    SILENCE_SECONDS_MAX, WRITE_SECONDS_MAX,
};
pub use key::{ApiKey, NotAKey};
pub use transport::{LostAnswer, MaasRequest, MaasResponse, Method, ReadProgress, Transport};
pub use writer::{MaasWriter, NOT_SENT, WriteFence};

use row_cache::RowCache;

/// More than two requests at once gain nothing: MAAS's workers slow each other (8 at once took 4 to 6 times as long).
pub const IN_FLIGHT_MAX: usize = 2;

/// One MAAS.
#[derive(Debug)]
pub struct MaasClient<W> {
    wire: W,
    outside: Environment,
    gate: Semaphore,
    memory: Mutex<RowCache>,
}

/// The reading half.
#[derive(Debug)]
pub struct MaasReader<W> {
    client: Arc<MaasClient<W>>,
}

impl<W> Clone for MaasReader<W> {
    fn clone(&self) -> Self {
        Self {
            client: Arc::clone(&self.client),
        }
    }
}

impl<W: Transport> MaasClient<W> {
    /// The MAAS at the other end of `wire`.
    pub fn new(wire: W, outside: Environment) -> Arc<Self> {
        Arc::new(Self {
            wire,
            outside,
            gate: Semaphore::new(IN_FLIGHT_MAX),
            memory: Mutex::default(),
        })
    }

    /// The same with never two requests at once: for worlds in which their order is to be the same each time.
    pub fn one_at_a_time(wire: W, outside: Environment) -> Arc<Self> {
        Arc::new(Self {
            wire,
            outside,
            gate: Semaphore::new(1),
            memory: Mutex::default(),
        })
    }

    /// MaasReader on this MAAS.
    pub fn eyes(self: &Arc<Self>) -> MaasReader<W> {
        MaasReader {
            client: Arc::clone(self),
        }
    }
}

#[cfg(test)]
mod scripted;
#[cfg(test)]
mod tests;
