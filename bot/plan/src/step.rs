//! The smallest thing done, recorded and undone as one: one write.
//!
//! A step says what must hold before and what it leaves, so that "did it happen?" is answered by looking. It knows
//! objects by their natural keys; it must not know row numbers or HTTP.

use std::fmt;

use serde::{Deserialize, Serialize};
use topology::object::{Key, Object};
use topology::port::Write;

/// A step's place in its plan, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct StepId(pub u32);

impl fmt::Display for StepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The phases of a plan, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Links, routes, ranges, subnets go.
    Delete,
    /// Spaces, fabrics, VLANs, subnets come.
    Create,
    /// Gateways and resolvers, reserved ranges, dynamic ranges, DHCP, routes, DHCP snippets.
    StandUp,
    /// DHCP snippets that MAAS takes only when a rack is on their network again.
    Restore,
    /// Per-host interfaces, after commissioning.
    Carve,
}

impl Phase {
    /// Every phase, in order.
    pub const ALL: [Self; 5] = [
        Self::Delete,
        Self::Create,
        Self::StandUp,
        Self::Restore,
        Self::Carve,
    ];

    /// Whether the network stands, and people and hosts follow it.
    pub fn follows(self) -> bool {
        self > Self::StandUp
    }
}

/// How a step is undone. Chosen when planning, not when failing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Undo {
    /// By this write.
    By(Box<Write>),
    /// Not by planebot, and why.
    Impossible(String),
}

/// One write, with the ground it stands on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Its place.
    pub id: StepId,
    /// Its phase.
    pub phase: Phase,
    /// The plane it serves, for people.
    pub plane: Option<String>,
    /// The object that must be there, exactly so, before the write; `None`: nothing under the new key.
    pub expects: Option<Object>,
    /// The object that must be there, exactly so, afterwards; `None`: nothing under the old key.
    pub leaves: Option<Object>,
    /// Why, in a few words for people.
    pub why: String,
    /// How it is undone.
    pub undo: Undo,
    /// A subnet that must be found empty directly before the write: it goes, or its CIDR changes.
    pub vacant: bool,
    /// True for a write that changes nothing but makes MAAS serve what was changed before (3.7: the dhcpd nudge).
    pub nudge: bool,
}

/// What a look says about a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepState {
    /// The world is as the step leaves it: nothing to do.
    Already,
    /// The world is as the step expects it: the write may be sent.
    Ready,
    /// The world is neither: someone else changed it. What was found under each key.
    Foreign(Vec<(Key, Option<Object>)>),
}

impl Step {
    /// The request.
    pub fn write(&self) -> Write {
        write_between(self.expects.as_ref(), self.leaves.as_ref())
    }

    /// The keys a look must ask for: the old one and the new one, which are one unless the step renames.
    pub fn keys(&self) -> Vec<Key> {
        let mut keys: Vec<Key> = [&self.expects, &self.leaves]
            .into_iter()
            .flatten()
            .map(Object::key)
            .collect();
        keys.dedup();
        keys
    }

    /// Judges what a look found. `found` answers every key of [`Step::keys`].
    pub fn judge(&self, found: &dyn Fn(&Key) -> Option<Object>) -> StepState {
        let is = |desired: Option<&Object>| {
            self.keys().iter().all(|key| {
                let desired_here = desired.filter(|object| object.key() == *key);
                found(key).as_ref() == desired_here
            })
        };
        if is(self.leaves.as_ref()) && !self.nudge {
            return StepState::Already;
        }
        if is(self.expects.as_ref()) {
            return StepState::Ready;
        }
        StepState::Foreign(
            self.keys()
                .into_iter()
                .map(|key| {
                    let object = found(&key);
                    (key, object)
                })
                .collect(),
        )
    }
}

/// The write that turns `before` into `after`.
pub fn write_between(before: Option<&Object>, after: Option<&Object>) -> Write {
    match (before, after) {
        (None, Some(after)) => Write::Create(after.clone()),
        (Some(before), Some(after)) => {
            Write::Update(Box::new(before.clone()), Box::new(after.clone()))
        }
        (Some(before), None) => Write::Delete(before.clone()),
        (None, None) => unreachable!("a step expects something or leaves something"),
    }
}
