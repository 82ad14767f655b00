//! Observing: everything that a plan stands on, in as few requests as MAAS's API allows.
//!
//! The lists embed what they point to, so nothing is read in two shapes: `fabrics/` holds all VLANs and the names of
//! their spaces; `spaces/` and `machines/` are read only when the scope says so. Must not know why it is asked.

mod elsewhere;
mod fitting;
mod network;
mod nodes;
mod occupants;
mod snippets;

use std::collections::BTreeMap;

use topology::object::{Key, Object, Space};
use topology::observed::{BlindSpot, NodeKind, Observed, Occupant, Scope, Seen};
use topology::version::MaasVersion;
use topology::{Cidr, observed::Holder};

pub(crate) use network::{Fabrics, range, reserved_ip, route, space, subnet};
use nodes::rack_row;
pub(crate) use nodes::{InterfaceRow, NodeRow, interface_row, node_row};
pub(crate) use snippets::{SnippetRow, snippet};

use crate::MaasReader;
use crate::ask::{Cause, ReadError, blind};
use crate::json::{each, one};
use crate::transport::{MaasRequest, Transport};

/// Host names in one request: a URL of 8,000 characters is where nginx stops reading.
const HOSTS_PER_REQUEST: usize = 50;

/// A change that fell between two lists is over when they are read once more; what still does not fit then is no change.
const READINGS_MAX: u32 = 2;

impl<W: Transport> MaasReader<W> {
    /// Asks MAAS for everything in `scope`.
    ///
    /// 9 requests (8 before MAAS 3.6), plus one per subnet in `scope.occupants`, two for `all_nodes` or one per 50
    /// `machines`, one each for `all_spaces` and `snippets`, two for `elsewhere`, five for `settings`.
    pub async fn observe(&self, scope: &Scope) -> Result<Observed, ReadError> {
        let mut readings = 0;
        loop {
            readings += 1;
            let gathered = self.gather(scope).await?;
            let Some((key, lost)) = fitting::unfit(&gathered.observed.objects) else {
                return self.inhabited(gathered, scope).await;
            };
            if readings == READINGS_MAX {
                let words = format!("`{key}` needs `{lost}`, which is not listed");
                return Err(blind(&list_of(&lost), Cause::UnreadableEntry(words)));
            }
        }
    }

    /// One reading of every list in `scope`.
    async fn gather(&self, scope: &Scope) -> Result<Reading, ReadError> {
        let at = (self.client.outside.now)();
        let (version, reader) = tokio::try_join!(self.version(), self.reader())?;
        let (network, rows, spaces) = tokio::try_join!(
            Box::pin(self.network(version.has_reserved_ips())),
            Box::pin(self.node_rows(scope)),
            self.spaces(scope.all_spaces),
        )?;
        let mut gathered = Gathered::default();
        gathered.blind.extend(reader);
        gathered.take_network(&network, spaces);
        gathered.take_nodes(rows);
        let loose_snippets = if scope.snippets {
            let rows = self.list("dhcp-snippets/", snippet).await?;
            let (hung, loose) = snippets::told_apart(rows);
            for seen in hung {
                gathered.put("dhcp-snippets/", seen);
            }
            Some(loose)
        } else {
            None
        };
        let observed = Observed {
            at,
            version,
            default_vlans: network.fabrics.defaults(),
            objects: gathered.objects,
            nodes: gathered.nodes,
            all_nodes: scope.all_nodes,
            occupants: BTreeMap::new(),
            loose_snippets,
            elsewhere: None,
            settings: None,
            all_spaces: scope.all_spaces,
            blind: gathered.blind,
        };
        Ok(Reading {
            observed,
            unaddressed: gathered.unaddressed,
        })
    }

    /// The reading, with who lives on the subnets in `scope`.
    async fn inhabited(&self, reading: Reading, scope: &Scope) -> Result<Observed, ReadError> {
        let mut observed = reading.observed;
        self.client.remember_all(&observed);
        observed.occupants = self.all_occupants(&observed, scope).await?;
        // Who is no administrator is refused all of this, and the plan with it: a blind spot says so.
        if scope.elsewhere && observed.blind.is_empty() {
            observed.elsewhere = Some(Box::pin(self.elsewhere(&observed)).await?);
        }
        if scope.settings && observed.blind.is_empty() {
            observed.settings = Some(Box::pin(self.settings()).await?);
        }
        for (cidr, occupant) in reading.unaddressed {
            if let Some(occupants) = observed.occupants.get_mut(&cidr) {
                occupants.push(occupant);
            }
        }
        for occupants in observed.occupants.values_mut() {
            occupants.sort();
            occupants.dedup();
        }
        Ok(observed)
    }

