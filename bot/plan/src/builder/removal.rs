//! What the files say must not be there: the content of its subnets, the subnets, and last the VLANs, fabrics and spaces,
//! once nothing is on them. Must not know what may not be removed (see `planner::removal`).
//!
//! MAAS deletes a VLAN whatever is on it: its subnets go to the fabric's default VLAN, and VLAN interfaces vanish, also those
//! of deployed machines (seen on 3.5.12 and 3.7.3). So a VLAN goes last, and only when it is empty.

use std::collections::BTreeSet;

use topology::address::Cidr;
use topology::object::{Fabric, Interface, Key, Object, RangeKind, Space, Vlan, VlanAt};
use topology::observed::NodeKind;

use super::draft::{PlanBuilder, StepDraft};
use crate::step::{Phase, StepId};

const REMOVED: &str = "`state: absent`";

impl PlanBuilder<'_> {
    /// Turns DHCP off where its last dynamic range goes with a subnet that is removed, and where the VLAN itself goes. A VLAN
    /// that a plane declares is handled by that plane.
    pub(super) fn turn_dhcp_off_removed(&mut self) {
        let removal = &self.desired.removal;
        let rows: Vec<Vlan> = self
            .network
            .vlans()
            .filter(|vlan| vlan.dhcp_on || vlan.relay.is_some())
            .filter(|vlan| {
                let place = self.pairing.place(&vlan.at);
                !self.desired.vlans.contains_key(&place)
            })
            .filter(|vlan| removal.takes_vlan(&vlan.at) || self.loses_its_last_range(vlan))
            .cloned()
            .collect();
        for row in rows {
            let plane = removal.vlans.get(&row.at).cloned();
            let plane = plane.or_else(|| {
                let mut gone = removal.subnets.iter();
                gone.find(|(cidr, _)| self.is_on(**cidr, &row.at))
                    .map(|(_, key)| key.clone())
            });
            let off = Vlan {
                dhcp_on: false,
                relay: None,
                ..row.clone()
            };
            let draft = StepDraft {
                phase: Phase::Delete,
                plane,
                before: Some(Object::Vlan(row)),
                after: Some(Object::Vlan(off)),
                why: "DHCP goes off before its range goes".to_owned(),
            };
            self.add_step(draft);
        }
    }

    /// Whether every dynamic range on the VLAN is in a subnet that is removed, and there is one.
    fn loses_its_last_range(&self, vlan: &Vlan) -> bool {
        let on_it = self.network.subnets().filter(|it| it.vlan == vlan.at);
        let mut serving = on_it
            .filter(|subnet| {
                let mut ranges = self.network.ranges_of(subnet.cidr);
                ranges.any(|range| range.kind == RangeKind::Dynamic)
            })
            .map(|subnet| self.desired.removal.subnets.contains_key(&subnet.cidr))
            .peekable();
        serving.peek().is_some() && serving.all(|goes| goes)
    }

    fn is_on(&self, cidr: Cidr, at: &VlanAt) -> bool {
        self.network
            .subnet(&cidr)
            .is_some_and(|subnet| subnet.vlan == *at)
    }

    /// Removes reserved IPs, DHCP snippets and ranges, the dynamic ones first, from the subnets that go.
    pub(super) fn remove_absent_content(&mut self) {
        let of_kind = |kind: RangeKind| {
            move |object: &Object| object.as_range().is_some_and(|range| range.kind == kind)
        };
        self.remove_content(&|object| object.as_reserved_ip().is_some());
        self.remove_content(&|object| object.as_snippet().is_some());
        self.remove_content(&of_kind(RangeKind::Dynamic));
        self.remove_content(&of_kind(RangeKind::Reserved));
    }

    fn remove_content(&mut self, is_meant: &dyn Fn(&Object) -> bool) {
        let removal = &self.desired.removal;
        let removed: Vec<(String, Object)> = self
            .network
            .all()
            .filter(|object| is_meant(object))
            .filter_map(|object| {
                let key = removal.subnets.get(&home_of(object)?)?;
                Some((key.clone(), object.clone()))
            })
            .collect();
        for (plane, object) in removed {
            self.remove_object(Phase::Delete, Some(plane), object, "its network is removed");
        }
    }

    /// Deletes the subnets that go. Those with a controller's address come last, after the controller has released it.
    pub(super) fn remove_absent_subnets(&mut self) {
        let mut removed: Vec<(bool, Cidr, String)> = self
            .desired
            .removal
            .subnets
            .iter()
            .map(|(cidr, key)| (self.held_by_controller(cidr), *cidr, key.clone()))
            .collect();
        removed.sort();
        for (held, cidr, key) in removed {
            if self.holds_bmc(cidr) {
                continue;
            }
            let Some(subnet) = self.network.subnet(&cidr).cloned() else {
                continue;
            };
            self.wait_for_controllers(held);
            self.remove_object(Phase::Delete, Some(key), Object::Subnet(subnet), REMOVED);
        }
    }

    /// Deletes the VLANs, then the fabrics, then the spaces that go. Interfaces that are still there are removed by people
    /// at a gate.
    pub(crate) fn remove_containers(&mut self) {
        let removal = &self.desired.removal;
        self.detach_interfaces();
        for (at, key) in &removal.vlans {
            let Some(vlan) = self.network.vlan(at).cloned() else {
                continue;
            };
            self.remove_object(
                Phase::Retire,
                Some(key.clone()),
                Object::Vlan(vlan),
                REMOVED,
            );
        }
        for name in &removal.fabrics {
            let fabric = Object::Fabric(Fabric { name: name.clone() });
            self.remove_object(Phase::Retire, None, fabric, REMOVED);
        }
        for name in &removal.spaces {
            let space = Object::Space(Space { name: name.clone() });
            self.remove_object(Phase::Retire, None, space, REMOVED);
        }
        let waits = self
            .detached
            .iter()
            .any(|(it, _)| self.is_controller(&it.host));
        if waits && self.vacate_before.is_none() && !self.steps.is_empty() {
            self.vacate_before = Some(StepId(1));
        }
    }

    /// Takes the interfaces that no step removes off the VLANs that go.
    fn detach_interfaces(&mut self) {
        let removal = &self.desired.removal;
        let left: Vec<(Interface, VlanAt)> = self
            .network
            .all()
            .filter_map(Object::as_interface)
            .filter_map(|it| Some((it, it.vlan.as_ref()?)))
            .filter(|(_, at)| removal.takes_vlan(at))
            .map(|(it, at)| (it.clone(), at.clone()))
            .collect();
        for (interface, _) in &left {
            self.network.detach(&interface.host, &interface.name);
        }
        self.detached = left;
    }

    pub(crate) fn is_controller(&self, host: &str) -> bool {
        let node = self.observed.nodes.get(host);
        node.is_some_and(|node| node.kind == NodeKind::Controller)
    }

    fn remove_object(&mut self, phase: Phase, plane: Option<String>, object: Object, why: &str) {
        self.add_step(StepDraft {
            phase,
            plane,
            before: Some(object),
            after: None,
            why: why.to_owned(),
        });
    }

    /// The keys of everything that the files remove, and that is there.
    pub(crate) fn removed_keys(&self) -> BTreeSet<Key> {
        let removal = &self.desired.removal;
        let subnets = removal.subnets.keys().map(|cidr| Key::Subnet(*cidr));
        let vlans = removal.vlans.keys().map(|at| Key::Vlan(at.clone()));
        let fabrics = removal.fabrics.iter().map(|it| Key::Fabric(it.clone()));
        let spaces = removal.spaces.iter().map(|it| Key::Space(it.clone()));
        subnets.chain(vlans).chain(fabrics).chain(spaces).collect()
    }
}

/// The subnet that a range, reserved IP or snippet is on.
fn home_of(object: &Object) -> Option<Cidr> {
    match object {
        Object::Range(range) => Some(range.subnet),
        Object::ReservedIp(reserved) => Some(reserved.subnet),
        Object::Snippet(snippet) => Some(snippet.subnet),
        Object::Space(_)
        | Object::Fabric(_)
        | Object::Vlan(_)
        | Object::Subnet(_)
        | Object::Route(_)
        | Object::Interface(_)
        | Object::Link(_) => None,
    }
}
