//! The MAAS client: a reader, a writer, and the transport that carries their requests.
//!
//! A [`MaasClient`] is one MAAS behind one [`Transport`]. The planner is given a [`MaasReader`] only. A [`MaasWriter`] needs
//! a [`WriteFence`], the proof of the right to write, and lasts no longer than it. The client knows API 2.0 of MAAS 2.9 to
//! 3.7 and uses the types of `topology`. It must not know what anyone intends, and it has no clock of its own.
//!
//! MAAS's row numbers are never handed out as identity. The client caches them only to send smaller requests, and checks
//! in each response that the row is still the intended object.

mod certificate;
mod environment;
mod http;
mod json;
mod key;
mod lines;
mod look;
mod lost;
pub mod outgoing;
mod read;
mod regions;
mod request;
mod row_cache;
mod speaker;
mod transport;
mod trust;
mod writer;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use tokio::sync::Semaphore;

pub use environment::{Environment, SleepFuture, Stamp};
pub use http::{
    BODY_BYTES_MAX, CONNECT_SECONDS_MAX, HttpLimits, HttpTransport, MaasUrlError, READ_SECONDS_MAX,
    STALL_SECONDS_MAX, WRITE_SECONDS_MAX, same_form,
};
pub use key::{ApiKey, ApiKeyError};
pub use regions::RegionTransport;
pub use request::{Cause, ReadError};
pub use speaker::AnswerHeaders;
pub use transport::{LostAnswer, MaasRequest, MaasResponse, Method, ReadProgress, Transport};
pub use trust::{CertificatePin, CertificateTrust, TrustError};
pub use writer::{MaasWriter, NOT_SENT, WriteFence};

use row_cache::RowCache;

/// More than two concurrent requests gain nothing: MAAS's workers slow each other down (8 at once took 4 to 6 times as long).
pub const IN_FLIGHT_MAX: usize = 2;

/// One MAAS.
#[derive(Debug)]
pub struct MaasClient<W> {
    transport: W,
    environment: Environment,
    in_flight: Semaphore,
    rows: Mutex<RowCache>,
    regions: Mutex<BTreeSet<String>>,
}

/// Reads from one MAAS.
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
    /// The MAAS that `transport` reaches.
    pub fn new(transport: W, environment: Environment) -> Arc<Self> {
        Self::with_in_flight(transport, environment, IN_FLIGHT_MAX)
    }

    /// Like [`Self::new`], but never with two requests in flight, so that their order is the same in every simulation.
    pub fn one_at_a_time(transport: W, environment: Environment) -> Arc<Self> {
        Self::with_in_flight(transport, environment, 1)
    }

    fn with_in_flight(transport: W, environment: Environment, most: usize) -> Arc<Self> {
        Arc::new(Self {
            transport,
            environment,
            in_flight: Semaphore::new(most),
            rows: Mutex::default(),
            regions: Mutex::default(),
        })
    }

    /// A reader of this MAAS.
    pub fn reader(self: &Arc<Self>) -> MaasReader<W> {
        MaasReader {
            client: Arc::clone(self),
        }
    }
}

#[cfg(test)]
mod scripted;
#[cfg(test)]
mod tests;
