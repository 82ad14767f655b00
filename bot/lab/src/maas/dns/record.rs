//! Endpoints of DNS records other than addresses (3.7.3 `maasserver/api/dnsresourcerecords.py`, `models/dnsdata.py`).

use serde_json::{Value, json};

use super::text::{is_domain, read_ttl};
use super::{BASE, StoredDnsResource, StoredRecord, TTL_MAX};
use crate::maas::answer::{
    ApiCaller, MaasAnswer, admin_to_change, admin_to_create, bad_method, missing, no_content, plain,
};
use crate::maas::form::{Form, FormErrors, REQUIRED};
use crate::maas::lookup::row_number;
use crate::maas::store::LabMaas;
use crate::wire::{LabRequest, LabResponse};

const KINDS: [&str; 6] = ["CNAME", "MX", "SRV", "SSHFP", "TXT", "NS"];

impl LabMaas {
    pub(crate) fn records_list(
        &mut self,
        request: &LabRequest,
        form: &Form,
        caller: &ApiCaller,
    ) -> MaasAnswer {
        if request.method == "GET" {
            let kind = request.param("rrtype");
            let place =
                self.read_place_of_name(|name| request.param(name), kind.unwrap_or_default())?;
            let rows = self.dns.values().filter(|row| {
                place.domain.is_none_or(|domain| row.domain == domain)
                    && place.name.as_ref().is_none_or(|name| row.name == *name)
            });
            let records = rows.flat_map(|row| {
                let records = row.records.iter();
                records
                    .filter(|record| kind.is_none_or(|kind| record.kind == kind))
                    .map(|record| self.show_record(row, record))
                    .collect::<Vec<_>>()
            });
            return Ok(LabResponse::json(200, &records.collect()));
        }
        admin_to_create(caller)?;
        self.create_record(form, caller)
    }

    /// The name is created if it is missing. If the record is refused then, it stays on releases that keep refused changes.
    fn create_record(&mut self, form: &Form, caller: &ApiCaller) -> MaasAnswer {
        let kind = form.get("rrtype");
        let kind = kind.ok_or_else(|| plain(400, "rrtype must be provided."))?;
        if form.get("rrdata").is_none() {
            return Err(plain(400, "rrdata must be provided."));
        }
        let place = self.read_place_of_name(|name| form.get(name), kind)?;
        let (Some(name), Some(domain)) = (&place.name, place.domain) else {
            let message = "Either name and domain (or fqdn) must be specified";
            return Err(plain(400, message));
        };
        let mut rows = self.dns.values();
        let known = rows.find(|row| row.domain == domain && row.name == *name);
        let known = known.map(|row| row.id);
        let id = match known {
            Some(id) => id,
            None => self.create_name(&place, form, caller)?,
        };
        match self.read_record(id, None, form) {
            Ok(mut record) => {
                record.id = self.next("dnsdata");
                let shown = self.show_record(&self.dns[&id], &record);
                if let Some(row) = self.dns.get_mut(&id) {
                    row.records.push(record);
                }
                Ok(LabResponse::json(200, &shown))
            }
            Err(refusal) => {
                if known.is_none() && !self.version.keeps_refused_changes() {
                    self.dns.remove(&id);
                }
                Err(refusal)
            }
        }
    }

    fn read_record(
        &self,
        name: u64,
        now: Option<&StoredRecord>,
        form: &Form,
    ) -> Result<StoredRecord, LabResponse> {
        let mut errors = FormErrors::default();
        let field = |field: &str, now: Option<&String>, errors: &mut FormErrors| {
            let text = form.get(field).map(str::to_owned).or(now.cloned());
            let text = text.unwrap_or_default();
            if text.is_empty() {
                errors.add(field, REQUIRED);
            }
            text
        };
        let kind = field("rrtype", now.map(|row| &row.kind), &mut errors).to_uppercase();
        let data = field("rrdata", now.map(|row| &row.data), &mut errors);
        if !kind.is_empty() && !KINDS.contains(&kind.as_str()) {
            let message = format!("{kind} is not one of {}.", KINDS.join(" "));
            errors.add("rrtype", message);
        }
        let ttl = now.and_then(|row| row.ttl);
        let ttl = read_ttl("ttl", form, ttl, (0, TTL_MAX), &mut errors);
        if let Some(why) = refuse_data(&kind, &data) {
            errors.add("__all__", why);
        } else if now.is_none() {
            self.check_neighbours(name, &kind, &mut errors);
        }
        errors.done()?;
        Ok(StoredRecord {
            id: now.map_or(0, |row| row.id),
            kind,
            data,
            ttl,
        })
    }

