//! What an interface may stand on: which ports MAAS takes for a bond or bridge, and which VLANs for a VLAN interface. Must
//! not know how interfaces are made or changed.
//!
//! MAAS refuses both with 400 (seen on 3.5.12 and 3.7.3): `Interfaces already in-use` and `A VLAN interface can only belong
//! to a tagged VLAN on the same fabric as its parent interface`.

use topology::object::{Interface, InterfaceKind, VlanAt};
use topology::plane::{Machine, MachineInterface};

use crate::builder::PlanBuilder;

impl PlanBuilder<'_> {
    /// Why MAAS takes none of the interface's new ports: `eth1 carries eth1.20`. VLAN interfaces of a port stand in a bond's
    /// way, and not in a bridge's.
    pub(super) fn port_in_use(
        &self,
        machine: &Machine,
        interface: &MachineInterface,
    ) -> Option<String> {
        let is_bond = match interface.kind {
            InterfaceKind::Bond => true,
            InterfaceKind::Bridge => false,
            InterfaceKind::Physical | InterfaceKind::Vlan | InterfaceKind::Unknown => return None,
        };
        let in_the_way = |child: &&Interface, port: &String| {
            child.name != interface.name
                && child.parents.contains(port)
                && (is_bond || child.kind != InterfaceKind::Vlan)
        };
        interface.parents.iter().find_map(|port| {
            let mut all = self.network.interfaces_of(&machine.host);
            let child = all.find(|child| in_the_way(child, port))?;
            Some(format!("{port} carries {}", child.name))
        })
    }

    /// Why MAAS takes no VLAN interface to that VLAN: its parent is on another fabric, or the VLAN has no tag.
    pub(super) fn off_its_parent(
        &self,
        machine: &Machine,
        interface: &MachineInterface,
        at: &VlanAt,
    ) -> Option<String> {
        if interface.kind != InterfaceKind::Vlan {
            return None;
        }
        if at.vid == 0 {
            return Some("a VLAN interface needs a tagged VLAN".to_owned());
        }
        let parent = interface.parents.first()?;
        let below = self.network.interface(&machine.host, parent)?;
        let home = below.vlan.as_ref().map(|vlan| vlan.fabric.as_str());
        (home != Some(&at.fabric)).then(|| match home {
            Some(home) => format!("its parent {parent} is on fabric {home}"),
            None => format!("its parent {parent} is on no VLAN"),
        })
    }

    /// Whether the interface is a bond in MAAS that gives a port away: another may only take it afterwards.
    pub(super) fn gives_ports_away(&self, machine: &Machine, interface: &MachineInterface) -> bool {
        self.network
            .interface(&machine.host, &interface.name)
            .is_some_and(|there| !there.parents.is_subset(&interface.parents))
    }
}
