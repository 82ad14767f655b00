//! Machines, devices and controllers with their interfaces and links, as API 2.0 spells them. Power parameters, which
//! hold passwords, are never requested.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use topology::Cidr;
use topology::object::{Interface, InterfaceKind, InterfaceSettings, Link, Mode, Object, VlanAt};
use topology::observed::{BlindSpot, Node, NodeKind, Scope, Seen};

use crate::MaasReader;
use crate::json::{JsonAt, JsonResult, each};
use crate::read::network::vlan_at;
use crate::read::settings::settings;
use crate::request::ReadError;
use crate::transport::{MaasRequest, Transport};

/// Host names in one request: nginx stops reading a URL at 8,000 characters.
const HOSTS_PER_REQUEST: usize = 50;

/// A node as listed.
#[derive(Clone, Debug)]
pub(crate) struct NodeRow {
    pub(crate) system_id: String,
    pub(crate) host: String,
    fqdn: String,
    pub(crate) kind: NodeKind,
    pub(crate) is_rack: bool,
    status: String,
    locked: bool,
    boot: Option<String>,
    pub(crate) interfaces: Vec<InterfaceRow>,
}

/// An interface as listed.
#[derive(Clone, Debug)]
pub(crate) struct InterfaceRow {
    pub(crate) id: u64,
    pub(crate) name: String,
    kind: InterfaceKind,
    parents: BTreeSet<String>,
    vlan: Option<VlanAt>,
    settings: InterfaceSettings,
    links: Vec<LinkRow>,
}

/// A link to a subnet. A `link_up` without a subnet is not one.
#[derive(Clone, Debug)]
struct LinkRow {
    id: u64,
    subnet: Cidr,
    mode: Mode,
    address: Option<IpAddr>,
    /// Whether somebody chose it as the default gateway; known only where the whole machine was read.
    chosen: bool,
}

impl<W: Transport> MaasReader<W> {
    /// The nodes in `scope`. Controllers are always read.
    pub(super) async fn node_rows(&self, scope: &Scope) -> Result<Vec<NodeRow>, ReadError> {
        let (racks, regions, machines, devices) = tokio::try_join!(
            self.list("rackcontrollers/", rack_row),
            self.list("regioncontrollers/", |at| node_row(
                at,
                NodeKind::Controller
            )),
            self.machines(scope),
            async {
                if scope.all_nodes {
                    self.list("devices/", |at| node_row(at, NodeKind::Device))
                        .await
                } else {
                    Ok(Vec::new())
                }
            },
        )?;
        let ids = regions.iter().map(|row| row.system_id.clone());
        self.client.remember_regions(ids.collect());
        // A region+rack controller is in both lists; the first list knows that it is a rack.
        let mut rows: BTreeMap<String, NodeRow> = BTreeMap::new();
        for row in racks
            .into_iter()
            .chain(regions)
            .chain(machines)
            .chain(devices)
        {
            rows.entry(row.system_id.clone()).or_insert(row);
        }
        Ok(rows.into_values().collect())
    }

    async fn machines(&self, scope: &Scope) -> Result<Vec<NodeRow>, ReadError> {
        if scope.all_nodes {
            return self
                .list("machines/", |at| node_row(at, NodeKind::Machine))
                .await;
        }
        let mut rows = Vec::new();
        for hosts in scope.machines.chunks(HOSTS_PER_REQUEST) {
            let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
            rows.extend(self.machines_named(&hosts).await?);
        }
        Ok(rows)
    }

    /// The machines with those host names. Of a name with a domain only the first label is sent.
    pub(crate) async fn machines_named(&self, hosts: &[&str]) -> Result<Vec<NodeRow>, ReadError> {
        let mut request = MaasRequest::get("machines/");
        for host in hosts {
            let name = host.split('.').next().unwrap_or_default();
            request = request.with_query("hostname", name);
        }
        let body = self.client.read(&request).await?;
        each(&request, &body, |at| node_row(at, NodeKind::Machine))
    }
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
    let chosen = chosen_links(at)?;
    for link in interfaces.iter_mut().flat_map(|row| &mut row.links) {
        link.chosen = chosen.contains(&link.id);
    }
    let boot = match at.optional("boot_interface") {
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
        locked: match at.optional("locked") {
            Some(locked) => locked.flag()?,
            None => false,
        },
        boot,
        interfaces,
    })
}

/// The links that were chosen as default gateways. MAAS shows a gateway that it picked itself without a link.
fn chosen_links(at: JsonAt<'_>) -> JsonResult<Vec<u64>> {
    let mut chosen = Vec::new();
    let Some(gateways) = at.optional("default_gateways") else {
        return Ok(chosen);
    };
    for family in ["ipv4", "ipv6"] {
        let family = gateways.optional(family);
        if let Some(link) = family
            .as_ref()
            .and_then(|family| family.optional("link_id"))
        {
            chosen.push(link.number()?);
        }
    }
    Ok(chosen)
}

/// A node of `rackcontrollers/`.
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
        settings: settings(at, kind)?,
        links,
    })
}

fn link(at: JsonAt<'_>) -> JsonResult<Option<LinkRow>> {
    let (id, mode) = (at.field("id")?.number()?, at.field("mode")?);
    let Some(subnet) = at.optional("subnet") else {
        return Ok(None);
    };
    let address = match at.optional("ip_address") {
        // An address that is not allocated yet may also be an empty string.
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
        _ => return Err(mode.fault("not one of a link's four modes")),
    };
    Ok(Some(LinkRow {
        id,
        subnet: subnet.field("cidr")?.cidr()?,
        mode,
        address,
        chosen: false,
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
            locked: self.locked,
            boot: self.boot.clone(),
        }
    }

    /// Whether `host` is its host name or its FQDN.
    pub(crate) fn is_named(&self, host: &str) -> bool {
        self.host == host || self.fqdn == host
    }

    /// Its interfaces and links as objects.
    pub(crate) fn seen(&self) -> impl Iterator<Item = Seen> {
        self.interfaces.iter().flat_map(|row| row.seen(&self.host))
    }

    /// Subnets that it is linked to without an address yet, with the interface's name.
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
                settings: self.settings.clone(),
            }),
        };
        let links = self.links.iter().map(|row| Seen {
            id: row.id,
            object: Object::Link(Link {
                host: host.to_owned(),
                interface: self.name.clone(),
                subnet: row.subnet,
                mode: row.mode,
                default_gateway: row.chosen,
            }),
        });
        [interface].into_iter().chain(links).collect()
    }
}

/// Gives nodes that share a host name their FQDN instead. Of those that share that too, all but one become blind spots.
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
