//! The declared network, believed.
//!
//! Every address here is absolute: offsets and references between planes were resolved by the check that made it.
//! What the files leave out is either authoritative (gateway, resolvers, reservations: this one file set is the single
//! authority for addresses) or left alone (`None`: MAAS keeps what it has). Must not know YAML.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::address::{Cidr, Range};
use crate::object::{InterfaceKind, Mode, RangeKind, VlanAt};

/// The declared network. Made only by the check of a draft: nothing overlaps, nothing dangles.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Topology {
    /// Planes by key.
    pub planes: BTreeMap<String, Plane>,
    /// Spaces that exist without a plane.
    pub spaces: BTreeSet<String>,
    /// Machines whose interfaces are declared, by host name.
    pub machines: BTreeMap<String, Machine>,
    /// The jumphost's addresses, in the order of the file.
    pub jumphost: Vec<JumphostAddress>,
    /// Groups of virtual addresses.
    pub vips: Vec<VipGroup>,
    /// Undeclared objects that are known and expected: fabric names and CIDRs. They are never nagged about; undeclared objects are never touched either way.
    pub leave_alone: BTreeSet<String>,
    /// SHA-256 over the files (paths and bytes, sorted), in hex: which declaration this is.
    pub tree: String,
}

/// How a change of CIDR is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// Delete the subnet and make it again on the same VLAN row.
    Recreate,
    /// Drain it, PUT the new CIDR, fill it again: row number and routes stay, and what else hangs on the row.
    InPlace,
}

/// A purpose with its own rules: one VLAN of one fabric, and the subnets on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plane {
    /// The key: what people call it, in files, plans and references.
    pub key: String,
    /// For people; not written to MAAS.
    pub description: String,
    /// Fabric and VID.
    pub vlan: VlanAt,
    /// The VLAN's name in MAAS; `None` leaves it alone (always for VID 0).
    pub vlan_name: Option<String>,
    /// The space; `None` leaves it alone, `Some(None)` unbinds it.
    pub space: Option<Option<String>>,
    /// Bytes; `None` leaves it alone.
    pub mtu: Option<u32>,
    /// `None` leaves it alone.
    pub dhcp: Option<Dhcp>,
    /// How a change of CIDR is carried out here; `None` takes the default.
    pub strategy: Option<Strategy>,
    /// The subnets, in the order of the file.
    pub subnets: Vec<PlaneSubnet>,
}

/// Who serves DHCP on a plane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dhcp {
    /// Nobody from MAAS.
    Off,
    /// MAAS does. Racks by host name; `None` leaves the rack alone (and needs one to be there).
    On {
        /// The rack that serves.
        primary: Option<String>,
        /// Its stand-in.
        secondary: Option<String>,
    },
    /// The DHCP of that VLAN is relayed here.
    Relay(VlanAt),
}

/// One subnet of a plane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlaneSubnet {
    /// The network.
    pub cidr: Cidr,
    /// The subnet's name in MAAS: the plane's key unless another is declared.
    pub name: String,
    /// `None` leaves it alone; `Some(None)` means no gateway. Files that say nothing mean no gateway.
    pub gateway: Option<Option<IpAddr>>,
    /// `None` leaves them alone; files that say nothing mean no resolvers.
    pub dns: Option<Vec<IpAddr>>,
    /// `None` leaves the ranges alone; files that say nothing mean no ranges.
    pub reservations: Option<Vec<Reservation>>,
    /// `None` leaves them alone.
    pub routes: Option<Vec<Route>>,
    /// `None` leaves them alone.
    pub reserved_ips: Option<Vec<HostReservation>>,
    /// Each `None` is left alone.
    pub managed: Option<bool>,
    /// See MAAS.
    pub allow_dns: Option<bool>,
    /// See MAAS.
    pub allow_proxy: Option<bool>,
    /// See MAAS.
    pub active_discovery: Option<bool>,
    /// 0 off, 1 enabled, 2 RFC 2317.
    pub rdns_mode: Option<u8>,
    /// MAAS's description of the subnet.
    pub description: Option<String>,
    /// Sorted.
    pub disabled_boot_architectures: Option<Vec<String>>,
}

/// Addresses promised to someone, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reservation {
    /// What it is for, in words; becomes the range's comment in MAAS.
    pub name: String,
    /// What kind of promise.
    pub purpose: Purpose,
    /// Inside its subnet.
    pub range: Range,
}

/// What a reservation is for. MAAS knows only reserved and dynamic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// A band of virtual addresses.
    Vip,
    /// Floating IPs, managed elsewhere.
    Floating,
    /// Hosts, consoles, switches.
    Management,
    /// The PXE and DHCP range: MAAS's dynamic kind.
    Dynamic,
    /// Anything else that MAAS must not hand out.
    Reserved,
}

impl Purpose {
    /// The kind that MAAS stores.
    pub fn kind(self) -> RangeKind {
        match self {
            Self::Dynamic => RangeKind::Dynamic,
            Self::Vip | Self::Floating | Self::Management | Self::Reserved => RangeKind::Reserved,
        }
    }
}

/// A static route out of a subnet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// A subnet that MAAS has or will have.
    pub destination: Cidr,
    /// Inside the source subnet.
    pub gateway: IpAddr,
    /// Lower wins.
    pub metric: u32,
}

/// A DHCP host reservation (MAAS 3.6 and later).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostReservation {
    /// The address.
    pub ip: IpAddr,
    /// Lower case, colons.
    pub mac: String,
    /// For people.
    pub comment: String,
}

/// A machine whose interfaces are declared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The host name.
    pub host: String,
    /// Parents before children.
    pub interfaces: Vec<MachineInterface>,
}

/// One declared interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineInterface {
    /// Unique in its machine.
    pub name: String,
    /// Physical interfaces must be there; the others can be made.
    pub kind: InterfaceKind,
    /// Names of the interfaces under it.
    pub parents: BTreeSet<String>,
    /// The plane whose VLAN it is on, where declared.
    pub vlan: Option<VlanAt>,
    /// Its links; `None` leaves them alone.
    pub links: Option<Vec<(Cidr, Mode)>>,
}

/// One address of the jumphost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JumphostAddress {
    /// Interface name on the jumphost.
    pub interface: String,
    /// The plane it stands on.
    pub plane: String,
    /// The plane's subnet.
    pub cidr: Cidr,
    /// The address.
    pub address: IpAddr,
}

/// One service's virtual addresses, one leg per plane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VipGroup {
    /// The service.
    pub name: String,
    /// Leg name (public, admin, internal, …) to plane key and address.
    pub legs: BTreeMap<String, (String, IpAddr)>,
}
