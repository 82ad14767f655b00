//! The create phase: spaces, fabrics, subnets.

use std::collections::{BTreeMap, BTreeSet};

use topology::address::Cidr;
use topology::object::{Fabric, Key, Object, RangeKind, Space, Subnet};

use super::draft::{PlanBuilder, StepDraft, is_recreated};
use crate::desired::DesiredSubnet;
use crate::refusal::{Refusal, RefusalCode};
use crate::step::Phase;

impl PlanBuilder<'_> {
    pub(super) fn make_spaces(&mut self) {
        for (old, new) in &self.pairing.spaces {
            self.add_step(StepDraft {
                phase: Phase::Create,
                plane: None,
                before: Some(Object::Space(Space { name: old.clone() })),
                after: Some(Object::Space(Space { name: new.clone() })),
                why: "renamed: the row stays, Juju knows spaces by it".to_owned(),
            });
        }
        for name in &self.desired.spaces {
            if self.network.get(&Key::Space(name.clone())).is_none() {
                self.add_step(creation_step(
                    None,
                    Object::Space(Space { name: name.clone() }),
                    "declared",
                ));
            }
        }
    }

    pub(super) fn make_fabrics(&mut self) {
        for (old, new) in &self.pairing.fabrics {
            self.add_step(StepDraft {
                phase: Phase::Create,
                plane: None,
                before: Some(Object::Fabric(Fabric { name: old.clone() })),
                after: Some(Object::Fabric(Fabric { name: new.clone() })),
                why: "renamed: the subnets on it are declared under the new name".to_owned(),
            });
        }
        for name in &self.desired.fabrics {
            if self.network.get(&Key::Fabric(name.clone())).is_none() {
                self.add_step(creation_step(
                    None,
                    Object::Fabric(Fabric { name: name.clone() }),
                    "declared; MAAS makes its untagged VLAN with it",
                ));
            }
        }
    }

    /// First changes subnets in place, each when its new CIDR is free, so chains are resolved from their free end; then
    /// creates the new ones.
    pub(super) fn make_subnets(&mut self) {
        let mut moving: Vec<&DesiredSubnet> = self
            .desired
            .subnets
            .values()
            .filter(|subnet| self.moves_in_place(subnet))
            .collect();
        let mut parked: BTreeMap<Cidr, Cidr> = BTreeMap::new();
        while !moving.is_empty() {
            let free = moving
                .iter()
                .position(|subnet| self.is_free_for(subnet, &parked));
            if let Some(next) = free {
                let subnet = moving.remove(next);
                self.move_in_place(subnet, parked.get(&subnet.row.cidr).copied());
            } else if !self.park_one(&moving, &mut parked) {
                self.refuse_circle(&moving);
                return;
            }
        }
        for subnet in self.desired.subnets.values() {
            let new = subnet.old.is_none() || is_recreated(subnet);
            if new {
                self.make_subnet(subnet);
            }
        }
    }

    fn moves_in_place(&self, subnet: &DesiredSubnet) -> bool {
        let Some(old) = subnet.old.and_then(|old| self.network.subnet(&old)) else {
            return false;
        };
        !is_recreated(subnet) && (subnet.moves() || old.vlan != subnet.row.vlan)
    }

    fn is_free_for(&self, subnet: &DesiredSubnet, parked: &BTreeMap<Cidr, Cidr>) -> bool {
        let own = parked.get(&subnet.row.cidr).copied().or(subnet.old);
        !self
            .network
            .subnets()
            .filter(|other| Some(other.cidr) != own)
            .any(|other| other.cidr.overlaps(&subnet.row.cidr))
    }

    /// Breaks a cycle by moving one of its subnets temporarily to an unused CIDR. Returns false if none can be moved.
    fn park_one(&mut self, moving: &[&DesiredSubnet], parked: &mut BTreeMap<Cidr, Cidr>) -> bool {
        let stays = |subnet: &&DesiredSubnet| self.subnet_in_the_way(subnet.row.cidr).is_some();
        if moving.iter().any(stays) {
            return false;
        }
        let next = moving
            .iter()
            .filter(|subnet| !parked.contains_key(&subnet.row.cidr) && !subnet.keeps_content)
            .find_map(|subnet| {
                let now = self.network.subnet(&subnet.old?)?.clone();
                Some((*subnet, self.aside(now.cidr)?, now))
            });
        let Some((subnet, aside, now)) = next else {
            return false;
        };
        let after = Subnet {
            cidr: aside,
            gateway: None,
            name: if now.name == now.cidr.to_string() {
                aside.to_string()
            } else {
                now.name.clone()
            },
            ..now.clone()
        };
        self.wait_for_controllers(self.held_by_controller(&now.cidr));
        self.add_step(StepDraft {
            phase: Phase::Create,
            plane: Some(subnet.plane.clone()),
            before: Some(Object::Subnet(now)),
            after: Some(Object::Subnet(after)),
            why: "aside for a moment: the CIDRs change places in a circle".to_owned(),
        });
        parked.insert(subnet.row.cidr, aside);
        true
    }

    /// An unused CIDR of that size, from the blocks for benchmarks and documentation (RFC 2544, RFC 3849).
    fn aside(&self, old: Cidr) -> Option<Cidr> {
        let prefix = old.prefix();
        let (block, width) = if old.is_v6() {
            ("2001:db8::/32", 128_u8)
        } else {
            ("198.18.0.0/15", 32)
        };
        let block: Cidr = block.parse().ok()?;
        let size = 1_u128.checked_shl(u32::from(width.checked_sub(prefix)?))?;
        let taken = |cidr: &Cidr| {
            self.network
                .subnets()
                .map(|subnet| subnet.cidr)
                .chain(self.desired.subnets.keys().copied())
                .any(|other| other.overlaps(cidr))
        };
        (0..ASIDE_TRIES)
            .map_while(|n| block.at(size.checked_mul(n)?))
            .filter_map(|at| format!("{at}/{prefix}").parse::<Cidr>().ok())
            .filter(|cidr| block.encloses(cidr))
            .find(|cidr| !taken(cidr))
    }

    fn refuse_circle(&mut self, moving: &[&DesiredSubnet]) {
        let names: BTreeSet<&str> = moving.iter().map(|subnet| subnet.plane.as_str()).collect();
        let undeclared = moving
            .iter()
            .find_map(|subnet| self.subnet_in_the_way(subnet.row.cidr));
        self.refusals.push(match undeclared {
            Some(other) => occupied(moving[0], other),
            None => Refusal::new(
                RefusalCode::Circle,
                format!(
                    "{} would swap CIDRs in a cycle, which is not possible in place.",
                    names.into_iter().collect::<Vec<_>>().join(", ")
                ),
                "Set `strategy: recreate` for one of them.",
            ),
        });
    }

    /// An overlapping subnet that this plan does not move.
    fn subnet_in_the_way(&self, cidr: Cidr) -> Option<Cidr> {
        self.network
            .subnets()
            .filter(|other| other.cidr.overlaps(&cidr))
            .map(|other| other.cidr)
            .find(|other| self.becomes(other).is_none_or(|subnet| !subnet.moves()))
    }

    fn move_in_place(&mut self, subnet: &DesiredSubnet, parked: Option<Cidr>) {
        let Some(now) = parked
            .or(subnet.old)
            .and_then(|old| self.network.subnet(&old))
            .cloned()
        else {
            return;
        };
        // The gateway changes in the same request as the CIDR: the old one would be outside (MAAS answers 400).
        let after = Subnet {
            cidr: subnet.row.cidr,
            vlan: subnet.row.vlan.clone(),
            name: if now.name == now.cidr.to_string() {
                subnet.row.name.clone()
            } else {
                now.name.clone()
            },
            gateway: if subnet.moves() {
                subnet.row.gateway
            } else {
                now.gateway
            },
            ..now.clone()
        };
        // Otherwise the controller's row would still refer to the plane's subnet: its next report would move that subnet to
        // the VLAN of the old CIDR, or create a second subnet with the old CIDR (seen on 3.5.12 and 3.7.3).
        let held = if subnet.keeps_content && now.vlan == after.vlan {
            self.cut_off_controllers(&now.cidr)
        } else {
            self.held_by_controller(&now.cidr)
        };
        self.wait_for_controllers(held);
        self.add_step(StepDraft {
            phase: Phase::Create,
            plane: Some(subnet.plane.clone()),
            before: Some(Object::Subnet(now)),
            after: Some(Object::Subnet(after)),
            why: in_place_reason(subnet),
        });
    }

    fn make_subnet(&mut self, subnet: &DesiredSubnet) {
        if let Some(other) = self.subnet_in_the_way(subnet.row.cidr) {
            self.refusals.push(occupied(subnet, other));
            return;
        }
        // Gateway and resolvers are set in the next phase, before anything can allocate. Only a managed subnet accepts a
        // dynamic range.
        let mut bare = Subnet {
            gateway: None,
            dns: Vec::new(),
            ..subnet.row.clone()
        };
        let mut ranges = subnet.ranges.iter().flatten();
        bare.flags.managed |= ranges.any(|range| range.kind == RangeKind::Dynamic);
        let why = if subnet.old.is_some() {
            "on the VLAN row that stays, so its space stays"
        } else {
            "declared"
        };
        self.add_step(creation_step(
            Some(&subnet.plane),
            Object::Subnet(bare),
            why,
        ));
    }
}

/// How many CIDRs are tried for a temporary move: more than any cloud has subnets in those blocks.
const ASIDE_TRIES: u128 = 64;

fn in_place_reason(subnet: &DesiredSubnet) -> String {
    match subnet.chosen {
        Some(chosen) => format!("in place: the row stays, {}", chosen.reason.words()),
        None => "to its other VLAN: the row stays".to_owned(),
    }
}

fn occupied(subnet: &DesiredSubnet, other: Cidr) -> Refusal {
    let verb = if other == subnet.row.cidr {
        "holds"
    } else {
        "overlaps"
    };
    Refusal::new(
        RefusalCode::Occupied,
        format!("subnet {other}, which no plane declares, {verb} {}.", subnet.row.cidr),
        "Declare it as a plane, choose another CIDR, or remove it in MAAS; planebot never touches undeclared objects.",
    )
    .of(&subnet.plane)
}

pub(super) fn creation_step(plane: Option<&str>, object: Object, why: &str) -> StepDraft {
    StepDraft {
        phase: Phase::Create,
        plane: plane.map(str::to_owned),
        before: None,
        after: Some(object),
        why: why.to_owned(),
    }
}
