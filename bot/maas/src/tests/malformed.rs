//! Every field of every response, missing or of another type: it is an error that names the place, or changes nothing.

use serde_json::Value;
use topology::observed::{Observed, Scope};

use super::*;

const SUBNETS: &str = r#"[{"id": 3, "cidr": "192.0.2.0/24", "name": "desks", "vlan": {"fabric": "blue", "vid": 5},
    "gateway_ip": "192.0.2.1", "dns_servers": ["192.0.2.2"], "managed": true, "allow_dns": true, "allow_proxy": true,
    "active_discovery": false, "rdns_mode": 2, "description": "where people sit",
    "disabled_boot_architectures": ["pxe"]},
    {"id": 4, "cidr": "198.51.100.0/24", "name": "lamps", "vlan": {"fabric": "blue", "vid": 0},
    "gateway_ip": "", "dns_servers": [], "managed": false, "allow_dns": true, "allow_proxy": true,
    "active_discovery": false, "rdns_mode": 2, "description": "", "disabled_boot_architectures": []}]"#;
const ROUTES: &str = r#"[{"id": 1, "source": {"cidr": "192.0.2.0/24"}, "destination": {"cidr": "198.51.100.0/24"},
    "gateway_ip": "192.0.2.1", "metric": 7}]"#;
const RESERVED: &str = r#"[{"id": 1, "ip": "192.0.2.77", "mac_address": "52:54:00:00:00:77",
    "subnet": {"cidr": "192.0.2.0/24"}, "comment": "door"}]"#;
const SNIPPETS: &str = r#"[{"id": 1, "name": "boot", "value": "next-server 192.0.2.9;", "description": "",
    "enabled": true, "node": null, "subnet": {"cidr": "192.0.2.0/24"}},
    {"id": 2, "name": "all", "value": "", "node": null, "subnet": null},
    {"id": 3, "name": "one", "value": "", "node": {"hostname": "m1"}, "subnet": null}]"#;
const NODE: &str = r#"{"system_id": "abc", "hostname": "m1", "fqdn": "m1.test", "status_name": "Ready", "interface_set": [
    {"id": 60, "name": "br0", "type": "bridge", "parents": ["eth0"], "vlan": {"fabric": "blue", "vid": 5}, "links": [
    {"id": 70, "mode": "static", "ip_address": "192.0.2.40", "subnet": {"cidr": "192.0.2.0/24"}}]}]}"#;
const ADDRESSES: &str = r#"[
    {"ip": "192.0.2.40", "alloc_type": 1, "node_summary": {"system_id": "abc", "node_type": 0, "hostname": "m1", "via": "br0"}},
    {"ip": "192.0.2.41", "alloc_type": 1, "bmcs": [{"id": 1, "nodes": [{"system_id": "abc", "hostname": "m1"}]}]},
    {"ip": "192.0.2.42", "alloc_type": 4, "user": "bob"},
    {"ip": "192.0.2.43", "alloc_type": 4, "dns_records": [{"name": "www", "domain": "test"}]}]"#;

const KEPT: &str = r#"[
    {"ip": "192.0.2.40", "alloc_type": 1, "interface_set": [{"system_id": "abc"}], "owner": null, "subnet": {"cidr": "192.0.2.0/24"}},
    {"ip": "203.0.113.1", "alloc_type": 1, "interface_set": [{"system_id": "abc"}], "owner": null, "subnet": {"cidr": "192.0.2.0/24"}},
    {"ip": "203.0.113.2", "alloc_type": 4, "interface_set": [], "owner": {"username": "bob"}, "subnet": null},
    {"ip": "203.0.113.3", "alloc_type": 1, "interface_set": [], "owner": null, "subnet": null},
    {"ip": null, "alloc_type": 0, "interface_set": [], "owner": null, "subnet": null}]"#;
const NEIGHBOURS: &str = r#"[{"ip": "203.0.113.4"}, {"ip": "192.0.2.200"}]"#;

/// The responses of a MAAS that has one object of each kind.
fn rich() -> Vec<(&'static str, String)> {
    let mut all = answers();
    let others = NODE.replace("m1", "n2").replace("abc", "def");
    let devices = NODE
        .replace("m1", "d3")
        .replace("abc", "ghi")
        .replace("192.0.2.40", "192.0.2.50");
    for (request, body) in [
        ("GET subnets/", SUBNETS.to_owned()),
        ("GET static-routes/", ROUTES.to_owned()),
        ("GET reservedips/", RESERVED.to_owned()),
        ("GET dhcp-snippets/", SNIPPETS.to_owned()),
        ("GET machines/", format!("[{NODE}]")),
        ("GET rackcontrollers/", format!("[{others}]")),
        ("GET devices/", format!("[{devices}]")),
        ("GET subnets/3/?op=ip_addresses", ADDRESSES.to_owned()),
        ("GET ipaddresses/?all=true", KEPT.to_owned()),
        ("GET discovery/", NEIGHBOURS.to_owned()),
    ] {
        all.retain(|(known, _)| *known != request);
        all.push((request, body));
    }
    all
}

