//! Faults everywhere, by seed: many small tales with everything that may go wrong, and what must hold after each.
//!
//! `PLANEBOT_SEEDS` says how many, `PLANEBOT_SEED` where they begin. A seed that breaks a promise prints how to play it
//! again.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use simulation::fuzz::{FaultCounts, FuzzReport, run};

/// As many as take a minute or two on two cores, unoptimized; CI plays several hundred, every night 10,000.
const SEEDS: u64 = 60;

/// What came of all the seeds.
#[derive(Default)]
struct Harvest {
    counts: FaultCounts,
    broken: Vec<String>,
}

impl Harvest {
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

fn told(name: &str, otherwise: u64) -> u64 {
    let given = std::env::vars().find(|(known, _)| known == name);
    given.map_or(otherwise, |(_, value)| value.parse().unwrap())
}

#[test]
fn whatever_goes_wrong_every_promise_holds_once_it_stops() {
    let (first, count) = (told("PLANEBOT_SEED", 1), told("PLANEBOT_SEEDS", SEEDS));
    let next = AtomicU64::new(first);
    let harvest = Mutex::new(Harvest::default());
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
                    harvest
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .take(seed, &played);
                }
            });
        }
    });
    let harvest = harvest.into_inner().unwrap_or_else(PoisonError::into_inner);
    println!("{count} seeds from {first}");
    for (what, count) in &harvest.counts {
        println!("{count:>9}  {what}");
    }
    let mut broken = harvest.broken;
    broken.sort();
    assert!(
        broken.is_empty(),
        "{} of {count} seeds broke a promise:\n{}",
        broken.len(),
        broken.join("\n")
    );
}

#[test]
fn the_same_seed_is_the_same_tale_byte_for_byte() {
    for seed in 1..=2 {
        let (once, again) = (run(seed).unwrap(), run(seed).unwrap());
        assert_eq!(once.transcript, again.transcript);
        assert_eq!(once.counts, again.counts);
    }
}
