//! Matches declared planes, VLANs, subnets and spaces with observed ones.
//!
//! A subnet is matched by its exact CIDR on its plane's VLAN, then by name on that VLAN, then by CIDR and name on another
//! VLAN, then by a CIDR that encloses or lies in its own, then by being the only one of its family left on both sides, both
//! if more than the VID speaks for it; never by name alone. A fabric or VLAN that is declared
//! under a new name is recognised by its subnets. Must not know what the differences are.

mod exchange;
mod resized;

use std::collections::{BTreeMap, BTreeSet};

use topology::address::Cidr;
use topology::object::{Key, Subnet, Vlan, VlanAt};
use topology::observed::Observed;
use topology::plane::{Plane, PlaneSubnet, Topology};

use crate::desired::removal::named_subnets;

/// The matches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pairing {
    /// Observed fabric name to declared fabric name, where they differ.
    pub fabrics: BTreeMap<String, String>,
    /// Observed VLAN to declared VLAN, after fabric renames, where the VID or the fabric differs.
    pub vlans: BTreeMap<VlanAt, VlanAt>,
    /// Observed space name to declared space name, where a space is renamed.
    pub spaces: BTreeMap<String, String>,
    /// Declared CIDR to the observed subnet's CIDR; a declared subnet that is missing here is new.
    pub subnets: BTreeMap<Cidr, Cidr>,
}

impl Pairing {
    /// Matches a declaration with what was observed.
    pub fn of(topology: &Topology, observed: &Observed) -> Self {
        let mut pairing = Self::default();
        pairing.pair_fabrics(topology, observed);
        pairing.pair_vlans(topology, observed);
        pairing.pair_exchanged_vids(topology, observed);
        pairing.pair_subnets(topology, observed);
        pairing.pair_spaces(topology, observed);
        pairing
    }

    /// The declared fabric and VID of an observed VLAN.
    pub fn place(&self, at: &VlanAt) -> VlanAt {
        let fabric = self.fabrics.get(&at.fabric).unwrap_or(&at.fabric);
        let moved = VlanAt {
            fabric: fabric.clone(),
            vid: at.vid,
        };
        self.vlans.get(&moved).cloned().unwrap_or(moved)
    }

    /// The CIDR of the observed subnet that the declared one is.
    pub fn old_of(&self, declared: Cidr) -> Option<Cidr> {
        self.subnets.get(&declared).copied()
    }

    fn pair_fabrics(&mut self, topology: &Topology, observed: &Observed) {
        let declared: BTreeSet<&str> = topology
            .planes
            .values()
            .map(|plane| plane.vlan.fabric.as_str())
            .collect();
        let there: BTreeSet<&str> = observed.vlans().map(|v| v.at.fabric.as_str()).collect();
        let mut taken: BTreeSet<String> = BTreeSet::new();
        for name in declared.iter().filter(|name| !there.contains(*name)) {
            let homes: BTreeSet<&str> = planes_of(topology, name)
                .flat_map(|plane| plane.subnets.iter().map(move |subnet| (plane, subnet)))
                .filter_map(|(plane, subnet)| Some((plane, observed.subnet(&subnet.cidr)?)))
                .filter(|(plane, there)| there.vlan.vid == plane.vlan.vid)
                .map(|(_, there)| there.vlan.fabric.as_str())
                .collect();
            let mut homes = homes.into_iter();
            if let (Some(home), None) = (homes.next(), homes.next())
                && !declared.contains(home)
                && taken.insert(home.to_owned())
            {
                self.fabrics.insert(home.to_owned(), (*name).to_owned());
            }
        }
    }

    fn pair_vlans(&mut self, topology: &Topology, observed: &Observed) {
        let there: BTreeSet<VlanAt> = observed.vlans().map(|vlan| self.place(&vlan.at)).collect();
        let declared: BTreeSet<&VlanAt> = topology.planes.values().map(|p| &p.vlan).collect();
        for plane in topology
            .planes
            .values()
            .filter(|p| !there.contains(&p.vlan))
        {
            let homes: BTreeSet<VlanAt> = plane
                .subnets
                .iter()
                .filter_map(|subnet| observed.subnet(&subnet.cidr))
                .map(|subnet| self.place(&subnet.vlan))
                .filter(|home| {
                    home.fabric == plane.vlan.fabric
                        || self.may_change_fabric(home, plane, observed)
                })
                .collect();
            let mut homes = homes.into_iter();
            if let (Some(home), None) = (homes.next(), homes.next())
                && !declared.contains(&home)
                && !self.vlans.contains_key(&home)
            {
                self.vlans.insert(home, plane.vlan.clone());
            }
        }
    }

