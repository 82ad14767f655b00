//! The plan under construction: the steps so far, and a model of the network after them.
//!
//! Every step that is added is applied to the model at once, so its before and after are exact, and a write that MAAS would
//! refuse becomes a refusal. Must not know the order of the phases.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use topology::address::Cidr;
use topology::object::{Interface, Key, Object, VlanAt};
use topology::observed::{Holder, NodeKind, Observed, Occupant};
use topology::plane::{Strategy, Topology};

use super::moves::RangeMoves;
use crate::departures::Departures;
use crate::desired::{Desired, DesiredSubnet};
use crate::network::{NetworkModel, RuleViolation};
use crate::pairing::Pairing;
use crate::refusal::{Refusal, RefusalCode};
use crate::step::{Phase, Step, StepId, Undo, write_between};

/// A plan under construction: the steps so far, and a model of the network after them.
pub(crate) struct PlanBuilder<'a> {
    pub(crate) topology: &'a Topology,
    pub(crate) observed: &'a Observed,
    pub(crate) pairing: &'a Pairing,
    pub(crate) desired: &'a Desired,
    pub(crate) network: NetworkModel,
    pub(crate) steps: Vec<Step>,
    pub(crate) refusals: Vec<Refusal>,
    /// Removals of what still holds something; `planner::removal` says what and why.
    pub(crate) held: Vec<Refusal>,
    /// The step before which controllers must have released their addresses, if one has an address on a vacated subnet.
    pub(crate) vacate_before: Option<StepId>,
    /// Old CIDR to the desired subnet that it becomes.
    pub(super) becoming: BTreeMap<Cidr, &'a DesiredSubnet>,
    /// Ranges that keep their row and change their addresses.
    pub(super) moving_ranges: RangeMoves,
    /// Interfaces on VLANs that go, which people take off them at a gate.
    pub(crate) detached: Vec<(Interface, VlanAt)>,
    /// Where the rows of VLANs that change their place still are, by their desired places.
    pub(super) vlan_rows: BTreeMap<VlanAt, VlanAt>,
    /// Fabrics whose MTUs change last, in a safe order.
    pub(super) deferred_mtus: BTreeSet<String>,
}

/// A step to add.
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
            held: Vec::new(),
            vacate_before: None,
            becoming: desired
                .subnets
                .values()
                .filter_map(|subnet| Some((subnet.old?, subnet)))
                .collect(),
            moving_ranges: RangeMoves::of(observed, desired),
            detached: Vec::new(),
            vlan_rows: BTreeMap::new(),
            deferred_mtus: BTreeSet::new(),
        }
    }

    /// Adds a step and applies it to the model.
    pub(crate) fn add_step(&mut self, draft: StepDraft) {
        if draft.before == draft.after {
            return;
        }
        self.write(draft, false);
    }

    /// Adds a write that changes nothing but makes MAAS update dhcpd.
    pub(crate) fn nudge(&mut self, draft: StepDraft) {
        self.write(draft, true);
    }

    fn write(&mut self, draft: StepDraft, nudge: bool) {
        let write = write_between(draft.before.as_ref(), draft.after.as_ref());
        if let Err(violation) = self.network.apply(&write) {
            // Something missing after an earlier refusal is a consequence of it, not another reason.
            let follows =
                matches!(violation, RuleViolation::Missing(_)) && !self.refusals.is_empty();
            if follows {
                return;
            }
            let refusal = Refusal::new(
                RefusalCode::MaasRefuses,
                format!("{violation}."),
                "Change the declaration to avoid this, or fix it in MAAS first.",
            );
            let refusal = match &draft.plane {
                Some(plane) => refusal.of(plane),
                None => refusal,
            };
            if matches!(violation, RuleViolation::InUse(..)) {
                self.held.push(refusal);
            } else {
                self.refusals.push(refusal);
            }
            return;
        }
        let place = u32::try_from(self.steps.len() + 1).expect("a plan has fewer than 2^32 steps");
        let back = write_between(draft.after.as_ref(), draft.before.as_ref());
        let vacant = self.vacates(draft.before.as_ref(), draft.after.as_ref());
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

    /// Old CIDRs of the subnets that change their CIDR or VLAN.
    pub(crate) fn vacated(&self) -> BTreeSet<Cidr> {
        vacated(self.desired, self.observed, self.pairing)
    }

    /// Who has to leave which subnets.
    pub(crate) fn departures(&self) -> Departures {
        Departures::new(self.vacated(), self.desired)
    }

    /// The subnets that lose addresses. A subnet that only changes its VLAN, or grows, keeps its addresses.
    pub(crate) fn leaving(&self) -> BTreeSet<Cidr> {
        let stays = |old: &Cidr| {
            self.becomes(old)
                .is_some_and(|subnet| subnet.row.cidr.encloses(old))
        };
        let mut leaving: BTreeSet<Cidr> = self.departures().subnets().collect();
        leaving.retain(|old| !stays(old));
        leaving
    }

    /// Tells of an address whether it was on a subnet that loses it.
    pub(crate) fn loses(&self) -> impl Fn(IpAddr) -> bool {
        let kept = |old: Cidr| (old, self.becomes(&old).map(|subnet| subnet.row.cidr));
        let leaving: Vec<(Cidr, Option<Cidr>)> = self.leaving().into_iter().map(kept).collect();
        move |ip| {
            let mut all = leaving.iter();
            all.any(|(old, new)| old.contains(ip) && !new.is_some_and(|new| new.contains(ip)))
        }
    }

    /// Whether a controller has an address on that subnet.
    pub(crate) fn held_by_controller(&self, cidr: &Cidr) -> bool {
        let occupants = self.observed.occupants.get(cidr);
        occupants.is_some_and(|all| all.iter().any(is_controller))
    }

    /// Whether a controller has an address there that will lie outside of the subnet.
    pub(crate) fn cut_off_controllers(&self, cidr: &Cidr) -> bool {
        let departures = self.departures();
        let occupants = self.observed.occupants.get(cidr).into_iter().flatten();
        occupants
            .filter(|occupant| departures.take(cidr, occupant.ip))
            .any(is_controller)
    }

    /// The desired subnet that the observed one becomes.
    pub(crate) fn becomes(&self, old: &Cidr) -> Option<&'a DesiredSubnet> {
        self.becoming.get(old).copied()
    }

    /// Whether a write takes a subnet away from the hosts on it.
    fn vacates(&self, before: Option<&Object>, after: Option<&Object>) -> bool {
        match (before, after) {
            (Some(Object::Subnet(_) | Object::Vlan(_) | Object::Fabric(_)), None) => true,
            (Some(Object::Subnet(before)), Some(Object::Subnet(after))) => {
                let stays = || {
                    self.becomes(&before.cidr)
                        .is_some_and(|subnet| subnet.keeps_content)
                };
                (before.vlan != after.vlan && self.vacated().contains(&before.cidr))
                    || (before.cidr != after.cidr && !stays())
            }
            _ => false,
        }
    }

    pub(crate) fn object(&self, key: &Key) -> Option<Object> {
        self.network.get(key).cloned()
    }
}

