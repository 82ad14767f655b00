//! Loads a layout file. What a real MAAS cannot store is an error that names the JSON path.

mod format;
mod nodes;
mod subnets;

use std::collections::BTreeSet;

use format::{LayoutFabric, LayoutFile, LayoutVlan};

use super::store::{LabMaas, NodeType};

/// Why a layout cannot be loaded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {why}")]
pub struct LoadError {
    /// The JSON path, for example `fabrics[0].vlans[1].subnets[0].cidr`.
    pub place: String,
    pub why: String,
}

fn load_error(place: impl Into<String>, why: impl Into<String>) -> LoadError {
    LoadError {
        place: place.into(),
        why: why.into(),
    }
}

impl LabMaas {
    /// Loads a layout. `version` overrides the layout's release; the default is 3.5.12.
    pub fn load(text: &str, version: Option<&str>) -> Result<Self, LoadError> {
        let layout: LayoutFile =
            serde_json::from_str(text).map_err(|error| load_error("$", error.to_string()))?;
        let version = version.or(layout.version.as_deref()).unwrap_or("3.5.12");
        let mut maas = Self::empty(version);
        for user in &layout.users {
            maas.add_user(&user.name, user.admin);
        }
        maas.load_fabrics(&layout)?;
        for space in &layout.spaces {
            maas.space_named(space);
        }
        maas.load_controllers(&layout.controllers)?;
        maas.load_nodes(&layout.machines, "machines", NodeType::Machine)?;
        maas.load_nodes(&layout.devices, "devices", NodeType::Device)?;
        maas.load_vlan_services(&layout)?;
        maas.load_routes(&layout);
        maas.load_addresses(&layout);
        for (at, snippet) in layout.snippets.iter().enumerate() {
            maas.load_snippet(None, snippet, &format!("snippets[{at}]"))?;
        }
        for record in &layout.dns_records {
            maas.load_record(record);
        }
        Ok(maas)
    }

    fn load_fabrics(&mut self, layout: &LayoutFile) -> Result<(), LoadError> {
        // MAAS itself names fabrics `fabric-ID`, so a fabric with such a name gets that id.
        let numbered: BTreeSet<u64> = layout
            .fabrics
            .iter()
            .filter_map(|fabric| number_of(&fabric.name))
            .collect();
        let mut ids = Vec::new();
        for (at, fabric) in layout.fabrics.iter().enumerate() {
            let place = format!("fabrics[{at}]");
            if self.fabrics.values().any(|other| other.name == fabric.name) {
                return Err(load_error(
                    format!("{place}.name"),
                    format!("duplicate fabric `{}`", fabric.name),
                ));
            }
            let id = number_of(&fabric.name).unwrap_or_else(|| {
                loop {
                    let id = self.next("fabric");
                    if !numbered.contains(&id) {
                        break id;
                    }
                }
            });
            let next = self.sequences.entry("fabric").or_insert(1);
            *next = (*next).max(id + 1);
            self.make_fabric_as(id, Some(fabric.name.clone()), fabric.class_type.clone());
            ids.push(id);
        }
        // A default VLAN is created with its fabric, so its id is lower than that of other VLANs.
        for (at, (id, fabric)) in ids.into_iter().zip(&layout.fabrics).enumerate() {
            for (number, vlan) in fabric.vlans.iter().enumerate() {
                let place = format!("fabrics[{at}].vlans[{number}]");
                self.load_vlan(id, fabric, vlan, &place)?;
            }
        }
        Ok(())
    }

