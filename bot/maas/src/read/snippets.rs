//! DHCP snippets, as `dhcp-snippets/` lists them: those that can be made again as they are, and the others.

use std::collections::BTreeMap;

use topology::object::{Key, Object, Snippet};
use topology::observed::{LooseSnippet, Seen, SnippetOn};

use crate::json::{JsonAt, JsonResult};

/// One snippet.
#[derive(Debug)]
pub(crate) enum SnippetRow {
    /// On a subnet, whole.
    Hung(Seen),
    /// What no plan writes.
    Loose(LooseSnippet),
}

/// One snippet. On which range of its subnet it hangs is in no answer (3.7.3 maasserver/api/dhcpsnippets.py:24-34).
pub(crate) fn snippet(at: JsonAt<'_>) -> JsonResult<SnippetRow> {
    let name = at.field("name")?.text()?.to_owned();
    let value = match at.nullable("value")? {
        Some(value) => Some(value.text()?.to_owned()),
        None => None,
    };
    let loose = |value: Option<String>, on| {
        SnippetRow::Loose(LooseSnippet {
            name: name.clone(),
            on,
            value: value.unwrap_or_default(),
        })
    };
    let (node, subnet) = (at.nullable("node")?, at.nullable("subnet")?);
    let cidr = match (node, subnet) {
        (Some(node), _) => {
            let host = node.field("hostname")?.text()?.to_owned();
            return Ok(loose(value, SnippetOn::Node(host)));
        }
        (None, None) => return Ok(loose(value, SnippetOn::Everywhere)),
        (None, Some(subnet)) => subnet.field("cidr")?.cidr()?,
    };
    let description = match at.nullable("description")? {
        Some(text) => text.text()?.to_owned(),
        None => String::new(),
    };
    let unfit = |why: &str| SnippetOn::Subnet {
        cidr,
        why: why.to_owned(),
    };
    let Some(value) = value else {
        return Ok(loose(None, unfit("MAAS does not show its text")));
    };
    if is_padded(&name) || is_padded(&description) {
        let why = "MAAS takes off the blanks around its name or description";
        return Ok(loose(Some(value), unfit(why)));
    }
    Ok(SnippetRow::Hung(Seen {
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

/// Whether Python's `strip`, which MAAS's forms call, would shorten it.
fn is_padded(text: &str) -> bool {
    let blank = |c: char| c.is_whitespace() || ('\x1c'..='\x1f').contains(&c);
    text.starts_with(blank) || text.ends_with(blank)
}

/// The snippets that a plan can tell apart, and the others. MAAS lets two of one subnet bear one name.
pub(crate) fn told_apart(rows: Vec<SnippetRow>) -> (Vec<Seen>, Vec<LooseSnippet>) {
    let mut named: BTreeMap<Key, Vec<Seen>> = BTreeMap::new();
    let mut loose = Vec::new();
    for row in rows {
        match row {
            SnippetRow::Hung(seen) => named.entry(seen.object.key()).or_default().push(seen),
            SnippetRow::Loose(snippet) => loose.push(snippet),
        }
    }
    let (alike, single): (Vec<_>, Vec<_>) = named
        .into_values()
        .partition(|namesakes| namesakes.len() > 1);
    let alike = alike
        .iter()
        .flatten()
        .filter_map(|seen| seen.object.as_snippet());
    loose.extend(alike.map(|snippet| LooseSnippet {
        name: snippet.name.clone(),
        value: snippet.value.clone(),
        on: SnippetOn::Subnet {
            cidr: snippet.subnet,
            why: "another one there has the same name".to_owned(),
        },
    }));
    loose.sort();
    (single.into_iter().flatten().collect(), loose)
}
