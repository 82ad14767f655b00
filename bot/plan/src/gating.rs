//! Determines the gates of a plan, and the evidence that opens them.
//!
//! Uses the steps and the addresses in use on vacated subnets; must not know how evidence is read or how a gate is shown.

mod detached;
mod teardown;

use std::collections::{BTreeMap, BTreeSet};

use topology::address::Cidr;
use topology::object::{Object, Snippet};
use topology::observed::{Holder, NodeKind};

use crate::builder::PlanBuilder;
use crate::gate::{Gate, GateEvidence, GateName};
use crate::jumphost::{self, JumphostPosition};
use crate::refusal::{Refusal, RefusalCode};
use crate::render::quoted;
use crate::step::Phase;

impl PlanBuilder<'_> {
    /// The gates, in the order of the run. `carved`: machines with carve steps.
    pub(crate) fn gates(&mut self, carved: &BTreeSet<String>) -> Vec<Gate> {
        let gates = [
            self.teardown(carved),
            self.vacate(),
            self.jumphost(),
            self.rack(),
        ];
        gates.into_iter().flatten().collect()
    }

    fn vacate(&self) -> Option<Gate> {
        let before = self.vacate_before?;
        let departures = self.departures();
        let (mut subnets, mut held) = (BTreeSet::new(), BTreeSet::new());
        for (cidr, occupant) in departures.occupants(self.observed) {
            if let (
                Holder::Node {
                    host,
                    kind: NodeKind::Controller,
                    interface,
                },
                ip,
            ) = (&occupant.holder, occupant.ip)
            {
                subnets.insert(cidr);
                let interface = interface.as_deref().unwrap_or("its interface");
                let prefix = cidr.prefix();
                held.extend(ip.map(|ip| match departures.shrinking().get(&cidr) {
                    None => format!("{host}: remove {ip}/{prefix} from {interface}; do not give it another address yet"),
                    Some(new) => format!("{host}: remove {ip}/{prefix} from {interface}, or replace it by an address in {new} with the prefix length {prefix}"),
                }));
            }
        }
        let detached = self.detached_by(true);
        held.extend(detached.iter().map(|(it, at)| {
            format!("{}: remove {} on its host: vlan {at} is removed, and its next report would bring it back", it.host, it.name)
        }));
        let mut evidence = Vec::new();
        if !subnets.is_empty() {
            evidence.push(GateEvidence::Vacant {
                keeping: departures.keeping(&subnets),
                subnets: subnets.clone(),
                controllers: true,
            });
        }
        evidence.extend(detached::evidence(&detached));
        Some(Gate {
            name: GateName::Vacate,
            before: Some(before),
            why: if subnets.is_empty() {
                "a MAAS controller has an interface on a VLAN that is removed: its next report would bring the VLAN back".to_owned()
            } else {
                format!(
                    "a MAAS controller still has an address on {}: its next report would recreate the old subnet, or move a new one to the wrong VLAN",
                    words(&subnets)
                )
            },
            evidence,
            runbook: None,
            values: BTreeMap::from([
                ("subnets".to_owned(), lines(subnets.iter())),
                ("addresses".to_owned(), lines(held.iter())),
            ]),
            tasks: held.into_iter().collect(),
        })
    }

    fn jumphost(&mut self) -> Option<Gate> {
        let positions: Vec<JumphostPosition<'_>> = self
            .topology
            .jumphost
            .iter()
            .map(|declared| JumphostPosition {
                declared,
                old: self.pairing.old_of(declared.cidr),
                newly_served: self.newly_served(declared.address),
            })
            .collect();
        let changes = match jumphost::changes(&positions) {
            Ok(changes) if changes.is_empty() => return None,
            Ok(changes) => changes,
            Err(refusal) => {
                self.refusals.push(refusal);
                return None;
            }
        };
        let follows = self.steps.iter().find(|step| step.phase.follows());
        Some(Gate {
            name: GateName::Jumphost,
            before: follows.map(|step| step.id),
            why: "the jumphost has addresses on subnets that move: change them in this order"
                .to_owned(),
            evidence: vec![jumphost::evidence(&changes)],
            runbook: None,
            values: BTreeMap::from([(
                "commands".to_owned(),
                jumphost::commands(&changes).join("\n"),
            )]),
            tasks: jumphost::tasks(&changes),
        })
    }

    /// If the release validates snippets on a rack, a rack must first get an address on the new subnet. Without any rack
    /// controller that is impossible.
    fn rack(&mut self) -> Option<Gate> {
        let waiting: Vec<&Snippet> = self
            .steps
            .iter()
            .filter(|step| step.phase == Phase::Restore)
            .filter_map(|step| step.leaves.as_ref()?.as_snippet())
            .collect();
        let before = self.steps.iter().find(|step| step.phase == Phase::Restore);
        let subnets: BTreeSet<Cidr> = waiting.iter().map(|snippet| snippet.subnet).collect();
        let named = waiting
            .iter()
            .map(|snippet| format!("{} of {}", quoted(&snippet.name), snippet.subnet));
        let before = before?.id;
        if !self.observed.nodes.values().any(|node| node.is_rack) {
            self.refusals.push(Refusal::new(
                RefusalCode::NoRack,
                format!(
                    "MAAS {} needs a rack controller to validate the DHCP snippets of {} when they are restored, but there is none.",
                    self.observed.version,
                    words(&subnets)
                ),
                "Use `strategy: in-place`, or remove its DHCP snippets first.",
            ));
            return None;
        }
        Some(Gate {
            name: GateName::Rack,
            before: Some(before),
            why: format!(
                "MAAS {} needs a rack controller with an address on {} to validate the DHCP snippets that are restored there",
                self.observed.version,
                words(&subnets)
            ),
            evidence: vec![GateEvidence::Attended {
                subnets: subnets.clone(),
            }],
            runbook: None,
            values: BTreeMap::from([
                ("subnets".to_owned(), lines(subnets.iter())),
                ("snippets".to_owned(), lines(named)),
            ]),
            tasks: subnets
                .iter()
                .map(|cidr| format!("give a rack controller an address on {cidr}, then wait until it has reported"))
                .collect(),
        })
    }

    /// Whether a step makes MAAS announce `ip` as a gateway or resolver where it did not before.
    fn newly_served(&self, ip: std::net::IpAddr) -> bool {
        let serves = |object: Option<&Object>| {
            object
                .and_then(Object::as_subnet)
                .is_some_and(|subnet| subnet.gateway == Some(ip) || subnet.dns.contains(&ip))
        };
        self.steps
            .iter()
            .any(|step| serves(step.leaves.as_ref()) && !serves(step.expects.as_ref()))
    }
}

fn words(subnets: &BTreeSet<Cidr>) -> String {
    let mut words: Vec<String> = subnets.iter().map(ToString::to_string).collect();
    match words.pop() {
        None => String::new(),
        Some(last) if words.is_empty() => last,
        Some(last) => format!("{} and {last}", words.join(", ")),
    }
}

fn lines<T: ToString>(items: impl Iterator<Item = T>) -> String {
    items
        .map(|item| item.to_string())
        .collect::<Vec<_>>()
        .join("\n")
}
