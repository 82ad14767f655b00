//! Import, plan, no changes: over the lab's wire, for networks with everything odd in them, on every release.
//!
//! Also over files that people have touched, after MAAS has changed under them; and of single objects by name.

mod clouds;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use plan::plan::{Plan, PlanPolicy};
use plan::render;
use proptest::prelude::*;
use serde_json::{Value, json};
use topology::draft::SourceFile;
use topology::observed::Observed;
use topology::write::{ImportOptions, MergeConflict, files, merged};

use crate::lab::{World, all_layouts, outside, text, world_of};
use clouds::cloud;
use execution::rehearse::in_memory::InMemoryMaas;
use maas::MaasClient;

/// Of each line one that is in the field.
const VERSIONS: [&str; 9] = [
    "2.9.2", "3.0.1", "3.1.2", "3.2.11", "3.3.10", "3.4.8", "3.5.12", "3.6.5", "3.7.3",
];

type Texts = BTreeMap<String, String>;

fn sources(texts: &Texts) -> Vec<SourceFile> {
    let all = texts.iter().map(|(path, text)| SourceFile {
        path: path.clone(),
        bytes: text.clone().into_bytes(),
    });
    all.collect()
}

/// The steps of a plan from what `world` has to what the files say.
async fn steps(world: &World, texts: &Texts) -> Result<Vec<String>, String> {
    let checked = topology::check::check(&sources(texts));
    let topology = checked
        .topology
        .ok_or_else(|| format!("{:#?}", checked.findings))?;
    let observed = world.observe(&topology).await;
    match Plan::between(&observed, &topology, &PlanPolicy::default()) {
        Ok(plan) => Ok(plan.steps.iter().map(render::line).collect()),
        Err(refused) => Err(format!("{:#?}", refused.refusals)),
    }
}

fn over(
    texts: &Texts,
    observed: &Observed,
    wish: &ImportOptions,
) -> Result<Texts, Vec<MergeConflict>> {
    let mut after = texts.clone();
    for (path, text) in merged(observed, "site", &sources(texts), wish)? {
        match text {
            Some(text) => after.insert(path, text),
            None => after.remove(&path),
        };
    }
    Ok(after)
}

/// A cloud in the lab's MAAS, unless it refuses it as MAAS would.
fn loaded(cloud: &Value, version: &str) -> Option<World> {
    let maas = lab::maas::LabMaas::load(&cloud.to_string(), Some(version)).ok()?;
    let maas = Arc::new(Mutex::new(maas));
    let client = MaasClient::new(InMemoryMaas::new(Arc::clone(&maas), outside()), outside());
    Some(World { maas, client })
}

fn everything() -> ImportOptions {
    ImportOptions {
        drop_gone: true,
        ..ImportOptions::default()
    }
}

fn of(name: &str) -> ImportOptions {
    ImportOptions {
        adopt: vec![name.to_owned()],
        ..ImportOptions::default()
    }
}

fn awaited<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(work)
}

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        max_shrink_iters: 60,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(cases(24))]

    #[test]
    fn any_cloud_that_is_imported_plans_to_no_changes(cloud in cloud(), version in prop::sample::select(&VERSIONS[..])) {
        awaited(async {
            let Some(world) = loaded(&cloud, version) else {
                return Err(TestCaseError::reject("MAAS would refuse it"));
            };
            let observed = world.observe_all().await;
            let texts = files(&observed, "site");
            let steps = steps(&world, &texts).await;
            prop_assert_eq!(steps, Ok(Vec::new()), "{:#?}", texts);
            prop_assert_eq!(over(&texts, &observed, &ImportOptions::default()), Ok(texts));
            Ok(())
        })?;
    }

    /// What MAAS became is written over what it was; nothing is left to plan, or the file and the line are told.
    #[test]
    fn a_cloud_that_became_another_is_imported_over_its_files(was in cloud(), is in cloud(), version in prop::sample::select(&VERSIONS[..])) {
        awaited(async {
            let (Some(before), Some(world)) = (loaded(&was, version), loaded(&is, version)) else {
                return Err(TestCaseError::reject("MAAS would refuse one of them"));
            };
            let texts = files(&before.observe_all().await, "site");
            match over(&texts, &world.observe_all().await, &everything()) {
                Ok(after) => {
                    let steps = steps(&world, &after).await;
                    prop_assert_eq!(steps, Ok(Vec::new()), "{:#?}\n{:#?}", texts, after);
                }
                Err(refused) => for why in refused {
                    prop_assert!(texts.contains_key(&why.file) && why.line > 0 && !why.remedy.is_empty(), "{}", why);
                },
            }
            Ok(())
        })?;
    }
}

/// Every network of every layout, taken out of the files and adopted again by its name.
#[tokio::test]
async fn what_is_adopted_by_name_plans_to_no_changes() {
    for name in all_layouts()
        .iter()
        .filter(|name| !Path::new(name).starts_with("changes"))
    {
        let world = world_of(&text(name), Some("3.6.5"));
        let observed = world.observe_all().await;
        let whole = files(&observed, "site");
        let planes = whole
            .keys()
            .filter(|path| !path.starts_with("machines") && *path != "site.yaml");
        for path in planes.take(8) {
            let mut texts: Texts = whole.clone();
            texts.remove(path);
            texts.retain(|path, _| !path.starts_with("machines"));
            let Ok(before) = steps(&world, &texts).await else {
                // Another plane speaks of this one.
                continue;
            };
            assert!(before.is_empty(), "{name} without {path}: {before:#?}");
            let gone = topology::check::check(&sources(&whole)).topology.unwrap();
            let key = path.trim_end_matches(".yaml");
            let Some(cidr) = gone.planes[key].subnets.first().map(|subnet| subnet.cidr) else {
                continue;
            };
            let after = over(&texts, &observed, &of(&cidr.to_string())).unwrap();
            assert_eq!(
                steps(&world, &after).await,
                Ok(Vec::new()),
                "{name} with {cidr}"
            );
            let new: Vec<&String> = after
                .keys()
                .filter(|path| !texts.contains_key(*path))
                .collect();
            assert_eq!(new.len(), 1, "{new:?}");
            let others = texts
                .iter()
                .all(|(path, text)| path == "site.yaml" || after[path] == *text);
            assert!(others, "{name}: only {cidr} was asked for");
            let again = over(&after, &observed, &of(&cidr.to_string())).unwrap_err();
            assert!(
                again[0].to_string().contains("is already declared"),
                "{again:#?}"
            );
        }
    }
}

/// MAAS may call a fabric as this folder calls its files.
#[tokio::test]
async fn a_fabric_may_be_called_as_a_file_is() {
    let fabrics: Vec<Value> = [
        "site",
        "machines",
        "machines-2",
        "Machines-02",
        "plane-machines",
        "MACHINES",
    ]
    .map(|name| json!({"name": name, "vlans": [{"vid": 0, "space": "s"}]}))
    .to_vec();
    let world = world_of(&json!({"fabrics": fabrics}).to_string(), None);
    let texts = files(&world.observe_all().await, "site");
    assert_eq!(texts.len(), 6, "{:?}", texts.keys());
    assert_eq!(steps(&world, &texts).await, Ok(Vec::new()));
}
