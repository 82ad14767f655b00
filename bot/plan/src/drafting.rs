//! The walk from what is there to what is wanted, one write after another.
//!
//! The order is the design's: routes, reserved IPs, DHCP snippets, dynamic ranges, reserved ranges, subnets go; spaces, fabrics, VLANs,
//! subnets come; gateways and resolvers, reserved ranges, dynamic ranges, DHCP, routes, reserved IPs, snippets stand up. Every
//! write is carried out on paper as it is noted, so each step's before and after are exact, and a write that MAAS would
//! refuse becomes a refusal here. Must not know gates, or who approves.

mod ranges;
mod remove;
mod snippets;
mod stand;
mod target;
mod vlans;

use std::collections::{BTreeMap, BTreeSet};

use topology::address::Cidr;
use topology::object::{Key, Object};
use topology::observed::{Holder, NodeKind, Observed};
use topology::plane::{Strategy, Topology};

use crate::network::{Broken, Network};
use crate::pairing::Pairing;
use crate::refusal::{Code, Refusal};
use crate::step::{Phase, Step, StepId, Undo, write_between};
use crate::wanted::{Wanted, WantedSubnet};

use ranges::Moves;
pub(crate) use ranges::called;

/// A plan on paper: the steps so far, and the network they leave.
pub(crate) struct Drafting<'a> {
    pub(crate) topology: &'a Topology,
    pub(crate) observed: &'a Observed,
    pub(crate) pairing: &'a Pairing,
    pub(crate) wanted: &'a Wanted,
    pub(crate) network: Network,
    pub(crate) steps: Vec<Step>,
    pub(crate) refusals: Vec<Refusal>,
    /// The step before which controllers must have let go, if any subnet that goes is held by one.
    pub(crate) vacate_before: Option<StepId>,
    /// Old CIDR to the wanted subnet that it becomes.
    becoming: BTreeMap<Cidr, &'a WantedSubnet>,
    /// Ranges that keep their row and take other addresses.
    moving_ranges: Moves,
    /// Fabrics whose MTUs change last, each in its turn.
    mtus_wait: BTreeSet<String>,
}

/// One write to note.
pub(crate) struct Note {
    pub(crate) phase: Phase,
    pub(crate) plane: Option<String>,
    pub(crate) before: Option<Object>,
    pub(crate) after: Option<Object>,
    pub(crate) why: String,
}

impl<'a> Drafting<'a> {
    pub(crate) fn new(
        topology: &'a Topology,
        observed: &'a Observed,
        pairing: &'a Pairing,
        wanted: &'a Wanted,
    ) -> Self {
        Self {
            topology,
            observed,
            pairing,
            wanted,
            network: Network::of(observed),
            steps: Vec::new(),
            refusals: Vec::new(),
            vacate_before: None,
            becoming: wanted
                .subnets
                .values()
                .filter_map(|subnet| Some((subnet.old?, subnet)))
                .collect(),
            moving_ranges: Moves::of(observed, wanted),
            mtus_wait: BTreeSet::new(),
        }
    }

    /// Walks all phases but the carve.
    pub(crate) fn walk(&mut self) {
        self.release_links();
        self.turn_dhcp_off();
        self.turn_dhcp_off_behind();
        self.remove_routes();
        self.remove_reserved_ips();
        self.remove_snippets();
        self.remove_ranges();
        self.remove_subnets();
        self.make_spaces();
        self.make_fabrics();
        self.make_vlans();
        self.make_subnets();
        self.stand_up();
        self.make_waiting_snippets();
    }

    /// Notes a step and carries it out on paper.
    pub(crate) fn note(&mut self, note: Note) {
        if note.before == note.after {
            return;
        }
        self.write(note, false);
    }

    /// Notes a write that changes nothing but is needed all the same.
    pub(crate) fn nudge(&mut self, note: Note) {
        self.write(note, true);
    }

    fn write(&mut self, note: Note, nudge: bool) {
        let write = write_between(note.before.as_ref(), note.after.as_ref());
        if let Err(broken) = self.network.apply(&write) {
            // What was refused before is missing afterwards: that is no second reason.
            let follows = matches!(broken, Broken::Missing(_)) && !self.refusals.is_empty();
            if follows {
                return;
            }
            let refusal = Refusal::new(
                Code::MaasRefuses,
                format!("{broken}."),
                "Change the declaration so that this does not happen, or put it right in MAAS first.",
            );
            self.refusals.push(match &note.plane {
                Some(plane) => refusal.of(plane),
                None => refusal,
            });
            return;
        }
        let place = u32::try_from(self.steps.len() + 1).expect("a plan has fewer than 2^32 steps");
        let back = write_between(note.after.as_ref(), note.before.as_ref());
        let vacant = vacates(note.before.as_ref(), note.after.as_ref());
        self.steps.push(Step {
            id: StepId(place),
            phase: note.phase,
            plane: note.plane,
            undo: match self.network.allows(&back) {
                Ok(()) => Undo::By(Box::new(back)),
                Err(broken) => Undo::Impossible(broken.to_string()),
            },
            expects: note.before,
            leaves: note.after,
            why: note.why,
            vacant,
            nudge,
        });
    }

    /// Subnets that leave their CIDR or their VLAN, by their old CIDR.
    pub(crate) fn vacated(&self) -> BTreeSet<Cidr> {
        vacated(self.wanted, self.observed, self.pairing)
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
    pub(crate) fn becomes(&self, old: &Cidr) -> Option<&'a WantedSubnet> {
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
pub(crate) fn vacated(wanted: &Wanted, observed: &Observed, pairing: &Pairing) -> BTreeSet<Cidr> {
    wanted
        .subnets
        .values()
        .filter_map(|subnet| observed.subnet(&subnet.old?).map(|old| (subnet, old)))
        .filter(|(subnet, old)| subnet.moves() || pairing.place(&old.vlan) != subnet.row.vlan)
        .map(|(_, old)| old.cidr)
        .collect()
}

/// Whether a subnet that moves is deleted and made again.
pub(crate) fn is_recreated(subnet: &WantedSubnet) -> bool {
    subnet
        .way
        .is_some_and(|way| way.strategy == Strategy::Recreate)
}
