//! What a reader should know before saying yes to a plan, one line each.
//!
//! Nothing here stands in a plan's way; that is said in [`crate::hazards`].

use topology::observed::Observed;
use topology::plane::Strategy;

use crate::drafting::Drafting;
use crate::wanted::{Wanted, WantedSubnet};

pub(crate) fn warnings(wanted: &Wanted, observed: &Observed, draft: &Drafting<'_>) -> Vec<String> {
    let mut warnings = Vec::new();
    for subnet in wanted.subnets.values() {
        let Some(old) = subnet.old.and_then(|old| observed.subnet(&old)) else {
            continue;
        };
        let pxe = subnet.moves() && observed.vlan(&old.vlan).is_some_and(|vlan| vlan.dhcp_on);
        if pxe {
            warnings.push(format!("PXE and DHCP on `{}` are down from the delete of its dynamic range until the new one stands", subnet.plane));
        }
        if subnet.moves() && subnet.strategy == Strategy::InPlace {
            warnings.push(format!("`{}` changes in place: deployed hosts and BMCs keep their old addresses until somebody changes them", subnet.plane));
        }
        if subnet.moves() && subnet.row.cidr.encloses(&old.cidr) {
            warnings.push(format!(
                "`{}` widens from {} to {}: whatever lives in between is taken in",
                subnet.plane, old.cidr, subnet.row.cidr
            ));
        }
    }
    warnings.extend(inverted(wanted, observed));
    warnings.extend(left_behind(wanted, observed, draft));
    let gone = draft.leaving();
    for subnet in observed
        .subnets()
        .filter(|subnet| draft.becomes(&subnet.cidr).is_none())
    {
        if let Some(ip) = subnet
            .dns
            .iter()
            .find(|ip| gone.iter().any(|gone| gone.contains(**ip)))
        {
            warnings.push(format!(
                "{}, which no plane declares, names the resolver {ip} on a network that moves",
                subnet.cidr
            ));
        }
    }
    warnings
}

/// In an unmanaged subnet MAAS hands out addresses from reserved ranges, and only from them.
fn inverted<'a>(wanted: &'a Wanted, observed: &'a Observed) -> impl Iterator<Item = String> + 'a {
    let is_off = |subnet: &&WantedSubnet| {
        let before = subnet.old.and_then(|old| observed.subnet(&old));
        !subnet.row.flags.managed && before.is_none_or(|before| before.flags.managed)
    };
    wanted.subnets.values().filter(is_off).map(|subnet| {
        format!("`{}` becomes unmanaged: MAAS serves no DHCP there, and hands out addresses from its reserved ranges only", subnet.plane)
    })
}

/// A subnet that bears a new plane's name elsewhere under another CIDR: perhaps the same one, but a name alone proves nothing.
fn left_behind<'a>(
    wanted: &'a Wanted,
    observed: &'a Observed,
    draft: &'a Drafting<'_>,
) -> impl Iterator<Item = String> + 'a {
    let new = wanted
        .subnets
        .values()
        .filter(|subnet| subnet.old.is_none());
    new.filter_map(|subnet| {
        let namesake = observed.subnets().find(|other| {
            other.name == subnet.row.name && draft.becomes(&other.cidr).is_none()
        })?;
        Some(format!(
            "{} on {} is called `{}` too and stays as it is: where a plane changes both its VLAN and its CIDR, do so in two changes",
            namesake.cidr, namesake.vlan, namesake.name
        ))
    })
}
