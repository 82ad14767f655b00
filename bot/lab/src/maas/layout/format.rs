//! The JSON format of layout files. Nothing is checked here beyond types.

use std::net::IpAddr;

use serde::Deserialize;

#[derive(Deserialize)]
pub(super) struct LayoutFile {
    pub(super) version: Option<String>,
    pub(super) fabrics: Vec<LayoutFabric>,
    #[serde(default)]
    pub(super) spaces: Vec<String>,
    #[serde(default)]
    pub(super) machines: Vec<LayoutNode>,
    #[serde(default)]
    pub(super) devices: Vec<LayoutNode>,
    #[serde(default)]
    pub(super) controllers: Vec<LayoutNode>,
    #[serde(default)]
    pub(super) dns_records: Vec<LayoutDns>,
    #[serde(default)]
    pub(super) users: Vec<LayoutUser>,
    #[serde(default)]
    pub(super) snippets: Vec<LayoutSnippet>,
}

#[derive(Deserialize)]
pub(super) struct LayoutFabric {
    pub(super) name: String,
    pub(super) class_type: Option<String>,
    pub(super) mtu: Option<u32>,
    pub(super) vlans: Vec<LayoutVlan>,
}

#[derive(Deserialize)]
pub(super) struct LayoutVlan {
    pub(super) vid: u16,
    pub(super) name: Option<String>,
    pub(super) mtu: Option<u32>,
    pub(super) space: Option<String>,
    #[serde(default)]
    pub(super) dhcp: bool,
    pub(super) primary_rack: Option<String>,
    pub(super) secondary_rack: Option<String>,
    pub(super) relay: Option<LayoutRelay>,
    #[serde(default)]
    pub(super) subnets: Vec<LayoutSubnet>,
    /// Not in the schema: the fabric's default VLAN, although it is not VID 0. Comes before the other VLANs.
    #[serde(default)]
    pub(super) default: bool,
}

#[derive(Deserialize)]
pub(super) struct LayoutRelay {
    pub(super) fabric: String,
    pub(super) vid: u16,
}

#[derive(Deserialize)]
pub(super) struct LayoutSubnet {
    pub(super) cidr: String,
    pub(super) name: Option<String>,
    pub(super) gateway: Option<String>,
    #[serde(default)]
    pub(super) dns: Vec<IpAddr>,
    pub(super) managed: Option<bool>,
    pub(super) allow_dns: Option<bool>,
    pub(super) allow_proxy: Option<bool>,
    pub(super) active_discovery: Option<bool>,
    pub(super) rdns_mode: Option<u8>,
    #[serde(default)]
    pub(super) disabled_boot_architectures: Vec<String>,
    #[serde(default)]
    pub(super) description: String,
    #[serde(default)]
    pub(super) ranges: Vec<LayoutRange>,
    #[serde(default)]
    pub(super) routes: Vec<LayoutRoute>,
    #[serde(default)]
    pub(super) reserved_ips: Vec<LayoutReserved>,
    #[serde(default)]
    pub(super) addresses: Vec<LayoutAddress>,
    #[serde(default)]
    pub(super) snippets: Vec<LayoutSnippet>,
}

#[derive(Deserialize)]
pub(super) struct LayoutRange {
    pub(super) r#type: String,
    pub(super) start: IpAddr,
    pub(super) end: IpAddr,
    pub(super) comment: Option<String>,
    pub(super) owner: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct LayoutRoute {
    pub(super) destination: String,
    pub(super) gateway: IpAddr,
    pub(super) metric: Option<u32>,
}

#[derive(Deserialize)]
pub(super) struct LayoutReserved {
    pub(super) ip: IpAddr,
    pub(super) mac: String,
    pub(super) comment: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct LayoutAddress {
    pub(super) ip: IpAddr,
    pub(super) kind: String,
    pub(super) owner: Option<String>,
    pub(super) mac: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct LayoutNode {
    pub(super) hostname: String,
    /// Not in the schema: set by rehearsals, so that VLANs name their racks as the real MAAS does.
    pub(super) system_id: Option<String>,
    pub(super) status: Option<String>,
    pub(super) owner: Option<String>,
    pub(super) bmc: Option<LayoutBmc>,
    pub(super) kind: Option<String>,
    #[serde(default)]
    pub(super) interfaces: Vec<LayoutInterface>,
}

#[derive(Deserialize)]
pub(super) struct LayoutBmc {
    pub(super) r#type: Option<String>,
    pub(super) address: Option<IpAddr>,
}

#[derive(Deserialize)]
pub(super) struct LayoutInterface {
    pub(super) name: String,
    pub(super) r#type: Option<String>,
    pub(super) mac: Option<String>,
    pub(super) mtu: Option<u32>,
    #[serde(default)]
    pub(super) parents: Vec<String>,
    pub(super) fabric: Option<String>,
    pub(super) vlan: Option<u16>,
    pub(super) enabled: Option<bool>,
    pub(super) bond_mode: Option<String>,
    #[serde(default)]
    pub(super) links: Vec<LayoutLink>,
}

#[derive(Deserialize)]
pub(super) struct LayoutLink {
    pub(super) subnet: Option<String>,
    pub(super) mode: String,
    pub(super) ip: Option<IpAddr>,
    #[serde(default)]
    pub(super) default_gateway: bool,
}

#[derive(Deserialize)]
pub(super) struct LayoutDns {
    pub(super) name: String,
    pub(super) r#type: String,
    pub(super) data: String,
}

#[derive(Deserialize)]
pub(super) struct LayoutSnippet {
    pub(super) name: String,
    pub(super) value: String,
    #[serde(default)]
    pub(super) description: String,
    pub(super) enabled: Option<bool>,
    /// For a snippet of a subnet: the first address of the range that it applies to.
    pub(super) range: Option<IpAddr>,
    /// For a snippet without a subnet: the host name of the node that it applies to.
    pub(super) node: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct LayoutUser {
    pub(super) name: String,
    #[serde(default)]
    pub(super) admin: bool,
}
