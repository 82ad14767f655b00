//! Endpoints of VLANs: the form's checks in MAAS's order, the conditions of DHCP, and the cascade of a delete
//! (3.5.9 maasserver/forms/vlan.py, models/vlan.py).

use serde_json::Value;

use super::answer::{
    ApiCaller, MaasAnswer, admin_to_change, bad_method, missing, no_content, plain,
};
use super::form::{
    Form, FormErrors, INVALID, NO_CHOICE, NO_NUMBER, REQUIRED, is_title, no_such_choice,
    refuse_long,
};
use super::lookup::row_number;
use super::parse;
use super::store::{LabMaas, NodeType, RangeType, StoredRange, StoredVlan};
use crate::wire::LabResponse;

const NO_RANGE: &str = "dhcp can only be turned on when a dynamic IP range is defined.";
const DUPLICATE: &str = "A VLAN with the specified VID already exists in the destination fabric.";

const NO_KEY: &str =
    "'VLAN' instance needs to have a primary key value before this relationship can be used.";

impl LabMaas {
    pub(crate) fn fabric_vlans(
        &mut self,
        method: &str,
        fabric: &str,
        form: &Form,
        caller: &ApiCaller,
    ) -> MaasAnswer {
        let fabric = self.find_fabric(fabric)?;
        match method {
            "GET" => {
                let list: Vec<Value> = self
                    .vlans
                    .values()
                    .filter(|vlan| vlan.fabric == fabric)
                    .map(|vlan| self.show_vlan(vlan.id))
                    .collect();
                Ok(LabResponse::json(200, &Value::Array(list)))
            }
            "POST" => {
                admin_to_change(caller)?;
                let blank = StoredVlan {
                    id: 0,
                    fabric,
                    vid: 0,
                    name: None,
                    mtu: 1500,
                    space: None,
                    dhcp_on: false,
                    primary: None,
                    secondary: None,
                    relay: None,
                };
                let mut vlan = self.read_vlan(&blank, form, true)?;
                vlan.id = self.next("vlan");
                let id = vlan.id;
                self.vlans.insert(id, vlan);
                Ok(LabResponse::json(200, &self.show_vlan(id)))
            }
            _ => Err(bad_method()),
        }
    }

    pub(crate) fn fabric_vlan(
        &mut self,
        method: &str,
        fabric: &str,
        vid: &str,
        form: &Form,
        caller: &ApiCaller,
    ) -> MaasAnswer {
        let fabric = self.find_fabric(fabric)?;
        let number = match vid {
            "untagged" => Some(0),
            text => parse::integer(text).filter(|_| !text.contains('.')),
        };
        if number.is_some_and(|vid| !(0..=4094).contains(&vid)) {
            let message = "VLAN tag (VID) out of range (0-4094; 0 for untagged.)";
            return Err(plain(400, message));
        }
        let mut here = self.vlans.values().filter(|vlan| vlan.fabric == fabric);
        let found = here
            .find(|vlan| Some(i64::from(vlan.vid)) == number)
            .map(|vlan| vlan.id);
        let id = found.ok_or_else(|| missing("VLAN"))?;
        self.vlan(method, id, form, caller)
    }

    pub(crate) fn vlan_by_id(
        &mut self,
        method: &str,
        id: &str,
        form: &Form,
        caller: &ApiCaller,
    ) -> MaasAnswer {
        let absent = || plain(404, "VLAN with specified ID does not exist.");
        let id = row_number("VLAN", id).map_err(|refusal| match refusal.status {
            404 => absent(),
            _ => refusal,
        })?;
        if !self.vlans.contains_key(&id) {
            return Err(absent());
        }
        self.vlan(method, id, form, caller)
    }

    fn vlan(&mut self, method: &str, id: u64, form: &Form, caller: &ApiCaller) -> MaasAnswer {
        match method {
            "GET" => {}
            "PUT" => {
                admin_to_change(caller)?;
                let now = self.vlans[&id].clone();
                let mut then = self.read_vlan(&now, form, false)?;
                if then.dhcp_on {
                    then.relay = None;
                }
                let moved = then.fabric != now.fabric;
                self.vlans.insert(id, then);
                if moved {
                    self.delete_empty_fabrics();
                }
            }
            "DELETE" => {
                admin_to_change(caller)?;
                self.delete_vlan(id)?;
                return Ok(no_content());
            }
            _ => return Err(bad_method()),
        }
        Ok(LabResponse::json(200, &self.show_vlan(id)))
    }

