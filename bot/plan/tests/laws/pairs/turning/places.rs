//! Turns of fabrics, spaces, and where VLANs are.

use super::super::cloud::{Cloud, Resolver};
use super::super::dice::Dice;
use super::super::drawing;
use super::{Thing, Turning};

/// A fabric with a plane on it that can be recognised takes another name.
pub(super) fn rename_fabric(dice: &mut Dice, turning: &mut Turning) -> Option<()> {
    let fabric = dice.below(turning.cloud.fabrics.len());
    let lans = on_fabric(&turning.cloud, fabric);
    let known = |lan: &usize| turning.cloud.lans[*lan].declared && turning.is_anchored(*lan);
    if !lans.iter().any(known) {
        return None;
    }
    let things: Vec<Thing> = lans
        .iter()
        .flat_map(|lan| turning.with_nets(*lan))
        .collect();
    turning.hold(things.into_iter().chain([Thing::Fabric(fabric)]))?;
    let number = turning.cloud.number();
    turning.cloud.fabrics[fabric] = format!("field{number}");
    Some(())
}

fn on_fabric(cloud: &Cloud, fabric: usize) -> Vec<usize> {
    (0..cloud.lans.len())
        .filter(|lan| cloud.lans[*lan].fabric == fabric)
        .collect()
}

/// Every VLAN that was in it is declared, and still is in it.
pub(super) fn rename_space(dice: &mut Dice, turning: &mut Turning) -> Option<()> {
    let space = dice.below(turning.cloud.spaces.len());
    let mut there =
        (0..turning.before.lans.len()).filter(|lan| turning.before.lans[*lan].space == Some(space));
    let now = &turning.cloud.lans;
    if !turning.wild && !there.all(|lan| now[lan].declared && now[lan].space == Some(space)) {
        return None;
    }
    turning.hold([Thing::Space(space)])?;
    let number = turning.cloud.number();
    turning.cloud.spaces[space] = format!("room{number}");
    Some(())
}

pub(super) fn change_space(dice: &mut Dice, turning: &mut Turning) -> Option<()> {
    let lan = turning.lan(dice)?;
    let to = dice
        .chance(75)
        .then(|| dice.below(turning.cloud.spaces.len()));
    leave_space(turning, lan)?;
    turning.cloud.lans[lan].space = to;
    Some(())
}

pub(super) fn new_space(dice: &mut Dice, turning: &mut Turning) -> Option<()> {
    let lan = turning.lan(dice)?;
    leave_space(turning, lan)?;
    let old = turning.cloud.lans[lan].space;
    let shared = |at: usize| {
        turning
            .cloud
            .lans
            .iter()
            .any(|other| other.space == Some(at))
    };
    if !turning.wild && !old.is_none_or(shared) {
        return None;
    }
    let space = drawing::space(&mut turning.cloud);
    turning.cloud.lans[lan].space = Some(space);
    Some(())
}

/// Out of a space that has not been renamed.
fn leave_space(turning: &Turning, lan: usize) -> Option<()> {
    let space = turning.cloud.lans[lan].space;
    space
        .is_none_or(|space| turning.is_free(Thing::Space(space)))
        .then_some(())
}

pub(super) fn add_plane(dice: &mut Dice, turning: &mut Turning) -> Option<()> {
    let fabric = dice.below(turning.cloud.fabrics.len());
    plane(dice, turning, fabric)
}

pub(super) fn add_fabric(dice: &mut Dice, turning: &mut Turning) -> Option<()> {
    let fabric = drawing::fabric(&mut turning.cloud);
    let own = turning.cloud.lans.len() - 1;
    turning.cloud.lans[own].racked = false;
    if dice.chance(40) {
        turning.cloud.lans[own].declared = true;
        drawing::net(dice, &mut turning.cloud, own, false);
        return Some(());
    }
    plane(dice, turning, fabric)
}

fn plane(dice: &mut Dice, turning: &mut Turning, fabric: usize) -> Option<()> {
    let lan = drawing::tagged(dice, &mut turning.cloud, fabric);
    let vid = turning.cloud.lans[lan].vid;
    let space = dice
        .chance(60)
        .then(|| dice.below(turning.cloud.spaces.len()));
    let new = &mut turning.cloud.lans[lan];
    new.name = Some(format!("lan{vid}"));
    new.racked = false;
    new.space = space;
    new.mtu = *dice.pick(&[1500, 1500, 9000])?;
    for _ in 0..dice.below(3) {
        let v6 = dice.chance(30);
        let net = drawing::net(dice, &mut turning.cloud, lan, v6);
        drawing::set_gateway(dice, &mut turning.cloud, net);
    }
    Some(())
}

