//! Plans over every layout and every change: from what a MAAS holds to what another one holds.

use plan::plan::{Plan, Policy};
use plan::telling;
use planebot::rehearse::{Play, rehearse};

use crate::lab::{all_changes, all_layouts, declared, world};

#[tokio::test]
async fn what_is_already_so_needs_no_plan() {
    for name in all_layouts() {
        for version in ["3.5.12", "3.7.3"] {
            let world = world(&name, Some(version));
            let topology = declared(&world.observe_all().await);
            let observed = world.observe(&topology).await;
            let plan = Plan::between(&observed, &topology, &Policy::default());
            let steps: Vec<String> = plan
                .as_ref()
                .map(|plan| plan.steps.iter().map(telling::line).collect())
                .unwrap_or_default();
            assert!(
                plan.is_ok_and(|plan| plan.steps.is_empty()),
                "{name} on {version}: {steps:#?}"
            );
        }
    }
}

#[tokio::test]
async fn every_change_is_planned_and_rehearsed_to_zero_drift() {
    for name in all_changes() {
        for version in ["3.5.12", "3.7.3"] {
            let before = world(&format!("{name}.before.json"), Some(version));
            let after = world(&format!("{name}.after.json"), Some(version));
            let topology = declared(&after.observe_all().await);
            let observed = before.observe(&topology).await;
            let plan = match Plan::between(&observed, &topology, &Policy::default()) {
                Ok(plan) => plan,
                Err(refused) => panic!("{name} on {version}: {:#?}", refused.refusals),
            };
            let play = Play {
                plan: &plan,
                topology: &topology,
                policy: &Policy::default(),
                observed: &observed,
            };
            let mut told = Vec::new();
            let rehearsed = rehearse(&play, &mut |line| told.push(line)).await;
            assert!(
                rehearsed.failures.is_empty(),
                "{name} on {version}: {:#?}\n{}\n{}",
                rehearsed.failures,
                telling::text(&plan, &name, None),
                told.join("\n")
            );
            assert!(plan.steps.is_empty() || rehearsed.cuts > plan.steps.len());
        }
    }
}
