//! The leader's loop: it steps the worker, polls GitHub and removes finished work while this replica holds the leader lease.
//!
//! It must not know what a step does.

use std::future::Future;
use std::pin::{Pin, pin};
use std::time::Duration;

use tokio::sync::Notify;

use journal::{Journal, Lease};
use topology::observed::Timestamp;
use topology::port::Clock;

use crate::inbox::Redelivered;
use crate::replica::{self, LeaseLost};
use crate::worker::{Wiring, Worker, WorkerState};

/// How long the loop sleeps at most: a clock that was set back must not stop it.
const SLEEP_MAX: Duration = Duration::from_secs(30);

/// How often the leader looks for deliveries that other replicas stored.
const SHARED_SLEEP_MAX: Duration = Duration::from_secs(1);

/// How often GitHub is polled for changes whose webhook did not arrive: with the time that a poll takes, a command is acted
/// on within a minute.
pub const POLL_EVERY_MS: i64 = 40_000;

/// How often finished work is removed from the store.
const RETENTION_EVERY_MS: i64 = 3_600_000;

/// How often GitHub's log is read for webhooks that it could not deliver, besides once at the start.
const REDELIVER_EVERY_MS: i64 = 300_000;

/// How soon the log is read again if one pass could not request all of them.
const REDELIVER_MORE_MS: i64 = 30_000;

/// The timeout of a poll: a GitHub that does not answer must not delay a run.
const POLL_SECONDS_MAX: Duration = Duration::from_secs(10);

/// How long the loop sleeps after a failed step: the cause is the store or the configuration, not a single delivery.
const FAILED_SLEEP: Duration = Duration::from_secs(2);

/// Competes for the leader lease and works while it holds it, until `stop`; then it ends its leases, so that other replicas
/// can take them at once.
pub(crate) async fn lead(
    wiring: &Wiring,
    journal: &Journal,
    takeover_seconds: u64,
    arrived: &Notify,
    stop: impl Future<Output = ()>,
) {
    let mut stop = pin!(stop);
    let takeover = Duration::from_secs(takeover_seconds);
    while let Some(lease) = replica::stand_by(wiring, journal, takeover, stop.as_mut()).await {
        let worker = wiring.worker(&journal.clone().fenced_by(&lease));
        let (renewing, lost) = replica::renewing(&wiring.clock, journal, &lease, takeover);
        let leader = Leader {
            worker: &worker,
            clock: &wiring.clock,
            journal,
            lease: &lease,
            lost: &lost,
        };
        let stopped = leader.run(arrived, stop.as_mut()).await;
        drop(renewing);
        if stopped {
            break;
        }
    }
    if let Err(error) = journal.end_leases_of(&wiring.owner).await {
        tracing::warn!(
            "could not end the leases of this replica; they expire by themselves: {error}"
        );
    }
}

/// This replica while it holds the leader lease.
struct Leader<'a> {
    worker: &'a Worker,
    clock: &'a Clock,
    journal: &'a Journal,
    lease: &'a Lease,
    lost: &'a LeaseLost,
}

/// When each periodic task ran last.
#[derive(Default)]
struct LastRun {
    poll: Option<Timestamp>,
    redeliver: Option<Timestamp>,
    retention: Option<Timestamp>,
}

impl Leader<'_> {
    /// Steps until `stop` (true) or until the lease is lost (false). A step is never interrupted: it ends at its own boundary.
    async fn run(&self, arrived: &Notify, mut stop: Pin<&mut impl Future<Output = ()>>) -> bool {
        let sleep_max = if self.journal.is_shared() {
            SHARED_SLEEP_MAX
        } else {
            SLEEP_MAX
        };
        let mut last = LastRun::default();
        while !self.lost.is_lost() {
            self.run_periodic_tasks(&mut last).await;
            let Some(sleep) = self.step(sleep_max, &last).await else {
                return false;
            };
            tokio::select! {
                biased;
                () = &mut stop => return true,
                () = arrived.notified(), if !sleep.is_zero() => {}
                () = tokio::time::sleep(sleep) => {}
            }
        }
        false
    }

    /// Runs one step of the worker. Returns how long to sleep after it, or `None` if the lease was lost.
    async fn step(&self, sleep_max: Duration, last: &LastRun) -> Option<Duration> {
        match Box::pin(self.worker.step()).await {
            Ok(WorkerState::Progressed) => Some(Duration::ZERO),
            Ok(WorkerState::Idle(wake)) => {
                let polled = last.poll.map(|at| Timestamp(at.0 + POLL_EVERY_MS));
                let wake = wake.into_iter().chain(polled).min();
                Some(wake.map_or(sleep_max, |until| self.until(until).min(sleep_max)))
            }
            Err(error) => {
                if replica::is_lost(self.journal, self.lease, self.clock, &error).await {
                    tracing::warn!("lost the leader lease, stopping: {error:#}");
                    return None;
                }
                tracing::error!("a step failed and will be retried: {error:#}");
                Some(FAILED_SLEEP)
            }
        }
    }

    fn until(&self, time: Timestamp) -> Duration {
        let left = time.0 - (self.clock)().0;
        Duration::from_millis(u64::try_from(left).unwrap_or(0))
    }

    async fn run_periodic_tasks(&self, last: &mut LastRun) {
        let now = (self.clock)();
        if is_due(last.poll, POLL_EVERY_MS, now) {
            last.poll = Some(now);
            self.poll().await;
        }
        if is_due(last.redeliver, REDELIVER_EVERY_MS, now) {
            last.redeliver = Some(now);
            if self.redeliver().await {
                let soon = now.0 - REDELIVER_EVERY_MS + REDELIVER_MORE_MS;
                last.redeliver = Some(Timestamp(soon));
            }
        }
        if is_due(last.retention, RETENTION_EVERY_MS, now) {
            match self.worker.remove_finished().await {
                // One batch at a time, so that the next step is not delayed.
                Ok(true) => {}
                Ok(false) => last.retention = Some(now),
                Err(error) => {
                    last.retention = Some(now);
                    tracing::warn!(
                        "removing finished work failed; the store keeps growing: {error:#}"
                    );
                }
            }
        }
    }

    async fn poll(&self) {
        // A poll that times out starts over: what it stored is recognized by its delivery id.
        match tokio::time::timeout(POLL_SECONDS_MAX, Box::pin(self.worker.poll())).await {
            Ok(Ok(0)) => {}
            Ok(Ok(count)) => tracing::info!(count, "recovered {count} missed webhooks"),
            Ok(Err(error)) => {
                tracing::info!("polling GitHub failed and will be retried: {error:#}");
            }
            Err(_) => tracing::info!("polling GitHub timed out and will be retried"),
        }
    }

    /// Requests failed webhooks again; true if the log has more to read.
    async fn redeliver(&self) -> bool {
        let pass = Box::pin(self.worker.redeliver_failed());
        match tokio::time::timeout(POLL_SECONDS_MAX, pass).await {
            Ok(Ok(Redelivered { asked, more })) => {
                if asked > 0 {
                    tracing::info!(asked, "asked GitHub to redeliver failed webhooks");
                }
                return more;
            }
            Ok(Err(error)) => {
                tracing::info!("requesting failed webhooks failed and will be retried: {error:#}");
            }
            Err(_) => tracing::info!("requesting failed webhooks timed out and will be retried"),
        }
        false
    }
}

/// Whether a task is due. It is also due if the clock was set back.
fn is_due(last: Option<Timestamp>, every_ms: i64, now: Timestamp) -> bool {
    !last.is_some_and(|at| (0..every_ms).contains(&(now.0 - at.0)))
}
