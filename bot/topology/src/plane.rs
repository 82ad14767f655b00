//! The declared network, checked.
//!
//! Every address here is absolute: the check resolved offsets and references between planes. What the files leave out is
//! either authoritative (no gateway, resolvers or reservations: the declaration is the single authority for addresses) or
//! left alone (`None`: MAAS keeps what it has). Must not know YAML.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::address::{Cidr, Range};
use crate::object::{InterfaceKind, InterfaceParam, InterfaceSettings, Mode, RangeKind, VlanAt};
use crate::removed::{RemovedEntries, RemovedObjects};

/// The declared network. Made only by the check of a draft: nothing overlaps, and every reference resolves.
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
    /// Undeclared objects that are known: fabric names and CIDRs. They are not reported. Undeclared objects are never
    /// touched in any case.
    pub leave_alone: BTreeSet<String>,
    /// What is declared not to be there.
    #[serde(default, skip_serializing_if = "RemovedObjects::is_empty")]
    pub removed: RemovedObjects,
    /// SHA-256 over the files (paths and bytes, sorted), in hex: identifies the declaration.
    pub tree: String,
}

impl Topology {
    /// The VLAN and the subnets of each plane that is declared or to be removed, with its key.
    pub fn claims(&self) -> impl Iterator<Item = (&str, &VlanAt, Vec<Cidr>)> {
        let present = self.planes.values().map(|plane| {
            let cidrs = plane.subnets.iter().map(|subnet| subnet.cidr).collect();
            (plane.key.as_str(), &plane.vlan, cidrs)
        });
        let removed = self.removed.planes.iter();
        present.chain(removed.map(|(key, it)| (key.as_str(), &it.vlan, it.subnets.clone())))
    }
}

/// How a change of CIDR is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// Delete the subnet and recreate it on the same VLAN row.
    Recreate,
    /// Remove its contents, PUT the new CIDR, and restore the contents. The row keeps its id, and with it the routes and
    /// everything else that refers to it.
    InPlace,
}

/// One network plane: one VLAN of one fabric, and the subnets on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plane {
    /// Its name in files, plans and references.
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
    /// How a change of CIDR is carried out; `None` uses the default.
    pub strategy: Option<Strategy>,
    /// Whether it may take over or move what its VLAN or fabric carries and no plane declares.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub adopt: bool,
    /// The subnets, in the order of the file.
    pub subnets: Vec<PlaneSubnet>,
}

/// Who serves DHCP on a plane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dhcp {
    /// MAAS serves no DHCP.
    Off,
    /// MAAS serves DHCP. Racks by host name; `None` keeps the current rack, which must exist.
    On {
        /// The primary rack.
        primary: Option<String>,
        /// The secondary rack.
        secondary: Option<String>,
    },
    /// Requests are relayed to that VLAN.
    Relay(VlanAt),
}

/// One subnet of a plane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlaneSubnet {
    /// The network.
    pub cidr: Cidr,
    /// The subnet's name in MAAS: the plane's key unless another is declared.
    pub name: String,
    /// `None` leaves it alone; `Some(None)` means no gateway, which is the default in files.
    pub gateway: Option<Option<IpAddr>>,
    /// `None` leaves them alone; no resolvers is the default in files.
    pub dns: Option<Vec<IpAddr>>,
    /// `None` leaves the ranges alone; no ranges is the default in files.
    pub reservations: Option<Vec<Reservation>>,
    /// `None` leaves them alone.
    pub routes: Option<Vec<Route>>,
    /// `None` leaves them alone.
    pub reserved_ips: Option<Vec<HostReservation>>,
    /// As [`SubnetFlags`](crate::object::SubnetFlags) has it, like the next four; `None` leaves it alone.
    pub managed: Option<bool>,
    pub allow_dns: Option<bool>,
    pub allow_proxy: Option<bool>,
    pub active_discovery: Option<bool>,
    /// 0 off, 1 enabled, 2 RFC 2317.
    pub rdns_mode: Option<u8>,
    /// MAAS's description of the subnet.
    pub description: Option<String>,
    /// Sorted; `None` leaves them alone.
    pub disabled_boot_architectures: Option<Vec<String>>,
    /// What of it is declared not to be there, where its other entries are left alone.
    #[serde(default, skip_serializing_if = "RemovedEntries::is_empty")]
    pub removed: RemovedEntries,
}

/// Addresses reserved for someone, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reservation {
    /// What it is for; becomes the range's comment in MAAS.
    pub name: String,
    pub purpose: Purpose,
    /// Inside its subnet.
    pub range: Range,
}

/// What a reservation is for. MAAS knows only reserved and dynamic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// A range for virtual IP addresses.
    Vip,
    /// Floating IPs, managed elsewhere.
    Floating,
    /// Hosts, consoles, switches.
    Management,
    /// The PXE and DHCP range: MAAS's dynamic kind.
    Dynamic,
    /// Anything else that MAAS must not allocate.
    Reserved,
}

impl Purpose {
    /// The range kind that MAAS stores.
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
    /// A subnet that MAAS has, or will have after the plan.
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
    /// Lower case, with colons.
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
    /// Names of the interfaces that are declared not to be there.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub removed: BTreeSet<String>,
}

/// One declared interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineInterface {
    /// Unique in its machine.
    pub name: String,
    /// Physical interfaces must exist; the others can be created.
    pub kind: InterfaceKind,
    /// Names of its parent interfaces.
    pub parents: BTreeSet<String>,
    /// The plane whose VLAN it is on, where declared.
    pub vlan: Option<VlanAt>,
    /// Its links; `None` leaves them alone.
    pub links: Option<Vec<(Cidr, Mode)>>,
    /// Those of the links that are the machine's default gateway, at most one of each family in a machine.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gateways: Vec<(Cidr, Mode)>,
    /// What it is set to.
    #[serde(default, skip_serializing_if = "DeclaredSettings::is_empty")]
    pub settings: DeclaredSettings,
}

/// What an interface is declared to be set to; what is not declared is left alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeclaredSettings {
    /// Bytes.
    pub mtu: Option<u32>,
    /// All its tags.
    pub tags: Option<BTreeSet<String>>,
    pub enabled: Option<bool>,
    /// Parameters of a bond or bridge.
    pub params: BTreeMap<InterfaceParam, String>,
}

impl DeclaredSettings {
    /// Whether everything is left alone.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What an interface is set to once the declaration is carried out.
    pub fn applied(&self, now: &InterfaceSettings) -> InterfaceSettings {
        let mut settings = now.clone();
        settings.mtu = self.mtu.or(settings.mtu);
        if let Some(tags) = &self.tags {
            settings.tags.clone_from(tags);
        }
        settings.disabled = self.enabled.map_or(settings.disabled, |enabled| !enabled);
        for (param, value) in &self.params {
            settings.set(*param, value);
        }
        settings
    }
}

/// One address of the jumphost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JumphostAddress {
    /// Interface name on the jumphost.
    pub interface: String,
    /// The plane it is on.
    pub plane: String,
    /// The plane's subnet.
    pub cidr: Cidr,
    /// The address.
    pub address: IpAddr,
}

/// One service's virtual addresses, one per plane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VipGroup {
    /// The service.
    pub name: String,
    /// Leg name (public, admin, internal, …) to plane key and address.
    pub legs: BTreeMap<String, (String, IpAddr)>,
}
