//! Puts the files of an import together: new planes, new machines, the site's lists, and the files that change.
//!
//! Must not know the syntax of any of them.

use std::collections::BTreeMap;

use super::conflict::MergeConflict;
use super::import::SiteImport;
use super::tree::holds;
use super::written::WrittenFiles;
use super::{machine, merge, plane, site};

/// Every file of an import.
pub(super) fn assemble(import: &SiteImport<'_>) -> Result<WrittenFiles, Vec<MergeConflict>> {
    let mut written = WrittenFiles::default();
    let mut texts: BTreeMap<String, String> = BTreeMap::new();
    for plane in import.planes.values().filter(|plane| !plane.is_declared) {
        let path = import.declaration.free_path(&plane.key);
        texts.insert(path.clone(), plane::file(import, plane));
        written.planes.insert(path, plane.vlan.at.clone());
    }
    let machines = machine::new_ones(import);
    let listed = site::SiteLists::of(import);
    let mut written = WrittenFiles {
        files: merge::changed(import, &machines, &listed)?,
        ..written
    };
    if !import
        .declaration
        .files
        .values()
        .any(|file| holds(&file.root, "machines"))
    {
        for (path, text) in machine::files(import, &machines) {
            texts.insert(path, text);
        }
    }
    if let Some(text) = site::file(import, &listed) {
        texts.insert(import.declaration.free_path("site"), text);
    }
    for (path, text) in texts {
        written.files.insert(path, Some(text));
    }
    machine::find(&machines, &mut written);
    Ok(written)
}
