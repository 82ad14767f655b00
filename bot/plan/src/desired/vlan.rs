//! The desired VLAN row of a plane: what it declares, on top of the existing row.
//!
//! Must not know subnets' fields or steps.

use topology::object::{Vlan, VlanAt};
use topology::observed::Observed;
use topology::plane::{Dhcp, Plane};

use crate::network::DEFAULT_MTU;
use crate::pairing::Pairing;
use crate::refusal::{Refusal, RefusalCode};

/// The observed VLAN row that has, or will have, the declared fabric and VID.
fn old_vlan<'a>(at: &VlanAt, observed: &'a Observed, pairing: &Pairing) -> Option<&'a Vlan> {
    observed
        .vlan(at)
        .filter(|vlan| pairing.place(&vlan.at) == *at)
        .or_else(|| observed.vlans().find(|vlan| pairing.place(&vlan.at) == *at))
}

pub(super) fn desired_vlan(
    plane: &Plane,
    observed: &Observed,
    pairing: &Pairing,
) -> Result<Vlan, Refusal> {
    let mut vlan = match old_vlan(&plane.vlan, observed, pairing) {
        Some(old) => Vlan {
            at: plane.vlan.clone(),
            space: old
                .space
                .as_ref()
                .map(|space| pairing.spaces.get(space).unwrap_or(space).clone()),
            relay: old.relay.as_ref().map(|relay| pairing.place(relay)),
            // MAAS does not show a default VLAN's name.
            name: match &plane.vlan_name {
                Some(name) if !observed.default_vlans.contains(&old.at) => Some(name.clone()),
                Some(_) | None => old.name.clone(),
            },
            ..old.clone()
        },
        None => new_vlan(plane, observed, pairing),
    };
    if plane.dhcp.is_none()
        && !vlan.dhcp_on
        && homes(plane, observed, pairing).any(|home| home.dhcp_on)
    {
        return Err(Refusal::new(
            RefusalCode::CannotLeave,
            format!(
                "`dhcp` is left alone, but `{}` moves to vlan {}, and its current VLAN has DHCP on.",
                plane.key, plane.vlan
            ),
            "Declare `dhcp` for it: `off`, or `{primary: HOSTNAME}`.",
        ));
    }
    if let Some(space) = &plane.space {
        vlan.space.clone_from(space);
    }
    if let Some(mtu) = plane.mtu {
        vlan.mtu = mtu;
    }
    serve(&mut vlan, plane, observed, pairing)?;
    Ok(vlan)
}

/// Sets DHCP as the plane declares it.
fn serve(
    vlan: &mut Vlan,
    plane: &Plane,
    observed: &Observed,
    pairing: &Pairing,
) -> Result<(), Refusal> {
    match &plane.dhcp {
        None => {}
        Some(Dhcp::Off) => {
            vlan.dhcp_on = false;
            vlan.relay = None;
        }
        Some(Dhcp::Relay(to)) => {
            vlan.dhcp_on = false;
            vlan.relay = Some(to.clone());
        }
        Some(Dhcp::On { primary, secondary }) => {
            // Turning DHCP on removes the relay in the same step (seen on 3.5.12 and 3.7.3).
            vlan.relay = None;
            vlan.dhcp_on = true;
            let before = (vlan.primary_rack.clone(), vlan.secondary_rack.clone());
            if let Some(host) = primary {
                vlan.primary_rack = Some(rack(host, observed)?);
                vlan.secondary_rack = None;
            }
            if let Some(host) = secondary {
                vlan.secondary_rack = Some(rack(host, observed)?);
            }
            if before != (vlan.primary_rack.clone(), vlan.secondary_rack.clone()) {
                let racks = primary.iter().chain(secondary);
                racks
                    .map(String::as_str)
                    .try_for_each(|host| sees(host, &vlan.at, observed, pairing))?;
            }
            if vlan.primary_rack.is_none() {
                return Err(Refusal::new(
                    RefusalCode::NoRack,
                    format!("vlan {} has no rack, and none is declared.", plane.vlan),
                    "Declare one: `dhcp: {primary: HOSTNAME}`.",
                ));
            }
        }
    }
    Ok(())
}

/// The VLANs that the plane's subnets are on now, if they differ.
fn homes<'a>(
    plane: &'a Plane,
    observed: &'a Observed,
    pairing: &'a Pairing,
) -> impl Iterator<Item = &'a Vlan> {
    plane
        .subnets
        .iter()
        .filter_map(|subnet| observed.subnet(&pairing.old_of(subnet.cidr)?))
        .filter_map(|old| observed.vlan(&old.vlan))
        .filter(|home| pairing.place(&home.at) != plane.vlan)
}

/// A new VLAN row. If the plane moves to it, it keeps what the files leave alone.
fn new_vlan(plane: &Plane, observed: &Observed, pairing: &Pairing) -> Vlan {
    let fabric_is_new = !observed
        .vlans()
        .any(|vlan| vlan.at.fabric == plane.vlan.fabric);
    let is_default = fabric_is_new && plane.vlan.vid == 0;
    let name = plane.vlan_name.clone().unwrap_or_else(|| plane.key.clone());
    let home = homes(plane, observed, pairing).next();
    let space = home.and_then(|home| home.space.as_ref());
    let relay = home.and_then(|home| home.relay.as_ref());
    Vlan {
        at: plane.vlan.clone(),
        name: (!is_default).then_some(name),
        mtu: home.map_or(DEFAULT_MTU, |home| home.mtu),
        space: space.map(|space| pairing.spaces.get(space).unwrap_or(space).clone()),
        dhcp_on: false,
        primary_rack: None,
        secondary_rack: None,
        relay: relay.map(|relay| pairing.place(relay)),
    }
}

/// MAAS accepts a rack only if it has an interface on a VLAN with that VID, in any fabric (3.5.9
/// maasserver/forms/vlan.py:58-66; seen on 3.5.12 and 3.7.3). VIDs change before racks do.
fn sees(host: &str, at: &VlanAt, observed: &Observed, pairing: &Pairing) -> Result<(), Refusal> {
    let there = observed
        .interfaces_of(host)
        .filter_map(|interface| interface.vlan.as_ref())
        .any(|seen| pairing.place(seen).vid == at.vid);
    if there {
        return Ok(());
    }
    Err(Refusal::new(
        RefusalCode::NoRack,
        format!(
            "rack `{host}` has no interface on vlan {at} or on another VLAN with that VID, so MAAS refuses it."
        ),
        "Connect the rack to that VLAN first, or declare another one.",
    ))
}

fn rack(host: &str, observed: &Observed) -> Result<String, Refusal> {
    observed
        .nodes
        .get(host)
        .filter(|node| node.is_rack)
        .map(|node| node.system_id.clone())
        .ok_or_else(|| {
            Refusal::new(
                RefusalCode::NoRack,
                format!("there is no rack controller `{host}`."),
                "Use one that `maas rack-controllers read` lists.",
            )
        })
}
