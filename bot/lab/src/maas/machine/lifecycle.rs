//! How a machine changes its status: acquired, deployed, released, broken, commissioned, rescued (3.7.3
//! `maasserver/models/node.py`, `node_status.py`).
//!
//! What needs a rack is refused with 503 and what needs an image with 400, as on a MAAS on which neither is there, until
//! [`LabMaas::start_racks`].

use super::{RELEASABLE, refused};
use crate::maas::answer::{ApiCaller, flag, plain};
use crate::maas::form::{Form, field_error};
use crate::maas::store::{LabMaas, StoredNode};
use crate::wire::LabResponse;

/// The Ubuntu releases that racks have images of, once they run.
const SERIES: [&str; 3] = ["focal", "jammy", "noble"];

impl LabMaas {
    /// Every change of status is remembered with the one before.
    pub(crate) fn set_node_status(&mut self, id: &str, status: &str) {
        if let Some(node) = self.nodes.get_mut(id) {
            node.previous_status = std::mem::replace(&mut node.status, status.to_owned());
        }
    }

    /// A power action needs a rack, unless people switch the machine.
    pub(crate) fn reach_power(&self, node: &StoredNode) -> Result<(), LabResponse> {
        if self.racks_run || matches!(node.power_type.as_str(), "manual" | "") {
            return Ok(());
        }
        let rack = self.nodes.values().find(|node| node.kind.is_rack());
        let rack = rack.map(|node| node.system_id.as_str()).unwrap_or_default();
        let message =
            format!("Unable to connect to any rack controller {rack}; no connections available.");
        Err(plain(503, message).with("retry-after", "10"))
    }

    /// Gives a machine to a user. AUTO links get no address yet.
    pub(super) fn acquire(&mut self, id: &str, user: &str) {
        self.set_node_status(id, "Allocated");
        if let Some(node) = self.nodes.get_mut(id) {
            node.owner = Some(user.to_owned());
        }
    }

    pub(super) fn release_machine(
        &mut self,
        node: &StoredNode,
        now: i64,
    ) -> Result<(), LabResponse> {
        if !RELEASABLE.contains(&node.status.as_str()) {
            let status = &node.status;
            let message = format!("Machine cannot be released in its current state ('{status}').");
            return Err(plain(409, message));
        }
        self.release_now(node, now)
    }

    fn release_now(&mut self, node: &StoredNode, now: i64) -> Result<(), LabResponse> {
        let id = node.system_id.as_str();
        if let Some(row) = self.nodes.get_mut(id).filter(|_| node.power_on) {
            // What a request changed before its 503 is not rolled back (seen on 3.5.12 and 3.7.3).
            row.osystem.clear();
        }
        if node.power_on {
            self.reach_power(node)?;
        }
        self.set_node_status(id, "Releasing");
        if node.power_on && node.power_type != "manual" && !node.power_type.is_empty() {
            self.begin(id, now);
        } else {
            self.free_machine(id);
        }
        Ok(())
    }

    /// AUTO links lose their address and bridges made for the owner go; STATIC links stay (seen on 3.5.12 and 3.7.3; 3.5.9
    /// maasserver/models/node.py:4790-4812).
    pub(crate) fn free_machine(&mut self, id: &str) {
        let rows: Vec<(u64, bool, Vec<u64>)> = self
            .interfaces_of(id)
            .map(|row| (row.id, row.acquired, row.parents.clone()))
            .collect();
        for (interface, acquired, parents) in rows {
            self.free_automatic_addresses(interface);
            if acquired {
                self.give_links_back(interface, parents.first().copied());
            }
        }
        let commissioned = self.nodes.get(id).is_some_and(|node| node.commissioned);
        self.set_node_status(id, if commissioned { "Ready" } else { "New" });
        if let Some(node) = self.nodes.get_mut(id) {
            node.owner = None;
            node.osystem.clear();
            node.distro_series.clear();
            node.locked = false;
            node.power_on = false;
            node.busy_since = None;
        }
    }

    fn free_automatic_addresses(&mut self, interface: u64) {
        use crate::maas::store::AllocType;
        for row in self.addresses.values_mut() {
            if row.interface == Some(interface) && row.alloc == AllocType::Auto {
                row.ip = None;
            }
        }
    }

