//! VLANs: the form's checks in its order, DHCP's conditions, what a delete drags along (3.5.9 maasserver/forms/vlan.py, models/vlan.py).

use serde_json::Value;

use super::form::{Errors, Form, NO_CHOICE, REQUIRED};
use super::store::{Maas, NodeType, RangeType, Vlan};
use super::{Answer, Asker, admin_to_change, bad_method, gone, missing, plain};
use crate::wire::Response;

const DUPLICATE: &str = "A VLAN with the specified VID already exists in the destination fabric.";

/// No space goes by that name.
struct NoSpace;

impl Maas {
    pub(crate) fn fabric_vlans(
        &mut self,
        method: &str,
        fabric: &str,
        form: &Form,
        asker: &Asker,
    ) -> Answer {
        let fabric = self
            .fabrics
            .values()
            .find(|known| known.id.to_string() == fabric || known.name == fabric)
            .map(|known| known.id)
            .ok_or_else(|| missing("Fabric"))?;
        match method {
            "GET" => {
                let list: Vec<Value> = self
                    .vlans
                    .values()
                    .filter(|vlan| vlan.fabric == fabric)
                    .map(|vlan| self.show_vlan(vlan.id))
                    .collect();
                Ok(Response::json(200, &Value::Array(list)))
            }
            "POST" => {
                admin_to_change(asker)?;
                let blank = Vlan {
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
                Ok(Response::json(200, &self.show_vlan(id)))
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
        asker: &Asker,
    ) -> Answer {
        let found = self
            .vlans
            .values()
            .find(|vlan| {
                let home = &self.fabrics[&vlan.fabric];
                let here = home.id.to_string() == fabric || home.name == fabric;
                here && (vlan.vid.to_string() == vid || (vid == "untagged" && vlan.vid == 0))
            })
            .map(|vlan| vlan.id);
        let id = found.ok_or_else(|| missing("VLAN"))?;
        self.vlan(method, id, form, asker)
    }

    pub(crate) fn vlan_by_id(
        &mut self,
        method: &str,
        id: &str,
        form: &Form,
        asker: &Asker,
    ) -> Answer {
        let found = id
            .parse::<u64>()
            .ok()
            .filter(|id| self.vlans.contains_key(id));
        let absent = || {
            if method == "DELETE" {
                plain(404, "VLAN with specified ID does not exist.")
            } else {
                missing("VLAN")
            }
        };
        self.vlan(method, found.ok_or_else(absent)?, form, asker)
    }

    fn vlan(&mut self, method: &str, id: u64, form: &Form, asker: &Asker) -> Answer {
        match method {
            "GET" => {}
            "PUT" => {
                admin_to_change(asker)?;
                let now = self.vlans[&id].clone();
                let mut then = self.read_vlan(&now, form, false)?;
                if then.dhcp_on {
                    then.relay = None;
                }
                let moved = then.fabric != now.fabric;
                self.vlans.insert(id, then);
                if moved {
                    self.sweep_fabrics();
                }
            }
            "DELETE" => {
                admin_to_change(asker)?;
                self.delete_vlan(id)?;
                return Ok(gone());
            }
            _ => return Err(bad_method()),
        }
        Ok(Response::json(200, &self.show_vlan(id)))
    }

    /// Any VLAN save deletes every fabric without VLANs (3.5.9 maasserver/models/vlan.py:296-300).
    fn sweep_fabrics(&mut self) {
        let used: Vec<u64> = self.vlans.values().map(|vlan| vlan.fabric).collect();
        self.fabrics.retain(|id, _| used.contains(id));
    }

    fn read_vlan(&self, now: &Vlan, form: &Form, creating: bool) -> Result<Vlan, Response> {
        let mut errors = Errors::default();
        let mut vlan = now.clone();
        self.read_place(&mut vlan, form, creating, &mut errors);
        if let Some(name) = form.get("name") {
            vlan.name = Some(name.to_owned()).filter(|name| !name.is_empty());
        }
        read_mtu(&mut vlan, form, &mut errors);
        if let Some(space) = form.get("space") {
            match self.read_space(space) {
                Ok(space) => vlan.space = space,
                Err(NoSpace) => errors.add("space", NO_CHOICE),
            }
        }
        if !creating {
            self.read_dhcp(&mut vlan, now, form, &mut errors);
        }
        let taken = self.vlans.values().any(|other| {
            other.id != vlan.id && other.fabric == vlan.fabric && other.vid == vlan.vid
        });
        if taken && !errors.has("vid") {
            errors.add("__all__", DUPLICATE);
        }
        errors.done()?;
        Ok(vlan)
    }

    fn read_place(&self, vlan: &mut Vlan, form: &Form, creating: bool, errors: &mut Errors) {
        const LIMITS: &str = "VID must be between 0 and 4094.";
        match form.get("vid") {
            None if !creating => {}
            None | Some("") => {
                errors.add("vid", REQUIRED);
                errors.add("vid", LIMITS);
            }
            Some(text) => match text.parse::<i64>() {
                Ok(vid) if (0..=4094).contains(&vid) => vlan.vid = u16::try_from(vid).unwrap_or(0),
                Ok(_) => errors.add("vid", LIMITS),
                Err(_) => {
                    errors.add("vid", "Enter a whole number.");
                    errors.add("vid", LIMITS);
                }
            },
        }
        if let Some(fabric) = form.get("fabric").filter(|_| !creating) {
            match self
                .fabrics
                .values()
                .find(|known| known.id.to_string() == fabric || known.name == fabric)
            {
                Some(known) => vlan.fabric = known.id,
                None => errors.add("fabric", NO_CHOICE),
            }
        }
    }

    /// A space by id or name; nothing and `undefined` clear it.
    fn read_space(&self, text: &str) -> Result<Option<u64>, NoSpace> {
        if text.is_empty() || text == "undefined" || text == "-1" {
            return Ok(None);
        }
        self.spaces
            .values()
            .find(|space| space.id.to_string() == text || space.name == text)
            .map(|space| Some(space.id))
            .ok_or(NoSpace)
    }

    fn read_dhcp(&self, vlan: &mut Vlan, now: &Vlan, form: &Form, errors: &mut Errors) {
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
                Some(rack) if self.is_rack_on(rack, now.vid) => *slot = Some(rack.to_owned()),
                Some(_) => errors.add(field, NO_CHOICE),
            }
        }
        let cleared = form.get("primary_rack") == Some("") && now.primary.is_some();
        settle_racks(vlan, now, errors);
        match form.get("relay_vlan") {
            None => {}
            Some("") => vlan.relay = None,
            Some(text) => match text
                .parse()
                .ok()
                .filter(|target| !now.dhcp_on || now.relay == Some(*target))
                .filter(|target| self.may_relay(now.id, *target))
            {
                Some(target) => vlan.relay = Some(target),
                None => errors.add("relay_vlan", NO_CHOICE),
            },
        }
        if !vlan.dhcp_on {
            return;
        }
        // Taking the rack away while DHCP is on is accepted (seen on 3.5.12 and 3.7.3); anything else needs rack and range.
        let served = self
            .subnets
            .values()
            .filter(|subnet| subnet.vlan == now.id)
            .any(|subnet| {
                self.ranges
                    .values()
                    .any(|range| range.subnet == subnet.id && range.kind == RangeType::Dynamic)
            });
        if !served {
            errors.add(
                "dhcp_on",
                "dhcp can only be turned on when a dynamic IP range is defined.",
            );
        } else if vlan.primary.is_none() && !cleared {
            errors.add(
                "__all__",
                "dhcp can only be turned on when a primary rack controller is set.",
            );
        }
    }

    /// Candidates are racks with an interface on a VLAN of that VID (3.5.9 maasserver/forms/vlan.py:58-66).
    fn is_rack_on(&self, rack: &str, vid: u16) -> bool {
        let is_rack = self
            .node_by_id(rack)
            .is_some_and(|node| matches!(node.kind, NodeType::Rack | NodeType::RegionRack));
        is_rack
            && self.interfaces_of(rack).any(|interface| {
                interface
                    .vlan
                    .is_some_and(|vlan| self.vlans[&vlan].vid == vid)
            })
    }

    fn may_relay(&self, from: u64, to: u64) -> bool {
        let relayed_to = self.vlans.values().any(|vlan| vlan.relay == Some(from));
        from != to
            && !relayed_to
            && self
                .vlans
                .get(&to)
                .is_some_and(|target| target.relay.is_none())
    }

    /// 3.5.9 maasserver/models/vlan.py:263-271: interfaces go or move to the default VLAN, subnets move to it.
    fn delete_vlan(&mut self, id: u64) -> Result<(), Response> {
        let fabric = self.vlans[&id].fabric;
        let default = self.default_vlan(fabric);
        if default == Some(id) {
            return Err(plain(
                400,
                "This VLAN is the default VLAN in the fabric, it cannot be deleted.",
            ));
        }
        let on_it: Vec<(u64, bool)> = self
            .interfaces
            .values()
            .filter(|interface| interface.vlan == Some(id))
            .map(|interface| (interface.id, interface.kind == "vlan"))
            .collect();
        for (interface, tagged) in on_it {
            if tagged {
                self.drop_interface(interface);
            } else {
                self.drop_links(interface);
                if let Some(row) = self.interfaces.get_mut(&interface) {
                    row.vlan = default;
                }
            }
        }
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

fn settle_racks(vlan: &mut Vlan, now: &Vlan, errors: &mut Errors) {
    // The secondary takes the place of a primary that goes, and is none when it is made the primary.
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

fn read_mtu(vlan: &mut Vlan, form: &Form, errors: &mut Errors) {
    match form.get("mtu").map(|text| (text, text.parse::<i64>())) {
        None | Some(("", _)) => {}
        Some((_, Err(_))) => errors.add("mtu", "Enter a whole number."),
        Some((_, Ok(mtu))) if mtu < 552 => {
            errors.add("mtu", "Ensure this value is greater than or equal to 552.");
        }
        Some((_, Ok(mtu))) if mtu > 65535 => {
            errors.add("mtu", "MTU must be between 552 and 65535.");
        }
        Some((_, Ok(mtu))) => vlan.mtu = u32::try_from(mtu).unwrap_or(1500),
    }
}
