//! A model of a MAAS network: its objects, and the effect of a write.
//!
//! The planner applies each step to a model to know its exact before and after, and the critic applies them again to check
//! that MAAS refuses none of them. The model knows the side effects of renames, creates and deletes; it must not know why a
//! write is planned. MAAS's rules are in [`rules`].

mod interfaces;
pub mod rules;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use topology::address::{Cidr, Range};
use topology::object::{
    Interface, IpRange, Key, Link, Mode, Object, Snippet, StaticRoute, Subnet, Vlan, VlanAt,
};
use topology::observed::Observed;
use topology::port::Write;

pub use rules::RuleViolation;

/// The MTU that MAAS sets on a VLAN when none is sent (3.5.9 maasserver/models/vlan.py).
pub const DEFAULT_MTU: u32 = 1500;

/// The objects of the network, by key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkModel {
    objects: BTreeMap<Key, Object>,
    default_vlans: BTreeSet<VlanAt>,
}

impl NetworkModel {
    /// A model of what was observed.
    pub fn of(observed: &Observed) -> Self {
        Self {
            objects: observed
                .objects
                .iter()
                .map(|(key, seen)| (key.clone(), seen.object.clone()))
                .collect(),
            default_vlans: observed.default_vlans.iter().cloned().collect(),
        }
    }

    /// The object under `key`.
    pub fn get(&self, key: &Key) -> Option<&Object> {
        self.objects.get(key)
    }

    /// All objects in the order of their keys.
    pub fn all(&self) -> impl Iterator<Item = &Object> {
        self.objects.values()
    }

    /// All VLANs.
    pub fn vlans(&self) -> impl Iterator<Item = &Vlan> {
        self.all().filter_map(Object::as_vlan)
    }

    /// The VLAN with that fabric and VID.
    pub fn vlan(&self, at: &VlanAt) -> Option<&Vlan> {
        self.get(&Key::Vlan(at.clone())).and_then(Object::as_vlan)
    }

    /// Whether the VLAN is its fabric's default, whose name MAAS does not show.
    pub fn is_default(&self, at: &VlanAt) -> bool {
        self.default_vlans.contains(at)
    }

    /// All subnets.
    pub fn subnets(&self) -> impl Iterator<Item = &Subnet> {
        self.all().filter_map(Object::as_subnet)
    }

    /// The subnet with exactly that CIDR.
    pub fn subnet(&self, cidr: &Cidr) -> Option<&Subnet> {
        self.get(&Key::Subnet(*cidr)).and_then(Object::as_subnet)
    }

    /// The ranges of one subnet.
    pub fn ranges_of(&self, cidr: Cidr) -> impl Iterator<Item = &IpRange> {
        self.objects
            .range(Key::Range(cidr, Range::LEAST)..=Key::Range(cidr, Range::GREATEST))
            .filter_map(|(_, object)| object.as_range())
    }

    /// All static routes.
    pub fn routes(&self) -> impl Iterator<Item = &StaticRoute> {
        self.all().filter_map(Object::as_route)
    }

    /// The DHCP snippets of one subnet, in order of name.
    pub fn snippets_of(&self, cidr: Cidr) -> impl Iterator<Item = &Snippet> {
        self.objects
            .range(Key::Snippet(cidr, String::new())..)
            .map_while(move |(_, object)| {
                object.as_snippet().filter(|snippet| snippet.subnet == cidr)
            })
    }

    /// All links that are known.
    pub fn links(&self) -> impl Iterator<Item = &Link> {
        self.all().filter_map(Object::as_link)
    }

