//! Interfaces that are declared not to be there. Must not know in which states MAAS allows it.
//!
//! MAAS removes the VLAN interfaces of an interface along with it, and takes it out of its bond (seen on 3.5.12 and 3.7.3).
//! So one is removed only once nothing stands on it.

use topology::object::{Interface, Object};
use topology::plane::Machine;

use super::{carved, waiting};
use crate::builder::PlanBuilder;
use crate::waiting::WaitingItem;

impl PlanBuilder<'_> {
    /// Removes them, those that stand on another first, with their links before them.
    pub(super) fn remove_interfaces(&mut self, machine: &Machine, waits: &mut Vec<WaitingItem>) {
        let mut left: Vec<Interface> = self
            .network
            .interfaces_of(&machine.host)
            .filter(|interface| machine.removed.contains(&interface.name))
            .cloned()
            .collect();
        while !left.is_empty() {
            let (free, carrying): (Vec<_>, Vec<_>) = left
                .into_iter()
                .partition(|it| self.child_of(machine, &it.name).is_none());
            if free.is_empty() {
                for interface in carrying {
                    self.wait_for_child(machine, &interface, waits);
                }
                return;
            }
            for interface in free {
                self.unlink_all(machine, &interface.name, "its interface is removed");
                self.add_step(carved(
                    Some(Object::Interface(interface)),
                    None,
                    "`state: absent`",
                ));
            }
            left = carrying;
        }
    }

    fn wait_for_child(
        &self,
        machine: &Machine,
        interface: &Interface,
        waits: &mut Vec<WaitingItem>,
    ) {
        let child = self.child_of(machine, &interface.name).unwrap_or_default();
        let what = format!("interface {}:{} is removed", machine.host, interface.name);
        let why = format!("it carries {child}");
        waits.push(waiting(machine, what, "somebody who frees it", &why));
    }

    fn child_of(&self, machine: &Machine, name: &str) -> Option<String> {
        let mut all = self.network.interfaces_of(&machine.host);
        let child = all.find(|it| it.parents.contains(name))?;
        Some(child.name.clone())
    }
}
