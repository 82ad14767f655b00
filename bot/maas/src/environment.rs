//! Clock, sleep and nonces, passed in so that a test or a simulation controls them.
//!
//! Must not know what they are used for.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use topology::port::Clock;

/// What goes into one OAuth header besides the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Unique: MAAS refuses a nonce that it has seen.
    pub nonce: String,
    /// Seconds since 1970-01-01 UTC. MAAS refuses a stamp more than 300 s old.
    pub seconds: u64,
}

/// Resolves when a sleep has ended.
pub type SleepFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The clock, the sleep and the source of nonces that the client uses.
#[derive(Clone)]
pub struct Environment {
    /// The current time.
    pub now: Clock,
    /// Returns a text of unreserved characters that neither this process nor another has returned before.
    pub nonce: Arc<dyn Fn() -> String + Send + Sync>,
    /// Sleeps for a duration.
    pub sleep: Arc<dyn Fn(Duration) -> SleepFuture + Send + Sync>,
}

impl Environment {
    /// Real sleeps, and nonces that no other process returns.
    pub fn of_this_process(clock: &Clock) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let now = Arc::clone(clock);
        let process = std::process::id();
        let started = clock();
        Self {
            now,
            nonce: Arc::new(move || {
                let count = COUNT.fetch_add(1, Ordering::Relaxed);
                let seed = format!("{process}/{}/{count}", started.0);
                hex::encode(&Sha256::digest(seed.as_bytes())[..16])
            }),
            sleep: Arc::new(|length| Box::pin(tokio::time::sleep(length))),
        }
    }

    /// The stamp for a request that is sent now.
    pub fn stamp(&self) -> Stamp {
        Stamp {
            nonce: (self.nonce)(),
            seconds: u64::try_from((self.now)().0 / 1000).unwrap_or(0),
        }
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Environment")
    }
}
