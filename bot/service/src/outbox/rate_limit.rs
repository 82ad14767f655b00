//! What GitHub lets be made, and how much of it is left: pure.
//!
//! GitHub takes 80 requests that make something in a minute and 500 in an hour (docs, "Rate limits for the REST API",
//! secondary rate limits; its web pages count too). Fewer are made here, and of those some are kept for checks and
//! reactions, so that words never stand in their way. Edits make nothing. It must not know what is made.

use journal::{Creations, RateTier};
use topology::observed::Timestamp;

/// One of the two limits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    /// How far back it looks, in milliseconds.
    pub(crate) window: i64,
    /// How much may have been made in that time for a check to be made.
    checks: i64,
    /// The same for a reaction.
    reactions: i64,
    /// The same for words. A commit counts for three, and only its beginning is asked for.
    words: i64,
}

pub(crate) const MINUTE: Limit = Limit {
    window: 60_000,
    checks: 60,
    reactions: 52,
    words: 42,
};

pub(crate) const HOUR: Limit = Limit {
    window: 3_600_000,
    checks: 400,
    reactions: 360,
    words: 320,
};

impl Limit {
    /// The room that is left, where so much was made in the window.
    pub(crate) fn tier(self, made: Creations) -> RateTier {
        if made.count < self.words {
            RateTier::All
        } else if made.count < self.reactions {
            RateTier::NoComments
        } else if made.count < self.checks {
            RateTier::ChecksOnly
        } else {
            RateTier::EditsOnly
        }
    }

    /// When there is more room than now, if anything was made.
    pub(crate) fn more_at(self, made: Creations) -> Option<Timestamp> {
        made.first.map(|first| Timestamp(first.0 + self.window))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stop_before_reactions_those_before_checks_and_all_before_githubs_own_limit() {
        for (limit, githubs) in [(MINUTE, 80), (HOUR, 500)] {
            let rooms: Vec<RateTier> = (0..=githubs)
                .map(|count| limit.tier(Creations { count, first: None }))
                .collect();
            assert!(rooms.is_sorted(), "{limit:?}");
            for room in [
                RateTier::All,
                RateTier::NoComments,
                RateTier::ChecksOnly,
                RateTier::EditsOnly,
            ] {
                let of_it = rooms.iter().filter(|it| **it == room).count();
                assert!(of_it > 3, "{room:?}: {of_it}");
            }
            let last = rooms.iter().position(|room| *room == RateTier::EditsOnly);
            let githubs = usize::try_from(githubs).unwrap();
            assert!(last.is_some_and(|last| last < githubs));
        }
    }
}
