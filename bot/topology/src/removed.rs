//! What the files say must not be there: `state: absent`.
//!
//! It stands apart from what is declared, so that nothing takes it for something that is to be. An object that MAAS does not
//! have either is as declared. Must not know how it is removed.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::address::{Cidr, Range};
use crate::object::VlanAt;

/// Whether something is to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeclaredState {
    /// It is to be there: the same as saying nothing.
    Present,
    /// It is to be removed.
    Absent,
}

/// What is declared not to be there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemovedObjects {
    /// Planes by key.
    pub planes: BTreeMap<String, RemovedPlane>,
    /// Names of spaces.
    pub spaces: BTreeSet<String>,
    /// Names of fabrics.
    pub fabrics: BTreeSet<String>,
}

impl RemovedObjects {
    /// Whether nothing is to be removed.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A plane that is declared not to be there: its subnets, and its VLAN unless it is its fabric's untagged one, which only
/// goes with the fabric.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemovedPlane {
    /// Fabric and VID.
    pub vlan: VlanAt,
    /// In the order of the file.
    pub subnets: Vec<Cidr>,
}

/// Entries of a subnet's lists that are declared not to be there. A list with any other entry is complete, and needs none of
/// these.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemovedEntries {
    /// Ranges, whatever their kind.
    pub ranges: Vec<Range>,
    /// Destination and gateway.
    pub routes: Vec<(Cidr, IpAddr)>,
    /// Addresses of DHCP host reservations.
    pub reserved_ips: Vec<IpAddr>,
}

impl RemovedEntries {
    /// Whether nothing is to be removed.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
