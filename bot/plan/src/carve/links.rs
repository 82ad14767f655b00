//! Links of an interface: which go, and which are made. Must not know in which states MAAS allows either.

use std::collections::BTreeSet;

use topology::address::Cidr;
use topology::object::{InterfaceKind, Key, Link, Mode, Object, Subnet};
use topology::plane::{Machine, MachineInterface};

use super::{carved, waiting};
use crate::builder::PlanBuilder;
use crate::waiting::WaitingItem;

impl PlanBuilder<'_> {
    /// Commissioning leaves one AUTO link on the boot interface, on a subnet of its VLAN (seen on 3.5.12 and 3.7.3). It is
    /// added to the model, so that it is removed if it is not declared. If it does not exist, the check before the write
    /// finds that.
    pub(super) fn assume_commissioning_link(&mut self, host: &str) {
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
                default_gateway: false,
            });
        }
    }

    pub(super) fn unlink_undeclared(&mut self, machine: &Machine, interface: &MachineInterface) {
        let Some(links) = &interface.links else {
            return;
        };
        let desired = desired_links(machine, interface, links);
        for link in self.links_of(machine, &interface.name) {
            if !desired.contains(&link) {
                let why = "not declared for this interface";
                self.add_step(carved(self.object(&link), None, why));
            }
        }
    }

    /// Removes an interface's links before MAAS does so without a word, where the declaration leaves them alone.
    pub(super) fn unlink_all(&mut self, machine: &Machine, name: &str, why: &str) {
        for link in self.links_of(machine, name) {
            self.add_step(carved(self.object(&link), None, why));
        }
    }

    /// Makes the declared links. MAAS links an interface only to a subnet of its own VLAN (400 otherwise).
    pub(super) fn add_links(
        &mut self,
        machine: &Machine,
        interface: &MachineInterface,
        gateways: &BTreeSet<Key>,
        waits: &mut Vec<WaitingItem>,
    ) {
        let Some(links) = &interface.links else {
            return;
        };
        let there = self.links_of(machine, &interface.name);
        for key in desired_links(machine, interface, links) {
            let chosen = gateways.contains(&key);
            if there.contains(&key) {
                if chosen {
                    self.choose(&key);
                }
                continue;
            }
            let link = Link {
                default_gateway: chosen,
                ..link_of(key)
            };
            let on = self
                .network
                .interface(&machine.host, &interface.name)
                .and_then(|interface| interface.vlan.clone());
            let carrier = self.carrier_of(machine, &interface.name);
            if let Some(bond) = carrier.filter(|it| it.kind == InterfaceKind::Bond) {
                let why = format!(
                    "MAAS links no port of a bond, and it is a port of {}",
                    bond.name
                );
                let what = Object::Link(link).key().to_string();
                waits.push(waiting(
                    machine,
                    what,
                    "somebody who takes it out of the bond",
                    &why,
                ));
                continue;
            }
            let subnet = self.network.subnet(&link.subnet);
            let place = subnet.map(|subnet| subnet.vlan.clone());
            if place.is_some() && place != on {
                let at = |vlan: Option<topology::object::VlanAt>| {
                    vlan.map_or_else(|| "no VLAN".to_owned(), |at| at.to_string())
                };
                let why = format!(
                    "the interface is on {}, the subnet on {}",
                    at(on),
                    at(place)
                );
                let what = Object::Link(link).key().to_string();
                waits.push(waiting(
                    machine,
                    what,
                    "its interface on the subnet's VLAN",
                    &why,
                ));
                continue;
            }
            self.add_step(carved(None, Some(Object::Link(link)), "declared"));
        }
    }

    pub(super) fn links_of(&self, machine: &Machine, interface: &str) -> BTreeSet<Key> {
        self.network
            .links_of(&machine.host, interface)
            .map(|link| Object::Link(link.clone()).key())
            .collect()
    }
}

fn desired_links(
    machine: &Machine,
    interface: &MachineInterface,
    links: &[(Cidr, Mode)],
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
        default_gateway: false,
    }
}
