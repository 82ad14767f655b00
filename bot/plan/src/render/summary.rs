//! The changes of a large plan, counted by plane and kind instead of listed. Must not know the single steps' wording.

use std::collections::BTreeMap;

use topology::object::{Key, Object};

use super::words::{clean, plural, sign_in};
use crate::plan::Plan;
use crate::step::Step;

/// What is counted together: the plane or machine, and the kind with its sign.
type Counts = BTreeMap<(char, &'static str), usize>;

/// One line for each plane and each machine: `office: + 2 ranges, ! 1 subnet`.
pub(super) fn by_plane(plan: &Plan) -> String {
    let mut planes: BTreeMap<String, Counts> = BTreeMap::new();
    for step in &plan.steps {
        *planes
            .entry(whose(step))
            .or_default()
            .entry(counted(plan, step))
            .or_default() += 1;
    }
    planes
        .iter()
        .map(|(plane, counts)| format!("{}: {}\n", clean(plane), words(counts)))
        .collect()
}

/// One line for the whole plan.
pub(super) fn by_kind(plan: &Plan) -> String {
    let mut counts = Counts::new();
    for step in &plan.steps {
        *counts.entry(counted(plan, step)).or_default() += 1;
    }
    words(&counts)
}

fn words(counts: &Counts) -> String {
    let words: Vec<String> = counts
        .iter()
        .map(|((sign, kind), count)| format!("{sign} {}", plural(*count, kind)))
        .collect();
    words.join(", ")
}

/// The plane of a step, or its machine, or its fabric or space.
fn whose(step: &Step) -> String {
    let key = key(step);
    match (&step.plane, &key) {
        (Some(plane), _) => plane.clone(),
        (None, Some(Key::Interface(host, _) | Key::Link(host, _, _, _))) => host.clone(),
        (None, Some(key)) => key.to_string(),
        (None, None) => String::new(),
    }
}

fn key(step: &Step) -> Option<Key> {
    step.leaves
        .as_ref()
        .or(step.expects.as_ref())
        .map(Object::key)
}

fn counted(plan: &Plan, step: &Step) -> (char, &'static str) {
    let kind = match key(step) {
        Some(Key::Space(_)) => "space",
        Some(Key::Fabric(_)) => "fabric",
        Some(Key::Vlan(_)) => "vlan",
        Some(Key::Subnet(_)) => "subnet",
        Some(Key::Range(..)) => "range",
        Some(Key::Route(..)) => "route",
        Some(Key::ReservedIp(_)) => "reserved ip",
        Some(Key::Interface(..)) => "interface",
        Some(Key::Link(..)) => "link",
        Some(Key::Snippet(..)) => "dhcp snippet",
        None => "step",
    };
    (sign_in(plan, step), kind)
}
