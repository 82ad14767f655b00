//! How a subnet changes its CIDR, and why that way.
//!
//! Depends on the declaration, what was observed and the release of MAAS; must not know the order of a plan. What a plane
//! declares has precedence. Otherwise the row is kept wherever that is safe: it keeps the id that Juju uses, its snippets
//! and the routes to it, and the subnet always exists, so no controller's report can recreate the old one.

use topology::address::Cidr;
use topology::observed::{Holder, Observed};
use topology::plane::{Dhcp, Plane, Strategy, Topology};

use crate::pairing::Pairing;

/// A strategy, with its reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChosenStrategy {
    /// How the CIDR changes.
    pub strategy: Strategy,
    pub reason: StrategyReason,
}

/// Why a strategy was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StrategyReason {
    /// The plane declares it.
    Declared,
    /// MAAS answers 409 to every delete of a subnet with a BMC's address (seen on 3.5.12 and 3.7.3).
    Bmcs,
    /// A CIDR is taken over from another subnet, or by another one. When all deletes come before all creates, chains and
    /// cycles need no order.
    CidrReused,
    /// Since 3.7 a PUT of a CIDR does not update dhcpd; creating a subnet does.
    DhcpNotReloaded,
    /// The new CIDR encloses the old one, or lies in it: what is on the subnet stays (seen on 3.5.12 and 3.7.3). So also
    /// where another network takes what it gives up, or leaves what it gets: those wait for it, or it for them.
    Resized,
    /// Nothing prevents keeping the row.
    KeepsRow,
}

impl StrategyReason {
    /// The reason as a plan shows it. It is part of a step's `why`, and so of the digest.
    pub fn words(self) -> &'static str {
        match self {
            Self::Declared => "as declared",
            Self::Bmcs => "since it holds BMC addresses, and MAAS never deletes such a network",
            Self::CidrReused => {
                "since CIDRs change hands here: all deletes come before all creates"
            }
            Self::DhcpNotReloaded => {
                "since dhcpd of this release does not hear of a change in place"
            }
            Self::Resized => "and what is on it stays",
            Self::KeepsRow => "the default where no other network has or wants its CIDRs",
        }
    }
}

impl ChosenStrategy {
    /// Chooses the strategy for the plane's subnet that changes from `old` to `new`.
    pub(crate) fn of(
        plane: &Plane,
        (old, new): (Cidr, Cidr),
        topology: &Topology,
        observed: &Observed,
        pairing: &Pairing,
    ) -> Self {
        if let Some(strategy) = plane.strategy {
            return Self {
                strategy,
                reason: StrategyReason::Declared,
            };
        }
        let (strategy, reason) = if holds_bmc(old, observed) {
            (Strategy::InPlace, StrategyReason::Bmcs)
        } else if is_resized(old, new) {
            (Strategy::InPlace, StrategyReason::Resized)
        } else if is_cidr_reused((old, new), topology, observed, pairing) {
            (Strategy::Recreate, StrategyReason::CidrReused)
        } else if observed.version.needs_dhcp_nudge() && is_served(plane, old, observed) {
            (Strategy::Recreate, StrategyReason::DhcpNotReloaded)
        } else {
            (Strategy::InPlace, StrategyReason::KeepsRow)
        };
        Self { strategy, reason }
    }
}

/// Whether a subnet grows or shrinks around the same addresses.
pub(crate) fn is_resized(old: Cidr, new: Cidr) -> bool {
    old != new && (new.encloses(&old) || old.encloses(&new))
}

fn holds_bmc(old: Cidr, observed: &Observed) -> bool {
    let mut occupants = observed.occupants.get(&old).into_iter().flatten();
    occupants.any(|occupant| matches!(occupant.holder, Holder::Bmc { .. }))
}

/// Whether another subnet has the new CIDR now, or gets the old one.
fn is_cidr_reused(
    (old, new): (Cidr, Cidr),
    topology: &Topology,
    observed: &Observed,
    pairing: &Pairing,
) -> bool {
    let is_there = observed
        .subnets()
        .any(|other| other.cidr != old && other.cidr.overlaps(&new));
    let mut comers = topology
        .planes
        .values()
        .flat_map(|plane| &plane.subnets)
        .map(|subnet| subnet.cidr)
        .filter(|cidr| *cidr != new && pairing.old_of(*cidr) != Some(*cidr));
    is_there || comers.any(|comer| comer.overlaps(&old))
}

/// Whether DHCP is served on the subnet's current VLAN or on its new one.
fn is_served(plane: &Plane, old: Cidr, observed: &Observed) -> bool {
    let home = observed.subnet(&old).map(|subnet| &subnet.vlan);
    let served = [home, Some(&plane.vlan)]
        .into_iter()
        .flatten()
        .filter_map(|at| observed.vlan(at))
        .any(|vlan| vlan.dhcp_on || vlan.relay.is_some());
    served || matches!(plane.dhcp, Some(Dhcp::On { .. } | Dhcp::Relay(_)))
}
