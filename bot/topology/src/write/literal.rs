//! Addresses as a declaration writes them, and the first line of every file.

use std::net::IpAddr;

use crate::address::Cidr;

/// The first line of every file: where an editor finds the schema.
pub(super) const SCHEMA_LINE: &str = "# yaml-language-server: $schema=../topology.schema.json\n";

/// Offsets above this are harder to read than the address.
const OFFSET_MAX: u128 = 1 << 20;

/// `+N` where the address lies in the subnet, else the address.
pub(super) fn address_in(cidr: Cidr, ip: IpAddr) -> String {
    match cidr.offset_of(ip).filter(|offset| *offset <= OFFSET_MAX) {
        Some(offset) => format!("+{offset}"),
        None => literal(ip),
    }
}

/// An address that may stand anywhere, also between brackets.
pub(super) fn literal(ip: IpAddr) -> String {
    if ip.is_ipv6() {
        format!("\"{ip}\"")
    } else {
        ip.to_string()
    }
}
