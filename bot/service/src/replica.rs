//! The leader lease: of all replicas on one store, one works; the others store webhooks and stand by.
//!
//! The leader holds the lease on the queue and renews it while it works. Every write of the leader to the store requires the
//! lease, so a replica that was paused and resumes late writes nothing. This module must not know what the leader does.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;

use journal::{Journal, JournalError, Lease, QUEUE};
use topology::port::Clock;

use crate::worker::Wiring;

/// How many times the lease is renewed within its length.
const RENEWALS: u32 = 3;

/// How often a standby replica tries to take the lease. Each adds its own fraction of a second, so that they do not all try
/// at once.
const TRY_EVERY_MS: u64 = 2_000;

/// Waits until this replica is the leader; `None` if `stop` comes first.
pub(crate) async fn stand_by(
    wiring: &Wiring,
    journal: &Journal,
    takeover: Duration,
    mut stop: Pin<&mut impl Future<Output = ()>>,
) -> Option<Lease> {
    let length = milliseconds(takeover);
    let try_every = Duration::from_millis(TRY_EVERY_MS + stagger(&wiring.owner));
    let mut logged = false;
    loop {
        let attempt = journal.take(QUEUE, &wiring.owner, length, (wiring.clock)());
        match attempt.await {
            Ok(Some(lease)) => return Some(lease),
            Ok(None) if logged => {}
            Ok(None) => {
                logged = true;
                tracing::info!("another replica is the leader; this one stands by");
            }
            Err(error) => tracing::error!("taking the leader lease failed: {error}"),
        }
        tokio::select! {
            biased;
            () = &mut stop => return None,
            () = tokio::time::sleep(try_every) => {}
        }
    }
}

/// Renews the lease until the task is dropped, and records if it was lost.
///
/// It has its own task: a rehearsal computes for seconds, and the lease must not expire meanwhile.
pub(crate) fn renewing(
    clock: &Clock,
    journal: &Journal,
    lease: &Lease,
    length: Duration,
) -> (JoinSet<()>, LeaseLost) {
    let (journal, lease, clock) = (journal.clone(), lease.clone(), Arc::clone(clock));
    let lost = LeaseLost::default();
    let flag = lost.clone();
    let mut task = JoinSet::new();
    task.spawn(async move {
        loop {
            tokio::time::sleep(length / RENEWALS).await;
            match journal.renew(&lease, milliseconds(length), clock()).await {
                Ok(Some(_)) => {}
                Ok(None) => {
                    tracing::warn!("another replica is the leader now");
                    flag.0.store(true, Ordering::SeqCst);
                }
                Err(error) => tracing::error!("renewing the leader lease failed: {error}"),
            }
        }
    });
    (task, lost)
}

/// Set once another replica holds the lease.
#[derive(Clone, Debug, Default)]
pub(crate) struct LeaseLost(Arc<AtomicBool>);

impl LeaseLost {
    pub(crate) fn is_lost(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// Whether the error means that another replica holds the lease now.
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

/// Less than 1000 ms, derived from the owner's name.
fn stagger(owner: &str) -> u64 {
    owner
        .bytes()
        .fold(7, |sum, byte| (sum * 31 + u64::from(byte)) % 1000)
}
