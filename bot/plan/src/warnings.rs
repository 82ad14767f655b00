//! Warnings: what a reader should know before approving a plan, one line each.
//!
//! A warning never prevents a plan; [`crate::hazards`] does.

use std::collections::BTreeSet;
use std::net::IpAddr;

use topology::object::Subnet;
use topology::observed::{NodeKind, Observed, Occupant};

use crate::builder::{PlanBuilder, called, is_recreated};
use crate::desired::{Desired, DesiredSubnet};
use crate::render::quoted;

pub(crate) fn warnings(
    desired: &Desired,
    observed: &Observed,
    draft: &PlanBuilder<'_>,
) -> Vec<String> {
    let mut warnings = Vec::new();
    for subnet in desired.subnets.values() {
        let Some(old) = subnet.old.and_then(|old| observed.subnet(&old)) else {
            continue;
        };
        let pxe = subnet.relocates() && observed.vlan(&old.vlan).is_some_and(|vlan| vlan.dhcp_on);
        if pxe {
            warnings.push(dhcp_down(&subnet.plane));
        }
        if subnet.keeps_content {
            warnings.push(old_netmask(subnet, old, observed));
        } else if subnet.moves() && !is_recreated(subnet) {
            let kept = if subnet.row.cidr.encloses(&old.cidr) {
                "netmask"
            } else {
                "addresses"
            };
            warnings.push(format!("`{}` changes in place: deployed hosts and BMCs keep their old {kept} until somebody changes them", subnet.plane));
        }
    }
    warnings.extend(
        desired
            .subnets
            .values()
            .filter_map(|subnet| taken_in(subnet, observed)),
    );
    warnings.extend(
        desired
            .subnets
            .values()
            .filter_map(|subnet| stay_behind(subnet, observed, draft)),
    );
    warnings.extend(inverted(desired, observed));
    warnings.extend(left_behind(desired, observed, draft));
    let loses = draft.loses();
    warnings.extend(named_by_maas(observed, &loses));
    for subnet in observed
        .subnets()
        .filter(|subnet| draft.becomes(&subnet.cidr).is_none())
    {
        if let Some(ip) = subnet.dns.iter().find(|ip| loses(**ip)) {
            warnings.push(format!(
                "{}, which no plane declares, uses the resolver {ip} on a subnet that moves",
                subnet.cidr
            ));
        }
    }
    warnings
}

/// The warning of a plane whose network moves while DHCP is on.
pub(crate) fn dhcp_down(plane: &str) -> String {
    format!(
        "PXE and DHCP on `{plane}` are down from the deletion of its dynamic range until the new one is set up"
    )
}

/// Who goes on with the old netmask after a subnet has grown or shrunk: MAAS configures a host only when it deploys it.
fn old_netmask(subnet: &DesiredSubnet, old: &Subnet, observed: &Observed) -> String {
    let is_up = |host: &str| {
        observed
            .nodes
            .get(host)
            .is_some_and(|node| node.kind != NodeKind::Machine || node.status == "Deployed")
    };
    let links = observed.links().filter(|link| link.subnet == old.cidr);
    let hosts: BTreeSet<&str> = links
        .map(|link| link.host.as_str())
        .filter(|host| is_up(host))
        .collect();
    let named: Vec<String> = hosts
        .iter()
        .take(NAMED_MAX)
        .map(|host| quoted(host))
        .collect();
    let who = match hosts.len() - named.len() {
        _ if hosts.is_empty() => "hosts that MAAS did not deploy".to_owned(),
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    };
    format!(
        "`{}` changes from {} to {} with everything on it; {who} and BMCs keep the netmask /{} until somebody changes it there",
        subnet.plane,
        old.cidr,
        subnet.row.cidr,
        old.cidr.prefix()
    )
}

/// Whose interfaces stay on the VLAN that a subnet leaves: MAAS moves only the subnet (seen on 3.5.12 and 3.7.3).
fn stay_behind(
    subnet: &DesiredSubnet,
    observed: &Observed,
    draft: &PlanBuilder<'_>,
) -> Option<String> {
    let old = observed.subnet(&subnet.old?)?;
    if subnet.relocates() || draft.pairing.place(&old.vlan) == subnet.row.vlan {
        return None;
    }
    let on_old = |host: &str, name: &str| {
        let mut all = observed.interfaces_of(host);
        all.any(|interface| interface.name == name && interface.vlan.as_ref() == Some(&old.vlan))
    };
    let stay: BTreeSet<String> = observed
        .links()
        .filter(|link| link.subnet == old.cidr && on_old(&link.host, &link.interface))
        .filter(|link| {
            let node = observed.nodes.get(&link.host);
            node.is_none_or(|node| node.kind != NodeKind::Controller)
        })
        .map(|link| format!("{} of {}", quoted(&link.interface), quoted(&link.host)))
        .collect();
    let named: Vec<&str> = stay.iter().take(NAMED_MAX).map(String::as_str).collect();
    let more = match stay.len() - named.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    (!stay.is_empty()).then(|| {
        format!(
            "`{}` goes to vlan {} with its addresses; these stay on vlan {} until they are moved or deployed again: {}{more}",
            subnet.plane,
            subnet.row.vlan,
            old.vlan,
            named.join(", ")
        )
    })
}

/// How many are listed before the rest is counted.
const NAMED_MAX: usize = 8;

