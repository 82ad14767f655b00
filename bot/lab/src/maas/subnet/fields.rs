//! A subnet's fields as MAAS's form reads them, and what it holds them against (3.5.9 `maasserver/forms/subnet.py`).

use std::net::IpAddr;

use ipnet::IpNet;

use crate::maas::form::{Errors, Form, address};
use crate::maas::store::{Maas, Subnet};

impl Maas {
    pub(super) fn read_fields(subnet: &mut Subnet, form: &Form, errors: &mut Errors) {
        if let Some(name) = form.get("name") {
            if name.chars().count() > 255 {
                errors.add(
                    "name",
                    format!(
                        "Ensure this value has at most 255 characters (it has {}).",
                        name.chars().count()
                    ),
                );
            } else if name.is_empty() {
                subnet.name = subnet.cidr.to_string();
            } else {
                name.clone_into(&mut subnet.name);
            }
        }
        if let Some(text) = form.get("description") {
            text.clone_into(&mut subnet.description);
        }
        match form.get("gateway_ip") {
            None => {}
            Some("") => subnet.gateway = None,
            Some(text) => match address(text) {
                Some(ip) => subnet.gateway = Some(ip),
                None => errors.add("gateway_ip", "Enter a valid IPv4 or IPv6 address."),
            },
        }
        if let Some(list) = form.all("dns_servers") {
            read_dns(subnet, list, errors);
        }
        let switches: [(&str, &mut bool, bool); 4] = [
            ("managed", &mut subnet.managed, false),
            ("active_discovery", &mut subnet.active_discovery, false),
            ("allow_dns", &mut subnet.allow_dns, true),
            ("allow_proxy", &mut subnet.allow_proxy, true),
        ];
        for (key, slot, strict) in switches {
            let value = if strict {
                form.switch(key)
            } else {
                form.checkbox(key)
            };
            if let Some(value) = value {
                *slot = value;
            }
        }
        if let Some(text) = form.get("rdns_mode").filter(|text| !text.is_empty()) {
            match text.parse::<u8>() {
                Ok(mode) if mode <= 2 => subnet.rdns_mode = mode,
                Ok(_) | Err(_) => {
                    errors.add(
                        "rdns_mode",
                        format!(
                            "Select a valid choice. {text} is not one of the available choices."
                        ),
                    );
                }
            }
        }
        if let Some(list) = form.all("disabled_boot_architectures") {
            subnet.disabled_boot_architectures = list
                .iter()
                .flat_map(|text| text.split([',', ' ']))
                .filter(|name| !name.is_empty())
                .map(str::to_owned)
                .collect();
        }
    }

    pub(super) fn check_cidr(&self, subnet: &Subnet, own: Option<u64>, errors: &mut Errors) {
        let others = || self.subnets.values().filter(|other| Some(other.id) != own);
        if let Some(gateway) = subnet.gateway {
            let local = matches!(gateway, IpAddr::V6(v6) if v6.is_unicast_link_local());
            let reached = subnet.cidr.contains(&gateway) || (local && subnet.cidr.addr().is_ipv6());
            if !reached {
                errors.add("gateway_ip", "Gateway IP must be within CIDR range.");
            }
        }
        let overlaps = others()
            .any(|other| other.cidr.contains(&subnet.cidr) || subnet.cidr.contains(&other.cidr));
        if self.version.refuses_overlap() && overlaps && !errors.has("gateway_ip") {
            errors.add(
                "__all__",
                format!(
                    "Subnet {} would overlap with existing subnets.",
                    subnet.cidr
                ),
            );
        }
        if others().any(|other| other.cidr == subnet.cidr) {
            errors.add("cidr", "Subnet with this Cidr already exists.");
        }
    }
}

fn read_dns(subnet: &mut Subnet, list: &[String], errors: &mut Errors) {
    let text = list.join(",");
    if text.trim().is_empty() {
        subnet.dns = Vec::new();
        return;
    }
    let mut servers = Vec::new();
    for word in text.split([',', ' ', '\n']) {
        let Some(ip) = address(word) else {
            errors.add(
                "__all__",
                format!(
                    "Invalid IP address: {word}; provide a list of space-separated IP addresses"
                ),
            );
            return;
        };
        servers.push(ip);
    }
    subnet.dns = servers;
}

/// A CIDR as MAAS reads one: host bits are cut, a missing prefix is a host, a netmask is fine.
pub(super) fn read_cidr(text: &str, errors: &mut Errors) -> Option<IpNet> {
    let (head, tail) = text.split_once('/').unwrap_or((text, ""));
    let ip: Option<IpAddr> = head.parse().ok();
    let full = ip.map_or(0, |ip| if ip.is_ipv4() { 32 } else { 128 });
    let prefix = match tail {
        "" => Some(full),
        number => number.parse::<u8>().ok().or_else(|| netmask(number)),
    };
    let net = ip
        .zip(prefix)
        .and_then(|(ip, prefix)| IpNet::new(ip, prefix).ok());
    match net {
        None => {
            errors.add("cidr", "Required format: <network>/<prefixlen>.");
            None
        }
        Some(net) if net.prefix_len() == 0 => {
            errors.add("cidr", "Prefix length must be greater than 0.");
            None
        }
        Some(net) => Some(net.trunc()),
    }
}

fn netmask(text: &str) -> Option<u8> {
    ipnet::ip_mask_to_prefix(text.parse().ok()?).ok()
}
