//! What a plan takes away or interrupts, worst first: machines, Juju models, DHCP and PXE, networks, then every warning.
//!
//! Must not know where it is shown.

use std::collections::BTreeSet;

use topology::object::{IpRange, Object, RangeKind, Vlan};

use super::words::{plural, quoted};
use crate::builder::DHCP_PAUSES;
use crate::gate::{Gate, GateEvidence, GateName};
use crate::plan::Plan;
use crate::step::Step;
use crate::warnings::dhcp_down;

/// How many names one caution lists before it counts the rest.
const NAMED_MAX: usize = 8;

/// One sentence each, with names in backticks.
pub(super) fn cautions(plan: &Plan) -> Vec<String> {
    let teardown = plan.gate(GateName::Teardown);
    let unserved = Unserved::of(plan);
    let told: BTreeSet<String> = unserved.planes().map(|plane| dhcp_down(plane)).collect();
    let warnings = plan.warnings.iter().filter(|line| !told.contains(*line));
    let mut cautions: Vec<String> = Vec::new();
    cautions.extend(teardown.and_then(released));
    cautions.extend(teardown.and_then(models));
    cautions.extend(unserved.lines());
    cautions.extend(removed(plan));
    cautions.extend(plan.steps.iter().filter_map(changed_in_place));
    // Of the warnings, first those of planes where DHCP stops.
    let (first, rest): (Vec<&String>, Vec<&String>) = warnings
        .partition(|line| line.starts_with("PXE and DHCP on") || line.contains("serves no DHCP"));
    cautions.extend(first.into_iter().chain(rest).cloned());
    cautions
}

fn released(gate: &Gate) -> Option<String> {
    let machines: BTreeSet<&str> = gate.values.get("machines")?.lines().collect();
    let count = machines.len();
    let verb = if count == 1 { "is" } else { "are" };
    (count > 0).then(|| {
        format!(
            "{} {verb} released, and what runs there is lost: {}",
            plural(count, "machine"),
            named(machines)
        )
    })
}

fn models(gate: &Gate) -> Option<String> {
    gate.evidence.contains(&GateEvidence::NoJujuModel).then(|| {
        "every Juju model on this MAAS is destroyed first, except those of controllers".to_owned()
    })
}

/// Where DHCP stops: meanwhile, and for good.
#[derive(Default)]
struct Unserved {
    meanwhile: BTreeSet<String>,
    afterwards: BTreeSet<String>,
}

impl Unserved {
    fn of(plan: &Plan) -> Self {
        let mut unserved = Self::default();
        for step in plan.steps.iter().filter(|step| deletes_served_range(step)) {
            let again = plan.steps.iter().any(|later| {
                let range = later.leaves.as_ref().and_then(Object::as_range);
                later.plane == step.plane && range.is_some_and(is_dynamic)
            });
            unserved.add(step.plane.clone().unwrap_or_default(), again);
        }
        for (at, step) in plan.steps.iter().enumerate() {
            let (before, after) = (vlan(step.expects.as_ref()), vlan(step.leaves.as_ref()));
            if let Some(before) = before.filter(|vlan| is_served(vlan))
                && !after.is_some_and(is_served)
            {
                let now = after.unwrap_or(before);
                let again = plan.steps[at + 1..].iter().any(|later| {
                    vlan(later.expects.as_ref()).is_some_and(|vlan| vlan.at == now.at)
                        && vlan(later.leaves.as_ref()).is_some_and(is_served)
                });
                unserved.add(step.plane.clone().unwrap_or(before.at.to_string()), again);
            }
        }
        let for_good = &unserved.afterwards;
        unserved.meanwhile.retain(|plane| !for_good.contains(plane));
        unserved
    }

    fn add(&mut self, plane: String, again: bool) {
        if again {
            self.meanwhile.insert(plane);
        } else {
            self.afterwards.insert(plane);
        }
    }

    fn planes(&self) -> impl Iterator<Item = &String> {
        self.meanwhile.iter().chain(&self.afterwards)
    }

    fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if !self.afterwards.is_empty() {
            lines.push(format!(
                "no DHCP and no PXE on {} any more: this plan switches it off there",
                named(&self.afterwards)
            ));
        }
        if !self.meanwhile.is_empty() {
            lines.push(format!(
                "no DHCP and no PXE on {} from phase delete until phase stand up sets it up again",
                named(&self.meanwhile)
            ));
        }
        lines
    }
}

/// Whether a step deletes a dynamic range from which MAAS serves DHCP.
fn deletes_served_range(step: &Step) -> bool {
    let range = step.expects.as_ref().and_then(Object::as_range);
    step.leaves.is_none() && range.is_some_and(is_dynamic) && step.why.contains(DHCP_PAUSES)
}

fn is_dynamic(range: &IpRange) -> bool {
    range.kind == RangeKind::Dynamic
}

fn vlan(object: Option<&Object>) -> Option<&Vlan> {
    object.and_then(Object::as_vlan)
}

/// Whether hosts on a VLAN get addresses, from a rack or through a relay.
fn is_served(vlan: &Vlan) -> bool {
    vlan.dhcp_on || vlan.relay.is_some()
}

/// The subnets that are deleted, on one line.
fn removed(plan: &Plan) -> Option<String> {
    let removed: Vec<String> = plan
        .steps
        .iter()
        .filter(|step| step.leaves.is_none())
        .filter_map(|step| Some(step.expects.as_ref()?.as_subnet()?.cidr.to_string()))
        .collect();
    let (verb, it) = match removed.len() {
        0 => return None,
        1 => ("is", "it"),
        _ => ("are", "them"),
    };
    let names = named(&removed);
    Some(format!("{names} {verb} removed, and everything on {it}"))
}

/// What a step does to a subnet that must be vacant and stays.
fn changed_in_place(step: &Step) -> Option<String> {
    let before = step.expects.as_ref().filter(|_| step.vacant)?.as_subnet()?;
    let after = step.leaves.as_ref()?.as_subnet()?;
    Some(if after.cidr == before.cidr {
        format!(
            "`{}` moves to vlan {}; it must not be in use then",
            before.cidr,
            quoted(&after.vlan.to_string())
        )
    } else {
        format!(
            "`{}` changes to `{}` in place; it must not be in use then",
            before.cidr, after.cidr
        )
    })
}

/// `a`, `b` and 3 more.
fn named(names: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let names: Vec<String> = names.into_iter().map(|it| quoted(it.as_ref())).collect();
    let shown = names.len().min(NAMED_MAX);
    match (names.len() - shown, names[..shown].split_last()) {
        (0, Some((last, []))) => last.clone(),
        (0, Some((last, first))) => format!("{} and {last}", first.join(", ")),
        (more, _) => format!("{} and {more} more", names[..shown].join(", ")),
    }
}
