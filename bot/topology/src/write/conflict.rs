//! Conflicts: why existing files are not changed.

use std::fmt;

use crate::finding::shown;

/// A conflict that must be resolved before anything is written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MergeConflict {
    /// Empty if no file is involved.
    pub file: String,
    /// Counted from 1; 0 if there is none.
    pub line: u32,
    /// The conflict, without a final period.
    pub what: String,
    /// How to resolve it.
    pub remedy: String,
}

impl fmt::Display for MergeConflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.file.as_str(), self.line) {
            ("", _) => {}
            (file, 0) => write!(f, "{}: ", shown(file))?,
            (file, line) => write!(f, "{}:{line}: ", shown(file))?,
        }
        write!(f, "{}; {}", self.what, self.remedy)
    }
}
