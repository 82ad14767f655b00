//! A site beside another on one MAAS: what both declare refuses the plan. It must not know how a declaration is read, nor
//! how the MAAS was recognised.

use plan::plan::RefusedPlan;
use plan::refusal::{Refusal, RefusalCode};
use topology::plane::Topology;
use topology::shared::{declares, shared};

use super::PlanningResult;

/// Objects that one refusal lists; a declaration that was copied has hundreds.
const LISTED_MAX: usize = 20;

impl PlanningResult {
    /// Refuses the plan of `own` if a site `name` on the same MAAS declares something of it too, or something that it would
    /// take along.
    pub fn refuse_shared(&mut self, own: &Topology, name: &str, other: &Topology) {
        let found = shared(own, other);
        let help = format!("Site `{name}` is on the same MAAS: declare it in one of the two only.");
        let mut refusals: Vec<Refusal> = found
            .iter()
            .take(LISTED_MAX)
            .map(|it| {
                let why = format!("{} is also declared by site `{name}`.", it.object);
                let refusal = Refusal::new(RefusalCode::Shared, why, help.clone());
                match &it.plane {
                    Some(plane) => refusal.of(plane),
                    None => refusal,
                }
            })
            .collect();
        if let Some(more) = found.len().checked_sub(LISTED_MAX + 1) {
            let why = format!("{} more are also declared by site `{name}`.", more + 1);
            refusals.push(Refusal::new(RefusalCode::Shared, why, help));
        }
        if let Ok(plan) = &self.outcome {
            let taken = plan.adopted.iter().filter(|key| declares(other, key));
            refusals.extend(taken.map(|key| {
                let why =
                    format!("it would take over or move {key}, which site `{name}` declares.");
                let help = "No `adopt: true` reaches what another site of the same MAAS declares.";
                Refusal::new(RefusalCode::Shared, why, help)
            }));
        }
        if refusals.is_empty() {
            return;
        }
        self.rehearsed = plan::render::Rehearsed::default();
        match &mut self.outcome {
            Err(refused) => refused.refusals.extend(refusals),
            Ok(plan) => {
                let audit = std::mem::take(&mut plan.audit);
                let read_only = plan.read_only.take();
                self.outcome = Err(RefusedPlan {
                    refusals,
                    audit,
                    read_only,
                });
            }
        }
    }
}
