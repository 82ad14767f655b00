//! Rows of nodes and their interfaces. It must not know requests.

use super::DEFAULT_DOMAIN;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum NodeType {
    Machine = 0,
    Device = 1,
    Rack = 2,
    Region = 3,
    RegionRack = 4,
}

#[expect(
    clippy::use_self,
    reason = "the kinds of nodes are found by their full names"
)]
impl NodeType {
    pub(crate) fn is_controller(self) -> bool {
        matches!(
            self,
            NodeType::Rack | NodeType::Region | NodeType::RegionRack
        )
    }

    pub(crate) fn is_rack(self) -> bool {
        matches!(self, NodeType::Rack | NodeType::RegionRack)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "they are MAAS's own columns")]
pub(crate) struct StoredNode {
    /// Nodes are listed by it.
    pub(crate) number: u64,
    pub(crate) system_id: String,
    pub(crate) hostname: String,
    pub(crate) domain: u64,
    pub(crate) description: String,
    pub(crate) kind: NodeType,
    pub(crate) status: String,
    pub(crate) previous_status: String,
    pub(crate) owner: Option<String>,
    pub(crate) power_type: String,
    pub(crate) power_on: bool,
    /// The id of its BMC, if it has one.
    pub(crate) bmc: Option<u64>,
    pub(crate) locked: bool,
    pub(crate) osystem: String,
    pub(crate) distro_series: String,
    pub(crate) boot_interface: Option<u64>,
    pub(crate) gateway_v4: Option<u64>,
    pub(crate) gateway_v6: Option<u64>,
    /// Whether it was ever commissioned: decides the status after a release.
    pub(crate) commissioned: bool,
    /// Since when it is being deployed, commissioned, released or rescued, in seconds since 1970.
    pub(crate) busy_since: Option<i64>,
    /// Whether the commissioning under way leaves its networking alone.
    pub(crate) skip_networking: bool,
    /// The status to which it returns from rescue mode.
    pub(crate) rescued_from: Option<String>,
}

impl StoredNode {
    /// A node without interfaces, owner and power.
    pub(crate) fn new(system_id: &str, hostname: &str, kind: NodeType) -> Self {
        Self {
            number: 0,
            system_id: system_id.to_owned(),
            hostname: hostname.to_owned(),
            domain: DEFAULT_DOMAIN,
            description: String::new(),
            kind,
            status: "Ready".to_owned(),
            previous_status: String::new(),
            owner: None,
            power_type: String::new(),
            power_on: false,
            bmc: None,
            locked: false,
            osystem: String::new(),
            distro_series: String::new(),
            boot_interface: None,
            gateway_v4: None,
            gateway_v6: None,
            commissioned: false,
            busy_since: None,
            skip_networking: false,
            rescued_from: None,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredInterface {
    pub(crate) id: u64,
    pub(crate) node: String,
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) mac: String,
    pub(crate) vlan: Option<u64>,
    pub(crate) parents: Vec<u64>,
    /// MTU and `accept-ra`, if it has its own; the parameters of a bond or bridge.
    pub(crate) params: serde_json::Map<String, serde_json::Value>,
    pub(crate) tags: Vec<String>,
    pub(crate) enabled: bool,
    /// Whether its link is up, with its speeds in Mbit/s: of the interface, of the link.
    pub(crate) link_connected: bool,
    pub(crate) speeds: (u64, u64),
    /// A bridge that was made while its machine was allocated.
    pub(crate) acquired: bool,
}

impl StoredNode {
    /// MAAS's word for what it knows of a machine's power.
    pub(crate) fn power_state(&self) -> &'static str {
        match (self.power_type.as_str(), self.power_on) {
            ("manual" | "", _) => "unknown",
            (_, true) => "on",
            (_, false) => "off",
        }
    }
}

impl StoredInterface {
    /// An enabled interface without VLAN, parents and id.
    pub(crate) fn new(node: &str, name: &str, kind: &str, mac: &str) -> Self {
        Self {
            id: 0,
            node: node.to_owned(),
            name: name.to_owned(),
            kind: kind.to_owned(),
            mac: mac.to_owned(),
            vlan: None,
            parents: Vec::new(),
            params: crate::maas::interface::default_params(kind),
            tags: Vec::new(),
            enabled: true,
            link_connected: true,
            speeds: if kind == "physical" {
                (1000, 1000)
            } else {
                (0, 0)
            },
            acquired: false,
        }
    }

    /// Its own MTU, if it has one.
    pub(crate) fn mtu(&self) -> Option<u64> {
        self.params.get("mtu").and_then(serde_json::Value::as_u64)
    }
}
