//! Checks files and makes a topology, or findings.
//!
//! The only entry point is [`check`]. Every rule runs whenever it can, so that one check shows everything that must be
//! fixed; a [`Topology`] results only when there is no error. Whatever a real MAAS can contain is at most a warning here,
//! except overlapping subnets and single-host prefixes, which an import lists instead of declaring. Must not know YAML.

mod boot;
mod cross_plane;
mod entries;
mod gateways;
mod index;
mod machines;
pub(crate) mod names;
mod order;
mod planes;
mod ranges;
mod removed;
mod settings;
mod subnets;
mod vips;

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest as _, Sha256};

use crate::draft::{self, Draft, Located, SourceFile};
use crate::finding::{Finding, Findings};
use crate::plane::Topology;

/// The result of checking a declaration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// The declared network, if no finding is an error.
    pub topology: Option<Topology>,
    /// Every finding, ordered by file, line and column.
    pub findings: Vec<Finding>,
    /// Where each plane is declared, by key: the file, and the line of its key. For later annotations.
    pub declared_at: BTreeMap<String, (String, u32)>,
    /// The same for machines, by host name.
    pub machines_at: BTreeMap<String, (String, u32)>,
}

/// Checks the files of one site. Files other than YAML are skipped; the order of the files does not matter.
pub fn check(sources: &[SourceFile]) -> Checked {
    let mut files: Vec<(&str, &[u8])> = sources
        .iter()
        .filter(|source| draft::is_declaration(&source.path))
        .map(|source| (source.path.as_str(), source.bytes.as_slice()))
        .collect();
    files.sort_unstable();
    let text = |bytes| std::str::from_utf8(bytes).unwrap_or_default();
    let mut findings = Findings::about(files.iter().map(|(path, bytes)| (*path, text(*bytes))));
    let draft = Draft::read(&files, &mut findings);
    let position = |name: &Located<String>| {
        let (path, _) = files.get(name.place.file)?;
        Some((name.value.clone()?, ((*path).to_owned(), name.place.line)))
    };
    let planes = draft.removed.iter().rev().chain(draft.planes.iter().rev());
    let declared_at = planes.filter_map(|it| position(&it.plane)).collect();
    let machines = draft.machines.iter().rev();
    let machines_at = machines.filter_map(|it| position(&it.name)).collect();
    let topology = draft.check(tree(&files), &mut findings);
    let topology = if findings.has_errors() {
        None
    } else {
        Some(topology)
    };
    Checked {
        topology,
        findings: findings.into_findings(),
        declared_at,
        machines_at,
    }
}

/// SHA-256 in hex over paths and contents. Each is preceded by its length, so that different declarations never hash the
/// same bytes.
fn tree(files: &[(&str, &[u8])]) -> String {
    let mut hash = Sha256::new();
    for (path, bytes) in files {
        hash.update((path.len() as u64).to_be_bytes());
        hash.update(path.as_bytes());
        hash.update((bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    }
    hex::encode(hash.finalize())
}

impl Draft {
    /// Checks the files' content. The topology holds what was accepted; it is valid only if there are no errors.
    fn check(self, tree: String, findings: &mut Findings<'_>) -> Topology {
        let index = index::PlaneIndex::of(&self, findings);
        let checked: Vec<planes::CheckedPlane> = self
            .planes
            .iter()
            .filter_map(|located| planes::check(located, &index, findings))
            .collect();
        cross_plane::check(&checked, findings);
        let mut owners = index::AddressOwners::default();
        let jumphost = vips::jumphost(&self.jumphost, &index, &mut owners, findings);
        let machines = machines::check(&self.machines, &index, &checked, &mut owners, findings);
        let vips = vips::check(&self.vips, &index, &checked, &mut owners, findings);
        let removed = removed::check(&self, &checked, findings);
        cross_plane::leave_alone(&self.leave_alone, &checked, &removed, findings);
        Topology {
            planes: checked
                .into_iter()
                .map(|checked| (checked.plane.key.clone(), checked.plane))
                .collect(),
            spaces: spaces(&self.spaces, findings),
            machines,
            jumphost,
            vips,
            leave_alone: self
                .leave_alone
                .into_iter()
                .filter_map(|located| located.value)
                .collect(),
            removed,
            tree,
        }
    }
}

fn spaces(located: &[Located<String>], findings: &mut Findings<'_>) -> BTreeSet<String> {
    located
        .iter()
        .filter_map(|located| {
            names::maas_name(
                names::NameKind::Space,
                located.value.as_deref()?,
                located.place,
                findings,
            )
        })
        .collect()
}