    /// Who lives on that subnet now: addresses of nodes, baseboard controllers, DNS names and users, asked afresh. A
    /// link without an address yet (AUTO of a machine that is not deployed) is no row there; look at the links for it.
    pub async fn occupants(&self, cidr: &Cidr) -> Result<Vec<Occupant>, ReadError> {
        let Some(seen) = self.find_subnet(*cidr).await? else {
            return Ok(Vec::new());
        };
        let mut occupants = self.occupants_of(seen.id, &BTreeMap::new()).await?;
        occupants.sort();
        occupants.dedup();
        Ok(occupants)
    }

    /// Which release answers, and what its API key's user cannot see.
    pub async fn introduced(&self) -> Result<(MaasVersion, Option<BlindSpot>), ReadError> {
        tokio::try_join!(self.version(), self.reader())
    }

    async fn version(&self) -> Result<MaasVersion, ReadError> {
        let request = MaasRequest::get("version/");
        let body = self.client.read(&request).await?;
        one(&request, &body, |at| {
            Ok(MaasVersion::read(at.field("version")?.text()?))
        })
    }

    /// What the API key's user cannot see: MAAS leaves out controllers and others' machines without a word.
    async fn reader(&self) -> Result<Option<BlindSpot>, ReadError> {
        let request = MaasRequest::get("users/").asking("op", "whoami");
        let body = self.client.read(&request).await?;
        one(&request, &body, |at| {
            let admin = at.field("is_superuser")?.flag()?;
            let name = at.field("username")?.text()?.to_owned();
            Ok((!admin).then(|| BlindSpot {
                what: "rackcontrollers/".to_owned(),
                why: format!(
                    "the API key belongs to `{name}`, who is no administrator: MAAS shows such a user no controllers and not all machines"
                ),
            }))
        })
    }

    async fn network(&self, has_reserved_ips: bool) -> Result<Network, ReadError> {
        let (fabrics, subnets, ranges, routes, reserved_ips) = tokio::try_join!(
            self.fabrics(),
            self.list("subnets/", subnet),
            self.list("ipranges/", range),
            self.list("static-routes/", route),
            async {
                if has_reserved_ips {
                    self.list("reservedips/", reserved_ip).await
                } else {
                    Ok(Vec::new())
                }
            },
        )?;
        Ok(Network {
            fabrics,
            lists: [
                ("subnets/", subnets),
                ("ipranges/", ranges),
                ("static-routes/", routes),
                ("reservedips/", reserved_ips),
            ],
        })
    }

    pub(crate) async fn fabrics(&self) -> Result<Fabrics, ReadError> {
        let request = MaasRequest::get("fabrics/");
        let body = self.client.read(&request).await?;
        Fabrics::read(&request, &body)
    }

