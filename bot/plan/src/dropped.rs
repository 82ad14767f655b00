//! What a declaration no longer has and does not remove either: it stays in MAAS. Must not know where either declaration
//! comes from.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use topology::address::Cidr;
use topology::object::VlanAt;
use topology::plane::Topology;

use crate::audit::{AuditLine, AuditStatus};

/// A subnet or VLAN that was declared, is so no longer, and stays in MAAS as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DroppedPlane {
    /// The key of the plane that declared it.
    pub plane: String,
    /// Fabric and VID in MAAS.
    pub vlan: VlanAt,
    /// The subnet; `None` for a VLAN without one.
    pub cidr: Option<Cidr>,
}

/// The undeclared lines of an audit that `before` declared.
pub fn dropped(before: &Topology, audit: &[AuditLine]) -> Vec<DroppedPlane> {
    let mut subnets: BTreeMap<Cidr, &str> = BTreeMap::new();
    let mut vlans: BTreeMap<&VlanAt, &str> = BTreeMap::new();
    for plane in before.planes.values() {
        vlans.insert(&plane.vlan, &plane.key);
        for subnet in &plane.subnets {
            subnets.insert(subnet.cidr, &plane.key);
        }
    }
    let undeclared = audit
        .iter()
        .filter(|line| line.standing == AuditStatus::Undeclared);
    undeclared
        .filter_map(|line| {
            let vlan = line.vlan.clone()?;
            let plane = match line.cidr {
                Some(cidr) => subnets.get(&cidr)?,
                None => vlans.get(&vlan)?,
            };
            Some(DroppedPlane {
                plane: (*plane).to_owned(),
                vlan,
                cidr: line.cidr,
            })
        })
        .collect()
}
