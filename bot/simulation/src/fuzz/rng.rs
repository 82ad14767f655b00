//! Reproducible random numbers: one seed gives the same sequence on every machine. It must not know what is drawn.

/// A random number generator (splitmix64, for which every seed is equally good).
#[derive(Clone, Debug)]
pub(super) struct SeededRng(u64);

impl SeededRng {
    /// One stream of a seed. Each part of a run draws from its own stream, so that a draw in one part does not change the
    /// draws of another.
    pub(super) fn of(seed: u64, stream: u64) -> Self {
        let mut rng = Self(seed);
        let mixed = rng.next();
        Self(mixed ^ stream.wrapping_mul(0xd6e8_feb8_6659_fd93))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number in `0..end`; 0 where `end` is 0.
    pub(super) fn below(&mut self, end: u32) -> u32 {
        let drawn = self.next() % u64::from(end.max(1));
        u32::try_from(drawn).unwrap_or_default()
    }

    /// True with this probability, per mille.
    pub(super) fn chance(&mut self, per_mille: u32) -> bool {
        self.below(1000) < per_mille
    }

    /// One item, all with the same probability; `None` of an empty slice.
    pub(super) fn pick<T: Copy>(&mut self, all: &[T]) -> Option<T> {
        let count = u32::try_from(all.len()).unwrap_or(u32::MAX);
        all.get(usize::try_from(self.below(count)).unwrap_or_default())
            .copied()
    }
}
