//! `site.yaml`: spaces without a plane, and what is left alone.

use std::collections::BTreeSet;

use super::import::SiteImport;
use super::literal::SCHEMA_LINE;
use super::scalar::{comment, scalar};
use super::tree::holds;
use crate::check::names::{self, NameKind};
use crate::object::Key;

/// Entries that the site's lists do not have yet.
pub(super) struct SiteLists<'o> {
    pub(super) spaces: BTreeSet<&'o str>,
    /// Names, and why they are not declared.
    pub(super) alone: Vec<(&'o str, &'o str)>,
}

impl<'o> SiteLists<'o> {
    pub(super) fn of(import: &'o SiteImport<'_>) -> Self {
        let known = &import.declaration.topology;
        let alone = import.undeclared.iter();
        let alone = alone.map(|undeclared| (undeclared.name.as_str(), undeclared.why.as_str()));
        Self {
            spaces: spaces(import),
            alone: alone
                .filter(|(name, _)| {
                    import.selection.everything() && !known.leave_alone.contains(*name)
                })
                .collect(),
        }
    }
}

/// A file with the lists that no existing file has; `None` if there is nothing to list.
pub(super) fn file(import: &SiteImport<'_>, listed: &SiteLists<'_>) -> Option<String> {
    let has = |key: &str| {
        import
            .declaration
            .files
            .values()
            .any(|file| holds(&file.root, key))
    };
    let mut text = String::from(SCHEMA_LINE);
    text.push_str(&comment(&format!(
        "imported from `{}`, MAAS {}",
        import.site, import.observed.version
    )));
    text.push('\n');
    let spaces = !listed.spaces.is_empty() && !has("spaces");
    if spaces {
        text.push_str("\n# spaces without a plane\nspaces:\n");
        for space in &listed.spaces {
            text.push_str(&format!("  - {}\n", scalar(space)));
        }
    }
    let alone = !listed.alone.is_empty() && !has("leave_alone");
    if alone {
        text.push_str("\n# known, not declared, never touched\nleave_alone:\n");
        for (name, why) in &listed.alone {
            text.push_str(&format!("  - {}  {}\n", scalar(name), comment(why)));
        }
    }
    (spaces || alone).then_some(text)
}

/// Spaces that no declared plane is in and no file lists.
fn spaces<'o>(import: &'o SiteImport<'_>) -> BTreeSet<&'o str> {
    let carried: BTreeSet<&str> = import
        .planes
        .values()
        .filter_map(|plane| plane.vlan.space.as_deref())
        .collect();
    let included = |name: &str| match import.selection.space(name) {
        Some(selection) => selection,
        None => !carried.contains(name),
    };
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
        .filter(|name| !import.declaration.topology.spaces.contains(*name) && included(name))
        .filter(|name| !import.declaration.topology.removed.spaces.contains(*name))
        .filter(|name| names::is_maas_name(NameKind::Space, name) && *name != "undefined")
        .collect()
}
