//! The planner's random pairs of clouds, played in the lab: what the laws hold against rules of their own, the lab's MAAS
//! holds against its, which are held to recordings of real ones.

use execution::rehearse::{RehearsalInput, rehearse};
use plan::plan::{Plan, PlanPolicy};
use test_support::counts::record;

use test_support::pairs::Pair;
use topology::plane::Topology;

/// Pairs that are rehearsed, unless `PLANEBOT_REHEARSED` says how many; `PLANEBOT_REHEARSED_FROM` says where they begin.
const PAIRS: u64 = 60;

fn setting(name: &str, otherwise: u64) -> u64 {
    let given = std::env::var_os(name);
    given.map_or(otherwise, |text| {
        text.into_string().unwrap().parse().unwrap()
    })
}

/// Whether the rehearsal of a pair ends as planned, or why not; none where the plan is refused.
async fn rehearsed(pair: &Pair, topology: Topology) -> Option<Result<(), String>> {
    let observed = pair.observed();
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

/// What went wrong, and how to see it again.
fn again(seed: u64, ended: Result<(), String>) -> Option<String> {
    let why = ended.err()?;
    Some(format!(
        "{why}\nagain: PLANEBOT_REHEARSED_FROM={seed} PLANEBOT_REHEARSED=1 cargo test -p scenarios pairs::"
    ))
}

#[tokio::test]
async fn removals_from_random_clouds_are_rehearsed_to_zero_drift() {
    let first = setting("PLANEBOT_REHEARSED_FROM", 0);
    let count = setting("PLANEBOT_REHEARSED", PAIRS);
    let (mut found, mut planned) = (Vec::new(), 0);
    for seed in first..first + count {
        let pair = Pair::of(seed);
        if let Some(ended) = rehearsed(&pair, pair.removing()).await {
            planned += 1;
            found.extend(again(seed, ended));
        }
    }
    record("tests/pairs.rs", "removals planned and rehearsed", planned);
    assert!(
        found.is_empty(),
        "{} pairs:\n{}",
        found.len(),
        found.join("\n\n")
    );
    assert!(planned > 0 || count < PAIRS, "none of {count} is planned");
}

#[tokio::test]
async fn plans_between_random_clouds_are_rehearsed_to_zero_drift() {
    let first = setting("PLANEBOT_REHEARSED_FROM", 0);
    let count = setting("PLANEBOT_REHEARSED", PAIRS);
    let (mut found, mut planned) = (Vec::new(), 0);
    for seed in first..first + count {
        let pair = Pair::of(seed);
        let Some(ended) = rehearsed(&pair, pair.topology()).await else {
            continue;
        };
        planned += 1;
        found.extend(again(seed, ended));
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
