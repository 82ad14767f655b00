//! The id that ties a comment to the log.
//!
//! Each piece of work has one: it is in the span of every log line that the work writes, and at the end of each comment
//! that follows from it. It is derived from the subject of the work, so a delivery that arrives twice, and work that is
//! repeated after a crash, have the same id as the first time. It must not know what the work does.

use std::fmt;

/// The id of a piece of work, such as `c1234`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TraceId(String);

impl TraceId {
    /// The work on a pull request: `p12`.
    pub(crate) fn of_pull(number: u64) -> Self {
        Self(format!("p{number}"))
    }

    /// The work that a comment requests, by GitHub's id of the comment: `c1234`.
    pub(crate) fn of_comment(comment: u64) -> Self {
        Self(format!("c{comment}"))
    }

    /// A run: `r7`.
    pub(crate) fn of_run(run: journal::RunId) -> Self {
        Self(format!("r{}", run.0))
    }

    /// Appends the id to a text.
    pub(crate) fn sign(&self, text: &str) -> String {
        format!("{}\n\n<sub>log id {self}</sub>\n", text.trim_end())
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
