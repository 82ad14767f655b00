//! Random pairs: a cloud as it is, and a cloud as it is declared, each pair made again from one number. Must not know plans.

pub(crate) mod cloud;
pub(crate) mod dice;
pub(crate) mod drawing;
pub(crate) mod saying;
pub(crate) mod turning;

use topology::observed::Observed;
use topology::plane::Topology;

use cloud::Cloud;
use dice::Dice;
use turning::{TURNS, Turning};

/// Of each line the first that is in the field and the last, and what lies around a change of rules.
pub(crate) const VERSIONS: [&str; 12] = [
    "2.9.2", "3.0.1", "3.1.3", "3.2.9", "3.3.5", "3.4.8", "3.5.12", "3.6.0", "3.6.5", "3.7.0",
    "3.7.2", "3.7.3",
];

/// A pair that can be made again.
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    pub(crate) seed: u64,
    pub(crate) before: Cloud,
    pub(crate) after: Cloud,
    /// Whether the declaration can say all that turned: the end must be exactly `after`.
    pub(crate) exact: bool,
    /// The turns that were made, with their chances.
    pub(crate) turns: Vec<(usize, u64)>,
}

impl Pair {
    pub(crate) fn of(seed: u64) -> Self {
        let mut dice = Dice::of(seed);
        let version = VERSIONS[dice.below(VERSIONS.len())];
        let before = drawing::cloud(&mut dice, version);
        let wild = dice.chance(10);
        let mut turning = Turning::of(&before, wild);
        let mut turns = Vec::new();
        for _ in 0..=dice.below(8) {
            let (which, chances) = (
                dice.below(TURNS.len()),
                seed ^ u64::try_from(dice.below(1 << 30)).unwrap(),
            );
            if turning.turn(which, chances) {
                turns.push((which, chances));
            }
        }
        Self {
            seed,
            before,
            after: turning.cloud,
            exact: !wild,
            turns,
        }
    }

    /// The same cloud with some of the turns only.
    pub(crate) fn with(&self, turns: &[(usize, u64)]) -> Self {
        let mut turning = Turning::of(&self.before, !self.exact);
        let made = turns
            .iter()
            .filter(|(which, chances)| turning.turn(*which, *chances));
        Self {
            turns: made.copied().collect(),
            after: turning.cloud,
            ..self.clone()
        }
    }

    pub(crate) fn observed(&self) -> Observed {
        self.before.observed()
    }

    pub(crate) fn topology(&self) -> Topology {
        self.after.declared(&self.before, &mut Dice::of(self.seed))
    }

    /// The declaration of what is there.
    pub(crate) fn as_it_is(&self) -> Topology {
        self.before.declared(&self.before, &mut Dice::of(self.seed))
    }

    /// What turned, in words.
    pub(crate) fn told(&self) -> String {
        let words: Vec<&str> = self
            .turns
            .iter()
            .map(|(which, _)| TURNS[*which].0)
            .collect();
        format!("MAAS {}: {}", self.before.version, words.join("; "))
    }

    /// The fewest turns with which `fails` still says why, and what it says.
    pub(crate) fn least(&self, fails: impl Fn(&Self) -> Option<String>) -> Option<(Self, String)> {
        let mut least = (self.clone(), fails(self)?);
        loop {
            let fewer = (0..least.0.turns.len()).find_map(|without| {
                let mut turns = least.0.turns.clone();
                turns.remove(without);
                let pair = self.with(&turns);
                let why = fails(&pair).filter(|_| pair.turns.len() < least.0.turns.len())?;
                Some((pair, why))
            });
            match fewer {
                Some(fewer) => least = fewer,
                None => return Some(least),
            }
        }
    }
}
