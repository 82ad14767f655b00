//! What the network before a plan tells about the plan's steps, for display.
//!
//! A step only has the objects before and after its own write. A reader also asks which host a rack's system id is, and
//! whether what a step makes is there already. No part of the digest. Must not know the wording.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use topology::object::{Key, Object, Vlan};
use topology::observed::Observed;

use crate::step::{Step, StepId};

/// What only the observed network tells about the steps.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanNotes {
    /// The host names of the rack controllers that steps name by system id.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub racks: BTreeMap<String, String>,
    /// Steps that make what is there already: what people do at a gate takes it away first.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub again: BTreeSet<StepId>,
    /// For a step that adds a link: the interface's links now, if no step removes them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub links_now: BTreeMap<StepId, String>,
}

impl PlanNotes {
    pub(crate) fn of(steps: &[Step], observed: &Observed) -> Self {
        let gone: BTreeSet<Key> = steps
            .iter()
            .filter_map(|step| step.expects.as_ref().map(Object::key))
            .collect();
        let mut notes = Self {
            racks: racks(steps, observed),
            ..Self::default()
        };
        for step in steps.iter().filter(|step| step.expects.is_none()) {
            let Some(made) = &step.leaves else { continue };
            if observed.get(&made.key()).is_some() && !gone.contains(&made.key()) {
                notes.again.insert(step.id);
            } else if let Some(now) = links_now(made, observed, &gone) {
                notes.links_now.insert(step.id, now);
            }
        }
        notes
    }

    /// Whether there is anything to tell.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The step with host names in the place of system ids, for display only.
    pub(crate) fn named(&self, step: &Step) -> Step {
        let mut step = step.clone();
        for object in [&mut step.expects, &mut step.leaves].into_iter().flatten() {
            if let Object::Vlan(vlan) = object {
                self.name_racks(vlan);
            }
        }
        step
    }

    fn name_racks(&self, vlan: &mut Vlan) {
        for rack in [&mut vlan.primary_rack, &mut vlan.secondary_rack] {
            if let Some(host) = rack.as_ref().and_then(|id| self.racks.get(id)) {
                *rack = Some(host.clone());
            }
        }
    }
}

fn racks(steps: &[Step], observed: &Observed) -> BTreeMap<String, String> {
    let named: BTreeSet<&String> = steps
        .iter()
        .flat_map(|step| [&step.expects, &step.leaves])
        .filter_map(|object| object.as_ref()?.as_vlan())
        .flat_map(|vlan| [&vlan.primary_rack, &vlan.secondary_rack])
        .flatten()
        .collect();
    observed
        .nodes
        .values()
        .filter(|node| named.contains(&node.system_id))
        .map(|node| (node.system_id.clone(), node.host.clone()))
        .collect()
}

/// The links that the interface of a new link has now and no step removes.
fn links_now(made: &Object, observed: &Observed, gone: &BTreeSet<Key>) -> Option<String> {
    let made = made.as_link()?;
    let now: Vec<String> = observed
        .links()
        .filter(|link| link.host == made.host && link.interface == made.interface)
        .filter(|link| link.subnet.is_v6() == made.subnet.is_v6())
        .filter(|link| !gone.contains(&Object::Link((*link).clone()).key()))
        .map(|link| format!("{} on {}", link.mode, link.subnet))
        .collect();
    (!now.is_empty()).then(|| now.join(", "))
}
