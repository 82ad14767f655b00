//! The constraints by which nodes are listed and machines allocated (3.7.3 `maasserver/node_constraint_filter_forms.py`).
//!
//! Machines of the lab have no disks, tags, pods and devices, so that constraints on these match nothing.

mod fit;

use std::collections::BTreeMap;

use crate::maas::answer::plain;
use crate::maas::form::{FormErrors, no_such_choice};
use crate::maas::show::status_number;
use crate::maas::store::LabMaas;
use crate::wire::LabResponse;

/// Parameters that are no constraints.
const IGNORED: [&str; 9] = [
    "comment",
    "bridge_all",
    "bridge_type",
    "bridge_stp",
    "bridge_fd",
    "dry_run",
    "verbose",
    "op",
    "agent_name",
];
const COMMON: [&str; 37] = [
    "arch",
    "not_arch",
    "tags",
    "not_tags",
    "fabrics",
    "not_fabrics",
    "fabric_classes",
    "not_fabric_classes",
    "subnets",
    "not_subnets",
    "link_speed",
    "vlans",
    "not_vlans",
    "zone",
    "not_in_zone",
    "system_id",
    "pool",
    "not_in_pool",
    "storage",
    "interfaces",
    "devices",
    "cpu_count",
    "cpu_speed",
    "mem",
    "pod",
    "not_pod",
    "pod_type",
    "not_pod_type",
    "owner",
    "not_owner",
    "power_state",
    "not_power_state",
    "deployment_target",
    "not_deployment_target",
    "not_system_id",
    "name",
    "agent_name",
];
const OF_LISTS: [&str; 12] = [
    "id",
    "not_id",
    "hostname",
    "not_hostname",
    "mac_address",
    "domain",
    "not_domain",
    "not_agent_name",
    "status",
    "not_status",
    "simple_status",
    "not_simple_status",
];
const POWER_STATES: [&str; 4] = ["on", "off", "unknown", "error"];

/// What is asked: values by constraint, and what they stand for.
#[derive(Clone, Debug, Default)]
pub(crate) struct NodeFilter {
    values: BTreeMap<String, Vec<String>>,
    /// Rows of subnets and VLANs that specifiers name, by constraint.
    rows: BTreeMap<String, Vec<u64>>,
}

impl NodeFilter {
    fn all(&self, name: &str) -> &[String] {
        self.values.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// The constraints as MAAS writes them in a refusal: `name=a,b zone=c`.
    pub(super) fn described(&self, maas: &LabMaas) -> String {
        let one = |(name, values): (&String, &Vec<String>)| {
            let rows = self.rows.get(name);
            let values: Vec<String> = match rows {
                Some(rows) => rows.iter().map(|id| maas.describe_row(name, *id)).collect(),
                None => values.clone(),
            };
            format!("{name}={}", values.join(","))
        };
        let constraints = self.values.iter().filter(|(_, values)| !values.is_empty());
        constraints.map(one).collect::<Vec<_>>().join(" ")
    }
}

impl LabMaas {
    fn describe_row(&self, name: &str, id: u64) -> String {
        if name.ends_with("subnets") {
            return self.describe_subnet(id);
        }
        let vlan = &self.vlans[&id];
        let name = vlan.name.as_deref().unwrap_or("None");
        format!("{}.{name}", self.fabrics[&vlan.fabric].name)
    }

    /// Reads constraints. `listing` is a list of nodes, else machines are allocated.
    pub(crate) fn read_filter(
        &self,
        given: &[(String, String)],
        listing: bool,
    ) -> Result<NodeFilter, LabResponse> {
        let mut filter = NodeFilter::default();
        let mut errors = FormErrors::default();
        for (name, value) in given {
            let key = name.as_str();
            let common = COMMON.contains(&key) && !(listing && key == "name");
            let known = common || (listing && OF_LISTS.contains(&key));
            if known && (listing || !IGNORED.contains(&key)) {
                let values = filter.values.entry(name.clone()).or_default();
                values.push(value.clone());
            } else if !IGNORED.contains(&key) && !errors.has(key) {
                errors.add(key, "No such constraint.");
            }
        }
        for name in ["status", "not_status"] {
            let odd = filter.all(name).iter().find(|word| !is_status(word));
            if let Some(word) = odd {
                errors.add(name, no_such_choice(word));
            }
        }
        self.check_names(&filter, &mut errors);
        for name in ["subnets", "not_subnets", "vlans", "not_vlans"] {
            self.read_specifiers(name, &mut filter, &mut errors)?;
        }
        errors.done()?;
        Ok(filter)
    }

