//! Endpoints of reserved IPs: an address reserved for a MAC (3.6.5 `maasserver/forms/reservedip.py`,
//! `models/reservedip.py`).

use std::net::IpAddr;

use super::answer::{
    ApiCaller, MaasAnswer, admin_to_change, admin_to_create, bad_method, missing, no_content,
};
use super::form::{Form, FormErrors, REQUIRED};
use super::lookup::row_number;
use super::parse::address;
use super::store::{LabMaas, RangeType, StoredReservedIp};
use crate::wire::LabResponse;

impl LabMaas {
    pub(crate) fn reserved_list(
        &mut self,
        method: &str,
        form: &Form,
        caller: &ApiCaller,
    ) -> MaasAnswer {
        match method {
            "GET" => {
                let all = self.reserved.keys().map(|id| self.show_reserved(*id));
                Ok(LabResponse::json(200, &all.collect()))
            }
            "POST" => {
                admin_to_create(caller)?;
                let mut kept = self.read_reserved(form)?;
                kept.id = self.next("reservedip");
                let id = kept.id;
                self.reserved.insert(id, kept);
                Ok(LabResponse::json(200, &self.show_reserved(id)))
            }
            _ => Err(bad_method()),
        }
    }

    fn read_reserved(&self, form: &Form) -> Result<StoredReservedIp, LabResponse> {
        let mut errors = FormErrors::default();
        let given = |field: &str| form.get(field).filter(|text| !text.is_empty());
        let ip = given("ip").and_then(address);
        match given("ip") {
            None => errors.add("ip", REQUIRED),
            Some(_) if ip.is_none() => {
                errors.add("ip", "Enter a valid IPv4 or IPv6 address.");
            }
            Some(_) => {}
        }
        let mac = given("mac_address").map(str::to_lowercase);
        if mac.is_none() {
            errors.add("mac_address", REQUIRED);
        }
        let subnet = match (given("subnet"), ip) {
            (Some(text), _) => {
                let found = self.find_subnet(text).ok();
                if found.is_none() {
                    errors.add("subnet", format!("None found with id={text}."));
                }
                found
            }
            (None, Some(ip)) => {
                let best = self.best_subnet(ip);
                if best.is_none() {
                    errors.add("subnet", format!("Could not find a suitable subnet for {ip}. Please create the subnet first."));
                }
                best
            }
            (None, None) => None,
        };
        if let (Some(ip), Some(mac), Some(subnet)) = (ip, &mac, subnet) {
            self.check_reserved(ip, mac, subnet, &mut errors);
        }
        errors.done()?;
        let (Some(ip), Some(mac), Some(subnet)) = (ip, mac, subnet) else {
            return Err(LabResponse::text(400, ""));
        };
        let comment = form.get("comment").unwrap_or_default().to_owned();
        Ok(StoredReservedIp {
            id: 0,
            subnet,
            ip,
            mac,
            comment,
        })
    }

    fn check_reserved(&self, ip: IpAddr, mac: &str, subnet: u64, errors: &mut FormErrors) {
        let cidr = self.subnets[&subnet].cidr;
        let other_macs = self.addresses.values().any(|row| {
            let interface = row.interface.and_then(|id| self.interfaces.get(&id));
            let own = interface.map(|interface| interface.mac.as_str());
            let own = own.or(row.unknown.as_ref().map(|unknown| unknown.mac.as_str()));
            row.ip == Some(ip) && own != Some(mac)
        });
        let dynamic = self.ranges.values().find(|range| {
            let here = range.subnet == subnet && range.kind == RangeType::Dynamic;
            here && range.start <= ip && ip <= range.end
        });
        if other_macs {
            errors.add(
                "ip",
                format!("The ip {ip} is already in use by another machine."),
            );
        }
        if let Some(range) = dynamic {
            let (start, end) = (range.start, range.end);
            errors.add(
                "ip",
                format!("The reserved IP {ip} must be outside the dynamic range {start} - {end}."),
            );
        }
        if !cidr.contains(&ip) {
            errors.add("ip", "The provided IP is not part of the subnet.");
        } else if ip == cidr.network() {
            errors.add("ip", "The network address cannot be a reserved IP.");
        } else if ip == cidr.broadcast() {
            errors.add("ip", "The broadcast address cannot be a reserved IP.");
        }
        if self.reserved.values().any(|other| other.ip == ip) {
            errors.add("ip", "Reserved IP with this IP address already exists.");
        }
        if self
            .reserved
            .values()
            .any(|other| other.subnet == subnet && other.mac == mac)
        {
            errors.add(
                "__all__",
                "Reserved IP with this MAC address and Subnet already exists.",
            );
        }
    }

    pub(crate) fn reserved(
        &mut self,
        method: &str,
        id: &str,
        form: &Form,
        caller: &ApiCaller,
    ) -> MaasAnswer {
        let found = self.reserved.get(&row_number("ReservedIP", id)?).cloned();
        let mut now = found.ok_or_else(|| missing("ReservedIP"))?;
        match method {
            "GET" => {}
            "PUT" => {
                admin_to_change(caller)?;
                let other =
                    |key: &str, value: String| form.get(key).is_some_and(|given| given != value);
                let frozen = other("ip", now.ip.to_string())
                    || other("mac_address", now.mac.clone())
                    || other("subnet", now.subnet.to_string());
                if frozen {
                    let message = "The ip, mac_address and the subnet of a reserved IP are immutable. Delete the entry and recreate it.";
                    return Err(super::form::field_error("__all__", message));
                }
                if let Some(comment) = form.get("comment") {
                    comment.clone_into(&mut now.comment);
                }
                self.reserved.insert(now.id, now.clone());
            }
            "DELETE" => {
                admin_to_change(caller)?;
                self.reserved.remove(&now.id);
                return Ok(no_content());
            }
            _ => return Err(bad_method()),
        }
        Ok(LabResponse::json(200, &self.show_reserved(now.id)))
    }
}
