//! Exponential backoff with jitter. Pure.
//!
//! The delay doubles with each attempt up to a maximum. The jitter spreads out retries of work that failed at the same time.
//! It must not know what failed.

use sha2::{Digest as _, Sha256};

use topology::observed::Timestamp;

/// The first and the longest delay before jitter, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    pub(crate) first: i64,
    pub(crate) longest: i64,
}

impl Backoff {
    /// When to retry after a failure that `attempts` failures preceded. The jitter depends only on the name and the count.
    pub(crate) fn after(self, now: Timestamp, name: &str, attempts: i64) -> Timestamp {
        let doubled = self
            .first
            .saturating_mul(1_i64 << attempts.clamp(0, 32))
            .min(self.longest);
        Timestamp(now.0 + doubled + jitter(name, attempts, doubled / 4))
    }
}

/// From 0 to `max`, in milliseconds.
fn jitter(name: &str, attempts: i64, max: i64) -> i64 {
    let hash = Sha256::digest(format!("{name}/{attempts}").as_bytes());
    let number = u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]);
    i64::from(number).rem_euclid(max + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_doubles_up_to_the_longest_and_differs_between_names() {
        let backoff = Backoff {
            first: 1_000,
            longest: 300_000,
        };
        let delay = |name: &str, attempts| backoff.after(Timestamp(7), name, attempts).0 - 7;
        for (attempts, least) in [
            (0, 1_000),
            (1, 2_000),
            (5, 32_000),
            (9, 300_000),
            (99, 300_000),
        ] {
            let delay = delay("a", attempts);
            assert!(
                (least..=least + least / 4).contains(&delay),
                "{attempts}: {delay}"
            );
        }
        assert_eq!(delay("a", 5), delay("a", 5));
        let all: std::collections::BTreeSet<i64> = ('a'..='z')
            .map(|name| delay(&name.to_string(), 9))
            .collect();
        assert!(all.len() > 20, "{all:?}");
    }
}
