//! Drives the service through simulated time: starts it, delivers webhooks, polls GitHub, runs the worker's steps, and
//! restarts it after a crash. It does what production's loop does, by the simulated clock. It must not know what the
//! comments say, nor which invariants must hold.

use std::sync::Arc;

use journal::Journal;
use lab::github::{WebhookDelivery, WebhookFault, WebhookOutcome};
use service::worker::WorkerState;
use topology::observed::Timestamp;

use crate::fuzz::faults::FaultInjector;
use crate::fuzz::rng::SeededRng;
use crate::fuzz::transcript::Transcript;
use crate::harness::{Harness, ServiceInstance};

/// How often GitHub is polled for events whose webhook was lost. A third as often as in production, so that a run does not
/// consist mostly of polls.
const POLL_EVERY_MS: i64 = 60_000;

/// How long the service pauses after a failed step.
const RETRY_AFTER_MS: i64 = 2_000;

/// More steps than any run takes between two actions of a person.
const STEPS_MAX: usize = 3_000;

/// The service in its harness, with faults.
pub(super) struct Driver {
    pub(super) harness: Harness,
    pub(super) faults: Arc<FaultInjector>,
    pub(super) transcript: Transcript,
    /// The journal without the crash switch: reading it cannot crash.
    pub(super) journal: Journal,
    rng: SeededRng,
    instance: Option<ServiceInstance>,
    events: Events,
}

/// What the service receives from GitHub.
#[derive(Default)]
struct Events {
    delayed: Vec<WebhookDelivery>,
    /// When GitHub was polled last, in milliseconds since 1970.
    polled: Option<i64>,
}

impl Driver {
    pub(super) fn new(
        harness: Harness,
        faults: Arc<FaultInjector>,
        transcript: Transcript,
        journal: Journal,
        rng: SeededRng,
    ) -> Self {
        Self {
            harness,
            faults,
            transcript,
            journal,
            rng,
            instance: None,
            events: Events::default(),
        }
    }

    pub(super) async fn run_steps(&mut self, count: u32) -> anyhow::Result<()> {
        for _ in 0..count {
            Box::pin(self.step()).await?;
        }
        Ok(())
    }

    /// Runs until the service is idle and GitHub has nothing new; false when that takes too many steps.
    pub(super) async fn run_until_idle(&mut self) -> anyhow::Result<bool> {
        let mut idle = 0;
        for _ in 0..STEPS_MAX {
            idle = if Box::pin(self.step()).await? {
                idle + 1
            } else {
                0
            };
            // More than one idle step: GitHub is polled between two of them.
            if idle > 2 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Ends the process; the next step starts another one.
    pub(super) fn restart(&mut self) {
        if self.instance.take().is_some() {
            self.transcript.add("-", "the service is restarted");
            self.faults.count("restarts");
        }
    }

    /// One step of the process; true when it is idle until the next poll.
    async fn step(&mut self) -> anyhow::Result<bool> {
        let Some(instance) = self.instance.take() else {
            self.start().await?;
            return Ok(false);
        };
        let (harness, faults) = (&self.harness, &self.faults);
        let work = self
            .events
            .step(harness, &instance, faults, &self.transcript);
        match harness.crash_switch.run_until_crash(work).await {
            None => {
                drop(instance);
                self.after_crash();
                Ok(false)
            }
            Some(state) => {
                self.instance = Some(instance);
                Ok(self.advance_clock(state?))
            }
        }
    }

    /// Moves the clock to the next time at which something may happen.
    fn advance_clock(&mut self, state: WorkerState) -> bool {
        let clock = &self.harness.clock;
        let next_poll = self.events.polled.unwrap_or(clock.now()) + POLL_EVERY_MS;
        let is_delivered =
            self.harness.github.github().is_settled() && self.events.delayed.is_empty();
        match state {
            WorkerState::Progressed => false,
            WorkerState::Idle(until) => {
                let next = until.map_or(next_poll, |until| until.0.min(next_poll));
                clock.set(next.max(clock.now() + 1));
                until.is_none() && is_delivered
            }
        }
    }

    /// The process is down for a while: webhooks sent meanwhile are lost.
    fn after_crash(&mut self) {
        let seconds = i64::from(self.rng.below(200));
        self.harness.clock.advance(seconds * 1000);
        self.harness.crash_switch.reset();
        self.events.delayed.clear();
        let mut github = self.harness.github.github();
        while github.take_delivery().is_some() {}
        let all = github.deliveries().into_iter();
        let in_flight = all.filter(|one| one.outcome == WebhookOutcome::Waiting);
        let ids: Vec<u64> = in_flight.map(|one| one.id).collect();
        for id in ids {
            github.record_outcome(id, WebhookOutcome::Unreachable);
            self.faults.count("webhooks while the service was down");
        }
    }

    async fn start(&mut self) -> anyhow::Result<()> {
        let starting = self
            .harness
            .start_service(self.journal.clone(), "sqlite::memory:");
        match self.harness.crash_switch.run_until_crash(starting).await {
            None => self.after_crash(),
            Some(instance) => {
                self.instance = Some(instance?);
                self.events.polled = None;
            }
        }
        Ok(())
    }
}

impl Events {
    /// One pass of production's loop: deliver the webhooks, poll GitHub when it is time, run one step of the worker.
    async fn step(
        &mut self,
        harness: &Harness,
        instance: &ServiceInstance,
        faults: &FaultInjector,
        transcript: &Transcript,
    ) -> anyhow::Result<WorkerState> {
        self.deliver(harness, instance, faults).await?;
        let now = harness.clock.now();
        if self.polled.is_none_or(|at| now - at >= POLL_EVERY_MS) {
            self.polled = Some(now);
            if let Err(error) = instance.worker.poll().await {
                anyhow::ensure!(faults.is_enabled(), "polling GitHub: {error:#}");
            }
        }
        match instance.worker.step().await {
            Ok(state) => Ok(state),
            Err(error) => {
                anyhow::ensure!(faults.is_enabled(), "a step failed: {error:#}");
                faults.count("failed steps");
                transcript.add("-", "a step fails and is retried");
                let retry = Timestamp(harness.clock.now() + RETRY_AFTER_MS);
                Ok(WorkerState::Idle(Some(retry)))
            }
        }
    }

    async fn deliver(
        &mut self,
        harness: &Harness,
        instance: &ServiceInstance,
        faults: &FaultInjector,
    ) -> anyhow::Result<()> {
        let delayed = std::mem::take(&mut self.delayed);
        loop {
            let next = harness.github.github().take_delivery();
            let Some(delivery) = next else { break };
            match faults.webhook_fault() {
                None => deliver(harness, instance, delivery).await?,
                Some(WebhookFault::Lose) => harness
                    .github
                    .github()
                    .record_outcome(delivery.id, WebhookOutcome::Lost),
                Some(WebhookFault::Duplicate) => {
                    self.delayed.push(delivery.clone());
                    deliver(harness, instance, delivery).await?;
                }
                Some(WebhookFault::Delay) => self.delayed.push(delivery),
            }
        }
        // The newest first, so that delayed webhooks overtake each other too.
        for delivery in delayed.into_iter().rev() {
            deliver(harness, instance, delivery).await?;
        }
        Ok(())
    }
}

async fn deliver(
    harness: &Harness,
    instance: &ServiceInstance,
    delivery: WebhookDelivery,
) -> anyhow::Result<()> {
    let id = delivery.id;
    let outcome = instance.deliver(harness, delivery).await?;
    harness.github.github().record_outcome(id, outcome);
    Ok(())
}
