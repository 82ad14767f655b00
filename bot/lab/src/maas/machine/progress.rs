//! What a running rack brings to an end: deployments, commissioning, releases and rescue modes. It must not know requests.

use crate::maas::store::{AllocType, LabMaas};

/// How long each takes in the lab, in seconds of the server's clock: long enough that a client sees it happen and can abort.
const SECONDS: i64 = 2;

impl LabMaas {
    /// Racks run and have images from now on, so that machines can be powered, commissioned and deployed.
    pub fn start_racks(&mut self) {
        self.racks_run = true;
    }

    pub(super) fn begin(&mut self, id: &str, now: i64) {
        if let Some(node) = self.nodes.get_mut(id) {
            node.busy_since = Some(now);
        }
    }

    /// Ends what has taken its time.
    pub(crate) fn advance(&mut self, now: i64) {
        let done = self.nodes.values().filter(|node| {
            let since = node.busy_since.filter(|_| self.racks_run);
            since.is_some_and(|since| now - since >= SECONDS)
        });
        let done: Vec<String> = done.map(|node| node.system_id.clone()).collect();
        for id in done {
            self.finish(&id);
        }
    }

    fn finish(&mut self, id: &str) {
        let node = self.nodes[id].clone();
        if let Some(row) = self.nodes.get_mut(id) {
            row.busy_since = None;
        }
        match node.status.as_str() {
            "Deploying" => self.set_node_status(id, "Deployed"),
            "Releasing" => self.free_machine(id),
            "Commissioning" => {
                if !node.skip_networking {
                    self.reset_networking(id);
                }
                self.set_node_status(id, "Ready");
                if let Some(row) = self.nodes.get_mut(id) {
                    row.commissioned = true;
                    row.owner = None;
                    row.power_on = false;
                }
            }
            "Entering rescue mode" => self.set_node_status(id, "Rescue mode"),
            "Exiting rescue mode" => {
                let status = node.rescued_from.unwrap_or_else(|| "Ready".to_owned());
                self.set_node_status(id, &status);
                if let Some(row) = self.nodes.get_mut(id).filter(|_| status == "Ready") {
                    row.owner = None;
                }
            }
            _ => {}
        }
    }

    /// The networking of a machine after commissioning: an AUTO link on the boot interface, no address on the others (seen on
    /// 3.5.12 and 3.7.3).
    pub(crate) fn reset_networking(&mut self, id: &str) {
        let boot = self.nodes.get(id).and_then(|node| node.boot_interface);
        let interfaces: Vec<u64> = self.interfaces_of(id).map(|row| row.id).collect();
        for interface in &interfaces {
            self.remove_links(*interface);
        }
        for interface in interfaces {
            let vlan = self.interfaces[&interface].vlan;
            let subnet = self
                .subnets
                .values()
                .find(|subnet| Some(subnet.vlan) == vlan)
                .map(|subnet| subnet.id);
            match subnet.filter(|_| boot == Some(interface)) {
                Some(subnet) => {
                    self.add_link(interface, AllocType::Auto, Some(subnet), None);
                }
                None => self.ensure_link_up(interface),
            }
        }
    }
}
