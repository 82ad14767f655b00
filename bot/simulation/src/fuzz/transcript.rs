//! The transcript of a run: what everyone wrote and did, in order, with the injected faults between the lines. It must
//! not know what is correct.

use std::sync::{Arc, Mutex, PoisonError};

/// The lines so far. Clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Transcript(Arc<Mutex<String>>);

impl Transcript {
    /// Appends one line. `who` is an actor, `-` for a fault, or empty.
    pub(super) fn add(&self, who: &str, what: &str) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.push_str(&format!("{who:<9}{what}\n"));
    }

    pub(super) fn text(&self) -> String {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
