//! `site.yaml`: spaces without a plane, and what is known and left alone.

use std::collections::BTreeSet;

use super::scalar::{comment, scalar};
use super::{Import, SCHEMA_LINE};
use crate::check::names;
use crate::object::Key;

/// The file, unless there is nothing to say.
pub(super) fn file(import: &Import<'_>) -> Option<String> {
    let mut text = String::from(SCHEMA_LINE);
    text.push_str(&comment(&format!(
        "imported from `{}`, MAAS {}",
        import.site, import.observed.version
    )));
    text.push('\n');
    let spaces = spaces(import);
    if !spaces.is_empty() {
        text.push_str("\n# spaces without a plane\nspaces:\n");
        for space in &spaces {
            text.push_str(&format!("  - {}\n", scalar(space)));
        }
    }
    if !import.undeclared.is_empty() {
        text.push_str("\n# known, not declared, never touched\nleave_alone:\n");
        for undeclared in &import.undeclared {
            text.push_str(&format!(
                "  - {}  {}\n",
                scalar(&undeclared.name),
                comment(&undeclared.why)
            ));
        }
    }
    let says_something = !spaces.is_empty() || !import.undeclared.is_empty();
    says_something.then_some(text)
}

/// Spaces that no declared plane carries.
fn spaces<'o>(import: &Import<'o>) -> BTreeSet<&'o str> {
    let carried: BTreeSet<&str> = import
        .planes
        .values()
        .filter_map(|plane| plane.vlan.space.as_deref())
        .collect();
    import
        .observed
        .objects
        .keys()
        .filter_map(|key| {
            if let Key::Space(name) = key {
                Some(name.as_str())
            } else {
                None
            }
        })
        .filter(|name| !carried.contains(name) && names::is_maas_name(name) && *name != "undefined")
        .collect()
}
