//! Endpoints of subnets (3.5.9 maasserver/forms/subnet.py, models/subnet.py).

mod delete;
mod fields;

use ipnet::IpNet;
use serde_json::{Value, json};

pub(crate) use delete::conflict;
use fields::read_cidr;

use super::answer::{
    ApiCaller, MaasAnswer, admin_to_change, admin_to_create, bad_method, no_content,
};
use super::form::{Form, FormErrors, NO_CHOICE, REQUIRED};
use super::free::write_large_numbers;
use super::parse;
use super::store::{AllocType, DEFAULT_FABRIC, LabMaas, StoredSubnet};
use crate::wire::{LabRequest, LabResponse};

impl LabMaas {
    pub(crate) fn subnets_list(
        &mut self,
        method: &str,
        form: &Form,
        caller: &ApiCaller,
    ) -> MaasAnswer {
        match method {
            "GET" => Ok(LabResponse::json(
                200,
                &self
                    .subnets
                    .keys()
                    .map(|id| self.show_subnet(*id))
                    .collect(),
            )),
            "POST" => {
                admin_to_create(caller)?;
                let id = self.create_subnet(form)?;
                Ok(LabResponse::json(200, &self.show_written(id)))
            }
            _ => Err(bad_method()),
        }
    }

    pub(crate) fn subnet(
        &mut self,
        request: &LabRequest,
        text: &str,
        form: &Form,
        caller: &ApiCaller,
    ) -> MaasAnswer {
        let id = self.find_subnet(text)?;
        match (request.method.as_str(), request.param("op")) {
            ("GET", None) => {}
            ("GET", Some("ip_addresses")) => {
                return self.show_ip_addresses(id, request);
            }
            ("GET", Some("reserved_ip_ranges")) => {
                let shown = self.show_taken(id);
                return Ok(write_large_numbers(LabResponse::json(200, &shown)));
            }
            ("GET", Some("unreserved_ip_ranges")) => {
                let shown = self.show_free(id);
                return Ok(write_large_numbers(LabResponse::json(200, &shown)));
            }
            ("GET", Some("statistics")) => {
                let shown = self.show_statistics(id, request)?;
                return Ok(write_large_numbers(LabResponse::json(200, &shown)));
            }
            ("PUT", None) => {
                admin_to_change(caller)?;
                self.update_subnet(id, form)?;
                return Ok(LabResponse::json(200, &self.show_written(id)));
            }
            ("DELETE", None) => {
                admin_to_change(caller)?;
                self.delete_subnet(id, request)?;
                return Ok(no_content());
            }
            (method, Some(op)) => {
                return Err(LabResponse::text(
                    400,
                    format!("Unrecognised signature: method={method} op={op}"),
                ));
            }
            _ => return Err(bad_method()),
        }
        Ok(LabResponse::json(200, &self.show_subnet(id)))
    }

    /// A subnet in the answer to a write: a missing gateway is "" there, and null in every read (seen on 3.5.12 and 3.7.3).
    fn show_written(&self, id: u64) -> Value {
        let mut shown = self.show_subnet(id);
        if shown["gateway_ip"].is_null() {
            shown["gateway_ip"] = json!("");
        }
        shown
    }

    fn create_subnet(&mut self, form: &Form) -> Result<u64, LabResponse> {
        let mut errors = FormErrors::default();
        if form.get("space").is_some() {
            errors.add(
                "space",
                "Spaces may no longer be set on subnets. Set the space on the underlying VLAN.",
            );
        }
        let mut subnet = StoredSubnet {
            id: 0,
            name: String::new(),
            cidr: IpNet::default(),
            vlan: 0,
            gateway: None,
            dns: Vec::new(),
            allow_dns: true,
            allow_proxy: true,
            active_discovery: false,
            managed: true,
            rdns_mode: 2,
            description: String::new(),
            disabled_boot_architectures: Vec::new(),
        };
        match form.get("cidr").filter(|text| !text.is_empty()) {
            None => errors.add("cidr", REQUIRED),
            Some(text) => {
                if let Some(cidr) = read_cidr(text, &mut errors)? {
                    subnet.cidr = cidr;
                    text.clone_into(&mut subnet.name);
                }
            }
        }
        let vlan = self.choose_vlan(form, &mut errors);
        self.read_fields(&mut subnet, form, &mut errors);
        if !errors.has("cidr") {
            self.check_cidr(&subnet, None, &mut errors);
        }
        errors.done()?;
        subnet.vlan = match vlan {
            Some(vlan) => vlan,
            None => self.default_of_default(),
        };
        subnet.id = self.next("subnet");
        let id = subnet.id;
        self.subnets.insert(id, subnet);
        self.adopt_orphans(id);
        Ok(id)
    }

