//! A subnet's fields as MAAS's form reads and checks them (3.5.9 `maasserver/forms/subnet.py`).

use std::net::IpAddr;

use ipnet::IpNet;

use crate::maas::form::{
    BAD_IP, Form, FormErrors, INVALID, NO_CHOICE, NO_NUMBER, REQUIRED, no_such_choice, refuse_long,
};
use crate::maas::parse::{self, InvalidNetwork, address};
use crate::maas::store::{LabMaas, StoredSubnet};
use crate::wire::LabResponse;

/// A boolean field: its name, its column and its parser.
type Switch<'a> = (&'static str, &'a mut bool, fn(&str) -> bool);

impl LabMaas {
    pub(super) fn read_fields(
        &self,
        subnet: &mut StoredSubnet,
        form: &Form,
        errors: &mut FormErrors,
    ) {
        match form.get("name") {
            None => {}
            Some("") => subnet.name = subnet.cidr.to_string(),
            Some(name) => {
                if !refuse_long("name", name, 255, errors) && !is_subnet_name(name) {
                    errors.add("name", INVALID);
                }
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
                None => errors.add("gateway_ip", BAD_IP),
            },
        }
        if let Some(list) = form.all("dns_servers") {
            read_dns(subnet, list, errors);
        }
        let allowance = if self.version.reads_allowances_by_word() {
            parse::allowed
        } else {
            parse::ticked
        };
        let switches: [Switch<'_>; 4] = [
            ("managed", &mut subnet.managed, parse::ticked),
            (
                "active_discovery",
                &mut subnet.active_discovery,
                parse::ticked,
            ),
            ("allow_dns", &mut subnet.allow_dns, allowance),
            ("allow_proxy", &mut subnet.allow_proxy, allowance),
        ];
        for (key, slot, read) in switches {
            if let Some(text) = form.raw(key) {
                *slot = read(text);
            }
        }
        match form.raw("rdns_mode") {
            None => {}
            Some("") => errors.add("rdns_mode", "\u{201c}\u{201d} value must be an integer."),
            Some("0") => subnet.rdns_mode = 0,
            Some("1") => subnet.rdns_mode = 1,
            Some("2") => subnet.rdns_mode = 2,
            Some(text) => errors.add("rdns_mode", no_such_choice(text)),
        }
        if let Some(text) = form
            .raw("disabled_boot_architectures")
            .filter(|_| self.version.has_boot_architectures())
        {
            read_architectures(subnet, text, errors);
        }
    }

    /// `fabric` and `vid`. An update checks them too, but ignores their values.
    pub(super) fn fabric_and_vid(
        &self,
        form: &Form,
        errors: &mut FormErrors,
    ) -> (Option<u64>, Option<u16>) {
        let fabric = form.given("fabric").map(|text| {
            let id = parse::number(text);
            id.filter(|id| self.fabrics.contains_key(id))
        });
        if fabric == Some(None) {
            errors.add("fabric", NO_CHOICE);
        }
        let vid = form.given("vid").map(parse::integer);
        match vid {
            Some(None) => errors.add("vid", NO_NUMBER),
            Some(Some(vid)) if vid < 0 => {
                errors.add("vid", "Ensure this value is greater than or equal to 0.");
            }
            Some(Some(vid)) if vid > 4094 => {
                errors.add("vid", "Ensure this value is less than or equal to 4094.");
            }
            None | Some(Some(_)) => {}
        }
        let vid = vid.flatten().and_then(|vid| u16::try_from(vid).ok());
        (fabric.flatten(), vid)
    }

    pub(super) fn check_cidr(
        &self,
        subnet: &StoredSubnet,
        own: Option<u64>,
        errors: &mut FormErrors,
    ) {
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

/// A value is a list separated by commas, without empty items. Each item, and each value of a repeated field, can again
/// contain several addresses.
fn read_dns(subnet: &mut StoredSubnet, list: &[String], errors: &mut FormErrors) {
    let Some(last) = list.last() else { return };
    if last.is_empty() {
        subnet.dns = Vec::new();
        return;
    }
    let empty = last.split(',').enumerate();
    for (place, _) in empty.filter(|(_, part)| part.trim().is_empty()) {
        let message = format!(
            "Item {} in the array did not validate: {REQUIRED}",
            place + 1
        );
        errors.add("dns_servers", message);
    }
    let words = list
        .iter()
        .flat_map(|text| text.split([',', ' ', '\t', '\n', '\r']));
    let mut servers = Vec::new();
    for word in words.filter(|word| !word.is_empty()) {
        let Some(ip) = address(word) else {
            let message = format!(
                "Invalid IP address: {word}; provide a list of space-separated IP addresses"
            );
            errors.add("__all__", message);
            return;
        };
        servers.push(ip);
    }
    subnet.dns = servers;
}

/// Boot methods with their DHCP architecture octet (3.7.3 `provisioningserver/boot`).
const ARCHITECTURES: [(&str, &str); 11] = [
    ("pxe", "00:00"),
    ("uefi_amd64_tftp", "00:07"),
    ("uefi_arm64_tftp", "00:0B"),
    ("uefi_amd64_http", "00:10"),
    ("uefi_arm64_http", "00:13"),
    ("uefi_ebc_tftp", "00:09"),
    ("open-firmware_ppc64el", "00:0C"),
    ("powernv", "00:0E"),
    ("s390x", "00:1F"),
    ("s390x_partition", "00:20"),
    ("ipxe", ""),
];

/// A list of names or octets, separated by commas and spaces. Unknown ones are refused.
fn read_architectures(subnet: &mut StoredSubnet, text: &str, errors: &mut FormErrors) {
    let mut known = Vec::new();
    for word in text.split([',', ' ']).filter(|word| !word.is_empty()) {
        let octet = word.replace("0x", "00:");
        let found = ARCHITECTURES
            .iter()
            .find(|(name, code)| *name == word || (!code.is_empty() && *code == octet));
        match found {
            Some((name, _)) if known.iter().any(|other| other == name) => {}
            Some((name, _)) => known.push((*name).to_owned()),
            None => errors.add(
                "disabled_boot_architectures",
                format!("Unknown boot architecture {word}"),
            ),
        }
    }
    subnet.disabled_boot_architectures = known;
}

/// Whether MAAS accepts a subnet name (3.7.3 `maasserver/models/subnet.py`, `SUBNET_NAME_VALIDATOR`).
fn is_subnet_name(name: &str) -> bool {
    name.chars()
        .all(|c| c.is_alphanumeric() || "_.: /-".contains(c))
}

pub(super) fn read_cidr(text: &str, errors: &mut FormErrors) -> Result<Option<IpNet>, LabResponse> {
    match parse::network(text) {
        Err(InvalidNetwork::Crash) => Err(LabResponse::text(
            500,
            "IPAddress() does not support netmasks or subnet prefixes! See documentation for details.",
        )),
        Err(InvalidNetwork::Format) => {
            errors.add("cidr", "Required format: <network>/<prefixlen>.");
            Ok(None)
        }
        Ok(net) if net.prefix_len() == 0 => {
            errors.add("cidr", "Prefix length must be greater than 0.");
            Ok(None)
        }
        Ok(net) => Ok(Some(net)),
    }
}
