//! All rows of a MAAS and their relations. It must not know requests.

mod nodes;

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;

pub(crate) use super::dns::{StoredDnsResource, StoredDomain, StoredRecord};
use super::version::Version;
pub(crate) use nodes::{NodeType, StoredInterface, StoredNode};

/// The id of the default fabric, which cannot be deleted (3.7.3 `maasserver/models/fabric.py`).
pub(crate) const DEFAULT_FABRIC: u64 = 0;

/// The id of the domain of new nodes, as long as no other is made the default.
pub(crate) const DEFAULT_DOMAIN: u64 = 0;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredFabric {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) class_type: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredSpace {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) description: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredVlan {
    pub(crate) id: u64,
    pub(crate) fabric: u64,
    pub(crate) vid: u16,
    pub(crate) name: Option<String>,
    pub(crate) mtu: u32,
    pub(crate) space: Option<u64>,
    pub(crate) dhcp_on: bool,
    pub(crate) primary: Option<String>,
    pub(crate) secondary: Option<String>,
    pub(crate) relay: Option<u64>,
}

impl StoredVlan {
    /// A VLAN with MAAS's defaults.
    pub(crate) fn new(id: u64, fabric: u64, vid: u16) -> Self {
        Self {
            id,
            fabric,
            vid,
            name: None,
            mtu: 1500,
            space: None,
            dhcp_on: false,
            primary: None,
            secondary: None,
            relay: None,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "they are MAAS's own columns")]
pub(crate) struct StoredSubnet {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) cidr: IpNet,
    pub(crate) vlan: u64,
    pub(crate) gateway: Option<IpAddr>,
    pub(crate) dns: Vec<IpAddr>,
    pub(crate) allow_dns: bool,
    pub(crate) allow_proxy: bool,
    pub(crate) active_discovery: bool,
    pub(crate) managed: bool,
    pub(crate) rdns_mode: u8,
    pub(crate) description: String,
    pub(crate) disabled_boot_architectures: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RangeType {
    Reserved,
    Dynamic,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredRange {
    pub(crate) id: u64,
    pub(crate) subnet: u64,
    pub(crate) kind: RangeType,
    pub(crate) start: IpAddr,
    pub(crate) end: IpAddr,
    pub(crate) comment: String,
    pub(crate) user: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredRoute {
    pub(crate) id: u64,
    pub(crate) source: u64,
    pub(crate) destination: u64,
    pub(crate) gateway: IpAddr,
    pub(crate) metric: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredReservedIp {
    pub(crate) id: u64,
    pub(crate) subnet: u64,
    pub(crate) ip: IpAddr,
    pub(crate) mac: String,
    pub(crate) comment: String,
}

/// MAAS's `alloc_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AllocType {
    Auto = 0,
    Sticky = 1,
    UserReserved = 4,
    Dhcp = 5,
    Discovered = 6,
}

/// An interface of type `unknown`: a MAC, no node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UnknownInterface {
    pub(crate) id: u64,
    pub(crate) mac: String,
}

/// A `StaticIPAddress` row: a link if it has an interface, else an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredAddress {
    pub(crate) id: u64,
    pub(crate) ip: Option<IpAddr>,
    pub(crate) alloc: AllocType,
    pub(crate) subnet: Option<u64>,
    pub(crate) user: Option<String>,
    pub(crate) interface: Option<u64>,
    /// A user reservation with a MAC has an interface without a node.
    pub(crate) unknown: Option<UnknownInterface>,
    pub(crate) bmc_of: Option<String>,
}

/// A DHCP snippet; without node, subnet and range it is global.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct StoredSnippet {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) description: String,
    pub(crate) enabled: bool,
    pub(crate) node: Option<String>,
    pub(crate) subnet: Option<u64>,
    pub(crate) range: Option<u64>,
    /// The number of its text; each text has its own.
    pub(crate) value_number: u64,
    /// Earlier texts with their numbers, the latest first.
    pub(crate) history: Vec<(u64, String)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredUser {
    pub(crate) name: String,
    pub(crate) admin: bool,
    pub(crate) consumer: String,
    pub(crate) token: String,
    pub(crate) secret: String,
}

/// The whole state of a MAAS.
#[derive(Clone, Debug)]
pub struct LabMaas {
    pub(crate) version: Version,
    pub(crate) fabrics: BTreeMap<u64, StoredFabric>,
    pub(crate) spaces: BTreeMap<u64, StoredSpace>,
    pub(crate) vlans: BTreeMap<u64, StoredVlan>,
    pub(crate) subnets: BTreeMap<u64, StoredSubnet>,
    pub(crate) ranges: BTreeMap<u64, StoredRange>,
    pub(crate) routes: BTreeMap<u64, StoredRoute>,
    pub(crate) reserved: BTreeMap<u64, StoredReservedIp>,
    pub(crate) addresses: BTreeMap<u64, StoredAddress>,
    pub(crate) dns: BTreeMap<u64, StoredDnsResource>,
    pub(crate) domains: BTreeMap<u64, StoredDomain>,
    pub(crate) nodes: BTreeMap<String, StoredNode>,
    pub(crate) interfaces: BTreeMap<u64, StoredInterface>,
    pub(crate) snippets: BTreeMap<u64, StoredSnippet>,
    pub(crate) users: Vec<StoredUser>,
    /// Changed settings.
    pub(crate) config: BTreeMap<String, serde_json::Value>,
    /// Neighbours that the racks discovered: address and MAC.
    pub(crate) neighbours: Vec<(std::net::IpAddr, String)>,
    /// The domain of new nodes and names.
    pub(crate) default_domain: u64,
    /// Whether racks are connected and have images.
    pub(crate) racks_run: bool,
    /// The next id of each table.
    pub(crate) sequences: BTreeMap<&'static str, u64>,
    /// Used nonces, to refuse a second use.
    pub(crate) nonces: std::collections::BTreeSet<String>,
    /// Successful writes, for tests: method and path.
    pub(crate) writes: Vec<(String, String)>,
}

impl LabMaas {
    /// An empty MAAS with one administrator, `admin`.
    pub fn empty(version: &str) -> Self {
        let mut maas = Self {
            version: Version::read(version),
            fabrics: BTreeMap::new(),
            spaces: BTreeMap::new(),
            vlans: BTreeMap::new(),
            subnets: BTreeMap::new(),
            ranges: BTreeMap::new(),
            routes: BTreeMap::new(),
            reserved: BTreeMap::new(),
            addresses: BTreeMap::new(),
            dns: BTreeMap::new(),
            domains: BTreeMap::from([(DEFAULT_DOMAIN, StoredDomain::new(DEFAULT_DOMAIN, "maas"))]),
            nodes: BTreeMap::new(),
            interfaces: BTreeMap::new(),
            snippets: BTreeMap::new(),
            users: Vec::new(),
            config: BTreeMap::new(),
            neighbours: Vec::new(),
            default_domain: DEFAULT_DOMAIN,
            racks_run: false,
            sequences: BTreeMap::new(),
            nonces: std::collections::BTreeSet::new(),
            writes: Vec::new(),
        };
        maas.sequences.insert("vlan", maas.version.first_vlan_id());
        maas.add_user("admin", true);
        maas
    }

