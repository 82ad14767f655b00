//! Names of addresses: rows of domains, names and records, and the endpoints of names (3.7.3 `maasserver/api/dnsresources.py`,
//! `forms/dnsresource.py`, `models/dnsresource.py`).

mod domain;
mod implied;
mod record;
mod text;

use serde_json::{Value, json};

use super::answer::{
    ApiCaller, MaasAnswer, admin_to_change, admin_to_create, bad_method, flag, missing, no_content,
};
use super::form::{Form, FormErrors, REQUIRED};
use super::parse::{self, address};
use super::store::{AllocType, DEFAULT_DOMAIN, LabMaas, StoredAddress};
use crate::wire::{LabRequest, LabResponse};
use text::{is_label, read_ttl, separate};

const BASE: &str = "/MAAS/api/2.0";

/// The largest TTL of a name or record.
const TTL_MAX: i64 = (1 << 31) - 1;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredDomain {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) authoritative: bool,
    pub(crate) ttl: Option<i64>,
}

impl StoredDomain {
    pub(crate) fn new(id: u64, name: &str) -> Self {
        Self {
            id,
            name: name.to_owned(),
            authoritative: true,
            ttl: None,
        }
    }
}

/// A name in a domain, with addresses and other records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredDnsResource {
    pub(crate) id: u64,
    /// `@` is the domain itself.
    pub(crate) name: String,
    pub(crate) domain: u64,
    pub(crate) ttl: Option<i64>,
    pub(crate) addresses: Vec<u64>,
    pub(crate) records: Vec<StoredRecord>,
}

/// A record other than an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredRecord {
    pub(crate) id: u64,
    pub(crate) kind: String,
    pub(crate) data: String,
    pub(crate) ttl: Option<i64>,
}

/// The name and the domain that a form or a query gives.
#[derive(Debug, Default)]
struct Place {
    name: Option<String>,
    domain: Option<u64>,
}

impl LabMaas {
    pub(crate) fn dns_list(
        &mut self,
        request: &LabRequest,
        form: &Form,
        caller: &ApiCaller,
    ) -> MaasAnswer {
        match request.method.as_str() {
            "GET" => self.list_names(request, caller),
            "POST" => {
                admin_to_create(caller)?;
                let place = self.read_place_of_name(|name| form.get(name), "A")?;
                let id = self.create_name(&place, form, caller)?;
                Ok(LabResponse::json(200, &self.show_dns(id)))
            }
            _ => Err(bad_method()),
        }
    }

    fn list_names(&self, request: &LabRequest, caller: &ApiCaller) -> MaasAnswer {
        let all = flag(request.param("all"), "all", false)?;
        let kind = request.param("rrtype").map(str::to_uppercase);
        let kind = kind.as_deref();
        let place =
            self.read_place_of_name(|name| request.param(name), kind.unwrap_or_default())?;
        let rows = self.dns.values().filter(|row| {
            place.domain.is_none_or(|domain| row.domain == domain)
                && place.name.as_ref().is_none_or(|name| row.name == *name)
                && kind.is_none_or(|kind| row.records.iter().any(|record| record.kind == kind))
        });
        let mut list = Vec::new();
        if all {
            // In the order of MAAS: what a domain implies comes before its rows.
            list = self.implied_names(place.domain, place.name.as_deref(), kind, caller);
        }
        list.extend(rows.map(|row| self.show_dns(row.id)));
        Ok(LabResponse::json(200, &Value::Array(list)))
    }

