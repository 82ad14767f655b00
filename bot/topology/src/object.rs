//! The objects of a MAAS network, identified in ways that survive a re-install.
//!
//! Objects refer to each other by natural names (fabric name and VID, CIDR, host name), never by MAAS's row ids, because
//! those change when rows are recreated. A [`Key`] identifies an object; an [`Object`] holds every field that planebot reads
//! or writes. Must not know MAAS's wire format.

mod key;
mod settings;

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::address::{Cidr, Range};

pub use key::{Key, Mode, VlanAt};
pub use settings::{InterfaceParam, InterfaceSettings, ParamValues};

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

/// A space: a name that VLANs refer to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Space {
    /// Unique; `^[\w-]+$`.
    pub name: String,
}

/// A fabric. MAAS creates its default VLAN (VID 0) together with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fabric {
    /// Unique; `fabric-N` only for N = its own id.
    pub name: String,
}

/// A VLAN row. It outlives the subnets on it, and holds their space.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vlan {
    /// Where it is.
    pub at: VlanAt,
    /// `None` for a fabric's default VLAN, which always reads `untagged` (3.5.9 maasserver/api/vlans.py:152), and for an
    /// unnamed VLAN (reads null, seen on 3.5.12 and 3.7.3).
    pub name: Option<String>,
    /// Bytes, 552 to 65535.
    pub mtu: u32,
    /// The space, if any.
    pub space: Option<String>,
    /// Whether MAAS serves DHCP here.
    pub dhcp_on: bool,
    /// The primary rack's system id.
    pub primary_rack: Option<String>,
    /// The secondary rack's system id.
    pub secondary_rack: Option<String>,
    /// The VLAN that DHCP requests are relayed to.
    pub relay: Option<VlanAt>,
}

/// A subnet row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subnet {
    /// Unique in a MAAS.
    pub cidr: Cidr,
    /// Not necessarily unique; MAAS uses the CIDR as the name when none is given.
    pub name: String,
    /// The VLAN it is on.
    pub vlan: VlanAt,
    /// Inside the CIDR, or an IPv6 link-local address.
    pub gateway: Option<IpAddr>,
    /// Resolvers in order; not necessarily inside the CIDR.
    pub dns: Vec<IpAddr>,
    /// The flags that must be restored when the subnet is recreated.
    pub flags: SubnetFlags,
    /// Free text; untrusted.
    pub description: String,
    /// Architecture names in MAAS's spelling, sorted.
    pub disabled_boot_architectures: Vec<String>,
}

/// What MAAS does with a subnet. [`Default`] is what API 2.0 sets when a create sends none of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "these are MAAS's own four flags"
)]
pub struct SubnetFlags {
    /// Whether MAAS allocates addresses here; `false` inverts the meaning of reserved ranges.
    pub managed: bool,
    /// Whether MAAS's DNS server answers queries from this subnet.
    pub allow_dns: bool,
    /// Whether MAAS's proxy accepts requests from this subnet.
    pub allow_proxy: bool,
    /// Whether MAAS scans this subnet.
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
    /// Kept for someone; MAAS does not allocate from it in a managed subnet.
    Reserved,
    /// Served by DHCP; may not overlap anything else.
    Dynamic,
}

/// An IP range.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IpRange {
    /// The subnet it belongs to.
    pub subnet: Cidr,
    /// May lie outside the subnet after its CIDR was changed in place.
    pub range: Range,
    /// Reserved or dynamic.
    pub kind: RangeKind,
    /// Free text; planebot stores the reservation's name here.
    pub comment: String,
}

/// A static route. Source and destination are both subnet rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaticRoute {
    /// The subnet whose hosts get the route.
    pub source: Cidr,
    /// The destination subnet.
    pub destination: Cidr,
    /// Inside the source subnet.
    pub gateway: IpAddr,
    /// Lower wins.
    pub metric: u32,
}

/// A DHCP host reservation, MAAS 3.6 and later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReservedIp {
    /// Cannot be changed once created.
    pub ip: IpAddr,
    /// Lower case, with colons.
    pub mac: String,
    /// The subnet it is in.
    pub subnet: Cidr,
    /// Free text.
    pub comment: String,
}

/// An interface's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InterfaceKind {
    /// A network card.
    Physical,
    /// Several interfaces as one.
    Bond,
    /// A bridge with one parent or none.
    Bridge,
    /// A tagged VLAN interface.
    Vlan,
    /// Anything else that MAAS reports.
    Unknown,
}

/// A node's interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    /// The host name of its node.
    pub host: String,
    /// Unique within its node.
    pub name: String,
    /// Physical, bond, bridge or VLAN.
    pub kind: InterfaceKind,
    /// Names of its parent interfaces.
    pub parents: BTreeSet<String>,
    /// `None` when MAAS shows the interface on no VLAN.
    pub vlan: Option<VlanAt>,
    /// What it is set to.
    #[serde(default, skip_serializing_if = "InterfaceSettings::is_default")]
    pub settings: InterfaceSettings,
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
    /// How the address is assigned.
    pub mode: Mode,
    /// Whether somebody chose it as the machine's default gateway of its family.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub default_gateway: bool,
}

/// A DHCP snippet attached to a subnet, with every field that API 2.0 reads and writes. Its value is dhcpd configuration;
/// planebot copies it and never interprets it. No release says whether a snippet is attached to only one of the subnet's
/// ranges (3.7.3 maasserver/api/dhcpsnippets.py:24-34).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snippet {
    /// The subnet.
    pub subnet: Cidr,
    /// Up to 255 characters; not unique.
    pub name: String,
    /// The dhcpd configuration.
    pub value: String,
    /// Free text.
    pub description: String,
    /// Whether MAAS passes it to dhcpd.
    pub enabled: bool,
}

impl Object {
    /// This object's key.
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

    /// The space, if it is one.
    pub fn as_space(&self) -> Option<&Space> {
        if let Self::Space(it) = self {
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
