//! The planner's random pairs of clouds, played in the lab: what the laws hold against rules of their own, the lab's MAAS
//! holds against its, which are held to recordings of real ones.

use plan::plan::{Plan, Policy};
use planebot::rehearse::{Play, rehearse};

use crate::laws::pairs::Pair;

/// Pairs that are rehearsed, unless `PLANEBOT_REHEARSED` says how many.
const PAIRS: u64 = 60;

fn count() -> u64 {
    let given = std::env::var_os("PLANEBOT_REHEARSED");
    given.map_or(PAIRS, |text| text.into_string().unwrap().parse().unwrap())
}

/// Why the rehearsal of a pair does not end as planned; none where nothing is planned.
async fn broken(pair: &Pair) -> Option<String> {
    let (observed, topology) = (pair.observed(), pair.topology());
    let policy = Policy {
        vacated_max: usize::MAX,
        ..Policy::default()
    };
    let plan = Plan::between(&observed, &topology, &policy).ok()?;
    let play = Play {
        plan: &plan,
        topology: &topology,
        policy: &policy,
        observed: &observed,
    };
    let rehearsed = rehearse(&play, &mut |_| {}).await;
    let first = rehearsed.failures.first()?;
    Some(format!(
        "{}\n{first}\n{}",
        pair.told(),
        crate::walk::lines(&plan).join("\n")
    ))
}

#[tokio::test]
async fn plans_between_random_clouds_are_rehearsed_to_zero_drift() {
    let mut found = Vec::new();
    for seed in 0..count() {
        if let Some(why) = broken(&Pair::of(seed)).await {
            found.push(format!("pair {seed}, {why}"));
        }
    }
    assert!(
        found.is_empty(),
        "{} pairs:\n{}",
        found.len(),
        found.join("\n\n")
    );
}