    /// Saving any VLAN deletes all fabrics without VLANs (3.5.9 maasserver/models/vlan.py:296-300).
    fn delete_empty_fabrics(&mut self) {
        let used: Vec<u64> = self.vlans.values().map(|vlan| vlan.fabric).collect();
        self.fabrics.retain(|id, _| used.contains(id));
    }

    fn read_vlan(
        &self,
        now: &StoredVlan,
        form: &Form,
        creating: bool,
    ) -> Result<StoredVlan, LabResponse> {
        let mut errors = FormErrors::default();
        let mut vlan = now.clone();
        self.read_place(&mut vlan, form, creating, &mut errors);
        read_name(&mut vlan, form, &mut errors);
        read_mtu(&mut vlan, form, &mut errors);
        match form.get("space") {
            None => {}
            Some("") => vlan.space = None,
            // Only an update accepts `undefined`.
            Some("undefined") if !creating => vlan.space = None,
            Some(text) => match self.find_space(text) {
                Ok(space) => vlan.space = Some(space),
                Err(_) => errors.add("space", none_found("space-", text)),
            },
        }
        if creating && form.checkbox("dhcp_on") == Some(true) {
            // The form queries the subnets of the unsaved row.
            if !self.version.refuses_dhcp_on_a_new_vlan() {
                return Err(LabResponse::text(500, NO_KEY));
            }
            errors.add("dhcp_on", NO_RANGE);
        }
        self.read_dhcp(&mut vlan, (!creating).then_some(now), form, &mut errors);
        let taken = self.vlans.values().any(|other| {
            other.id != vlan.id && other.fabric == vlan.fabric && other.vid == vlan.vid
        });
        if taken && !errors.has("vid") {
            errors.add("__all__", DUPLICATE);
        }
        errors.done()?;
        Ok(vlan)
    }

    fn read_place(
        &self,
        vlan: &mut StoredVlan,
        form: &Form,
        creating: bool,
        errors: &mut FormErrors,
    ) {
        const LIMITS: &str = "VID must be between 0 and 4094.";
        // MAAS validates the VID again in the model, but only for a new row.
        let mut refuse = |message: &str| {
            errors.add("vid", message);
            if creating {
                errors.add("vid", LIMITS);
            }
        };
        match form.get("vid") {
            None if !creating => {}
            None | Some("") => refuse(REQUIRED),
            Some(text) => match parse::integer(text) {
                Some(vid) if (0..=4094).contains(&vid) => {
                    vlan.vid = u16::try_from(vid).unwrap_or(0);
                }
                Some(_) => errors.add("vid", LIMITS),
                None => refuse(NO_NUMBER),
            },
        }
        if let Some(text) = form.given("fabric").filter(|_| !creating) {
            match self.find_fabric(text) {
                Ok(fabric) => vlan.fabric = fabric,
                Err(_) => errors.add("fabric", none_found("fabric-", text)),
            }
        }
    }

    fn read_dhcp(
        &self,
        vlan: &mut StoredVlan,
        now: Option<&StoredVlan>,
        form: &Form,
        errors: &mut FormErrors,
    ) {
        if let Some(on) = form.checkbox("dhcp_on") {
            vlan.dhcp_on = on;
        }
        for (field, slot) in [
            ("primary_rack", &mut vlan.primary),
            ("secondary_rack", &mut vlan.secondary),
        ] {
            match form.get(field) {
                None => {}
                Some("") => *slot = None,
                Some(text) => match now.and_then(|now| self.rack_on(text, now.vid)) {
                    Some(rack) => *slot = Some(rack),
                    None => errors.add(field, no_such_choice(text)),
                },
            }
        }
        if let Some(now) = now {
            check_racks(vlan, now, errors);
        }
        match form.get("relay_vlan") {
            None => {}
            Some("") => vlan.relay = None,
            Some(text) => match parse::number(text).filter(|to| self.may_relay(now, *to)) {
                Some(target) => vlan.relay = Some(target),
                None => errors.add("relay_vlan", NO_CHOICE),
            },
        }
        if let Some(now) = now.filter(|_| vlan.dhcp_on) {
            self.check_served(vlan, now, form, errors);
        }
    }

    /// DHCP needs a rack and a dynamic range, but MAAS accepts removing the rack while DHCP is on (seen on 3.5.12 and 3.7.3).
    fn check_served(
        &self,
        vlan: &StoredVlan,
        now: &StoredVlan,
        form: &Form,
        errors: &mut FormErrors,
    ) {
        let cleared = form.get("primary_rack") == Some("") && now.primary.is_some();
        let home = |range: &StoredRange| self.subnets[&range.subnet].vlan;
        let served = self
            .ranges
            .values()
            .any(|range| range.kind == RangeType::Dynamic && home(range) == now.id);
        if !served {
            errors.add("dhcp_on", NO_RANGE);
        } else if vlan.primary.is_none() && !cleared {
            let message = "dhcp can only be turned on when a primary rack controller is set.";
            errors.add("__all__", message);
        }
    }