/// CIDRs of the subnets that are removed, and of those whose CIDR changes in such a way that what is on them has to leave, and of those whose other VLAN
/// a controller would not leave alone. Machines do not mind another VLAN: MAAS leaves their interfaces, links and addresses
/// as they are (seen on 3.5.12 and 3.7.3).
fn vacated(desired: &Desired, observed: &Observed, pairing: &Pairing) -> BTreeSet<Cidr> {
    let moved = moved_to(desired, observed, pairing);
    desired
        .subnets
        .values()
        .filter_map(|subnet| observed.subnet(&subnet.old?).map(|old| (subnet, old)))
        .filter(|(subnet, old)| {
            let other_vlan = pairing.place(&old.vlan) != subnet.row.vlan;
            subnet.relocates() || (other_vlan && is_dragged(&old.cidr, &moved, observed))
        })
        .map(|(_, old)| old.cidr)
        .chain(desired.removal.subnets.keys().copied())
        .collect()
}

/// The VLAN that each observed subnet will be on.
fn moved_to(desired: &Desired, observed: &Observed, pairing: &Pairing) -> BTreeMap<Cidr, VlanAt> {
    let mut moved: BTreeMap<Cidr, VlanAt> = observed
        .subnets()
        .map(|subnet| (subnet.cidr, pairing.place(&subnet.vlan)))
        .collect();
    let declared = desired.subnets.values();
    moved.extend(declared.filter_map(|subnet| Some((subnet.old?, subnet.row.vlan.clone()))));
    moved
}

/// Whether a controller's next report would move a subnet on, or another one along with it: MAAS puts the interface on the
/// VLAN of one of its subnets and moves the others there, and it moves a VLAN interface to the fabric of its parent. An
/// interface all of whose subnets go to one VLAN only follows (seen on 3.5.12 and 3.7.3).
fn is_dragged(cidr: &Cidr, moved: &BTreeMap<Cidr, VlanAt>, observed: &Observed) -> bool {
    let is_controller = |host: &str| {
        let node = observed.nodes.get(host);
        node.is_some_and(|node| node.kind == NodeKind::Controller)
    };
    let goal = moved.get(cidr);
    observed
        .links()
        .filter(|link| link.subnet == *cidr && is_controller(&link.host))
        .any(|link| {
            let apart = observed
                .links()
                .filter(|other| other.host == link.host && other.interface == link.interface)
                .any(|other| moved.get(&other.subnet) != goal);
            let mut own = observed.interfaces_of(&link.host);
            let fabric = own
                .find(|interface| interface.name == link.interface)
                .and_then(|interface| interface.vlan.as_ref())
                .map(|at| &at.fabric);
            let mut own = observed.interfaces_of(&link.host);
            let carries = own.any(|interface| interface.parents.contains(&link.interface));
            apart || (carries && fabric != goal.map(|at| &at.fabric))
        })
}

fn is_controller(occupant: &Occupant) -> bool {
    matches!(
        occupant.holder,
        Holder::Node {
            kind: NodeKind::Controller,
            ..
        }
    )
}

/// Whether a moving subnet is deleted and recreated.
pub(crate) fn is_recreated(subnet: &DesiredSubnet) -> bool {
    subnet
        .chosen
        .is_some_and(|chosen| chosen.strategy == Strategy::Recreate)
}
