//! What a revert of the plan can and cannot undo.

use std::collections::BTreeSet;

use topology::object::{Key, Object};

use super::words::{span, step_line};
use crate::plan::Plan;
use crate::step::{Step, Undo};

/// How many things are listed one by one.
const SHOWN: usize = 5;

/// One paragraph in Markdown, with a line for each step that cannot be undone.
pub(super) fn way_back(plan: &Plan) -> String {
    let mut out = "*Undo:* a revert is planned like any other change.".to_owned();
    let stays: Vec<String> = made_here(plan)
        .into_iter()
        .map(|key| span(&key.to_string()))
        .collect();
    if !stays.is_empty() {
        out.push_str(&format!(
            " What this plan creates ({}) stays in MAAS where its file is only deleted, and blocks its CIDR: a revert that says `state: absent` instead removes it.",
            listed(&stays)
        ));
    }
    let stuck: Vec<String> = plan
        .steps
        .iter()
        .filter_map(|step| match &step.undo {
            Undo::By(_) => None,
            Undo::Impossible(why) => {
                Some(format!("- {}: {}", span(&step_line(plan, step)), span(why)))
            }
        })
        .collect();
    if !stuck.is_empty() {
        out.push_str(" These steps cannot be undone:\n\n");
        out.push_str(&stuck[..stuck.len().min(SHOWN)].join("\n"));
        if stuck.len() > SHOWN {
            out.push_str(&format!("\n- and {} more", stuck.len() - SHOWN));
        }
    }
    out.push('\n');
    out
}

/// Subnets, VLANs, fabrics and spaces that a plan creates, except recreated subnets.
fn made_here(plan: &Plan) -> Vec<Key> {
    let again: BTreeSet<Option<&str>> = plan
        .steps
        .iter()
        .filter(|step| step.leaves.is_none())
        .filter(|step| matches!(step.expects, Some(Object::Subnet(_))))
        .map(|step| step.plane.as_deref())
        .collect();
    let stays = |step: &&Step| match &step.leaves {
        Some(Object::Space(_) | Object::Fabric(_) | Object::Vlan(_)) => true,
        Some(Object::Subnet(_)) => !again.contains(&step.plane.as_deref()),
        Some(
            Object::Range(_)
            | Object::Route(_)
            | Object::ReservedIp(_)
            | Object::Interface(_)
            | Object::Link(_)
            | Object::Snippet(_),
        )
        | None => false,
    };
    plan.steps
        .iter()
        .filter(|step| step.expects.is_none())
        .filter(stays)
        .filter_map(|step| step.leaves.as_ref().map(Object::key))
        .collect()
}

fn listed(names: &[String]) -> String {
    let mut out = names[..names.len().min(SHOWN)].join(", ");
    if names.len() > SHOWN {
        out.push_str(&format!(" and {} more", names.len() - SHOWN));
    }
    out
}
