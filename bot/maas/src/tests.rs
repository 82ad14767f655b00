//! What a read requests, and how it handles good and bad responses.

mod faults;
mod http;
mod logging;
mod malformed;
mod speakers;
pub(crate) mod tls;

use std::sync::Arc;
use std::time::Duration;

use topology::Key;
use topology::observed::{Holder, NodeKind, Scope};

use super::*;
use crate::scripted::{ScriptedTransport, fixed_environment, json, page, text};

const VERSION: &str = r#"{"version": "3.6.1", "subversion": "", "capabilities": []}"#;
const ADMIN: &str = r#"{"username": "root", "is_superuser": true}"#;
const FABRICS: &str = r#"[{"id": 1, "name": "blue", "vlans": [{"id": 8, "vid": 5, "name": "five", "mtu": 1500,
    "space": "office", "dhcp_on": false, "primary_rack": null, "secondary_rack": null, "relay_vlan": 4},
    {"id": 4, "vid": 0, "name": "untagged", "mtu": 9000, "space": "undefined", "dhcp_on": false,
    "primary_rack": null, "secondary_rack": null, "relay_vlan": null}]}]"#;
const SUBNET: &str = r#"{"id": 3, "cidr": "192.0.2.0/24", "name": "desks", "vlan": {"fabric": "blue", "vid": 5},
    "gateway_ip": null, "dns_servers": null, "managed": true, "allow_dns": true, "allow_proxy": true,
    "active_discovery": false, "rdns_mode": 2, "description": null, "new_in_4_0": {}}"#;
const RANGE: &str = r#"{"id": 5, "type": "reserved", "start_ip": "192.0.2.3", "end_ip": "192.0.2.9", "comment": null,
    "subnet": {"cidr": "192.0.2.0/24"}}"#;

/// A small MAAS whose responses can be replaced one by one: what is added first is sent first.
fn small() -> ScriptedTransport {
    ScriptedTransport::default()
}

