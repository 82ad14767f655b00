//! Which methods and operations each place of the API has (3.5.9 maasserver/api/*.py). Anything else is refused before it
//! is looked at: 405 for a method that a place has in no form, 400 for an operation that it does not have.

use super::bad_method;
use crate::wire::{Request, Response};

/// A method and its operation; "" is the plain one.
type Export = (&'static str, &'static str);

const READ: &[Export] = &[("GET", "")];
const LIST: &[Export] = &[("GET", ""), ("POST", "")];
const ITEM: &[Export] = &[("GET", ""), ("PUT", ""), ("DELETE", "")];
const SUBNET: &[Export] = &[
    ("GET", ""),
    ("PUT", ""),
    ("DELETE", ""),
    ("GET", "ip_addresses"),
    ("GET", "reserved_ip_ranges"),
    ("GET", "unreserved_ip_ranges"),
    ("GET", "statistics"),
];
const ADDRESSES: &[Export] = &[("GET", ""), ("POST", "reserve"), ("POST", "release")];
const MACHINES: &[Export] = &[
    ("GET", ""),
    ("POST", ""),
    ("GET", "power_parameters"),
    ("GET", "is_registered"),
    ("GET", "list_allocated"),
    ("POST", "allocate"),
    ("POST", "release"),
    ("POST", "accept"),
    ("POST", "accept_all"),
    ("POST", "add_chassis"),
    ("POST", "set_zone"),
    ("POST", "clone"),
];
const MACHINE: &[Export] = &[
    ("GET", ""),
    ("PUT", ""),
    ("DELETE", ""),
    ("GET", "details"),
    ("GET", "get_curtin_config"),
    ("GET", "get_token"),
    ("GET", "power_parameters"),
    ("GET", "query_power_state"),
    ("POST", "abort"),
    ("POST", "clear_default_gateways"),
    ("POST", "commission"),
    ("POST", "deploy"),
    ("POST", "exit_rescue_mode"),
    ("POST", "lock"),
    ("POST", "mark_broken"),
    ("POST", "mark_fixed"),
    ("POST", "mount_special"),
    ("POST", "override_failed_testing"),
    ("POST", "power_off"),
    ("POST", "power_on"),
    ("POST", "release"),
    ("POST", "rescue_mode"),
    ("POST", "restore_default_configuration"),
    ("POST", "restore_networking_configuration"),
    ("POST", "restore_storage_configuration"),
    ("POST", "set_owner_data"),
    ("POST", "set_storage_layout"),
    ("POST", "set_workload_annotations"),
    ("POST", "test"),
    ("POST", "unlock"),
    ("POST", "unmount_special"),
];
const INTERFACES: &[Export] = &[
    ("GET", ""),
    ("POST", "create_physical"),
    ("POST", "create_bond"),
    ("POST", "create_vlan"),
    ("POST", "create_bridge"),
];
const INTERFACE: &[Export] = &[
    ("GET", ""),
    ("PUT", ""),
    ("DELETE", ""),
    ("POST", "link_subnet"),
    ("POST", "unlink_subnet"),
    ("POST", "disconnect"),
    ("POST", "set_default_gateway"),
    ("POST", "add_tag"),
    ("POST", "remove_tag"),
];
const SNIPPET: &[Export] = &[("GET", ""), ("PUT", ""), ("DELETE", ""), ("POST", "revert")];
const USERS: &[Export] = &[("GET", ""), ("POST", ""), ("GET", "whoami")];
const ACCOUNT: &[Export] = &[
    ("GET", "list_authorisation_tokens"),
    ("POST", "create_authorisation_token"),
    ("POST", "delete_authorisation_token"),
    ("POST", "update_token_name"),
];
const CONFIG: &[Export] = &[("GET", "get_config"), ("POST", "set_config")];

fn exports(path: &[&str]) -> Option<&'static [Export]> {
    const LISTS: [&str; 13] = [
        "fabrics",
        "spaces",
        "subnets",
        "ipranges",
        "static-routes",
        "reservedips",
        "dnsresources",
        "dnsresourcerecords",
        "domains",
        "dhcp-snippets",
        "zones",
        "resourcepools",
        "devices",
    ];
    const ITEMS: [&str; 10] = [
        "fabrics",
        "vlans",
        "spaces",
        "ipranges",
        "static-routes",
        "reservedips",
        "dnsresources",
        "devices",
        "rackcontrollers",
        "regioncontrollers",
    ];
    Some(match path {
        [kind] if LISTS.contains(kind) => LIST,
        [kind, _] if ITEMS.contains(kind) => ITEM,
        ["fabrics", _, "vlans"] => LIST,
        ["fabrics", _, "vlans", _] => ITEM,
        ["subnets", _] | ["subnets", _, _] => SUBNET,
        ["ipaddresses"] => ADDRESSES,
        ["machines"] => MACHINES,
        ["machines", _] => MACHINE,
        ["rackcontrollers" | "regioncontrollers" | "nodes" | "networks"] => READ,
        ["nodes", _] => &[("GET", ""), ("DELETE", "")],
        ["nodes", _, "interfaces"] => INTERFACES,
        ["nodes", _, "interfaces", _] => INTERFACE,
        ["dhcp-snippets", _] => SNIPPET,
        ["users"] => USERS,
        ["account"] => ACCOUNT,
        ["maas"] => CONFIG,
        ["events"] => &[("GET", "query")],
        _ => return None,
    })
}

/// Refuses what a place does not have. Places that are not listed are nobody's business here.
pub(crate) fn allowed(request: &Request, path: &[&str]) -> Result<(), Response> {
    let Some(exports) = exports(path) else {
        return Ok(());
    };
    let method = request.method.as_str();
    if exports.iter().all(|(known, _)| *known != method) {
        return Err(bad_method());
    }
    let op = request.param("op").unwrap_or_default();
    if exports.contains(&(method, op)) {
        return Ok(());
    }
    let op = if op.is_empty() { "None" } else { op };
    Err(Response::text(
        400,
        format!("Unrecognised signature: method={method} op={op}"),
    ))
}
