//! What is declared and is not so in MAAS, although no step of the plan changes it, and what it waits for.
//!
//! A deployed machine that differs, an absent machine, a missing NIC. Nothing here is ever "no changes". Must not know how a
//! plan is made or shown.

use serde::{Deserialize, Serialize};

/// A difference that no step removes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct WaitingItem {
    /// The machine's host name.
    pub machine: String,
    /// What differs: the change that would be made, or the object that is missing.
    pub what: String,
    /// What would bring it, in a few words: `a release`, `a NIC`.
    pub waits_for: String,
    /// Why it waits, for people.
    pub why: String,
}

impl WaitingItem {
    /// One line, with the words `waits for`.
    pub fn line(&self) -> String {
        format!(
            "{}  waits for: {}  # {}",
            self.what, self.waits_for, self.why
        )
    }
}

/// `3 items wait for: a release, a NIC`; empty if nothing waits.
pub fn waiting_summary(waits: &[WaitingItem]) -> String {
    let mut reasons: Vec<&str> = Vec::new();
    for item in waits {
        if !reasons.contains(&item.waits_for.as_str()) {
            reasons.push(&item.waits_for);
        }
    }
    match waits.len() {
        0 => String::new(),
        1 => format!("1 item waits for: {}", reasons.join(", ")),
        count => format!("{count} items wait for: {}", reasons.join(", ")),
    }
}

/// The states that MAAS leaves by itself are in [`crate::hazards`]; this says what a machine in any state waits for before
/// its interfaces can be changed.
pub(crate) fn reason_of(status: &str, in_transition: bool) -> &'static str {
    match status {
        "Deployed" | "Failed deployment" | "Deployment failed" => "a release",
        _ if in_transition => "the end of what MAAS does with the machine",
        _ => "a commissioning",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_counted_and_each_reason_is_named_once() {
        let summary = |reasons: &[&str]| {
            let item = |reason: &&str| WaitingItem {
                machine: "m1".to_owned(),
                what: "machine m1".to_owned(),
                waits_for: (*reason).to_owned(),
                why: "m1 is Deployed".to_owned(),
            };
            waiting_summary(&reasons.iter().map(item).collect::<Vec<_>>())
        };
        assert_eq!(summary(&[]), "");
        assert_eq!(summary(&["a release"]), "1 item waits for: a release");
        assert_eq!(
            summary(&["a release", "a NIC", "a release"]),
            "3 items wait for: a release, a NIC"
        );
    }

    #[test]
    fn every_state_has_something_to_wait_for() {
        assert_eq!(reason_of("Deployed", false), "a release");
        assert_eq!(
            reason_of("Testing", true),
            "the end of what MAAS does with the machine"
        );
        assert_eq!(reason_of("Failed commissioning", false), "a commissioning");
    }
}