    /// A bridge that was made while the machine was allocated goes, and its links return to its port.
    fn give_links_back(&mut self, bridge: u64, port: Option<u64>) {
        let links: Vec<u64> = self.links_of(bridge).map(|link| link.id).collect();
        for link in links {
            if let Some(row) = self.addresses.get_mut(&link) {
                row.interface = port;
            }
        }
        self.remove_interface(bridge);
    }

    pub(super) fn mark_broken(
        &mut self,
        node: &StoredNode,
        caller: &ApiCaller,
        now: i64,
    ) -> Result<(), LabResponse> {
        // Only the owner: of a machine that nobody owns, not even an administrator (seen on 3.5.12 and 3.7.3).
        if node.owner.as_ref() != Some(&caller.name) {
            return Err(plain(403, ""));
        }
        if RELEASABLE.contains(&node.status.as_str()) {
            self.release_now(node, now)?;
        }
        self.set_node_status(&node.system_id, "Broken");
        Ok(())
    }

    pub(super) fn mark_fixed(&mut self, node: &StoredNode) -> Result<(), LabResponse> {
        if node.status != "Broken" {
            let message = "Can't mark a non-broken node as 'Ready'.";
            return Err(plain(409, message));
        }
        let status = match node.previous_status.as_str() {
            "Deployed" => "Deployed",
            _ => "Ready",
        };
        self.set_node_status(&node.system_id, status);
        if let Some(row) = self.nodes.get_mut(&node.system_id) {
            row.osystem.clear();
            row.distro_series.clear();
        }
        Ok(())
    }

    pub(super) fn deploy_machine(
        &mut self,
        node: &StoredNode,
        form: &Form,
        caller: &ApiCaller,
        now: i64,
    ) -> Result<(), LabResponse> {
        for name in [
            "install_kvm",
            "register_vmhost",
            "ephemeral_deploy",
            "bridge_all",
        ] {
            flag(form.raw(name), name, false)?;
        }
        let ready = node.status == "Ready";
        if !ready && node.status != "Allocated" {
            let status = &node.status;
            let message = format!("Can't deploy a machine that is in the '{status}' state");
            return Err(plain(409, message));
        }
        if ready
            && node
                .owner
                .as_ref()
                .is_some_and(|owner| *owner != caller.name)
        {
            let message = "Can't allocate a machine belonging to another user.";
            return Err(plain(409, message));
        }
        let id = node.system_id.as_str();
        let given = form.raw("distro_series").filter(|text| !text.is_empty());
        let series = given.unwrap_or(self.version.default_series());
        let series = series.strip_prefix("ubuntu/").unwrap_or(series).to_owned();
        if let Err(refusal) = self.check_series(given.unwrap_or(&series), &series) {
            if ready && self.version.keeps_refused_changes() {
                self.acquire(id, &caller.name);
            }
            return Err(refusal);
        }
        if ready {
            self.acquire(id, &caller.name);
        }
        self.reach_power(&self.nodes[id])?;
        self.claim_automatic_addresses(id)?;
        self.set_node_status(id, "Deploying");
        if let Some(row) = self.nodes.get_mut(id) {
            "ubuntu".clone_into(&mut row.osystem);
            row.distro_series = series;
            row.power_on = true;
        }
        self.begin(id, now);
        Ok(())
    }

    fn check_series(&self, given: &str, series: &str) -> Result<(), LabResponse> {
        if self.racks_run && SERIES.contains(&series) {
            return Ok(());
        }
        let known: &[&str] = if self.racks_run { &SERIES } else { &[] };
        let known: Vec<String> = std::iter::once(&"")
            .chain(known)
            .map(|name| format!("'{name}'"))
            .collect();
        let message = format!(
            "'{given}' is not a valid distro_series.  It should be one of: {}.",
            known.join(", ")
        );
        Err(field_error("distro_series", message))
    }

    fn claim_automatic_addresses(&mut self, id: &str) -> Result<(), LabResponse> {
        for (row, subnet) in self.waiting_links(id) {
            let ip = self.pick_free(subnet)?;
            if let Some(row) = self.addresses.get_mut(&row) {
                row.ip = Some(ip);
            }
        }
        Ok(())
    }

