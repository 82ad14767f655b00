//! What MAAS does when an interface is saved or deleted (3.7.3 `maasserver/models/interface.py`,
//! `models/signals/interfaces.py`). It must not know requests.

use serde_json::json;

use crate::maas::form::field_error;
use crate::maas::store::{AllocType, LabMaas, StoredInterface, StoredVlan};
use crate::wire::LabResponse;

impl LabMaas {
    /// Inserts a new interface as MAAS's forms do: first the row, then its parents and parameters.
    pub(super) fn insert_interface(
        &mut self,
        mut row: StoredInterface,
    ) -> Result<u64, LabResponse> {
        row.id = self.next("interface");
        let id = row.id;
        let first = StoredInterface {
            params: serde_json::Map::new(),
            ..row.clone()
        };
        self.interfaces.insert(id, first);
        // The check of the ports comes after the row is stored.
        if let Err(refusal) = self.refuse_odd_ports(&row) {
            if !self.version.keeps_refused_changes() {
                self.interfaces.remove(&id);
            }
            return Err(refusal);
        }
        self.save_interface(row);
        self.ensure_link_up(id);
        Ok(id)
    }

    /// Writes a changed interface in the two steps of MAAS's forms: fields, then parents and parameters.
    pub(super) fn update_in_steps(&mut self, row: &StoredInterface) -> Result<(), LabResponse> {
        let now = self.interfaces[&row.id].clone();
        let (parents, params, vlan) = (row.parents.clone(), row.params.clone(), row.vlan);
        self.save_interface(StoredInterface {
            parents: now.parents,
            params: now.params,
            ..row.clone()
        });
        let mut then = self.interfaces[&row.id].clone();
        if !parents.is_empty() {
            then.parents = parents;
            let refusal = self.refuse_odd_ports(&then).err();
            let keeps = refusal.is_none() || self.version.keeps_refused_changes();
            if keeps {
                self.interfaces.insert(row.id, then.clone());
            }
            if let Some(refusal) = refusal {
                return Err(refusal);
            }
        }
        then.params = params;
        then.vlan = vlan.and(then.vlan);
        self.save_interface(then);
        Ok(())
    }

    fn refuse_odd_ports(&self, row: &StoredInterface) -> Result<(), LabResponse> {
        let mut ports = row.parents.iter().map(|id| &self.interfaces[id]);
        if row.kind == "bond" && ports.any(|port| port.kind != "physical") {
            let message = "Only physical interfaces can be bonded.";
            return Err(field_error("parents", message));
        }
        Ok(())
    }

    /// Writes a row, and what follows from the change for links, children, ports and MTUs.
    pub(crate) fn save_interface(&mut self, mut row: StoredInterface) {
        let id = row.id;
        if row.kind == "vlan"
            && let Some(parent) = row.parents.first()
        {
            row.mac.clone_from(&self.interfaces[parent].mac);
        }
        let now = row.clone();
        let Some(before) = self.interfaces.insert(id, row) else {
            return;
        };
        if before.vlan != now.vlan {
            self.follow_vlan_change(id, before.vlan);
        }
        if before.enabled != now.enabled && now.kind == "physical" {
            self.follow_switch(id);
        }
        self.save_children(id);
        if let Some(mtu) = now.mtu().filter(|_| now.mtu() != before.mtu()) {
            self.spread_mtu(id, mtu);
        }
        self.drag_ports(id);
    }

    fn child_ids(&self, id: u64) -> Vec<u64> {
        let all = self.interfaces.values();
        let children = all.filter(|child| child.parents.contains(&id));
        children.map(|child| child.id).collect()
    }

    /// Every save of an interface saves its children: a VLAN interface has its parent's MAC, all are enabled while one parent
    /// is, and a bond or bridge takes links and VLANs of its ports back.
    fn save_children(&mut self, id: u64) {
        for child in self.child_ids(id) {
            let mut row = self.interfaces[&child].clone();
            row.enabled = row.parents.iter().any(|id| self.interfaces[id].enabled);
            if row.kind == "vlan" {
                row.mac.clone_from(&self.interfaces[&id].mac);
            }
            if row == self.interfaces[&child] {
                self.drag_ports(child);
            } else {
                self.save_interface(row);
            }
        }
    }

    /// The ports of a bond or bridge have no links and are on its VLAN.
    fn drag_ports(&mut self, id: u64) {
        let row = self.interfaces[&id].clone();
        if !matches!(row.kind.as_str(), "bond" | "bridge") {
            return;
        }
        for port in row.parents {
            self.remove_own_links(port);
            let before = self.interfaces[&port].vlan;
            if before != row.vlan {
                if let Some(port) = self.interfaces.get_mut(&port) {
                    port.vlan = row.vlan;
                }
                self.follow_vlan_change(port, before);
            }
        }
    }

    /// Removes all links but discovered ones.
    pub(crate) fn remove_own_links(&mut self, interface: u64) {
        let links: Vec<u64> = self
            .links_of(interface)
            .filter(|link| link.alloc != AllocType::Discovered)
            .map(|link| link.id)
            .collect();
        for link in links {
            self.remove_address(link);
        }
    }

