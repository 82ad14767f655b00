//! What a proof finds beside the declaration: networks that came or were moved while the plan was carried out.
//!
//! A controller's report makes the network of its old address again, or drags one to another VLAN (seen on 3.5.12 and
//! 3.7.3), and nobody declared either: planning again finds no difference. Must not know how the network was looked at.

use std::collections::BTreeMap;

use topology::address::Cidr;

use crate::audit::{Line, Standing};
use crate::plan::Plan;

impl Plan {
    /// Undeclared networks that were not there when this plan was made and lie where a plane left, and those whose VLAN is
    /// another one now: one line each. `now` is the audit of a fresh look.
    pub fn strangers(&self, now: &[Line]) -> Vec<String> {
        let known: BTreeMap<Cidr, &Line> = undeclared(&self.audit).collect();
        let left = self.vacated();
        undeclared(now)
            .filter_map(|(cidr, line)| match known.get(&cidr) {
                None if left.iter().any(|gone| gone.overlaps(&cidr)) => Some(format!(
                    "{cidr} is back on {}, and nobody declared it: a controller that still had an address there brought it; remove the address on that host, then the subnet",
                    line.vlan
                )),
                Some(before) if before.vlan_id != line.vlan_id => Some(format!(
                    "{cidr}, which nobody declared, was on {} and is on {} now: put it back there",
                    before.vlan, line.vlan
                )),
                None | Some(_) => None,
            })
            .collect()
    }
}

fn undeclared(lines: &[Line]) -> impl Iterator<Item = (Cidr, &Line)> {
    lines
        .iter()
        .filter(|line| line.standing == Standing::Undeclared)
        .filter_map(|line| Some((line.cidr?, line)))
}
