//! Who has to leave which subnet before a plan's steps: everybody, or only those whose addresses will lie outside of it.
//!
//! A subnet that shrinks in place keeps what lies in its new CIDR; MAAS leaves the rest with addresses that are on no subnet
//! (seen on 3.5.12 and 3.7.3), so only that has to go. Must not know gates, or how anybody leaves.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use topology::address::Cidr;
use topology::object::{Link, Mode, Object};
use topology::observed::{Holder, NodeKind, Observed, Occupant};

use crate::desired::Desired;
use crate::plan::Plan;
use crate::step::Step;

/// Who has to leave which subnets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Departures {
    /// Subnets that everybody leaves.
    vacated: BTreeSet<Cidr>,
    /// Subnets that shrink in place, with what is left of them.
    shrinking: BTreeMap<Cidr, Cidr>,
}

impl Departures {
    pub(crate) fn new(vacated: BTreeSet<Cidr>, desired: &Desired) -> Self {
        let shrinking = desired
            .subnets
            .values()
            .filter(|subnet| subnet.keeps_content)
            .filter_map(|subnet| Some((subnet.old?, subnet.row.cidr)))
            .filter(|(old, new)| !new.encloses(old) && !vacated.contains(old))
            .collect();
        Self { vacated, shrinking }
    }

    /// Those of a finished plan.
    pub fn of(plan: &Plan) -> Self {
        Self {
            vacated: plan.vacated(),
            shrinking: plan.steps.iter().filter_map(shrinks).collect(),
        }
    }

    /// Every subnet that somebody may have to leave.
    pub fn subnets(&self) -> impl Iterator<Item = Cidr> + '_ {
        self.vacated.iter().chain(self.shrinking.keys()).copied()
    }

    /// Subnets that shrink in place, with what is left of them.
    pub fn shrinking(&self) -> &BTreeMap<Cidr, Cidr> {
        &self.shrinking
    }

    /// Of these subnets, those that shrink in place.
    pub(crate) fn keeping(&self, subnets: &BTreeSet<Cidr>) -> BTreeMap<Cidr, Cidr> {
        let mut keeping = self.shrinking.clone();
        keeping.retain(|old, _| subnets.contains(old));
        keeping
    }

    /// Whether everybody leaves that subnet.
    pub(crate) fn vacates(&self, cidr: &Cidr) -> bool {
        self.vacated.contains(cidr)
    }

    /// Whether a link has to go. An automatic one has no address of its own, and follows.
    pub fn take_link(&self, link: &Link) -> bool {
        let ip = match link.mode {
            Mode::Static(ip) => Some(ip),
            Mode::Auto | Mode::Dhcp | Mode::LinkUp => None,
        };
        self.take(&link.subnet, ip)
    }

    /// Whether an address in use on that subnet, or a link without one, has to go.
    pub fn take(&self, cidr: &Cidr, ip: Option<IpAddr>) -> bool {
        let outside = |new: &Cidr| ip.is_some_and(|ip| !new.contains(ip));
        self.vacated.contains(cidr) || self.shrinking.get(cidr).is_some_and(outside)
    }

    /// The addresses in use that have to go, with their subnets.
    pub(crate) fn occupants<'a>(
        &'a self,
        observed: &'a Observed,
    ) -> impl Iterator<Item = (Cidr, &'a Occupant)> {
        let all = self.subnets().flat_map(|cidr| {
            let known = observed.occupants.get(&cidr).into_iter().flatten();
            known.map(move |occupant| (cidr, occupant))
        });
        all.filter(|(cidr, occupant)| self.take(cidr, occupant.ip))
    }

    /// The nodes other than controllers that have to leave something.
    pub(crate) fn hosts(&self, observed: &Observed) -> BTreeSet<String> {
        let linked = observed
            .links()
            .filter(|link| self.take_link(link))
            .map(|link| link.host.clone());
        // An automatic link shows its address only here.
        let shrinking = self
            .occupants(observed)
            .filter(|(cidr, _)| self.shrinking.contains_key(cidr));
        let addressed = shrinking.filter_map(|(_, occupant)| match &occupant.holder {
            Holder::Node {
                kind: NodeKind::Controller,
                ..
            }
            | Holder::Bmc { .. }
            | Holder::Dns { .. }
            | Holder::User { .. }
            | Holder::Passing
            | Holder::Unknown(_) => None,
            Holder::Node { host, .. } => Some(host.clone()),
        });
        linked.chain(addressed).collect()
    }
}

/// A subnet that a step shrinks in place, with what is left of it.
fn shrinks(step: &Step) -> Option<(Cidr, Cidr)> {
    let before = step.expects.as_ref().and_then(Object::as_subnet)?.cidr;
    let after = step.leaves.as_ref().and_then(Object::as_subnet)?.cidr;
    (before != after && before.encloses(&after) && !step.vacant).then_some((before, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lies_outside_of_a_shrinking_subnet_leaves() {
        let cidr = |text: &str| text.parse::<Cidr>().unwrap();
        let (gone, whole, half) = (
            cidr("10.0.0.0/24"),
            cidr("10.0.1.0/24"),
            cidr("10.0.1.0/25"),
        );
        let departures = Departures {
            vacated: BTreeSet::from([gone]),
            shrinking: BTreeMap::from([(whole, half)]),
        };
        let takes = |cidr: &Cidr, ip: &str| departures.take(cidr, ip.parse().ok());
        assert!(takes(&gone, "10.0.0.9") && takes(&gone, ""));
        assert!(!takes(&whole, "10.0.1.127") && !takes(&whole, ""));
        assert!(takes(&whole, "10.0.1.128"));
        assert!(!takes(&half, "10.0.1.200"));
    }
}
