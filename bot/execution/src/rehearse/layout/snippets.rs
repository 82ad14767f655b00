//! DHCP snippets of an observation, as a layout has them. Must not know what their text means.

use serde_json::{Value, json};
use topology::Cidr;
use topology::observed::SnippetOn;

use crate::rehearse::layout::{LayoutBuilder, object_of, put};

impl LayoutBuilder<'_> {
    pub(super) fn snippets(&self, cidr: Cidr) -> Vec<Value> {
        let snippets = self.observed.snippets().filter(|it| it.subnet == cidr);
        snippets
            .map(|it| {
                json!({"name": it.name, "value": it.value, "description": it.description, "enabled": it.enabled})
            })
            .collect()
    }

    /// Snippets that no plan writes. Description and `enabled` are left out: nothing depends on them here.
    pub(super) fn loose_snippets(&mut self) -> Vec<Value> {
        let mut snippets = Vec::new();
        for snippet in self.observed.loose_snippets.iter().flatten() {
            let mut json = json!({"name": snippet.name, "value": snippet.value});
            match &snippet.on {
                SnippetOn::Everywhere => {}
                SnippetOn::Node(host) => put(object_of(&mut json), "node", Some(host)),
                SnippetOn::Subnet { cidr, why } => {
                    let omitted = format!("DHCP snippet `{}` of {cidr}: {why}", snippet.name);
                    self.omitted.push(omitted);
                    continue;
                }
            }
            snippets.push(json);
        }
        snippets
    }
}
