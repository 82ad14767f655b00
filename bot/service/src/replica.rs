//! Of all the replicas on one store, one works; the others take webhooks and stand by.
//!
//! What it knows is who works: the lease on the queue, renewed while the work goes on. Every write of the one that works
//! wants that lease, so that a replica that was paused and comes back late writes nothing. It must not know what is done.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use journal::{Journal, JournalError, Lease, QUEUE};
use tokio::task::JoinSet;

use crate::worker::Wiring;
use topology::port::Clock;

/// The right to work is renewed that often in the time that it lasts.
const RENEWALS: u32 = 3;

/// How often one that stands by asks, at least; a part of a second more for each, so that they do not ask together.
const ASK_EVERY_MS: u64 = 2_000;

/// Waits until this replica is the leader; none when it is told to stop before.
pub(crate) async fn stand_by(
    wiring: &Wiring,
    journal: &Journal,
    takeover: Duration,
    mut stop: Pin<&mut impl Future<Output = ()>>,
) -> Option<Lease> {
    let length = milliseconds(takeover);
    let ask_every = Duration::from_millis(ASK_EVERY_MS + spread(&wiring.owner));
    let mut logged = false;
    loop {
        let asked = journal.take(QUEUE, &wiring.owner, length, (wiring.clock)());
        match asked.await {
            Ok(Some(lease)) => return Some(lease),
            Ok(None) if logged => {}
            Ok(None) => {
                logged = true;
                tracing::info!("another replica is the leader; this one stands by");
            }
            Err(error) => tracing::error!("asking for the leader lease failed: {error}"),
        }
        tokio::select! {
            biased;
            () = &mut stop => return None,
            () = tokio::time::sleep(ask_every) => {}
        }
    }
}

/// Holds the queue until the task is dropped, and notes when it was lost.
///
/// It has a task of its own: a rehearsal takes seconds of thought, and the right must not run out meanwhile.
pub(crate) fn renewing(
    clock: &Clock,
    journal: &Journal,
    lease: &Lease,
    length: Duration,
) -> (JoinSet<()>, LeaseLost) {
    let (journal, lease, clock) = (journal.clone(), lease.clone(), Arc::clone(clock));
    let lost = LeaseLost::default();
    let noted = lost.clone();
    let mut task = JoinSet::new();
    task.spawn(async move {
        loop {
            tokio::time::sleep(length / RENEWALS).await;
            match journal.renew(&lease, milliseconds(length), clock()).await {
                Ok(Some(_)) => {}
                Ok(None) => {
                    tracing::warn!("another replica is the leader now");
                    noted.0.store(true, Ordering::SeqCst);
                }
                Err(error) => tracing::error!("renewing the leader lease failed: {error}"),
            }
        }
    });
    (task, lost)
}

/// Whether the right to work was found to be another's.
#[derive(Clone, Debug, Default)]
pub(crate) struct LeaseLost(Arc<AtomicBool>);

impl LeaseLost {
    pub(crate) fn is_lost(&self) -> bool {
        self.0.load(Ordering::SeqCst)
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
        .any(|cause| matches!(cause.downcast_ref(), Some(JournalError::LeaseLost)));
    refused && matches!(journal.is_in_force(lease, clock()).await, Ok(false))
}

fn milliseconds(length: Duration) -> i64 {
    i64::try_from(length.as_millis()).unwrap_or(i64::MAX)
}

/// Less than a second, another for each name.
fn spread(owner: &str) -> u64 {
    owner
        .bytes()
        .fold(7, |sum, byte| (sum * 31 + u64::from(byte)) % 1000)
}