/// Known addresses that a subnet newly includes and that were in no subnet before.
fn taken_in(subnet: &DesiredSubnet, observed: &Observed) -> Option<String> {
    let inside = |occupant: &&Occupant| {
        occupant.ip.is_some_and(|ip| {
            subnet.row.cidr.contains(ip) && !subnet.old.is_some_and(|old| old.contains(ip))
        })
    };
    let found: Vec<String> = observed
        .elsewhere
        .iter()
        .flatten()
        .filter(inside)
        .filter_map(|occupant| Some(format!("{} ({})", occupant.ip?, called(&occupant.holder))))
        .collect();
    let widens = subnet
        .old
        .filter(|old| subnet.moves() && subnet.row.cidr.encloses(old));
    let known = match found.len() {
        0 => "MAAS knows of no addresses in use there, but there may be some".to_owned(),
        all => {
            let named = found.iter().take(NAMED_MAX).cloned().collect::<Vec<_>>();
            let more = match all - named.len() {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            format!("MAAS knows of {}{more}", named.join(", "))
        }
    };
    match widens {
        Some(old) => Some(format!(
            "`{}` grows from {old} to {} and then includes everything in between; {known}",
            subnet.plane, subnet.row.cidr
        )),
        None if found.is_empty() => None,
        None => Some(format!(
            "`{}` gets {}, where addresses are already in use; {known}",
            subnet.plane, subnet.row.cidr
        )),
    }
}

/// MAAS's own settings that contain an address on a subnet that moves. They are not part of the declaration.
fn named_by_maas(observed: &Observed, loses: &dyn Fn(IpAddr) -> bool) -> Vec<String> {
    let settings = observed.settings.iter().flatten();
    settings
        .flat_map(|setting| {
            let words = setting.value.split([' ', ',', '\n', '\t']);
            words
                .filter_map(host_in)
                .filter(|ip| loses(*ip))
                .map(|ip| {
                    format!(
                        "MAAS's own setting `{}` contains {ip}, on a subnet that moves: update it afterwards",
                        setting.name
                    )
                })
        })
        .collect()
}

/// The address in an entry: alone, with a prefix, with a port, or in a URL.
fn host_in(entry: &str) -> Option<IpAddr> {
    let rest = entry.split_once("://").map_or(entry, |(_, rest)| rest);
    let host = rest.split('/').next()?;
    let host = host.rsplit('@').next()?;
    let bracketed = host
        .strip_prefix('[')
        .and_then(|rest| rest.split(']').next());
    let with_port = host.rsplit_once(':').map(|(host, _)| host);
    [Some(host), bracketed, with_port]
        .into_iter()
        .flatten()
        .find_map(|text| text.parse().ok())
}

/// Controllers whose next report moves an interface or a subnet in any case: MAAS sets the VLAN of an interface from the
/// subnets of its addresses, and moves subnets to the VLAN of a bridge, a bond or a VLAN interface (seen on 3.5.12 and
/// 3.7.3).
pub(crate) fn restless(observed: &Observed) -> impl Iterator<Item = String> + '_ {
    observed.links().filter_map(|link| {
        let node = observed.nodes.get(&link.host)?;
        let interface = observed
            .interfaces_of(&link.host)
            .find(|interface| interface.name == link.interface)?;
        let subnet = observed.subnet(&link.subnet)?;
        let on = interface.vlan.as_ref()?;
        let moves = node.kind == NodeKind::Controller && *on != subnet.vlan;
        moves.then(|| {
            format!(
                "controller `{}` has `{}` on {on} but its address on {} of {}: its next report will move one of them, whatever this plan does",
                link.host, link.interface, subnet.cidr, subnet.vlan
            )
        })
    })
}

/// In an unmanaged subnet MAAS allocates addresses only from reserved ranges.
fn inverted<'a>(desired: &'a Desired, observed: &'a Observed) -> impl Iterator<Item = String> + 'a {
    let is_off = |subnet: &&DesiredSubnet| {
        let before = subnet.old.and_then(|old| observed.subnet(&old));
        !subnet.row.flags.managed && before.is_none_or(|before| before.flags.managed)
    };
    desired.subnets.values().filter(is_off).map(|subnet| {
        format!("`{}` becomes unmanaged: MAAS serves no DHCP there, and allocates addresses only from its reserved ranges", subnet.plane)
    })
}

/// A subnet with a new plane's name but another VLAN and CIDR: it may be the same one, but a name alone proves nothing.
fn left_behind<'a>(
    desired: &'a Desired,
    observed: &'a Observed,
    draft: &'a PlanBuilder<'_>,
) -> impl Iterator<Item = String> + 'a {
    let new = desired
        .subnets
        .values()
        .filter(|subnet| subnet.old.is_none());
    new.filter_map(|subnet| {
        let namesake = observed.subnets().find(|other| {
            other.name == subnet.row.name && draft.becomes(&other.cidr).is_none()
        })?;
        Some(format!(
            "{} on {} is also called `{}` and stays as it is: to change both the VLAN and the CIDR of a plane, make two changes",
            namesake.cidr, namesake.vlan, namesake.name
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_found_in_settings_in_any_notation() {
        for (entry, ip) in [
            ("192.0.2.53", Some("192.0.2.53")),
            ("192.0.2.0/24", Some("192.0.2.0")),
            ("192.0.2.9:514", Some("192.0.2.9")),
            ("http://squid@192.0.2.8:8000/", Some("192.0.2.8")),
            ("http://[2001:db8::8]:8000/", Some("2001:db8::8")),
            ("2001:db8::53", Some("2001:db8::53")),
            ("ntp.ubuntu.com", None),
            ("", None),
        ] {
            let ip = ip.map(|ip| ip.parse().unwrap());
            assert_eq!(host_in(entry), ip, "{entry}");
        }
    }
}
