//! When something that failed is tried again: pure.
//!
//! The pause doubles with each attempt up to a most, and is a little longer for some than for others, so that what failed
//! together is not tried together. It must not know what failed.

use sha2::{Digest as _, Sha256};
use topology::observed::Timestamp;

/// The first pause, and the longest, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    pub(crate) first: i64,
    pub(crate) longest: i64,
}

impl Backoff {
    /// When to try again what failed `attempts` times before this one. The same for the same name and count.
    pub(crate) fn after(self, now: Timestamp, name: &str, attempts: i64) -> Timestamp {
        let doubled = self
            .first
            .saturating_mul(1_i64 << attempts.clamp(0, 32))
            .min(self.longest);
        Timestamp(now.0 + doubled + jitter(name, attempts, doubled / 4))
    }
}

/// From 0 to `most`.
fn jitter(name: &str, attempts: i64, most: i64) -> i64 {
    let hash = Sha256::digest(format!("{name}/{attempts}").as_bytes());
    let drawn = u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]);
    i64::from(drawn).rem_euclid(most + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_doubles_up_to_the_longest_and_differs_from_name_to_name() {
        let pauses = Backoff {
            first: 1_000,
            longest: 300_000,
        };
        let pause = |name: &str, attempts| pauses.after(Timestamp(7), name, attempts).0 - 7;
        for (attempts, least) in [
            (0, 1_000),
            (1, 2_000),
            (5, 32_000),
            (9, 300_000),
            (99, 300_000),
        ] {
            let pause = pause("a", attempts);
            assert!(
                (least..=least + least / 4).contains(&pause),
                "{attempts}: {pause}"
            );
        }
        assert_eq!(pause("a", 5), pause("a", 5));
        let all: std::collections::BTreeSet<i64> = ('a'..='z')
            .map(|name| pause(&name.to_string(), 9))
            .collect();
        assert!(all.len() > 20, "{all:?}");
    }
}
