//! Turns of subnets and of what hangs on them.

use topology::Cidr;
use topology::object::RangeKind;
use topology::plane::Strategy;

use super::super::cloud::Way;
use super::super::dice::Dice;
use super::super::drawing;
use super::{Thing, Turning};

pub(super) fn move_cidr(dice: &mut Dice, turning: &mut Turning) -> Option<()> {
    let net = movable(dice, turning)?;
    let number = turning.cloud.number();
    let old = turning.cloud.nets[net].cidr;
    turning.cloud.nets[net].cidr = drawing::block(number, old.prefix(), old.is_v6());
    Some(())
}

/// A subnet whose CIDR may change: nothing else of it did.
fn movable(dice: &mut Dice, turning: &mut Turning) -> Option<usize> {
    let net = turning.net(dice)?;
    let lan = turning.cloud.nets[net].lan;
    if !turning.is_free(Thing::Lan(lan)) {
        return None;
    }
    turning.hold([Thing::Net(net)])?;
    // What shall be known by its subnet can be so no more.
    turning.moved.insert(Thing::Lan(lan));
    let ways = [None, Some(Strategy::InPlace), Some(Strategy::Recreate)];
    turning.cloud.lans[lan].strategy = ways[dice.below(ways.len())];
    Some(net)
}

pub(super) fn swap_cidrs(dice: &mut Dice, turning: &mut Turning) -> Option<()> {
    let one = movable(dice, turning)?;
    let two = movable(dice, turning)?;
    let (first, second) = (turning.cloud.nets[one].cidr, turning.cloud.nets[two].cidr);
    if one == two || first.is_v6() != second.is_v6() {
        return None;
    }
    turning.cloud.nets[one].cidr = second;
    turning.cloud.nets[two].cidr = first;
    Some(())
}

/// One goes where the other was, and that one elsewhere.
pub(super) fn chain_cidrs(dice: &mut Dice, turning: &mut Turning) -> Option<()> {
    let one = movable(dice, turning)?;
    let two = movable(dice, turning)?;
    let (first, second) = (turning.cloud.nets[one].cidr, turning.cloud.nets[two].cidr);
    if one == two || first.is_v6() != second.is_v6() {
        return None;
    }
    let number = turning.cloud.number();
    turning.cloud.nets[one].cidr = second;
    turning.cloud.nets[two].cidr = drawing::block(number, second.prefix(), second.is_v6());
    Some(())
}

pub(super) fn resize_cidr(dice: &mut Dice, turning: &mut Turning) -> Option<()> {
    let net = movable(dice, turning)?;
    let old = turning.cloud.nets[net].cidr;
    let prefix = if dice.chance(50) {
        old.prefix() - 1
    } else {
        old.prefix() + 1
    };
    let resized: Cidr = format!("{}/{prefix}", old.network()).parse().ok()?;
    let row = &mut turning.cloud.nets[net];
    row.cidr = resized;
    let last = row.last();
    row.bands.retain(|band| band.to <= last);
    Some(())
}

pub(super) fn rename(dice: &mut Dice, turning: &mut Turning) -> Option<()> {
    let net = turning.net(dice)?;
    turning.hold([Thing::Net(net)])?;
    let number = turning.cloud.number();
    turning.cloud.nets[net].name = format!("web{number}");
    Some(())
}

pub(super) fn change_lan(dice: &mut Dice, turning: &mut Turning) -> Option<()> {
    let (net, to) = (turning.net(dice)?, turning.lan(dice)?);
    let from = turning.cloud.nets[net].lan;
    let free = [from, to]
        .into_iter()
        .all(|lan| turning.is_free(Thing::Lan(lan)));
    if from == to || !free || net >= turning.before.nets.len() {
        return None;
    }
    turning.hold([Thing::Net(net)])?;
    turning.moved.extend([Thing::Lan(from), Thing::Lan(to)]);
    turning.cloud.nets[net].lan = to;
    Some(())
}

pub(super) fn add(dice: &mut Dice, turning: &mut Turning) -> Option<()> {
    let lan = turning.lan(dice)?;
    // The only one left on both sides would be taken for the new one.
    turning.hold([Thing::Lan(lan)])?;
    let v6 = dice.chance(60);
    let net = drawing::net(dice, &mut turning.cloud, lan, v6);
    drawing::set_gateway(dice, &mut turning.cloud, net);
    turning.cloud.nets[net].flags.managed = dice.chance(80);
    Some(())
}

pub(super) fn change_gateway(dice: &mut Dice, turning: &mut Turning) -> Option<()> {
    let net = turning.net(dice)?;
    drawing::set_gateway(dice, &mut turning.cloud, net);
    Some(())
}

pub(super) fn change_dns(dice: &mut Dice, turning: &mut Turning) -> Option<()> {
    let (net, to) = (turning.net(dice)?, turning.net(dice)?);
    let dns = &mut turning.cloud.nets[net].dns;
    match dice.below(4) {
        0 => dns.clear(),
        1 => dns.reverse(),
        _ => drawing::resolve(dice, &mut turning.cloud, net, to),
    }
    Some(())
}

