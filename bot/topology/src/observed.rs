//! What MAAS answered, when, and what could not be read.
//!
//! Never edited and never assumed to be current. The client fills it and the planner reads it; the lab's MAAS is read
//! through it too. Must not know how requests are made.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::address::{Cidr, Range};
use crate::object::{
    Interface, IpRange, Key, Link, Object, Snippet, StaticRoute, Subnet, Vlan, VlanAt,
};
use crate::version::MaasVersion;

/// Milliseconds since 1970-01-01 UTC. Always passed in; the pure crates never read a clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Timestamp(pub i64);

/// An object as MAAS has it, with its row id. Nodes' interfaces and links have ids too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// MAAS's row id; valid for this reading only, never stored as an identity.
    pub id: u64,
    /// The object.
    pub object: Object,
}

/// The kinds of nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NodeKind {
    /// A machine that MAAS deploys.
    Machine,
    /// A device, which MAAS knows but does not deploy.
    Device,
    /// A rack or region controller. It reports its own interfaces, which rewrites MAAS's rows.
    Controller,
}

/// A node that was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// MAAS's `system_id`.
    pub system_id: String,
    /// The host name, or the FQDN where two nodes share a host name; unique here.
    pub host: String,
    /// Machine, device or controller.
    pub kind: NodeKind,
    /// Whether it is a rack controller (or a rack and region controller): only racks serve DHCP.
    #[serde(default)]
    pub is_rack: bool,
    /// MAAS's `status_name`, for example `Ready`, `Deployed`; `Device` and `Controller` for the other kinds.
    pub status: String,
    /// Whether a machine is locked: MAAS then refuses every change of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub locked: bool,
    /// The interface that a machine boots from, if MAAS reports it.
    #[serde(default)]
    pub boot: Option<String>,
}

/// Why an address is in use, or a link exists.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Holder {
    /// A node's interface; `interface` if MAAS reports it.
    Node {
        /// Host name.
        host: String,
        /// Machine, device or controller.
        kind: NodeKind,
        /// Interface name.
        interface: Option<String>,
    },
    /// The BMC of that machine. A subnet with a BMC's address cannot be deleted (seen on 3.5.12 and 3.7.3: always 409).
    Bmc {
        /// Host name of the machine.
        host: String,
    },
    /// A DNS name without an interface.
    Dns {
        /// The names, sorted.
        names: Vec<String>,
    },
    /// Reserved by a user through `ipaddresses/`.
    User {
        /// The user's name; empty when MAAS shows none.
        user: String,
    },
    /// A DHCP lease of an unknown client, or an address that was seen in network traffic.
    Passing,
    /// Something that planebot does not recognise; counts as occupied.
    Unknown(String),
}

/// One address in use, or one link without an address, on a subnet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Occupant {
    /// `None` for a link without an address yet (AUTO, on a machine that is not deployed).
    pub ip: Option<IpAddr>,
    /// Who uses it.
    pub holder: Holder,
}

/// What a DHCP snippet that is not an object of a plan is attached to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SnippetOn {
    /// Nothing: every dhcpd gets it.
    Everywhere,
    /// A node, which keeps it whatever happens to a subnet.
    Node(String),
    /// A subnet, but it could not be recreated unchanged.
    Subnet {
        /// The subnet.
        cidr: Cidr,
        /// Why not.
        why: String,
    },
}

/// A DHCP snippet that a plan never writes. Its text may still mention addresses on a network that moves.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LooseSnippet {
    pub name: String,
    /// What it is attached to.
    pub on: SnippetOn,
    /// The dhcpd configuration.
    pub value: String,
}

/// One of MAAS's own settings that may name addresses.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct MaasSetting {
    /// MAAS's name for it, for example `upstream_dns`.
    pub name: String,
    /// Its text.
    pub value: String,
}

/// Something that could not be read, and why. A plan that needs it is refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlindSpot {
    /// What was requested, for example `dhcp-snippets/`.
    pub what: String,
    /// Why there is no usable response.
    pub why: String,
}

