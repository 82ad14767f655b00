//! Time and chance, handed in: what the client may not make up by itself.

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
    /// Never used twice: MAAS refuses a nonce that it knows.
    pub nonce: String,
    /// Seconds since 1970-01-01 UTC. MAAS refuses one more than 300 s old.
    pub seconds: u64,
}

/// A pause that has begun.
pub type Pausing = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Time and chance.
#[derive(Clone)]
pub struct Environment {
    /// What time it is.
    pub now: Clock,
    /// A text of unreserved characters that was never given before, by this process or another.
    pub nonce: Arc<dyn Fn() -> String + Send + Sync>,
    /// Lets that much time pass.
    pub pause: Arc<dyn Fn(Duration) -> Pausing + Send + Sync>,
}

impl Environment {
    /// The process's own: real pauses, and nonces that no other process gives.
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
            pause: Arc::new(|length| Box::pin(tokio::time::sleep(length))),
        }
    }

    /// The stamp for a request that leaves now.
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