    /// Whether a VLAN's row may move to another fabric, with everything on it. The fabric must exist, every subnet of the
    /// VLAN must be declared on the plane, and the row must be newer than that fabric's default VLAN: the lowest id is the
    /// default (3.5.9 maasserver/models/fabric.py:160-163), so an older row would become the default, and moving a default
    /// VLAN away would make another one the default. Otherwise the subnets move to a new VLAN there.
    fn may_change_fabric(&self, home: &VlanAt, plane: &Plane, observed: &Observed) -> bool {
        let Some(row) = observed.vlans().find(|vlan| self.place(&vlan.at) == *home) else {
            return false;
        };
        let declared = |subnet: &Subnet| {
            plane
                .subnets
                .iter()
                .any(|declared| declared.cidr == subnet.cidr)
        };
        let id = |at: &VlanAt| observed.id(&Key::Vlan(at.clone()));
        let default = observed
            .default_vlans
            .iter()
            .find(|at| self.place(at).fabric == plane.vlan.fabric);
        !observed.default_vlans.contains(&row.at)
            && default.is_some_and(|default| id(default) < id(&row.at))
            && observed
                .subnets()
                .filter(|subnet| subnet.vlan == row.at)
                .all(declared)
    }

    fn pair_subnets(&mut self, topology: &Topology, observed: &Observed) {
        let mut free = Free::of(self, topology, observed);
        for round in [same_place, same_name, moved, resized::resized, last_ones] {
            for plane in topology.planes.values() {
                for subnet in &plane.subnets {
                    if self.subnets.contains_key(&subnet.cidr) {
                        continue;
                    }
                    if let Some(old) = round(self, plane, subnet, &free) {
                        free.take(old);
                        self.subnets.insert(subnet.cidr, old);
                    }
                }
            }
        }
    }

    /// A space that is no longer declared, and whose VLANs are all declared in the same new space, is renamed: its row
    /// stays, because Juju identifies spaces by their row.
    fn pair_spaces(&mut self, topology: &Topology, observed: &Observed) {
        let there: BTreeSet<&str> = observed
            .vlans()
            .filter_map(|v| v.space.as_deref())
            .collect();
        let desired: BTreeMap<&VlanAt, &Option<String>> = topology
            .planes
            .values()
            .filter_map(|plane| plane.space.as_ref().map(|space| (&plane.vlan, space)))
            .collect();
        let declared: BTreeSet<&str> = desired
            .values()
            .filter_map(|space| space.as_deref())
            .chain(topology.spaces.iter().map(String::as_str))
            .collect();
        for old in there.iter().filter(|old| !declared.contains(*old)) {
            let goals: BTreeSet<Option<&str>> = observed
                .vlans()
                .filter(|vlan| vlan.space.as_deref() == Some(old))
                .map(|vlan| {
                    desired
                        .get(&self.place(&vlan.at))
                        .and_then(|space| space.as_deref())
                })
                .collect();
            let mut goals = goals.into_iter();
            if let (Some(Some(new)), None) = (goals.next(), goals.next())
                && !there.contains(new)
                && observed.get(&Key::Space(new.to_owned())).is_none()
                && !self.spaces.values().any(|taken| taken == new)
            {
                self.spaces.insert((*old).to_owned(), new.to_owned());
            }
        }
    }
}

/// Observed subnets that are not matched yet.
struct Free<'a> {
    subnets: BTreeMap<Cidr, (&'a Subnet, VlanAt)>,
    /// Those that the files remove. A declared subnet takes one over only with its exact CIDR.
    removed: BTreeSet<Cidr>,
    on: BTreeMap<VlanAt, BTreeSet<Cidr>>,
    /// Every observed subnet's VLAN, and every VLAN, by their current names.
    homes: BTreeMap<Cidr, VlanAt>,
    rows: BTreeMap<VlanAt, &'a Vlan>,
}

impl<'a> Free<'a> {
    fn of(pairing: &Pairing, topology: &Topology, observed: &'a Observed) -> Self {
        let subnets: BTreeMap<_, _> = observed
            .subnets()
            .filter(|subnet| !is_left_alone(topology, subnet))
            .map(|subnet| (subnet.cidr, (subnet, pairing.place(&subnet.vlan))))
            .collect();
        let mut on: BTreeMap<VlanAt, BTreeSet<Cidr>> = BTreeMap::new();
        for (cidr, (_, at)) in &subnets {
            on.entry(at.clone()).or_default().insert(*cidr);
        }
        Self {
            subnets,
            removed: named_subnets(topology, observed, pairing)
                .into_keys()
                .collect(),
            on,
            homes: observed
                .subnets()
                .map(|subnet| (subnet.cidr, subnet.vlan.clone()))
                .collect(),
            rows: observed
                .vlans()
                .map(|vlan| (vlan.at.clone(), vlan))
                .collect(),
        }
    }

