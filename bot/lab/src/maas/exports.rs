//! The methods and operations of each API path (3.5.9 maasserver/api/*.py). Anything else is refused before it is parsed:
//! 404 for an unknown path, 405 for a method that the path does not have, 400 for an operation that it does not have.

use super::answer::bad_method;
use super::form::Form;
use crate::wire::{LabRequest, LabResponse};

/// A method and its operation; "" is the method without `op`.
pub(crate) type Export = (&'static str, &'static str);

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

const BOOT_RESOURCES: &[Export] = &[
    ("GET", ""),
    ("POST", ""),
    ("GET", "is_importing"),
    ("POST", "import"),
    ("POST", "stop_import"),
];

const DEVICE: &[Export] = &[
    ("GET", ""),
    ("PUT", ""),
    ("DELETE", ""),
    ("GET", "details"),
    ("GET", "power_parameters"),
    ("POST", "restore_default_configuration"),
    ("POST", "restore_networking_configuration"),
    ("POST", "set_owner_data"),
    ("POST", "set_workload_annotations"),
];
const RACKS: &[Export] = &[
    ("GET", ""),
    ("GET", "describe_power_types"),
    ("GET", "power_parameters"),
    ("GET", "is_registered"),
    ("POST", "import_boot_images"),
    ("POST", "set_zone"),
];
const RACK: &[Export] = &[
    ("GET", ""),
    ("PUT", ""),
    ("DELETE", ""),
    ("GET", "details"),
    ("GET", "list_boot_images"),
    ("GET", "power_parameters"),
    ("GET", "query_power_state"),
    ("POST", "abort"),
    ("POST", "import_boot_images"),
    ("POST", "override_failed_testing"),
    ("POST", "power_off"),
    ("POST", "power_on"),
    ("POST", "test"),
];
const REGIONS: &[Export] = &[("GET", ""), ("GET", "is_registered"), ("POST", "set_zone")];
const REGION: &[Export] = &[
    ("GET", ""),
    ("PUT", ""),
    ("DELETE", ""),
    ("GET", "details"),
    ("GET", "power_parameters"),
];
const DEVICES: &[Export] = &[
    ("GET", ""),
    ("POST", ""),
    ("GET", "is_registered"),
    ("POST", "set_zone"),
];
const NODE: &[Export] = &[
    ("GET", ""),
    ("DELETE", ""),
    ("GET", "details"),
    ("GET", "power_parameters"),
];
const NETWORK: &[Export] = &[
    ("GET", ""),
    ("PUT", ""),
    ("DELETE", ""),
    ("GET", "list_connected_macs"),
    ("POST", "connect_macs"),
    ("POST", "disconnect_macs"),
];
const DISCOVERIES: &[Export] = &[
    ("GET", ""),
    ("GET", "by_unknown_mac"),
    ("GET", "by_unknown_ip"),
    ("GET", "by_unknown_ip_and_mac"),
    ("POST", "clear"),
    ("POST", "clear_by_mac_and_ip"),
    ("POST", "scan"),
];
const DOMAINS: &[Export] = &[("GET", ""), ("POST", ""), ("POST", "set_serial")];
const DOMAIN: &[Export] = &[
    ("GET", ""),
    ("PUT", ""),
    ("DELETE", ""),
    ("POST", "set_default"),
];

