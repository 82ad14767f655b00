//! Default gateways: which links of a machine are chosen, and which choice a plan would lose.
//!
//! MAAS keeps the choice with the row of the link: it is gone when the link, its subnet's row or its interface's VLAN goes,
//! and MAAS then picks another without a word (seen on 3.5.12 and 3.7.3). Must not know how a link is made.

use std::collections::BTreeSet;

use topology::address::Cidr;
use topology::object::{Key, Link, Object};
use topology::plane::Machine;

use super::{carved, waiting};
use crate::builder::PlanBuilder;
use crate::departures::Departures;
use crate::render::quoted;
use crate::waiting::WaitingItem;

impl PlanBuilder<'_> {
    /// The links of a machine that are its default gateways: as declared, else as chosen before, where a declared link takes
    /// the place of the chosen one.
    pub(super) fn gateways_of(
        &self,
        machine: &Machine,
        waits: &mut Vec<WaitingItem>,
    ) -> BTreeSet<Key> {
        let key = |interface: &str, (subnet, mode)| {
            Key::Link(machine.host.clone(), interface.to_owned(), subnet, mode)
        };
        let mut gateways = BTreeSet::new();
        let mut families = BTreeSet::new();
        for interface in &machine.interfaces {
            for (subnet, mode) in &interface.gateways {
                families.insert(subnet.is_v6());
                if !self.has_gateway(*subnet) {
                    let what = format!("default gateway of {} on {subnet}", machine.host);
                    let why = "the subnet has none";
                    waits.push(waiting(machine, what, "a gateway of the subnet", why));
                    continue;
                }
                gateways.insert(key(&interface.name, (*subnet, *mode)));
            }
        }
        for chosen in self.chosen().filter(|link| link.host == machine.host) {
            let now = self.now_of(chosen.subnet);
            let mut interfaces = machine.interfaces.iter();
            let interface = interfaces.find(|it| it.name == chosen.interface);
            let mut links = interface
                .and_then(|it| it.links.as_ref())
                .into_iter()
                .flatten();
            let same = links.find(|(subnet, _)| *subnet == now && self.has_gateway(now));
            if let Some(link) = same.filter(|_| !families.contains(&chosen.subnet.is_v6())) {
                gateways.insert(key(&chosen.interface, *link));
            }
        }
        gateways
    }

    fn has_gateway(&self, cidr: Cidr) -> bool {
        let subnet = self.network.subnet(&cidr);
        subnet.is_some_and(|subnet| subnet.gateway.is_some())
    }

    /// Chooses a link that is there.
    pub(super) fn choose(&mut self, key: &Key) {
        let Some(Object::Link(there)) = self.object(key) else {
            return;
        };
        let after = Link {
            default_gateway: true,
            ..there.clone()
        };
        let (there, after) = (Object::Link(there), Object::Link(after));
        self.add_step(carved(
            Some(there),
            Some(after),
            "the machine's default gateway",
        ));
    }

    /// The choices that go with this plan and that no step restores, one line each. `departures`: the links that people take
    /// off at the gate.
    pub(crate) fn lost_gateways(&self, departures: &Departures) -> Vec<String> {
        let restored = |lost: &Link| {
            let made = self
                .steps
                .iter()
                .filter_map(|step| step.leaves.as_ref()?.as_link());
            made.filter(|link| link.default_gateway && link.host == lost.host)
                .any(|link| link.subnet.is_v6() == lost.subnet.is_v6())
        };
        let stays = |link: &Link| {
            let key = Key::Link(
                link.host.clone(),
                link.interface.clone(),
                self.now_of(link.subnet),
                link.mode,
            );
            let now = self.object(&key);
            !departures.take_link(link)
                && now.is_some_and(|now| now.as_link().is_some_and(|link| link.default_gateway))
        };
        self.chosen()
            .filter(|link| !stays(link) && !restored(link))
            .map(|link| {
                format!(
                    "the default gateway of {} was chosen ({} on {}); the choice goes with that link, and MAAS then picks one itself: choose it again afterwards",
                    quoted(&link.host),
                    quoted(&link.interface),
                    link.subnet
                )
            })
            .collect()
    }

    fn chosen(&self) -> impl Iterator<Item = &Link> {
        self.observed.links().filter(|link| link.default_gateway)
    }

    /// The CIDR that an observed subnet has after the plan.
    fn now_of(&self, old: Cidr) -> Cidr {
        self.becomes(&old).map_or(old, |subnet| subnet.row.cidr)
    }
}
