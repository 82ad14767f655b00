//! The loop of the replica that works: steps the worker, polls GitHub, removes finished work, all while it holds the
//! leader lease.
//!
//! It must not know what a step does.

use std::future::Future;
use std::pin::{Pin, pin};
use std::time::Duration;

use journal::{Journal, Lease};
use tokio::sync::Notify;
use topology::observed::Timestamp;
use topology::port::Clock;

use crate::inbox::Redelivered;
use crate::replica::{self, LeaseLost};
use crate::worker::{Wiring, Worker, WorkerState};

/// How long the loop rests at most: a clock that was set back must not stop it.
const REST_MAX: Duration = Duration::from_secs(30);

/// How often the leader looks for deliveries that other replicas stored.
const SHARED_REST_MAX: Duration = Duration::from_secs(1);

/// How often GitHub is polled for what no webhook brought: with the time that a poll takes, a command is acted on within a
/// minute.
pub const POLL_EVERY_MS: i64 = 40_000;

/// How often finished work is removed from the store.
const RETENTION_EVERY_MS: i64 = 3_600_000;

/// How often GitHub is asked which webhooks it could not deliver, besides once at the start.
const REDELIVER_EVERY_MS: i64 = 300_000;

/// How soon again, where one look could not ask for all of them.
const REDELIVER_MORE_MS: i64 = 30_000;

/// A GitHub that does not answer must not keep a run from moving.
const POLL_SECONDS_MAX: Duration = Duration::from_secs(10);

/// How long the loop rests after a step failed: the store or the configuration is away, not a delivery.
const FAILED_REST: Duration = Duration::from_secs(2);

/// Works whenever no other replica does, until `stop`; then every lease is free at once for the others.
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
            "the leases of this replica could not be ended and expire by themselves: {error}"
        );
    }
}

/// The replica that works.
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
    /// Steps until `stop` (true), or until another replica works (false). A step is never cut off: it ends at its own
    /// boundary.
    async fn run(&self, arrived: &Notify, mut stop: Pin<&mut impl Future<Output = ()>>) -> bool {
        let rest_max = if self.journal.is_shared() {
            SHARED_REST_MAX
        } else {
            REST_MAX
        };
        let mut last = LastRun::default();
        while !self.lost.is_lost() {
            self.run_periodic_tasks(&mut last).await;
            let Some(rest) = self.step(rest_max, &last).await else {
                return false;
            };
            tokio::select! {
                biased;
                () = &mut stop => return true,
                () = arrived.notified(), if !rest.is_zero() => {}
                () = tokio::time::sleep(rest) => {}
            }
        }
        false
    }

    /// One step of the worker, and how long to rest after it; none where another replica works.
    async fn step(&self, rest_max: Duration, last: &LastRun) -> Option<Duration> {
        match Box::pin(self.worker.step()).await {
            Ok(WorkerState::Progressed) => Some(Duration::ZERO),
            Ok(WorkerState::Idle(wake)) => {
                let polled = last.poll.map(|at| Timestamp(at.0 + POLL_EVERY_MS));
                let wake = wake.into_iter().chain(polled).min();
                Some(wake.map_or(rest_max, |until| self.until(until).min(rest_max)))
            }
            Err(error) => {
                if replica::is_lost(self.journal, self.lease, self.clock, &error).await {
                    tracing::warn!("lost the leader lease, stopping: {error:#}");
                    return None;
                }
                tracing::error!("a step failed, and is tried again: {error:#}");
                Some(FAILED_REST)
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
                // One batch at a time: the next step comes first.
                Ok(true) => {}
                Ok(false) => last.retention = Some(now),
                Err(error) => {
                    last.retention = Some(now);
                    tracing::warn!("removing finished work failed, the store grows: {error:#}");
                }
            }
        }
    }

    async fn poll(&self) {
        // One that is cut off begins again: what it stored is stored, and known by its id.
        match tokio::time::timeout(POLL_SECONDS_MAX, Box::pin(self.worker.poll())).await {
            Ok(Ok(0)) => {}
            Ok(Ok(count)) => tracing::info!(count, "recovered {count} missed webhooks"),
            Ok(Err(error)) => tracing::info!("polling GitHub failed and is tried again: {error:#}"),
            Err(_) => tracing::info!("polling GitHub took too long and is tried again"),
        }
    }

    /// Whether there is more to ask for.
    async fn redeliver(&self) -> bool {
        let look = Box::pin(self.worker.redeliver_failed());
        match tokio::time::timeout(POLL_SECONDS_MAX, look).await {
            Ok(Ok(Redelivered { asked, more })) => {
                if asked > 0 {
                    tracing::info!(asked, "asked GitHub to send failed webhooks again");
                }
                return more;
            }
            Ok(Err(error)) => {
                tracing::info!("asking for failed webhooks failed and is tried again: {error:#}");
            }
            Err(_) => tracing::info!("asking for failed webhooks took too long and is tried again"),
        }
        false
    }
}

/// Whether a task is due; a clock that was set back makes it due.
fn is_due(last: Option<Timestamp>, every_ms: i64, now: Timestamp) -> bool {
    !last.is_some_and(|at| (0..every_ms).contains(&(now.0 - at.0)))
}
