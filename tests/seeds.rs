//! Deterministic simulation: many small runs, drawn by seed, with every fault that is known, and what must hold after each.
//!
//! `PLANEBOT_SEEDS` says how many, `PLANEBOT_SEED` where they begin. A seed that breaks an invariant prints how to replay
//! it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use test_support::counts::record;

use simulation::fuzz::{FaultCounts, FuzzReport, run};

/// As many as take a minute or two on two cores, unoptimized; CI plays several hundred, every night 10,000.
const SEEDS: u64 = 60;

/// What all the seeds came to.
#[derive(Default)]
struct Results {
    counts: FaultCounts,
    broken: Vec<String>,
}

impl Results {
    fn take(&mut self, seed: u64, played: &FuzzReport) {
        for (what, count) in &played.counts {
            *self.counts.entry(*what).or_default() += count;
        }
        if !played.broken.is_empty() {
            let what = played.broken.join("\n  ");
            self.broken
                .push(format!("planebot lab --replay {seed}\n  {what}"));
        }
    }
}

fn setting(name: &str, otherwise: u64) -> u64 {
    let given = std::env::vars().find(|(known, _)| known == name);
    given.map_or(otherwise, |(_, value)| value.parse().unwrap())
}

#[test]
fn every_invariant_holds_once_the_faults_stop() {
    let (first, count) = (
        setting("PLANEBOT_SEED", 1),
        setting("PLANEBOT_SEEDS", SEEDS),
    );
    let next = AtomicU64::new(first);
    let results = Mutex::new(Results::default());
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::SeqCst);
                    if seed >= first + count {
                        return;
                    }
                    let played = run(seed).unwrap();
                    // At once: thousands of seeds play for an hour, and may be stopped before their end.
                    if !played.broken.is_empty() {
                        println!("broken: planebot lab --replay {seed}");
                    }
                    results
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .take(seed, &played);
                }
            });
        }
    });
    let results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    let played = usize::try_from(count).unwrap();
    record("tests/seeds.rs", "seeds", played);
    for (what, count) in &results.counts {
        record("tests/seeds.rs", what, *count);
    }
    record(
        "tests/seeds.rs",
        "seeds that broke an invariant",
        results.broken.len(),
    );
    let mut broken = results.broken;
    broken.sort();
    assert!(
        broken.is_empty(),
        "{} of {count} seeds broke an invariant:\n{}",
        broken.len(),
        broken.join("\n")
    );
}

#[test]
fn the_same_seed_is_the_same_run_byte_for_byte() {
    for seed in 1..=2 {
        let (once, again) = (run(seed).unwrap(), run(seed).unwrap());
        assert_eq!(once.transcript, again.transcript);
        assert_eq!(once.counts, again.counts);
    }
}
