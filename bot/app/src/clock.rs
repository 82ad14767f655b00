//! The one place that asks what time it is, and where chance comes from.
//!
//! Everything else is handed a [`Clock`]. It must not know what anybody does with the time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest as _, Sha256};
use topology::observed::Timestamp;

use crate::maas::Outside;

/// What time it is.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The machine's own clock.
#[expect(
    clippy::disallowed_methods,
    reason = "the Clock is what everybody else asks"
)]
pub fn machine() -> Clock {
    Arc::new(|| {
        let since = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    })
}

/// Time and chance for the MAAS client: real pauses, and nonces that no other process gives.
pub fn outside(clock: &Clock) -> Outside {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let now = Arc::clone(clock);
    let process = std::process::id();
    let born = clock();
    Outside {
        now,
        nonce: Arc::new(move || {
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let seed = format!("{process}/{}/{count}", born.0);
            hex::encode(&Sha256::digest(seed.as_bytes())[..16])
        }),
        pause: Arc::new(|length| Box::pin(tokio::time::sleep(length))),
    }
}
