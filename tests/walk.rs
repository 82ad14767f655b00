//! A plan carried out over the lab's wire as the service would do it: a look, a write, a look; people oblige at the gates.

use std::collections::BTreeMap;

use maas::{MaasWriter, WriteFence};
use plan::gate::{GateEvidence, GateName};
use plan::plan::{Plan, PlanPolicy};
use plan::render;
use plan::step::{Step, StepState, Undo};
use topology::Topology;
use topology::object::{Key, Object};
use topology::port::Outcome;

use crate::lab::World;

pub(crate) fn lines(plan: &Plan) -> Vec<String> {
    plan.steps.iter().map(render::line).collect()
}

/// Carries a plan out, every step read back; then planning again must find nothing.
pub(crate) async fn carried_out(
    world: &World,
    topology: &Topology,
    plan: &Plan,
) -> Result<(), String> {
    people_oblige(world, plan);
    for step in &plan.steps {
        if plan
            .gate(GateName::Rack)
            .is_some_and(|gate| gate.before == Some(step.id))
        {
            racks_oblige(world, plan);
        }
        made(world, step)
            .await
            .map_err(|why| format!("step {}: {why}", step.id))?;
    }
    let observed = world.observe(topology).await;
    match Plan::between(&observed, topology, &PlanPolicy::default()) {
        Ok(left) if left.steps.is_empty() => Ok(()),
        Ok(left) => Err(format!("drift: {:#?}", lines(&left))),
        Err(refused) => Err(format!("then refused: {:#?}", refused.refusals)),
    }
}

/// Takes a plan back, the last step first, each by the undo that was chosen when planning.
pub(crate) async fn undone(world: &World, plan: &Plan) -> Result<(), String> {
    for step in plan.steps.iter().rev().filter(|step| !step.nudge) {
        let Undo::By(write) = &step.undo else {
            return Err(format!("step {}: {:?}", step.id, step.undo));
        };
        let outcome = MaasWriter::new(&world.client, &Held).send(write).await;
        if !matches!(outcome, Outcome::Done(_)) {
            return Err(format!("step {}: {outcome:?}", step.id));
        }
    }
    Ok(())
}

async fn made(world: &World, step: &Step) -> Result<(), String> {
    match ground(world, step).await {
        StepState::Already => return Ok(()),
        StepState::Ready => {}
        StepState::Foreign(found) => return Err(format!("found {found:?}")),
    }
    let outcome = MaasWriter::new(&world.client, &Held)
        .send(&step.write())
        .await;
    if !matches!(outcome, Outcome::Done(_)) {
        return Err(format!("{outcome:?}"));
    }
    match ground(world, step).await {
        StepState::Already => Ok(()),
        StepState::Ready if step.nudge => Ok(()),
        other @ (StepState::Ready | StepState::Foreign(_)) => Err(format!("left {other:?}")),
    }
}

async fn ground(world: &World, step: &Step) -> StepState {
    let seen: BTreeMap<Key, Option<Object>> = world
        .client
        .reader()
        .look(&step.keys())
        .await
        .unwrap()
        .into_iter()
        .map(|(key, seen)| (key, seen.map(|seen| seen.object)))
        .collect();
    step.judge(&|key| seen.get(key).cloned().flatten())
}

/// Whoever lives on a network that goes leaves it, and a machine whose links are carved again is commissioned first.
fn people_oblige(world: &World, plan: &Plan) {
    let mut maas = world.maas.lock().unwrap();
    for host in plan.gates.iter().flat_map(|gate| released(&gate.evidence)) {
        maas.commission(host);
    }
    for (host, name) in plan
        .gates
        .iter()
        .flat_map(|gate| &gate.evidence)
        .flat_map(GateEvidence::detached)
    {
        maas.detach(host, name);
    }
    for cidr in plan.vacated() {
        maas.vacate(&cidr.to_string(), false);
    }
    for evidence in plan.gates.iter().flat_map(|gate| &gate.evidence) {
        let GateEvidence::Vacant {
            subnets,
            controllers,
            keeping,
        } = evidence
        else {
            continue;
        };
        for cidr in subnets {
            match keeping.get(cidr) {
                None => maas.vacate(&cidr.to_string(), *controllers),
                Some(kept) => {
                    maas.vacate_outside(&cidr.to_string(), &kept.to_string(), *controllers);
                }
            }
        }
    }
}

/// A rack has an address on the networks whose snippets it must check.
fn racks_oblige(world: &World, plan: &Plan) {
    let mut maas = world.maas.lock().unwrap();
    for evidence in plan.gates.iter().flat_map(|gate| &gate.evidence) {
        if let GateEvidence::Attended { subnets } = evidence {
            for cidr in subnets {
                maas.add_rack_address(&cidr.to_string());
            }
        }
    }
}

/// Machines that the teardown gate wants released.
fn released(evidence: &[GateEvidence]) -> impl Iterator<Item = &String> {
    evidence
        .iter()
        .filter_map(|evidence| match evidence {
            GateEvidence::Changeable { machines } => Some(machines),
            GateEvidence::Vacant { .. }
            | GateEvidence::Detached { .. }
            | GateEvidence::NoJujuModel
            | GateEvidence::Jumphost { .. }
            | GateEvidence::Attended { .. } => None,
        })
        .flatten()
}

pub(crate) struct Held;

impl WriteFence for Held {
    fn still_held(&self) -> bool {
        true
    }
}
