//! Refusals: why there is no plan.
//!
//! A refusal is a result, not an error: it says what prevents the plan and what would be allowed. Every code has a line in
//! [`RefusalCode::ALL`], which the documentation and the tests use.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The rule that refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RefusalCode {
    /// An undeclared subnet has or overlaps a declared CIDR.
    Occupied,
    /// A subnet with `strategy: recreate` has a BMC's address, so MAAS never deletes it.
    HoldsBmc,
    /// Something would still refer to an address on a subnet that moves away.
    Dangling,
    /// A machine on a VLAN of this plan is between two states.
    InTransition,
    /// Something is left alone but cannot stay, because its subnet moves.
    CannotLeave,
    /// MAAS would refuse a write of this plan, or no order without such a write was found.
    MaasRefuses,
    /// A declared or required rack controller does not exist.
    NoRack,
    /// A VLAN would keep DHCP on without a dynamic range.
    NoRange,
    /// Something that the plan needs was not read from MAAS.
    Unseen,
    /// Subnets would have to swap CIDRs in a cycle in place, or VLANs their VIDs with none free in between.
    Circle,
    /// More subnets would move than the site's policy allows in one change.
    TooMuch,
    /// A VLAN moves to another fabric together with other writes. Plans contain that now; kept to read stored refusals.
    Mixed,
    /// Something that no plane declares would be changed, moved, renamed or taken over.
    Stranger,
    /// This release of MAAS does not have that kind of object.
    NotInThisMaas,
    /// The critic found the plan unsound.
    Unsound,
    /// The rehearsal did not end as planned.
    NotRehearsed,
    /// Another site of this MAAS declares it too.
    Shared,
}

impl RefusalCode {
    /// Every code with its meaning.
    pub const ALL: [(Self, &'static str, &'static str); 17] = [
        (
            Self::Occupied,
            "occupied",
            "an undeclared subnet has or overlaps a declared CIDR",
        ),
        (
            Self::HoldsBmc,
            "holds-bmc",
            "a subnet with `strategy: recreate` has a BMC's address; MAAS always answers 409 to its delete",
        ),
        (
            Self::Dangling,
            "dangling",
            "something would still refer to an address on a subnet that moves away, or be relayed to a VLAN that its subnets leave",
        ),
        (
            Self::InTransition,
            "in-transition",
            "a machine on a VLAN of this plan is between two states",
        ),
        (
            Self::CannotLeave,
            "cannot-leave",
            "something is left alone but cannot stay, because its subnet moves",
        ),
        (
            Self::MaasRefuses,
            "maas-refuses",
            "MAAS would refuse a write of this plan",
        ),
        (
            Self::NoRack,
            "no-rack",
            "a declared or required rack controller does not exist",
        ),
        (
            Self::NoRange,
            "no-range",
            "a VLAN would keep DHCP on without a dynamic range",
        ),
        (
            Self::Unseen,
            "unseen",
            "something that the plan needs was not read from MAAS",
        ),
        (
            Self::Circle,
            "circle",
            "subnets would swap CIDRs in a cycle, which is not possible in place, or VLANs their VIDs while none is free",
        ),
        (
            Self::TooMuch,
            "too-much",
            "more subnets would move or be deleted than the site's policy allows in one change",
        ),
        (
            Self::Mixed,
            "mixed",
            "a VLAN moves to another fabric together with other writes; that needs a separate change",
        ),
        (
            Self::Stranger,
            "stranger",
            "something that no plane declares would be changed, moved, renamed or taken over",
        ),
        (
            Self::NotInThisMaas,
            "not-in-this-maas",
            "this release of MAAS does not have that kind of object",
        ),
        (
            Self::Unsound,
            "unsound",
            "the critic found the plan unsound; this is a bug in planebot",
        ),
        (
            Self::NotRehearsed,
            "not-rehearsed",
            "the rehearsal did not end as planned",
        ),
        (
            Self::Shared,
            "shared",
            "another site of the same MAAS declares the same VLAN, subnet or machine",
        ),
    ];

    /// The code as text.
    pub fn word(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(code, ..)| *code == self)
            .map_or("?", |(_, word, _)| word)
    }
}

/// One reason why there is no plan.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Refusal {
    pub code: RefusalCode,
    /// The plane it concerns, where there is one.
    pub plane: Option<String>,
    /// What prevents the plan, in one sentence.
    pub why: String,
    /// What would be allowed, in one sentence.
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
