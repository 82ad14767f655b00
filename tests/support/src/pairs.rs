//! Random pairs: a cloud as it is, and a cloud as it is declared, each pair made again from one number. Must not know plans.

pub mod cloud;
pub mod rng;
pub mod generate;
pub mod views;
pub mod mutate;

use topology::observed::Observed;
use topology::plane::Topology;

use cloud::Cloud;
use rng::SeededRng;
use mutate::{MUTATIONS, Mutator};

/// Of each line the first that is in the field and the last, and what lies around a change of rules.
pub const VERSIONS: [&str; 12] = [
    "2.9.2", "3.0.1", "3.1.3", "3.2.9", "3.3.5", "3.4.8", "3.5.12", "3.6.0", "3.6.5", "3.7.0",
    "3.7.2", "3.7.3",
];

/// A pair that can be made again.
#[derive(Clone, Debug)]
pub struct Pair {
    pub seed: u64,
    pub before: Cloud,
    pub after: Cloud,
    /// Whether the declaration can say all that turned: the end must be exactly `after`.
    pub exact: bool,
    /// The turns that were made, with their chances.
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

    /// The same cloud with some of the turns only.
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
        self.after.declared(&self.before, &mut SeededRng::of(self.seed))
    }

    /// The declaration of what is there.
    pub fn unchanged(&self) -> Topology {
        self.before.declared(&self.before, &mut SeededRng::of(self.seed))
    }

    /// What turned, in words.
    pub fn describe(&self) -> String {
        let words: Vec<&str> = self
            .mutations
            .iter()
            .map(|(which, _)| MUTATIONS[*which].0)
            .collect();
        format!("MAAS {}: {}", self.before.version, words.join("; "))
    }

    /// The fewest turns with which `fails` still says why, and what it says.
    pub fn shrink(&self, fails: impl Fn(&Self) -> Option<String>) -> Option<(Self, String)> {
        let mut shrink = (self.clone(), fails(self)?);
        loop {
            let fewer = (0..shrink.0.mutations.len()).find_map(|without| {
                let mut mutations = shrink.0.mutations.clone();
                mutations.remove(without);
                let pair = self.with(&mutations);
                let why = fails(&pair).filter(|_| pair.mutations.len() < shrink.0.mutations.len())?;
                Some((pair, why))
            });
            match fewer {
                Some(fewer) => shrink = fewer,
                None => return Some(shrink),
            }
        }
    }
}
