//! Undoing steps.

use plan::network::NetworkModel;
use plan::step::Undo;
use topology::object::{Object, RangeKind};

use crate::applying::{after_teardown, lines, planned};
use crate::{hold, rules};

/// From every step back to the first, unless a step says that it cannot be undone.
#[test]
fn undoing_every_prefix_restores_the_original_network() {
    hold("undoing_every_prefix", |pair| {
        let observed = pair.observed();
        let plan = planned(&observed, &pair.topology()).ok()?;
        let before = after_teardown(&observed, &plan);
        let mut network = before.clone();
        for (place, step) in plan.steps.iter().enumerate() {
            network.apply(&step.write()).unwrap();
            let mut back = network.clone();
            for undone in plan.steps[..=place].iter().rev() {
                let Undo::By(write) = &undone.undo else {
                    break;
                };
                if let Err(violation) = back.apply(write) {
                    return Some(format!(
                        "undo of {}: {violation}\n{}",
                        undone.id,
                        lines(&plan)
                    ));
                }
                if undone.id == plan.steps[0].id && rows(&back, &before) != rows(&before, &before) {
                    return Some(format!("undone from {} on\n{}", step.id, lines(&plan)));
                }
            }
        }
        None
    });
}

/// All objects except VLANs that MAAS created with a new fabric, which are deleted with it.
fn rows(network: &NetworkModel, before: &NetworkModel) -> Vec<Object> {
    network
        .all()
        .filter(|object| {
            object.as_vlan().is_none_or(|vlan| {
                before
                    .vlans()
                    .any(|other| other.at.fabric == vlan.at.fabric)
            })
        })
        .cloned()
        .collect()
}

/// An undo is a write too, and MAAS's rules apply to it.
#[test]
fn maas_accepts_every_undo_that_a_step_has() {
    hold("maas_accepts_every_undo", |pair| {
        let observed = pair.observed();
        let plan = planned(&observed, &pair.topology()).ok()?;
        let mut network = after_teardown(&observed, &plan);
        for step in &plan.steps {
            network.apply(&step.write()).unwrap();
            match &step.undo {
                Undo::By(write) => {
                    let mut back = network.clone();
                    back.apply(write).unwrap();
                    let made = step.expects.is_none();
                    let why = rules::violation((&network, &back), write, pair.before.version);
                    if let Some(why) = why.filter(|_| !made) {
                        return Some(format!("undo of {}: {why}\n{}", step.id, lines(&plan)));
                    }
                }
                Undo::Impossible(why) if why.is_empty() => return Some(format!("{step:?}")),
                Undo::Impossible(_) => {
                    // Only DHCP has such rules, and a comment that would have to be cleared.
                    let serves = match (&step.expects, &step.leaves) {
                        (Some(Object::Range(range)), _) => {
                            range.kind == RangeKind::Dynamic || range.comment.is_empty()
                        }
                        (Some(Object::Vlan(_)), _) => true,
                        _ => false,
                    };
                    if !serves {
                        return Some(format!("{step:?}"));
                    }
                }
            }
        }
        None
    });
}
