//! VLANs of one fabric that exchange their VIDs, or take over a VID that another one leaves.
//!
//! A plane that is declared with the VID of another VLAN may mean two things: the VLAN changes its VID, with everything on it,
//! or only the plane's subnets go to the other VLAN. The first is so where the VLAN is the plane's alone, its subnets keep
//! CIDR and name, the row of that VID goes away too, and the names and spaces do not say otherwise: then MAAS keeps
//! interfaces, links and DHCP with the row. Must not know in which order the VIDs change.

use std::collections::{BTreeMap, BTreeSet};

use topology::object::{Vlan, VlanAt};
use topology::observed::Observed;
use topology::plane::{Plane, Topology};

use super::Pairing;

impl Pairing {
    /// Matches VLANs whose declared VID is another's now.
    pub(super) fn pair_exchanged_vids(&mut self, topology: &Topology, observed: &Observed) {
        let rows: BTreeMap<VlanAt, &Vlan> = observed
            .vlans()
            .map(|vlan| (self.renamed(&vlan.at), vlan))
            .collect();
        let mut owners: BTreeMap<VlanAt, Vec<&Plane>> = BTreeMap::new();
        for plane in topology.planes.values() {
            for home in self.homes(plane, observed) {
                owners.entry(home).or_default().push(plane);
            }
        }
        let mut goals: BTreeMap<VlanAt, VlanAt> = owners
            .iter()
            .filter_map(|(home, planes)| match planes.as_slice() {
                [plane] if self.homes(plane, observed).len() == 1 => Some((home, *plane)),
                _ => None,
            })
            .filter(|(home, plane)| {
                home.fabric == plane.vlan.fabric && **home != plane.vlan && home.vid != 0
            })
            .filter(|(home, plane)| {
                let is_default = rows
                    .get(*home)
                    .is_some_and(|row| observed.default_vlans.contains(&row.at));
                plane.vlan.vid != 0 && !is_default && !self.vlans.contains_key(*home)
            })
            .filter(|(home, plane)| goes_along(plane, home, &rows, observed))
            .map(|(home, plane)| (home.clone(), plane.vlan.clone()))
            .collect();
        // The VID must be free, or become free.
        loop {
            let leaving: BTreeSet<VlanAt> = goals.keys().cloned().collect();
            let count = goals.len();
            goals.retain(|_, goal| !rows.contains_key(goal) || leaving.contains(goal));
            if goals.len() == count {
                break;
            }
        }
        self.vlans.extend(goals);
    }

    /// An observed VLAN's place, by its fabric's declared name.
    fn renamed(&self, at: &VlanAt) -> VlanAt {
        let fabric = self.fabrics.get(&at.fabric).unwrap_or(&at.fabric);
        VlanAt {
            fabric: fabric.clone(),
            vid: at.vid,
        }
    }

    /// The VLANs on which a plane's subnets are now, by their CIDRs.
    fn homes(&self, plane: &Plane, observed: &Observed) -> BTreeSet<VlanAt> {
        plane
            .subnets
            .iter()
            .filter_map(|subnet| observed.subnet(&subnet.cidr))
            .map(|subnet| self.renamed(&subnet.vlan))
            .collect()
    }
}

/// Whether the row goes with its subnets: they keep their names, and the row looks as the plane declares it, or at least
/// not less so than the row that has the VID now.
fn goes_along(
    plane: &Plane,
    home: &VlanAt,
    rows: &BTreeMap<VlanAt, &Vlan>,
    observed: &Observed,
) -> bool {
    let named = |cidr, name: &str| {
        observed
            .subnet(&cidr)
            .is_none_or(|subnet| subnet.name == name)
    };
    let alike = |at: &VlanAt| {
        rows.get(at).map_or(0, |row| {
            let name = plane.vlan_name.is_some() && row.name == plane.vlan_name;
            let space = plane.space.as_ref() == Some(&row.space);
            u8::from(name) + u8::from(space)
        })
    };
    plane
        .subnets
        .iter()
        .all(|subnet| named(subnet.cidr, &subnet.name))
        && alike(home) >= alike(&plane.vlan)
}
