//! Interfaces of a machine: which are made and which are changed in place. Must not know in which states MAAS allows
//! either.
//!
//! What MAAS does on the way without a word is planned as steps of its own: a new bond or bridge takes the links off its
//! ports, and an interface that changes its VLAN loses its links (seen on 3.5.12 and 3.7.3).

use std::collections::BTreeSet;

use topology::object::{Interface, InterfaceKind, InterfaceSettings, Object, VlanAt};
use topology::plane::{Machine, MachineInterface};

use super::{carved, waiting};
use crate::builder::PlanBuilder;
use crate::waiting::WaitingItem;

/// What a VLAN interface waits for that MAAS takes to no VLAN of another fabric.
const OFF_PARENT: &str = "a parent on that fabric";

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
        self.change_settings(machine, interface, waits);
        self.change_vlan(machine, interface, waits) && ports
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
        if let Some(why) = self.port_in_use(machine, interface) {
            waits.push(waiting(machine, what, "somebody who frees it", &why));
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

    /// Sets what is declared, in place: a bond that is made again would take the links off its ports.
    fn change_settings(
        &mut self,
        machine: &Machine,
        interface: &MachineInterface,
        waits: &mut Vec<WaitingItem>,
    ) {
        let there = self.network.interface(&machine.host, &interface.name);
        let Some(there) = there.cloned() else { return };
        let after = Interface {
            settings: interface.settings.applied(&there.settings),
            ..there.clone()
        };
        if after == there {
            return;
        }
        let home = there.vlan.as_ref();
        if let Some(why) = home.and_then(|at| self.off_its_parent(machine, interface, at)) {
            let what = format!("settings of interface {}:{}", machine.host, interface.name);
            waits.push(waiting(machine, what, OFF_PARENT, &why));
            return;
        }
        self.change(there, after, "as declared");
    }

    /// Adds and removes tags one by one, which MAAS accepts on a deployed machine.
    pub(super) fn change_tags(&mut self, machine: &Machine) {
        for interface in &machine.interfaces {
            let Some(tags) = &interface.settings.tags else {
                continue;
            };
            let there = self.network.interface(&machine.host, &interface.name);
            let Some(there) = there.filter(|there| there.kind == interface.kind) else {
                continue;
            };
            let mut now = there.clone();
            let old = now.settings.tags.clone();
            for tag in old.symmetric_difference(tags) {
                let mut after = now.clone();
                if !after.settings.tags.remove(tag) {
                    after.settings.tags.insert(tag.clone());
                }
                self.change(now, after.clone(), "as declared");
                now = after;
            }
        }
    }

    /// Moves the interface to its declared VLAN; false if it cannot go there. A port goes with its bond or bridge.
    fn change_vlan(
        &mut self,
        machine: &Machine,
        interface: &MachineInterface,
        waits: &mut Vec<WaitingItem>,
    ) -> bool {
        let there = self.network.interface(&machine.host, &interface.name);
        let (Some(there), Some(at)) = (there.cloned(), interface.vlan.as_ref()) else {
            return there.is_some();
        };
        if there.vlan.as_ref() == Some(at) {
            return true;
        }
        let Some(carrier) = self.carrier_of(machine, &interface.name) else {
            if let Some(why) = self.off_its_parent(machine, interface, at) {
                let what = format!("interface {}:{} on {at}", machine.host, interface.name);
                waits.push(waiting(machine, what, OFF_PARENT, &why));
                return false;
            }
            self.move_to(machine, (there, interface.links.is_none()), at);
            return true;
        };
        let mut declared = machine.interfaces.iter();
        let declared = declared.find(|other| other.name == carrier.name);
        match declared.map(|other| (&other.vlan, other.links.is_none())) {
            Some((Some(other), _)) if other == at => true,
            Some((None, left_alone)) => {
                self.move_to(machine, (carrier, left_alone), at);
                true
            }
            Some((Some(_), _)) | None => {
                let what = format!("interface {}:{} on {at}", machine.host, interface.name);
                let why = format!("it is a port of {}, and goes where that goes", carrier.name);
                waits.push(waiting(machine, what, "somebody who takes it out", &why));
                false
            }
        }
    }

    /// Moves an interface. MAAS then drops its links: those that the declaration leaves alone are removed by steps of their
    /// own, the others are made again.
    fn move_to(&mut self, machine: &Machine, (there, left_alone): (Interface, bool), at: &VlanAt) {
        if left_alone {
            let why = format!("its interface leaves the VLAN for {at}");
            self.unlink_all(machine, &there.name, &why);
        }
        let after = Interface {
            vlan: Some(at.clone()),
            ..there.clone()
        };
        self.change(there, after, "its declared VLAN; its links are made again");
    }

    /// The bond or bridge that has this interface as a port.
    pub(super) fn carrier_of(&self, machine: &Machine, name: &str) -> Option<Interface> {
        let mut all = self.network.interfaces_of(&machine.host);
        let carrier = all.find(|other| {
            matches!(other.kind, InterfaceKind::Bond | InterfaceKind::Bridge)
                && other.parents.contains(name)
        });
        carrier.cloned()
    }

    /// Whether its bond is declared without it.
    pub(super) fn leaves_its_bond(&self, machine: &Machine, interface: &MachineInterface) -> bool {
        let Some(carrier) = self.carrier_of(machine, &interface.name) else {
            return false;
        };
        let mut all = machine.interfaces.iter();
        all.any(|other| other.name == carrier.name && !other.parents.contains(&interface.name))
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
        if let Some(why) = self.port_in_use(machine, interface) {
            waits.push(waiting(machine, what, "somebody who frees it", &why));
            return false;
        }
        let below = self.vlan_of_parent(machine, interface);
        let declared = interface.vlan.clone().or_else(|| below.clone());
        let off = declared
            .as_ref()
            .and_then(|at| self.off_its_parent(machine, interface, at));
        if let Some(why) = off {
            waits.push(waiting(machine, what, OFF_PARENT, &why));
            return false;
        }
        let joins = matches!(interface.kind, InterfaceKind::Bond | InterfaceKind::Bridge);
        if joins {
            for port in &interface.parents {
                let why = format!("a port of {} has no links", interface.name);
                self.unlink_all(machine, port, &why);
            }
        }
        let first = if joins { below } else { declared };
        let made = Object::Interface(Interface {
            host: machine.host.clone(),
            name: interface.name.clone(),
            kind: interface.kind,
            parents: interface.parents.clone(),
            vlan: first,
            settings: interface.settings.applied(&InterfaceSettings::default()),
        });
        let steps = self.steps.len();
        self.add_step(carved(None, Some(made), "declared"));
        self.steps.len() > steps && self.change_vlan(machine, interface, waits)
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
