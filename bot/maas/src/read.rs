//! Observing: everything that a plan is based on, in as few requests as MAAS's API allows.
//!
//! The lists embed what they refer to, so nothing is read in two forms: `fabrics/` has all VLANs and the names of their
//! spaces; `spaces/` and `machines/` are read only when the scope asks for them. Must not know why MAAS is observed.

mod assemble;
mod consistency;
mod elsewhere;
mod network;
mod nodes;
mod occupants;
mod settings;
mod snippets;

use std::collections::BTreeMap;

use topology::Cidr;
use topology::object::Key;
use topology::observed::{BlindSpot, Observed, Occupant, Scope, Seen};
use topology::version::MaasVersion;

use assemble::{Gathered, NetworkLists};
pub(crate) use network::{Fabrics, range, reserved_ip, route, space, subnet};
pub(crate) use nodes::{InterfaceRow, NodeRow, interface_row, node_row};
pub(crate) use snippets::{SnippetRow, snippet};

use crate::MaasReader;
use crate::json::{JsonAt, JsonResult, each, one};
use crate::request::{Cause, ReadError, read_error};
use crate::transport::{MaasRequest, Transport};

/// A change that happened between two lists is complete in a second reading. An inconsistency that remains is not a change.
const READINGS_MAX: u32 = 2;

impl<W: Transport> MaasReader<W> {
    /// Reads everything in `scope` from MAAS.
    ///
    /// 9 requests (8 before MAAS 3.6), plus one per subnet in `scope.occupants`, two for `all_nodes` or one per 50
    /// `machines`, one each for `all_spaces` and `snippets`, two for `elsewhere`, five for `settings`.
    pub async fn observe(&self, scope: &Scope) -> Result<Observed, ReadError> {
        let mut readings = 0;
        loop {
            readings += 1;
            let gathered = self.gather(scope).await?;
            let Some((key, lost)) = consistency::dangling_reference(&gathered.observed.objects)
            else {
                return self.with_occupants(gathered, scope).await;
            };
            if readings == READINGS_MAX {
                let message = format!("`{key}` needs `{lost}`, which is not listed");
                return Err(read_error(
                    &list_of(&lost),
                    Cause::InconsistentLists(message),
                ));
            }
        }
    }

    /// One reading of every list in `scope`.
    async fn gather(&self, scope: &Scope) -> Result<Reading, ReadError> {
        let at = (self.client.environment.now)();
        let (version, not_admin) = tokio::try_join!(self.version(), self.whoami())?;
        let (network, rows, spaces) = tokio::try_join!(
            Box::pin(self.network(version.has_reserved_ips())),
            Box::pin(self.node_rows(scope)),
            self.spaces(scope.all_spaces),
        )?;
        let mut gathered = Gathered::default();
        gathered.blind.extend(not_admin);
        gathered.add_network(&network, spaces);
        gathered.add_nodes(rows);
        let loose_snippets = if scope.snippets {
            let rows = self.list("dhcp-snippets/", snippet).await?;
            let (on_subnets, others) = snippets::split_by_key(rows);
            for seen in on_subnets {
                gathered.add("dhcp-snippets/", seen);
            }
            Some(others)
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

    /// The reading, with the occupants of the subnets in `scope`.
    async fn with_occupants(&self, reading: Reading, scope: &Scope) -> Result<Observed, ReadError> {
        let mut observed = reading.observed;
        self.client.remember_all(&observed);
        observed.occupants = self.all_occupants(&observed, scope).await?;
        // MAAS refuses these to a user who is not an administrator. The blind spot of such a user stops the plan anyway.
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

    /// MAAS's release, and what the API key's user cannot see.
    pub async fn version_and_access(&self) -> Result<(MaasVersion, Option<BlindSpot>), ReadError> {
        tokio::try_join!(self.version(), self.whoami())
    }

    async fn version(&self) -> Result<MaasVersion, ReadError> {
        let request = MaasRequest::get("version/");
        let body = self.client.read(&request).await?;
        one(&request, &body, |at| {
            Ok(MaasVersion::read(at.field("version")?.text()?))
        })
    }

    /// What the API key's user cannot see: MAAS omits controllers and other users' machines without an error.
    async fn whoami(&self) -> Result<Option<BlindSpot>, ReadError> {
        let request = MaasRequest::get("users/").with_query("op", "whoami");
        let body = self.client.read(&request).await?;
        one(&request, &body, |at| {
            let admin = at.field("is_superuser")?.flag()?;
            let name = at.field("username")?.text()?.to_owned();
            Ok((!admin).then(|| BlindSpot {
                what: "rackcontrollers/".to_owned(),
                why: format!(
                    "the API key belongs to `{name}`, who is not an administrator: MAAS hides controllers and some machines from such a user"
                ),
            }))
        })
    }

    async fn network(&self, has_reserved_ips: bool) -> Result<NetworkLists, ReadError> {
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
        Ok(NetworkLists {
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
        read: impl FnMut(JsonAt<'_>) -> JsonResult<T>,
    ) -> Result<Vec<T>, ReadError> {
        let request = MaasRequest::get(path);
        let body = self.client.read(&request).await?;
        each(&request, &body, read)
    }

    /// Every space with its row number, if `wanted`.
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
}

/// One reading of the lists.
struct Reading {
    observed: Observed,
    /// Links without an address, by subnet: they are in no list of addresses.
    unaddressed: Vec<(Cidr, Occupant)>,
}

/// The list that should have that object.
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
