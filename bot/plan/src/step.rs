//! Steps: the smallest unit of a plan, one write each.
//!
//! A step says what must exist before it and what exists after it, so that reading MAAS shows whether it happened. It refers
//! to objects by their natural keys; it must not know row ids or HTTP.

use std::fmt;

use serde::{Deserialize, Serialize};
use topology::object::{Key, Object};
use topology::port::Write;

/// A step's number in its plan, from 1.
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
    /// Links, routes, ranges and subnets are deleted.
    Delete,
    /// Spaces, fabrics, VLANs and subnets are created.
    Create,
    /// Gateways and resolvers, reserved ranges, dynamic ranges, DHCP, routes and DHCP snippets are set up.
    StandUp,
    /// DHCP snippets are restored that MAAS accepts only with a rack on their subnet.
    Restore,
    /// The carve phase: interfaces and links of machines, after commissioning.
    Carve,
    /// VLANs, fabrics and spaces are removed, once nothing is on them.
    Retire,
}

impl Phase {
    /// Every phase, in order.
    pub const ALL: [Self; 6] = [
        Self::Delete,
        Self::Create,
        Self::StandUp,
        Self::Restore,
        Self::Carve,
        Self::Retire,
    ];

    /// Whether this phase comes after the network itself is set up.
    pub fn follows(self) -> bool {
        self > Self::StandUp
    }
}

/// How a step is undone. Decided when planning, not when it fails.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Undo {
    /// With this write.
    By(Box<Write>),
    /// planebot cannot undo it, and why.
    Impossible(String),
}

/// One write, with the state before and after it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    pub id: StepId,
    pub phase: Phase,
    /// The plane it belongs to; for display.
    pub plane: Option<String>,
    /// The object that must exist, exactly like this, before the write; `None`: the new key must be free.
    pub expects: Option<Object>,
    /// The object that must exist, exactly like this, afterwards; `None`: the old key must be free.
    pub leaves: Option<Object>,
    /// Why, in a few words; for display. Part of the digest.
    pub why: String,
    pub undo: Undo,
    /// Whether its subnet must be empty directly before the write: it is deleted, or its CIDR or VLAN changes. So must a VLAN
    /// or fabric that is deleted.
    pub vacant: bool,
    /// Whether the write changes nothing but makes MAAS update dhcpd (needed on 3.7).
    pub nudge: bool,
}

/// The state of a step in MAAS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepState {
    /// MAAS is as the step leaves it: nothing to do.
    Already,
    /// MAAS is as the step expects it: the write can be sent.
    Ready,
    /// Neither: something else changed it. What was found under each key.
    Foreign(Vec<(Key, Option<Object>)>),
}

impl Step {
    /// The write to send.
    pub fn write(&self) -> Write {
        write_between(self.expects.as_ref(), self.leaves.as_ref())
    }

    /// The keys to read: the old one and the new one, which are the same unless the step changes the key.
    pub fn keys(&self) -> Vec<Key> {
        let mut keys: Vec<Key> = [&self.expects, &self.leaves]
            .into_iter()
            .flatten()
            .map(Object::key)
            .collect();
        keys.dedup();
        keys
    }

    /// Determines the state from what was found. `found` must answer for every key of [`Step::keys`].
    pub fn judge(&self, found: &dyn Fn(&Key) -> Option<Object>) -> StepState {
        let is = |desired: Option<&Object>| {
            self.keys().iter().all(|key| {
                let desired_here = desired.filter(|object| object.key() == *key);
                is_as(found(key).as_ref(), desired_here)
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

/// Whether an object is as desired. A link that need not be the default gateway may be.
fn is_as(found: Option<&Object>, desired: Option<&Object>) -> bool {
    let link = |object: Option<&Object>| object.and_then(Object::as_link).cloned();
    match (link(found), link(desired)) {
        (Some(mut found), Some(desired)) => {
            found.default_gateway &= desired.default_gateway;
            found == desired
        }
        (Some(_) | None, _) => found == desired,
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
