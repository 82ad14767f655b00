//! The fields of a machine that an administrator changes (3.7.3 `maasserver/forms/__init__.py`).

use crate::maas::form::{Form, FormErrors, NO_CHOICE, no_such_choice};
use crate::maas::names::refuse_hostname;
use crate::maas::parse;
use crate::maas::store::{AllocType, LabMaas, StoredAddress};
use crate::wire::LabResponse;

/// MAAS's power drivers.
const POWER_TYPES: [&str; 19] = [
    "amt", "apc", "dli", "eaton", "hmc", "hmcz", "ipmi", "lxd", "manual", "moonshot", "mscm",
    "msftocs", "nova", "openbmc", "proxmox", "recs_box", "redfish", "virsh", "webhook",
];

impl LabMaas {
    pub(super) fn update_machine(&mut self, id: &str, form: &Form) -> Result<(), LabResponse> {
        let mut errors = FormErrors::default();
        let mut row = self.nodes[id].clone();
        if let Some(name) = form.given("hostname") {
            row.hostname = self.read_hostname(name, Some(id), &mut errors);
        }
        if let Some(domain) = form.given("domain") {
            row.domain = self.read_domain(domain, row.domain, &mut errors);
        }
        for field in ["zone", "pool"] {
            if form.given(field).is_some_and(|name| name != "default") {
                errors.add(field, NO_CHOICE);
            }
        }
        if let Some(text) = form.get("description") {
            text.clone_into(&mut row.description);
        }
        let power = form.given("power_type");
        check_power(power, &mut errors);
        errors.done()?;
        self.nodes.insert(id.to_owned(), row);
        if let Some(kind) = power {
            self.set_power(id, kind, form);
        }
        Ok(())
    }

    /// A host name without the domain that may follow it.
    pub(super) fn read_hostname(
        &self,
        name: &str,
        own: Option<&str>,
        errors: &mut FormErrors,
    ) -> String {
        if let Some(why) = refuse_hostname(name) {
            errors.add("hostname", why);
            return name.to_owned();
        }
        let host = name.split('.').next().unwrap_or_default();
        let known = self.node_by_host(host);
        if known.is_some_and(|node| Some(node.system_id.as_str()) != own) {
            errors.add("hostname", "Node with this Hostname already exists.");
        }
        host.to_owned()
    }

    pub(super) fn read_domain(&self, text: &str, now: u64, errors: &mut FormErrors) -> u64 {
        let id = parse::number(text).filter(|id| self.domains.contains_key(id));
        let mut all = self.domains.values();
        let named = || all.find(|domain| domain.name == text).map(|row| row.id);
        id.or_else(named).unwrap_or_else(|| {
            errors.add("domain", format!("Unable to find domain {text}"));
            now
        })
    }

    /// Sets the power type. With an address, the BMC's row moves to the subnet that contains it.
    pub(super) fn set_power(&mut self, id: &str, kind: &str, form: &Form) {
        let address = form.get("power_parameters_power_address");
        let address = address.and_then(parse::address);
        if kind == "manual" || address.is_some() {
            self.addresses
                .retain(|_, row| row.bmc_of.as_deref() != Some(id));
        }
        let bmc = (kind != "manual").then(|| match self.nodes[id].bmc {
            Some(bmc) => bmc,
            None => self.next("bmc"),
        });
        if let Some(node) = self.nodes.get_mut(id) {
            kind.clone_into(&mut node.power_type);
            node.bmc = bmc;
        }
        if let (Some(ip), Some(_)) = (address, bmc) {
            let subnet = self.best_subnet(ip);
            self.add_address(StoredAddress {
                id: 0,
                ip: Some(ip),
                alloc: AllocType::Sticky,
                subnet,
                user: None,
                interface: None,
                unknown: None,
                bmc_of: Some(id.to_owned()),
            });
        }
    }
}

pub(super) fn check_power(kind: Option<&str>, errors: &mut FormErrors) {
    if let Some(kind) = kind.filter(|kind| !POWER_TYPES.contains(kind)) {
        errors.add("power_type", no_such_choice(kind));
    }
}
