//! Endpoints of IP addresses and DNS resources, and the addresses in use on a subnet.

use serde_json::{Value, json};

use super::answer::{ApiCaller, MaasAnswer, bad_method, flag, no_content, plain};
use super::form::Form;
use super::parse::address;
use super::store::{AllocType, LabMaas, RangeType, StoredAddress, UnknownInterface};
use crate::wire::{LabRequest, LabResponse};

const STAMP: &str = "Thu, 01 Jan. 2026 00:00:00";

impl LabMaas {
    pub(crate) fn show_ip_addresses(&self, subnet: u64, request: &LabRequest) -> MaasAnswer {
        let asks = |name: &str| flag(request.param(name), name, true);
        // `with_node_summary` is the older name: true there does not override false in `with_summary`.
        let summary = asks("with_summary")? && asks("with_node_summary")?;
        let user = asks("with_username")?;
        let mut rows: Vec<&StoredAddress> = self
            .addresses
            .values()
            .filter(|row| row.subnet == Some(subnet) && row.ip.is_some())
            .collect();
        rows.sort_by_key(|row| row.ip);
        let list = rows
            .into_iter()
            .map(|row| {
                let mut shown = json!({"ip": row.ip, "alloc_type": row.alloc as u8, "created": STAMP, "updated": STAMP});
                if summary {
                    self.add_summary(row, &mut shown);
                }
                // A node's owner is part of the summary and replaces the row's own user.
                let owner = self.owner_of(row).filter(|_| summary);
                if let Some(owner) = owner.or(row.user.clone()).filter(|_| user) {
                    shown["user"] = json!(owner);
                }
                shown
            })
            .collect();
        Ok(LabResponse::json(200, &list))
    }

    fn owner_of(&self, row: &StoredAddress) -> Option<String> {
        let node = row
            .interface
            .and_then(|id| self.interfaces.get(&id))
            .and_then(|i| self.nodes.get(&i.node));
        match node {
            Some(node) => node.owner.clone(),
            None if row.bmc_of.is_some() => None,
            None => row.user.clone(),
        }
    }

    fn add_summary(&self, row: &StoredAddress, shown: &mut Value) {
        if let Some(interface) = row.interface.and_then(|id| self.interfaces.get(&id)) {
            let node = &self.nodes[&interface.node];
            shown["node_summary"] = json!({
                "system_id": node.system_id, "node_type": node.kind as u8, "fqdn": self.fqdn(node),
                "hostname": node.hostname, "is_container": false, "via": interface.name,
            });
        }
        if let Some(node) = row.bmc_of.as_ref().and_then(|id| self.nodes.get(id)) {
            shown["bmcs"] = json!([{
                "id": node.bmc, "power_type": node.power_type,
                "nodes": [{"system_id": node.system_id, "hostname": node.hostname}],
            }]);
        }
        let records: Vec<Value> = self
            .dns
            .values()
            .filter(|dns| dns.addresses.contains(&row.id))
            .map(|dns| json!({"id": dns.id, "name": dns.name, "domain": self.domains[&dns.domain].name}))
            .collect();
        if !records.is_empty() {
            shown["dns_records"] = json!(records);
        }
    }

    pub(crate) fn ip_addresses(
        &mut self,
        request: &LabRequest,
        form: &Form,
        caller: &ApiCaller,
    ) -> MaasAnswer {
        match (request.method.as_str(), request.param("op")) {
            ("GET", None) => self.list_addresses(request, caller),
            ("POST", Some("reserve")) => self.reserve(form, caller),
            ("POST", Some("release")) => self.release_address(form, caller),
            _ => Err(bad_method()),
        }
    }

    fn list_addresses(&self, request: &LabRequest, caller: &ApiCaller) -> MaasAnswer {
        let all = flag(request.param("all"), "all", false)?;
        if all && !caller.admin {
            return Err(plain(
                403,
                "Listing all IP addresses requires admin privileges.",
            ));
        }
        let owner = request.param("owner");
        if owner.is_some() && !caller.admin {
            let message = "Listing another user's IP addresses requires admin privileges.";
            return Err(plain(403, message));
        }
        let wanted = request.param("ip").map(address);
        if wanted == Some(None) {
            return Err(plain(400, "Parameter 'ip' must contain an IP address."));
        }
        let wanted = wanted.flatten();
        let whose = owner.unwrap_or(&caller.name);
        let everyone = all && owner.is_none();
        let list = self
            .addresses
            .values()
            .filter(|row| row.ip.is_some() && wanted.is_none_or(|ip| row.ip == Some(ip)))
            .filter(|row| everyone || row.user.as_deref() == Some(whose))
            .filter(|row| all || row.alloc == AllocType::UserReserved)
            .map(|row| self.show_address(row))
            .collect();
        Ok(LabResponse::json(200, &list))
    }

