//! Random pairs of an observed and a declared network, reproducible from a seed. Must not know plans.

pub mod cloud;
pub mod generate;
pub mod mutate;
pub mod removal;
pub mod rng;
pub mod views;

use topology::observed::Observed;
use topology::plane::Topology;

use cloud::Cloud;
use mutate::{MUTATIONS, Mutator};
use rng::SeededRng;

/// Of each release line the first and the last version in use, and the versions around a change of rules.
pub const VERSIONS: [&str; 12] = [
    "2.9.2", "3.0.1", "3.1.3", "3.2.9", "3.3.5", "3.4.8", "3.5.12", "3.6.0", "3.6.5", "3.7.0",
    "3.7.2", "3.7.3",
];

/// A reproducible pair.
#[derive(Clone, Debug)]
pub struct Pair {
    pub seed: u64,
    pub before: Cloud,
    pub after: Cloud,
    /// Whether the declaration can express every mutation, so that the result must be exactly `after`.
    pub exact: bool,
    /// The mutations that were made, with their seeds.
    pub mutations: Vec<(usize, u64)>,
}

impl Pair {
    pub fn of(seed: u64) -> Self {
        let mut rng = SeededRng::of(seed);
        let version = VERSIONS[rng.below(VERSIONS.len())];
        let before = generate::cloud(&mut rng, version);
        let wild = rng.chance(10);
        let mut mutator = Mutator::of(&before, wild);
        let mut mutations = Vec::new();
        for _ in 0..=rng.below(8) {
            let (which, seed) = (
                rng.below(MUTATIONS.len()),
                seed ^ u64::try_from(rng.below(1 << 30)).unwrap(),
            );
            if mutator.mutate(which, seed) {
                mutations.push((which, seed));
            }
        }
        Self {
            seed,
            before,
            after: mutator.cloud,
            exact: !wild,
            mutations,
        }
    }

    /// The same pair with only some of the mutations.
    #[must_use]
    pub fn with(&self, mutations: &[(usize, u64)]) -> Self {
        let mut mutator = Mutator::of(&self.before, !self.exact);
        let made = mutations
            .iter()
            .filter(|(which, seed)| mutator.mutate(*which, *seed));
        Self {
            mutations: made.copied().collect(),
            after: mutator.cloud,
            ..self.clone()
        }
    }

    pub fn observed(&self) -> Observed {
        self.before.observed()
    }

    pub fn topology(&self) -> Topology {
        self.after
            .declared(&self.before, &mut SeededRng::of(self.seed))
    }

    /// The declaration of the observed network.
    pub fn unchanged(&self) -> Topology {
        self.before
            .declared(&self.before, &mut SeededRng::of(self.seed))
    }

    /// Describes the mutations.
    pub fn describe(&self) -> String {
        let words: Vec<&str> = self
            .mutations
            .iter()
            .map(|(which, _)| MUTATIONS[*which].0)
            .collect();
        format!("MAAS {}: {}", self.before.version, words.join("; "))
    }

    /// Shrinks to the fewest mutations with which `fails` still fails. Returns its reason too.
    pub fn shrink(&self, fails: impl Fn(&Self) -> Option<String>) -> Option<(Self, String)> {
        let mut shrink = (self.clone(), fails(self)?);
        loop {
            let fewer = (0..shrink.0.mutations.len()).find_map(|without| {
                let mut mutations = shrink.0.mutations.clone();
                mutations.remove(without);
                let pair = self.with(&mutations);
                let why =
                    fails(&pair).filter(|_| pair.mutations.len() < shrink.0.mutations.len())?;
                Some((pair, why))
            });
            match fewer {
                Some(fewer) => shrink = fewer,
                None => return Some(shrink),
            }
        }
    }
}