pub(super) fn change_flag(dice: &mut Dice, turning: &mut Turning) -> Option<()> {
    let net = turning.net(dice)?;
    let flags = &mut turning.cloud.nets[net].flags;
    match dice.below(6) {
        0 | 1 => flags.managed = !flags.managed,
        2 => flags.allow_dns = !flags.allow_dns,
        3 => flags.allow_proxy = !flags.allow_proxy,
        4 => flags.active_discovery = !flags.active_discovery,
        _ => flags.rdns_mode = (flags.rdns_mode + 1) % 3,
    }
    Some(())
}

pub(super) fn change_words(dice: &mut Dice, turning: &mut Turning) -> Option<()> {
    let net = turning.net(dice)?;
    let number = turning.cloud.number();
    let architectures = turning.cloud.has_architectures();
    let row = &mut turning.cloud.nets[net];
    if architectures && dice.chance(50) {
        let one = (*dice.pick(&["pxe", "uefi_amd64_tftp", "uefi_arm64_tftp"])?).to_owned();
        if !row.architectures.remove(&one) {
            row.architectures.insert(one);
        }
    } else if dice.chance(70) {
        row.description = format!("words {number}: \"quoted\" & more");
    } else {
        row.description.clear();
    }
    Some(())
}

pub(super) fn add_band(dice: &mut Dice, turning: &mut Turning) -> Option<()> {
    let net = turning.net(dice)?;
    drawing::add_band(dice, &mut turning.cloud, net);
    Some(())
}

/// A subnet and one of its ranges.
fn band(dice: &mut Dice, turning: &Turning) -> Option<(usize, usize)> {
    let net = turning.net(dice)?;
    let bands = turning.cloud.nets[net].bands.len();
    (bands > 0).then(|| (net, dice.below(bands)))
}

pub(super) fn drop_band(dice: &mut Dice, turning: &mut Turning) -> Option<()> {
    let (net, band) = band(dice, turning)?;
    turning.cloud.nets[net].bands.remove(band);
    Some(())
}

pub(super) fn move_band(dice: &mut Dice, turning: &mut Turning) -> Option<()> {
    let (net, band) = band(dice, turning)?;
    let row = &mut turning.cloud.nets[net];
    let (from, to) = drawing::place(dice, row);
    row.bands[band].from = from;
    row.bands[band].to = to;
    Some(())
}

/// Each by less than its width: where it comes, it still is.
pub(super) fn shift_bands(dice: &mut Dice, turning: &mut Turning) -> Option<()> {
    let (net, _) = band(dice, turning)?;
    let by = u128::try_from(1 + dice.below(9)).unwrap();
    let up = dice.chance(50);
    for band in &mut turning.cloud.nets[net].bands {
        let shifted = |at: u128| {
            if up {
                Some(at + by)
            } else {
                at.checked_sub(by)
            }
        };
        (band.from, band.to) = (shifted(band.from)?, shifted(band.to)?);
    }
    Some(())
}

pub(super) fn swap_bands(dice: &mut Dice, turning: &mut Turning) -> Option<()> {
    let (net, one) = band(dice, turning)?;
    let bands = &mut turning.cloud.nets[net].bands;
    let two = dice.below(bands.len());
    if one == two {
        return None;
    }
    let place = |at: usize| (bands[at].from, bands[at].to);
    let (first, second) = (place(one), place(two));
    (bands[one].from, bands[one].to) = second;
    (bands[two].from, bands[two].to) = first;
    Some(())
}

pub(super) fn change_band(dice: &mut Dice, turning: &mut Turning) -> Option<()> {
    let (net, at) = band(dice, turning)?;
    let number = turning.cloud.number();
    let band = &mut turning.cloud.nets[net].bands[at];
    if dice.chance(60) {
        band.comment = format!("stripe{number}");
    } else {
        band.kind = match band.kind {
            RangeKind::Reserved => RangeKind::Dynamic,
            RangeKind::Dynamic => RangeKind::Reserved,
        };
    }
    Some(())
}

pub(super) fn change_routes(dice: &mut Dice, turning: &mut Turning) -> Option<()> {
    let (net, to) = (turning.net(dice)?, turning.net(dice)?);
    let via = turning.cloud.nets[net].low(4 + dice.below(8));
    let routes = &mut turning.cloud.nets[net].routes;
    let metric = u32::try_from(dice.below(5)).unwrap();
    match dice.below(4) {
        0 => drop(routes.pop()),
        1 => routes.first_mut()?.metric = metric,
        2 => routes.first_mut()?.via = via,
        _ => routes.push(Way { to, via, metric }),
    }
    Some(())
}

pub(super) fn change_kept(dice: &mut Dice, turning: &mut Turning) -> Option<()> {
    if !turning.cloud.has_reserved_ips() {
        return None;
    }
    let net = turning.net(dice)?;
    let number = turning.cloud.number();
    let kept = &mut turning.cloud.nets[net].kept;
    match dice.below(4) {
        0 => drop(kept.pop()?),
        1 => kept.first_mut()?.comment = format!("promised{number}"),
        2 => {
            kept.first_mut()?.mac = format!("02:00:00:01:00:{number:02x}");
        }
        _ => drawing::keep(dice, &mut turning.cloud, net),
    }
    Some(())
}
