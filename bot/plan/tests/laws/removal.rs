//! What the files remove goes, nothing else does, and the way back is known.

use std::collections::BTreeMap;

use plan::network::NetworkModel;
use plan::plan::Plan;
use plan::step::Undo;
use test_support::pairs::Pair;
use topology::Key;
use topology::object::Object;

use crate::applying::{after_teardown, applied, lines, planned};
use crate::hold;
use crate::strangers::changed;

/// The subnets and VLANs that a plan deletes and does not make again.
fn gone(before: &NetworkModel, after: &NetworkModel) -> Vec<Key> {
    let names = |network: &NetworkModel| -> Vec<Key> {
        let objects = network.all();
        objects
            .filter(|it| matches!(it, Object::Fabric(_) | Object::Space(_) | Object::Vlan(_)))
            .map(Object::key)
            .collect()
    };
    let left = names(after);
    let mut gone = names(before);
    gone.retain(|key| !left.contains(key));
    gone
}

#[test]
fn what_the_files_remove_goes_and_what_nobody_declares_stays() {
    hold("what_the_files_remove_goes", |pair| {
        let (observed, topology) = (pair.observed(), pair.removing());
        if let Some(why) = changed(pair, &topology) {
            return Some(why);
        }
        let plan = planned(&observed, &topology).ok()?;
        let after = applied(&observed, &plan).unwrap();
        let left = plan.removed.iter().find(|key| after.get(key).is_some());
        left.map(|key| format!("{key} is still there\n{}", lines(&plan)))
    });
}

/// A container goes only where the files say so, or where it is renamed or renumbered.
#[test]
fn no_vlan_fabric_or_space_goes_unless_the_files_remove_it() {
    hold("no_vlan_fabric_or_space_goes", |pair| {
        let observed = pair.observed();
        let plan = planned(&observed, &pair.removing()).ok()?;
        let before = NetworkModel::of(&observed);
        let after = applied(&observed, &plan).unwrap();
        let renamed = |key: &Key| {
            plan.steps.iter().any(|step| {
                step.expects.as_ref().map(Object::key).as_ref() == Some(key)
                    && step.leaves.is_some()
            })
        };
        let moved = |key: &Key| {
            let Key::Vlan(at) = key else { return false };
            renamed(&Key::Fabric(at.fabric.clone()))
                || plan.removed.contains(&Key::Fabric(at.fabric.clone()))
        };
        gone(&before, &after)
            .into_iter()
            .find(|key| !plan.removed.contains(key) && !renamed(key) && !moved(key))
            .map(|key| format!("{key} goes\n{}", lines(&plan)))
    });
}

#[test]
fn a_removal_is_taken_back_step_by_step() {
    hold("a_removal_is_taken_back", |pair| {
        let observed = pair.observed();
        let plan = planned(&observed, &pair.removing()).ok()?;
        // A fabric comes back with a default VLAN as MAAS makes it.
        if plan.removed.iter().any(|key| matches!(key, Key::Fabric(_))) {
            return None;
        }
        let before = after_teardown(&observed, &plan);
        let mut back = applied(&observed, &plan).unwrap();
        for step in plan.steps.iter().rev() {
            let Undo::By(write) = &step.undo else {
                return None;
            };
            if let Err(violation) = back.apply(write) {
                return Some(format!(
                    "undo of {}: {violation}\n{}",
                    step.id,
                    lines(&plan)
                ));
            }
        }
        let subnets = |network: &NetworkModel| -> Vec<Object> {
            let all = network.all();
            all.filter(|it| it.as_subnet().is_some() || it.as_range().is_some())
                .cloned()
                .collect()
        };
        (subnets(&back) != subnets(&before)).then(|| lines(&plan))
    });
}

#[test]
fn most_removals_are_planned_and_the_others_refused_for_a_true_reason() {
    let mut codes: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut plans, mut removals) = (0, 0);
    for seed in crate::seeds() {
        let pair = Pair::of(seed);
        match planned(&pair.observed(), &pair.removing()) {
            Ok(plan) => {
                plans += 1;
                removals += usize::from(removes_container(&plan));
            }
            Err(refused) => {
                for refusal in &refused.refusals {
                    let code = refusal.code.word();
                    assert!(code != "unsound", "seed {seed}: {refusal}");
                    *codes.entry(code).or_default() += 1;
                }
            }
        }
    }
    let pairs = crate::seeds().count();
    if pairs >= 300 {
        assert!(
            plans * 10 >= pairs * 3,
            "{plans} of {pairs}; refused: {codes:?}"
        );
        assert!(
            removals * 10 >= pairs,
            "{removals} of {pairs} remove a VLAN"
        );
    }
}

fn removes_container(plan: &Plan) -> bool {
    plan.removed.iter().any(|key| matches!(key, Key::Vlan(_)))
}