/// The observed network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observed {
    /// When reading began.
    pub at: Timestamp,
    /// The release that answered.
    pub version: MaasVersion,
    /// Every network object that was read. Interfaces and links are included only for the nodes in `nodes`.
    #[serde(with = "pairs")]
    pub objects: BTreeMap<Key, Seen>,
    /// VLANs that are their fabric's default (the one with the lowest id).
    pub default_vlans: Vec<VlanAt>,
    /// Nodes that were read, by host name: all controllers, and all machines and devices when `all_nodes`.
    pub nodes: BTreeMap<String, Node>,
    /// Whether all machines and devices were read.
    pub all_nodes: bool,
    /// The addresses in use on the subnets that were queried. A subnet that is missing here was not queried, which is not
    /// the same as empty.
    #[serde(with = "pairs")]
    pub occupants: BTreeMap<Cidr, Vec<Occupant>>,
    /// DHCP snippets that are not objects. `None`: snippets were not read, so those of subnets are not in `objects` either.
    #[serde(default)]
    pub loose_snippets: Option<Vec<LooseSnippet>>,
    /// Addresses outside every subnet row: kept by MAAS without a subnet, or seen in network traffic. `None`: not read.
    #[serde(default)]
    pub elsewhere: Option<Vec<Occupant>>,
    /// Settings that may contain addresses. `None`: not read.
    #[serde(default)]
    pub settings: Option<Vec<MaasSetting>>,
    /// Whether spaces without a VLAN were read (`spaces/` is the slowest list, so it is read only when a plan creates a
    /// space).
    pub all_spaces: bool,
    /// What could not be read.
    pub blind: Vec<BlindSpot>,
}

/// What to read. The topology lists are always read; the rest is expensive and read only when a plan needs it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each stands for a request that is made or not"
)]
pub struct Scope {
    /// Subnets whose addresses in use are read, one request each.
    pub occupants: Vec<Cidr>,
    /// Whether all machines and devices are read with their interfaces (about 20 s and 10 MB for 500).
    pub all_nodes: bool,
    /// Machines to read by host name, when not all.
    pub machines: Vec<String>,
    /// Whether to read DHCP snippets: when a subnet moves, or a range that one may be attached to is deleted.
    pub snippets: bool,
    /// Whether to read addresses outside all subnets: when a subnet comes to include addresses that are in none now (about
    /// 26 s and 5 MB for 2,000 addresses).
    pub elsewhere: bool,
    /// Whether to read MAAS's settings: when addresses move away.
    pub settings: bool,
    /// Whether to read spaces without a VLAN.
    pub all_spaces: bool,
}

impl Observed {
    /// The object under `key`, if MAAS has it.
    pub fn get(&self, key: &Key) -> Option<&Object> {
        self.objects.get(key).map(|seen| &seen.object)
    }

    /// The row id of the object under `key`.
    pub fn id(&self, key: &Key) -> Option<u64> {
        self.objects.get(key).map(|seen| seen.id)
    }

    /// All objects, in the order of their keys.
    pub fn all(&self) -> impl Iterator<Item = &Object> {
        self.objects.values().map(|seen| &seen.object)
    }

    /// All VLANs.
    pub fn vlans(&self) -> impl Iterator<Item = &Vlan> {
        self.all().filter_map(Object::as_vlan)
    }

    /// The VLAN with that fabric and VID.
    pub fn vlan(&self, at: &VlanAt) -> Option<&Vlan> {
        self.get(&Key::Vlan(at.clone())).and_then(Object::as_vlan)
    }

    /// All subnets.
    pub fn subnets(&self) -> impl Iterator<Item = &Subnet> {
        self.all().filter_map(Object::as_subnet)
    }

    /// The subnet with exactly that CIDR.
    pub fn subnet(&self, cidr: &Cidr) -> Option<&Subnet> {
        self.get(&Key::Subnet(*cidr)).and_then(Object::as_subnet)
    }

    /// The ranges of one subnet, in order of address.
    pub fn ranges_of(&self, cidr: Cidr) -> impl Iterator<Item = &IpRange> {
        self.objects
            .range(Key::Range(cidr, Range::LEAST)..=Key::Range(cidr, Range::GREATEST))
            .filter_map(|(_, seen)| seen.object.as_range())
    }

    /// All static routes.
    pub fn routes(&self) -> impl Iterator<Item = &StaticRoute> {
        self.all().filter_map(Object::as_route)
    }

    /// DHCP snippets of subnets, if they were read.
    pub fn snippets(&self) -> impl Iterator<Item = &Snippet> {
        self.all().filter_map(Object::as_snippet)
    }

    /// The interfaces of one node, in order of name.
    pub fn interfaces_of<'a>(&'a self, host: &'a str) -> impl Iterator<Item = &'a Interface> {
        self.all()
            .filter_map(Object::as_interface)
            .filter(move |interface| interface.host == host)
    }

    /// All links of the nodes that were read.
    pub fn links(&self) -> impl Iterator<Item = &Link> {
        self.all().filter_map(Object::as_link)
    }
}

/// Serializes maps whose keys are not strings as lists of pairs.
mod pairs {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<K: Serialize, V: Serialize, S: Serializer>(
        map: &BTreeMap<K, V>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(map)
    }

    pub(super) fn deserialize<'de, K, V, D>(deserializer: D) -> Result<BTreeMap<K, V>, D::Error>
    where
        K: Deserialize<'de> + Ord,
        V: Deserialize<'de>,
        D: Deserializer<'de>,
    {
        Ok(Vec::<(K, V)>::deserialize(deserializer)?
            .into_iter()
            .collect())
    }
}