    /// The next id of a table. Ids are never reused.
    pub(crate) fn next(&mut self, table: &'static str) -> u64 {
        let next = self.sequences.entry(table).or_insert(1);
        let id = *next;
        *next += 1;
        id
    }

    /// Adds a user with an API key.
    pub fn add_user(&mut self, name: &str, admin: bool) {
        let key = |part: &str, length: usize| generated(&format!("{part} of {name}"), length);
        self.users.push(StoredUser {
            name: name.to_owned(),
            admin,
            consumer: key("consumer", 18),
            token: key("token", 18),
            secret: key("secret", 32),
        });
    }

    /// The API key of a user: `consumer:token:secret`.
    pub fn api_key(&self, user: &str) -> Option<String> {
        let user = self.users.iter().find(|other| other.name == user)?;
        Some(format!("{}:{}:{}", user.consumer, user.token, user.secret))
    }

    pub fn user_names(&self) -> Vec<String> {
        self.users.iter().map(|user| user.name.clone()).collect()
    }

    /// Successful writes so far: method and path.
    pub fn writes(&self) -> &[(String, String)] {
        &self.writes
    }

    /// The default VLAN of a fabric: the one with the lowest id (3.5.9 maasserver/models/fabric.py:160-163).
    pub(crate) fn default_vlan(&self, fabric: u64) -> Option<u64> {
        self.vlans
            .values()
            .find(|vlan| vlan.fabric == fabric)
            .map(|vlan| vlan.id)
    }

    pub(crate) fn links_of(&self, interface: u64) -> impl Iterator<Item = &StoredAddress> {
        self.addresses
            .values()
            .filter(move |address| address.interface == Some(interface))
    }

    pub(crate) fn interfaces_of<'a>(
        &'a self,
        node: &'a str,
    ) -> impl Iterator<Item = &'a StoredInterface> {
        self.interfaces
            .values()
            .filter(move |interface| interface.node == node)
    }

    pub(crate) fn node_by_host(&self, hostname: &str) -> Option<&StoredNode> {
        self.nodes.values().find(|node| node.hostname == hostname)
    }

    pub(crate) fn node_by_id(&self, id: &str) -> Option<&StoredNode> {
        self.nodes.get(id)
    }
}

/// Letters and digits, derived from the seed.
pub(crate) fn generated(seed: &str, length: usize) -> String {
    use sha2::{Digest as _, Sha256};
    const LETTERS: &[u8] = b"abcdefghkmnpqrstwxyz23456789ABCDEFGHJKLMNPQRSTUVWXYZ";
    let mut out = String::new();
    let mut round = 0_u32;
    while out.len() < length {
        let hash = Sha256::digest(format!("{seed}/{round}").as_bytes());
        out.extend(
            hash.iter()
                .map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()])),
        );
        round += 1;
    }
    out.truncate(length);
    out
}
