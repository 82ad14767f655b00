//! Interfaces of a machine: which are made and which are changed in place. Must not know in which states MAAS allows
//! either.
//!
//! What MAAS does on the way without a word is planned as steps of its own: a new bond or bridge takes the links off its
//! ports, and an interface that changes its VLAN loses its links (seen on 3.5.12 and 3.7.3).

use std::collections::BTreeSet;

use topology::object::{Interface, InterfaceKind, Object, VlanAt};
use topology::plane::{Machine, MachineInterface};

use super::{carved, waiting};
use crate::builder::PlanBuilder;
use crate::waiting::WaitingItem;

impl PlanBuilder<'_> {
    /// Makes the interface, or changes it; false if it cannot be linked.
    pub(super) fn carve_interface(
        &mut self,
        machine: &Machine,
        interface: &MachineInterface,
        waits: &mut Vec<WaitingItem>,
    ) -> bool {
        let what = format!("interface {}:{}", machine.host, interface.name);
        let there = self.network.interface(&machine.host, &interface.name);
        let Some(there) = there.cloned() else {
            return self.make_interface(machine, interface, waits);
        };
        if there.kind != interface.kind {
            let why = format!(
                "it is a {} and declared as a {}, and MAAS changes no interface's type",
                kind_word(there.kind),
                kind_word(interface.kind)
            );
            waits.push(waiting(machine, what, "somebody who removes it", &why));
            return false;
        }
        let ports = self.change_ports(machine, interface, waits);
        self.change_vlan(machine, interface) && ports
    }

    /// Changes the ports of a bond, in place. A new port must be on the bond's VLAN and loses its links.
    fn change_ports(
        &mut self,
        machine: &Machine,
        interface: &MachineInterface,
        waits: &mut Vec<WaitingItem>,
    ) -> bool {
        let Some(there) = self.network.interface(&machine.host, &interface.name) else {
            return false;
        };
        if there.parents == interface.parents {
            return true;
        }
        let there = there.clone();
        let what = format!(
            "interface {}:{} over {}",
            machine.host,
            interface.name,
            listed(&interface.parents)
        );
        if there.kind != InterfaceKind::Bond {
            let why = format!("it is over {}", listed(&there.parents));
            waits.push(waiting(machine, what, "somebody who removes it", &why));
            return false;
        }
        if self.lacks_parent(machine, interface) {
            let why = "a port is missing";
            waits.push(waiting(machine, what, "a NIC", why));
            return false;
        }
        for port in interface.parents.difference(&there.parents) {
            let why = format!("a port of {} has no links", interface.name);
            self.unlink_all(machine, port, &why);
        }
        let after = Interface {
            parents: interface.parents.clone(),
            ..there.clone()
        };
        self.change(there, after, "its declared ports");
        true
    }

    /// Moves the interface to its declared VLAN. A port moves with its bond or bridge.
    fn change_vlan(&mut self, machine: &Machine, interface: &MachineInterface) -> bool {
        let Some(there) = self.network.interface(&machine.host, &interface.name) else {
            return false;
        };
        let Some(at) = interface.vlan.as_ref() else {
            return true;
        };
        if there.vlan.as_ref() == Some(at) || self.moves_with_its_bond(machine, interface, at) {
            return true;
        }
        let there = there.clone();
        if interface.links.is_none() {
            let why = format!("its interface leaves the VLAN for {at}");
            self.unlink_all(machine, &interface.name, &why);
        }
        let after = Interface {
            vlan: Some(at.clone()),
            ..there.clone()
        };
        self.change(there, after, "its declared VLAN; its links are made again");
        true
    }

    /// Whether a declared bond or bridge that is there has this interface as a port, and is declared on the same VLAN.
    fn moves_with_its_bond(
        &self,
        machine: &Machine,
        interface: &MachineInterface,
        at: &VlanAt,
    ) -> bool {
        let carries = |other: &&MachineInterface| {
            let there = self.network.interface(&machine.host, &other.name);
            there.is_some_and(|there| {
                matches!(there.kind, InterfaceKind::Bond | InterfaceKind::Bridge)
                    && there.parents.contains(&interface.name)
            })
        };
        let mut others = machine.interfaces.iter().filter(carries);
        others.any(|other| other.vlan.as_ref() == Some(at))
    }

    fn change(&mut self, before: Interface, after: Interface, why: &str) {
        let (before, after) = (Object::Interface(before), Object::Interface(after));
        self.add_step(carved(Some(before), Some(after), why));
    }

    /// Creates the interface; false if it cannot be created.
    fn make_interface(
        &mut self,
        machine: &Machine,
        interface: &MachineInterface,
        waits: &mut Vec<WaitingItem>,
    ) -> bool {
        let what = format!("interface {}:{}", machine.host, interface.name);
        let cause = match interface.kind {
            InterfaceKind::Physical => Some("the machine has no such NIC"),
            InterfaceKind::Unknown => Some("planebot does not know its type"),
            InterfaceKind::Bond | InterfaceKind::Bridge | InterfaceKind::Vlan
                if self.lacks_parent(machine, interface) =>
            {
                Some("an interface below it is missing")
            }
            InterfaceKind::Bond | InterfaceKind::Bridge | InterfaceKind::Vlan => None,
        };
        if let Some(why) = cause {
            let reason = if interface.kind == InterfaceKind::Unknown {
                "somebody who makes it"
            } else {
                "a NIC"
            };
            waits.push(waiting(machine, what, reason, why));
            return false;
        }
        let joins = matches!(interface.kind, InterfaceKind::Bond | InterfaceKind::Bridge);
        if joins {
            for port in &interface.parents {
                let why = format!("a port of {} has no links", interface.name);
                self.unlink_all(machine, port, &why);
            }
        }
        let below = self.vlan_of_parent(machine, interface);
        let first = if joins {
            below
        } else {
            interface.vlan.clone().or(below)
        };
        let made = Object::Interface(Interface {
            host: machine.host.clone(),
            name: interface.name.clone(),
            kind: interface.kind,
            parents: interface.parents.clone(),
            vlan: first,
        });
        let steps = self.steps.len();
        self.add_step(carved(None, Some(made), "declared"));
        self.steps.len() > steps && self.change_vlan(machine, interface)
    }

    fn lacks_parent(&self, machine: &Machine, interface: &MachineInterface) -> bool {
        let missing = |parent: &String| self.network.interface(&machine.host, parent).is_none();
        interface.parents.is_empty() || interface.parents.iter().any(missing)
    }

    fn vlan_of_parent(&self, machine: &Machine, interface: &MachineInterface) -> Option<VlanAt> {
        let parent = interface.parents.first()?;
        self.network.interface(&machine.host, parent)?.vlan.clone()
    }
}

fn listed(names: &BTreeSet<String>) -> String {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    if names.is_empty() {
        return "nothing".to_owned();
    }
    names.join(", ")
}

fn kind_word(kind: InterfaceKind) -> &'static str {
    match kind {
        InterfaceKind::Physical => "NIC",
        InterfaceKind::Bond => "bond",
        InterfaceKind::Bridge => "bridge",
        InterfaceKind::Vlan => "VLAN interface",
        InterfaceKind::Unknown => "interface of another type",
    }
}
