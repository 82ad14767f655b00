//! The last rehearsal, remembered. A rehearsal follows from what it is given and nothing else, so the same plan on the
//! same ground needs no second one: an order that comes soon after its plan is answered at once. It must not know what a
//! rehearsal does.

use std::sync::{Arc, Mutex, PoisonError};

use plan::plan::{Plan, PlanPolicy};
use plan::render::Rehearsed;
use topology::observed::{Observed, Timestamp};
use topology::plane::Topology;

use crate::rehearse::{Play, rehearse};

/// The last rehearsal of a site; its clones remember the same one. One play is all the memory that it takes.
#[derive(Clone, Default)]
pub struct Rehearsals(Arc<Mutex<Option<(Ground, Rehearsed)>>>);

/// Everything that a rehearsal depends on.
#[derive(PartialEq)]
struct Ground {
    plan: Plan,
    topology: Topology,
    policy: PlanPolicy,
    observed: Observed,
}

impl Ground {
    fn of(play: &Play<'_>) -> Self {
        let mut observed = play.observed.clone();
        // When it was read moves the rehearsal's clock and nothing else.
        observed.at = Timestamp(0);
        Self {
            plan: play.plan.clone(),
            topology: play.topology.clone(),
            policy: play.policy.clone(),
            observed,
        }
    }
}

impl Rehearsals {
    /// What the rehearsal of this play found. `tell` hears it only where it has to be played.
    pub async fn of(&self, play: &Play<'_>, tell: &mut (dyn FnMut(String) + Send)) -> Rehearsed {
        let ground = Ground::of(play);
        if let Some(rehearsed) = self.remembered(&ground) {
            return rehearsed;
        }
        let rehearsed = Box::pin(rehearse(play, tell)).await;
        *self.last() = Some((ground, rehearsed.clone()));
        rehearsed
    }

    fn remembered(&self, ground: &Ground) -> Option<Rehearsed> {
        let last = self.last();
        let (known, rehearsed) = last.as_ref()?;
        (known == ground).then(|| rehearsed.clone())
    }

    fn last(&self) -> std::sync::MutexGuard<'_, Option<(Ground, Rehearsed)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