pub(super) fn change_vid(dice: &mut Dice, turning: &mut Turning) -> Option<()> {
    let lan = turning.lan(dice)?;
    let fresh = turning.cloud.number();
    if !turning.is_anchored(lan) {
        return None;
    }
    turning.hold(turning.with_nets(lan))?;
    turning.cloud.lans[lan].vid = u16::try_from(500 + fresh).unwrap();
    Some(())
}

/// Rows are told apart by place, so the subnets change rows and all else is written again: only what is declared swaps.
pub(super) fn swap_vids(dice: &mut Dice, turning: &mut Turning) -> Option<()> {
    let (one, two) = (turning.lan(dice)?, turning.lan(dice)?);
    let lans = &turning.cloud.lans;
    let plain = |at: usize| {
        let lan = &lans[at];
        !lan.default
            && lan.name.is_some()
            && lan.primary.is_none()
            && at < turning.before.lans.len()
    };
    let apart = one != two && lans[one].fabric == lans[two].fabric;
    if !apart || !(turning.wild || (plain(one) && plain(two))) {
        return None;
    }
    let things: Vec<Thing> = [turning.with_nets(one), turning.with_nets(two)].concat();
    turning.hold(things)?;
    let (first, second) = (turning.cloud.lans[one].vid, turning.cloud.lans[two].vid);
    turning.cloud.lans[one].vid = second;
    turning.cloud.lans[two].vid = first;
    Some(())
}

/// The plane goes, its VLAN stays behind: what no plane declares stays as it is.
pub(super) fn change_fabric(dice: &mut Dice, turning: &mut Turning) -> Option<()> {
    let lan = turning.lan(dice)?;
    let row = &turning.cloud.lans[lan];
    let from = row.fabric;
    let plain = !row.default && row.name.is_some() && (row.dhcp || row.primary.is_none());
    let stays = on_fabric(&turning.cloud, from)
        .iter()
        .any(|other| *other != lan && turning.cloud.lans[*other].declared);
    let known = plain && stays && lan < turning.before.lans.len();
    if !turning.wild && !known {
        return None;
    }
    turning.hold(turning.with_nets(lan))?;
    // One that stays keeps the old fabric's name declared.
    let others: Vec<Thing> = on_fabric(&turning.cloud, from)
        .into_iter()
        .map(Thing::Lan)
        .chain([Thing::Fabric(from)])
        .collect();
    turning.moved.extend(others);
    let to = if dice.chance(30) {
        let to = drawing::fabric(&mut turning.cloud);
        let own = turning.cloud.lans.len() - 1;
        turning.cloud.lans[own].racked = false;
        to
    } else {
        dice.below(turning.cloud.fabrics.len())
    };
    if to == from || !turning.is_free(Thing::Fabric(to)) {
        return None;
    }
    turning.moved.insert(Thing::Fabric(to));
    turning.cloud.lans[lan].fabric = to;
    Some(())
}

/// The plane's file is removed: what it declared stays as it was.
pub(super) fn undeclare(dice: &mut Dice, turning: &mut Turning) -> Option<()> {
    let lan = turning.lan(dice)?;
    let nets: Vec<usize> = turning.cloud.nets_on(lan).collect();
    let old = turning.before.lans.get(lan)?.clone();
    let same = nets.iter().copied().eq(turning.before.nets_on(lan));
    let related = turning.cloud.lans.iter().any(|row| row.relay == Some(lan));
    leave_space(turning, lan)?;
    if !same || related || old.relay.is_some() {
        return None;
    }
    turning.hold(turning.with_nets(lan))?;
    turning.cloud.lans[lan] = super::super::cloud::Lan {
        declared: false,
        ..old
    };
    for net in nets {
        let mut kept = turning.before.nets[net].clone();
        for resolver in &mut kept.dns {
            if let Resolver::Of(of, offset) = *resolver {
                *resolver = Resolver::Elsewhere(turning.before.nets[of].ip(offset));
            }
        }
        turning.cloud.nets[net] = kept;
    }
    Some(())
}
