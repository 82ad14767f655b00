//! Which way a network takes to its new CIDR, and why that one.
//!
//! Knows the declaration, what is there and the release of MAAS; must not know the order of a plan. What a plane declares
//! wins. Otherwise the row is kept wherever every release takes that without harm, because it keeps the id that Juju knows,
//! its snippets and the routes to it, and there is no moment in which the network does not exist, in which a controller's
//! report would bring the old one back.

use topology::address::Cidr;
use topology::observed::{Holder, Observed};
use topology::plane::{Dhcp, Plane, Strategy, Topology};

use crate::pairing::Pairing;

/// A strategy with the reason for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChosenStrategy {
    /// How the CIDR changes.
    pub strategy: Strategy,
    /// Why this way.
    pub reason: StrategyReason,
}

/// Why a network takes the one way and not the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StrategyReason {
    /// The plane says so.
    Declared,
    /// MAAS answers 409 to every delete of a subnet that holds a BMC's address (seen on 3.5.12 and 3.7.3).
    Bmcs,
    /// A CIDR is taken over from another network, or taken over by one: chains and circles need no order when every delete
    /// comes before every create.
    CidrReused,
    /// From 3.7 on dhcpd does not hear of a CIDR that is PUT; it hears of a subnet that is made.
    DhcpNotReloaded,
    /// Nothing speaks against keeping the row.
    KeepsRow,
}

impl StrategyReason {
    /// The reason in the words of a plan.
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
            Self::KeepsRow => "the default where no other network has or wants its CIDRs",
        }
    }
}

impl ChosenStrategy {
    /// Of the plane's network that has the CIDR `old` and shall have `new`.
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
        } else if changes_hands((old, new), topology, observed, pairing) {
            (Strategy::Recreate, StrategyReason::CidrReused)
        } else if observed.version.needs_dhcp_nudge() && is_served(plane, old, observed) {
            (Strategy::Recreate, StrategyReason::DhcpNotReloaded)
        } else {
            (Strategy::InPlace, StrategyReason::KeepsRow)
        };
        Self { strategy, reason }
    }
}

fn holds_bmc(old: Cidr, observed: &Observed) -> bool {
    let mut occupants = observed.occupants.get(&old).into_iter().flatten();
    occupants.any(|occupant| matches!(occupant.holder, Holder::Bmc { .. }))
}

/// Whether another network is where this one goes, or comes to where this one was.
fn changes_hands(
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

/// Whether a dhcpd answers on the VLAN that the network is on, or on the one that it comes to.
fn is_served(plane: &Plane, old: Cidr, observed: &Observed) -> bool {
    let home = observed.subnet(&old).map(|subnet| &subnet.vlan);
    let served = [home, Some(&plane.vlan)]
        .into_iter()
        .flatten()
        .filter_map(|at| observed.vlan(at))
        .any(|vlan| vlan.dhcp_on || vlan.relay.is_some());
    served || matches!(plane.dhcp, Some(Dhcp::On { .. } | Dhcp::Relay(_)))
}
