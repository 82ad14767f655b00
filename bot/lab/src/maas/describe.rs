//! The description of the API from which clients such as `maas` and python-libmaas build their commands
//! (3.7.3 `maasserver/api/doc.py`). It names every path and operation that the lab has.

use serde_json::{Value, json};
use sha1::{Digest as _, Sha1};

use super::exports::{Export, exports};
use crate::wire::{LabRequest, LabResponse};

/// Handlers by MAAS's names, with the path and its parameters in braces.
const HANDLERS: [(&str, &str); 43] = [
    ("AccountHandler", "account"),
    ("BootResourcesHandler", "boot-resources"),
    ("DHCPSnippetHandler", "dhcp-snippets/{id}"),
    ("DHCPSnippetsHandler", "dhcp-snippets"),
    ("DNSResourceHandler", "dnsresources/{id}"),
    ("DNSResourceRecordHandler", "dnsresourcerecords/{id}"),
    ("DNSResourceRecordsHandler", "dnsresourcerecords"),
    ("DNSResourcesHandler", "dnsresources"),
    ("DeviceHandler", "devices/{system_id}"),
    ("DevicesHandler", "devices"),
    ("DiscoveriesHandler", "discovery"),
    ("DiscoveryHandler", "discovery/{discovery_id}"),
    ("DomainHandler", "domains/{id}"),
    ("DomainsHandler", "domains"),
    ("EventsHandler", "events"),
    ("FabricHandler", "fabrics/{id}"),
    ("FabricsHandler", "fabrics"),
    ("IPAddressesHandler", "ipaddresses"),
    ("IPRangeHandler", "ipranges/{id}"),
    ("IPRangesHandler", "ipranges"),
    ("InterfaceHandler", "nodes/{system_id}/interfaces/{id}"),
    ("InterfacesHandler", "nodes/{system_id}/interfaces"),
    ("MaasHandler", "maas"),
    ("MachineHandler", "machines/{system_id}"),
    ("MachinesHandler", "machines"),
    ("NodeHandler", "nodes/{system_id}"),
    ("NodesHandler", "nodes"),
    ("PackageRepositoriesHandler", "package-repositories"),
    ("PackageRepositoryHandler", "package-repositories/{id}"),
    ("RackControllerHandler", "rackcontrollers/{system_id}"),
    ("RackControllersHandler", "rackcontrollers"),
    ("RegionControllerHandler", "regioncontrollers/{system_id}"),
    ("RegionControllersHandler", "regioncontrollers"),
    ("ResourcePoolHandler", "resourcepool/{id}"),
    ("ResourcePoolsHandler", "resourcepools"),
    ("SpaceHandler", "spaces/{id}"),
    ("SpacesHandler", "spaces"),
    ("StaticRouteHandler", "static-routes/{id}"),
    ("StaticRoutesHandler", "static-routes"),
    ("SubnetHandler", "subnets/{id}"),
    ("SubnetsHandler", "subnets"),
    ("UserHandler", "users/{username}"),
    ("UsersHandler", "users"),
];

/// Handlers whose names or paths do not follow the others' order.
const MORE: [(&str, &str); 7] = [
    ("ReservedIpHandler", "reservedips/{id}"),
    ("ReservedIpsHandler", "reservedips"),
    ("VersionHandler", "version"),
    ("VlanHandler", "fabrics/{fabric_id}/vlans/{vid}"),
    ("VlansHandler", "fabrics/{fabric_id}/vlans"),
    ("ZoneHandler", "zones/{name}"),
    ("ZonesHandler", "zones"),
];

/// The description, with addresses as the client wrote the server's.
pub(crate) fn describe(request: &LabRequest, reserved_ips: bool) -> LabResponse {
    let host = request.header("x-forwarded-host");
    let host = host.or(request.header("host")).unwrap_or("localhost");
    let scheme = request.header("x-forwarded-proto").unwrap_or("http");
    let resources: Vec<Value> = HANDLERS
        .iter()
        .chain(&MORE)
        .filter(|(_, path)| reserved_ips || !path.starts_with("reservedips"))
        .map(|(name, path)| resource(name, path, &format!("{scheme}://{host}")))
        .collect();
    let mut answer = json!({
        "doc": "MAAS API", "handlers": resources.iter().map(|it| it["auth"].clone()).collect::<Vec<_>>(),
        "resources": resources,
    });
    // Without the host, so that the hash is the server's and not the client's.
    let shape = format!("{HANDLERS:?}{MORE:?}{reserved_ips}");
    answer["hash"] = json!(hex::encode(Sha1::digest(shape.as_bytes())));
    LabResponse {
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        ..LabResponse::json(200, &answer)
    }
}

fn resource(name: &str, path: &str, server: &str) -> Value {
    let parts: Vec<&str> = path.split('/').collect();
    let params: Vec<&str> = parts
        .iter()
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
        .collect();
    let actions: Vec<Value> = exports(&parts)
        .unwrap_or_default()
        .iter()
        .map(action)
        .collect();
    let full = format!("/MAAS/api/2.0/{path}/");
    let handler = |name: &str, actions: Vec<Value>| {
        json!({
            "actions": actions, "doc": "", "name": name, "params": params, "path": full,
            "uri": format!("{server}{full}"),
        })
    };
    let anonymous = (name == "VersionHandler").then(|| handler(name, actions.clone()));
    json!({"name": name, "anon": anonymous, "auth": handler(name, actions)})
}

fn action((method, op): &Export) -> Value {
    let restful = match *method {
        "GET" => "read",
        "POST" => "create",
        "PUT" => "update",
        _ => "delete",
    };
    let plain = op.is_empty();
    json!({
        "doc": "", "method": method, "name": if plain { restful } else { op },
        "op": (!plain).then_some(op), "restful": plain,
    })
}