    /// `fqdn` counts only where neither `name` nor `domain` is given. A name that cannot be taken apart is a 500 in MAAS.
    fn read_place_of_name<'a>(
        &self,
        field: impl Fn(&str) -> Option<&'a str>,
        kind: &str,
    ) -> Result<Place, LabResponse> {
        let (mut name, mut domain) = (field("name"), field("domain"));
        let fqdn = field("fqdn").filter(|_| name.is_none() && domain.is_none());
        if let Some(fqdn) = fqdn {
            if ["", "@", "*"].contains(&fqdn) {
                name = Some(fqdn);
            } else if self.domains.values().any(|row| row.name == fqdn) {
                (name, domain) = (Some("@"), Some(fqdn));
            } else {
                let (head, tail) = separate(fqdn, kind).ok_or_else(|| {
                    LabResponse::text(500, "cannot unpack non-iterable NoneType object")
                })?;
                (name, domain) = (Some(head), Some(tail));
            }
        }
        let domain = domain.map(|text| self.find_domain(text)).transpose()?;
        Ok(Place {
            name: name.map(str::to_owned),
            domain,
        })
    }

    /// A domain by id or name.
    fn find_domain(&self, text: &str) -> Result<u64, LabResponse> {
        let named = text.strip_prefix("name:").unwrap_or(text);
        let found = match parse::number(text.strip_prefix("id:").unwrap_or(text)) {
            Some(id) => self.domains.get(&id),
            None => self.domains.values().find(|row| row.name == named),
        };
        found.map(|row| row.id).ok_or_else(|| missing("Domain"))
    }

    /// Creates a name as MAAS's form does. An address that exists is used, whosever it is; any other becomes the caller's.
    fn create_name(
        &mut self,
        place: &Place,
        form: &Form,
        caller: &ApiCaller,
    ) -> Result<u64, LabResponse> {
        let mut errors = FormErrors::default();
        let name = place.name.as_deref().filter(|name| !name.is_empty());
        if name.is_none() {
            errors.add("name", REQUIRED);
        }
        if place.domain.is_none() {
            errors.add("domain", REQUIRED);
        }
        let ttl = read_ttl("address_ttl", form, None, (0, TTL_MAX), &mut errors);
        let addresses = form.get("ip_addresses");
        let (name, domain) = (name.unwrap_or_default(), place.domain);
        if addresses.is_some() && !name.is_empty() && !is_label(name) {
            errors.add("__all__", format!("Invalid dnsresource name: {name}."));
        }
        let mut rows = self.dns.values();
        if rows.any(|row| Some(row.domain) == domain && row.name == name) {
            errors.add("__all__", "Labels must be unique within their zone.");
        }
        errors.done()?;
        let addresses = self.claim_addresses(addresses.unwrap_or_default(), caller)?;
        let id = self.add_dns(name, addresses);
        if let Some(row) = self.dns.get_mut(&id) {
            row.domain = domain.unwrap_or(row.domain);
            row.ttl = ttl;
        }
        Ok(id)
    }

    /// The rows of addresses with blanks between them. Text that is no address is a 500 in MAAS.
    fn claim_addresses(&mut self, text: &str, caller: &ApiCaller) -> Result<Vec<u64>, LabResponse> {
        let mut ips = Vec::new();
        for word in text.split_whitespace() {
            let ip = address(word).ok_or_else(|| {
                let message = format!("failed to detect a valid IP address from '{word}'");
                LabResponse::text(500, message)
            });
            match parse::number(word).filter(|id| self.addresses.contains_key(id)) {
                Some(id) => ips.push(Err(id)),
                None => ips.push(Ok(ip?)),
            }
        }
        let mut rows = Vec::new();
        for ip in ips {
            rows.push(match ip {
                Err(id) => id,
                Ok(ip) => self.claim_address(ip, &caller.name),
            });
        }
        Ok(rows)
    }

    fn claim_address(&mut self, ip: std::net::IpAddr, user: &str) -> u64 {
        let known = self.addresses.values().find(|row| row.ip == Some(ip));
        if let Some(known) = known {
            return known.id;
        }
        self.add_address(StoredAddress {
            id: 0,
            ip: Some(ip),
            alloc: AllocType::UserReserved,
            subnet: self.best_subnet(ip),
            user: Some(user.to_owned()),
            interface: None,
            unknown: None,
            bmc_of: None,
        })
    }

    pub(crate) fn add_dns(&mut self, name: &str, addresses: Vec<u64>) -> u64 {
        let id = self.next("dns");
        let domains = self.domains.values();
        let tail = domains.map(|row| format!(".{}", row.name));
        let (name, domain) = match tail
            .zip(self.domains.keys())
            .find(|(tail, _)| name.ends_with(tail.as_str()))
        {
            Some((tail, id)) => (name.strip_suffix(&tail).unwrap_or(name), *id),
            None => (name, DEFAULT_DOMAIN),
        };
        let row = StoredDnsResource {
            id,
            name: name.to_owned(),
            domain,
            ttl: None,
            addresses,
            records: Vec::new(),
        };
        self.dns.insert(id, row);
        id
    }

    pub(crate) fn dns_resource(
        &mut self,
        method: &str,
        id: &str,
        form: &Form,
        caller: &ApiCaller,
    ) -> MaasAnswer {
        let id = self.find_name(id)?;
        match method {
            "GET" => {}
            "PUT" => {
                let place = self.read_place_of_name(|name| form.get(name), "A")?;
                admin_to_change(caller)?;
                self.update_name(id, place, form, caller)?;
            }
            "DELETE" => {
                admin_to_change(caller)?;
                self.delete_name(id);
                return Ok(no_content());
            }
            _ => return Err(bad_method()),
        }
        Ok(LabResponse::json(200, &self.show_dns(id)))
    }

    fn find_name(&self, text: &str) -> Result<u64, LabResponse> {
        let named = text.strip_prefix("name:").unwrap_or(text);
        let found = match parse::number(text.strip_prefix("id:").unwrap_or(text)) {
            Some(id) => self.dns.get(&id),
            None => self.dns.values().find(|row| row.name == named),
        };
        found
            .map(|row| row.id)
            .ok_or_else(|| missing("DNSResource"))
    }

    fn update_name(
        &mut self,
        id: u64,
        place: Place,
        form: &Form,
        caller: &ApiCaller,
    ) -> Result<(), LabResponse> {
        let mut errors = FormErrors::default();
        let mut row = self.dns[&id].clone();
        row.name = match place.name {
            Some(name) if name.is_empty() => {
                errors.add("name", REQUIRED);
                name
            }
            Some(name) => name,
            None => row.name,
        };
        row.domain = place.domain.unwrap_or(row.domain);
        row.ttl = read_ttl("address_ttl", form, row.ttl, (0, TTL_MAX), &mut errors);
        if !is_label(&row.name) {
            let message = format!("Invalid dnsresource name: {}.", row.name);
            errors.add("__all__", message);
        }
        if !row.addresses.is_empty() && row.records.iter().any(|record| record.kind == "CNAME") {
            errors.add("__all__", "Cannot add address: CNAME present.");
        }
        errors.done()?;
        row.addresses = match form.get("ip_addresses") {
            Some(text) => self.claim_addresses(text, caller)?,
            // MAAS fills an absent field with the present rows and reads the last of these only.
            None => row.addresses.last().copied().into_iter().collect(),
        };
        self.dns.insert(id, row);
        Ok(())
    }

    /// Since 3.6.1 a name takes along the addresses that were only for it (seen on 3.7.3, not on 3.5.12).
    fn delete_name(&mut self, id: u64) {
        let Some(row) = self.dns.remove(&id) else {
            return;
        };
        for address in row
            .addresses
            .iter()
            .filter(|_| self.version.frees_addresses_of_names())
        {
            let named = self
                .dns
                .values()
                .any(|other| other.addresses.contains(address));
            let own = self.addresses.get(address).is_some_and(|row| {
                let held = row.interface.is_some() || row.unknown.is_some() || row.bmc_of.is_some();
                row.alloc == AllocType::UserReserved && !held
            });
            if own && !named {
                self.addresses.remove(address);
            }
        }
    }

    /// The whole name of a row.
    pub(crate) fn name_of(&self, row: &StoredDnsResource) -> String {
        let domain = &self.domains[&row.domain].name;
        match row.name.as_str() {
            "@" => domain.clone(),
            name => format!("{name}.{domain}"),
        }
    }

    pub(crate) fn show_dns(&self, id: u64) -> Value {
        let row = &self.dns[&id];
        let addresses = row.addresses.iter().filter_map(|id| self.addresses.get(id));
        let addresses: Vec<Value> = addresses.map(|row| self.show_address(row)).collect();
        let records: Vec<Value> = row
            .records
            .iter()
            .map(|record| self.show_record(row, record))
            .collect();
        json!({
            "address_ttl": row.ttl, "resource_records": records, "id": id, "fqdn": self.name_of(row),
            "ip_addresses": addresses, "resource_uri": format!("{BASE}/dnsresources/{id}/"),
        })
    }
}
