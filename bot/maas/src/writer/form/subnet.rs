//! Requests that create and change subnets. Pure.

use topology::object::{Subnet, SubnetFlags};

use crate::transport::MaasRequest;
use crate::writer::ResolvedRefs;
use crate::writer::form::{RequestResult, boolean, post, put};

pub(super) fn create_subnet(subnet: &Subnet, refs: &ResolvedRefs) -> RequestResult {
    let mut request = post("subnets/")
        .with_field("cidr", subnet.cidr.to_string())
        .with_field("name", &subnet.name)
        .with_field("vlan", refs.vlan(&subnet.vlan)?);
    if let Some(gateway) = subnet.gateway {
        request = request.with_field("gateway_ip", gateway.to_string());
    }
    if !subnet.dns.is_empty() {
        request = request.with_field("dns_servers", dns(subnet));
    }
    if !subnet.description.is_empty() {
        request = request.with_field("description", &subnet.description);
    }
    if !subnet.disabled_boot_architectures.is_empty() {
        request = request.with_field(
            "disabled_boot_architectures",
            subnet.disabled_boot_architectures.join(","),
        );
    }
    Ok(with_flags(request, SubnetFlags::default(), subnet.flags))
}

pub(super) fn update_subnet(
    row: u64,
    before: &Subnet,
    after: &Subnet,
    refs: &ResolvedRefs,
) -> RequestResult {
    let mut request = put(format!("subnets/{row}/"));
    let moved = before.cidr != after.cidr;
    if moved {
        request = request.with_field("cidr", after.cidr.to_string());
    }
    if before.vlan != after.vlan {
        request = request.with_field("vlan", refs.vlan(&after.vlan)?);
    }
    // Always sent with a new CIDR: MAAS answers 400 when the old gateway is outside it.
    if before.gateway != after.gateway || moved {
        let gateway = after.gateway.map(|ip| ip.to_string());
        request = request.with_field("gateway_ip", gateway.unwrap_or_default());
    }
    if before.dns != after.dns {
        request = request.with_field("dns_servers", dns(after));
    }
    if before.description != after.description {
        request = request.with_field("description", &after.description);
    }
    if before.disabled_boot_architectures != after.disabled_boot_architectures {
        request = request.with_field(
            "disabled_boot_architectures",
            after.disabled_boot_architectures.join(","),
        );
    }
    request = with_flags(request, before.flags, after.flags);
    // Always sent with a new CIDR: MAAS renames the subnet by itself when its name was the old CIDR.
    if before.name != after.name || moved || request.form.is_empty() {
        request = request.with_field("name", &after.name);
    }
    Ok(request)
}

fn with_flags(mut request: MaasRequest, before: SubnetFlags, after: SubnetFlags) -> MaasRequest {
    let flags = [
        ("managed", before.managed, after.managed),
        ("allow_dns", before.allow_dns, after.allow_dns),
        ("allow_proxy", before.allow_proxy, after.allow_proxy),
        (
            "active_discovery",
            before.active_discovery,
            after.active_discovery,
        ),
    ];
    for (name, before, after) in flags {
        if before != after {
            request = request.with_field(name, boolean(after));
        }
    }
    if before.rdns_mode != after.rdns_mode {
        request = request.with_field("rdns_mode", after.rdns_mode.to_string());
    }
    request
}

fn dns(subnet: &Subnet) -> String {
    let servers: Vec<String> = subnet.dns.iter().map(ToString::to_string).collect();
    servers.join(" ")
}
