//! What a proof finds beside the declaration: networks that came or were moved while the plan was carried out.
//!
//! A controller's report makes the network of its old address again, or drags one to another VLAN (seen on 3.5.12 and
//! 3.7.3), and nobody declared either: planning again finds no difference. Must not know how the network was looked at.

use std::collections::BTreeMap;

use topology::address::Cidr;
use topology::object::{Object, VlanAt};

use crate::audit::{AuditLine, AuditStatus};
use crate::plan::Plan;

impl Plan {
    /// Undeclared networks that were not there when this plan was made and lie where a plane left, and those whose VLAN is
    /// another one now: one line each. `now` is the audit of a fresh look.
    pub fn unexpected_subnets(&self, now: &[AuditLine]) -> Vec<String> {
        let known: BTreeMap<Cidr, &AuditLine> = undeclared(&self.audit).collect();
        let left = self.vacated();
        undeclared(now)
            .filter_map(|(cidr, line)| match known.get(&cidr) {
                None if left.iter().any(|gone| gone.overlaps(&cidr)) => Some(format!(
                    "{cidr} is back on {}, and nobody declared it: a controller that still had an address there brought it; remove the address on that host, then the subnet",
                    line.vlan
                )),
                None => None,
                Some(before) => {
                    let place = self.carried_along(&before.vlan);
                    (place != line.vlan).then(|| {
                        format!(
                            "{cidr}, which nobody declared, was on {place} and is on {} now: put it back there",
                            line.vlan
                        )
                    })
                }
            })
            .collect()
    }

    /// Where a VLAN is once this plan has renamed its fabric or changed its VID.
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