async fn observed(answers: &[(&'static str, String)]) -> Result<Observed, ReadError> {
    let maas = ScriptedTransport::default();
    for (request, body) in answers {
        maas.push(request, Ok(json(200, body)));
    }
    let scope = Scope {
        occupants: vec!["192.0.2.0/24".parse().unwrap()],
        all_nodes: true,
        all_spaces: true,
        snippets: true,
        elsewhere: true,
        settings: true,
        ..Scope::default()
    };
    reader(&Arc::new(maas)).observe(&scope).await
}

/// A JSON pointer to every place in a value.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, inner) in fields {
                let place = format!("{at}/{name}");
                found.push(place.clone());
                places(inner, &place, found);
            }
        }
        Value::Array(items) => {
            for (index, inner) in items.iter().enumerate() {
                places(inner, &format!("{at}/{index}"), found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The value without what is at `place`, or with something else there.
fn changed(value: &Value, place: &str, with: Option<&Value>) -> Value {
    let mut value = value.clone();
    if let Some(with) = with {
        *value.pointer_mut(place).unwrap() = with.clone();
        return value;
    }
    let (above, name) = place.rsplit_once('/').unwrap();
    let above = value.pointer_mut(above).unwrap();
    above.as_object_mut().unwrap().shift_remove(name);
    value
}

/// Fields that some releases or some objects do not have. An address whose holder is less known is held all the same.
const MAY_BE_MISSING: [&str; 13] = [
    "disabled_boot_architectures",
    "subnet",
    "ip_address",
    "node_summary",
    "bmcs",
    "nodes",
    "dns_records",
    "via",
    "user",
    "domain",
    "interface_set",
    "system_id",
    "owner",
];

#[tokio::test]
async fn a_field_that_is_missing_or_of_another_type_is_an_error_or_changes_nothing() {
    let answers = rich();
    let whole = observed(&answers).await.unwrap();
    assert_eq!(whole.blind, []);
    let others = [
        Value::Bool(true),
        serde_json::json!(7.5),
        serde_json::json!(-1),
        Value::from("\u{1b}[31m\u{202e}odd"),
        serde_json::json!([{}]),
        serde_json::json!({}),
    ];
    let mut errors = 0;
    for (index, (request, body)) in answers.iter().enumerate() {
        let value: Value = serde_json::from_str(body).unwrap();
        let mut all = Vec::new();
        places(&value, "", &mut all);
        for place in all {
            let name = place.rsplit('/').next().unwrap();
            for with in [None].into_iter().chain(others.iter().map(Some)) {
                let same_kind = |with: &Value| {
                    let own = value.pointer(&place).unwrap();
                    ((own.is_string() || own.is_null()) && with.is_string())
                        || (own.is_boolean() && with.is_boolean())
                };
                if with.is_some_and(same_kind) {
                    continue;
                }
                let mut answers = answers.clone();
                answers[index].1 = changed(&value, &place, with).to_string();
                match observed(&answers).await {
                    Err(error) => {
                        errors += 1;
                        let message = error.to_string();
                        assert!(message.starts_with(&format!("`{request}`: ")), "{message}");
                        assert!(!message.contains(['\u{1b}', '\u{202e}']), "{message:?}");
                    }
                    Ok(seen) => {
                        let may = with.is_none() && MAY_BE_MISSING.contains(&name);
                        assert!(may || seen == whole, "{request} {place} {with:?}");
                    }
                }
            }
        }
    }
    assert!(errors > 400, "only {errors} errors");
}

#[tokio::test]
async fn addresses_outside_their_subnet_or_without_one_come_with_their_holder() {
    let seen = observed(&rich()).await.unwrap();
    let elsewhere: Vec<String> = seen
        .elsewhere
        .iter()
        .flatten()
        .map(|occupant| format!("{} {:?}", occupant.ip.unwrap(), occupant.holder))
        .collect();
    assert_eq!(
        elsewhere,
        [
            r#"203.0.113.1 Unknown("the node `m1`")"#,
            r#"203.0.113.2 User { user: "bob" }"#,
            r#"203.0.113.3 Unknown("a BMC or a DNS name")"#,
            "203.0.113.4 Passing",
        ]
    );
    let names: Vec<String> = seen
        .settings
        .into_iter()
        .flatten()
        .map(|setting| format!("{} = {}", setting.name, setting.value))
        .collect();
    assert_eq!(
        names,
        ["upstream_dns = 192.0.2.53", "ntp_servers = ntp.ubuntu.com"]
    );
}

#[tokio::test]
async fn lists_that_contradict_each_other_are_an_error() {
    for (request, body, word) in [
        ("GET subnets/", "[]".to_owned(), "192.0.2.0/24"),
        ("GET fabrics/", "[]".to_owned(), "blue"),
        (
            "GET fabrics/",
            FABRICS.replace(r#""vid": 5"#, r#""vid": 6"#),
            "blue/5",
        ),
    ] {
        let mut answers = rich();
        answers.retain(|(known, _)| *known != request);
        answers.push((request, body));
        let error = observed(&answers).await.unwrap_err().to_string();
        assert!(
            error.contains("contradict") && error.contains(word),
            "{error}"
        );
    }
}

#[tokio::test]
async fn lists_are_read_again_after_a_change_between_two_of_them() {
    let maas = ScriptedTransport::default().to("GET subnets/", Ok(json(200, "[]")));
    let maas = filled(maas);
    let seen = reader(&maas).observe(&Scope::default()).await.unwrap();
    assert_eq!(seen.subnets().count(), 1);
}
