//! Updates existing files to match MAAS; only what differs is changed.
//!
//! A new value is written in the style of the old one: an offset stays an offset, a reference stays a reference, and quotes
//! are kept. Must not know how text is edited.

mod machine;
mod pairing;
mod plane;
mod ranges;
mod site;
mod subnet;
mod value;

use std::collections::BTreeMap;

use super::conflict::MergeConflict;
use super::import::SiteImport;
use super::machine::NewMachine;
use super::patch::FilePatch;
use super::site::SiteLists;
use super::tree::field;
use super::written::FileChanges;

/// The existing files that change; `None` for a file to delete.
pub(super) fn changed(
    import: &SiteImport<'_>,
    machines: &[NewMachine],
    listed: &SiteLists<'_>,
) -> Result<FileChanges, Vec<MergeConflict>> {
    let mut changed = BTreeMap::new();
    let mut refused = Vec::new();
    let mut lists = site::Lists::new(machines, listed);
    for (path, file) in &import.declaration.files {
        let mut patch = FilePatch::of(&file.text, &file.root);
        let own = import
            .declaration
            .planes
            .iter()
            .filter(|(_, entry)| entry.path == *path);
        let mut gone = Vec::new();
        for (key, entry) in own {
            let Some(node) = import.declaration.node(entry) else {
                continue;
            };
            match import.plane(key) {
                Some(plane) => plane::change(import, plane, node, &mut patch),
                None if import.selection.drop_gone => gone.push(entry.item),
                None => {}
            }
        }
        if gone.contains(&None) {
            changed.insert(path.clone(), None);
            continue;
        }
        let gone = gone.into_iter().flatten().collect();
        if field(&file.root, "plane").is_none() {
            lists.change(import, &file.root, gone, &mut patch);
        }
        match patch.finish() {
            Ok(text) if text == file.text => {}
            Ok(text) => {
                changed.insert(path.clone(), Some(text));
            }
            Err(line) => refused.push(conflicting_edits(path, line)),
        }
    }
    if refused.is_empty() {
        Ok(changed)
    } else {
        Err(refused)
    }
}

fn conflicting_edits(path: &str, line: u32) -> MergeConflict {
    MergeConflict {
        file: path.to_owned(),
        line,
        what: "two edits overlap here".to_owned(),
        remedy: "split this over several lines, then import again".to_owned(),
    }
}
