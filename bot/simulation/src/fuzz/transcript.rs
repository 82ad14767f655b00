//! What everyone said and did, in order, with the faults between the lines. It must not know what is right.

use std::sync::{Arc, Mutex, PoisonError};

/// Lines that are shared by all who write them.
#[derive(Clone, Debug, Default)]
pub(super) struct Transcript(Arc<Mutex<String>>);

impl Transcript {
    /// One line: who, and what.
    pub(super) fn tell(&self, who: &str, what: &str) {
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
