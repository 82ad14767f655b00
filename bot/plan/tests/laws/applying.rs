//! The effect of applying a plan.

use std::collections::{BTreeMap, BTreeSet};

use plan::critic;
use plan::departures::Departures;
use plan::gate::GateEvidence;
use plan::network::NetworkModel;
use plan::plan::{Plan, PlanPolicy, RefusedPlan};
use plan::render;
use topology::object::{Key, Link, Object};
use topology::observed::Observed;
use topology::plane::Topology;

use crate::hold;
use test_support::pairs::Pair;
use test_support::pairs::views::numbered;

pub(crate) fn planned(observed: &Observed, topology: &Topology) -> Result<Plan, RefusedPlan> {
    Plan::between(observed, topology, &PlanPolicy::default())
}

pub(crate) fn lines(plan: &Plan) -> String {
    let lines: Vec<String> = plan.steps.iter().map(render::line).collect();
    lines.join("\n")
}

/// The network after the teardown gate: without the links that have to go.
pub(crate) fn after_teardown(observed: &Observed, plan: &Plan) -> NetworkModel {
    let departures = Departures::of(plan);
    let mut network = NetworkModel::of(observed);
    let links: Vec<Link> = network
        .links()
        .filter(|link| departures.take_link(link))
        .cloned()
        .collect();
    for link in links {
        network.unlink(&link);
    }
    let evidence = plan.gates.iter().flat_map(|gate| &gate.evidence);
    for (host, name) in evidence.flat_map(GateEvidence::detached) {
        network.detach(host, name);
    }
    network
}

pub(crate) fn applied(observed: &Observed, plan: &Plan) -> Result<NetworkModel, String> {
    let mut network = after_teardown(observed, plan);
    for step in &plan.steps {
        network
            .apply(&step.write())
            .map_err(|violation| format!("step {}: {violation}\n{}", step.id, lines(plan)))?;
    }
    Ok(network)
}

/// The network as MAAS would show it.
pub(crate) fn seen(network: &NetworkModel, before: &Observed) -> Observed {
    let default_vlans = network
        .vlans()
        .filter(|vlan| network.is_default(&vlan.at))
        .map(|vlan| vlan.at.clone());
    let occupants = network.subnets().map(|subnet| (subnet.cidr, Vec::new()));
    Observed {
        objects: numbered(network.all().cloned().collect()),
        default_vlans: default_vlans.collect(),
        occupants: occupants.collect(),
        ..before.clone()
    }
}

/// `-- --nocapture` shows how many pairs are planned, and how often each refusal occurs.
#[test]
fn nearly_all_pairs_are_planned() {
    let mut codes: BTreeMap<&str, (u64, String)> = BTreeMap::new();
    let (mut all, mut plans) = (0, 0);
    for seed in crate::seeds() {
        let pair = Pair::of(seed);
        all += 1;
        match planned(&pair.observed(), &pair.topology()) {
            Ok(_) => plans += 1,
            Err(refused) => {
                for why in refused.refusals {
                    let describe = format!("{} (seed {seed}, {})", why.why, pair.describe());
                    codes.entry(why.code.word()).or_insert((0, describe)).0 += 1;
                }
            }
        }
    }
    test_support::counts::record("bot/plan/tests/laws", "random pairs of clouds", all);
    test_support::counts::record(
        "bot/plan/tests/laws",
        "of these planned, the others refused",
        plans,
    );
    for (code, (times, first)) in codes {
        println!("{times} {code}, first: {first}");
    }
    assert!(plans * 10 >= all * 9, "{plans} of {all}");
}

#[test]
fn an_unchanged_declaration_needs_no_steps() {
    hold(
        "an_unchanged_declaration_needs_no_steps",
        |pair| match planned(&pair.observed(), &pair.unchanged()) {
            Ok(plan) if plan.steps.is_empty() => None,
            Ok(plan) => Some(lines(&plan)),
            Err(refused) => Some(format!("{:#?}", refused.refusals)),
        },
    );
}

/// Exactly what is declared: undeclared objects stay, and spaces, fabrics and VLANs are never removed.
#[test]
fn an_applied_plan_gives_the_declared_network() {
    hold("an_applied_plan_gives_the_declared_network", |pair| {
        let observed = pair.observed();
        let plan = planned(&observed, &pair.topology()).ok()?;
        let network = match applied(&observed, &plan) {
            Ok(network) => network,
            Err(why) => return Some(why),
        };
        pair.exact
            .then(|| differences(pair, &network))?
            .map(|why| format!("{why}\n{}", lines(&plan)))
    });
}

fn differences(pair: &Pair, network: &NetworkModel) -> Option<String> {
    let desired = pair.after.objects();
    let lost = desired
        .iter()
        .filter(|object| network.get(&object.key()) != Some(object))
        .map(|object| format!("missing: {object:?}, but {:?}", network.get(&object.key())));
    let keys: BTreeSet<Key> = desired.iter().map(Object::key).collect();
    let odd = network
        .all()
        .filter(|object| !keys.contains(&object.key()))
        .filter(|object| {
            matches!(
                object,
                Object::Subnet(_)
                    | Object::Range(_)
                    | Object::Route(_)
                    | Object::ReservedIp(_)
                    | Object::Snippet(_)
            )
        })
        .map(|object| format!("unexpected: {object:?}"));
    let all: Vec<String> = lost.chain(odd).collect();
    (!all.is_empty()).then(|| all.join("\n"))
}

#[test]
fn planning_again_yields_nothing() {
    hold("planning_again_yields_nothing", |pair| {
        let (observed, topology) = (pair.observed(), pair.topology());
        let plan = planned(&observed, &topology).ok()?;
        let complaints = critic::complaints(&plan, &observed);
        if !complaints.is_empty() {
            return Some(complaints.join("\n"));
        }
        let network = applied(&observed, &plan).ok()?;
        match planned(&seen(&network, &observed), &topology) {
            Ok(again) if again.steps.is_empty() => {
                let unexpected_subnets = plan.unexpected_subnets(&again.audit);
                (!unexpected_subnets.is_empty()).then(|| unexpected_subnets.join("\n"))
            }
            Ok(again) => Some(format!("{}\nthen\n{}", lines(&plan), lines(&again))),
            Err(refused) => Some(format!("{}\nthen {:#?}", lines(&plan), refused.refusals)),
        }
    });
}
