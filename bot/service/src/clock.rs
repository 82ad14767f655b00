//! The only place that reads the machine's clock; everything else is given a [`Clock`].

use std::sync::Arc;

use topology::observed::Timestamp;
use topology::port::Clock;

/// The machine's own clock.
#[expect(
    clippy::disallowed_methods,
    reason = "everything else reads the time from a Clock"
)]
pub fn machine() -> Clock {
    Arc::new(|| {
        let since = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    })
}
