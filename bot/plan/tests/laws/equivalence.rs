//! Equivalent declarations give equivalent plans, and a small change gives a small plan.

use plan::step::Step;
use topology::object::Object;
use topology::plane::Topology;

use crate::applying::{lines, planned};
use crate::hold;
use test_support::pairs::Pair;
use test_support::pairs::mutate::MUTATIONS;
use test_support::pairs::rng::SeededRng;

#[test]
fn the_same_input_gives_the_same_plan_byte_for_byte() {
    hold("the_same_input", |pair| {
        let plan = || serde_json::to_string(&planned(&pair.observed(), &pair.topology())).unwrap();
        (plan() != plan()).then(plan)
    });
}

/// The same topology with other plane keys and with unordered lists shuffled.
fn reordered(pair: &Pair, topology: &Topology) -> Topology {
    let mut rng = SeededRng::of(pair.seed);
    let mut reordered_topology = topology.clone();
    let mut planes: Vec<_> = std::mem::take(&mut reordered_topology.planes)
        .into_values()
        .collect();
    rng.shuffle(&mut planes);
    for (place, mut plane) in planes.into_iter().enumerate() {
        plane.key = format!("called-{place}");
        rng.shuffle(&mut plane.subnets);
        for subnet in &mut plane.subnets {
            rng.shuffle(subnet.reservations.as_deref_mut().unwrap_or_default());
            rng.shuffle(subnet.routes.as_deref_mut().unwrap_or_default());
            rng.shuffle(subnet.reserved_ips.as_deref_mut().unwrap_or_default());
        }
        reordered_topology.planes.insert(plane.key.clone(), plane);
    }
    reordered_topology
}

#[test]
fn another_order_and_other_keys_give_the_same_plan() {
    hold("another_order_and_other_keys", |pair| {
        let observed = pair.observed();
        let unchanged = planned(&observed, &reordered(pair, &pair.unchanged()));
        match unchanged {
            Ok(plan) if plan.steps.is_empty() => {}
            Ok(plan) => return Some(lines(&plan)),
            Err(refused) => return Some(format!("{:#?}", refused.refusals)),
        }
        let writes = |topology: &Topology| {
            let plan = planned(&observed, topology).ok()?;
            let mut writes: Vec<String> = plan
                .steps
                .iter()
                .map(|step| format!("{:?}", step.write()))
                .collect();
            writes.sort();
            Some((writes, lines(&plan)))
        };
        let topology = pair.topology();
        let one = writes(&topology)?;
        let two = writes(&reordered(pair, &topology));
        let same = two.as_ref().is_some_and(|two| two.0 == one.0);
        (pair.exact && !same).then(|| format!("{}\nor\n{:?}", one.1, two.map(|two| two.1)))
    });
}

/// The most writes that one mutation may need: one for the change, one more if something is created for it, and one to
/// update dhcpd (3.7).
const WRITES: [(&str, usize); 18] = [
    ("a fabric is renamed", 1),
    ("a space is renamed", 1),
    ("a VLAN moves to another space", 1),
    ("a VLAN moves to a new space", 2),
    ("a VID changes", 1),
    ("a VLAN is renamed", 1),
    ("an MTU changes", 1),
    ("the racks change", 3),
    ("a subnet is renamed", 1),
    ("a subnet moves to another VLAN", 4),
    ("a gateway changes", 2),
    ("the resolvers change", 2),
    ("a flag changes", 2),
    ("a description changes", 2),
    ("a range is added", 1),
    ("a range is removed", 1),
    ("a range moves", 2),
    ("a range changes its name or kind", 2),
];

#[test]
fn every_limit_is_that_of_a_mutation() {
    let known = |word: &str| MUTATIONS.iter().any(|(name, _)| *name == word);
    assert!(WRITES.iter().all(|(word, _)| known(word)));
}

#[test]
fn one_mutation_needs_few_writes() {
    hold("one_mutation_needs_few_writes", |pair| {
        let one = pair.with(pair.mutations.get(..1).filter(|_| pair.exact)?);
        let (which, _) = one.mutations.first()?;
        let (_, most) = WRITES
            .iter()
            .find(|(word, _)| *word == MUTATIONS[*which].0)?;
        let plan = planned(&one.observed(), &one.topology()).ok()?;
        // A subnet's snippets are removed and restored with it.
        let is_snippet = |step: &&Step| {
            let object = step.leaves.as_ref().or(step.expects.as_ref());
            object.is_some_and(|object| object.as_snippet().is_some())
        };
        let hung = plan.steps.iter().filter(is_snippet).count();
        (plan.steps.len() - hung > *most).then(|| lines(&plan))
    });
}

#[test]
fn a_refusal_says_what_would_be_allowed() {
    hold("a_refusal_says", |pair| {
        let refused = planned(&pair.observed(), &pair.topology()).err()?;
        let unsound = plan::refusal::RefusalCode::Unsound;
        let fair = |why: &plan::refusal::Refusal| {
            !why.why.is_empty() && !why.help.is_empty() && why.code != unsound
        };
        let unfair = refused.refusals.iter().find(|why| !fair(why));
        let none = refused.refusals.is_empty().then(|| "no reason".to_owned());
        unfair.map(ToString::to_string).or(none)
    });
}

/// No write changes nothing, unless it is a nudge.
#[test]
fn every_write_changes_something() {
    hold("every_write_changes_something", |pair| {
        let plan = planned(&pair.observed(), &pair.topology()).ok()?;
        let idle = plan.steps.iter().find(|step| {
            let same = step.expects == step.leaves;
            let range = matches!(step.leaves, Some(Object::Range(_)));
            same != step.nudge || (step.nudge && !range)
        })?;
        Some(format!("step {}\n{}", idle.id, lines(&plan)))
    });
}