    /// An interface that moves to another VLAN loses its links. A controller's interface keeps them, and moves the linked
    /// subnets and its VLAN interfaces. A fabric that is left without subnets and interfaces is deleted.
    fn follow_vlan_change(&mut self, id: u64, before: Option<u64>) {
        let row = self.interfaces[&id].clone();
        if self.nodes[&row.node].kind.is_controller() {
            if let (Some(_), Some(vlan)) = (before, row.vlan) {
                let subnets: Vec<u64> = self.links_of(id).filter_map(|link| link.subnet).collect();
                for subnet in subnets {
                    if let Some(subnet) = self.subnets.get_mut(&subnet) {
                        subnet.vlan = vlan;
                    }
                }
                self.move_tagged_children(id, self.vlans[&vlan].fabric);
            }
        } else {
            self.remove_own_links(id);
        }
        if let Some(before) = before.and_then(|vlan| self.vlans.get(&vlan)) {
            self.delete_deserted_fabric(before.fabric);
        }
    }

    fn move_tagged_children(&mut self, id: u64, fabric: u64) {
        for child in self.child_ids(id) {
            let mut row = self.interfaces[&child].clone();
            if let Some(vlan) = row.vlan.filter(|_| row.kind == "vlan") {
                row.vlan = Some(self.vlan_with_tag(fabric, self.vlans[&vlan].vid));
                self.save_interface(row);
            }
        }
    }

    /// The VLAN with this tag; created if missing.
    pub(crate) fn vlan_with_tag(&mut self, fabric: u64, vid: u16) -> u64 {
        let mut all = self.vlans.values();
        if let Some(known) = all.find(|vlan| vlan.fabric == fabric && vlan.vid == vid) {
            return known.id;
        }
        let id = self.next("vlan");
        self.vlans.insert(id, StoredVlan::new(id, fabric, vid));
        id
    }

    fn delete_deserted_fabric(&mut self, fabric: u64) {
        let here: Vec<u64> = self
            .vlans
            .values()
            .filter(|vlan| vlan.fabric == fabric)
            .map(|vlan| vlan.id)
            .collect();
        let used = self.subnets.values().any(|row| here.contains(&row.vlan))
            || self
                .interfaces
                .values()
                .any(|row| row.vlan.is_some_and(|vlan| here.contains(&vlan)));
        if !used {
            self.vlans.retain(|id, _| !here.contains(id));
            for vlan in self.vlans.values_mut() {
                vlan.relay = vlan.relay.filter(|relay| !here.contains(relay));
            }
            self.fabrics.remove(&fabric);
        }
    }

    /// A physical interface that is switched on has at least a link without an address, and so have its children; one that is
    /// switched off has none, nor have children that are off with it.
    fn follow_switch(&mut self, id: u64) {
        let children = self.child_ids(id);
        if self.interfaces[&id].enabled {
            self.ensure_link_up(id);
            for child in children {
                self.ensure_link_up(child);
            }
            return;
        }
        self.remove_own_links(id);
        for child in children {
            let mut parents = self.interfaces[&child].parents.iter();
            if !parents.any(|parent| self.interfaces[parent].enabled) {
                self.remove_links(child);
            }
        }
    }

    /// A new MTU limits children that have a larger one of their own, and raises that of the parents.
    fn spread_mtu(&mut self, id: u64, mtu: u64) {
        let larger = |row: &StoredInterface| row.mtu().is_some_and(|own| own > mtu);
        for child in self.child_ids(id) {
            if larger(&self.interfaces[&child]) {
                self.set_mtu(child, mtu);
            }
        }
        for parent in self.interfaces[&id].parents.clone() {
            if self.interfaces[&parent].mtu().is_none_or(|own| own < mtu) {
                self.set_mtu(parent, mtu);
            }
        }
    }

    fn set_mtu(&mut self, id: u64, mtu: u64) {
        let mut row = self.interfaces[&id].clone();
        row.params.insert("mtu".to_owned(), json!(mtu));
        self.save_interface(row);
    }

    /// Its own MTU, else its VLAN's; at least the largest of its children.
    pub(crate) fn effective_mtu(&self, id: u64) -> u64 {
        const DEFAULT: u64 = 1500;
        let row = &self.interfaces[&id];
        let vlan = row.vlan.map(|vlan| u64::from(self.vlans[&vlan].mtu));
        let own = row.mtu().or(vlan).unwrap_or(DEFAULT);
        let children = self.child_ids(id).into_iter();
        let children = children.map(|child| self.effective_mtu(child));
        children.max().map_or(own, |child| child.max(own))
    }

    /// Removes an interface, its links, and the children that lose their last parent.
    pub(crate) fn remove_interface(&mut self, id: u64) {
        for child in self.child_ids(id) {
            if self.interfaces[&child].parents.len() == 1 {
                self.remove_interface(child);
            }
        }
        self.remove_links(id);
        self.interfaces.remove(&id);
        for row in self.interfaces.values_mut() {
            row.parents.retain(|parent| *parent != id);
        }
    }

    /// Takes the interfaces off a VLAN that is deleted: VLAN interfaces go, others move to the fabric's default VLAN. A bridge
    /// on a VLAN interface goes with it and is then stored again, without parents and links (seen on 3.5.12 and 3.7.3).
    pub(crate) fn clear_vlan(&mut self, vlan: u64, default: Option<u64>) {
        let here = self
            .interfaces
            .values()
            .filter(|row| row.vlan == Some(vlan));
        let here: Vec<StoredInterface> = here.cloned().collect();
        for row in here {
            if row.kind == "vlan" {
                if self.interfaces.contains_key(&row.id) {
                    self.remove_interface(row.id);
                }
                continue;
            }
            let known = self.interfaces.get(&row.id).cloned();
            let mut then = known.clone().unwrap_or(row);
            then.vlan = default;
            if known.is_some() {
                self.save_interface(then);
            } else {
                then.parents.clear();
                self.interfaces.insert(then.id, then);
            }
        }
    }
}
