//! Small read-only endpoints: events, discoveries, zones, and `networks/` of MAAS 1.x.

use serde_json::{Value, json};

use super::answer::{ApiCaller, MaasAnswer, last_param, plain};
use super::store::{LabMaas, NodeType, StoredNode};
use crate::wire::{LabRequest, LabResponse};

const BASE: &str = "/MAAS/api/2.0";

impl LabMaas {
    /// Subnets in the format of MAAS 1.x.
    pub(crate) fn show_networks(&self) -> Value {
        let networks = self.subnets.values().map(|subnet| {
            let name = format!("subnet-{}", subnet.id);
            json!({
                "name": name, "ip": subnet.cidr.network(), "netmask": subnet.cidr.netmask(),
                "vlan_tag": self.vlans[&subnet.vlan].vid, "description": subnet.name, "default_gateway": subnet.gateway,
                "dns_servers": subnet.dns, "resource_uri": format!("/MAAS/api/2.0/networks/{name}/"),
            })
        });
        networks.collect()
    }

    pub(crate) fn networks(&self, method: &str, rest: &[&str], caller: &ApiCaller) -> MaasAnswer {
        if method != "GET" {
            super::answer::admin_to_change(caller)?;
            return Err(super::answer::bad_method());
        }
        let all = self.show_networks();
        let Some(name) = rest.first() else {
            return Ok(LabResponse::json(200, &all));
        };
        let mut list = all.as_array().into_iter().flatten();
        let one = list.find(|network| network["name"] == **name);
        let one = one.ok_or_else(|| super::answer::missing("Subnet"))?;
        Ok(LabResponse::json(200, one))
    }

    /// The default zone and pool, which the lab does not change.
    pub(crate) fn zones_and_pools(
        &self,
        method: &str,
        path: &[&str],
        caller: &ApiCaller,
    ) -> MaasAnswer {
        if method != "GET" {
            super::answer::admin_to_create(caller)?;
            return Err(super::answer::bad_method());
        }
        match path {
            ["zones"] => Ok(LabResponse::json(200, &json!([self.show_zone()]))),
            ["resourcepools"] => Ok(LabResponse::json(200, &json!([self.show_pool()]))),
            ["zones", "default"] => Ok(LabResponse::json(200, &self.show_zone())),
            ["resourcepool", "0" | "default"] => Ok(LabResponse::json(200, &self.show_pool())),
            ["zones", ..] => Err(super::answer::missing("Zone")),
            _ => Err(super::answer::missing("ResourcePool")),
        }
    }

    /// The neighbours that racks discovered (fields: 3.5.9 maasserver/api/discoveries.py).
    pub(crate) fn discoveries(&self) -> Value {
        let shown = self.neighbours.iter().map(|(ip, mac)| {
            json!({
                "discovery_id": format!("{ip},{mac}"), "ip": ip, "mac_address": mac, "mac_organization": null,
                "last_seen": "2026-01-01T00:00:00.000", "hostname": null, "fabric_name": null, "vid": null,
                "observer": {"system_id": null, "hostname": null, "interface_id": null, "interface_name": null},
                "resource_uri": format!("{BASE}/discovery/{ip},{mac}/"),
            })
        });
        shown.collect()
    }

    /// Whether a user sees a node. Administrators see all; others see their own machines and devices, and machines without an
    /// owner (3.5.9 maasserver/models/node.py, `get_nodes`).
    pub(crate) fn may_see(caller: &ApiCaller, node: &StoredNode) -> bool {
        let owner = node.owner.as_ref();
        match node.kind {
            _ if caller.admin => true,
            NodeType::Machine => owner.is_none_or(|owner| *owner == caller.name),
            NodeType::Device => owner == Some(&caller.name),
            NodeType::Rack | NodeType::Region | NodeType::RegionRack => false,
        }
    }
}

/// The event log, which is always empty (3.7.3 `maasserver/api/events.py`).
pub(crate) fn events(request: &LabRequest) -> MaasAnswer {
    /// What MAAS repeats in the address of the next page.
    const KNOWN: [&str; 10] = [
        "agent_name",
        "domain",
        "hostname",
        "id",
        "level",
        "limit",
        "mac_address",
        "op",
        "zone",
        "owner",
    ];
    const LEVELS: [&str; 6] = ["AUDIT", "CRITICAL", "ERROR", "WARNING", "INFO", "DEBUG"];
    const LIMIT_MAX: i64 = 1000;
    let number = |name: &str| match last_param(request, name).map(str::trim) {
        None => Ok(None),
        Some(text) => text.parse::<i64>().map(Some).map_err(|_no_number| {
            let message = format!("Invalid {name}: Please enter an integer value");
            plain(400, message)
        }),
    };
    let (after, before) = (number("after")?, number("before")?);
    if let Some(limit) = number("limit")?.filter(|limit| *limit > LIMIT_MAX) {
        let message =
            format!("Requested number of events {limit} is greater than limit: {LIMIT_MAX}");
        return Err(plain(400, message));
    }
    if let Some(level) = last_param(request, "level").filter(|level| !LEVELS.contains(level)) {
        return Err(plain(400, format!("Unrecognised log level: {level}")));
    }
    if after.is_some() && before.is_some() {
        let message =
            "There is undetermined behaviour when both `after` and `before` are specified.";
        return Err(plain(400, message));
    }
    let page = |more: Option<(&str, i64)>| {
        let known = request.query.iter();
        let known = known.filter(|(key, _)| KNOWN.contains(&key.as_str()));
        let pairs = known.map(|(key, value)| format!("{key}={}", encoded(value)));
        let pairs = pairs.chain(more.map(|(key, value)| format!("{key}={value}")));
        let pairs: Vec<String> = pairs.collect();
        format!("{BASE}/events/?{}", pairs.join("&"))
    };
    let next = page(before.map(|before| ("after", before - 1)));
    let previous = after.map(|after| page(Some(("before", after + 1))));
    Ok(LabResponse::json(
        200,
        &json!({"count": 0, "events": [], "next_uri": next, "prev_uri": previous}),
    ))
}

fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-~".contains(&byte);
    text.bytes()
        .map(|byte| match byte {
            b' ' => "+".to_owned(),
            byte if plain(byte) => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}
