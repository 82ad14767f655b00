//! Maps identifiers of a recorded server to those of the lab. It must not know what is compared.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// Pairs of recorded identifiers and identifiers of the lab.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ids {
    to: BTreeMap<(String, String), String>,
    back: BTreeMap<(String, String), String>,
}

impl Ids {
    /// Pairs two identifiers; false if one is already paired with another.
    pub(crate) fn pair(&mut self, kind: &str, recorded: &str, here: &str) -> bool {
        let key = (kind.to_owned(), recorded.to_owned());
        if let Some(known) = self.to.get(&key) {
            return known == here;
        }
        let back = (kind.to_owned(), here.to_owned());
        if self.back.contains_key(&back) {
            return false;
        }
        self.back.insert(back, recorded.to_owned());
        self.to.insert(key, here.to_owned());
        true
    }

    /// After a delete: keeps the mapping, and allows the identifier of the lab to be paired again.
    pub(crate) fn forget(&mut self, kind: &str, recorded: &str) {
        if let Some(here) = self.to.get(&(kind.to_owned(), recorded.to_owned())) {
            self.back.remove(&(kind.to_owned(), here.clone()));
        }
    }

    pub(crate) fn here(&self, kind: &str, recorded: &str) -> String {
        let known = self.to.get(&(kind.to_owned(), recorded.to_owned()));
        known.cloned().unwrap_or_else(|| recorded.to_owned())
    }

    /// Replaces recorded node identifiers in a text.
    pub(crate) fn name_nodes(&self, text: &str) -> String {
        let nodes = self.to.iter().filter(|((kind, _), _)| kind == "nodes");
        nodes.fold(text.to_owned(), |text, ((_, recorded), here)| {
            text.replace(recorded, here)
        })
    }
}

/// What a `resource_uri` or a path points to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Interface { node: String, id: String },
    Object { kind: String, id: String },
}

impl Place {
    /// Reads `/MAAS/api/2.0/KIND/ID/` and `/MAAS/api/2.0/nodes/ID/interfaces/N/`.
    pub(crate) fn read(uri: &str) -> Option<Self> {
        let rest = uri.strip_prefix("/MAAS/api/2.0/")?.strip_suffix('/')?;
        let parts: Vec<&str> = rest.split('/').collect();
        match parts.as_slice() {
            ["nodes", node, "interfaces", id] if id.bytes().all(|b| b.is_ascii_digit()) => {
                Some(Self::Interface {
                    node: (*node).to_owned(),
                    id: (*id).to_owned(),
                })
            }
            [kind, id]
                if !id.is_empty() && kind.bytes().all(|b| b.is_ascii_lowercase() || b == b'-') =>
            {
                Some(Self::Object {
                    kind: (*kind).to_owned(),
                    id: (*id).to_owned(),
                })
            }
            _ => None,
        }
    }
}

/// The table of a kind of object: all nodes share one.
pub(crate) fn table(kind: &str) -> &str {
    match kind {
        "machines" | "devices" | "rackcontrollers" | "regioncontrollers" => "nodes",
        other => other,
    }
}

const NUMBERED: [&str; 11] = [
    "fabrics",
    "vlans",
    "spaces",
    "subnets",
    "ipranges",
    "static-routes",
    "reservedips",
    "dnsresources",
    "dnsresourcerecords",
    "domains",
    "dhcp-snippets",
];

/// A recorded path with the identifiers of the lab.
pub(crate) fn path_here(path: &str, ids: &Ids) -> String {
    let mut parts: Vec<String> = path.split('/').map(str::to_owned).collect();
    let Some(start) = parts.iter().position(|part| part == "2.0") else {
        return path.to_owned();
    };
    let kind = parts.get(start + 1).cloned().unwrap_or_default();
    let followed = parts.len() > start + 3;
    if let Some(id) = parts.get_mut(start + 2).filter(|_| followed) {
        let digits = !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit());
        if table(&kind) == "nodes" || (NUMBERED.contains(&kind.as_str()) && digits) {
            *id = ids.here(table(&kind), id);
        }
    }
    let interfaces = kind == "nodes" && parts.get(start + 3).is_some_and(|p| p == "interfaces");
    if let Some(id) = parts.get_mut(start + 4).filter(|_| interfaces) {
        let digits = id.bytes().take_while(u8::is_ascii_digit).count();
        let (head, tail) = id.split_at(digits);
        *id = format!("{}{tail}", ids.here("interfaces", head));
    }
    parts.join("/")
}

/// A recorded query or form with the identifiers of the lab.
pub(crate) fn fields_here(
    fields: &Map<String, Value>,
    path: &str,
    op: &str,
    ids: &Ids,
) -> Map<String, Value> {
    let lists_nodes = ["/machines/", "/nodes/", "/events/"]
        .iter()
        .any(|end| path.ends_with(end));
    let table_of = |field: &str| match field {
        "vlan" if path.contains("/dhcp-snippets/") || path.contains("/machines/") => None,
        "source" if op == "clone" => Some("nodes"),
        "system_id" | "node" | "machines" | "destinations" | "primary_rack" | "secondary_rack" => {
            Some("nodes")
        }
        "id" if lists_nodes => Some("nodes"),
        "iprange" => Some("ipranges"),
        "subnet" | "source" | "destination" => Some("subnets"),
        "vlan" | "relay_vlan" => Some("vlans"),
        "fabric" => Some("fabrics"),
        "space" => Some("spaces"),
        "link_id" => Some("links"),
        "parent" | "parents" => Some("interfaces"),
        "id" if op == "unlink_subnet" || op == "set_default_gateway" => Some("links"),
        _ => None,
    };
    let one = |table: &str, value: &Value| Value::String(ids.here(table, &plain(value)));
    let named = fields.iter().map(|(key, value)| {
        let value = match (table_of(key), value) {
            (Some(table), Value::Array(list)) => list.iter().map(|item| one(table, item)).collect(),
            (Some(table), value) => one(table, value),
            (None, value) => value.clone(),
        };
        (key.clone(), value)
    });
    named.collect()
}

/// A value as text, as in a form.
pub(crate) fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}
