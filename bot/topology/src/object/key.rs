//! Keys: how an object is identified, and how logs show it.
//!
//! Must not know an object's other fields.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::address::{Cidr, Range};

/// A VLAN's natural name: its fabric and its VID (0 is untagged).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct VlanAt {
    /// The fabric's name.
    pub fabric: String,
    /// 0 to 4094.
    pub vid: u16,
}

/// How an interface gets its address on a subnet. A `link_up` without a subnet is not an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// MAAS picks an address at deployment.
    Auto,
    /// A fixed address.
    Static(IpAddr),
    /// From a DHCP server.
    Dhcp,
    /// Linked to the subnet, without an address.
    LinkUp,
}

/// Identifies an object. The order keeps related objects next to each other in a sorted map.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Key {
    /// A space, by name.
    Space(String),
    /// A fabric, by name.
    Fabric(String),
    /// A VLAN, by fabric and VID.
    Vlan(VlanAt),
    /// A subnet, by its CIDR, which is unique in every release.
    Subnet(Cidr),
    /// A range, by its subnet and its addresses.
    Range(Cidr, Range),
    /// A static route, by source, destination and gateway.
    Route(Cidr, Cidr, IpAddr),
    /// A reserved IP (3.6 and later), by address.
    ReservedIp(IpAddr),
    /// An interface, by host name and interface name.
    Interface(String, String),
    /// A link, by host name, interface name, subnet and mode, which is all of it.
    Link(String, String, Cidr, Mode),
    /// A DHCP snippet of a subnet, by subnet and name.
    Snippet(Cidr, String),
}

impl fmt::Display for VlanAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.vid == 0 {
            write!(f, "{}/untagged", self.fabric)
        } else {
            write!(f, "{}/{}", self.fabric, self.vid)
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Static(ip) => ip.fmt(f),
            Self::Dhcp => f.write_str("dhcp"),
            Self::LinkUp => f.write_str("link-up"),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Space(name) => write!(f, "space {name}"),
            Self::Fabric(name) => write!(f, "fabric {name}"),
            Self::Vlan(at) => write!(f, "vlan {at}"),
            Self::Subnet(cidr) => write!(f, "subnet {cidr}"),
            Self::Range(_, range) => write!(f, "range {range}"),
            Self::Route(source, destination, gateway) => {
                write!(f, "route {source} to {destination} via {gateway}")
            }
            Self::ReservedIp(ip) => write!(f, "reserved ip {ip}"),
            Self::Interface(host, name) => write!(f, "interface {host}:{name}"),
            Self::Link(host, name, subnet, mode) => {
                write!(f, "link {host}:{name} on {subnet} ({mode})")
            }
            Self::Snippet(subnet, name) => write!(f, "dhcp snippet {name} of {subnet}"),
        }
    }
}
