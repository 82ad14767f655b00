//! The budget for requests that create content at GitHub. Pure.
//!
//! GitHub allows 80 such requests a minute and 500 an hour (docs, "Rate limits for the REST API", secondary rate limits; its
//! web pages count too). The limits here are lower, and part of each is reserved for checks and reactions, so that comments
//! never delay them. Edits create nothing. It must not know what is created.

use journal::{Creations, RateTier};
use topology::observed::Timestamp;

/// One of the two limits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    /// The length of the window, in milliseconds.
    pub(crate) window: i64,
    /// A check may be created while fewer than this were created in the window.
    checks: i64,
    /// The same for reactions.
    reactions: i64,
    /// The same for comments and commits. A commit creates three objects, but only its start is checked against the limit.
    comments: i64,
}

pub(crate) const MINUTE: Limit = Limit {
    window: 60_000,
    checks: 60,
    reactions: 52,
    comments: 42,
};

pub(crate) const HOUR: Limit = Limit {
    window: 3_600_000,
    checks: 400,
    reactions: 360,
    comments: 320,
};

impl Limit {
    /// What may still be created after these creations in the window.
    pub(crate) fn tier(self, created: Creations) -> RateTier {
        if created.count < self.comments {
            RateTier::All
        } else if created.count < self.reactions {
            RateTier::NoComments
        } else if created.count < self.checks {
            RateTier::ChecksOnly
        } else {
            RateTier::EditsOnly
        }
    }

    /// When the oldest creation leaves the window; `None` if there was none.
    pub(crate) fn more_at(self, created: Creations) -> Option<Timestamp> {
        created.first.map(|first| Timestamp(first.0 + self.window))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_stop_before_reactions_those_before_checks_and_all_before_githubs_limit() {
        for (limit, githubs) in [(MINUTE, 80), (HOUR, 500)] {
            let tiers: Vec<RateTier> = (0..=githubs)
                .map(|count| limit.tier(Creations { count, first: None }))
                .collect();
            assert!(tiers.is_sorted(), "{limit:?}");
            for tier in [
                RateTier::All,
                RateTier::NoComments,
                RateTier::ChecksOnly,
                RateTier::EditsOnly,
            ] {
                let count = tiers.iter().filter(|it| **it == tier).count();
                assert!(count > 3, "{tier:?}: {count}");
            }
            let last = tiers.iter().position(|tier| *tier == RateTier::EditsOnly);
            let githubs = usize::try_from(githubs).unwrap();
            assert!(last.is_some_and(|last| last < githubs));
        }
    }
}