    pub(crate) async fn list<T>(
        &self,
        path: &str,
        read: impl FnMut(crate::json::JsonAt<'_>) -> crate::json::JsonResult<T>,
    ) -> Result<Vec<T>, ReadError> {
        let request = MaasRequest::get(path);
        let body = self.client.read(&request).await?;
        each(&request, &body, read)
    }

    /// Every space with its row number, when they matter.
    pub(crate) async fn spaces(&self, wanted: bool) -> Result<Vec<Seen>, ReadError> {
        if !wanted {
            return Ok(Vec::new());
        }
        Ok(self
            .list("spaces/", space)
            .await?
            .into_iter()
            .flatten()
            .collect())
    }

    async fn node_rows(&self, scope: &Scope) -> Result<Vec<NodeRow>, ReadError> {
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
        // A region+rack controller is in both lists; the first one says that it is a rack.
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

    /// The machines with those host names; a name with a domain is asked by its first part.
    pub(crate) async fn machines_named(&self, hosts: &[&str]) -> Result<Vec<NodeRow>, ReadError> {
        let mut request = MaasRequest::get("machines/");
        for host in hosts {
            let name = host.split('.').next().unwrap_or_default();
            request = request.asking("hostname", name);
        }
        let body = self.client.read(&request).await?;
        each(&request, &body, |at| node_row(at, NodeKind::Machine))
    }

    async fn all_occupants(
        &self,
        observed: &Observed,
        scope: &Scope,
    ) -> Result<BTreeMap<Cidr, Vec<Occupant>>, ReadError> {
        let hosts: BTreeMap<&str, &str> = observed
            .nodes
            .values()
            .map(|node| (node.system_id.as_str(), node.host.as_str()))
            .collect();
        let (evens, odds): (Vec<_>, Vec<_>) = scope
            .occupants
            .iter()
            .enumerate()
            .partition(|(index, _)| index % 2 == 0);
        let asking = |half: Vec<(usize, &Cidr)>| {
            let (hosts, half): (_, Vec<Cidr>) =
                (&hosts, half.into_iter().map(|(_, cidr)| *cidr).collect());
            async move {
                let mut found = Vec::new();
                for cidr in half {
                    let occupants = match observed.id(&Key::Subnet(cidr)) {
                        Some(id) => self.occupants_of(id, hosts).await?,
                        None => Vec::new(),
                    };
                    found.push((cidr, occupants));
                }
                Ok::<_, ReadError>(found)
            }
        };
        let (mut found, others) = tokio::try_join!(asking(evens), asking(odds))?;
        found.extend(others);
        Ok(found.into_iter().collect())
    }

    async fn occupants_of(
        &self,
        subnet: u64,
        hosts: &BTreeMap<&str, &str>,
    ) -> Result<Vec<Occupant>, ReadError> {
        // With its summary (the default), since only that names the node, the BMC, the DNS name.
        let request = MaasRequest::get(format!("subnets/{subnet}/")).asking("op", "ip_addresses");
        let body = self.client.read(&request).await?;
        let remembered = |system_id: &str| {
            let told = hosts.get(system_id).map(|host| (*host).to_owned());
            told.or_else(|| self.client.host_of(system_id))
        };
        let lists = each(&request, &body, |at| occupants::occupants(at, &remembered))?;
        Ok(lists.into_iter().flatten().collect())
    }
}

/// What the lists said.
struct Reading {
    observed: Observed,
    /// Links without an address, by subnet: no list of addresses has them.
    unaddressed: Vec<(Cidr, Occupant)>,
}

/// The list that would have that object.
fn list_of(key: &Key) -> MaasRequest {
    MaasRequest::get(match key {
        Key::Vlan(_) | Key::Fabric(_) => "fabrics/",
        Key::Space(_) => "spaces/",
        Key::Subnet(_) => "subnets/",
        Key::Range(..) => "ipranges/",
        Key::Route(..) => "static-routes/",
        Key::ReservedIp(_) => "reservedips/",
        Key::Interface(..) | Key::Link(..) => "machines/",
        Key::Snippet(..) => "dhcp-snippets/",
    })
}

struct Network {
    fabrics: Fabrics,
    lists: [(&'static str, Vec<Seen>); 4],
}

/// Objects on their way into an observation.
#[derive(Default)]
struct Gathered {
    objects: BTreeMap<Key, Seen>,
    nodes: BTreeMap<String, topology::observed::Node>,
    unaddressed: Vec<(Cidr, Occupant)>,
    blind: Vec<BlindSpot>,
}

impl Gathered {
    fn take_network(&mut self, network: &Network, spaces: Vec<Seen>) {
        for seen in spaces {
            self.put("spaces/", seen);
        }
        for seen in network.fabrics.seen() {
            self.put("fabrics/", seen);
        }
        for vlan in network.fabrics.vlans() {
            let Some(name) = &vlan.space else { continue };
            // Without `spaces/` the row number is not told; 0 is no row's.
            self.objects
                .entry(Key::Space(name.clone()))
                .or_insert_with(|| Seen {
                    id: 0,
                    object: Object::Space(Space { name: name.clone() }),
                });
        }
        for (list, rows) in &network.lists {
            for seen in rows {
                self.put(list, seen.clone());
            }
        }
    }

    fn take_nodes(&mut self, rows: Vec<NodeRow>) {
        let (rows, doubled) = nodes::with_unique_hosts(rows);
        self.blind.extend(doubled);
        for row in rows {
            let node = row.node();
            for seen in row.seen() {
                self.put("interfaces", seen);
            }
            for (cidr, interface) in row.unaddressed() {
                let holder = Holder::Node {
                    host: node.host.clone(),
                    kind: node.kind,
                    interface: Some(interface),
                };
                self.unaddressed.push((cidr, Occupant { ip: None, holder }));
            }
            self.nodes.insert(node.host.clone(), node);
        }
    }

    /// Two rows that are the same object by its key cannot be told apart by a plan, so that is said, not hidden.
    fn put(&mut self, list: &str, seen: Seen) {
        let key = seen.object.key();
        if let Some(first) = self.objects.get(&key) {
            self.blind.push(BlindSpot {
                what: list.to_owned(),
                why: format!(
                    "MAAS has `{key}` twice (rows {} and {}); delete one by hand",
                    first.id, seen.id
                ),
            });
            return;
        }
        self.objects.insert(key, seen);
    }
}
