//! What GitHub lets be made, and how much of it is left: pure.
//!
//! GitHub takes 80 requests that make something in a minute and 500 in an hour (docs, "Rate limits for the REST API",
//! secondary rate limits; its web pages count too). Fewer are made here, and of those some are kept for checks and
//! reactions, so that words never stand in their way. Edits make nothing. It must not know what is made.

use journal::{Made, Room};
use topology::observed::Timestamp;

/// One of the two limits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limit {
    /// How far back it looks, in milliseconds.
    pub(super) window: i64,
    /// How much may be made in that time.
    most: i64,
    /// How much of it is kept for checks and reactions.
    kept: i64,
}

pub(super) const MINUTE: Limit = Limit {
    window: 60_000,
    most: 60,
    kept: 15,
};

pub(super) const HOUR: Limit = Limit {
    window: 3_600_000,
    most: 400,
    kept: 80,
};

/// A commit makes a tree, itself, and moves its branch.
const LARGEST: i64 = 3;

impl Limit {
    /// The room that is left, where so much was made in the window.
    pub(super) fn room(self, made: Made) -> Room {
        let left = self.most - made.count;
        if left < 1 {
            Room::Edits
        } else if left < self.kept + LARGEST {
            Room::NoWords
        } else {
            Room::All
        }
    }

    /// When there is more room than now, if anything was made.
    pub(super) fn more_at(self, made: Made) -> Option<Timestamp> {
        made.first.map(|first| Timestamp(first.0 + self.window))
    }
}

/// The smaller of two rooms.
pub(super) fn narrower(one: Room, other: Room) -> Room {
    match (one, other) {
        (Room::Edits, _) | (_, Room::Edits) => Room::Edits,
        (Room::NoWords, _) | (_, Room::NoWords) => Room::NoWords,
        (Room::All, Room::All) => Room::All,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stop_before_checks_do_and_nothing_passes_githubs_limits() {
        for (limit, githubs) in [(MINUTE, 80), (HOUR, 500)] {
            let rooms: Vec<Room> = (0..=githubs)
                .map(|count| limit.room(Made { count, first: None }))
                .collect();
            let words = rooms.iter().filter(|room| **room == Room::All).count();
            let anything = rooms.iter().filter(|room| **room != Room::Edits).count();
            // The last of them may be a commit.
            assert!(words + 2 < anything, "{limit:?}");
            assert_eq!(i64::try_from(anything), Ok(limit.most));
            assert!(limit.most < githubs);
            assert!(rooms.is_sorted_by_key(|room| match room {
                Room::All => 0,
                Room::NoWords => 1,
                Room::Edits => 2,
            }));
        }
        assert_eq!(narrower(Room::All, Room::NoWords), Room::NoWords);
        assert_eq!(narrower(Room::Edits, Room::NoWords), Room::Edits);
    }
}
