//! A look: the cheapest fresh read that decides whether given objects exist in MAAS.
//!
//! With a cached row number a look is one small request; the response counts only when it is still the intended object.
//! Without one, the small per-subnet reads come before the big lists (`ipranges/` took 52 s with 10,000 ranges, one
//! subnet's `reserved_ip_ranges` 0.03 s). Must not know why somebody looks.

use std::collections::BTreeMap;

use topology::Cidr;
use topology::address::Range;
use topology::object::{Key, Object};
use topology::observed::{NodeKind, Seen};
use topology::version::MaasVersion;

use crate::MaasReader;
use crate::json::{JsonAt, JsonResult, each, one};
use crate::read::{
    InterfaceRow, NodeRow, SnippetRow, interface_row, node_row, range, reserved_ip, route, snippet,
    subnet,
};
use crate::request::{Cause, ReadError, read_error};
use crate::transport::{MaasRequest, Transport};

/// A node found by name, with its present interfaces.
pub(crate) struct FoundNode {
    pub(crate) system_id: String,
    pub(crate) kind: NodeKind,
    pub(crate) interfaces: Vec<InterfaceRow>,
}

/// The keys of one look, grouped by the request that answers for them.
#[derive(Default)]
struct KeysByRequest<'a> {
    network: Vec<&'a Key>,
    subnets: Vec<(&'a Key, Cidr)>,
    ranges: Vec<(&'a Key, Cidr, Range)>,
    routes: Vec<&'a Key>,
    reserved: Vec<&'a Key>,
    snippets: Vec<&'a Key>,
    nodes: BTreeMap<&'a str, Vec<&'a Key>>,
}

impl<'a> KeysByRequest<'a> {
    fn of(keys: &'a [Key]) -> Self {
        let mut groups = Self::default();
        for key in keys {
            match key {
                Key::Space(_) | Key::Fabric(_) | Key::Vlan(_) => groups.network.push(key),
                Key::Subnet(cidr) => groups.subnets.push((key, *cidr)),
                Key::Range(cidr, range) => groups.ranges.push((key, *cidr, *range)),
                Key::Route(..) => groups.routes.push(key),
                Key::ReservedIp(_) => groups.reserved.push(key),
                Key::Snippet(..) => groups.snippets.push(key),
                Key::Interface(host, _) | Key::Link(host, ..) => {
                    groups.nodes.entry(host).or_default().push(key);
                }
            }
        }
        groups
    }
}

impl<W: Transport> MaasReader<W> {
    /// What MAAS has now under each of `keys`; `None` where it has nothing. A space in use has row 0.
    pub async fn look(&self, keys: &[Key]) -> Result<BTreeMap<Key, Option<Seen>>, ReadError> {
        let groups = KeysByRequest::of(keys);
        let mut found: BTreeMap<Key, Option<Seen>> =
            keys.iter().map(|key| (key.clone(), None)).collect();
        let mut take = |seen: Seen| {
            if let Some(slot) = found.get_mut(&seen.object.key()) {
                slot.get_or_insert(seen);
            }
        };
        if !groups.network.is_empty() {
            self.network_now(&groups.network)
                .await?
                .into_iter()
                .for_each(&mut take);
        }
        for (_, cidr) in groups.subnets {
            self.find_subnet(cidr)
                .await?
                .into_iter()
                .for_each(&mut take);
        }
        for (key, cidr, range) in groups.ranges {
            let seen = self.find_range(key, cidr, range).await?;
            seen.into_iter().for_each(&mut take);
        }
        if !groups.routes.is_empty() {
            let routes = self.list("static-routes/", route).await?;
            routes.into_iter().for_each(&mut take);
        }
        if !groups.reserved.is_empty() && self.has_reserved_ips().await? {
            let reserved = self.list("reservedips/", reserved_ip).await?;
            reserved.into_iter().for_each(&mut take);
        }
        if !groups.snippets.is_empty() {
            for row in self.list("dhcp-snippets/", snippet).await? {
                match row {
                    SnippetRow::OnSubnet(seen) => take(seen),
                    SnippetRow::Other(_) => {}
                }
            }
        }
        for host in groups.nodes.keys() {
            let Some(node) = self.find_node(host).await? else {
                continue;
            };
            let rows = node.interfaces.iter();
            rows.flat_map(|row| row.seen(host)).for_each(&mut take);
        }
        Ok(found)
    }

    /// Fabrics and VLANs, and the spaces among `keys`: from `fabrics/` when a VLAN is in them, else from the slow
    /// `spaces/`.
    async fn network_now(&self, keys: &[&Key]) -> Result<Vec<Seen>, ReadError> {
        let fabrics = self.fabrics().await?;
        let mut seen: Vec<Seen> = fabrics.seen().collect();
        let mut needs_list = false;
        for key in keys {
            let Key::Space(name) = key else { continue };
            if fabrics
                .vlans()
                .any(|vlan| vlan.space.as_ref() == Some(name))
            {
                let object = Object::Space(topology::object::Space { name: name.clone() });
                seen.push(Seen { id: 0, object });
            } else {
                needs_list = true;
            }
        }
        seen.extend(self.spaces(needs_list).await?);
        Ok(seen)
    }

    /// The subnet with exactly that CIDR.
    pub(crate) async fn find_subnet(&self, cidr: Cidr) -> Result<Option<Seen>, ReadError> {
        let key = Key::Subnet(cidr);
        if let Some(id) = self.client.subnet_row(cidr) {
            let row = self.row(&format!("subnets/{id}/"), subnet).await?;
            if let Some(seen) = row.filter(|seen| seen.object.key() == key) {
                return Ok(Some(seen));
            }
            self.client.forget(&key);
        }
        let found = if has_path(cidr) {
            let row = self.row(&format!("subnets/cidr:{cidr}/"), subnet).await?;
            row.filter(|seen| seen.object.key() == key)
        } else {
            let all = self.list("subnets/", subnet).await?;
            all.into_iter().find(|seen| seen.object.key() == key)
        };
        if let Some(seen) = &found {
            self.client.remember(seen);
        }
        Ok(found)
    }

    /// The range with exactly those addresses in that subnet.
    async fn find_range(
        &self,
        key: &Key,
        cidr: Cidr,
        wanted: Range,
    ) -> Result<Option<Seen>, ReadError> {
        if let Some(id) = self.client.range_row(key) {
            let row = self.row(&format!("ipranges/{id}/"), range).await?;
            if let Some(seen) = row.filter(|seen| seen.object.key() == *key) {
                return Ok(Some(seen));
            }
            self.client.forget(key);
        }
        let Some(subnet) = self.find_subnet(cidr).await? else {
            return Ok(None);
        };
        if self.is_clear(&subnet, cidr, wanted).await? {
            return Ok(None);
        }
        let all = self.list("ipranges/", range).await?;
        let mut found = None;
        for seen in all {
            self.client.remember(&seen);
            if seen.object.key() == *key {
                found.get_or_insert(seen);
            }
        }
        Ok(found)
    }

    /// Whether MAAS reports that no range overlaps `wanted`. It reports nothing for an unmanaged subnet or for addresses
    /// outside the subnet; both count as no.
    async fn is_clear(&self, subnet: &Seen, cidr: Cidr, wanted: Range) -> Result<bool, ReadError> {
        let managed = subnet.object.as_subnet().is_some_and(|it| it.flags.managed);
        if !managed || !wanted.within(&cidr) {
            return Ok(false);
        }
        let request = MaasRequest::get(format!("subnets/{}/", subnet.id))
            .with_query("op", "reserved_ip_ranges");
        let body = self.client.read(&request).await?;
        let taken = each(&request, &body, |at| {
            let (start, end) = (at.field("start")?, at.field("end")?);
            let span = Range::new(start.address()?, end.address()?)
                .ok_or_else(|| end.fault("before the start"))?;
            let mut by_range = false;
            for purpose in at.field("purpose")?.list()? {
                by_range |= matches!(purpose.text()?, "reserved" | "dynamic");
            }
            Ok((span, by_range))
        })?;
        Ok(!taken
            .iter()
            .any(|(span, by_range)| *by_range && span.overlaps(&wanted)))
    }

    /// The machine or device with that host name or FQDN, with its interfaces.
    pub(crate) async fn find_node(&self, host: &str) -> Result<Option<FoundNode>, ReadError> {
        if let Some((system_id, kind)) = self.client.node(host) {
            if kind == NodeKind::Machine {
                // Only the whole machine shows its default gateways.
                let request = MaasRequest::get(format!("machines/{system_id}/"));
                if let Ok(body) = self.client.read_if_there(&request).await? {
                    let row = one(&request, &body, |at| node_row(at, kind))?;
                    return Ok(Some(self.cached(host, row)));
                }
            }
            let request = MaasRequest::get(format!("nodes/{system_id}/interfaces/"));
            if let Ok(body) = self.client.read_if_there(&request).await? {
                let interfaces = each(&request, &body, interface_row)?;
                return Ok(Some(FoundNode {
                    system_id,
                    kind,
                    interfaces,
                }));
            }
            self.client.forget_node(host);
        }
        let mut rows = self.machines_named(&[host]).await?;
        rows.retain(|row| row.is_named(host));
        if rows.is_empty() {
            let request = MaasRequest::get("devices/").with_query("hostname", host);
            let body = self.client.read(&request).await?;
            rows = each(&request, &body, |at| node_row(at, NodeKind::Device))?;
            rows.retain(|row| row.is_named(host));
        }
        let mut rows = rows.into_iter();
        match (rows.next(), rows.next()) {
            (None, _) => Ok(None),
            (Some(row), None) => Ok(Some(self.cached(host, row))),
            (Some(_), Some(_)) => Err(read_error(
                &MaasRequest::get("machines/").with_query("hostname", host),
                Cause::Ambiguous(format!("two nodes are called `{host}`; rename one")),
            )),
        }
    }

    fn cached(&self, host: &str, row: NodeRow) -> FoundNode {
        self.client.remember_node(host, &row.system_id, row.kind);
        FoundNode {
            system_id: row.system_id,
            kind: row.kind,
            interfaces: row.interfaces,
        }
    }

    async fn has_reserved_ips(&self) -> Result<bool, ReadError> {
        if let Some(known) = self.client.has_reserved_ips() {
            return Ok(known);
        }
        let request = MaasRequest::get("version/");
        let body = self.client.read(&request).await?;
        let text = one(&request, &body, |at| {
            Ok(at.field("version")?.text()?.to_owned())
        })?;
        Ok(MaasVersion::read(&text).has_reserved_ips())
    }

    /// One row, or `None` on a 404.
    async fn row(
        &self,
        path: &str,
        read: impl FnOnce(JsonAt<'_>) -> JsonResult<Seen>,
    ) -> Result<Option<Seen>, ReadError> {
        let request = MaasRequest::get(path);
        match self.client.read_if_there(&request).await? {
            Ok(body) => one(&request, &body, read).map(Some),
            Err(_message) => Ok(None),
        }
    }
}

/// Whether MAAS finds the subnet by `cidr:…` in the path: its URL pattern accepts prefix lengths of two and three digits
/// only (3.5.9 `maasserver/urls_api.py:624`), and it parses the colons of an IPv6 address as the specifier's.
fn has_path(cidr: Cidr) -> bool {
    !cidr.is_v6() && cidr.prefix() >= 10
}
