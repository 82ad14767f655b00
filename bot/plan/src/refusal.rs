//! Why there is no plan.
//!
//! A refusal is a result, not an error: it says what is in the way and what would be allowed. Every code has a line in
//! [`Code::ALL`], which the documents and the tests walk.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Which rule refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RefusalCode {
    /// A subnet that nobody declared holds, or overlaps, a wanted CIDR.
    Occupied,
    /// A subnet that is declared to be made again holds a baseboard controller's address, which MAAS never lets go of.
    HoldsBmc,
    /// Something would still name an address on a network that moves away.
    Dangling,
    /// A node on a touched VLAN is between two states.
    InTransition,
    /// What is left alone cannot be left alone, because its subnet moves.
    CannotLeave,
    /// MAAS would refuse a write of this plan, or an order without such a write was not found.
    MaasRefuses,
    /// A rack controller that was named, or is needed, is not there.
    NoRack,
    /// Something that the plan needs to know was not told by MAAS.
    Unseen,
    /// Subnets would have to change places in a circle in place.
    Circle,
    /// More subnets would go than the site's policy lets one change take.
    TooMuch,
    /// A VLAN goes to another fabric beside other writes.
    Mixed,
    /// The kind of object does not exist in this MAAS.
    NotInThisMaas,
    /// The bot's own critic found the plan unsound.
    Unsound,
    /// The rehearsal did not end as the plan says.
    NotRehearsed,
}

impl RefusalCode {
    /// Every code with its meaning.
    pub const ALL: [(Self, &'static str, &'static str); 14] = [
        (
            Self::Occupied,
            "occupied",
            "a subnet that nobody declared holds or overlaps a wanted CIDR",
        ),
        (
            Self::HoldsBmc,
            "holds-bmc",
            "a subnet that is declared to be made again holds a BMC's address; MAAS answers 409 to its delete, every time",
        ),
        (
            Self::Dangling,
            "dangling",
            "something would still name an address on a network that moves away, or be relayed to a VLAN that its networks leave",
        ),
        (
            Self::InTransition,
            "in-transition",
            "a node on a touched VLAN is between two states",
        ),
        (
            Self::CannotLeave,
            "cannot-leave",
            "what is left alone cannot stay, because its subnet moves",
        ),
        (
            Self::MaasRefuses,
            "maas-refuses",
            "MAAS would refuse a write of this plan",
        ),
        (
            Self::NoRack,
            "no-rack",
            "a rack controller that was named, or is needed, is not there",
        ),
        (
            Self::Unseen,
            "unseen",
            "MAAS did not tell something that the plan needs to know",
        ),
        (
            Self::Circle,
            "circle",
            "subnets would change places in a circle in place",
        ),
        (
            Self::TooMuch,
            "too-much",
            "more subnets would go than the site's policy lets one change take",
        ),
        (
            Self::Mixed,
            "mixed",
            "a VLAN goes to another fabric, which is a change of its own, beside other writes",
        ),
        (
            Self::NotInThisMaas,
            "not-in-this-maas",
            "the kind of object does not exist in this release of MAAS",
        ),
        (
            Self::Unsound,
            "unsound",
            "the critic found the plan unsound; this is a fault of planebot",
        ),
        (
            Self::NotRehearsed,
            "not-rehearsed",
            "the rehearsal did not end as the plan says",
        ),
    ];

    /// The code as people read it.
    pub fn word(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(code, ..)| *code == self)
            .map_or("?", |(_, word, _)| word)
    }
}

/// Why there is no plan, for one thing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Refusal {
    /// Which rule.
    pub code: RefusalCode,
    /// The plane it concerns, where there is one.
    pub plane: Option<String>,
    /// What is in the way, one sentence.
    pub why: String,
    /// What would be allowed, one sentence.
    pub help: String,
}

impl Refusal {
    /// A refusal that concerns no plane.
    pub fn new(code: RefusalCode, why: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            code,
            plane: None,
            why: why.into(),
            help: help.into(),
        }
    }

    /// The same, about `plane`.
    #[must_use]
    pub fn of(mut self, plane: &str) -> Self {
        self.plane = Some(plane.to_owned());
        self
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} {}", self.code.word(), self.why, self.help)
    }
}