    fn reserve(&mut self, form: &Form, caller: &ApiCaller) -> MaasAnswer {
        let given = |field: &str| form.get(field).filter(|text| !text.is_empty());
        let text = given("ip").or(given("ip_address"));
        let ip = text.and_then(address);
        if text.is_some() && ip.is_none() {
            let message = "Enter a valid IPv4 or IPv6 address.";
            return Err(super::form::field_error("ip_address", message));
        }
        let subnet = match (ip, given("subnet")) {
            (Some(ip), _) => self.best_subnet(ip).ok_or_else(|| {
                LabResponse::text(400, format!("No known subnet for IP address: {ip}."))
            })?,
            (None, Some(text)) => {
                self.find_subnet(text)
                    .map_err(|refusal| match refusal.status {
                        404 => {
                            LabResponse::text(400, format!("Unable to identify subnet: {text}."))
                        }
                        _ => refusal,
                    })?
            }
            (None, None) => {
                let message = "Must supply either the 'subnet' or the 'ip' parameter.";
                return Err(LabResponse::text(400, message));
            }
        };
        let mac = form.get("mac").filter(|mac| !mac.is_empty());
        if let Some(mac) = mac.filter(|mac| super::parse::mac(mac).is_none()) {
            let message = format!("'{mac}' is not a valid MAC address.");
            return Err(super::form::field_error("mac_address", message));
        }
        let host = mac.and_then(|mac| {
            let mac = mac.to_lowercase();
            let row = self.interfaces.values().find(|row| row.mac == mac)?;
            Some((mac, self.nodes[&row.node].hostname.clone()))
        });
        if let Some((mac, host)) = host {
            return Err(LabResponse::text(
                400,
                format!(
                    "MAC address {mac} already belongs to {host}. Use of the interface API is required, for an interface that belongs to a node."
                ),
            ));
        }
        let ip = match ip {
            Some(ip) => {
                self.may_reserve(subnet, ip, mac.is_some())?;
                ip
            }
            None => self.pick_free(subnet)?,
        };
        let unknown = mac.map(|mac| self.unknown(mac));
        let id = self.add_address(StoredAddress {
            id: 0,
            ip: Some(ip),
            alloc: AllocType::UserReserved,
            subnet: Some(subnet),
            user: Some(caller.name.clone()),
            interface: None,
            unknown,
            bmc_of: None,
        });
        if let Some(name) = form.get("hostname").filter(|name| !name.is_empty()) {
            self.add_dns(name, vec![id]);
        }
        Ok(LabResponse::json(
            200,
            &self.show_address(&self.addresses[&id]),
        ))
    }

    fn may_reserve(
        &self,
        subnet: u64,
        ip: std::net::IpAddr,
        with_mac: bool,
    ) -> Result<(), LabResponse> {
        let holds = |kind: RangeType| {
            self.ranges.values().find(|range| {
                range.subnet == subnet && range.kind == kind && range.start <= ip && ip <= range.end
            })
        };
        if holds(RangeType::Dynamic).is_some() {
            return Err(plain(
                403,
                format!(
                    "IP address {ip} belongs to an existing dynamic range. To reserve this IP address, a MAC address is required. (Create a device instead.)"
                ),
            ));
        }
        if let Some(range) = holds(RangeType::Reserved).filter(|_| !with_mac) {
            return Err(plain(
                404,
                format!(
                    "{ip} is within the reserved range from {} to {}",
                    range.start, range.end
                ),
            ));
        }
        if self.is_taken(ip) {
            return Err(plain(
                404,
                format!("The IP address {ip} is already in use."),
            ));
        }
        Ok(())
    }

    pub(crate) fn is_taken(&self, ip: std::net::IpAddr) -> bool {
        self.addresses
            .values()
            .any(|row| row.ip == Some(ip) && row.alloc != AllocType::Discovered)
    }

    /// A new interface without a node, for a reservation with a MAC.
    pub(crate) fn unknown(&mut self, mac: &str) -> UnknownInterface {
        UnknownInterface {
            id: self.next("interface"),
            mac: mac.to_lowercase(),
        }
    }

    pub(crate) fn add_address(&mut self, mut row: StoredAddress) -> u64 {
        row.id = self.next("address");
        let id = row.id;
        self.addresses.insert(id, row);
        id
    }

    fn release_address(&mut self, form: &Form, caller: &ApiCaller) -> MaasAnswer {
        if form.get("ip").is_none() {
            return Err(plain(400, "No provided ip!"));
        }
        let Some(ip) = form.get("ip").and_then(address) else {
            return Err(super::form::field_error(
                "ip",
                "Enter a valid IPv4 or IPv6 address.",
            ));
        };
        let force = flag(form.raw("force"), "force", false)?;
        if force && !caller.admin {
            let message = "Force-releasing an IP address requires admin privileges.";
            return Err(plain(403, message));
        }
        let found = self
            .addresses
            .values()
            .find(|row| {
                row.ip == Some(ip)
                    && (force
                        || (row.alloc == AllocType::UserReserved
                            && row.user.as_ref() == Some(&caller.name)))
            })
            .map(|row| row.id);
        match found {
            Some(id) => {
                let interface = self.addresses[&id].interface;
                if self.addresses[&id].bmc_of.is_some() {
                    // The BMC makes its row again at once.
                    return Ok(no_content());
                }
                self.remove_address(id);
                if let Some(interface) = interface {
                    self.ensure_link_up(interface);
                }
                Ok(no_content())
            }
            None if force => Err(plain(400, format!("IP address {ip} does not exist."))),
            None => Err(plain(
                400,
                format!(
                    "IP address {ip} does not exist, is not the correct type of address, or does not belong to the requesting user.\nIf you are sure you want to release this address, use force=true as a MAAS administrator."
                ),
            )),
        }
    }
}