    /// Whether more than the VID says that an undeclared subnet is the plane's under another name and CIDR: a VID may be a
    /// slip, and then the subnet is somebody else's.
    fn is_evident(&self, pairing: &Pairing, plane: &Plane, old: &Subnet) -> bool {
        let unnamed = old.name == old.cidr.to_string();
        let beside = plane
            .subnets
            .iter()
            .filter_map(|subnet| pairing.old_of(subnet.cidr))
            .any(|other| self.homes.get(&other) == Some(&old.vlan));
        plane.adopt || unnamed || beside || self.looks_alike(pairing, plane, old)
    }

    /// Whether the VLAN has the name or the space that the plane declares, and contradicts neither.
    fn looks_alike(&self, pairing: &Pairing, plane: &Plane, old: &Subnet) -> bool {
        let Some(row) = self.rows.get(&old.vlan) else {
            return false;
        };
        let name = plane
            .vlan_name
            .as_ref()
            .map(|name| row.name.as_ref() == Some(name));
        let space = plane.space.as_ref().map(|space| {
            let now = row.space.as_ref();
            now.map(|now| pairing.spaces.get(now).unwrap_or(now)) == space.as_ref()
        });
        let alike = [name, space];
        alike.contains(&Some(true)) && !alike.contains(&Some(false))
    }

    fn take(&mut self, cidr: Cidr) {
        if let Some((_, at)) = self.subnets.remove(&cidr)
            && let Some(on) = self.on.get_mut(&at)
        {
            on.remove(&cidr);
        }
    }

    /// Unmatched subnets on the plane's VLAN, of the subnet's address family.
    fn beside(&self, plane: &Plane, subnet: &PlaneSubnet) -> impl Iterator<Item = &'a Subnet> {
        self.on
            .get(&plane.vlan)
            .into_iter()
            .flatten()
            .filter(|old| old.is_v6() == subnet.cidr.is_v6())
            .filter(|old| !self.removed.contains(old))
            .filter_map(|old| self.subnets.get(old).map(|(old, _)| *old))
    }
}

fn same_place(_: &Pairing, plane: &Plane, subnet: &PlaneSubnet, free: &Free<'_>) -> Option<Cidr> {
    free.subnets
        .get(&subnet.cidr)
        .filter(|(_, at)| *at == plane.vlan)
        .map(|(old, _)| old.cidr)
}

fn same_name(_: &Pairing, plane: &Plane, subnet: &PlaneSubnet, free: &Free<'_>) -> Option<Cidr> {
    free.beside(plane, subnet)
        .find(|old| old.name == subnet.name)
        .map(|old| old.cidr)
}

fn last_ones(
    pairing: &Pairing,
    plane: &Plane,
    subnet: &PlaneSubnet,
    free: &Free<'_>,
) -> Option<Cidr> {
    let unpaired = plane
        .subnets
        .iter()
        .filter(|other| other.cidr.is_v6() == subnet.cidr.is_v6())
        .filter(|other| !pairing.subnets.contains_key(&other.cidr))
        .count();
    let mut left = free.beside(plane, subnet);
    match (unpaired, left.next(), left.next()) {
        (1, Some(old), None) if free.is_evident(pairing, plane, old) => Some(old.cidr),
        _ => None,
    }
}

/// The same CIDR and name on another VLAN: the plane moved. An undeclared subnet is never taken over; one that the files
/// remove there is.
fn moved(_: &Pairing, _: &Plane, subnet: &PlaneSubnet, free: &Free<'_>) -> Option<Cidr> {
    free.subnets
        .get(&subnet.cidr)
        .filter(|(old, _)| old.name == subnet.name || free.removed.contains(&old.cidr))
        .map(|(old, _)| old.cidr)
}

/// Whether this subnet or its fabric is listed under `leave_alone`.
pub fn is_left_alone(topology: &Topology, subnet: &Subnet) -> bool {
    topology.leave_alone.contains(&subnet.vlan.fabric)
        || topology.leave_alone.contains(&subnet.cidr.to_string())
}

fn planes_of<'a>(topology: &'a Topology, fabric: &'a str) -> impl Iterator<Item = &'a Plane> {
    topology
        .planes
        .values()
        .filter(move |plane| plane.vlan.fabric == fabric)
}
