//! What a read asks, and what it makes of answers good and bad.

mod faults;
mod odd;
mod wires;

use std::sync::Arc;
use std::time::Duration;

use topology::Key;
use topology::observed::{Holder, NodeKind, Scope};

use super::*;
use crate::scripted::{ScriptedTransport, json, page, still, text};

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

/// A small MAAS whose answers can be replaced one by one: what is told first is answered first.
fn small() -> ScriptedTransport {
    ScriptedTransport::default()
}

/// What that MAAS answers to each request.
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

fn filled(told: ScriptedTransport) -> Arc<ScriptedTransport> {
    for (request, body) in answers() {
        told.tell(request, Ok(json(200, &body)));
    }
    Arc::new(told)
}

fn eyes(told: &Arc<ScriptedTransport>) -> MaasReader<Arc<ScriptedTransport>> {
    MaasClient::new(Arc::clone(told), still().0).eyes()
}

#[tokio::test]
async fn an_observation_asks_each_list_once_and_no_more_than_two_at_once() {
    let told = filled(small());
    let observed = eyes(&told).observe(&Scope::default()).await.unwrap();
    let mut asked = told.asked();
    asked.sort();
    assert_eq!(
        asked,
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
    assert_eq!(told.most_at_once(), 2);
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
async fn before_3_6_reserved_ips_are_not_asked_for() {
    let told = filled(small().to("GET version/", Ok(json(200, r#"{"version": "3.5.12"}"#))));
    eyes(&told).observe(&Scope::default()).await.unwrap();
    assert!(!told.asked().contains(&"GET reservedips/".to_owned()));
}

#[tokio::test]
async fn twins_strangers_and_missing_rights_are_blind_spots() {
    let twins = format!("[{RANGE}, {}]", RANGE.replace(r#""id": 5"#, r#""id": 9"#));
    let told = filled(small().to("GET ipranges/", Ok(json(200, &twins))).to(
        "GET users/?op=whoami",
        Ok(json(200, r#"{"username": "bob", "is_superuser": false}"#)),
    ));
    let observed = eyes(&told).observe(&Scope::default()).await.unwrap();
    let spots: Vec<String> = observed
        .blind
        .iter()
        .map(|spot| format!("{}: {}", spot.what, spot.why))
        .collect();
    assert_eq!(
        spots,
        [
            "rackcontrollers/: the API key belongs to `bob`, who is no administrator: MAAS shows such a user no controllers and not all machines",
            "ipranges/: MAAS has `range 192.0.2.3-192.0.2.9` twice (rows 5 and 9); delete one by hand",
        ]
    );
}

#[tokio::test]
async fn nodes_of_one_name_go_by_their_full_name() {
    let machine = |id: &str, fqdn: &str| {
        format!(
            r#"{{"system_id": "{id}", "hostname": "m", "fqdn": "{fqdn}", "status_name": "Ready", "interface_set": [
            {{"id": 1, "name": "e", "type": "infiniband", "parents": [], "vlan": null, "links": [
            {{"id": 2, "mode": "auto", "ip_address": "", "subnet": {{"cidr": "192.0.2.0/24"}}}}]}}]}}"#
        )
    };
    let list = format!("[{}, {}]", machine("aa", "m.x"), machine("bb", "m.y"));
    let told = filled(
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
    let observed = eyes(&told).observe(&scope).await.unwrap();
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
async fn an_address_is_told_with_whoever_holds_it() {
    let list = r#"[
        {"ip": "192.0.2.1", "alloc_type": 1, "bmcs": [{"id": 1, "power_type": "ipmi", "nodes": [{"system_id": "x", "hostname": "m"}]}]},
        {"ip": "192.0.2.2", "alloc_type": 4, "user": "bob", "dns_records": [{"id": 1, "name": "www", "domain": "test"}]},
        {"ip": "192.0.2.3", "alloc_type": 4, "user": "bob"},
        {"ip": "192.0.2.4", "alloc_type": 6},
        {"ip": "192.0.2.5", "alloc_type": 1},
        {"ip": "192.0.2.6", "alloc_type": 1, "node_summary": {"system_id": "r", "node_type": 4, "hostname": "rack", "via": "br0"}}]"#;
    let told = filled(
        small()
            .to("GET subnets/cidr:192.0.2.0/24/", Ok(json(200, SUBNET)))
            .to("GET subnets/3/?op=ip_addresses", Ok(json(200, list))),
    );
    let found = eyes(&told)
        .occupants(&"192.0.2.0/24".parse().unwrap())
        .await
        .unwrap();
    let told: Vec<String> = found.iter().map(|it| format!("{:?}", it.holder)).collect();
    assert_eq!(
        told,
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
async fn a_look_asks_for_one_row_where_it_knows_the_row() {
    let told = filled(
        small()
            .to("GET subnets/3/", Ok(json(200, SUBNET)))
            .to("GET ipranges/5/", Ok(json(200, RANGE))),
    );
    let eyes = eyes(&told);
    let observed = eyes.observe(&Scope::default()).await.unwrap();
    let before = told.asked().len();
    let keys: Vec<Key> = observed.objects.keys().cloned().collect();
    let found = eyes.look(&keys).await.unwrap();
    for (key, seen) in &found {
        assert_eq!(
            seen.as_ref().map(|it| &it.object),
            observed.get(key),
            "{key}"
        );
    }
    assert_eq!(
        told.asked()[before..],
        ["GET fabrics/", "GET subnets/3/", "GET ipranges/5/"]
    );
}

#[tokio::test]
async fn a_row_that_has_become_something_else_is_not_believed() {
    let other = SUBNET.replace("192.0.2.0/24", "198.51.100.0/24");
    let told = filled(small().to("GET subnets/3/", Ok(json(200, &other))).to(
        "GET subnets/cidr:192.0.2.0/24/",
        Ok(text(404, "No Subnet matches the given query.")),
    ));
    let eyes = eyes(&told);
    eyes.observe(&Scope::default()).await.unwrap();
    let key = Key::Subnet("192.0.2.0/24".parse().unwrap());
    assert_eq!(
        eyes.look(std::slice::from_ref(&key)).await.unwrap()[&key],
        None
    );
}

/// `GET subnets/` answered so, each time, is told so.
async fn told_as(rows: Vec<(MaasResponse, &str)>) {
    for (answer, expected) in rows {
        let told = ScriptedTransport::default();
        for _ in 0..4 {
            told.tell("GET subnets/", Ok(answer.clone()));
        }
        let told = filled(told);
        let blind = eyes(&told).observe(&Scope::default()).await.unwrap_err();
        assert_eq!(blind.to_string(), format!("`GET subnets/`: {expected}"));
        assert!(!format!("{blind:?}").contains("s3cret"));
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_told_with_its_place() {
    let no_name = SUBNET.replace(r#""name": "desks","#, "");
    let bad_flag = SUBNET.replace(r#""managed": true"#, r#""managed": "yes""#);
    let host_bits = SUBNET.replace("192.0.2.0/24", "192.0.2.7/24");
    let list = |item: &str| json(200, &format!("[{SUBNET}, {item}]"));
    let rows: Vec<(MaasResponse, &str)> = vec![
        (
            json(200, &format!("[{SUBNET}")),
            "cannot make sense of the answer: line 3 column 85: not whole JSON",
        ),
        (
            json(200, "{}"),
            "cannot make sense of the answer: the answer: not a list",
        ),
        (
            list(&no_name),
            "cannot make sense of the answer: [1]: `name` is missing",
        ),
        (
            list(&bad_flag),
            "cannot make sense of the answer: [1].managed: neither true nor false: `yes`",
        ),
        (
            list(&host_bits),
            "cannot make sense of the answer: [1].cidr: not a canonical network: `192.0.2.7/24`",
        ),
    ];
    told_as(rows).await;
}

#[tokio::test]
async fn a_bad_status_is_told_with_what_to_try_and_never_with_a_secret() {
    let secret =
        "Authorization Error: 'Invalid signature. Expected signature base string: &s3cret'";
    let rows: Vec<(MaasResponse, &str)> = vec![
        (
            page(200, "<html>sign in</html>"),
            "answered with a web page (200) instead of data; is the URL MAAS's own, ending in `/MAAS`?",
        ),
        (
            page(404, "<html>nginx</html>"),
            "answered with a web page (404) instead of data; is the URL MAAS's own, ending in `/MAAS`?",
        ),
        (
            page(302, ""),
            "answered with a redirect (302); give the URL that it leads to, ending in `/MAAS`",
        ),
        (
            text(401, secret),
            "MAAS does not accept the API key (401); is the key whole and still valid, and is this machine's clock right?",
        ),
        (text(403, ""), "the API key's user may not read this (403)"),
        (
            text(404, "Unknown API endpoint."),
            "not found (404): Unknown API endpoint; is the URL MAAS's own, ending in `/MAAS`?",
        ),
        (text(500, "oops"), "MAAS is in trouble (500): oops"),
        (
            page(409, "<h2>Conflict</h2>"),
            "MAAS is in trouble (409), asked 4 times: Conflict",
        ),
        (
            text(503, "busy"),
            "MAAS is in trouble (503), asked 4 times: busy",
        ),
        (text(418, "tea"), "answered 418: tea"),
    ];
    told_as(rows).await;
}

#[tokio::test]
async fn a_read_is_tried_again_while_that_may_help_and_waits_as_asked_within_bounds() {
    let busy = |seconds| MaasResponse {
        retry_after: Some(Duration::from_secs(seconds)),
        ..text(503, "")
    };
    let told = filled(
        small()
            .to("GET version/", Ok(busy(5)))
            .to("GET version/", Ok(busy(3600)))
            .to("GET version/", Err(LostAnswer::Broken("reset".to_owned()))),
    );
    let (outside, pauses) = still();
    let eyes = MaasClient::new(Arc::clone(&told), outside).eyes();
    eyes.observe(&Scope::default()).await.unwrap();
    assert_eq!(*pauses.lock().unwrap(), [5, 10, 4].map(Duration::from_secs));

    let told = filled(small().to(
        "GET version/",
        Err(LostAnswer::Late(Duration::from_mins(5))),
    ));
    let blind = MaasClient::new(Arc::clone(&told), still().0)
        .eyes()
        .observe(&Scope::default())
        .await;
    assert!(
        blind
            .unwrap_err()
            .to_string()
            .contains("no whole answer within 300 s")
    );
}
