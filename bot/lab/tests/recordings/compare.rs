//! Compares a recorded answer with the lab's. Times, tokens, and the order of objects in lists do not count.

use serde_json::{Map, Value, json};

use super::ids::{Ids, Place, plain, table};

const NODE: [&str; 17] = [
    "system_id",
    "hostname",
    "fqdn",
    "status",
    "status_name",
    "node_type",
    "node_type_name",
    "interface_set",
    "boot_interface",
    "ip_addresses",
    "owner",
    "locked",
    "power_type",
    "default_gateways",
    "resource_uri",
    "pool",
    "zone",
];
const INTERFACE: [&str; 15] = [
    "id",
    "name",
    "type",
    "mac_address",
    "vlan",
    "links",
    "parents",
    "children",
    "enabled",
    "effective_mtu",
    "params",
    "tags",
    "system_id",
    "discovered",
    "resource_uri",
];
const SKIP: [&str; 8] = [
    "created",
    "updated",
    "last_sync",
    "next_sync",
    "email",
    "is_local",
    "hardware_info",
    "current_commissioning_result_id",
];
const NATURAL: [&str; 14] = [
    "fqdn",
    "hostname",
    "cidr",
    "fabric",
    "vid",
    "start_ip",
    "start",
    "ip",
    "ip_address",
    "mode",
    "gateway_ip",
    "name",
    "destination_cidr",
    "target",
];

/// Walks both answers in parallel, pairs new identifiers, and collects the differences.
pub(crate) struct Comparison<'a> {
    pub(crate) ids: &'a mut Ids,
    pub(crate) differences: Vec<String>,
}

impl Comparison<'_> {
    pub(crate) fn walk(&mut self, recorded: &Value, here: &Value, at: &str) {
        match (recorded, here) {
            (Value::Object(recorded), Value::Object(here)) => self.objects(recorded, here, at),
            (Value::Array(recorded), Value::Array(here)) => self.lists(recorded, here, at),
            (Value::String(recorded), Value::String(here)) => {
                if words(&self.ids.name_nodes(recorded)) != words(here) {
                    self.differ(at, recorded, here);
                }
            }
            (Value::Number(one), Value::Number(two)) if one.as_f64() == two.as_f64() => {}
            _ if recorded == here => {}
            _ => self.differ(at, &recorded.to_string(), &here.to_string()),
        }
    }

    fn differ(&mut self, at: &str, recorded: &str, here: &str) {
        let short = |text: &str| text.chars().take(90).collect::<String>();
        self.differences
            .push(format!("{at}: {} / {}", short(recorded), short(here)));
    }

    fn lists(&mut self, recorded: &[Value], here: &[Value], at: &str) {
        if recorded.len() != here.len() {
            let (one, two) = (recorded.len(), here.len());
            self.differences
                .push(format!("{at}: {one} recorded, {two} here"));
            return;
        }
        let (mut recorded, mut here) = (recorded.to_vec(), here.to_vec());
        if recorded
            .first()
            .is_some_and(|first| first.is_object() || first.is_string())
        {
            recorded.sort_by_key(natural);
            here.sort_by_key(natural);
        }
        for (number, (one, two)) in recorded.iter().zip(&here).enumerate() {
            self.walk(one, two, &format!("{at}[{number}]"));
        }
    }

    fn objects(&mut self, recorded: &Map<String, Value>, here: &Map<String, Value>, at: &str) {
        let node = recorded.contains_key("node_type") || recorded.contains_key("interface_set");
        let interface = recorded.contains_key("mac_address") && recorded.contains_key("links");
        self.places(recorded, here, at);
        for (key, value) in recorded {
            let name = key.as_str();
            let left_out = (node && !NODE.contains(&name))
                || (interface && !node && !INTERFACE.contains(&name));
            if SKIP.contains(&name) || left_out || name == "resource_uri" {
                continue;
            }
            let at = format!("{at}.{key}");
            match here.get(key) {
                None => self.differences.push(format!("{at}: missing")),
                Some(other) => self.field(recorded, name, (value, other), &at),
            }
        }
        if !node && !interface {
            for key in here.keys() {
                if !recorded.contains_key(key) && !SKIP.contains(&key.as_str()) {
                    self.differences
                        .push(format!("{at}.{key}: MAAS has no such field"));
                }
            }
        }
    }

    fn field(
        &mut self,
        object: &Map<String, Value>,
        key: &str,
        (value, other): (&Value, &Value),
        at: &str,
    ) {
        let named = object
            .get("resource_uri")
            .and_then(Value::as_str)
            .is_some_and(|uri| !uri.is_empty());
        let both = !value.is_null() && !other.is_null();
        let kind = match key {
            "id" if named => return,
            "id" if object.contains_key("mode") => Some("links"),
            "link_id" if both => Some("links"),
            "fabric_id" => Some("fabrics"),
            "system_id" | "primary_rack" | "secondary_rack"
                if value.is_string() && other.is_string() =>
            {
                Some("nodes")
            }
            _ => None,
        };
        match kind {
            Some(kind) => {
                if !self.ids.pair(kind, &plain(value), &plain(other)) {
                    self.differ(at, &plain(value), &plain(other));
                }
            }
            None => self.walk(value, other, at),
        }
    }

    fn places(&mut self, recorded: &Map<String, Value>, here: &Map<String, Value>, at: &str) {
        let uri = |object: &Map<String, Value>| {
            let uri = object.get("resource_uri").and_then(Value::as_str);
            uri.filter(|uri| !uri.is_empty()).map(str::to_owned)
        };
        let (Some(one), Some(two)) = (uri(recorded), uri(here)) else {
            return;
        };
        let same = match (Place::read(&one), Place::read(&two)) {
            (None, None) => true,
            (
                Some(Place::Interface { node, id }),
                Some(Place::Interface {
                    node: node_here,
                    id: id_here,
                }),
            ) => {
                self.ids.pair("nodes", &node, &node_here)
                    && self.ids.pair("interfaces", &id, &id_here)
            }
            (
                Some(Place::Object { kind, id }),
                Some(Place::Object {
                    kind: kind_here,
                    id: id_here,
                }),
            ) => kind == kind_here && self.ids.pair(table(&kind), &id, &id_here),
            _ => false,
        };
        if !same {
            self.differ(&format!("{at}.resource_uri"), &one, &two);
        }
    }
}

