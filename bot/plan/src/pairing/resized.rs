//! A subnet that is split or merged: which of the declared subnets takes the observed row over.
//!
//! The row keeps what lies in its new CIDR, so it goes to the half with the gateway, or else to the lowest one. Must not know
//! what leaves.

use topology::address::Cidr;
use topology::object::Subnet;
use topology::plane::{Plane, PlaneSubnet};

use super::{Free, Pairing};
use crate::strategy::is_resized;

/// An unmatched subnet on the plane's VLAN that encloses the declared one, or lies in it.
pub(super) fn resized(
    pairing: &Pairing,
    plane: &Plane,
    subnet: &PlaneSubnet,
    free: &Free<'_>,
) -> Option<Cidr> {
    let old = free
        .beside(plane, subnet)
        .filter(|old| is_resized(old.cidr, subnet.cidr))
        .min_by_key(|old| {
            let gateway = subnet.gateway.flatten();
            let holds = gateway.is_some_and(|ip| old.cidr.contains(ip));
            (!holds, old.cidr)
        })?;
    let is_heir = heir(pairing, plane, old) == Some(subnet.cidr);
    (is_heir && free.is_evident(pairing, plane, old)).then_some(old.cidr)
}

/// Which unmatched subnet of the plane takes an observed one over.
fn heir(pairing: &Pairing, plane: &Plane, old: &Subnet) -> Option<Cidr> {
    plane
        .subnets
        .iter()
        .map(|subnet| subnet.cidr)
        .filter(|cidr| is_resized(old.cidr, *cidr) && !pairing.subnets.contains_key(cidr))
        .min_by_key(|cidr| {
            let holds = old.gateway.is_some_and(|ip| cidr.contains(ip));
            (!holds, *cidr)
        })
}
