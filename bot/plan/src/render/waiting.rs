//! What waits, as text and as Markdown. Must not know why it waits.

use super::words::{clean, span};
use crate::waiting::{WaitingItem, waiting_summary};

/// How many items a comment lists before it counts the rest.
const SHOWN: usize = 10;

/// One line for each item; empty if nothing waits.
pub fn waiting_text(waits: &[WaitingItem]) -> String {
    waits
        .iter()
        .map(|item| format!("{}\n", clean(&item.line())))
        .collect()
}

/// `2 items wait for: a release`; empty if nothing waits.
pub(super) fn summary(waits: &[WaitingItem]) -> String {
    waiting_summary(waits)
}

/// The items as a list, after a sentence that says what a run leaves undone.
pub(super) fn markdown(waits: &[WaitingItem]) -> String {
    if waits.is_empty() {
        return String::new();
    }
    let mut out = format!(
        "**Declared, and not changed by this plan: {}.**\n\n",
        summary(waits)
    );
    for item in waits.iter().take(SHOWN) {
        out.push_str(&format!(
            "- {} waits for: {} ({})\n",
            span(&item.what),
            clean(&item.waits_for),
            span(&item.why)
        ));
    }
    if waits.len() > SHOWN {
        let more = waits.len() - SHOWN;
        out.push_str(&format!("- and {more} more; `planebot plan` lists them\n"));
    }
    out.push('\n');
    out
}
