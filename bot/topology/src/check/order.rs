//! The order of a machine's interfaces. Must not know what an interface is linked to.

use std::collections::{BTreeMap, VecDeque};

use crate::draft::MachineDraft;
use crate::finding::{Findings, codes, shown};
use crate::plane::MachineInterface;

/// Orders interfaces so that parents come before children. Those in a cycle get a finding and are left out.
pub(super) fn parents_first(
    interfaces: Vec<MachineInterface>,
    machine: &MachineDraft,
    findings: &mut Findings<'_>,
) -> Vec<MachineInterface> {
    let mut children: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    let mut missing: Vec<usize> = Vec::new();
    for (at, interface) in interfaces.iter().enumerate() {
        missing.push(interface.parents.len());
        for parent in &interface.parents {
            children.entry(parent).or_default().push(at);
        }
    }
    let mut ready: VecDeque<usize> = (0..interfaces.len())
        .filter(|at| missing[*at] == 0)
        .collect();
    let mut order: Vec<usize> = Vec::new();
    while let Some(at) = ready.pop_front() {
        order.push(at);
        for child in children
            .get(interfaces[at].name.as_str())
            .into_iter()
            .flatten()
        {
            missing[*child] -= 1;
            if missing[*child] == 0 {
                ready.push_back(*child);
            }
        }
    }
    let cyclic: Vec<String> = interfaces
        .iter()
        .zip(&missing)
        .filter(|(_, missing)| **missing > 0)
        .take(8)
        .map(|(interface, _)| format!("`{}`", shown(&interface.name)))
        .collect();
    if !cyclic.is_empty() {
        let message = format!("{} are each other's parents", cyclic.join(", "));
        let help = "remove the cycle: a parent must be created before its children";
        findings.add(codes::INTERFACE_CYCLE, machine.name.place, message, help);
    }
    let mut kept: Vec<Option<MachineInterface>> = interfaces.into_iter().map(Some).collect();
    order.into_iter().filter_map(|at| kept[at].take()).collect()
}