    /// AUTO links without an address, with their subnets.
    pub(crate) fn waiting_links(&self, id: &str) -> Vec<(u64, u64)> {
        use crate::maas::store::AllocType;
        let interfaces = self.interfaces_of(id);
        let links = interfaces.flat_map(|interface| self.links_of(interface.id));
        links
            .filter(|row| row.alloc == AllocType::Auto && row.ip.is_none())
            .filter_map(|row| Some((row.id, row.subnet?)))
            .collect()
    }

    pub(super) fn commission_machine(
        &mut self,
        node: &StoredNode,
        form: &Form,
        caller: &ApiCaller,
        now: i64,
    ) -> Result<(), LabResponse> {
        let from = ["New", "Failed commissioning", "Ready", "Broken"];
        if !from.contains(&node.status.as_str()) {
            let message = "Commission is not available because of the current state of the node.";
            return Err(refused(message));
        }
        if !self.racks_run {
            let series = self.version.default_series();
            let message = format!(
                "Ephemeral operating system ubuntu/{series} for amd64/generic is unavailable."
            );
            return Err(plain(400, message));
        }
        let id = node.system_id.as_str();
        self.set_node_status(id, "Commissioning");
        if let Some(row) = self.nodes.get_mut(id) {
            row.owner = Some(caller.name.clone());
            row.skip_networking = form.tick("skip_networking");
            row.power_on = true;
        }
        self.begin(id, now);
        Ok(())
    }

    pub(super) fn abort_operation(&mut self, node: &StoredNode) -> Result<(), LabResponse> {
        let id = node.system_id.as_str();
        let status = match node.status.as_str() {
            "Commissioning" => "New",
            "Deploying" => "Allocated",
            "Disk erasing" => "Failed disk erasing",
            "Testing" => node.previous_status.as_str(),
            status => {
                let message =
                    format!("Cannot abort in current state: node {id} is in state {status}.");
                return Err(plain(409, message));
            }
        };
        self.reach_power(node)?;
        self.set_node_status(id, status);
        let interfaces: Vec<u64> = self.interfaces_of(id).map(|row| row.id).collect();
        for interface in interfaces {
            self.free_automatic_addresses(interface);
        }
        if let Some(row) = self.nodes.get_mut(id) {
            if status == "New" {
                row.owner = None;
            }
            row.osystem.clear();
            row.distro_series.clear();
            row.power_on = false;
            row.busy_since = None;
        }
        Ok(())
    }

    pub(super) fn start_rescue_mode(
        &mut self,
        node: &StoredNode,
        caller: &ApiCaller,
        now: i64,
    ) -> Result<(), LabResponse> {
        const FROM: [&str; 13] = [
            "New",
            "Failed commissioning",
            "Ready",
            "Reserved",
            "Allocated",
            "Deployment failed",
            "Deployed",
            "Missing",
            "Retired",
            "Broken",
            "Failed disk erasing",
            "Failed to enter rescue mode",
            "Failed testing",
        ];
        let id = node.system_id.as_str();
        may_become(node, "Entering rescue mode", &FROM)?;
        self.reach_power(node)?;
        if let Some(row) = self.nodes.get_mut(id) {
            row.rescued_from = Some(node.status.clone());
            row.owner = Some(caller.name.clone());
        }
        self.set_node_status(id, "Entering rescue mode");
        self.begin(id, now);
        Ok(())
    }

    pub(super) fn stop_rescue_mode(
        &mut self,
        node: &StoredNode,
        now: i64,
    ) -> Result<(), LabResponse> {
        const FROM: [&str; 4] = [
            "Entering rescue mode",
            "Failed to enter rescue mode",
            "Rescue mode",
            "Failed to exit rescue mode",
        ];
        may_become(node, "Exiting rescue mode", &FROM)?;
        self.reach_power(node)?;
        self.set_node_status(&node.system_id, "Exiting rescue mode");
        self.begin(&node.system_id, now);
        Ok(())
    }
}

/// 409 for a change of status that MAAS does not have.
fn may_become(node: &StoredNode, status: &str, from: &[&str]) -> Result<(), LabResponse> {
    if from.contains(&node.status.as_str()) {
        return Ok(());
    }
    let message = format!("Invalid transition: {} -> {status}.", node.status);
    Err(plain(409, message))
}
