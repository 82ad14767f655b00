//! The things that a MAAS network is made of, in terms that survive a re-install.
//!
//! Every object refers to others by what people call them (fabric name and VID, CIDR, host name), never by MAAS's row
//! numbers: those drift when rows are made again. A [`Key`] says which object, an [`Object`] says all that planebot
//! reads and writes of it. Must not know how MAAS spells any of it on the wire.

mod key;

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::address::{Cidr, Range};

pub use key::{Key, Mode, VlanAt};

/// One object with every field that planebot reads or writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Object {
    /// A space.
    Space(Space),
    /// A fabric.
    Fabric(Fabric),
    /// A VLAN.
    Vlan(Vlan),
    /// A subnet.
    Subnet(Subnet),
    /// An IP range.
    Range(IpRange),
    /// A static route.
    Route(StaticRoute),
    /// A reserved IP.
    ReservedIp(ReservedIp),
    /// A node's interface.
    Interface(Interface),
    /// An interface's link to a subnet.
    Link(Link),
    /// A DHCP snippet of a subnet.
    Snippet(Snippet),
}

/// A space: a name that VLANs carry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Space {
    /// Unique; `^[\w-]+$`.
    pub name: String,
}

/// A fabric. Making one makes its default VLAN, VID 0, with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fabric {
    /// Unique; `fabric-N` only for N = its own id.
    pub name: String,
}

/// A VLAN row. It outlives the subnets on it, and carries their space.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vlan {
    /// Where it is.
    pub at: VlanAt,
    /// The name. `None` for a fabric's default VLAN, which always reads `untagged` (3.5.9 maasserver/api/vlans.py:152), and
    /// for one that nobody named (reads null, seen on 3.5.12 and 3.7.3).
    pub name: Option<String>,
    /// Bytes, 552 to 65535.
    pub mtu: u32,
    /// The space, if any.
    pub space: Option<String>,
    /// Whether MAAS serves DHCP here.
    pub dhcp_on: bool,
    /// The rack that serves, by system id.
    pub primary_rack: Option<String>,
    /// Its stand-in, by system id.
    pub secondary_rack: Option<String>,
    /// The VLAN whose DHCP is relayed here.
    pub relay: Option<VlanAt>,
}

/// A subnet row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subnet {
    /// Unique in a MAAS.
    pub cidr: Cidr,
    /// Not necessarily unique; the CIDR's text when nobody named it.
    pub name: String,
    /// The VLAN it is on.
    pub vlan: VlanAt,
    /// Inside the CIDR, or an IPv6 link-local address.
    pub gateway: Option<IpAddr>,
    /// In order; may point anywhere.
    pub dns: Vec<IpAddr>,
    /// The flags that a recreated subnet must get back.
    pub flags: SubnetFlags,
    /// Free text, from strangers.
    pub description: String,
    /// Names as MAAS has them, sorted.
    pub disabled_boot_architectures: Vec<String>,
}

/// What MAAS does with a subnet; [`Default`] is what a create through API 2.0 gives when nothing is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "they are MAAS's own four switches"
)]
pub struct SubnetFlags {
    /// Whether MAAS allocates here; false inverts the meaning of reserved ranges.
    pub managed: bool,
    /// Whether MAAS's resolver answers here.
    pub allow_dns: bool,
    /// Whether MAAS's proxy serves here.
    pub allow_proxy: bool,
    /// Whether MAAS scans here.
    pub active_discovery: bool,
    /// 0 off, 1 enabled, 2 RFC 2317.
    pub rdns_mode: u8,
}

impl Default for SubnetFlags {
    fn default() -> Self {
        Self {
            managed: true,
            allow_dns: true,
            allow_proxy: true,
            active_discovery: false,
            rdns_mode: 2,
        }
    }
}

/// What a range is for, in MAAS's terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RangeKind {
    /// Promised to someone; MAAS does not allocate from it (in a managed subnet).
    Reserved,
    /// Served by DHCP; may touch nothing else.
    Dynamic,
}

/// An IP range.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IpRange {
    /// The subnet it belongs to.
    pub subnet: Cidr,
    /// Its addresses; after a CIDR was changed in place they may lie outside the subnet.
    pub range: Range,
    /// Reserved or dynamic.
    pub kind: RangeKind,
    /// Free text; ours holds the reservation's name.
    pub comment: String,
}

/// A static route. Both ends are subnet rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaticRoute {
    /// Whose hosts get the route.
    pub source: Cidr,
    /// Where it leads.
    pub destination: Cidr,
    /// Inside the source.
    pub gateway: IpAddr,
    /// Lower wins.
    pub metric: u32,
}

