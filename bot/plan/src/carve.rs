//! The carve phase: interfaces and links of machines, after commissioning.
//!
//! Only for machines in a state in which MAAS allows interface changes, or that will be in one after the teardown gate. For
//! any other machine the same steps are worked out and listed as waiting. Physical interfaces are never created; links are
//! handled as a set per interface. Must not know MAAS's wire format.

mod gateways;
mod interfaces;
mod links;
mod parents;
mod removal;

use std::collections::BTreeSet;

use topology::object::{InterfaceKind, Object};
use topology::observed::NodeKind;
use topology::plane::Machine;

use crate::builder::{PlanBuilder, StepDraft};
use crate::hazards::IN_TRANSITION;
use crate::render;
use crate::step::Phase;
use crate::waiting::{WaitingItem, reason_of};

/// The states in which MAAS allows changes to a machine's interfaces (3.5.9 maasserver/api/interfaces.py:96-102).
pub(crate) const CHANGEABLE: [&str; 5] = ["New", "Ready", "Failed testing", "Allocated", "Broken"];

/// The result of the carve phase besides its steps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Carved {
    /// The machines that have steps.
    pub(crate) machines: BTreeSet<String>,
    /// What is declared and cannot be planned now.
    pub(crate) waits: Vec<WaitingItem>,
}

impl PlanBuilder<'_> {
    /// Plans the carve of every declared machine.
    pub(crate) fn carve(&mut self) -> Carved {
        let mut carved = Carved::default();
        let topology = self.topology;
        let leaving = self.hosts_at_the_gate();
        let mut held: Vec<&Machine> = Vec::new();
        for machine in topology.machines.values() {
            if self.absent(machine, &mut carved.waits) {
                continue;
            }
            let passes_gate = leaving.contains(&machine.host);
            let from = self.steps.len();
            let status = self.status_of(&machine.host);
            if passes_gate || CHANGEABLE.contains(&status) {
                self.carve_machine(machine, passes_gate, &mut carved.waits);
            } else {
                if status == "Deployed" && !self.is_locked(&machine.host) {
                    self.change_tags(machine);
                }
                held.push(machine);
            }
            if self.steps.len() > from {
                carved.machines.insert(machine.host.clone());
            }
        }
        self.list_held(&held, &mut carved.waits);
        carved
    }

    fn status_of(&self, host: &str) -> &str {
        let node = self.observed.nodes.get(host);
        node.map_or("", |node| node.status.as_str())
    }

    fn is_locked(&self, host: &str) -> bool {
        self.observed
            .nodes
            .get(host)
            .is_some_and(|node| node.locked)
    }

    /// Lists a machine that MAAS does not have.
    fn absent(&self, machine: &Machine, waits: &mut Vec<WaitingItem>) -> bool {
        let why = match self.observed.nodes.get(&machine.host).map(|node| node.kind) {
            Some(NodeKind::Machine) => return false,
            Some(NodeKind::Device) => "MAAS has a device of that name, and no machine",
            Some(NodeKind::Controller) => "MAAS has a controller of that name, and no machine",
            None => "MAAS does not have it",
        };
        waits.push(waiting(
            machine,
            format!("machine {}", machine.host),
            "the machine",
            why,
        ));
        true
    }

    /// Works out the steps of machines that MAAS does not let be changed now, and lists them as waiting instead.
    fn list_held(&mut self, held: &[&Machine], waits: &mut Vec<WaitingItem>) {
        if held.is_empty() {
            return;
        }
        let (network, steps, refusals) =
            (self.network.clone(), self.steps.len(), self.refusals.len());
        for machine in held {
            let status = self.status_of(&machine.host).to_owned();
            let in_transition = IN_TRANSITION.contains(&status.as_str());
            let locked = self.is_locked(&machine.host);
            let reason = if locked {
                "an unlock and a release"
            } else {
                reason_of(&status, in_transition)
            };
            let lock = if locked { " and locked" } else { "" };
            let why = format!("{} is {status}{lock}", machine.host);
            self.carve_machine(machine, false, waits);
            for step in self.steps.split_off(steps) {
                let what = render::line_without_reason(&step);
                waits.push(waiting(machine, what, reason, &why));
            }
            for refusal in self.refusals.split_off(refusals) {
                waits.push(waiting(machine, refusal.why, reason, &why));
            }
        }
        self.network = network;
    }

    /// Machines that have to leave a subnet: they are released at the teardown gate.
    fn hosts_at_the_gate(&self) -> BTreeSet<String> {
        self.departures().hosts(self.observed)
    }

    /// Commissioning removes every link, so all declared links are planned for a machine that passes the teardown gate. If a
    /// link exists after all, the check before the write finds it.
    fn carve_machine(
        &mut self,
        machine: &Machine,
        passes_gate: bool,
        waits: &mut Vec<WaitingItem>,
    ) {
        if passes_gate {
            self.assume_commissioning_link(&machine.host);
        }
        for interface in &machine.interfaces {
            self.unlink_undeclared(machine, interface);
        }
        if passes_gate {
            self.network.unlink_host(&machine.host);
        }
        self.remove_interfaces(machine, waits);
        // A new bond or bridge takes the links off its ports, so theirs are made last.
        let ports: BTreeSet<&String> = machine
            .interfaces
            .iter()
            .filter(|it| matches!(it.kind, InterfaceKind::Bond | InterfaceKind::Bridge))
            .flat_map(|it| &it.parents)
            .collect();
        let gateways = self.gateways_of(machine, waits);
        let mut last = Vec::new();
        let (leaving, staying): (Vec<_>, Vec<_>) = machine
            .interfaces
            .iter()
            .partition(|interface| self.leaves_its_bond(machine, interface));
        let (giving, staying): (Vec<_>, Vec<_>) = staying
            .into_iter()
            .partition(|interface| self.gives_ports_away(machine, interface));
        for interface in giving.into_iter().chain(staying).chain(leaving) {
            if !self.carve_interface(machine, interface, waits) {
                continue;
            }
            if ports.contains(&interface.name) {
                last.push(interface);
            } else {
                self.add_links(machine, interface, &gateways, waits);
            }
        }
        for interface in last {
            self.add_links(machine, interface, &gateways, waits);
        }
    }
}

fn waiting(machine: &Machine, what: String, waits_for: &str, why: &str) -> WaitingItem {
    WaitingItem {
        machine: machine.host.clone(),
        what,
        waits_for: waits_for.to_owned(),
        why: why.to_owned(),
    }
}

fn carved(before: Option<Object>, after: Option<Object>, why: &str) -> StepDraft {
    StepDraft {
        phase: Phase::Carve,
        plane: None,
        before,
        after,
        why: why.to_owned(),
    }
}
