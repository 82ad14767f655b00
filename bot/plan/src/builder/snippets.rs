//! DHCP snippets: those that MAAS would delete with a subnet or range are removed first and restored unchanged.
//!
//! MAAS silently deletes a snippet together with the row it is attached to: its subnet or one of its ranges (3.5.9
//! `maasserver/models/dhcpsnippet.py`). No release says which range it is, and dhcpd never gets a snippet of a reserved
//! range, so all snippets of a subnet are removed when one of its dynamic ranges is deleted. Must not know a snippet's
//! content.

use topology::object::{Object, RangeKind, Snippet};

use super::draft::{PlanBuilder, StepDraft, is_recreated};
use crate::desired::DesiredSubnet;
use crate::step::Phase;

impl PlanBuilder<'_> {
    /// Removes snippets before the row they are attached to.
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

    /// Why MAAS would delete the snippets of a subnet; `None` if it would not.
    pub(crate) fn drops_snippets(&self, subnet: &DesiredSubnet) -> Option<&'static str> {
        if is_recreated(subnet) {
            return Some("its network is made again; MAAS would drop it in silence");
        }
        let hangs = self.observed.version.attaches_snippets_to_ranges()
            && !self.removed_ranges(subnet, RangeKind::Dynamic).is_empty();
        hangs.then_some("a dynamic range goes; MAAS would drop in silence what hangs on it")
    }

    /// Restores snippets after everything that they may refer to: those that MAAS accepts without a rack on their subnet, or
    /// with one that is already there.
    pub(super) fn make_snippets(&mut self) {
        for subnet in self.desired.subnets.values() {
            if self.may_be_checked(subnet) {
                self.restore_snippets(subnet, Phase::StandUp);
            }
        }
    }

    /// Restores the snippets that need a rack on their subnet first.
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

    /// Whether MAAS can validate a snippet, or does not need to. A rack's address is deleted with its subnet's row, and
    /// comes back with the rack's own report.
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

    /// The removed snippets of a subnet, attached to what it becomes.
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
