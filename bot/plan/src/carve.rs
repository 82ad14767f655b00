//! The carve phase: interfaces and links of machines, after commissioning.
//!
//! Only for machines in a state in which MAAS allows interface changes, or that will be in one after the teardown gate.
//! Physical interfaces are never created; links are handled as a set per interface. What cannot be carved is reported, not
//! planned. Must not know MAAS's wire format.

use std::collections::BTreeSet;

use topology::address::Cidr;
use topology::object::{Interface, InterfaceKind, Key, Link, Mode, Object, Subnet, VlanAt};
use topology::observed::NodeKind;
use topology::plane::{Machine, MachineInterface};

use crate::builder::{PlanBuilder, StepDraft};
use crate::step::Phase;

/// The states in which MAAS allows changes to a machine's interfaces (3.5.9 maasserver/api/interfaces.py:96-102).
pub(crate) const CHANGEABLE: [&str; 5] = ["New", "Ready", "Failed testing", "Allocated", "Broken"];

/// The result of the carve phase besides its steps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Carved {
    /// The machines that have steps.
    pub(crate) machines: BTreeSet<String>,
    /// What was not planned and why, one line each.
    pub(crate) notes: Vec<String>,
}

impl PlanBuilder<'_> {
    /// Plans the carve of every declared machine.
    pub(crate) fn carve(&mut self) -> Carved {
        let mut carved = Carved::default();
        let machines: Vec<&Machine> = self.topology.machines.values().collect();
        let leaving = self.hosts_at_the_gate();
        for machine in machines {
            let from = self.steps.len();
            let node = self.observed.nodes.get(&machine.host);
            let Some(node) = node.filter(|node| node.kind == NodeKind::Machine) else {
                carved.notes.push(format!(
                    "machine `{}` is declared, but MAAS does not have it",
                    machine.host
                ));
                continue;
            };
            let status = node.status.clone();
            let ready = CHANGEABLE.contains(&status.as_str()) || leaving.contains(&machine.host);
            if !ready && self.would_change(machine) {
                carved.notes.push(format!(
                    "machine `{}` is {status}: its interfaces can be changed only after it is commissioned again",
                    machine.host
                ));
                continue;
            }
            self.carve_machine(machine, leaving.contains(&machine.host), &mut carved.notes);
            if self.steps.len() > from {
                carved.machines.insert(machine.host.clone());
            }
        }
        carved
    }

    /// Machines with links on vacated subnets: they are released at the teardown gate.
    fn hosts_at_the_gate(&self) -> BTreeSet<String> {
        let vacated = self.vacated();
        self.observed
            .links()
            .filter(|link| vacated.contains(&link.subnet))
            .map(|link| link.host.clone())
            .collect()
    }

    fn would_change(&self, machine: &Machine) -> bool {
        machine.interfaces.iter().any(|interface| {
            let there = self.network.interface(&machine.host, &interface.name);
            let made = there.is_none() && interface.kind != InterfaceKind::Physical;
            let links = there.is_some()
                && interface.links.as_ref().is_some_and(|links| {
                    self.links_of(machine, interface) != desired_links(machine, interface, links)
                });
            made || links
        })
    }

    /// Commissioning removes every link, so all declared links are planned for a machine that passes the teardown gate. If a
    /// link exists after all, the check before the write finds it.
    fn carve_machine(&mut self, machine: &Machine, passes_gate: bool, notes: &mut Vec<String>) {
        if passes_gate {
            self.assume_commissioning_link(&machine.host);
        }
        for interface in &machine.interfaces {
            self.unlink_undeclared(machine, interface);
        }
        if passes_gate {
            self.network.unlink_host(&machine.host);
        }
        for interface in &machine.interfaces {
            if !self.make_interface(machine, interface, notes) {
                continue;
            }
            let Some(links) = &interface.links else {
                continue;
            };
            let there = self.links_of(machine, interface);
            for link in desired_links(machine, interface, links) {
                if !there.contains(&link) {
                    self.add_step(carved(None, Some(Object::Link(link_of(link))), "declared"));
                }
            }
        }
    }

    /// Commissioning leaves one AUTO link on the boot interface, on a subnet of its VLAN (seen on 3.5.12 and 3.7.3). It is
    /// added to the model, so that it is removed if it is not declared. If it does not exist, the check before the write
    /// finds that.
    fn assume_commissioning_link(&mut self, host: &str) {
        let node = self.observed.nodes.get(host);
        let boot = node
            .and_then(|node| self.network.interface(host, node.boot.as_deref()?))
            .cloned();
        let Some(boot) = boot else { return };
        let on_its_vlan = |subnet: &&Subnet| Some(&subnet.vlan) == boot.vlan.as_ref();
        let subnets: Vec<Cidr> = self
            .network
            .subnets()
            .filter(on_its_vlan)
            .map(|subnet| subnet.cidr)
            .filter(|cidr| !cidr.is_v6())
            .collect();
        for subnet in subnets {
            self.network.link(Link {
                host: host.to_owned(),
                interface: boot.name.clone(),
                subnet,
                mode: Mode::Auto,
            });
        }
    }

    fn unlink_undeclared(&mut self, machine: &Machine, interface: &MachineInterface) {
        let Some(links) = &interface.links else {
            return;
        };
        let desired = desired_links(machine, interface, links);
        for link in self.links_of(machine, interface) {
            if !desired.contains(&link) {
                self.add_step(carved(
                    Some(Object::Link(link_of(link))),
                    None,
                    "not declared for this interface",
                ));
            }
        }
    }

    /// Creates the interface unless it exists; false if it cannot be created.
    fn make_interface(
        &mut self,
        machine: &Machine,
        interface: &MachineInterface,
        notes: &mut Vec<String>,
    ) -> bool {
        let place = format!("{}:{}", machine.host, interface.name);
        if let Some(there) = self.network.interface(&machine.host, &interface.name) {
            let same = there.kind == interface.kind
                && there.parents == interface.parents
                && (interface.vlan.is_none() || there.vlan == interface.vlan);
            if !same {
                notes.push(format!("interface `{place}` exists but differs from the declaration; planebot does not rebuild it"));
            }
            return same || there.vlan == interface.vlan;
        }
        match interface.kind {
            InterfaceKind::Physical | InterfaceKind::Unknown => {
                notes.push(format!(
                    "interface `{place}` is declared, but the machine has no such NIC"
                ));
                return false;
            }
            InterfaceKind::Bond | InterfaceKind::Bridge | InterfaceKind::Vlan => {}
        }
        let missing = interface
            .parents
            .iter()
            .any(|parent| self.network.interface(&machine.host, parent).is_none());
        if missing || interface.parents.is_empty() {
            notes.push(format!(
                "interface `{place}` cannot be created: a parent is missing"
            ));
            return false;
        }
        let object = Object::Interface(Interface {
            host: machine.host.clone(),
            name: interface.name.clone(),
            kind: interface.kind,
            parents: interface.parents.clone(),
            vlan: interface
                .vlan
                .clone()
                .or_else(|| self.vlan_of_parent(machine, interface)),
        });
        let steps = self.steps.len();
        self.add_step(carved(None, Some(object), "declared"));
        self.steps.len() > steps
    }

    fn vlan_of_parent(&self, machine: &Machine, interface: &MachineInterface) -> Option<VlanAt> {
        let parent = interface.parents.first()?;
        self.network.interface(&machine.host, parent)?.vlan.clone()
    }

    fn links_of(&self, machine: &Machine, interface: &MachineInterface) -> BTreeSet<Key> {
        self.network
            .links_of(&machine.host, &interface.name)
            .map(|link| Object::Link(link.clone()).key())
            .collect()
    }
}

fn desired_links(
    machine: &Machine,
    interface: &MachineInterface,
    links: &[(topology::Cidr, topology::object::Mode)],
) -> BTreeSet<Key> {
    links
        .iter()
        .map(|(subnet, mode)| {
            Key::Link(machine.host.clone(), interface.name.clone(), *subnet, *mode)
        })
        .collect()
}

fn link_of(key: Key) -> Link {
    let Key::Link(host, interface, subnet, mode) = key else {
        unreachable!("only keys of links are collected here");
    };
    Link {
        host,
        interface,
        subnet,
        mode,
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
