//! The files that an import has written, and which parts of them are new.

use std::collections::BTreeMap;

use crate::finding::Finding;
use crate::object::VlanAt;

/// New texts by path; `None` for a file that is deleted.
pub(super) type FileChanges = BTreeMap<String, Option<String>>;

/// Changed files, and what they newly declare.
#[derive(Default)]
pub(super) struct WrittenFiles {
    pub(super) files: FileChanges,
    pub(super) planes: BTreeMap<String, VlanAt>,
    /// Per file with machines: each machine's first line, its host name, and whether it is new.
    pub(super) machines: BTreeMap<String, BTreeMap<u32, (String, bool)>>,
}

impl WrittenFiles {
    /// The new machine that a finding is about.
    pub(super) fn host(&self, finding: &Finding) -> Option<&str> {
        let lines = self.machines.get(&finding.file)?;
        let (_, (host, new)) = lines.range(..=finding.line).next_back()?;
        new.then_some(host)
    }

    pub(super) fn is_about_new(&self, finding: &Finding) -> bool {
        self.planes.contains_key(&finding.file) || self.host(finding).is_some()
    }
}
