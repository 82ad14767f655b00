//! What is no longer declared and stays in MAAS, in a plan comment. Must not know how it is found.

use super::words::{fence, span};
use crate::dropped::DroppedPlane;

/// How many are listed one by one.
const LISTED_MAX: usize = 8;

/// A paragraph with the file that removes the first of them; empty where nothing was dropped.
pub(super) fn markdown(dropped: &[DroppedPlane]) -> String {
    let Some(first) = dropped.first() else {
        return String::new();
    };
    let mut out =
        "**No longer declared, left in MAAS as it is; `state: absent` removes it:**\n\n".to_owned();
    for plane in dropped.iter().take(LISTED_MAX) {
        let cidr = plane
            .cidr
            .map(|cidr| format!("{} ", span(&cidr.to_string())));
        push_line!(
            out,
            "- {}{} on vlan {}",
            cidr.unwrap_or_default(),
            span(&plane.plane),
            span(&plane.vlan.to_string())
        );
    }
    if dropped.len() > LISTED_MAX {
        push_line!(out, "- and {} more", dropped.len() - LISTED_MAX);
    }
    push_line!(
        out,
        "\nTo remove it, write this instead of deleting the file:\n"
    );
    out.push_str(&fence("yaml", &tombstone(first)));
    out.push('\n');
    out
}

/// The words for a heading: `1 plane is no longer declared and stays`.
pub(super) fn summary(dropped: &[DroppedPlane]) -> Option<String> {
    match dropped.len() {
        0 => None,
        1 => Some("1 network is no longer declared and stays".to_owned()),
        count => Some(format!("{count} networks are no longer declared and stay")),
    }
}

/// The file that removes it.
fn tombstone(plane: &DroppedPlane) -> String {
    let mut out = format!(
        "plane: {}\nstate: absent\nfabric: {}\n",
        plane.plane, plane.vlan.fabric
    );
    if plane.vlan.vid != 0 {
        out.push_str(&format!("vid: {}\n", plane.vlan.vid));
    }
    if let Some(cidr) = plane.cidr {
        out.push_str(&format!("cidr: {cidr}\n"));
    }
    out
}
