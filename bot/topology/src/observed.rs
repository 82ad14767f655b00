//! What MAAS said, when, and what it would not say.
//!
//! Never edited, never assumed current. Must not know how it was asked; the client fills it, the lab's MAAS is only
//! ever seen through it, and the planner reads it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::address::{Cidr, Range};
use crate::object::{
    Interface, IpRange, Key, Link, Object, Snippet, StaticRoute, Subnet, Vlan, VlanAt,
};
use crate::version::MaasVersion;

/// Milliseconds since 1970-01-01 UTC. A value handed in; nothing in the pure crates asks for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Timestamp(pub i64);

/// An object as MAAS has it, with its row number. Nodes' interfaces and links carry their ids too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// MAAS's row number; good for one look, never stored as identity.
    pub id: u64,
    /// The object.
    pub object: Object,
}

/// What kind of node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NodeKind {
    /// A machine that MAAS deploys.
    Machine,
    /// A device that MAAS only knows.
    Device,
    /// A rack or region controller: it reports its own interfaces and so rewrites MAAS's rows.
    Controller,
}

/// A node that was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// MAAS's `system_id`.
    pub system_id: String,
    /// Unique here; the host name, or the FQDN where two nodes share a host name.
    pub host: String,
    /// Machine, device or controller.
    pub kind: NodeKind,
    /// Whether it is a rack controller (alone, or a region too): only a rack serves DHCP.
    #[serde(default)]
    pub is_rack: bool,
    /// MAAS's `status_name`, for example `Ready`, `Deployed`; `Device` and `Controller` for the other kinds.
    pub status: String,
    /// The interface that a machine boots from, where MAAS tells.
    #[serde(default)]
    pub boot: Option<String>,
}

/// Why an address is taken, or a link is there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Holder {
    /// A node's interface; `interface` where MAAS tells.
    Node {
        /// Host name.
        host: String,
        /// Machine, device or controller.
        kind: NodeKind,
        /// Interface name.
        interface: Option<String>,
    },
    /// The baseboard controller of that machine. A subnet that holds one cannot be deleted (seen on 3.5.12 and 3.7.3: 409, every time).
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
        /// Who.
        user: String,
    },
    /// A DHCP lease of an unknown client, or an address seen on the wire.
    Passing,
    /// MAAS says something that planebot does not know: counts as occupied.
    Unknown(String),
}

/// One taken address, or one link without an address, on a subnet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Occupant {
    /// The address; `None` for a link that has none yet (AUTO of a machine that is not deployed).
    pub ip: Option<IpAddr>,
    /// Who has it.
    pub holder: Holder,
}

/// Where a DHCP snippet hangs that is no object of a plan.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SnippetOn {
    /// Nowhere: every dhcpd is given it.
    Everywhere,
    /// On a node, which keeps it whatever becomes of a subnet.
    Node(String),
    /// On a subnet, and it could not be made again as it is.
    Subnet {
        /// The subnet.
        cidr: Cidr,
        /// Why not.
        why: String,
    },
}

/// A DHCP snippet that a plan never writes. Its text may still name addresses on a network that moves.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LooseSnippet {
    /// What it is called.
    pub name: String,
    /// Where it hangs.
    pub on: SnippetOn,
    /// What dhcpd is given.
    pub value: String,
}

/// One of MAAS's own settings that may name addresses.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct MaasSetting {
    /// MAAS's name of it, for example `upstream_dns`.
    pub name: String,
    /// Its text.
    pub value: String,
}

/// Something that MAAS did not tell, with the reason; a plan that needed it is refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlindSpot {
    /// What was asked, for example `dhcp-snippets/`.
    pub what: String,
    /// Why there is no answer.
    pub why: String,
}

/// What MAAS said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observed {
    /// When the reading began.
    pub at: Timestamp,
    /// Which release answered.
    pub version: MaasVersion,
    /// Every network object that was read. Interfaces and links are here only for the nodes in `nodes`.
    #[serde(with = "pairs")]
    pub objects: BTreeMap<Key, Seen>,
    /// VLANs that are their fabric's default (the one with the lowest id).
    pub default_vlans: Vec<VlanAt>,
    /// Nodes that were read, by host name: all controllers, and machines and devices when `all_nodes`.
    pub nodes: BTreeMap<String, Node>,
    /// Whether machines and devices were all read.
    pub all_nodes: bool,
    /// Who lives on the subnets that were asked about. A subnet that is not here was not asked about, which is not the same as empty.
    #[serde(with = "pairs")]
    pub occupants: BTreeMap<Cidr, Vec<Occupant>>,
    /// DHCP snippets that are no objects; `None`: nobody asked for snippets, and those of subnets are not in `objects` either.
    #[serde(default)]
    pub loose_snippets: Option<Vec<LooseSnippet>>,
    /// Addresses that no subnet row has: kept by MAAS without a subnet, or seen on the wire; `None`: not asked.
    #[serde(default)]
    pub elsewhere: Option<Vec<Occupant>>,
    /// Settings that may name addresses; `None`: not asked.
    #[serde(default)]
    pub settings: Option<Vec<MaasSetting>>,
    /// Spaces that no VLAN carries are here only when this is true (`spaces/` is the slowest of the lists, so it is read when a plan makes a space).
    pub all_spaces: bool,
    /// What could not be read.
    pub blind: Vec<BlindSpot>,
}

/// What to ask. The topology lists are always read; the rest is chosen by what a plan needs, because it costs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a request that is made or not"
)]
pub struct Scope {
    /// Subnets whose occupants are asked, one request each.
    pub occupants: Vec<Cidr>,
    /// Whether all machines and devices are read with their interfaces (about 20 s and 10 MB for 500).
    pub all_nodes: bool,
    /// Machines to read by host name, when not all.
    pub machines: Vec<String>,
    /// Whether DHCP snippets matter: when a subnet moves, or a range that one may hang on goes.
    pub snippets: bool,
    /// Whether addresses outside of all subnets matter: when a subnet takes in addresses that none has now (about 26 s and
    /// 5 MB for 2,000 addresses).
    pub elsewhere: bool,
    /// Whether MAAS's settings matter: when addresses leave.
    pub settings: bool,
    /// Whether spaces without a VLAN matter.
    pub all_spaces: bool,
}

impl Observed {
    /// The object under `key`, if MAAS has it.
    pub fn get(&self, key: &Key) -> Option<&Object> {
        self.objects.get(key).map(|seen| &seen.object)
    }

    /// The row number of the object under `key`.
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

    /// The VLAN at that place.
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

    /// DHCP snippets of subnets, if they were asked for.
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

/// Maps whose keys are no strings, as lists of pairs.
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
