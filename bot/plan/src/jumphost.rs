//! The order in which the jumphost's addresses change.
//!
//! What matters is the prefix, not the address: while one interface has any address in a prefix, a second interface with an
//! address in it makes routing ambiguous. So an interface gets an address in a prefix only after every other interface has
//! left it. An interface's current address is the same offset on the plane's old subnet. Must not know how an address is
//! changed on a host.

use std::collections::BTreeSet;
use std::net::IpAddr;

use topology::address::Cidr;
use topology::plane::JumphostAddress;

use crate::gate::GateEvidence;
use crate::refusal::{Refusal, RefusalCode};

/// One change on the jumphost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum JumphostChange {
    /// The interface's address moves from the old subnet to the new one.
    Move {
        interface: String,
        from: (IpAddr, Cidr),
        to: (IpAddr, Cidr),
    },
    /// The address exists already; it is only checked.
    Confirm {
        interface: String,
        at: (IpAddr, Cidr),
    },
    /// A new address, perhaps on a new interface.
    Add {
        interface: String,
        to: (IpAddr, Cidr),
    },
}

/// A declared address and its plane's current subnet.
pub(crate) struct JumphostPosition<'a> {
    pub(crate) declared: &'a JumphostAddress,
    /// The plane's current subnet; `None` for a new plane.
    pub(crate) old: Option<Cidr>,
    /// Whether MAAS newly announces this address as a gateway or resolver.
    pub(crate) newly_served: bool,
}

/// Orders the changes, or refuses a cycle. Empty if there is nothing to do on the jumphost.
pub(crate) fn changes(positions: &[JumphostPosition<'_>]) -> Result<Vec<JumphostChange>, Refusal> {
    let all: Vec<JumphostChange> = positions.iter().filter_map(change).collect();
    let idle = all
        .iter()
        .all(|change| matches!(change, JumphostChange::Confirm { .. }));
    if idle {
        return Ok(Vec::new());
    }
    let mut waiting = all;
    waiting.sort_by_key(rank);
    let mut ordered = Vec::new();
    while !waiting.is_empty() {
        let free = waiting.iter().position(|change| is_free(change, &waiting));
        let Some(next) = free else {
            let names: Vec<&str> = waiting.iter().map(interface_of).collect();
            return Err(Refusal::new(
                RefusalCode::Circle,
                format!(
                    "on the jumphost, {} would swap subnets in a cycle.",
                    names.join(", ")
                ),
                "First give one of them a temporary address outside every old and new subnet, in a separate change.",
            ));
        };
        ordered.push(waiting.remove(next));
    }
    Ok(ordered)
}

/// The evidence that the changes were made.
pub(crate) fn evidence(changes: &[JumphostChange]) -> GateEvidence {
    let mut has = BTreeSet::new();
    let mut lacks = BTreeSet::new();
    for change in changes {
        match change {
            JumphostChange::Move {
                interface,
                from,
                to,
            } => {
                lacks.insert((interface.clone(), from.0));
                has.insert((interface.clone(), to.0));
            }
            JumphostChange::Confirm { interface, at } => {
                has.insert((interface.clone(), at.0));
            }
            JumphostChange::Add { interface, to } => {
                has.insert((interface.clone(), to.0));
            }
        }
    }
    GateEvidence::Jumphost { has, lacks }
}

/// The changes as tasks for a person.
pub(crate) fn tasks(changes: &[JumphostChange]) -> Vec<String> {
    changes
        .iter()
        .map(|change| match change {
            JumphostChange::Move {
                interface,
                from,
                to,
            } => {
                format!(
                    "{interface}: {}/{} -> {}/{}",
                    from.0,
                    from.1.prefix(),
                    to.0,
                    to.1.prefix()
                )
            }
            JumphostChange::Confirm { interface, at } => {
                format!("{interface}: confirm {}/{}", at.0, at.1.prefix())
            }
            JumphostChange::Add { interface, to } => {
                format!("{interface}: add {}/{}", to.0, to.1.prefix())
            }
        })
        .collect()
}

/// The commands for a person to run on the jumphost, in order; planebot never runs them.
pub(crate) fn commands(changes: &[JumphostChange]) -> Vec<String> {
    let mut lines = Vec::new();
    for change in changes {
        match change {
            JumphostChange::Move {
                interface,
                from,
                to,
            } => {
                lines.push(format!(
                    "ip addr del {}/{} dev {interface}",
                    from.0,
                    from.1.prefix()
                ));
                lines.push(format!(
                    "ip addr add {}/{} dev {interface}",
                    to.0,
                    to.1.prefix()
                ));
                lines.push(format!("arping -U -c 3 -I {interface} {}", to.0));
            }
            JumphostChange::Confirm { interface, at } => {
                lines.push(format!(
                    "ip -br addr show dev {interface}    # must list {}/{}",
                    at.0,
                    at.1.prefix()
                ));
            }
            JumphostChange::Add { interface, to } => {
                lines.push(format!(
                    "ip addr add {}/{} dev {interface}",
                    to.0,
                    to.1.prefix()
                ));
                lines.push(format!("arping -U -c 3 -I {interface} {}", to.0));
            }
        }
    }
    lines
}

fn change(position: &JumphostPosition<'_>) -> Option<JumphostChange> {
    let interface = position.declared.interface.clone();
    let to = (position.declared.address, position.declared.cidr);
    match position.old {
        None => Some(JumphostChange::Add { interface, to }),
        Some(old) if old == position.declared.cidr => position
            .newly_served
            .then_some(JumphostChange::Confirm { interface, at: to }),
        Some(old) => {
            let offset = position
                .declared
                .cidr
                .offset_of(position.declared.address)?;
            let from = (old.at(offset)?, old);
            Some(JumphostChange::Move {
                interface,
                from,
                to,
            })
        }
    }
}

/// Moves first, then checks, then new addresses.
fn rank(change: &JumphostChange) -> u8 {
    match change {
        JumphostChange::Move { .. } => 0,
        JumphostChange::Confirm { .. } => 1,
        JumphostChange::Add { .. } => 2,
    }
}

fn is_free(change: &JumphostChange, waiting: &[JumphostChange]) -> bool {
    let target = match change {
        JumphostChange::Move { to, .. } | JumphostChange::Add { to, .. } => to.1,
        JumphostChange::Confirm { .. } => return true,
    };
    !waiting.iter().any(|other| {
        matches!(other, JumphostChange::Move { interface, from, .. }
            if interface != interface_of(change) && from.1.overlaps(&target))
    })
}

fn interface_of(change: &JumphostChange) -> &str {
    match change {
        JumphostChange::Move { interface, .. }
        | JumphostChange::Confirm { interface, .. }
        | JumphostChange::Add { interface, .. } => interface,
    }
}
