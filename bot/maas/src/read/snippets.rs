//! DHCP snippets, as `dhcp-snippets/` lists them: those that can be recreated unchanged, and the others. Must not know
//! when a plan recreates one.

use std::collections::BTreeMap;

use topology::object::{Key, Object, Snippet};
use topology::observed::{LooseSnippet, Seen, SnippetOn};

use crate::json::{JsonAt, JsonResult};

/// A DHCP snippet as listed.
#[derive(Debug)]
pub(crate) enum SnippetRow {
    /// Of a subnet, and recreatable from what the API shows.
    OnSubnet(Seen),
    /// Any other; no plan writes it.
    Other(LooseSnippet),
}

/// Reads one snippet. A snippet may belong to one range of its subnet, but no response says which (3.7.3
/// maasserver/api/dhcpsnippets.py:24-34).
pub(crate) fn snippet(at: JsonAt<'_>) -> JsonResult<SnippetRow> {
    let name = at.field("name")?.text()?.to_owned();
    let value = match at.nullable("value")? {
        Some(value) => Some(value.text()?.to_owned()),
        None => None,
    };
    let other = |value: Option<String>, on| {
        SnippetRow::Other(LooseSnippet {
            name: name.clone(),
            on,
            value: value.unwrap_or_default(),
        })
    };
    let (node, subnet) = (at.nullable("node")?, at.nullable("subnet")?);
    let cidr = match (node, subnet) {
        (Some(node), _) => {
            let host = node.field("hostname")?.text()?.to_owned();
            return Ok(other(value, SnippetOn::Node(host)));
        }
        (None, None) => return Ok(other(value, SnippetOn::Everywhere)),
        (None, Some(subnet)) => subnet.field("cidr")?.cidr()?,
    };
    let description = match at.nullable("description")? {
        Some(text) => text.text()?.to_owned(),
        None => String::new(),
    };
    let not_recreatable = |why: &str| SnippetOn::Subnet {
        cidr,
        why: why.to_owned(),
    };
    let Some(value) = value else {
        return Ok(other(None, not_recreatable("MAAS does not show its text")));
    };
    if is_padded(&name) || is_padded(&description) {
        let why = "MAAS would strip the white space around its name or description";
        return Ok(other(Some(value), not_recreatable(why)));
    }
    Ok(SnippetRow::OnSubnet(Seen {
        id: at.field("id")?.number()?,
        object: Object::Snippet(Snippet {
            subnet: cidr,
            enabled: at.field("enabled")?.flag()?,
            name: name.clone(),
            value,
            description,
        }),
    }))
}

/// Whether Python's `strip`, which MAAS's forms call, would change it.
fn is_padded(text: &str) -> bool {
    let blank = |c: char| c.is_whitespace() || ('\x1c'..='\x1f').contains(&c);
    text.starts_with(blank) || text.ends_with(blank)
}

/// The snippets with unique keys, and the others. MAAS allows two snippets of one subnet with the same name.
pub(crate) fn split_by_key(rows: Vec<SnippetRow>) -> (Vec<Seen>, Vec<LooseSnippet>) {
    let mut by_key: BTreeMap<Key, Vec<Seen>> = BTreeMap::new();
    let mut others = Vec::new();
    for row in rows {
        match row {
            SnippetRow::OnSubnet(seen) => by_key.entry(seen.object.key()).or_default().push(seen),
            SnippetRow::Other(snippet) => others.push(snippet),
        }
    }
    let (duplicates, unique): (Vec<_>, Vec<_>) = by_key
        .into_values()
        .partition(|namesakes| namesakes.len() > 1);
    let duplicates = duplicates
        .iter()
        .flatten()
        .filter_map(|seen| seen.object.as_snippet());
    others.extend(duplicates.map(|snippet| LooseSnippet {
        name: snippet.name.clone(),
        value: snippet.value.clone(),
        on: SnippetOn::Subnet {
            cidr: snippet.subnet,
            why: "another snippet there has the same name".to_owned(),
        },
    }));
    others.sort();
    (unique.into_iter().flatten().collect(), others)
}
