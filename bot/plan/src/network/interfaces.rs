//! What else changes when an interface changes: its links, and its ports. Must not know which writes MAAS refuses.

use topology::object::{Interface, InterfaceKind, Key, Link, Object};

use super::NetworkModel;

impl NetworkModel {
    /// The interfaces of one node.
    pub fn interfaces_of<'a>(&'a self, host: &'a str) -> impl Iterator<Item = &'a Interface> {
        let from = Key::Interface(host.to_owned(), String::new());
        self.objects
            .range(from..)
            .map_while(move |(_, object)| object.as_interface().filter(|it| it.host == host))
    }

    /// An interface that changes its VLAN loses its links. A bond or bridge takes its ports along (seen on 3.5.12 and 3.7.3).
    pub(super) fn change_interface(&mut self, before: &Interface, after: &Interface) {
        if before.vlan != after.vlan {
            self.unlink_interface(&before.host, &before.name);
        }
        self.join_ports(after, false);
    }

    /// The ports of a bond or bridge are on its VLAN. A port that moves there loses its links, and a new bond or bridge takes
    /// the links off all its ports.
    pub(super) fn join_ports(&mut self, interface: &Interface, is_new: bool) {
        if !matches!(interface.kind, InterfaceKind::Bond | InterfaceKind::Bridge) {
            return;
        }
        for port in &interface.parents {
            let key = Key::Interface(interface.host.clone(), port.clone());
            let Some(Object::Interface(row)) = self.objects.get_mut(&key) else {
                continue;
            };
            let moves = row.vlan != interface.vlan && interface.vlan.is_some();
            if moves {
                row.vlan.clone_from(&interface.vlan);
            }
            if moves || is_new {
                self.unlink_interface(&interface.host, port);
            }
        }
    }

    /// A machine has one default gateway of each family: the link that was chosen last.
    pub(super) fn choose_gateway(&mut self, chosen: &Link) {
        if !chosen.default_gateway {
            return;
        }
        for object in self.objects.values_mut() {
            if let Object::Link(link) = object
                && link.host == chosen.host
                && link.subnet.is_v6() == chosen.subnet.is_v6()
            {
                link.default_gateway = false;
            }
        }
    }

    fn unlink_interface(&mut self, host: &str, name: &str) {
        self.objects.retain(|_, object| {
            object
                .as_link()
                .is_none_or(|link| link.host != host || link.interface != name)
        });
    }
}
