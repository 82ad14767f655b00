//! Small read-only endpoints: account, users, events, settings, DNS records, discoveries, zones, and `networks/` of MAAS 1.x.

use serde_json::{Value, json};

use super::answer::{ApiCaller, MaasAnswer, plain};
use super::store::{LabMaas, NodeType, StoredNode};
use crate::wire::{LabRequest, LabResponse};

const BASE: &str = "/MAAS/api/2.0";

/// `maas_name`, which is the host name at installation. The recorded servers ran on a machine with this name.
const NAME: &str = "vm";

impl LabMaas {
    /// The caller's API keys, including secrets.
    pub(crate) fn tokens(&self, caller: &ApiCaller) -> LabResponse {
        let mine = self.users.iter().filter(|user| user.name == caller.name);
        let tokens = mine.map(|user| {
            json!({"name": "MAAS consumer", "token": format!("{}:{}:{}", user.consumer, user.token, user.secret)})
        });
        LabResponse::json(200, &tokens.collect())
    }

    /// DNS records other than addresses.
    pub(crate) fn records(&self) -> Value {
        let all = self.dns.values().flat_map(|dns| {
            let records = dns.records.iter().enumerate();
            records.map(|(at, (kind, text))| {
                json!({
                    "id": at + 1, "fqdn": format!("{}.maas", dns.name), "rrtype": kind, "rrdata": text, "ttl": null,
                    "resource_uri": format!("/MAAS/api/2.0/dnsresourcerecords/{}/", at + 1),
                })
            })
        });
        all.collect()
    }

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

    /// Every user sees all users; the lab does not create or delete users.
    pub(crate) fn users(&self, method: &str, rest: &[&str], caller: &ApiCaller) -> MaasAnswer {
        if method != "GET" {
            super::answer::admin_to_create(caller)?;
            return Err(super::answer::bad_method());
        }
        let shown = |name: &str| self.show_user(name);
        match rest {
            [] => {
                let all = self.users.iter().map(|user| shown(&user.name));
                Ok(LabResponse::json(200, &all.collect()))
            }
            [name, ..] => {
                let known = self.users.iter().find(|user| user.name == *name);
                let user = known.ok_or_else(|| super::answer::missing("User"))?;
                Ok(LabResponse::json(200, &shown(&user.name)))
            }
        }
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

    pub(crate) fn config(&self, request: &LabRequest, caller: &ApiCaller) -> MaasAnswer {
        if request.method != "GET" {
            super::answer::admin_to_change(caller)?;
            return Ok(LabResponse::text(200, "OK"));
        }
        let value = match request.param("name") {
            Some("maas_name") => json!(NAME),
            Some("maas_auto_ipmi_user") => json!("maas"),
            Some("auto_vlan_creation" | "enable_http_proxy" | "network_discovery") => json!(true),
            Some("default_dns_ttl") => json!(30),
            Some("ntp_servers") => self.set_or("ntp_servers", &json!("ntp.ubuntu.com")),
            Some(name @ ("upstream_dns" | "dns_trusted_acl" | "http_proxy" | "remote_syslog")) => {
                self.set_or(name, &Value::Null)
            }
            Some("") | None => {
                return Err(plain(400, "name: Please enter a value"));
            }
            Some(name) => {
                let message = format!("{name} is not a valid config setting.");
                return Err(super::form::field_error(name, message));
            }
        };
        Ok(LabResponse {
            status: 200,
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: value.to_string().into_bytes(),
        })
    }

    fn set_or(&self, name: &str, unset: &Value) -> Value {
        self.config
            .get(name)
            .map_or_else(|| unset.clone(), |value| json!(value))
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

/// The event log, which is always empty.
pub(crate) fn events(request: &LabRequest) -> Value {
    let query: Vec<String> = request
        .query
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    let next = format!("/MAAS/api/2.0/events/?{}", query.join("&"));
    json!({"count": 0, "events": [], "next_uri": next, "prev_uri": null})
}
