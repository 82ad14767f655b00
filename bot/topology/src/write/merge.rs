//! Files that people wrote, brought to what MAAS has: only what differs is changed.
//!
//! A value is written in the way that the one before it was: an offset stays an offset, a reference a reference, quotes
//! stay quotes. Must not know how a text is changed.

mod machine;
mod plane;
mod ranges;
mod site;
mod subnet;
mod value;

use std::collections::BTreeMap;

use super::declaration::{DeclarationFile, field};
use super::import::SiteImport;
use super::machine::NewMachine;
use super::patch::FilePatch;
use super::site::SiteLists;
use super::{Files, MergeConflict};

/// The files that are there, as far as they change; a `None` goes.
pub(super) fn changed(
    import: &SiteImport<'_>,
    machines: &[NewMachine],
    listed: &SiteLists<'_>,
) -> Result<Files, Vec<MergeConflict>> {
    let mut changed = BTreeMap::new();
    let mut refused = Vec::new();
    let mut lists = site::Lists::new(machines, listed);
    for (path, file) in &import.declaration.files {
        let mut patch = FilePatch::of(&file.text, &file.root);
        let own = import
            .declaration
            .planes
            .iter()
            .filter(|(_, stand)| stand.path == *path);
        let mut gone = Vec::new();
        for (key, stand) in own {
            let Some(node) = import.declaration.node(stand) else {
                continue;
            };
            match import.plane(key) {
                Some(plane) => plane::change(import, plane, node, &mut patch),
                None if import.selection.drop_gone => gone.push(stand.item),
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
            Err(line) => refused.push(tangled(path, line)),
        }
    }
    if refused.is_empty() {
        Ok(changed)
    } else {
        Err(refused)
    }
}

fn tangled(path: &str, line: u32) -> MergeConflict {
    MergeConflict {
        file: path.to_owned(),
        line,
        what: "two changes meet in one place here".to_owned(),
        remedy: "write what stands here over several lines, and import again".to_owned(),
    }
}

/// Whether a file of the site has that list.
pub(super) fn holds(file: &DeclarationFile, key: &str) -> bool {
    field(&file.root, "plane").is_none() && field(&file.root, key).is_some()
}

/// Whether a declared thing is that observed one.
type Rule<'r, D, O> = &'r dyn Fn(&D, &O) -> bool;

/// Which observed thing each declared one is: for each rule in turn, the first that is nobody's yet.
fn paired<D, O>(declared: &[D], observed: &[O], rules: &[Rule<'_, D, O>]) -> Vec<Option<usize>> {
    let mut pairs: Vec<Option<usize>> = vec![None; declared.len()];
    let mut taken = vec![false; observed.len()];
    for rule in rules {
        for (said, pair) in declared.iter().zip(&mut pairs) {
            if pair.is_some() {
                continue;
            }
            let mut free = observed.iter().enumerate().filter(|(at, _)| !taken[*at]);
            if let Some((at, _)) = free.find(|(_, there)| rule(said, there)) {
                taken[at] = true;
                *pair = Some(at);
            }
        }
    }
    pairs
}

/// Behind which declared item each observed one belongs that has none: behind the one of its predecessor.
fn newcomers(pairs: &[Option<usize>], observed: usize) -> Vec<(Option<usize>, usize)> {
    let mut behind = None;
    let mut new = Vec::new();
    for at in 0..observed {
        match pairs.iter().position(|pair| *pair == Some(at)) {
            Some(item) => behind = Some(item),
            None => new.push((behind, at)),
        }
    }
    new
}
