//! Endpoints of reserved IPs: an address reserved for a MAC (3.6.5 `maasserver/forms/reservedip.py`,
//! `models/reservedip.py`).

use std::net::IpAddr;

use super::answer::{ApiCaller, MaasAnswer, admin_to_create, bad_method, missing, no_content};
use super::form::{BAD_IP, Form, FormErrors, REQUIRED};
use super::lookup::row_number;
use super::parse::{self, address};
use super::store::{LabMaas, RangeType, StoredReservedIp};
use super::vlan::none_found;
use crate::wire::LabResponse;

const FROZEN: &str = "The ip, mac_address and the subnet of a reserved IP are immutable. Delete the entry and recreate it.";

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
                let mut kept = self.read_reserved(None, form)?;
                kept.id = self.next("reservedip");
                let id = kept.id;
                self.reserved.insert(id, kept);
                Ok(LabResponse::json(200, &self.show_reserved(id)))
            }
            _ => Err(bad_method()),
        }
    }

    /// The form's and then the model's checks; `now` is the row of an update, which may only change the comment.
    fn read_reserved(
        &self,
        now: Option<&StoredReservedIp>,
        form: &Form,
    ) -> Result<StoredReservedIp, LabResponse> {
        let mut errors = FormErrors::default();
        let text = form.get("ip").map(str::to_owned);
        let text = text
            .or(now.map(|row| row.ip.to_string()))
            .unwrap_or_default();
        let ip = address(&text);
        if text.is_empty() {
            errors.add("ip", REQUIRED);
        } else if ip.is_none() {
            errors.add("ip", BAD_IP);
        }
        let given = form.get("mac_address").or(now.map(|row| row.mac.as_str()));
        let given = given.unwrap_or_default();
        let mac = parse::mac(given);
        if !given.is_empty() && mac.is_none() {
            errors.add(
                "mac_address",
                format!("'{given}' is not a valid MAC address."),
            );
        }
        if let Some(ip) = ip {
            self.check_taken(ip, given, &mut errors);
        }
        let subnet = ip.and_then(|ip| self.read_home(ip, now, form, &mut errors));
        let other = |key: &str, value: String| form.get(key).is_some_and(|text| text != value);
        let frozen = now.is_some_and(|now| {
            // Even its own subnet is refused: MAAS compares the text with the number.
            form.get("subnet").is_some()
                || other("ip", now.ip.to_string())
                || other("mac_address", now.mac.clone())
        });
        if frozen {
            errors.add("__all__", FROZEN);
        } else if let (Some(ip), Some(subnet)) = (ip, subnet) {
            self.check_reserved(ip, mac.as_deref(), subnet, now, &mut errors);
        }
        if given.is_empty() {
            errors.add("mac_address", "This field cannot be blank.");
        }
        errors.done()?;
        let (Some(ip), Some(mac), Some(subnet)) = (ip, mac, subnet) else {
            return Err(LabResponse::text(400, ""));
        };
        let comment = form.get("comment").or(now.map(|row| row.comment.as_str()));
        Ok(StoredReservedIp {
            id: now.map_or(0, |row| row.id),
            subnet,
            ip,
            mac,
            comment: comment.unwrap_or_default().to_owned(),
        })
    }

    /// An address that is in use can only be reserved for the MAC that uses it.
    fn check_taken(&self, ip: IpAddr, mac: &str, errors: &mut FormErrors) {
        let other_macs = self.addresses.values().any(|row| {
            let interface = row.interface.and_then(|id| self.interfaces.get(&id));
            let own = interface.map(|interface| interface.mac.as_str());
            let own = own.or(row.unknown.as_ref().map(|unknown| unknown.mac.as_str()));
            row.ip == Some(ip) && own != Some(mac)
        });
        if other_macs {
            errors.add(
                "ip",
                format!("The ip {ip} is already in use by another machine."),
            );
        }
    }

    /// The named subnet, else the narrowest that contains the address.
    fn read_home(
        &self,
        ip: IpAddr,
        now: Option<&StoredReservedIp>,
        form: &Form,
        errors: &mut FormErrors,
    ) -> Option<u64> {
        let named = match form.get("subnet") {
            Some("") => None,
            Some(text) => {
                let found = self.find_subnet(text).ok();
                if found.is_none() {
                    errors.add("subnet", none_found("subnet-", text));
                    return None;
                }
                found
            }
            None => now.map(|row| row.subnet),
        };
        let Some(subnet) = named.or_else(|| self.best_subnet(ip)) else {
            errors.add(
                "subnet",
                format!("There is no subnet for {ip}. Create the subnet and try again."),
            );
            return None;
        };
        let cidr = self.subnets[&subnet].cidr;
        if !cidr.contains(&ip) {
            errors.add("ip", format!("{ip} is not part of the subnet."));
        }
        if ip == cidr.network() {
            errors.add("ip", "The network address cannot be a reserved IP.");
        }
        if ip == cidr.broadcast() {
            errors.add("ip", "The broadcast address cannot be a reserved IP.");
        }
        Some(subnet)
    }

    fn check_reserved(
        &self,
        ip: IpAddr,
        mac: Option<&str>,
        subnet: u64,
        now: Option<&StoredReservedIp>,
        errors: &mut FormErrors,
    ) {
        let dynamic = self.ranges.values().find(|range| {
            let here = range.subnet == subnet && range.kind == RangeType::Dynamic;
            here && range.start <= ip && ip <= range.end
        });
        if let Some(range) = dynamic {
            let (start, end) = (range.start, range.end);
            errors.add(
                "ip",
                format!("The reserved IP {ip} must be outside the dynamic range {start} - {end}."),
            );
        }
        let own = now.map(|row| row.id);
        let others = || {
            let all = self.reserved.values();
            all.filter(move |other| Some(other.id) != own)
        };
        // The model does not look for duplicates of a field with an error.
        if !errors.has("ip") && others().any(|other| other.ip == ip) {
            errors.add("ip", "Reserved IP with this IP address already exists.");
        }
        if others().any(|other| other.subnet == subnet && Some(other.mac.as_str()) == mac) {
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
        if method != "GET" {
            admin_to_create(caller)?;
        }
        let found = self.reserved.get(&row_number("ReservedIP", id)?).cloned();
        let mut now = found.ok_or_else(|| missing("ReservedIP"))?;
        match method {
            "GET" => {}
            "PUT" => {
                now = self.read_reserved(Some(&now), form)?;
                self.reserved.insert(now.id, now.clone());
            }
            "DELETE" => {
                self.reserved.remove(&now.id);
                return Ok(no_content());
            }
            _ => return Err(bad_method()),
        }
        Ok(LabResponse::json(200, &self.show_reserved(now.id)))
    }
}
