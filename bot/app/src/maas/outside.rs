//! Time and chance, handed in: what the client may not make up by itself.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use topology::observed::Timestamp;

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
pub struct Outside {
    /// What time it is.
    pub now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// A text of unreserved characters that was never given before, by this process or another.
    pub nonce: Arc<dyn Fn() -> String + Send + Sync>,
    /// Lets that much time pass.
    pub pause: Arc<dyn Fn(Duration) -> Pausing + Send + Sync>,
}

impl Outside {
    /// The stamp for a request that leaves now.
    pub(crate) fn stamp(&self) -> Stamp {
        Stamp {
            nonce: (self.nonce)(),
            seconds: u64::try_from((self.now)().0 / 1000).unwrap_or(0),
        }
    }
}

impl fmt::Debug for Outside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Outside")
    }
}
