//! A gate in a plan comment: why it is needed, its tasks, and the evidence that opens it.
//!
//! Must not know how evidence is read.

use topology::address::Cidr;

use super::header::PlanHeader;
use super::words::{escaped, letter, span};
use crate::gate::{Gate, GateEvidence};

/// How many tasks of a gate a plan comment lists; the gate's own comment lists them all.
const TASKS_SHOWN: usize = 30;

pub(super) fn gate_box(out: &mut String, gate: &Gate, header: &PlanHeader) {
    push_line!(
        out,
        "**Gate `{}`** — {}.",
        gate.name.word(),
        escaped(&gate.why)
    );
    for (at, task) in gate.tasks.iter().take(TASKS_SHOWN).enumerate() {
        push_line!(out, "- {} {}", letter(at), span(task));
    }
    if gate.tasks.len() > TASKS_SHOWN {
        push_line!(out, "- and {} more", gate.tasks.len() - TASKS_SHOWN);
    }
    push_line!(out, "\nWhat will be checked: {}.", looked_at(gate));
    if let Some(runbook) = &gate.runbook {
        match &header.tree_url {
            Some(url) => {
                push_line!(out, "Runbook: [{}]({url}/{})", runbook.path, runbook.path);
            }
            None => {
                push_line!(out, "Runbook: {}", span(&runbook.path));
            }
        }
    }
    out.push('\n');
}

/// Describes the evidence.
fn looked_at(gate: &Gate) -> String {
    let parts: Vec<String> = gate
        .evidence
        .iter()
        .map(|evidence| match evidence {
            GateEvidence::Vacant {
                subnets,
                controllers,
                keeping,
            } => {
                let place = |cidr: &Cidr| match keeping.get(cidr) {
                    None => span(&cidr.to_string()),
                    Some(kept) => format!(
                        "what of {} lies outside {}",
                        span(&cidr.to_string()),
                        span(&kept.to_string())
                    ),
                };
                let list: Vec<String> = subnets.iter().map(place).collect();
                let who = if *controllers {
                    "no node and no controller"
                } else {
                    "no node"
                };
                format!("{who} has an address or link on {}", list.join(", "))
            }
            GateEvidence::Changeable { machines } => {
                let list: Vec<String> = machines.iter().map(|host| span(host)).collect();
                format!("{} released", list.join(", "))
            }
            GateEvidence::NoJujuModel => {
                "no Juju model except a controller's is left on this MAAS".to_owned()
            }
            GateEvidence::Attended { subnets } => {
                let list: Vec<String> =
                    subnets.iter().map(|cidr| span(&cidr.to_string())).collect();
                format!(
                    "a rack controller has an address on {}",
                    list.join(" and on ")
                )
            }
            GateEvidence::Detached { interfaces, vlans } => {
                let list: Vec<String> = interfaces
                    .iter()
                    .map(|(host, name)| span(&format!("{host}:{name}")))
                    .collect();
                let vlans: Vec<String> = vlans.iter().map(|at| span(&at.to_string())).collect();
                format!("{} not on vlan {}", list.join(", "), vlans.join(", "))
            }
            GateEvidence::Jumphost { has, lacks } => {
                let show = |list: &std::collections::BTreeSet<(String, std::net::IpAddr)>| {
                    list.iter()
                        .map(|(interface, ip)| span(&format!("{interface} {ip}")))
                        .collect::<Vec<_>>()
                        .join(", ")
                };
                format!(
                    "the jumphost has {} and no longer {}",
                    show(has),
                    show(lacks)
                )
            }
        })
        .collect();
    parts.join("; ")
}
