//! The delete phase: first what is on subnets that are deleted, then the subnets.

use std::collections::BTreeSet;

use topology::address::Cidr;
use topology::object::{Object, RangeKind};

use super::draft::{PlanBuilder, StepDraft, is_recreated};
use crate::desired::DesiredSubnet;
use crate::refusal::{Refusal, RefusalCode};
use crate::step::{Phase, StepId};

impl PlanBuilder<'_> {
    /// Removes from the model what people remove at the teardown gate: the links that have to go.
    pub(super) fn release_links(&mut self) {
        let departures = self.departures();
        let links: Vec<_> = self
            .network
            .links()
            .filter(|link| departures.take_link(link))
            .cloned()
            .collect();
        for link in links {
            self.network.unlink(&link);
        }
    }

    /// Turns DHCP off, where it is to be off, before its range is deleted.
    pub(super) fn turn_dhcp_off(&mut self) {
        for (plane, desired) in self.desired.vlans.values() {
            let now = self
                .network
                .vlans()
                .find(|vlan| self.pairing.place(&vlan.at) == desired.at)
                .filter(|vlan| vlan.dhcp_on && !desired.dhcp_on)
                .cloned();
            let Some(now) = now else { continue };
            let mut off = now.clone();
            off.dhcp_on = false;
            self.add_step(StepDraft {
                phase: Phase::Delete,
                plane: Some(plane.clone()),
                before: Some(Object::Vlan(now)),
                after: Some(Object::Vlan(off)),
                why: "DHCP goes off before its range goes".to_owned(),
            });
        }
    }

    /// If a subnet moves to another VLAN together with the last dynamic range, MAAS would leave DHCP on and refuse every
    /// later write of the old VLAN (seen on 3.5.12 and 3.7.3). A VLAN that a plane declares is handled by that plane.
    pub(super) fn turn_dhcp_off_behind(&mut self) {
        for subnet in self.desired.subnets.values() {
            let left = subnet
                .old
                .and_then(|old| self.network.subnet(&old))
                .and_then(|old| self.network.vlan(&old.vlan))
                .filter(|vlan| vlan.dhcp_on)
                .filter(|vlan| {
                    !self
                        .desired
                        .vlans
                        .contains_key(&self.pairing.place(&vlan.at))
                })
                .cloned();
            let Some(now) = left else { continue };
            let stays = self
                .network
                .subnets()
                .filter(|other| other.vlan == now.at && self.becomes(&other.cidr).is_none())
                .flat_map(|other| self.network.ranges_of(other.cidr))
                .any(|range| range.kind == RangeKind::Dynamic);
            if stays {
                continue;
            }
            let off = topology::object::Vlan {
                dhcp_on: false,
                ..now.clone()
            };
            self.add_step(StepDraft {
                phase: Phase::Delete,
                plane: Some(subnet.plane.clone()),
                before: Some(Object::Vlan(now)),
                after: Some(Object::Vlan(off)),
                why: "DHCP goes off here: the plane leaves with the last dynamic range".to_owned(),
            });
        }
    }

    /// Removes routes that are not desired as they are (including those whose gateway would be outside the moved subnet),
    /// and routes that MAAS would delete with a subnet's row.
    pub(super) fn remove_routes(&mut self) {
        let recreated: BTreeSet<Cidr> = self.recreated();
        let gone = &self.desired.removal.subnets;
        let removed: Vec<_> = self
            .network
            .routes()
            .filter(|route| {
                recreated.contains(&route.destination)
                    || recreated.contains(&route.source)
                    || !self.desired.routes.contains(&self.route_now(route))
            })
            .cloned()
            .collect();
        for route in removed {
            let plane = self
                .becomes(&route.source)
                .map(|subnet| subnet.plane.clone())
                .or_else(|| gone.get(&route.source).cloned())
                .or_else(|| gone.get(&route.destination).cloned());
            let is_gone = [route.source, route.destination]
                .iter()
                .any(|end| gone.contains_key(end));
            let why = if is_gone {
                "its network is removed"
            } else if recreated.contains(&route.destination) {
                "its destination is made again; MAAS would drop the route in silence"
            } else if self
                .becomes(&route.source)
                .is_some_and(DesiredSubnet::moves)
            {
                "its gateway is on the network that goes"
            } else {
                "not declared"
            };
            self.add_step(StepDraft {
                phase: Phase::Delete,
                plane,
                before: Some(Object::Route(route)),
                after: None,
                why: why.to_owned(),
            });
        }
    }

    fn route_now(&self, route: &topology::object::StaticRoute) -> topology::object::StaticRoute {
        let now = |cidr: Cidr| self.becomes(&cidr).map_or(cidr, |subnet| subnet.row.cidr);
        topology::object::StaticRoute {
            source: now(route.source),
            destination: now(route.destination),
            ..route.clone()
        }
    }

    fn recreated(&self) -> BTreeSet<Cidr> {
        self.desired
            .subnets
            .values()
            .filter(|subnet| is_recreated(subnet))
            .filter_map(|subnet| subnet.old)
            .collect()
    }

    pub(super) fn remove_reserved_ips(&mut self) {
        for subnet in self.desired.subnets.values() {
            let (Some(old), Some(keep)) = (subnet.old, &subnet.reserved_ips) else {
                continue;
            };
            let removed: Vec<_> = self
                .network
                .all()
                .filter_map(Object::as_reserved_ip)
                .filter(|there| {
                    there.subnet == old && (subnet.relocates() || !keep.contains(there))
                })
                .filter(|there| {
                    subnet.relocates()
                        || !keep
                            .iter()
                            .any(|kept| kept.ip == there.ip && kept.mac == there.mac)
                })
                .cloned()
                .collect();
            for reserved in removed {
                self.add_step(StepDraft {
                    phase: Phase::Delete,
                    plane: Some(subnet.plane.clone()),
                    before: Some(Object::ReservedIp(reserved)),
                    after: None,
                    why: removal_reason(subnet.relocates()).to_owned(),
                });
            }
        }
    }

    /// Deletes the subnets that are recreated. Those with a controller's address come last, after the controller has
    /// released it.
    pub(super) fn remove_subnets(&mut self) {
        let mut removed: Vec<(bool, Cidr)> = self
            .recreated()
            .into_iter()
            .map(|cidr| (self.held_by_controller(&cidr), cidr))
            .collect();
        removed.sort();
        for (held, cidr) in removed {
            if self.holds_bmc(cidr) {
                continue;
            }
            let Some(subnet) = self.network.subnet(&cidr).cloned() else {
                continue;
            };
            self.wait_for_controllers(held);
            let becomes = self.becomes(&cidr);
            self.add_step(StepDraft {
                phase: Phase::Delete,
                plane: becomes.map(|desired| desired.plane.clone()),
                before: Some(Object::Subnet(subnet)),
                after: None,
                why: becomes.map_or_else(String::new, recreation_reason),
            });
        }
    }

    /// The next step removes a CIDR. Controllers with an address there must release it before the first such step.
    pub(super) fn wait_for_controllers(&mut self, held: bool) {
        if held && self.vacate_before.is_none() {
            let next =
                u32::try_from(self.steps.len() + 1).expect("a plan has fewer than 2^32 steps");
            self.vacate_before = Some(StepId(next));
        }
    }

    pub(super) fn holds_bmc(&mut self, cidr: Cidr) -> bool {
        let hosts: Vec<String> = self
            .observed
            .occupants
            .get(&cidr)
            .into_iter()
            .flatten()
            .filter_map(|occupant| match &occupant.holder {
                topology::observed::Holder::Bmc { host } => Some(host.clone()),
                topology::observed::Holder::Node { .. }
                | topology::observed::Holder::Dns { .. }
                | topology::observed::Holder::User { .. }
                | topology::observed::Holder::Passing
                | topology::observed::Holder::Unknown(_) => None,
            })
            .collect();
        let Some(first) = hosts.first() else {
            return false;
        };
        let plane = self
            .becomes(&cidr)
            .map(|subnet| subnet.plane.clone())
            .or_else(|| self.desired.removal.subnets.get(&cidr).cloned())
            .unwrap_or_default();
        let help = if self.desired.removal.subnets.contains_key(&cidr) {
            "Move the BMCs to another network first, or keep the plane."
        } else {
            "Remove `strategy: recreate` so that it changes in place, or move the BMCs first."
        };
        self.refusals.push(
            Refusal::new(
                RefusalCode::HoldsBmc,
                format!(
                    "{cidr} has the BMC addresses of {} machines (including `{first}`), and MAAS never deletes such a subnet.",
                    hosts.len()
                ),
                help,
            )
            .of(&plane),
        );
        true
    }
}

fn recreation_reason(desired: &DesiredSubnet) -> String {
    let reason = desired.chosen.map_or("", |chosen| chosen.reason.words());
    format!("made again as {}, {reason}", desired.row.cidr)
}

pub(super) fn removal_reason(moves: bool) -> &'static str {
    if moves {
        "its network moves"
    } else {
        "not declared"
    }
}
