//! The order of steps, and what is left alone.

use std::collections::BTreeSet;

use plan::critic;
use plan::step::Phase;
use topology::object::{Key, Object, RangeKind};

use crate::applying::{after_teardown, lines, planned};
use crate::{hold, rules};

/// The rules are written here a second time, as each release has them.
#[test]
fn maas_refuses_no_write_of_a_plan() {
    hold("maas_refuses_no_write", |pair| {
        let observed = pair.observed();
        let plan = planned(&observed, &pair.topology()).ok()?;
        let mut before = after_teardown(&observed, &plan);
        for step in &plan.steps {
            let mut after = before.clone();
            after.apply(&step.write()).unwrap();
            let why = rules::violation((&before, &after), &step.write(), pair.before.version);
            if let Some(why) = why {
                return Some(format!("step {}: {why}\n{}", step.id, lines(&plan)));
            }
            before = after;
        }
        None
    });
}

#[test]
fn deletes_come_before_creates() {
    hold("deletes_come_before_creates", |pair| {
        let plan = planned(&pair.observed(), &pair.topology()).ok()?;
        let is_subnet = |object: &Option<Object>| matches!(object, Some(Object::Subnet(_)));
        let last = plan.steps.iter().rposition(|step| step.leaves.is_none());
        let first = plan
            .steps
            .iter()
            .position(|step| step.expects.is_none() && is_subnet(&step.leaves));
        let phases = plan.steps.is_sorted_by_key(|step| step.phase);
        let carved = plan.steps.iter().any(|step| step.phase == Phase::Carve);
        let late = last.zip(first).is_some_and(|(last, first)| last > first);
        (late || !phases || carved).then(|| lines(&plan))
    });
}

/// MAAS deletes a snippet with its subnet, and since 3.0 with a range, which may or may not be the one that is deleted.
/// dhcpd never gets a snippet that is attached to a reserved range.
#[test]
fn every_deleted_dhcp_snippet_has_its_own_write_and_is_restored() {
    hold("every_deleted_dhcp_snippet", |pair| {
        let observed = pair.observed();
        let plan = planned(&observed, &pair.topology()).ok()?;
        let mut network = after_teardown(&observed, &plan);
        for step in &plan.steps {
            let home = match (&step.expects, &step.leaves) {
                (Some(Object::Subnet(subnet)), None) => Some(subnet.cidr),
                (Some(Object::Range(range)), None) => {
                    let hangs = range.kind == RangeKind::Dynamic && pair.before.version > "2.9.2";
                    hangs.then_some(range.subnet)
                }
                _ => None,
            };
            if let Some(snippet) = home.and_then(|home| network.snippets_of(home).next()) {
                return Some(format!(
                    "step {}: {}\n{}",
                    step.id,
                    snippet.name,
                    lines(&plan)
                ));
            }
            network.apply(&step.write()).unwrap();
        }
        let names = |all: &mut dyn Iterator<Item = &Object>| -> BTreeSet<String> {
            all.filter_map(Object::as_snippet)
                .map(|snippet| snippet.name.clone() + &snippet.value)
                .collect()
        };
        (names(&mut observed.all()) != names(&mut network.all())).then(|| lines(&plan))
    });
}

#[test]
fn undeclared_subnets_are_never_touched() {
    hold("undeclared_subnets", |pair| {
        let plan = planned(&pair.observed(), &pair.topology()).ok()?;
        let touched = critic::touched(&plan);
        (0..pair.before.subnets.len())
            .filter(|net| !pair.after.is_declared(*net))
            .map(|net| Key::Subnet(pair.before.subnets[net].cidr))
            .find(|key| touched.contains(key))
            .map(|key| format!("{key}\n{}", lines(&plan)))
    });
}