    fn load_vlan(
        &mut self,
        fabric: u64,
        home: &LayoutFabric,
        vlan: &LayoutVlan,
        place: &str,
    ) -> Result<(), LoadError> {
        let same_vid = self
            .vlans
            .values()
            .find(|row| row.fabric == fabric && row.vid == vlan.vid)
            .map(|row| row.id);
        let known = if vlan.default {
            self.default_vlan(fabric)
        } else {
            same_vid
        };
        let id = match known {
            Some(id) if vlan.vid == 0 || vlan.default => id,
            Some(_) => {
                return Err(load_error(
                    format!("{place}.vid"),
                    format!("duplicate VLAN {} in fabric `{}`", vlan.vid, home.name),
                ));
            }
            None => self.next("vlan"),
        };
        let space = vlan.space.as_ref().map(|space| self.space_named(space));
        self.vlans.insert(
            id,
            super::store::StoredVlan {
                id,
                fabric,
                vid: vlan.vid,
                // How a fabric's first VLAN reads, whatever its name; this is the one that MAAS gives it.
                name: vlan.name.clone().map(|name| match name.as_str() {
                    "untagged" if known.is_some() => "Default VLAN".to_owned(),
                    _ => name,
                }),
                mtu: vlan.mtu.or(home.mtu).unwrap_or(1500),
                space,
                dhcp_on: false,
                primary: None,
                secondary: None,
                relay: None,
            },
        );
        for (number, subnet) in vlan.subnets.iter().enumerate() {
            self.load_subnet(id, subnet, &format!("{place}.subnets[{number}]"))?;
        }
        Ok(())
    }

    fn space_named(&mut self, name: &str) -> u64 {
        let known = self
            .spaces
            .values()
            .find(|space| space.name == name)
            .map(|space| space.id);
        known.unwrap_or_else(|| self.make_space(Some(name.to_owned()), ""))
    }

    /// DHCP, racks and relays, after all VLANs and controllers are loaded.
    fn load_vlan_services(&mut self, layout: &LayoutFile) -> Result<(), LoadError> {
        for (at, fabric) in layout.fabrics.iter().enumerate() {
            for (number, vlan) in fabric.vlans.iter().enumerate() {
                let place = format!("fabrics[{at}].vlans[{number}]");
                let id = self
                    .vlan_at(&fabric.name, vlan.vid)
                    .ok_or_else(|| load_error(&place, "no such VLAN"))?;
                if let Some(relay) = &vlan.relay {
                    let target = self.vlan_at(&relay.fabric, relay.vid);
                    let target = target.ok_or_else(|| {
                        load_error(
                            format!("{place}.relay"),
                            format!("no VLAN {}/{}", relay.fabric, relay.vid),
                        )
                    })?;
                    if let Some(row) = self.vlans.get_mut(&id) {
                        row.relay = Some(target);
                    }
                }
                // A VLAN keeps its rack after DHCP is turned off.
                if vlan.dhcp || vlan.primary_rack.is_some() {
                    self.load_dhcp(id, vlan, &place)?;
                }
            }
        }
        Ok(())
    }

    fn load_dhcp(&mut self, id: u64, vlan: &LayoutVlan, place: &str) -> Result<(), LoadError> {
        let rack = |name: &String| {
            let node = self.node_by_host(name).map(|node| node.system_id.clone());
            node.ok_or_else(|| {
                load_error(
                    format!("{place}.primary_rack"),
                    format!("no controller `{name}`"),
                )
            })
        };
        let secondary = vlan.secondary_rack.as_ref().map(rack).transpose()?;
        let primary = match vlan.primary_rack.as_ref().map(rack).transpose()? {
            Some(primary) => primary,
            None => self.own_rack(id),
        };
        if let Some(row) = self.vlans.get_mut(&id) {
            row.dhcp_on = vlan.dhcp;
            row.primary = Some(primary);
            row.secondary = secondary;
        }
        Ok(())
    }

    fn vlan_at(&self, fabric: &str, vid: u16) -> Option<u64> {
        self.vlans
            .values()
            .find(|vlan| vlan.vid == vid && self.fabrics[&vlan.fabric].name == fabric)
            .map(|vlan| vlan.id)
    }
}

fn number_of(name: &str) -> Option<u64> {
    name.strip_prefix("fabric-")?.parse().ok()
}
