//! The plan while it is being built: the steps so far, and the network that they leave.
//!
//! Every step that is added is applied to the model at once, so its before and after are exact, and a write that MAAS would
//! refuse becomes a refusal. Must not know the order of the phases.

use std::collections::{BTreeMap, BTreeSet};

use topology::address::Cidr;
use topology::object::{Key, Object};
use topology::observed::{Holder, NodeKind, Observed};
use topology::plane::{Strategy, Topology};

use super::moves::RangeMoves;
use crate::desired::{Desired, DesiredSubnet};
use crate::network::{NetworkModel, RuleViolation};
use crate::pairing::Pairing;
use crate::refusal::{Refusal, RefusalCode};
use crate::step::{Phase, Step, StepId, Undo, write_between};

/// A plan on paper: the steps so far, and the network they leave.
pub(crate) struct PlanBuilder<'a> {
    pub(crate) topology: &'a Topology,
    pub(crate) observed: &'a Observed,
    pub(crate) pairing: &'a Pairing,
    pub(crate) desired: &'a Desired,
    pub(crate) network: NetworkModel,
    pub(crate) steps: Vec<Step>,
    pub(crate) refusals: Vec<Refusal>,
    /// The step before which controllers must have let go, if any subnet that goes is held by one.
    pub(crate) vacate_before: Option<StepId>,
    /// Old CIDR to the wanted subnet that it becomes.
    pub(super) becoming: BTreeMap<Cidr, &'a DesiredSubnet>,
    /// Ranges that keep their row and take other addresses.
    pub(super) moving_ranges: RangeMoves,
    /// Fabrics whose MTUs change last, each in its turn.
    pub(super) deferred_mtus: BTreeSet<String>,
}

/// One write to note.
pub(crate) struct StepDraft {
    pub(crate) phase: Phase,
    pub(crate) plane: Option<String>,
    pub(crate) before: Option<Object>,
    pub(crate) after: Option<Object>,
    pub(crate) why: String,
}

impl<'a> PlanBuilder<'a> {
    pub(crate) fn new(
        topology: &'a Topology,
        observed: &'a Observed,
        pairing: &'a Pairing,
        desired: &'a Desired,
    ) -> Self {
        Self {
            topology,
            observed,
            pairing,
            desired,
            network: NetworkModel::of(observed),
            steps: Vec::new(),
            refusals: Vec::new(),
            vacate_before: None,
            becoming: desired
                .subnets
                .values()
                .filter_map(|subnet| Some((subnet.old?, subnet)))
                .collect(),
            moving_ranges: RangeMoves::of(observed, desired),
            deferred_mtus: BTreeSet::new(),
        }
    }

    /// Notes a step and carries it out on paper.
    pub(crate) fn add_step(&mut self, draft: StepDraft) {
        if draft.before == draft.after {
            return;
        }
        self.write(draft, false);
    }

    /// Notes a write that changes nothing but is needed all the same.
    pub(crate) fn nudge(&mut self, draft: StepDraft) {
        self.write(draft, true);
    }

    fn write(&mut self, draft: StepDraft, nudge: bool) {
        let write = write_between(draft.before.as_ref(), draft.after.as_ref());
        if let Err(violation) = self.network.apply(&write) {
            // What was refused before is missing afterwards: that is no second reason.
            let follows =
                matches!(violation, RuleViolation::Missing(_)) && !self.refusals.is_empty();
            if follows {
                return;
            }
            let refusal = Refusal::new(
                RefusalCode::MaasRefuses,
                format!("{violation}."),
                "Change the declaration so that this does not happen, or put it right in MAAS first.",
            );
            self.refusals.push(match &draft.plane {
                Some(plane) => refusal.of(plane),
                None => refusal,
            });
            return;
        }
        let place = u32::try_from(self.steps.len() + 1).expect("a plan has fewer than 2^32 steps");
        let back = write_between(draft.after.as_ref(), draft.before.as_ref());
        let vacant = vacates(draft.before.as_ref(), draft.after.as_ref());
        self.steps.push(Step {
            id: StepId(place),
            phase: draft.phase,
            plane: draft.plane,
            undo: match self.network.allows(&back) {
                Ok(()) => Undo::By(Box::new(back)),
                Err(violation) => Undo::Impossible(violation.to_string()),
            },
            expects: draft.before,
            leaves: draft.after,
            why: draft.why,
            vacant,
            nudge,
        });
    }

    /// Subnets that leave their CIDR or their VLAN, by their old CIDR.
    pub(crate) fn vacated(&self) -> BTreeSet<Cidr> {
        vacated(self.desired, self.observed, self.pairing)
    }

    /// Of those, the ones whose addresses go elsewhere: a subnet that only changes its VLAN, or grows, still holds them.
    pub(crate) fn leaving(&self) -> BTreeSet<Cidr> {
        let stays = |old: &Cidr| {
            self.becomes(old)
                .is_some_and(|subnet| subnet.row.cidr.encloses(old))
        };
        let mut leaving = self.vacated();
        leaving.retain(|old| !stays(old));
        leaving
    }

    /// Whether a controller holds an address on that subnet.
    pub(crate) fn held_by_controller(&self, cidr: &Cidr) -> bool {
        self.observed.occupants.get(cidr).is_some_and(|occupants| {
            occupants.iter().any(|occupant| {
                matches!(
                    occupant.holder,
                    Holder::Node {
                        kind: NodeKind::Controller,
                        ..
                    }
                )
            })
        })
    }

    /// The wanted subnet that the observed one becomes.
    pub(crate) fn becomes(&self, old: &Cidr) -> Option<&'a DesiredSubnet> {
        self.becoming.get(old).copied()
    }

    pub(crate) fn object(&self, key: &Key) -> Option<Object> {
        self.network.get(key).cloned()
    }
}

/// Whether a write takes a network away from whoever lives on it.
fn vacates(before: Option<&Object>, after: Option<&Object>) -> bool {
    match (before, after) {
        (Some(Object::Subnet(_)), None) => true,
        (Some(Object::Subnet(before)), Some(Object::Subnet(after))) => {
            before.cidr != after.cidr || before.vlan != after.vlan
        }
        _ => false,
    }
}

/// Subnets that leave their CIDR or their VLAN, by their old CIDR.
pub(crate) fn vacated(desired: &Desired, observed: &Observed, pairing: &Pairing) -> BTreeSet<Cidr> {
    desired
        .subnets
        .values()
        .filter_map(|subnet| observed.subnet(&subnet.old?).map(|old| (subnet, old)))
        .filter(|(subnet, old)| subnet.moves() || pairing.place(&old.vlan) != subnet.row.vlan)
        .map(|(_, old)| old.cidr)
        .collect()
}

/// Whether a subnet that moves is deleted and made again.
pub(crate) fn is_recreated(subnet: &DesiredSubnet) -> bool {
    subnet
        .chosen
        .is_some_and(|chosen| chosen.strategy == Strategy::Recreate)
}
