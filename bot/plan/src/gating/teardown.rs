//! The teardown gate: who besides controllers has to leave a subnet, one by one, and why.
//!
//! Where a subnet is recreated or renumbered that is everybody on it; where it shrinks in place, only whose address will lie
//! outside. Must not know how evidence is read.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use topology::address::Cidr;
use topology::object::Mode;
use topology::observed::{Holder, NodeKind};

use super::{detached, lines, words};
use crate::builder::PlanBuilder;
use crate::carve::CHANGEABLE;
use crate::departures::Departures;
use crate::gate::{Gate, GateEvidence, GateName};

/// Who is at the gate.
#[derive(Default)]
struct Inhabitants {
    /// The subnets that somebody has to leave.
    subnets: BTreeSet<Cidr>,
    /// The hosts on subnets that everybody leaves.
    machines: BTreeSet<String>,
    /// The addresses of hosts that will lie outside of a subnet that shrinks, with their interfaces.
    cut_off: BTreeMap<String, BTreeMap<IpAddr, String>>,
}

impl PlanBuilder<'_> {
    pub(super) fn teardown(&self, carved: &BTreeSet<String>) -> Option<Gate> {
        let departures = self.departures();
        let Inhabitants {
            subnets,
            machines,
            cut_off,
        } = self.inhabitants(&departures);
        let first = self.steps.first()?.id;
        let detached = self.detached_by(false);
        if subnets.is_empty() && detached.is_empty() {
            return None;
        }
        let changeable: BTreeSet<String> = carved
            .iter()
            .filter(|host| machines.contains(*host) || cut_off.contains_key(*host))
            .cloned()
            .collect();
        let mut evidence = Vec::new();
        if !subnets.is_empty() {
            evidence.push(GateEvidence::Vacant {
                subnets: subnets.clone(),
                controllers: false,
                keeping: departures.keeping(&subnets),
            });
        }
        let real: BTreeSet<String> = machines
            .into_iter()
            .filter(|host| self.is_machine(host))
            .collect();
        if !real.is_empty() {
            evidence.push(GateEvidence::NoJujuModel);
        }
        if !changeable.is_empty() {
            evidence.push(GateEvidence::Changeable {
                machines: changeable,
            });
        }
        evidence.extend(detached::evidence(&detached));
        let cut_off: BTreeMap<_, _> = cut_off
            .into_iter()
            .filter(|(host, _)| self.is_machine(host))
            .collect();
        let everything: BTreeSet<Cidr> = subnets
            .iter()
            .filter(|cidr| departures.vacates(cidr))
            .copied()
            .collect();
        let mut tasks = self.tasks_to_leave(&everything, &real, &cut_off);
        tasks.extend(detached::tasks(&detached));
        let released: BTreeSet<&String> = real.iter().chain(cut_off.keys()).collect();
        Some(Gate {
            name: GateName::Teardown,
            before: Some(first),
            why: if subnets.is_empty() {
                detached::WHY.to_owned()
            } else {
                self.why_to_leave(&departures, &subnets)
            },
            evidence,
            runbook: None,
            values: BTreeMap::from([
                ("subnets".to_owned(), lines(subnets.iter())),
                ("machines".to_owned(), lines(released.into_iter())),
            ]),
            tasks,
        })
    }

    /// What people do, in order: `real` machines leave `everything`, those `cut_off` only some addresses.
    fn tasks_to_leave(
        &self,
        everything: &BTreeSet<Cidr>,
        real: &BTreeSet<String>,
        cut_off: &BTreeMap<String, BTreeMap<IpAddr, String>>,
    ) -> Vec<String> {
        let mut tasks: Vec<String> = Vec::new();
        if !real.is_empty() {
            tasks.push("destroy the Juju models that use the machines listed here".to_owned());
        }
        tasks.extend(real.iter().map(|host| {
            format!(
                "release {host}, then remove its links on {}",
                words(everything)
            )
        }));
        tasks.extend(
            cut_off
                .iter()
                .map(|(host, addresses)| self.cut_off_task(host, addresses)),
        );
        tasks.extend(self.occupant_tasks());
        tasks
    }

    /// One sentence, which says `deleted` only of a subnet that is deleted.
    fn why_to_leave(&self, departures: &Departures, subnets: &BTreeSet<Cidr>) -> String {
        let (vacated, shrinking): (BTreeSet<Cidr>, BTreeSet<Cidr>) =
            subnets.iter().partition(|cidr| departures.vacates(cidr));
        let (deleted, stay): (BTreeSet<Cidr>, BTreeSet<Cidr>) =
            vacated.into_iter().partition(|cidr| self.deletes(cidr));
        let mut parts = Vec::new();
        if !deleted.is_empty() {
            parts.push(format!(
                "machines or addresses use {}, and their links are deleted with the subnet",
                words(&deleted)
            ));
        }
        let (moved, stay): (BTreeSet<Cidr>, BTreeSet<Cidr>) = stay.into_iter().partition(|cidr| {
            self.becomes(cidr)
                .is_some_and(|subnet| subnet.row.cidr == *cidr)
        });
        if !moved.is_empty() {
            parts.push(format!(
                "{} goes to another VLAN, and the next report of a controller would move it, or another network, back",
                words(&moved)
            ));
        }
        if !stay.is_empty() {
            parts.push(format!(
                "machines or addresses use {}, and would keep addresses that are not on the subnet any more",
                words(&stay)
            ));
        }
        let left: Vec<String> = departures
            .keeping(&shrinking)
            .iter()
            .map(|(old, new)| format!("{old} becomes {new}, and the addresses listed here lie outside of it: only they have to leave"))
            .collect();
        parts.extend(left);
        parts.join("; ")
    }

    /// Whether a step deletes the row of that subnet.
    fn deletes(&self, cidr: &Cidr) -> bool {
        self.steps
            .iter()
            .filter(|step| step.leaves.is_none())
            .filter_map(|step| step.expects.as_ref()?.as_subnet())
            .any(|subnet| subnet.cidr == *cidr)
    }

    /// What becomes of the addresses of one machine that lie outside of a subnet that shrinks.
    fn cut_off_task(&self, host: &str, addresses: &BTreeMap<IpAddr, String>) -> String {
        let named: Vec<String> = addresses
            .iter()
            .map(|(ip, interface)| format!("{ip} ({interface})"))
            .collect();
        let named = named.join(", ");
        let status = self.observed.nodes.get(host).map(|node| &*node.status);
        if status.is_some_and(|status| CHANGEABLE.contains(&status)) {
            format!("remove {named} from {host}")
        } else {
            format!(
                "release {host} (take it out of its Juju model first), then remove {named} from it"
            )
        }
    }

    /// Who has to leave, except controllers.
    fn inhabitants(&self, departures: &Departures) -> Inhabitants {
        let mut found = Inhabitants::default();
        for link in self.observed.links() {
            let kind = self.observed.nodes.get(&link.host).map(|node| node.kind);
            if !departures.take_link(link) || kind == Some(NodeKind::Controller) {
                continue;
            }
            found.subnets.insert(link.subnet);
            match link.mode {
                Mode::Static(ip) if !departures.vacates(&link.subnet) => {
                    let own = found.cut_off.entry(link.host.clone()).or_default();
                    own.insert(ip, link.interface.clone());
                }
                Mode::Static(_) | Mode::Auto | Mode::Dhcp | Mode::LinkUp => {
                    found.machines.insert(link.host.clone());
                }
            }
        }
        for (cidr, occupant) in departures.occupants(self.observed) {
            match (&occupant.holder, occupant.ip) {
                (
                    Holder::Node {
                        kind: NodeKind::Controller,
                        ..
                    }
                    | Holder::Passing
                    | Holder::Bmc { .. },
                    _,
                ) => continue,
                (
                    Holder::Node {
                        host, interface, ..
                    },
                    Some(ip),
                ) if !departures.vacates(&cidr) => {
                    let own = found.cut_off.entry(host.clone()).or_default();
                    let interface = interface.clone();
                    own.entry(ip)
                        .or_insert_with(|| interface.unwrap_or_else(|| "an interface".to_owned()));
                }
                (Holder::Node { host, .. }, _) => {
                    found.machines.insert(host.clone());
                }
                (Holder::Dns { .. } | Holder::User { .. } | Holder::Unknown(_), _) => {}
            }
            found.subnets.insert(cidr);
        }
        found
    }

    fn is_machine(&self, host: &str) -> bool {
        self.observed
            .nodes
            .get(host)
            .is_none_or(|node| node.kind == NodeKind::Machine)
    }
}