    /// Accepts racks with an interface in a VLAN with this VID (3.5.9 maasserver/forms/vlan.py:58-66).
    fn rack_on(&self, text: &str, vid: u16) -> Option<String> {
        let node = self.node_by_id(text).or_else(|| self.node_by_host(text))?;
        let sees = self.interfaces_of(&node.system_id).any(|interface| {
            let vlan = interface.vlan.map(|vlan| self.vlans[&vlan].vid);
            vlan == Some(vid)
        });
        let is_rack = matches!(node.kind, NodeType::Rack | NodeType::RegionRack);
        (is_rack && sees).then(|| node.system_id.clone())
    }

    /// A relay target must not be relayed itself and must not be the changed VLAN; while that has DHCP, only its present target
    /// is accepted. A VLAN that others relay to cannot be relayed.
    fn may_relay(&self, now: Option<&StoredVlan>, to: u64) -> bool {
        let free = self.vlans.get(&to).is_some_and(|to| to.relay.is_none());
        let Some(now) = now else { return free };
        let relayed_to = self.vlans.values().any(|vlan| vlan.relay == Some(now.id));
        let kept = now.relay == Some(to);
        kept && now.dhcp_on || free && !now.dhcp_on && now.id != to && !relayed_to
    }

    /// VLAN interfaces are deleted; other interfaces and subnets move to the default VLAN
    /// (3.5.9 maasserver/models/vlan.py:263-271).
    fn delete_vlan(&mut self, id: u64) -> Result<(), LabResponse> {
        let fabric = self.vlans[&id].fabric;
        let default = self.default_vlan(fabric);
        if default == Some(id) {
            return Err(plain(
                400,
                "This VLAN is the default VLAN in the fabric, it cannot be deleted.",
            ));
        }
        self.clear_vlan(id, default);
        for subnet in self.subnets.values_mut().filter(|subnet| subnet.vlan == id) {
            subnet.vlan = default.unwrap_or(subnet.vlan);
        }
        for vlan in self
            .vlans
            .values_mut()
            .filter(|vlan| vlan.relay == Some(id))
        {
            vlan.relay = None;
        }
        self.vlans.remove(&id);
        Ok(())
    }
}

fn check_racks(vlan: &mut StoredVlan, now: &StoredVlan, errors: &mut FormErrors) {
    // The secondary rack replaces a removed primary, and there is no secondary if it becomes the primary.
    if vlan.primary.is_none() && now.secondary.is_some() {
        vlan.primary.clone_from(&now.secondary);
        vlan.secondary = None;
    }
    if vlan.primary.is_some() && vlan.primary == now.secondary {
        vlan.secondary = None;
    }
    match &vlan.secondary {
        Some(rack) if now.primary.as_ref() == Some(rack) => {
            let message = format!("{rack} is already set as the primary rack controller");
            errors.add("__all__", message);
        }
        Some(rack) if vlan.primary.as_ref() == Some(rack) => {
            errors.add(
                "__all__",
                "The primary and secondary rack must be different",
            );
        }
        Some(_) | None => {}
    }
}

fn read_name(vlan: &mut StoredVlan, form: &Form, errors: &mut FormErrors) {
    let Some(name) = form.get("name") else { return };
    let long = refuse_long("name", name, 256, errors);
    if !long && !name.is_empty() && !is_title(name) {
        errors.add("name", INVALID);
    }
    vlan.name = Some(name.to_owned()).filter(|name| !name.is_empty());
}

fn read_mtu(vlan: &mut StoredVlan, form: &Form, errors: &mut FormErrors) {
    match form.given("mtu").map(parse::integer) {
        None => {}
        Some(None) => errors.add("mtu", NO_NUMBER),
        Some(Some(mtu)) if mtu < 552 => {
            errors.add("mtu", "Ensure this value is greater than or equal to 552.");
        }
        Some(Some(mtu)) if mtu > 65535 => {
            errors.add("mtu", "MTU must be between 552 and 65535.");
        }
        Some(Some(mtu)) => vlan.mtu = u32::try_from(mtu).unwrap_or(1500),
    }
}

/// The message for a missing row that was named by id or as `space-7`, and for any other text.
pub(crate) fn none_found(prefix: &str, text: &str) -> String {
    let number = text.strip_prefix(prefix).unwrap_or(text);
    match parse::integer(number) {
        Some(_) => format!("None found with id={text}."),
        None => NO_CHOICE.to_owned(),
    }
}