    /// A CNAME stands alone.
    fn check_neighbours(&self, name: u64, kind: &str, errors: &mut FormErrors) {
        let row = &self.dns[&name];
        let alias = row.records.iter().any(|record| record.kind == "CNAME");
        let others = !row.addresses.is_empty() || row.records.iter().any(|it| it.kind != "CNAME");
        if kind == "CNAME" && alias && !others {
            errors.add("__all__", "Only one CNAME can be associated with a name.");
        } else if (kind == "CNAME" && others) || (kind != "CNAME" && alias) {
            let message = "CNAME records for a name cannot coexist with non-CNAME records.";
            errors.add("__all__", message);
        }
    }

    pub(crate) fn record(
        &mut self,
        method: &str,
        id: &str,
        form: &Form,
        caller: &ApiCaller,
    ) -> MaasAnswer {
        let id = row_number("DNSData", id)?;
        let mut all = self.dns.values().flat_map(|row| {
            let records = row
                .records
                .iter()
                .map(move |record| (row.id, record.clone()));
            records.collect::<Vec<_>>()
        });
        let found = all.find(|(_, record)| record.id == id);
        let (name, now) = found.ok_or_else(|| missing("DNSData"))?;
        if method != "GET" {
            admin_to_change(caller)?;
        }
        let record = match method {
            "GET" => now,
            "PUT" => {
                let record = self.read_record(name, Some(&now), form)?;
                if let Some(row) = self.dns.get_mut(&name) {
                    row.records.retain(|other| other.id != id);
                    row.records.push(record.clone());
                }
                record
            }
            "DELETE" => {
                if let Some(row) = self.dns.get_mut(&name) {
                    row.records.retain(|other| other.id != id);
                }
                let empty =
                    |row: &StoredDnsResource| row.records.is_empty() && row.addresses.is_empty();
                if self.dns.get(&name).is_some_and(empty) {
                    self.dns.remove(&name);
                }
                return Ok(no_content());
            }
            _ => return Err(bad_method()),
        };
        let shown = self.show_record(&self.dns[&name], &record);
        Ok(LabResponse::json(200, &shown))
    }

    pub(crate) fn show_record(&self, row: &StoredDnsResource, record: &StoredRecord) -> Value {
        json!({
            "id": record.id, "fqdn": self.name_of(row), "rrtype": record.kind, "rrdata": record.data, "ttl": record.ttl,
            "resource_uri": format!("{BASE}/dnsresourcerecords/{}/", record.id),
        })
    }
}

/// Why the data does not fit the type.
fn refuse_data(kind: &str, data: &str) -> Option<String> {
    let words: Vec<&str> = data.split_whitespace().collect();
    let port = |word: &str| word.parse::<u16>().is_ok();
    let number = |word: &str| word.bytes().all(|b| b.is_ascii_digit());
    match kind {
        "CNAME" => {
            let known = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
            let odd = data.is_empty() || data.contains("..") || !data.chars().all(known);
            odd.then(|| "Invalid CNAME: Should be '<server>'.".to_owned())
        }
        "MX" => match words.as_slice() {
            [preference, host] if port(preference) => refuse_zone(host),
            _ => Some(
                "Invalid MX: Should be '<preference> <server>'. Range for preference is 0-65535."
                    .to_owned(),
            ),
        },
        "NS" => refuse_zone(data),
        "SRV" => match words.as_slice() {
            [one, two, three, host] if [one, two, three].into_iter().all(|word| port(word)) => {
                (*host != ".").then(|| refuse_zone(host)).flatten()
            }
            _ => Some(
                "Invalid SRV: Should be '<priority> <weight> <port> <server>'. Range for priority, weight, and port are 0-65536."
                    .to_owned(),
            ),
        },
        "SSHFP" => match words.as_slice() {
            [algorithm, kind, _, ..] if number(algorithm) && number(kind) => None,
            _ => Some(
                "Invalid SSHFP: Should be '<algorithm> <fptype> <fingerprint>'.".to_owned(),
            ),
        },
        _ => None,
    }
}

fn refuse_zone(name: &str) -> Option<String> {
    let known = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    match name {
        name if is_domain(name) => None,
        name if name.chars().all(known) => Some(format!("Invalid domain name: {name}.")),
        _ => Some("Domain name contains invalid characters.".to_owned()),
    }
}
