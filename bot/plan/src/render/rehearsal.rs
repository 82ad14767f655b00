//! Renders the result of a rehearsal. Must not know how a plan is rehearsed.

use super::words::{escaped, plural};

/// The result of a rehearsal; shown with every plan.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Rehearsed {
    /// Requests and journal writes of the run without a power cut.
    pub operations: usize,
    /// How often the power was cut: once after each of them.
    pub cuts: usize,
    /// What did not go as planned; empty when nothing did.
    pub failures: Vec<String>,
}

/// The result of a rehearsal as a sentence.
pub fn rehearsal(rehearsed: &Rehearsed) -> String {
    if rehearsed.failures.is_empty() {
        format!(
            "Rehearsed against the current state of MAAS: {}, no drift; and again with a power cut after each of them ({}), with the same result.",
            plural(rehearsed.operations, "operation"),
            plural(rehearsed.cuts, "cut")
        )
    } else {
        let list: Vec<String> = rehearsed
            .failures
            .iter()
            .take(5)
            .map(|failure| format!("- {}", escaped(failure)))
            .collect();
        format!(
            "**The rehearsal failed; this plan cannot be applied.**\n{}",
            list.join("\n")
        )
    }
}
