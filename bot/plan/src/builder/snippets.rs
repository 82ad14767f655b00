//! DHCP snippets: those that MAAS would drop with a network or a range are taken off before, and hung up again as they were.
//!
//! MAAS drops a snippet without a word when the row it hangs on goes, its subnet or one of its ranges (3.5.9
//! `maasserver/models/dhcpsnippet.py`). On which range it hangs no release tells, and no dhcpd is given what hangs on a
//! reserved one, so every snippet of a subnet is taken off when a dynamic range of it goes. Must not know what a snippet says.

use topology::object::{Object, RangeKind, Snippet};

use super::draft::{PlanBuilder, StepDraft, is_recreated};
use crate::desired::DesiredSubnet;
use crate::step::Phase;

impl PlanBuilder<'_> {
    /// Before what they hang on.
    pub(super) fn remove_snippets(&mut self) {
        for subnet in self.desired.subnets.values() {
            let Some(old) = subnet.old else { continue };
            let Some(why) = self.drops_snippets(subnet) else {
                continue;
            };
            let removed: Vec<Snippet> = self.network.snippets_of(old).cloned().collect();
            for snippet in removed {
                self.add_step(StepDraft {
                    phase: Phase::Delete,
                    plane: Some(subnet.plane.clone()),
                    before: Some(Object::Snippet(snippet)),
                    after: None,
                    why: why.to_owned(),
                });
            }
        }
    }

    /// Why MAAS would drop the snippets of a subnet, if it would.
    pub(crate) fn drops_snippets(&self, subnet: &DesiredSubnet) -> Option<&'static str> {
        if is_recreated(subnet) {
            return Some("its network is made again; MAAS would drop it in silence");
        }
        let hangs = self.observed.version.attaches_snippets_to_ranges()
            && !self.removed_ranges(subnet, RangeKind::Dynamic).is_empty();
        hangs.then_some("a dynamic range goes; MAAS would drop in silence what hangs on it")
    }

    /// After everything that they may speak of; those that MAAS takes without a rack on their network, or with the one there.
    pub(super) fn make_snippets(&mut self) {
        for subnet in self.desired.subnets.values() {
            if self.may_be_checked(subnet) {
                self.restore_snippets(subnet, Phase::StandUp);
            }
        }
    }

    /// Those for which a rack must be on their network again.
    pub(super) fn make_waiting_snippets(&mut self) {
        for subnet in self.desired.subnets.values() {
            self.restore_snippets(subnet, Phase::Restore);
        }
    }

    fn restore_snippets(&mut self, subnet: &DesiredSubnet, phase: Phase) {
        for snippet in self.snippets_off(subnet) {
            self.add_step(StepDraft {
                phase,
                plane: Some(subnet.plane.clone()),
                before: None,
                after: Some(Object::Snippet(snippet)),
                why: "as it was; MAAS's history of it begins anew".to_owned(),
            });
        }
    }

    /// Whether MAAS finds a rack to check a snippet with, or asks none: a rack's address goes with the row of its
    /// subnet, and comes back with its own report.
    fn may_be_checked(&self, subnet: &DesiredSubnet) -> bool {
        let version = &self.observed.version;
        if !version.checks_snippets_on_a_rack() {
            return true;
        }
        let is_rack = |host: &str| {
            let node = self.observed.nodes.get(host);
            node.is_some_and(|node| node.is_rack)
        };
        let stays = subnet.old.filter(|_| !is_recreated(subnet));
        let attended = self
            .observed
            .links()
            .any(|link| Some(link.subnet) == stays && is_rack(&link.host));
        let relayed = self
            .network
            .vlan(&subnet.row.vlan)
            .and_then(|vlan| self.network.vlan(vlan.relay.as_ref()?))
            .is_some_and(|target| target.primary_rack.is_some());
        attended || (relayed && version.checks_snippets_on_a_relay())
    }

    /// Snippets of a subnet that were taken off, as they hang on what it becomes.
    fn snippets_off(&self, subnet: &DesiredSubnet) -> Vec<Snippet> {
        let there = |snippet: &Snippet| {
            self.network
                .get(&Object::Snippet(snippet.clone()).key())
                .is_some()
        };
        self.observed
            .snippets()
            .filter(|snippet| Some(snippet.subnet) == subnet.old)
            .map(|snippet| Snippet {
                subnet: subnet.row.cidr,
                ..snippet.clone()
            })
            .filter(|snippet| !there(snippet))
            .collect()
    }
}