pub(crate) fn exports(path: &[&str]) -> Option<&'static [Export]> {
    const LISTS: [&str; 12] = [
        "fabrics",
        "spaces",
        "subnets",
        "ipranges",
        "static-routes",
        "reservedips",
        "dnsresources",
        "dnsresourcerecords",
        "dhcp-snippets",
        "zones",
        "resourcepools",
        "networks",
    ];
    const ITEMS: [&str; 10] = [
        "fabrics",
        "vlans",
        "spaces",
        "ipranges",
        "static-routes",
        "reservedips",
        "dnsresources",
        "dnsresourcerecords",
        "zones",
        "resourcepool",
    ];
    Some(match path {
        ["version"] => READ,
        [kind] if LISTS.contains(kind) => LIST,
        [kind, _] if ITEMS.contains(kind) => ITEM,
        ["fabrics", _, "vlans"] | ["package-repositories"] => LIST,
        ["fabrics", _, "vlans", _] => ITEM,
        ["subnets", _] | ["subnets", _, _] => SUBNET,
        ["ipaddresses"] => ADDRESSES,
        ["domains"] => DOMAINS,
        ["domains", _] => DOMAIN,
        ["machines"] => MACHINES,
        ["machines", _] => MACHINE,
        ["devices"] => DEVICES,
        ["devices", _] => DEVICE,
        ["rackcontrollers"] => RACKS,
        ["rackcontrollers", _] => RACK,
        ["regioncontrollers" | "nodes"] => REGIONS,
        ["regioncontrollers", _] => REGION,
        ["nodes", _] => NODE,
        ["nodes", _, "interfaces"] => INTERFACES,
        ["nodes", _, "interfaces", _] => INTERFACE,
        ["networks", _] => NETWORK,
        ["discovery"] => DISCOVERIES,
        ["dhcp-snippets", _] => SNIPPET,
        ["users"] => USERS,
        ["users", _] => &[("GET", ""), ("DELETE", "")],
        ["account"] => ACCOUNT,
        ["maas"] => CONFIG,
        ["boot-resources"] => BOOT_RESOURCES,
        ["describe"] | ["discovery" | "package-repositories", _] => READ,
        ["events"] => &[("GET", "query")],
        _ => return None,
    })
}

/// Whether the lab has this path.
pub(crate) fn is_place(path: &[&str]) -> bool {
    // A subnet's path accepts the characters of a specifier (3.7.3 `maasserver/urls_api.py`).
    let fits = |text: &str| {
        text.chars()
            .all(|c| c.is_alphanumeric() || "_.: -".contains(c))
    };
    let subnet = match path {
        ["subnets", name] => fits(name),
        ["subnets", name, prefix] => {
            let digits = prefix.bytes().all(|b| b.is_ascii_digit());
            fits(name) && digits && (2..=3).contains(&prefix.len())
        }
        _ => true,
    };
    subnet && path.iter().all(|part| !part.is_empty()) && exports(path).is_some()
}

/// The answer to a client without credentials on the paths where MAAS lets it ask whether a node is registered; `None`
/// elsewhere.
pub(crate) fn anonymous_answer(
    request: &LabRequest,
    form: &Form,
    path: &[&str],
) -> Option<LabResponse> {
    let kinds = [
        "machines",
        "devices",
        "rackcontrollers",
        "regioncontrollers",
        "nodes",
    ];
    let [kind] = path else { return None };
    let method = request.method.as_str();
    if !kinds.contains(kind) || method != "GET" {
        return None;
    }
    Some(unrecognised(method, operation(request, form)))
}

fn unrecognised(method: &str, op: Option<&str>) -> LabResponse {
    let op = op.unwrap_or("None");
    LabResponse::text(
        400,
        format!("Unrecognised signature: method={method} op={op}"),
    )
}

/// Refuses a method or operation that the path does not have.
pub(crate) fn allowed(request: &LabRequest, form: &Form, path: &[&str]) -> Result<(), LabResponse> {
    let exports = exports(path).unwrap_or_default();
    let method = request.method.as_str();
    if exports.iter().all(|(known, _)| *known != method) {
        return Err(bad_method());
    }
    let op = operation(request, form);
    if exports.contains(&(method, op.unwrap_or_default())) {
        return Ok(());
    }
    Err(unrecognised(method, op))
}

/// The requested operation: `op` of the query, else of the body (3.7.3 `maasserver/api/support.py`, `dispatch`).
pub(crate) fn operation<'a>(request: &'a LabRequest, form: &'a Form) -> Option<&'a str> {
    let given = request.param("op").filter(|op| !op.is_empty());
    given.or_else(|| form.raw("op").filter(|op| !op.is_empty()))
}
