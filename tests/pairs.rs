//! The planner's random pairs of clouds, played in the lab: what the laws hold against rules of their own, the lab's MAAS
//! holds against its, which are held to recordings of real ones.

use execution::rehearse::{RehearsalInput, rehearse};
use plan::plan::{Plan, PlanPolicy};
use test_support::counts::record;

use test_support::pairs::Pair;

/// Pairs that are rehearsed, unless `PLANEBOT_REHEARSED` says how many; `PLANEBOT_REHEARSED_FROM` says where they begin.
const PAIRS: u64 = 60;

fn setting(name: &str, otherwise: u64) -> u64 {
    let given = std::env::var_os(name);
    given.map_or(otherwise, |text| {
        text.into_string().unwrap().parse().unwrap()
    })
}

/// Whether the rehearsal of a pair ends as planned, or why not; none where the plan is refused.
async fn rehearsed(pair: &Pair) -> Option<Result<(), String>> {
    let (observed, topology) = (pair.observed(), pair.topology());
    let policy = PlanPolicy {
        vacated_max: usize::MAX,
        ..PlanPolicy::default()
    };
    let plan = Plan::between(&observed, &topology, &policy).ok()?;
    let play = RehearsalInput {
        plan: &plan,
        topology: &topology,
        policy: &policy,
        observed: &observed,
    };
    let rehearsed = rehearse(&play, &mut |_| {}).await;
    Some(match rehearsed.failures.first() {
        None => Ok(()),
        Some(first) => {
            let steps = crate::walk::lines(&plan).join("\n");
            Err(format!("{}\n{first}\n{steps}", pair.describe()))
        }
    })
}

#[tokio::test]
async fn plans_between_random_clouds_are_rehearsed_to_zero_drift() {
    let first = setting("PLANEBOT_REHEARSED_FROM", 0);
    let count = setting("PLANEBOT_REHEARSED", PAIRS);
    let (mut found, mut planned) = (Vec::new(), 0);
    for seed in first..first + count {
        let Some(ended) = rehearsed(&Pair::of(seed)).await else {
            continue;
        };
        planned += 1;
        if let Err(why) = ended {
            found.push(format!(
                "{why}\nagain: PLANEBOT_REHEARSED_FROM={seed} PLANEBOT_REHEARSED=1 cargo test -p scenarios pairs::"
            ));
        }
    }
    record(
        "tests/pairs.rs",
        "random pairs of clouds",
        usize::try_from(count).unwrap(),
    );
    record("tests/pairs.rs", "of these planned and rehearsed", planned);
    assert!(
        planned * 10 >= usize::try_from(count).unwrap() * 8,
        "{planned} of {count} are planned"
    );
    assert!(
        found.is_empty(),
        "{} pairs:\n{}",
        found.len(),
        found.join("\n\n")
    );
}