    /// `vlan` wins; else `fabric` with `vid`; else the default VLAN of the default fabric, `None` here.
    fn choose_vlan(&self, form: &Form, errors: &mut FormErrors) -> Option<u64> {
        let (fabric, vid) = self.fabric_and_vid(form, errors);
        if let Some(text) = form.given("vlan") {
            let vlan = parse::number(text).and_then(|id| self.vlans.get(&id));
            let Some(vlan) = vlan else {
                errors.add("vlan", NO_CHOICE);
                return None;
            };
            if let Some(fabric) = fabric.filter(|fabric| *fabric != vlan.fabric) {
                let home = &self.fabrics[&vlan.fabric].name;
                let shown = self.show_vlan(vlan.id);
                let name = shown["name"].as_str().unwrap_or_default();
                let other = &self.fabrics[&fabric].name;
                let message = format!("VLAN {home}.{name} is not in fabric name={other}.");
                errors.add("vlan", message);
            }
            return Some(vlan.id);
        }
        let Some(vid) = vid.filter(|vid| *vid != 0) else {
            return fabric.and_then(|fabric| self.default_vlan(fabric));
        };
        if errors.has("vid") {
            return None;
        }
        let place = fabric.map_or_else(
            || "default fabric".to_owned(),
            |fabric| format!("fabric name={}", self.fabrics[&fabric].name),
        );
        let home = fabric.unwrap_or(DEFAULT_FABRIC);
        let mut here = self.vlans.values().filter(|vlan| vlan.fabric == home);
        let found = here.find(|vlan| vlan.vid == vid).map(|vlan| vlan.id);
        if found.is_none() {
            errors.add("vid", format!("No VLAN with vid {vid} in {place}."));
        }
        found
    }

    /// The default fabric has id 0 and is created if missing (seen on 3.5.12 and 3.7.3).
    fn default_of_default(&mut self) -> u64 {
        if !self.fabrics.contains_key(&DEFAULT_FABRIC) {
            self.make_fabric_as(DEFAULT_FABRIC, None, None);
        }
        self.default_vlan(DEFAULT_FABRIC).unwrap_or_default()
    }

    fn update_subnet(&mut self, id: u64, form: &Form) -> Result<(), LabResponse> {
        let mut errors = FormErrors::default();
        let now = self.subnets[&id].clone();
        let mut subnet = now.clone();
        if form.get("space").is_some() {
            errors.add(
                "space",
                "Spaces may no longer be set on subnets. Set the space on the underlying VLAN.",
            );
        }
        if form.get("cidr") == Some("") {
            errors.add("cidr", REQUIRED);
        } else if let Some(text) = form.get("cidr")
            && let Some(cidr) = read_cidr(text, &mut errors)?
        {
            let outside = self
                .reserved
                .values()
                .find(|kept| kept.subnet == id && !cidr.contains(&kept.ip));
            if let Some(kept) = outside {
                errors.add("cidr", format!("The new subnet CIDR would exclude the reserved ip {}. Please remove it first.", kept.ip));
            } else {
                subnet.cidr = cidr;
                if now.name == now.cidr.to_string() && form.get("name").is_none() {
                    text.clone_into(&mut subnet.name);
                }
            }
        }
        self.fabric_and_vid(form, &mut errors);
        if let Some(text) = form.given("vlan") {
            let vlan = parse::number(text).filter(|vlan| self.vlans.contains_key(vlan));
            match vlan {
                Some(vlan) => subnet.vlan = vlan,
                None => errors.add("vlan", NO_CHOICE),
            }
        }
        self.read_fields(&mut subnet, form, &mut errors);
        // If the CIDR was refused, the other fields are checked against the old one.
        self.check_cidr(&subnet, Some(id), &mut errors);
        errors.done()?;
        let moved = subnet.cidr != now.cidr;
        self.subnets.insert(id, subnet);
        if moved {
            self.orphan_outsiders(id);
            self.adopt_orphans(id);
        }
        Ok(())
    }

    /// User-reserved addresses outside lose their subnet (3.5.9 maasserver/models/signals/subnet.py:16-32).
    fn orphan_outsiders(&mut self, id: u64) {
        let cidr = self.subnets[&id].cidr;
        for row in self.addresses.values_mut() {
            let outside = row.ip.is_some_and(|ip| !cidr.contains(&ip));
            if row.subnet == Some(id) && row.alloc == AllocType::UserReserved && outside {
                row.subnet = None;
            }
        }
    }

    pub(crate) fn adopt_orphans(&mut self, id: u64) {
        let cidr = self.subnets[&id].cidr;
        for row in self.addresses.values_mut() {
            if row.subnet.is_none() && row.ip.is_some_and(|ip| cidr.contains(&ip)) {
                row.subnet = Some(id);
            }
        }
    }
}
