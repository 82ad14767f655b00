//! Endpoints of domains (3.7.3 `maasserver/api/domains.py`, `forms/domain.py`, `models/domain.py`).

use serde_json::{Value, json};

use super::text::{is_domain, read_ttl};
use super::{BASE, StoredDomain};
use crate::maas::answer::{
    ApiCaller, MaasAnswer, admin_to_change, admin_to_create, bad_method, no_content, plain,
};
use crate::maas::form::{Form, FormErrors, REQUIRED, field_error, refuse_long};
use crate::maas::names::refuse_domain_name;
use crate::maas::store::LabMaas;
use crate::wire::LabResponse;

/// The limits of a domain's TTL: a second, a week.
const TTL: (i64, i64) = (1, 604_800);

/// The domain that MAAS keeps for its own hosts.
const INTERNAL: &str = "maas-internal";

impl LabMaas {
    pub(crate) fn domains_list(
        &mut self,
        method: &str,
        form: &Form,
        caller: &ApiCaller,
        op: Option<&str>,
    ) -> MaasAnswer {
        if method == "GET" {
            let all = self.domains.keys().map(|id| self.show_domain(*id));
            return Ok(LabResponse::json(200, &all.collect()));
        }
        admin_to_create(caller)?;
        if op == Some("set_serial") {
            return set_serial(form);
        }
        let blank = StoredDomain::new(0, "");
        let mut row = self.read_domain_form(&blank, form, true)?;
        row.id = self.next("domain");
        let id = row.id;
        self.domains.insert(id, row);
        Ok(LabResponse::json(200, &self.show_domain(id)))
    }

    pub(crate) fn domain(
        &mut self,
        method: &str,
        id: &str,
        form: &Form,
        caller: &ApiCaller,
    ) -> MaasAnswer {
        let id = self.find_domain(id)?;
        if method != "GET" {
            admin_to_change(caller)?;
        }
        match method {
            "GET" => {}
            "PUT" => {
                let row = self.read_domain_form(&self.domains[&id], form, false)?;
                self.domains.insert(id, row);
            }
            "POST" => self.default_domain = id,
            "DELETE" => {
                self.delete_domain(id)?;
                return Ok(no_content());
            }
            _ => return Err(bad_method()),
        }
        Ok(LabResponse::json(200, &self.show_domain(id)))
    }

    fn read_domain_form(
        &self,
        now: &StoredDomain,
        form: &Form,
        creating: bool,
    ) -> Result<StoredDomain, LabResponse> {
        let mut errors = FormErrors::default();
        let mut row = now.clone();
        match form.get("name") {
            None if !creating => {}
            None | Some("") => errors.add("name", REQUIRED),
            Some(name) => {
                refuse_long("name", name, 255, &mut errors);
                check_zone(name, &mut errors);
                if let Some(why) = refuse_domain_name(name) {
                    errors.add("name", why);
                }
                let mut all = self.domains.values();
                let taken = all.any(|other| other.name == name && (creating || other.id != now.id));
                if taken && !errors.has("name") {
                    errors.add("name", "Domain with this Name already exists.");
                }
                name.clone_into(&mut row.name);
            }
        }
        row.ttl = read_ttl("ttl", form, row.ttl, TTL, &mut errors);
        let authoritative = form.raw("authoritative");
        let authoritative = authoritative.and_then(crate::maas::interface::null_boolean);
        row.authoritative = authoritative.unwrap_or(row.authoritative);
        errors.done()?;
        Ok(row)
    }

    /// MAAS does not catch its database's refusal of a domain that is in use: 500.
    fn delete_domain(&mut self, id: u64) -> Result<(), LabResponse> {
        if id == self.default_domain {
            let message = "This domain is the default domain, it cannot be deleted.";
            return Err(plain(400, message));
        }
        let names: Vec<String> = self
            .dns
            .values()
            .filter(|row| row.domain == id)
            .map(|row| format!("<DNSResource: name={}>", row.name))
            .collect();
        let nodes: Vec<String> = self
            .nodes
            .values()
            .filter(|node| node.domain == id)
            .map(|node| format!("<Node: {} ({})>", node.system_id, node.hostname))
            .collect();
        for (what, rows) in [("DNSResource.domain", names), ("Node.domain", nodes)] {
            if !rows.is_empty() {
                let message = format!(
                    "(\"Cannot delete some instances of model 'Domain' because they are referenced through protected foreign keys: '{what}'.\", {{{}}})",
                    rows.join(", ")
                );
                return Err(LabResponse::text(500, message));
            }
        }
        self.domains.remove(&id);
        Ok(())
    }

    pub(crate) fn show_domain(&self, id: u64) -> Value {
        let row = &self.domains[&id];
        let names = self.dns.values().filter(|name| name.domain == id);
        let mut addresses = std::collections::BTreeSet::<u64>::new();
        let mut records = 0;
        for name in names {
            addresses.extend(&name.addresses);
            records += name.records.len();
        }
        json!({
            "authoritative": row.authoritative, "ttl": row.ttl, "is_default": id == self.default_domain, "id": id,
            "resource_record_count": addresses.len() + records, "name": row.name,
            "resource_uri": format!("{BASE}/domains/{id}/"),
        })
    }
}

fn check_zone(name: &str, errors: &mut FormErrors) {
    let known = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    if name.chars().count() > 255 {
        errors.add("name", "Domain name length cannot exceed 255 characters.");
    } else if !is_domain(name) {
        errors.add(
            "name",
            if name.chars().all(known) {
                format!("Invalid domain name: {name}.")
            } else {
                "Domain name contains invalid characters.".to_owned()
            },
        );
    } else if name == INTERNAL {
        let message = "Domain name cannot duplicate maas internal domain name.";
        errors.add("name", message);
    }
}

fn set_serial(form: &Form) -> MaasAnswer {
    let limits = format!("Expected a serial number between 1 and {}", u32::MAX);
    let why = match form.raw("serial").map(str::parse::<u64>) {
        None => "Missing parameter",
        Some(Err(_)) => "Expected a serial number",
        Some(Ok(serial)) if serial == 0 || serial > u64::from(u32::MAX) => &limits,
        Some(Ok(_)) => return Ok(LabResponse::json(200, &Value::Null)),
    };
    Err(field_error("serial", why))
}
