//! The result of a site's last rehearsal. It depends on nothing but its input, so that an order soon after its plan needs
//! no second rehearsal. It must not know what a rehearsal does.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use plan::plan::{Plan, PlanPolicy};
use plan::render::Rehearsed;
use topology::observed::{Observed, Timestamp};
use topology::plane::Topology;

use crate::rehearse::{RehearsalInput, rehearse};

/// The last rehearsal of a site; clones share it. One rehearsal bounds the memory that it takes.
#[derive(Clone, Default)]
pub struct RehearsalCache(Arc<Mutex<Option<(RehearsalKey, Rehearsed)>>>);

/// Everything that a rehearsal depends on.
#[derive(PartialEq)]
struct RehearsalKey {
    plan: Plan,
    topology: Topology,
    policy: PlanPolicy,
    observed: Observed,
}

impl RehearsalKey {
    fn of(input: &RehearsalInput<'_>) -> Self {
        let mut observed = input.observed.clone();
        // The time of the observation only sets the rehearsal's clock.
        observed.at = Timestamp(0);
        Self {
            plan: input.plan.clone(),
            topology: input.topology.clone(),
            policy: input.policy.clone(),
            observed,
        }
    }
}

impl RehearsalCache {
    /// The result for this input. Rehearses, and calls `report`, only when it is not the last one.
    pub async fn get_or_rehearse(
        &self,
        input: &RehearsalInput<'_>,
        report: &mut (dyn FnMut(String) + Send),
    ) -> Rehearsed {
        let key = RehearsalKey::of(input);
        if let Some(rehearsed) = self.get(&key) {
            return rehearsed;
        }
        let rehearsed = Box::pin(rehearse(input, report)).await;
        *self.last() = Some((key, rehearsed.clone()));
        rehearsed
    }

    fn get(&self, key: &RehearsalKey) -> Option<Rehearsed> {
        let last = self.last();
        let (known, rehearsed) = last.as_ref()?;
        (known == key).then(|| rehearsed.clone())
    }

    fn last(&self) -> MutexGuard<'_, Option<(RehearsalKey, Rehearsed)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
