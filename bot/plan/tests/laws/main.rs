//! Laws of the planner, over clouds that nobody drew by hand.
#![expect(clippy::unwrap_used, reason = "tests say what went wrong by stopping")]

mod applying;
mod order;
mod rules;
mod equivalence;
mod undoing;

use test_support::pairs::Pair;

/// Pairs that are tried, unless `PLANEBOT_PAIRS` says how many.
const PAIRS: u64 = 300;

/// The seeds: all, or the one that `PLANEBOT_SEED` says.
fn seeds() -> std::ops::Range<u64> {
    let number = |name| -> Option<u64> {
        std::env::var_os(name).map(|text| text.into_string().unwrap().parse().unwrap())
    };
    match number("PLANEBOT_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("PLANEBOT_PAIRS").unwrap_or(PAIRS),
    }
}

/// How many failures are shown.
const SHOWN: usize = 5;

/// Holds a law for every pair, or shows the first pairs that break it, with as few turns as do.
fn hold(law: &str, fails: impl Fn(&Pair) -> Option<String>) {
    let violation = seeds().filter_map(|seed| {
        let (pair, why) = Pair::of(seed).shrink(&fails)?;
        let again = format!("PLANEBOT_SEED={seed} cargo test -p plan --test laws {law}");
        Some(format!("{}\n{why}\nagain: {again}", pair.describe()))
    });
    let violation: Vec<String> = violation.take(SHOWN).collect();
    assert!(violation.is_empty(), "{}", violation.join("\n\n"));
}