/// A sort key without identifiers, to align lists.
fn natural(value: &Value) -> String {
    let Value::Object(object) = value else {
        return value.to_string();
    };
    let mut key: Vec<Value> = NATURAL
        .iter()
        .map(|name| object.get(*name).cloned().unwrap_or(Value::Null))
        .collect();
    let subnet = object.get("subnet").cloned().unwrap_or(Value::Null);
    key.push(subnet.get("cidr").cloned().unwrap_or(subnet));
    for end in ["source", "destination"] {
        if let Some(cidr) = object.get(end).and_then(|end| end.get("cidr")) {
            key.push(cidr.clone());
        }
    }
    json!(key).to_string()
}

/// Replaces times and secrets in a text: a word of 10 digits is a time, a word of 18 or more letters or digits a secret.
fn words(text: &str) -> String {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut out = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if !is_word(first) {
            out.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        let (word, tail) = rest.split_at(end);
        rest = tail;
        if word.len() == 10 && word.bytes().all(|b| b.is_ascii_digit()) {
            out.push_str("TIME");
            let fraction = rest.strip_prefix('.').map_or(0, |tail| {
                tail.find(|c: char| !c.is_ascii_digit())
                    .unwrap_or(tail.len())
            });
            let bounded = !rest[..].chars().nth(fraction + 1).is_some_and(is_word);
            if fraction > 0 && bounded {
                rest = &rest[fraction + 1..];
            }
        } else if word.len() >= 18 && word.bytes().all(|b| b.is_ascii_alphanumeric()) {
            if out.ends_with('&') {
                out.pop();
            }
            out.push_str("SECRET");
        } else {
            out.push_str(word);
        }
    }
    out
}