/// A DHCP host reservation, MAAS 3.6 and later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReservedIp {
    /// The address; cannot be changed.
    pub ip: IpAddr,
    /// Lower case, colons.
    pub mac: String,
    /// The subnet it is in.
    pub subnet: Cidr,
    /// Free text.
    pub comment: String,
}

/// What an interface is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InterfaceKind {
    /// A NIC.
    Physical,
    /// Several NICs as one.
    Bond,
    /// A bridge over one parent, or over none.
    Bridge,
    /// A tagged child.
    Vlan,
    /// Anything else that MAAS reports.
    Unknown,
}

/// A node's interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    /// The host name of its node.
    pub host: String,
    /// Unique in the node.
    pub name: String,
    /// Physical, bond, bridge or VLAN.
    pub kind: InterfaceKind,
    /// Names of the interfaces under it.
    pub parents: BTreeSet<String>,
    /// The VLAN it is on, when it is on one.
    pub vlan: Option<VlanAt>,
}

/// An interface's link to a subnet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The host name of its node.
    pub host: String,
    /// The interface's name.
    pub interface: String,
    /// The subnet.
    pub subnet: Cidr,
    /// How the address comes.
    pub mode: Mode,
}

/// Text for dhcpd that somebody hung on a subnet, with all that API 2.0 tells and takes of it. It is carried, never read as
/// what it is: a program. That it hangs on one of the subnet's ranges only, no release tells (3.7.3
/// maasserver/api/dhcpsnippets.py:24-34).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snippet {
    /// The subnet.
    pub subnet: Cidr,
    /// Up to 255 characters; MAAS does not keep it unique.
    pub name: String,
    /// What dhcpd is given.
    pub value: String,
    /// Free text.
    pub description: String,
    /// Whether dhcpd is given it.
    pub enabled: bool,
}

impl Object {
    /// Which object this is.
    pub fn key(&self) -> Key {
        match self {
            Self::Space(space) => Key::Space(space.name.clone()),
            Self::Fabric(fabric) => Key::Fabric(fabric.name.clone()),
            Self::Vlan(vlan) => Key::Vlan(vlan.at.clone()),
            Self::Subnet(subnet) => Key::Subnet(subnet.cidr),
            Self::Range(range) => Key::Range(range.subnet, range.range),
            Self::Route(route) => Key::Route(route.source, route.destination, route.gateway),
            Self::ReservedIp(reserved) => Key::ReservedIp(reserved.ip),
            Self::Interface(interface) => {
                Key::Interface(interface.host.clone(), interface.name.clone())
            }
            Self::Link(link) => Key::Link(
                link.host.clone(),
                link.interface.clone(),
                link.subnet,
                link.mode,
            ),
            Self::Snippet(snippet) => Key::Snippet(snippet.subnet, snippet.name.clone()),
        }
    }

    /// The VLAN, if it is one.
    pub fn as_vlan(&self) -> Option<&Vlan> {
        if let Self::Vlan(it) = self {
            Some(it)
        } else {
            None
        }
    }

    /// The subnet, if it is one.
    pub fn as_subnet(&self) -> Option<&Subnet> {
        if let Self::Subnet(it) = self {
            Some(it)
        } else {
            None
        }
    }

    /// The range, if it is one.
    pub fn as_range(&self) -> Option<&IpRange> {
        if let Self::Range(it) = self {
            Some(it)
        } else {
            None
        }
    }

    /// The static route, if it is one.
    pub fn as_route(&self) -> Option<&StaticRoute> {
        if let Self::Route(it) = self {
            Some(it)
        } else {
            None
        }
    }

    /// The reserved IP, if it is one.
    pub fn as_reserved_ip(&self) -> Option<&ReservedIp> {
        if let Self::ReservedIp(it) = self {
            Some(it)
        } else {
            None
        }
    }

    /// The interface, if it is one.
    pub fn as_interface(&self) -> Option<&Interface> {
        if let Self::Interface(it) = self {
            Some(it)
        } else {
            None
        }
    }

    /// The link, if it is one.
    pub fn as_link(&self) -> Option<&Link> {
        if let Self::Link(it) = self {
            Some(it)
        } else {
            None
        }
    }

    /// The DHCP snippet, if it is one.
    pub fn as_snippet(&self) -> Option<&Snippet> {
        if let Self::Snippet(it) = self {
            Some(it)
        } else {
            None
        }
    }
}