/// What that MAAS responds to each request.
fn answers() -> Vec<(&'static str, String)> {
    let text = str::to_owned;
    vec![
        ("GET version/", text(VERSION)),
        ("GET users/?op=whoami", text(ADMIN)),
        ("GET fabrics/", text(FABRICS)),
        ("GET subnets/", format!("[{SUBNET}]")),
        ("GET ipranges/", format!("[{RANGE}]")),
        ("GET static-routes/", text("[]")),
        ("GET reservedips/", text("[]")),
        ("GET rackcontrollers/", text("[]")),
        ("GET regioncontrollers/", text("[]")),
        ("GET machines/", text("[]")),
        ("GET devices/", text("[]")),
        ("GET dhcp-snippets/", text("[]")),
        ("GET ipaddresses/?all=true", text("[]")),
        ("GET discovery/", text("[]")),
        (
            "GET maas/?op=get_config&name=upstream_dns",
            text(r#""192.0.2.53""#),
        ),
        (
            "GET maas/?op=get_config&name=ntp_servers",
            text(r#""ntp.ubuntu.com""#),
        ),
        ("GET maas/?op=get_config&name=dns_trusted_acl", text("null")),
        ("GET maas/?op=get_config&name=http_proxy", text(r#""""#)),
        ("GET maas/?op=get_config&name=remote_syslog", text("null")),
        (
            "GET spaces/",
            text(r#"[{"id": -1, "name": "undefined"}, {"id": 6, "name": "office"}]"#),
        ),
    ]
}

fn filled(maas: ScriptedTransport) -> Arc<ScriptedTransport> {
    for (request, body) in answers() {
        maas.push(request, Ok(json(200, &body)));
    }
    Arc::new(maas)
}

fn reader(maas: &Arc<ScriptedTransport>) -> MaasReader<Arc<ScriptedTransport>> {
    MaasClient::new(Arc::clone(maas), fixed_environment().0).reader()
}

#[tokio::test]
async fn an_observation_reads_each_list_once_with_at_most_two_requests_in_flight() {
    let maas = filled(small());
    let observed = reader(&maas).observe(&Scope::default()).await.unwrap();
    let mut requests = maas.requests();
    requests.sort();
    assert_eq!(
        requests,
        [
            "GET fabrics/",
            "GET ipranges/",
            "GET rackcontrollers/",
            "GET regioncontrollers/",
            "GET reservedips/",
            "GET static-routes/",
            "GET subnets/",
            "GET users/?op=whoami",
            "GET version/",
        ]
    );
    assert_eq!(maas.most_in_flight(), 2);
    let keys: Vec<String> = observed.objects.keys().map(ToString::to_string).collect();
    assert_eq!(
        keys,
        [
            "space office",
            "fabric blue",
            "vlan blue/untagged",
            "vlan blue/5",
            "subnet 192.0.2.0/24",
            "range 192.0.2.3-192.0.2.9",
        ]
    );
    let tagged = observed.vlans().find(|vlan| vlan.at.vid == 5).unwrap();
    assert_eq!(tagged.relay.as_ref().unwrap().to_string(), "blue/untagged");
    assert_eq!(observed.default_vlans, [tagged.relay.clone().unwrap()]);
    assert_eq!(observed.blind, []);
}

#[tokio::test]
async fn before_3_6_reserved_ips_are_not_requested() {
    let maas = filled(small().to("GET version/", Ok(json(200, r#"{"version": "3.5.12"}"#))));
    reader(&maas).observe(&Scope::default()).await.unwrap();
    assert!(!maas.requests().contains(&"GET reservedips/".to_owned()));
}

#[tokio::test]
async fn duplicate_objects_and_missing_permissions_are_blind_spots() {
    let duplicates = format!("[{RANGE}, {}]", RANGE.replace(r#""id": 5"#, r#""id": 9"#));
    let maas = filled(small().to("GET ipranges/", Ok(json(200, &duplicates))).to(
        "GET users/?op=whoami",
        Ok(json(200, r#"{"username": "bob", "is_superuser": false}"#)),
    ));
    let observed = reader(&maas).observe(&Scope::default()).await.unwrap();
    let spots: Vec<String> = observed
        .blind
        .iter()
        .map(|spot| format!("{}: {}", spot.what, spot.why))
        .collect();
    assert_eq!(
        spots,
        [
            "rackcontrollers/: the API key belongs to `bob`, who is not an administrator: MAAS hides controllers and some machines from such a user",
            "ipranges/: MAAS has `range 192.0.2.3-192.0.2.9` twice (rows 5 and 9); delete one by hand",
        ]
    );
}

#[tokio::test]
async fn nodes_with_the_same_host_name_are_called_by_their_fqdn() {
    let machine = |id: &str, fqdn: &str| {
        format!(
            r#"{{"system_id": "{id}", "hostname": "m", "fqdn": "{fqdn}", "status_name": "Ready", "interface_set": [
            {{"id": 1, "name": "e", "type": "infiniband", "parents": [], "vlan": null, "links": [
            {{"id": 2, "mode": "auto", "ip_address": "", "subnet": {{"cidr": "192.0.2.0/24"}}}}]}}]}}"#
        )
    };
    let list = format!("[{}, {}]", machine("aa", "m.x"), machine("bb", "m.y"));
    let maas = filled(
        small()
            .to("GET machines/", Ok(json(200, &list)))
            .to("GET subnets/3/?op=ip_addresses", Ok(json(200, r#"[{"ip": "192.0.2.7", "alloc_type": 1,
                "node_summary": {"system_id": "bb", "node_type": 0, "hostname": "m", "via": "e"}}]"#))),
    );
    let scope = Scope {
        all_nodes: true,
        occupants: vec!["192.0.2.0/24".parse().unwrap()],
        ..Scope::default()
    };
    let observed = reader(&maas).observe(&scope).await.unwrap();
    assert_eq!(observed.nodes.keys().collect::<Vec<_>>(), ["m.x", "m.y"]);
    let holder = |host: &str| Holder::Node {
        host: host.to_owned(),
        kind: NodeKind::Machine,
        interface: Some("e".to_owned()),
    };
    let occupants = &observed.occupants[&scope.occupants[0]];
    let holders: Vec<_> = occupants
        .iter()
        .map(|it| (it.ip, it.holder.clone()))
        .collect();
    let seven = Some("192.0.2.7".parse().unwrap());
    assert_eq!(
        holders,
        [
            (None, holder("m.x")),
            (None, holder("m.y")),
            (seven, holder("m.y"))
        ]
    );
}

#[tokio::test]
async fn an_address_comes_with_its_holder() {
    let list = r#"[
        {"ip": "192.0.2.1", "alloc_type": 1, "bmcs": [{"id": 1, "power_type": "ipmi", "nodes": [{"system_id": "x", "hostname": "m"}]}]},
        {"ip": "192.0.2.2", "alloc_type": 4, "user": "bob", "dns_records": [{"id": 1, "name": "www", "domain": "test"}]},
        {"ip": "192.0.2.3", "alloc_type": 4, "user": "bob"},
        {"ip": "192.0.2.4", "alloc_type": 6},
        {"ip": "192.0.2.5", "alloc_type": 1},
        {"ip": "192.0.2.6", "alloc_type": 1, "node_summary": {"system_id": "r", "node_type": 4, "hostname": "rack", "via": "br0"}}]"#;
    let maas = filled(
        small()
            .to("GET subnets/cidr:192.0.2.0/24/", Ok(json(200, SUBNET)))
            .to("GET subnets/3/?op=ip_addresses", Ok(json(200, list))),
    );
    let found = reader(&maas)
        .occupants(&"192.0.2.0/24".parse().unwrap())
        .await
        .unwrap();
    let holders: Vec<String> = found.iter().map(|it| format!("{:?}", it.holder)).collect();
    assert_eq!(
        holders,
        [
            r#"Bmc { host: "m" }"#,
            r#"Dns { names: ["www.test"] }"#,
            r#"User { user: "bob" }"#,
            "Passing",
            r#"Unknown("an address of type 1 without a holder")"#,
            r#"Node { host: "rack", kind: Controller, interface: Some("br0") }"#,
        ]
    );
}

#[tokio::test]
async fn a_look_requests_one_row_where_its_number_is_cached() {
    let maas = filled(
        small()
            .to("GET subnets/3/", Ok(json(200, SUBNET)))
            .to("GET ipranges/5/", Ok(json(200, RANGE))),
    );
    let reader = reader(&maas);
    let observed = reader.observe(&Scope::default()).await.unwrap();
    let before = maas.requests().len();
    let keys: Vec<Key> = observed.objects.keys().cloned().collect();
    let found = reader.look(&keys).await.unwrap();
    for (key, seen) in &found {
        assert_eq!(
            seen.as_ref().map(|it| &it.object),
            observed.get(key),
            "{key}"
        );
    }
    assert_eq!(
        maas.requests()[before..],
        ["GET fabrics/", "GET subnets/3/", "GET ipranges/5/"]
    );
}

#[tokio::test]
async fn a_cached_row_that_is_now_another_object_is_not_used() {
    let other = SUBNET.replace("192.0.2.0/24", "198.51.100.0/24");
    let maas = filled(small().to("GET subnets/3/", Ok(json(200, &other))).to(
        "GET subnets/cidr:192.0.2.0/24/",
        Ok(text(404, "No Subnet matches the given query.")),
    ));
    let reader = reader(&maas);
    reader.observe(&Scope::default()).await.unwrap();
    let key = Key::Subnet("192.0.2.0/24".parse().unwrap());
    assert_eq!(
        reader.look(std::slice::from_ref(&key)).await.unwrap()[&key],
        None
    );
}

/// Each response to `GET subnets/`, sent every time, gives that error.
async fn give_errors(rows: Vec<(MaasResponse, &str)>) {
    for (answer, expected) in rows {
        let maas = ScriptedTransport::default();
        for _ in 0..4 {
            maas.push("GET subnets/", Ok(answer.clone()));
        }
        let maas = filled(maas);
        let error = reader(&maas).observe(&Scope::default()).await.unwrap_err();
        assert_eq!(error.to_string(), format!("`GET subnets/`: {expected}"));
        assert!(!format!("{error:?}").contains("s3cret"));
    }
}

#[tokio::test]
async fn an_unreadable_response_is_an_error_that_names_the_place() {
    let no_name = SUBNET.replace(r#""name": "desks","#, "");
    let bad_flag = SUBNET.replace(r#""managed": true"#, r#""managed": "yes""#);
    let host_bits = SUBNET.replace("192.0.2.0/24", "192.0.2.7/24");
    let list = |item: &str| json(200, &format!("[{SUBNET}, {item}]"));
    let rows: Vec<(MaasResponse, &str)> = vec![
        (
            json(200, &format!("[{SUBNET}")),
            "cannot read the response: line 3 column 85: not complete JSON",
        ),
        (
            json(200, "{}"),
            "cannot read the response: the response: not a list",
        ),
        (
            list(&no_name),
            "cannot read the response: [1]: `name` is missing",
        ),
        (
            list(&bad_flag),
            "cannot read the response: [1].managed: neither true nor false: `yes`",
        ),
        (
            list(&host_bits),
            "cannot read the response: [1].cidr: not a canonical network: `192.0.2.7/24`",
        ),
    ];
    give_errors(rows).await;
}

#[tokio::test]
async fn a_bad_status_is_an_error_that_says_what_to_try_and_shows_no_secret() {
    let secret =
        "Authorization Error: 'Invalid signature. Expected signature base string: &s3cret'";
    let rows: Vec<(MaasResponse, &str)> = vec![
        (
            page(200, "<html>sign in</html>"),
            "a server on the way to MAAS answered with a web page (200) instead of data; is the URL MAAS's own, ending in `/MAAS`?",
        ),
        (
            page(404, "<html>nginx</html>"),
            "a server on the way to MAAS answered with a web page (404) instead of data; is the URL MAAS's own, ending in `/MAAS`?",
        ),
        (
            page(302, ""),
            "answered with a redirect (302); configure the URL that it leads to, ending in `/MAAS`",
        ),
        (
            text(401, secret),
            "MAAS does not accept the API key (401); is the key complete and still valid, and is this machine's clock right?",
        ),
        (text(403, ""), "the API key's user may not read this (403)"),
        (
            text(404, "Unknown API endpoint."),
            "not found (404): Unknown API endpoint; is the URL MAAS's own, ending in `/MAAS`?",
        ),
        (text(500, "oops"), "MAAS answered 500: oops"),
        (
            page(409, "<h2>Conflict</h2>"),
            "MAAS answered 409 after 4 attempts: Conflict",
        ),
        (
            text(503, "busy"),
            "MAAS answered 503 after 4 attempts: busy",
        ),
        (text(418, "tea"), "unexpected status 418: tea"),
    ];
    give_errors(rows).await;
}

#[tokio::test]
async fn a_read_is_retried_while_that_may_help_and_waits_as_requested_within_limits() {
    let busy = |seconds| MaasResponse {
        retry_after: Some(Duration::from_secs(seconds)),
        ..text(503, "")
    };
    let maas = filled(
        small()
            .to("GET version/", Ok(busy(5)))
            .to("GET version/", Ok(busy(3600)))
            .to("GET version/", Err(LostAnswer::Broken("reset".to_owned()))),
    );
    let (environment, sleeps) = fixed_environment();
    let reader = MaasClient::new(Arc::clone(&maas), environment).reader();
    reader.observe(&Scope::default()).await.unwrap();
    assert_eq!(*sleeps.lock().unwrap(), [5, 10, 4].map(Duration::from_secs));

    let maas = filled(small().to(
        "GET version/",
        Err(LostAnswer::TimedOut(Duration::from_mins(5))),
    ));
    let error = MaasClient::new(Arc::clone(&maas), fixed_environment().0)
        .reader()
        .observe(&Scope::default())
        .await;
    assert!(
        error
            .unwrap_err()
            .to_string()
            .contains("no complete response within 300 s")
    );
}
