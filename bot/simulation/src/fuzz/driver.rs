//! How the service lives: it wakes, webhooks come or do not, it turns and rests, and the power goes. What production's
//! loop does in time is done here in the town's. It must not know what is said, or what must hold.

use std::sync::Arc;

use journal::Journal;
use lab::github::{WebhookDelivery, WebhookOutcome};
use topology::observed::Timestamp;

use crate::fuzz::faults::{Carried, FaultInjector};
use crate::fuzz::rng::SeededRng;
use crate::fuzz::transcript::Transcript;
use crate::harness::{Harness, ServiceInstance};
use service::worker::WorkerState;

/// How often the service asks GitHub for what no webhook told: a third as often as production's, so that a tale is mostly
/// of other things.
const LOOK_EVERY_MS: i64 = 60_000;

/// How long the service rests after a turn failed.
const FAILED_REST_MS: i64 = 2_000;

/// More turns than any tale takes between two words of a person.
const TURNS_MAX: usize = 3_000;

/// The service and the post, in a town.
pub(super) struct Driver {
    pub(super) town: Harness,
    pub(super) weather: Arc<FaultInjector>,
    pub(super) script: Transcript,
    /// The journal as it is when no life writes to it.
    pub(super) journal: Journal,
    dice: SeededRng,
    life: Option<ServiceInstance>,
    post: Post,
}

/// Webhooks that came late, and when GitHub was asked.
#[derive(Default)]
struct Post {
    late: Vec<WebhookDelivery>,
    looked: Option<i64>,
}

/// What a moment of the service came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    Moved,
    /// Nothing is to be done before that time.
    Rests(Option<Timestamp>),
}

impl Driver {
    pub(super) fn new(
        town: Harness,
        weather: Arc<FaultInjector>,
        script: Transcript,
        journal: Journal,
        dice: SeededRng,
    ) -> Self {
        Self {
            town,
            weather,
            script,
            journal,
            dice,
            life: None,
            post: Post::default(),
        }
    }

    /// So many moments.
    pub(super) async fn pass(&mut self, moments: u32) -> anyhow::Result<()> {
        for _ in 0..moments {
            Box::pin(self.moment()).await?;
        }
        Ok(())
    }

    /// Until nothing is to be done and GitHub has nothing new; false when that does not come.
    pub(super) async fn settle(&mut self) -> anyhow::Result<bool> {
        let mut still = 0;
        for _ in 0..TURNS_MAX {
            let rests = Box::pin(self.moment()).await?;
            still = if rests { still + 1 } else { 0 };
            // Twice: between the two GitHub was asked.
            if still > 2 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The process ends and another one begins.
    pub(super) fn restart(&mut self) {
        if self.life.take().is_some() {
            self.script.tell("-", "the service is started again");
            self.weather.count("restarts");
        }
    }

    /// One moment; true when nothing is left to be done by itself.
    async fn moment(&mut self) -> anyhow::Result<bool> {
        let Some(life) = self.life.take() else {
            self.wake().await?;
            return Ok(false);
        };
        let (town, weather) = (&self.town, &self.weather);
        let living = self.post.live(town, &life, weather, &self.script);
        match town.fuse.until_dark(living).await {
            None => {
                drop(life);
                self.fall();
                Ok(false)
            }
            Some(moment) => {
                self.life = Some(life);
                Ok(self.rest(moment?))
            }
        }
    }

    /// Lets time pass until something may be done.
    fn rest(&mut self, moment: Moment) -> bool {
        let hand = &self.town.hand;
        let look = self.post.looked.unwrap_or(hand.now()) + LOOK_EVERY_MS;
        let waits = self.town.github.github().is_settled() && self.post.late.is_empty();
        match moment {
            Moment::Moved => false,
            Moment::Rests(until) => {
                let until = until.map_or(look, |until| until.0.min(look));
                hand.put(until.max(hand.now() + 1));
                until == look && moment == Moment::Rests(None) && waits
            }
        }
    }

    /// The power is gone: nobody answers webhooks for a while.
    fn fall(&mut self) {
        let seconds = i64::from(self.dice.below(200));
        self.town.hand.pass(seconds * 1000);
        self.town.fuse.light();
        self.post.late.clear();
        let mut hub = self.town.github.github();
        while hub.take_delivery().is_some() {}
        let all = hub.deliveries().into_iter();
        let on_their_way = all.filter(|one| one.outcome == WebhookOutcome::Waiting);
        let ids: Vec<u64> = on_their_way.map(|one| one.id).collect();
        for id in ids {
            hub.record_outcome(id, WebhookOutcome::Unreachable);
            self.weather.count("webhooks to nobody");
        }
    }

    async fn wake(&mut self) -> anyhow::Result<()> {
        let started = self.town.started(self.journal.clone(), "sqlite::memory:");
        match self.town.fuse.until_dark(started).await {
            None => self.fall(),
            Some(life) => {
                self.life = Some(life?);
                self.post.looked = None;
            }
        }
        Ok(())
    }
}

impl Post {
    /// What production's loop does once: webhooks came meanwhile, GitHub is asked when it is time, one turn.
    async fn live(
        &mut self,
        town: &Harness,
        life: &ServiceInstance,
        weather: &FaultInjector,
        script: &Transcript,
    ) -> anyhow::Result<Moment> {
        self.carry(town, life, weather).await?;
        let now = town.hand.now();
        let again = |at: i64| Moment::Rests(Some(Timestamp(at)));
        if self.looked.is_none_or(|at| now - at >= LOOK_EVERY_MS) {
            self.looked = Some(now);
            if let Err(error) = life.worker.poll().await {
                anyhow::ensure!(!weather.is_calm(), "asking GitHub: {error:#}");
            }
        }
        match life.worker.step().await {
            Ok(WorkerState::Progressed) => Ok(Moment::Moved),
            Ok(WorkerState::Idle(until)) => Ok(Moment::Rests(until)),
            Err(error) => {
                anyhow::ensure!(!weather.is_calm(), "a turn failed: {error:#}");
                weather.count("turns that failed");
                script.tell("-", "a turn failed, and is made again");
                Ok(again(town.hand.now() + FAILED_REST_MS))
            }
        }
    }

    async fn carry(
        &mut self,
        town: &Harness,
        life: &ServiceInstance,
        weather: &FaultInjector,
    ) -> anyhow::Result<()> {
        let late = std::mem::take(&mut self.late);
        loop {
            let next = town.github.github().take_delivery();
            let Some(one) = next else { break };
            match weather.carries() {
                Carried::AsSent => brought(town, life, one).await?,
                Carried::Lost => town
                    .github
                    .github()
                    .record_outcome(one.id, WebhookOutcome::Lost),
                Carried::Twice => {
                    self.late.push(one.clone());
                    brought(town, life, one).await?;
                }
                Carried::Later => self.late.push(one),
            }
        }
        // The newest first: they overtake each other too.
        for one in late.into_iter().rev() {
            brought(town, life, one).await?;
        }
        Ok(())
    }
}

async fn brought(
    town: &Harness,
    life: &ServiceInstance,
    one: WebhookDelivery,
) -> anyhow::Result<()> {
    let id = one.id;
    let outcome = life.receives(town, one).await?;
    town.github.github().record_outcome(id, outcome);
    Ok(())
}
