//! Addresses as a declaration writes them, and the first line of every file.

use std::net::IpAddr;

use crate::address::Cidr;

/// The first line of every file tells an editor where the schema is.
pub(super) const SCHEMA_LINE: &str = "# yaml-language-server: $schema=../topology.schema.json\n";

/// Offsets above this are harder to read than the address.
const OFFSET_MAX: u128 = 1 << 20;

/// `+N` if the address is in the subnet, otherwise the address.
pub(super) fn address_in(cidr: Cidr, ip: IpAddr) -> String {
    match cidr.offset_of(ip).filter(|offset| *offset <= OFFSET_MAX) {
        Some(offset) => format!("+{offset}"),
        None => literal(ip),
    }
}

/// An address that is valid YAML anywhere, also in flow style.
pub(super) fn literal(ip: IpAddr) -> String {
    if ip.is_ipv6() {
        format!("\"{ip}\"")
    } else {
        ip.to_string()
    }
}
