//! What each type of interface asks of its parents, its VLAN and its name (3.7.3 `maasserver/forms/interface.py`).

use super::form::{BLANK, Reading};
use crate::maas::form::FormErrors;
use crate::maas::store::{LabMaas, StoredInterface};

impl LabMaas {
    fn children_of(&self, parent: u64) -> impl Iterator<Item = &StoredInterface> {
        let all = self.interfaces.values();
        all.filter(move |child| child.parents.contains(&parent))
    }

    /// The number and the types of the parents.
    pub(super) fn check_parents(&self, row: &StoredInterface, errors: &mut FormErrors) {
        let parents: Vec<&StoredInterface> =
            row.parents.iter().map(|id| &self.interfaces[id]).collect();
        let children = |kinds: &[&str]| {
            let all = row.parents.iter().flat_map(|id| self.children_of(*id));
            all.filter(|child| child.id != row.id)
                .any(|child| kinds.contains(&child.kind.as_str()))
        };
        let any = |kind: &str| parents.iter().any(|parent| parent.kind == kind);
        let refused = match row.kind.as_str() {
            "physical" if !parents.is_empty() => "A physical interface cannot have parents.",
            "vlan" if parents.len() != 1 => "A VLAN interface must have exactly one parent.",
            "vlan" if any("vlan") => {
                "A VLAN interface can't have another VLAN interface as parent."
            }
            "vlan" if children(&["bond"]) => {
                "A VLAN interface can't have a parent that is already in a bond."
            }
            "bond" if parents.is_empty() => "A bond interface must have one or more parents.",
            "bridge" if parents.len() != 1 => "A bridge interface must have exactly one parent.",
            "bridge" if any("bridge") => {
                "A bridge interface can't have another bridge interface as parent."
            }
            "bridge" if children(&["bond", "bridge"]) => {
                "A bridge interface can't have a parent that is already in a bond or a bridge."
            }
            _ => return,
        };
        errors.add("parents", refused);
    }

    pub(super) fn check_physical(
        &self,
        reading: &Reading<'_>,
        row: &mut StoredInterface,
        errors: &mut FormErrors,
    ) {
        if reading.creating() && row.name.is_empty() && !errors.has("name") {
            row.name = self.next_name(&row.node);
        }
        self.refuse_name_of_another(row, errors);
    }

    /// The first name `ethN` above those in use.
    pub(crate) fn next_name(&self, node: &str) -> String {
        let numbers = self.interfaces_of(node).filter_map(|row| {
            let tail = row.name.strip_prefix("eth")?;
            let digits = tail.bytes().take_while(u8::is_ascii_digit).count();
            tail[..digits].parse::<u64>().ok()
        });
        let next = numbers.max().map_or(0, |most| most.saturating_add(1));
        format!("eth{next}")
    }

    fn refuse_name_of_another(&self, row: &StoredInterface, errors: &mut FormErrors) {
        if errors.has("name") || row.name.is_empty() || !self.name_is_taken(row) {
            return;
        }
        let host = &self.nodes[&row.node].hostname;
        let message = format!(
            "Node {} ({host}) already has an interface named '{}'.",
            row.node, row.name
        );
        errors.add("name", message);
    }

    /// A VLAN interface has a tagged VLAN of its parent's fabric, and is named after both.
    pub(super) fn check_tagged(
        &self,
        reading: &Reading<'_>,
        row: &mut StoredInterface,
        errors: &mut FormErrors,
    ) {
        let vlan = row.vlan.map(|vlan| &self.vlans[&vlan]);
        match vlan {
            _ if errors.has("vlan") => {}
            None => errors.add(
                "vlan",
                "A VLAN interface must be connected to a tagged VLAN.",
            ),
            Some(vlan) if vlan.vid == 0 => {
                errors.add("vlan", "A VLAN interface can only belong to a tagged VLAN.");
            }
            Some(_) => {}
        }
        let (Some(vlan), false) = (vlan, errors.has("vlan") || errors.has("parents")) else {
            return;
        };
        let parent = &self.interfaces[&row.parents[0]];
        let home = parent.vlan.map(|vlan| self.vlans[&vlan].fabric);
        if home != Some(vlan.fabric) {
            errors.add("vlan", "A VLAN interface can only belong to a tagged VLAN on the same fabric as its parent interface.");
        }
        if reading.creating() {
            parent.mac.clone_into(&mut row.mac);
            if row.name.is_empty() && !errors.has("name") {
                row.name = format!("{}.{}", parent.name, vlan.vid);
            }
        }
        self.refuse_name_of_another(row, errors);
    }

    /// Bonds and bridges take MAC and VLAN from their first port; a bond's ports must be on its VLAN and unused.
    pub(super) fn check_child(
        &self,
        reading: &Reading<'_>,
        row: &mut StoredInterface,
        errors: &mut FormErrors,
    ) {
        let bond = row.kind == "bond";
        if !errors.has("parents") && (bond || !errors.has("vlan")) {
            self.take_parents_mac(reading, row);
            let used: Vec<&str> = row
                .parents
                .iter()
                .filter(|id| {
                    let mut others = self.children_of(**id);
                    others.any(|child| child.id != row.id && (bond || child.kind != "vlan"))
                })
                .map(|id| self.interfaces[id].name.as_str())
                .collect();
            if !used.is_empty() {
                let mut used = used;
                used.sort_unstable();
                let message = format!("Interfaces already in-use: {}.", used.join(", "));
                errors.add("parents", message);
            }
            if reading.creating() {
                let first = row.parents.first().and_then(|id| self.interfaces[id].vlan);
                row.vlan = row.vlan.or(first);
                let elsewhere = |id: &u64| self.interfaces[id].vlan != row.vlan;
                if bond && row.parents.iter().any(elsewhere) {
                    errors.add("parents", "All parents must belong to the same VLAN.");
                }
            }
        }
        if row.mac.is_empty() && !errors.has("mac_address") {
            errors.add("mac_address", BLANK);
        }
    }

    /// A new one has its first port's MAC unless one is given; one that had the MAC of a port that leaves gets another's.
    fn take_parents_mac(&self, reading: &Reading<'_>, row: &mut StoredInterface) {
        let Some(first) = row
            .parents
            .first()
            .map(|id| self.interfaces[id].mac.clone())
        else {
            return;
        };
        let given = reading.form.get("mac_address").is_some();
        let now = reading.now;
        let leaves = |id: &u64| self.interfaces[id].mac == now.mac && !row.parents.contains(id);
        if reading.creating() && !given
            || !reading.creating() && row.mac == now.mac && now.parents.iter().any(leaves)
        {
            row.mac = first;
        }
    }
}
