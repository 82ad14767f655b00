//! Why nothing is written over files that are there.

use std::fmt;

use crate::finding::shown;

/// Why nothing is written: each of these must be mended first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MergeConflict {
    /// Empty where no file is to blame.
    pub file: String,
    /// From 1; 0 where there is none.
    pub line: u32,
    /// What is in the way.
    pub what: String,
    /// What to do.
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
