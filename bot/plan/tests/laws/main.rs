//! Laws of the planner, checked on randomly generated networks.
#![expect(clippy::unwrap_used, reason = "tests report failures by panicking")]

mod applying;
mod equivalence;
mod order;
mod removal;
mod rules;
mod staying;
mod strangers;
mod undoing;

use test_support::pairs::Pair;

/// How many pairs are tried, unless `PLANEBOT_PAIRS` is set.
const PAIRS: u64 = 300;

/// The seeds: all, or the one in `PLANEBOT_SEED`.
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

/// Checks a law for every pair, and shows the first pairs that violate it, shrunk to the fewest mutations.
fn hold(law: &str, fails: impl Fn(&Pair) -> Option<String>) {
    let violation = seeds().filter_map(|seed| {
        let (pair, why) = Pair::of(seed).shrink(&fails)?;
        let again = format!("PLANEBOT_SEED={seed} cargo test -p plan --test laws {law}");
        Some(format!("{}\n{why}\nagain: {again}", pair.describe()))
    });
    let violation: Vec<String> = violation.take(SHOWN).collect();
    assert!(violation.is_empty(), "{}", violation.join("\n\n"));
}
