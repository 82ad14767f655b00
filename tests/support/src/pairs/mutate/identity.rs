//! Mutations of fabrics and spaces, and of VLANs' fabrics and VIDs.

use super::super::cloud::{Cloud, Resolver};
use super::super::generate;
use super::super::rng::SeededRng;
use super::{Mutator, Target};

/// Renames a fabric that can still be recognised by one of its planes.
pub(super) fn rename_fabric(rng: &mut SeededRng, mutator: &mut Mutator) -> Option<()> {
    let fabric = rng.below(mutator.cloud.fabrics.len());
    let vlans = on_fabric(&mutator.cloud, fabric);
    let known = |vlan: &usize| mutator.cloud.vlans[*vlan].declared && mutator.is_anchored(*vlan);
    if !vlans.iter().any(known) {
        return None;
    }
    let targets: Vec<Target> = vlans
        .iter()
        .flat_map(|vlan| mutator.with_subnets(*vlan))
        .collect();
    mutator.claim(targets.into_iter().chain([Target::Fabric(fabric)]))?;
    let number = mutator.cloud.next_number();
    mutator.cloud.fabrics[fabric] = format!("field{number}");
    Some(())
}

fn on_fabric(cloud: &Cloud, fabric: usize) -> Vec<usize> {
    (0..cloud.vlans.len())
        .filter(|vlan| cloud.vlans[*vlan].fabric == fabric)
        .collect()
}

/// Every VLAN that was in the space must be declared, and still be in it.
pub(super) fn rename_space(rng: &mut SeededRng, mutator: &mut Mutator) -> Option<()> {
    let space = rng.below(mutator.cloud.spaces.len());
    let mut there = (0..mutator.before.vlans.len())
        .filter(|vlan| mutator.before.vlans[*vlan].space == Some(space));
    let now = &mutator.cloud.vlans;
    if !mutator.wild && !there.all(|vlan| now[vlan].declared && now[vlan].space == Some(space)) {
        return None;
    }
    mutator.claim([Target::Space(space)])?;
    let number = mutator.cloud.next_number();
    mutator.cloud.spaces[space] = format!("room{number}");
    Some(())
}

pub(super) fn change_space(rng: &mut SeededRng, mutator: &mut Mutator) -> Option<()> {
    let vlan = mutator.vlan(rng)?;
    let to = rng
        .chance(75)
        .then(|| rng.below(mutator.cloud.spaces.len()));
    leave_space(mutator, vlan)?;
    mutator.cloud.vlans[vlan].space = to;
    Some(())
}

pub(super) fn new_space(rng: &mut SeededRng, mutator: &mut Mutator) -> Option<()> {
    let vlan = mutator.vlan(rng)?;
    leave_space(mutator, vlan)?;
    let old = mutator.cloud.vlans[vlan].space;
    let shared = |at: usize| {
        mutator
            .cloud
            .vlans
            .iter()
            .any(|other| other.space == Some(at))
    };
    if !mutator.wild && !old.is_none_or(shared) {
        return None;
    }
    let space = generate::space(&mut mutator.cloud);
    mutator.cloud.vlans[vlan].space = Some(space);
    Some(())
}

/// Leaves a space, unless it has been renamed.
fn leave_space(mutator: &Mutator, vlan: usize) -> Option<()> {
    let space = mutator.cloud.vlans[vlan].space;
    space
        .is_none_or(|space| mutator.is_free(Target::Space(space)))
        .then_some(())
}

pub(super) fn add_plane(rng: &mut SeededRng, mutator: &mut Mutator) -> Option<()> {
    let fabric = rng.below(mutator.cloud.fabrics.len());
    plane(rng, mutator, fabric)
}

pub(super) fn add_fabric(rng: &mut SeededRng, mutator: &mut Mutator) -> Option<()> {
    let fabric = generate::fabric(&mut mutator.cloud);
    let own = mutator.cloud.vlans.len() - 1;
    mutator.cloud.vlans[own].racked = false;
    if rng.chance(40) {
        mutator.cloud.vlans[own].declared = true;
        generate::subnet(rng, &mut mutator.cloud, own, false);
        return Some(());
    }
    plane(rng, mutator, fabric)
}

fn plane(rng: &mut SeededRng, mutator: &mut Mutator, fabric: usize) -> Option<()> {
    let vlan = generate::tagged(rng, &mut mutator.cloud, fabric);
    let vid = mutator.cloud.vlans[vlan].vid;
    let space = rng
        .chance(60)
        .then(|| rng.below(mutator.cloud.spaces.len()));
    let new = &mut mutator.cloud.vlans[vlan];
    new.name = Some(format!("lan{vid}"));
    new.racked = false;
    new.space = space;
    new.mtu = *rng.pick(&[1500, 1500, 9000])?;
    for _ in 0..rng.below(3) {
        let v6 = rng.chance(30);
        let subnet = generate::subnet(rng, &mut mutator.cloud, vlan, v6);
        generate::set_gateway(rng, &mut mutator.cloud, subnet);
    }
    Some(())
}

