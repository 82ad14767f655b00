//! Of all the replicas on one store, one works; the others take webhooks and stand by.
//!
//! What it knows is who works: the lease on the queue, renewed while the work goes on. Every write of the one that works
//! wants that lease, so that a replica that was paused and comes back late writes nothing. It must not know what is done.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use journal::{Journal, JournalError, Lease, QUEUE};

use crate::clock::Clock;
use crate::turn::Office;

/// How long the queue stays a dead replica's: three times the longest that a renewal should take.
const QUEUE_MS: i64 = 30_000;

/// How often it is renewed.
const RENEW_EVERY: Duration = Duration::from_secs(10);

/// How often one that stands by asks, at least; a part of a second more for each, so that they do not ask together.
const ASK_EVERY_MS: u64 = 2_000;

/// Waits until this replica is the one that works; none when it is told to stop before.
pub(crate) async fn stand_by(
    office: &Office,
    mut stop: Pin<&mut impl Future<Output = ()>>,
) -> Option<Lease> {
    let ask_every = Duration::from_millis(ASK_EVERY_MS + spread(&office.owner));
    let mut said = false;
    loop {
        let now = (office.clock)();
        let asked = office.journal.take(QUEUE, &office.owner, QUEUE_MS, now);
        match asked.await {
            Ok(Some(lease)) => return Some(lease),
            Ok(None) if said => {}
            Ok(None) => {
                said = true;
                tracing::info!("another replica works; this one stands by");
            }
            Err(error) => tracing::error!("asking who works: {error}"),
        }
        tokio::select! {
            biased;
            () = &mut stop => return None,
            () = tokio::time::sleep(ask_every) => {}
        }
    }
}

/// Holds the queue for as long as it is waited for, and notes when it was lost.
pub(crate) async fn renewing(
    journal: &Journal,
    lease: &Lease,
    clock: &Clock,
    lost: &AtomicBool,
) -> Infallible {
    loop {
        tokio::time::sleep(RENEW_EVERY).await;
        match journal.renew(lease, QUEUE_MS, clock()).await {
            Ok(Some(_)) => {}
            Ok(None) => {
                tracing::warn!("another replica works now");
                lost.store(true, Ordering::SeqCst);
            }
            Err(error) => tracing::error!("renewing the right to work: {error}"),
        }
    }
}

/// Whether the failure is that another replica works now.
pub(crate) async fn is_lost(
    journal: &Journal,
    lease: &Lease,
    clock: &Clock,
    error: &anyhow::Error,
) -> bool {
    let refused = error
        .chain()
        .any(|cause| matches!(cause.downcast_ref(), Some(JournalError::Lost)));
    refused && matches!(journal.still_held(lease, clock()).await, Ok(false))
}

/// Less than a second, another for each name.
fn spread(owner: &str) -> u64 {
    owner
        .bytes()
        .fold(7, |sum, byte| (sum * 31 + u64::from(byte)) % 1000)
}
