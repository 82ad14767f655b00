//! What an import leaves out because the check refused it.

use std::collections::BTreeMap;

use super::written::WrittenFiles;
use crate::finding::{Finding, shown};
use crate::object::VlanAt;

/// What was refused in earlier rounds: it is written first without its details, then not at all.
#[derive(Default)]
pub(super) struct Leniency {
    pub(super) planes: BTreeMap<VlanAt, (Omission, String)>,
    pub(super) machines: BTreeMap<String, (Omission, String)>,
    pub(super) everything: bool,
}

/// What is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Omission {
    /// Gateway, ranges, routes and reserved IPs of a plane, or links of a machine.
    Details,
    /// All of it: it is not declared.
    Whole,
}

impl Leniency {
    pub(super) fn relax(&mut self, finding: &Finding, written: &WrittenFiles) {
        let next = |map: Option<&(Omission, String)>| match map {
            None => Omission::Details,
            Some(_) => Omission::Whole,
        };
        let why = shown(&finding.message);
        if let Some(at) = written.planes.get(&finding.file) {
            let level = next(self.planes.get(at));
            self.planes.insert(at.clone(), (level, why));
            return;
        }
        match written.host(finding) {
            Some(host) => {
                let level = next(self.machines.get(host));
                self.machines.insert(host.to_owned(), (level, why));
            }
            None => self.everything = true,
        }
    }
}