    fn check_names(&self, filter: &NodeFilter, errors: &mut FormErrors) {
        for (name, what) in [
            ("zone", "zone"),
            ("not_in_zone", "zone"),
            ("pool", "pool"),
            ("not_in_pool", "pool"),
        ] {
            let mut absent: Vec<&str> = filter.all(name).iter().map(String::as_str).collect();
            absent.retain(|value| *value != "default");
            absent.sort_unstable();
            if !absent.is_empty() {
                errors.add(name, format!("No such {what}(s): {}.", absent.join(", ")));
            }
        }
        let tags: Vec<String> = filter
            .all("tags")
            .iter()
            .flat_map(|text| text.split([',', ' ']))
            .filter(|tag| !tag.is_empty())
            .map(|tag| format!("'{tag}'"))
            .collect();
        if !tags.is_empty() {
            errors.add("tags", format!("No such tag(s): {}.", tags.join(", ")));
        }
        let stranger = |owner: &&String| self.users.iter().all(|user| user.name != **owner);
        for name in ["owner", "not_owner"] {
            if let Some(owner) = filter.all(name).iter().find(stranger) {
                errors.add(name, format!("No such owner: '{owner}'."));
            }
        }
        for name in ["arch", "not_arch"] {
            let odd = |arch: &&String| !["amd64", "amd64/generic"].contains(&arch.as_str());
            if filter
                .all(name)
                .iter()
                .any(|arch| !self.racks_run || odd(&arch))
            {
                errors.add(name, "Architecture not recognised.");
            }
        }
        for name in ["power_state", "not_power_state"] {
            let odd = |word: &&String| !POWER_STATES.contains(&word.trim_start_matches('='));
            if let Some(word) = filter.all(name).iter().find(odd) {
                errors.add(name, no_such_choice(word));
            }
        }
        for (name, message) in [
            ("cpu_count", "Invalid CPU count: number required."),
            ("cpu_speed", "Invalid CPU speed: number required."),
            ("mem", "Invalid memory: number of MiB required."),
            ("link_speed", "Invalid link speed: number required."),
        ] {
            let odd = |text: &String| text.trim().parse::<f64>().is_err();
            if filter.all(name).iter().any(odd) {
                errors.add(name, message);
            }
        }
    }

    fn read_specifiers(
        &self,
        name: &str,
        filter: &mut NodeFilter,
        errors: &mut FormErrors,
    ) -> Result<(), LabResponse> {
        let texts = filter.all(name).to_vec();
        if texts.is_empty() {
            return Ok(());
        }
        let mut rows = Vec::new();
        for text in texts.iter().flat_map(|text| text.split(',')) {
            rows.extend(if name.ends_with("subnets") {
                self.find_subnets(text)?
            } else {
                self.find_vlans(text)?
            });
        }
        if rows.is_empty() {
            let what = if name.ends_with("subnets") {
                "subnets"
            } else {
                "VLANs"
            };
            errors.add(name, format!("No matching {what} found."));
        }
        rows.sort_unstable();
        rows.dedup();
        filter.rows.insert(name.to_owned(), rows);
        Ok(())
    }

    /// VLANs by id, VID, name, fabric, space or subnet.
    fn find_vlans(&self, text: &str) -> Result<Vec<u64>, LabResponse> {
        let (kind, value) = text.split_once(':').unwrap_or(("", text));
        let number = value.parse::<u64>().ok();
        let all = self.vlans.values();
        Ok(match (kind, number) {
            ("vid", None) => return Err(plain(400, "VLAN tag (VID) must be numeric.")),
            ("vid", Some(vid)) => all
                .filter(|row| u64::from(row.vid) == vid)
                .map(|row| row.id)
                .collect(),
            ("" | "id", Some(id)) => all.filter(|row| row.id == id).map(|row| row.id).collect(),
            ("fabric", _) => {
                let fabric = self.find_fabric(value).ok();
                all.filter(|row| Some(row.fabric) == fabric)
                    .map(|row| row.id)
                    .collect()
            }
            ("space", _) => {
                let space = self.find_space(value).ok();
                all.filter(|row| row.space == space)
                    .map(|row| row.id)
                    .collect()
            }
            ("subnet", _) => {
                let subnet = self.find_subnet(value)?;
                vec![self.subnets[&subnet].vlan]
            }
            _ => all
                .filter(|row| row.name.as_deref() == Some(value))
                .map(|row| row.id)
                .collect(),
        })
    }
}

/// A status as lists name it: `failed_testing`.
fn status_word(status: &str) -> String {
    match status {
        "Deployment failed" => "failed_deployment".to_owned(),
        "Releasing failed" => "failed_releasing".to_owned(),
        "Failed to enter rescue mode" => "failed_entering_rescue_mode".to_owned(),
        "Failed to exit rescue mode" => "failed_exiting_rescue_mode".to_owned(),
        status => status.to_lowercase().replace(' ', "_"),
    }
}

fn is_status(word: &str) -> bool {
    let word = word.trim_start_matches('=');
    (0_u8..23).any(|number| {
        crate::maas::show::status_name(number).is_some_and(|name| status_word(name) == word)
    }) && status_number("Ready") == 4
}
