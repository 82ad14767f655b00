//! Plans over every layout and every change: from what a MAAS holds to what another one holds.

use execution::rehearse::{RehearsalInput, rehearse};
use plan::plan::{Plan, PlanPolicy};
use plan::render;
use plan::step::{Phase, Step};
use proptest::prelude::*;
use topology::draft::SourceFile;
use topology::plane::Topology;

use crate::lab::{World, all_changes, all_layouts, declared, world};
use crate::walk::{carried_out, lines, undone};

#[tokio::test]
async fn what_is_already_so_needs_no_plan() {
    for name in all_layouts() {
        for version in RELEASES {
            let world = world(&name, Some(version));
            let topology = declared(&world.observe_all().await);
            let observed = world.observe(&topology).await;
            let plan = Plan::between(&observed, &topology, &PlanPolicy::default());
            let steps: Vec<String> = plan
                .as_ref()
                .map(|plan| plan.steps.iter().map(render::line).collect())
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
            let plan = match Plan::between(&observed, &topology, &PlanPolicy::default()) {
                Ok(plan) => plan,
                Err(refused) => panic!("{name} on {version}: {:#?}", refused.refusals),
            };
            let play = RehearsalInput {
                plan: &plan,
                topology: &topology,
                policy: &PlanPolicy::default(),
                observed: &observed,
            };
            let mut told = Vec::new();
            let rehearsed = rehearse(&play, &mut |line| told.push(line)).await;
            assert!(
                rehearsed.failures.is_empty(),
                "{name} on {version}: {:#?}\n{}\n{}",
                rehearsed.failures,
                render::text(&plan, &name, None),
                told.join("\n")
            );
            assert!(plan.steps.is_empty() || rehearsed.cuts > plan.steps.len());
        }
    }
}

/// Of each line of MAAS one release that is in the field.
const RELEASES: [&str; 5] = ["2.9.2", "3.4.8", "3.5.12", "3.6.5", "3.7.3"];

/// There, and back by the steps' own undo. What people took off at the gate is all that is left to do then.
#[tokio::test]
async fn every_change_is_carried_out_and_undone_to_zero_drift() {
    for name in all_changes() {
        for version in RELEASES {
            let site = world(&format!("{name}.before.json"), Some(version));
            let after = world(&format!("{name}.after.json"), Some(version));
            let old = declared(&site.observe_all().await);
            let new = declared(&after.observe_all().await);
            let there = planned(&site, &new).await;
            let told =
                |why: String| format!("{name} on {version}: {why}\n{}", lines(&there).join("\n"));
            carried_out(&site, &new, &there)
                .await
                .map_err(told)
                .unwrap();
            undone(&site, &there).await.map_err(told).unwrap();
            let rest = planned(&site, &old).await;
            let links = |step: &Step| step.phase == Phase::Carve;
            assert!(
                rest.steps.iter().all(links),
                "{name} on {version}: {:#?}",
                lines(&rest)
            );
            carried_out(&site, &old, &rest).await.map_err(told).unwrap();
        }
    }
}

async fn planned(site: &World, topology: &Topology) -> Plan {
    let observed = site.observe(topology).await;
    Plan::between(&observed, topology, &PlanPolicy::default())
        .unwrap_or_else(|refused| panic!("{:#?}", refused.refusals))
}

/// Import, then plan: no changes, whatever the MAAS holds.
#[tokio::test]
async fn what_is_imported_plans_to_no_changes() {
    for name in all_layouts() {
        for version in RELEASES {
            let world = world(&name, Some(version));
            let files = topology::write::files(&world.observe_all().await, "site");
            let sources: Vec<SourceFile> = files
                .into_iter()
                .map(|(path, text)| SourceFile {
                    path,
                    bytes: text.into_bytes(),
                })
                .collect();
            let checked = topology::check::check(&sources);
            let Some(topology) = checked.topology else {
                panic!("{name} on {version}: {:#?}", checked.findings);
            };
            let observed = world.observe(&topology).await;
            let plan = Plan::between(&observed, &topology, &PlanPolicy::default());
            let steps: Vec<String> = plan
                .as_ref()
                .map(|plan| plan.steps.iter().map(render::line).collect())
                .unwrap_or_default();
            assert!(
                plan.is_ok_and(|plan| plan.steps.is_empty()),
                "{name} on {version}: {steps:#?}"
            );
        }
    }
}

