//! What verification finds outside the declaration: subnets that appeared or moved while the plan was applied.
//!
//! A controller's report can recreate the subnet of its old address, or move one to another VLAN (seen on 3.5.12 and 3.7.3).
//! Neither is declared, so planning again finds no difference. Must not know how the network was read.

use std::collections::{BTreeMap, BTreeSet};

use topology::address::Cidr;
use topology::object::{Object, VlanAt};

use crate::audit::{AuditLine, AuditStatus};
use crate::plan::Plan;

impl Plan {
    /// Undeclared subnets that appeared since this plan was made and overlap one that changed its CIDR or was vacated, and those whose VLAN changed:
    /// one line each. `now` is a fresh audit.
    pub fn unexpected_subnets(&self, now: &[AuditLine]) -> Vec<String> {
        let known: BTreeMap<Cidr, &AuditLine> = undeclared(&self.audit).collect();
        let left = self.left();
        undeclared(now)
            .filter_map(|(cidr, line)| match known.get(&cidr) {
                None if left.iter().any(|gone| gone.overlaps(&cidr)) => Some(format!(
                    "{cidr} is back on {}, although it is not declared: a controller that still had an address or the old netmask there recreated it; correct that on the host, then remove the subnet",
                    line.vlan.as_ref()?
                )),
                None => None,
                Some(before) => {
                    let place = self.carried_along(before.vlan.as_ref()?);
                    let now = line.vlan.as_ref()?;
                    (place != *now).then(|| {
                        format!(
                            "{cidr}, which is not declared, was on {place} and is now on {now}: move it back"
                        )
                    })
                }
            })
            .collect()
    }

    /// The CIDRs that a step takes from a subnet: a controller that still has that netmask may bring one back.
    fn left(&self) -> BTreeSet<Cidr> {
        let mut left = self.vacated();
        left.extend(self.steps.iter().filter_map(|step| {
            let before = step.expects.as_ref()?.as_subnet()?.cidr;
            let after = step.leaves.as_ref()?.as_subnet()?.cidr;
            (before != after).then_some(before)
        }));
        left
    }

    /// A VLAN's fabric and VID after this plan has renamed or moved it.
    fn carried_along(&self, at: &VlanAt) -> VlanAt {
        let mut at = at.clone();
        for step in &self.steps {
            match (&step.expects, &step.leaves) {
                (Some(Object::Fabric(old)), Some(Object::Fabric(new))) if old.name == at.fabric => {
                    at.fabric.clone_from(&new.name);
                }
                (Some(Object::Vlan(old)), Some(Object::Vlan(new))) if old.at == at => {
                    at = new.at.clone();
                }
                (None | Some(_), None | Some(_)) => {}
            }
        }
        at
    }
}

fn undeclared(lines: &[AuditLine]) -> impl Iterator<Item = (Cidr, &AuditLine)> {
    lines
        .iter()
        .filter(|line| line.standing == AuditStatus::Undeclared)
        .filter_map(|line| Some((line.cidr?, line)))
}
