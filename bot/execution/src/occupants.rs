//! Which occupants of a subnet prevent its deletion, and how each is described to people. Pure.

use topology::Cidr;
use topology::observed::{Holder, Occupant};

/// Whether an occupant prevents a subnet from being deleted, or from getting another CIDR `in_place`. Leases and discovered
/// neighbours never do; a BMC only prevents a delete.
pub(crate) fn blocks(occupant: &Occupant, in_place: bool) -> bool {
    match &occupant.holder {
        Holder::Passing => false,
        Holder::Bmc { .. } => !in_place,
        Holder::Node { .. } | Holder::Dns { .. } | Holder::User { .. } | Holder::Unknown(_) => true,
    }
}

/// One occupant in one line.
pub(crate) fn describe(occupant: &Occupant, cidr: &Cidr) -> String {
    let ip = occupant
        .ip
        .map_or_else(|| format!("a link on {cidr}"), |ip| ip.to_string());
    match &occupant.holder {
        Holder::Node {
            host, interface, ..
        } => {
            let interface = interface
                .as_ref()
                .map(|name| format!(":{name}"))
                .unwrap_or_default();
            format!("{host}{interface} holds {ip}")
        }
        Holder::Bmc { host } => format!("the BMC of {host} holds {ip}"),
        Holder::Dns { names } => format!("the name {} points to {ip}", names.join(", ")),
        Holder::User { user } => format!("{user} reserved {ip}"),
        Holder::Passing => format!("{ip} was seen"),
        Holder::Unknown(what) => format!("{what} holds {ip}"),
    }
}