/// The reference site of this repository, declared in `topology/`, against the MAAS before the change.
#[tokio::test]
async fn the_reference_change_reads_as_in_the_golden_file() {
    let world = world(
        "changes/baldurkeep-d058-renumber.before.json",
        Some("3.5.12"),
    );
    {
        let mut maas = world.maas.lock().unwrap();
        for host in maas.machines() {
            maas.set_status(&host, "Deployed");
        }
    }
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let topology = service::site::declared(&root.join("topology"))
        .unwrap()
        .topology
        .unwrap();
    let runbooks = service::site::runbooks(&root.join("runbooks")).unwrap();
    let policy = PlanPolicy {
        runbooks: runbooks
            .iter()
            .map(|runbook| (runbook.gate, runbook.pin.clone()))
            .collect(),
        ..PlanPolicy::default()
    };
    let observed = world.observe(&topology).await;
    let plan = Plan::between(&observed, &topology, &policy).unwrap();
    let play = RehearsalInput {
        plan: &plan,
        topology: &topology,
        policy: &policy,
        observed: &observed,
    };
    let rehearsed = rehearse(&play, &mut |_| {}).await;
    let setting = render::PlanHeader {
        site: "reference".to_owned(),
        commit: None,
        tree_url: None,
        read_at: observed.at,
        dropped: Vec::new(),
        status: plan::render::ApplyStatus::Open,
    };
    let comment = render::markdown(&plan, &setting, &rehearsed);
    let golden = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/reference-plan.md");
    if std::env::var_os("PLANEBOT_GOLDEN").is_some() {
        std::fs::write(&golden, &comment).unwrap();
    }
    assert_eq!(
        comment,
        std::fs::read_to_string(&golden).unwrap(),
        "PLANEBOT_GOLDEN=1 writes it anew"
    );
    let drift: Vec<String> = plan
        .audit
        .iter()
        .filter(|line| line.standing == plan::audit::AuditStatus::Drift)
        .map(ToString::to_string)
        .collect();
    assert_eq!(drift.len(), 3, "{drift:#?}");
    let gates: Vec<&str> = plan.gates.iter().map(|gate| gate.name.word()).collect();
    assert_eq!(gates, ["teardown", "jumphost"]);
}

/// Files are only where people put things: neither their order nor the order their names give changes the plan.
#[tokio::test]
async fn the_order_of_the_files_does_not_change_the_plan() {
    let world = world(
        "changes/baldurkeep-d058-renumber.before.json",
        Some("3.5.12"),
    );
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../topology");
    let texts: Vec<Vec<u8>> = std::fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "yaml"))
        .map(|path| std::fs::read(path).unwrap())
        .collect();
    let named = |order: &[usize]| -> Topology {
        let sources: Vec<SourceFile> = order
            .iter()
            .enumerate()
            .map(|(place, &at)| SourceFile {
                path: format!("{place:02}.yaml"),
                bytes: texts[at].clone(),
            })
            .collect();
        let checked = topology::check::check(&sources);
        Topology {
            tree: "tree".to_owned(),
            ..checked.topology.unwrap()
        }
    };
    let straight: Vec<usize> = (0..texts.len()).collect();
    let topology = named(&straight);
    let observed = world.observe(&topology).await;
    let plan = Plan::between(&observed, &topology, &PlanPolicy::default()).unwrap();
    assert!(!plan.steps.is_empty());
    proptest!(ProptestConfig::with_cases(32), |(order in Just(straight).prop_shuffle())| {
        let turned = named(&order);
        prop_assert_eq!(&turned, &topology);
        prop_assert_eq!(&Plan::between(&observed, &turned, &PlanPolicy::default()).unwrap(), &plan);
    });
}

#[tokio::test]
async fn the_apply_comment_of_a_long_plan_counts_its_phases() {
    let name = "changes/baldurkeep-d058-renumber";
    let before = world(&format!("{name}.before.json"), None);
    let after = world(&format!("{name}.after.json"), None);
    let topology = declared(&after.observe_all().await);
    let observed = before.observe(&topology).await;
    let mut plan = Plan::between(&observed, &topology, &PlanPolicy::default()).unwrap();
    let setting = service::reply::RunSetting {
        site: "reference".to_owned(),
        by: "bob".to_owned(),
        merge_commit: "ab".repeat(20),
    };
    let short = service::reply::progress(&plan, &[], &setting);
    assert!(short.contains("<details>"));
    let steps = plan.steps.clone();
    plan.steps = std::iter::repeat_n(steps, 100).flatten().collect();
    let long = service::reply::progress(&plan, &[], &setting);
    assert!(!long.contains("<details>"), "{long}");
    assert!(
        long.contains(&format!("0 of {}", plan.steps.len())),
        "{long}"
    );
}