pub(super) fn change_vid(rng: &mut SeededRng, mutator: &mut Mutator) -> Option<()> {
    let vlan = mutator.vlan(rng)?;
    let fresh = mutator.cloud.next_number();
    if !mutator.is_anchored(vlan) {
        return None;
    }
    mutator.claim(mutator.with_subnets(vlan))?;
    mutator.cloud.vlans[vlan].vid = u16::try_from(500 + fresh).unwrap();
    Some(())
}

/// Rows are identified by fabric and VID, so the subnets change rows and everything else is rewritten: only declared fields
/// are swapped.
pub(super) fn swap_vids(rng: &mut SeededRng, mutator: &mut Mutator) -> Option<()> {
    let (one, two) = (mutator.vlan(rng)?, mutator.vlan(rng)?);
    let vlans = &mutator.cloud.vlans;
    let plain = |at: usize| {
        let vlan = &vlans[at];
        !vlan.default
            && vlan.name.is_some()
            && vlan.primary.is_none()
            && at < mutator.before.vlans.len()
    };
    let apart = one != two && vlans[one].fabric == vlans[two].fabric;
    if !apart || !(mutator.wild || (plain(one) && plain(two))) {
        return None;
    }
    let targets: Vec<Target> = [mutator.with_subnets(one), mutator.with_subnets(two)].concat();
    mutator.claim(targets)?;
    let (first, second) = (mutator.cloud.vlans[one].vid, mutator.cloud.vlans[two].vid);
    mutator.cloud.vlans[one].vid = second;
    mutator.cloud.vlans[two].vid = first;
    Some(())
}

/// The plane moves and its VLAN stays behind, unchanged because it is undeclared.
pub(super) fn change_fabric(rng: &mut SeededRng, mutator: &mut Mutator) -> Option<()> {
    let vlan = mutator.vlan(rng)?;
    let row = &mutator.cloud.vlans[vlan];
    let from = row.fabric;
    let plain = !row.default && row.name.is_some() && (row.dhcp || row.primary.is_none());
    let stays = on_fabric(&mutator.cloud, from)
        .iter()
        .any(|other| *other != vlan && mutator.cloud.vlans[*other].declared);
    let known = plain && stays && vlan < mutator.before.vlans.len();
    if !mutator.wild && !known {
        return None;
    }
    mutator.claim(mutator.with_subnets(vlan))?;
    // Another declared VLAN keeps the old fabric declared.
    let others: Vec<Target> = on_fabric(&mutator.cloud, from)
        .into_iter()
        .map(Target::CloudVlan)
        .chain([Target::Fabric(from)])
        .collect();
    mutator.claimed.extend(others);
    let to = if rng.chance(30) {
        let to = generate::fabric(&mut mutator.cloud);
        let own = mutator.cloud.vlans.len() - 1;
        mutator.cloud.vlans[own].racked = false;
        to
    } else {
        rng.below(mutator.cloud.fabrics.len())
    };
    if to == from || !mutator.is_free(Target::Fabric(to)) {
        return None;
    }
    mutator.claimed.insert(Target::Fabric(to));
    mutator.cloud.vlans[vlan].fabric = to;
    Some(())
}

/// Removes a plane's file; what it declared stays as it was.
pub(super) fn undeclare(rng: &mut SeededRng, mutator: &mut Mutator) -> Option<()> {
    let vlan = mutator.vlan(rng)?;
    let subnets: Vec<usize> = mutator.cloud.subnets_on(vlan).collect();
    let old = mutator.before.vlans.get(vlan)?.clone();
    let same = subnets.iter().copied().eq(mutator.before.subnets_on(vlan));
    let related = mutator
        .cloud
        .vlans
        .iter()
        .any(|row| row.relay == Some(vlan));
    leave_space(mutator, vlan)?;
    if !same || related || old.relay.is_some() {
        return None;
    }
    mutator.claim(mutator.with_subnets(vlan))?;
    mutator.cloud.vlans[vlan] = super::super::cloud::CloudVlan {
        declared: false,
        ..old
    };
    for subnet in subnets {
        let mut reserved = mutator.before.subnets[subnet].clone();
        for resolver in &mut reserved.dns {
            if let Resolver::Of(of, offset) = *resolver {
                *resolver = Resolver::Elsewhere(mutator.before.subnets[of].ip(offset));
            }
        }
        mutator.cloud.subnets[subnet] = reserved;
    }
    Some(())
}
