//! Chance that comes again: the same seed throws the same dice, on every machine. It must not know what is drawn.

/// SeededRng of one seed (splitmix64, whose every seed is as good as another).
#[derive(Clone, Debug)]
pub(super) struct SeededRng(u64);

impl SeededRng {
    /// The dice of a seed; each `use` of it has its own, so that one does not change the throws of another.
    pub(super) fn of(seed: u64, part: u64) -> Self {
        let mut dice = Self(seed);
        let mixed = dice.throw();
        Self(mixed ^ part.wrapping_mul(0xd6e8_feb8_6659_fd93))
    }

    fn throw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// One of `0..sides`.
    pub(super) fn below(&mut self, sides: u32) -> u32 {
        let thrown = self.throw() % u64::from(sides.max(1));
        u32::try_from(thrown).unwrap_or_default()
    }

    /// True so many times in a thousand.
    pub(super) fn chance(&mut self, in_a_thousand: u32) -> bool {
        self.below(1000) < in_a_thousand
    }

    /// One of them, all alike.
    pub(super) fn pick<T: Copy>(&mut self, all: &[T]) -> Option<T> {
        let sides = u32::try_from(all.len()).unwrap_or(u32::MAX);
        all.get(usize::try_from(self.below(sides)).unwrap_or_default())
            .copied()
    }
}
