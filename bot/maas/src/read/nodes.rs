//! Machines, devices and controllers with their interfaces and links, as API 2.0 spells them. Power parameters are
//! never asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use topology::Cidr;
use topology::object::{Interface, InterfaceKind, Link, Mode, Object, VlanAt};
use topology::observed::{BlindSpot, Node, NodeKind, Seen};

use crate::json::{JsonAt, JsonResult};
use crate::read::network::vlan_at;

/// One node as listed.
#[derive(Clone, Debug)]
pub(crate) struct NodeRow {
    pub(crate) system_id: String,
    pub(crate) host: String,
    fqdn: String,
    pub(crate) kind: NodeKind,
    pub(crate) is_rack: bool,
    status: String,
    boot: Option<String>,
    pub(crate) interfaces: Vec<InterfaceRow>,
}

/// One interface as listed.
#[derive(Clone, Debug)]
pub(crate) struct InterfaceRow {
    pub(crate) id: u64,
    pub(crate) name: String,
    kind: InterfaceKind,
    parents: BTreeSet<String>,
    vlan: Option<VlanAt>,
    links: Vec<LinkRow>,
}

/// A link to a subnet; a bare `link_up` is none.
#[derive(Clone, Debug)]
struct LinkRow {
    id: u64,
    subnet: Cidr,
    mode: Mode,
    address: Option<IpAddr>,
}

pub(crate) fn node_row(at: JsonAt<'_>, kind: NodeKind) -> JsonResult<NodeRow> {
    let status = match kind {
        NodeKind::Machine => at.field("status_name")?.text()?.to_owned(),
        NodeKind::Device => "Device".to_owned(),
        NodeKind::Controller => "Controller".to_owned(),
    };
    let mut interfaces = Vec::new();
    for item in at.field("interface_set")?.list()? {
        interfaces.push(interface_row(item)?);
    }
    let boot = match at.maybe("boot_interface") {
        Some(interface) => Some(interface.field("name")?.text()?.to_owned()),
        None => None,
    };
    Ok(NodeRow {
        system_id: at.field("system_id")?.text()?.to_owned(),
        host: at.field("hostname")?.text()?.to_owned(),
        fqdn: at.field("fqdn")?.text()?.to_owned(),
        kind,
        is_rack: false,
        status,
        boot,
        interfaces,
    })
}

/// One of `rackcontrollers/`.
pub(crate) fn rack_row(at: JsonAt<'_>) -> JsonResult<NodeRow> {
    Ok(NodeRow {
        is_rack: true,
        ..node_row(at, NodeKind::Controller)?
    })
}

pub(crate) fn interface_row(at: JsonAt<'_>) -> JsonResult<InterfaceRow> {
    let kind = match at.field("type")?.text()? {
        "physical" => InterfaceKind::Physical,
        "bond" => InterfaceKind::Bond,
        "bridge" => InterfaceKind::Bridge,
        "vlan" => InterfaceKind::Vlan,
        _ => InterfaceKind::Unknown,
    };
    let mut parents = BTreeSet::new();
    for parent in at.field("parents")?.list()? {
        parents.insert(parent.text()?.to_owned());
    }
    let vlan = match at.nullable("vlan")? {
        Some(vlan) => Some(vlan_at(vlan)?),
        None => None,
    };
    let mut links = Vec::new();
    for item in at.field("links")?.list()? {
        links.extend(link(item)?);
    }
    Ok(InterfaceRow {
        id: at.field("id")?.number()?,
        name: at.field("name")?.text()?.to_owned(),
        kind,
        parents,
        vlan,
        links,
    })
}

fn link(at: JsonAt<'_>) -> JsonResult<Option<LinkRow>> {
    let (id, mode) = (at.field("id")?.number()?, at.field("mode")?);
    let Some(subnet) = at.maybe("subnet") else {
        return Ok(None);
    };
    let address = match at.maybe("ip_address") {
        // An address that was not given yet is also told as an empty text.
        Some(address) if address.text()?.is_empty() => None,
        Some(address) => Some(address.address()?),
        None => None,
    };
    let mode = match mode.text()? {
        "auto" => Mode::Auto,
        "dhcp" => Mode::Dhcp,
        "link_up" => Mode::LinkUp,
        "static" => match address {
            Some(address) => Mode::Static(address),
            None => return Err(mode.fault("a static link without `ip_address`")),
        },
        _ => return Err(mode.fault("none of the four modes of a link")),
    };
    Ok(Some(LinkRow {
        id,
        subnet: subnet.field("cidr")?.cidr()?,
        mode,
        address,
    }))
}

impl NodeRow {
    pub(crate) fn node(&self) -> Node {
        Node {
            system_id: self.system_id.clone(),
            host: self.host.clone(),
            kind: self.kind,
            is_rack: self.is_rack,
            status: self.status.clone(),
            boot: self.boot.clone(),
        }
    }

    /// Whether people may mean this node by `host`.
    pub(crate) fn answers_to(&self, host: &str) -> bool {
        self.host == host || self.fqdn == host
    }

    /// Its interfaces and links as objects.
    pub(crate) fn seen(&self) -> impl Iterator<Item = Seen> {
        self.interfaces.iter().flat_map(|row| row.seen(&self.host))
    }

    /// Subnets that it is linked to without an address so far, with the interface's name.
    pub(crate) fn unaddressed(&self) -> impl Iterator<Item = (Cidr, String)> {
        self.interfaces.iter().flat_map(|row| {
            let bare = row.links.iter().filter(|link| link.address.is_none());
            bare.map(|link| (link.subnet, row.name.clone()))
        })
    }
}

impl InterfaceRow {
    /// The interface and its links as objects.
    pub(crate) fn seen(&self, host: &str) -> Vec<Seen> {
        let interface = Seen {
            id: self.id,
            object: Object::Interface(Interface {
                host: host.to_owned(),
                name: self.name.clone(),
                kind: self.kind,
                parents: self.parents.clone(),
                vlan: self.vlan.clone(),
            }),
        };
        let links = self.links.iter().map(|row| Seen {
            id: row.id,
            object: Object::Link(Link {
                host: host.to_owned(),
                interface: self.name.clone(),
                subnet: row.subnet,
                mode: row.mode,
            }),
        });
        [interface].into_iter().chain(links).collect()
    }
}

/// Nodes that share a host name go by their FQDN; of those that share that too, all but one are told as blind spots.
pub(crate) fn with_unique_hosts(mut rows: Vec<NodeRow>) -> (Vec<NodeRow>, Vec<BlindSpot>) {
    let mut uses: BTreeMap<String, usize> = BTreeMap::new();
    for row in &rows {
        *uses.entry(row.host.clone()).or_default() += 1;
    }
    for row in &mut rows {
        if uses.get(&row.host).is_some_and(|count| *count > 1) {
            row.host.clone_from(&row.fqdn);
        }
    }
    let mut known = BTreeSet::new();
    let mut blind = Vec::new();
    rows.retain(|row| {
        let first = known.insert(row.host.clone());
        if !first {
            blind.push(BlindSpot {
                what: format!("nodes/{}/", row.system_id),
                why: format!("two nodes are called `{}`; rename one", row.host),
            });
        }
        first
    });
    (rows, blind)
}