    /// The links of one interface.
    pub fn links_of<'a>(
        &'a self,
        host: &'a str,
        interface: &'a str,
    ) -> impl Iterator<Item = &'a Link> {
        let least = Cidr::LEAST;
        let from = Key::Link(host.to_owned(), interface.to_owned(), least, Mode::Auto);
        self.objects.range(from..).map_while(move |(_, object)| {
            object
                .as_link()
                .filter(|link| link.host == host && link.interface == interface)
        })
    }

    /// The interface of that name.
    pub fn interface(&self, host: &str, name: &str) -> Option<&Interface> {
        self.get(&Key::Interface(host.to_owned(), name.to_owned()))
            .and_then(Object::as_interface)
    }

    /// Whether MAAS would accept a write, as far as the model knows.
    pub fn allows(&self, write: &Write) -> Result<(), RuleViolation> {
        rules::check(self, write)
    }

    /// Applies a write, or returns the rule of MAAS that it violates.
    pub fn apply(&mut self, write: &Write) -> Result<(), RuleViolation> {
        rules::check(self, write)?;
        match write {
            Write::Create(object) => self.put(object.clone()),
            Write::Update(before, after) => self.change(before, after),
            Write::Delete(object) => self.remove(object),
        }
        Ok(())
    }

    fn put(&mut self, object: Object) {
        if let Object::Fabric(fabric) = &object {
            let at = VlanAt {
                fabric: fabric.name.clone(),
                vid: 0,
            };
            // Creating a fabric creates its default VLAN (3.5.9 maasserver/models/fabric.py:192-211).
            self.default_vlans.insert(at.clone());
            self.insert(Object::Vlan(Vlan {
                at,
                name: None,
                mtu: DEFAULT_MTU,
                space: None,
                dhcp_on: false,
                primary_rack: None,
                secondary_rack: None,
                relay: None,
            }));
        }
        if let Object::Interface(interface) = &object {
            self.join_ports(interface, true);
        }
        if let Object::Link(link) = &object {
            self.choose_gateway(link);
        }
        self.insert(object);
    }

    fn insert(&mut self, object: Object) {
        self.objects.insert(object.key(), object);
    }

    fn change(&mut self, before: &Object, after: &Object) {
        self.objects.remove(&before.key());
        match (before, after) {
            (Object::Fabric(old), Object::Fabric(new)) => self.move_vlans(&|at: &mut VlanAt| {
                if at.fabric == old.name {
                    at.fabric.clone_from(&new.name);
                }
            }),
            (Object::Vlan(old), Object::Vlan(new)) => self.move_vlans(&|at: &mut VlanAt| {
                if *at == old.at {
                    *at = new.at.clone();
                }
            }),
            (Object::Space(old), Object::Space(new)) => {
                for object in self.objects.values_mut() {
                    if let Object::Vlan(vlan) = object
                        && vlan.space.as_ref() == Some(&old.name)
                    {
                        vlan.space = Some(new.name.clone());
                    }
                }
            }
            (Object::Subnet(old), Object::Subnet(new)) => self.move_cidr(old.cidr, new.cidr),
            (Object::Interface(old), Object::Interface(new)) => self.change_interface(old, new),
            (Object::Link(_), Object::Link(new)) => self.choose_gateway(new),
            _ => {}
        }
        self.insert(after.clone());
    }

    /// Updates every reference to a VLAN.
    fn move_vlans(&mut self, rename: &dyn Fn(&mut VlanAt)) {
        let objects = std::mem::take(&mut self.objects);
        for mut object in objects.into_values() {
            match &mut object {
                Object::Vlan(vlan) => {
                    rename(&mut vlan.at);
                    if let Some(relay) = &mut vlan.relay {
                        rename(relay);
                    }
                }
                Object::Subnet(subnet) => rename(&mut subnet.vlan),
                Object::Interface(interface) => {
                    if let Some(at) = &mut interface.vlan {
                        rename(at);
                    }
                }
                Object::Space(_)
                | Object::Fabric(_)
                | Object::Range(_)
                | Object::Route(_)
                | Object::ReservedIp(_)
                | Object::Link(_)
                | Object::Snippet(_) => {}
            }
            self.insert(object);
        }
        self.default_vlans = std::mem::take(&mut self.default_vlans)
            .into_iter()
            .map(|mut at| {
                rename(&mut at);
                at
            })
            .collect();
    }

    /// Updates every reference to a subnet: MAAS's rows refer to the subnet's row, not to its CIDR.
    fn move_cidr(&mut self, old: Cidr, new: Cidr) {
        if old == new {
            return;
        }
        let objects = std::mem::take(&mut self.objects);
        for mut object in objects.into_values() {
            let mention: Vec<&mut Cidr> = match &mut object {
                Object::Range(range) => vec![&mut range.subnet],
                Object::Route(route) => vec![&mut route.source, &mut route.destination],
                Object::ReservedIp(reserved) => vec![&mut reserved.subnet],
                Object::Link(link) => vec![&mut link.subnet],
                Object::Snippet(snippet) => vec![&mut snippet.subnet],
                Object::Space(_)
                | Object::Fabric(_)
                | Object::Vlan(_)
                | Object::Subnet(_)
                | Object::Interface(_) => vec![],
            };
            for cidr in mention {
                if *cidr == old {
                    *cidr = new;
                }
            }
            self.insert(object);
        }
    }

    fn remove(&mut self, object: &Object) {
        self.objects.remove(&object.key());
        if let Object::Fabric(fabric) = object {
            // Nothing but its default VLAN is in it: that goes with it.
            self.objects
                .retain(|_, other| other.as_vlan().is_none_or(|it| it.at.fabric != fabric.name));
            self.default_vlans.retain(|at| at.fabric != fabric.name);
        }
        if let Object::Interface(interface) = object {
            self.detach(&interface.host, &interface.name);
        }
        if let Object::Subnet(subnet) = object {
            // MAAS silently deletes these with the subnet (3.5.9: IPRange, StaticRoute, ReservedIP, addresses, DHCPSnippet).
            let gone = subnet.cidr;
            self.objects.retain(|_, other| match other {
                Object::Range(range) => range.subnet != gone,
                Object::Route(route) => route.source != gone && route.destination != gone,
                Object::ReservedIp(reserved) => reserved.subnet != gone,
                Object::Link(link) => link.subnet != gone,
                Object::Snippet(snippet) => snippet.subnet != gone,
                Object::Space(_)
                | Object::Fabric(_)
                | Object::Vlan(_)
                | Object::Subnet(_)
                | Object::Interface(_) => true,
            });
        }
    }

    /// Removes an interface with its links, as a person does at a gate.
    pub fn detach(&mut self, host: &str, name: &str) {
        self.objects.retain(|_, object| match object {
            Object::Interface(it) => it.host != host || it.name != name,
            Object::Link(link) => link.host != host || link.interface != name,
            Object::Space(_)
            | Object::Fabric(_)
            | Object::Vlan(_)
            | Object::Subnet(_)
            | Object::Range(_)
            | Object::Route(_)
            | Object::ReservedIp(_)
            | Object::Snippet(_) => true,
        });
    }

    /// Removes a link, as a person does at a gate.
    pub fn unlink(&mut self, link: &Link) {
        self.objects.remove(&Object::Link(link.clone()).key());
    }

    /// Adds a link that commissioning may leave.
    pub fn link(&mut self, link: Link) {
        self.insert(Object::Link(link));
    }

    /// Removes every link of a node, as commissioning does.
    pub fn unlink_host(&mut self, host: &str) {
        self.objects
            .retain(|_, object| object.as_link().is_none_or(|link| link.host != host));
    }

    /// The smallest subnet that contains `ip`.
    pub fn home_of(&self, ip: IpAddr) -> Option<&Subnet> {
        self.subnets()
            .filter(|subnet| subnet.cidr.contains(ip))
            .max_by_key(|subnet| subnet.cidr.prefix())
    }
}
