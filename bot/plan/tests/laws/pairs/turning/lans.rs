//! Turns of VLANs that stay where they are.

use topology::object::RangeKind;

use super::super::cloud::RACKS;
use super::super::dice::Dice;
use super::Turning;

const MTUS: [u32; 5] = [1500, 9000, 1400, 2000, 552];

pub(super) fn rename(dice: &mut Dice, turning: &mut Turning) -> Option<()> {
    let lan = turning.lan(dice)?;
    let number = turning.cloud.number();
    let row = &mut turning.cloud.lans[lan];
    row.name = (!row.default).then(|| format!("lane{number}"));
    Some(())
}

pub(super) fn change_mtu(dice: &mut Dice, turning: &mut Turning) -> Option<()> {
    let lan = turning.lan(dice)?;
    turning.cloud.lans[lan].mtu = *dice.pick(&MTUS)?;
    Some(())
}

pub(super) fn change_mtus(dice: &mut Dice, turning: &mut Turning) -> Option<()> {
    let fabric = dice.below(turning.cloud.fabrics.len());
    let mtu = *dice.pick(&MTUS)?;
    let lans = turning.cloud.lans.iter_mut();
    for lan in lans.filter(|lan| lan.fabric == fabric && lan.declared) {
        lan.mtu = mtu;
    }
    Some(())
}

/// On where a dynamic range is, else off; racks that are there stay.
pub(super) fn turn_dhcp(dice: &mut Dice, turning: &mut Turning) -> Option<()> {
    let at = turning.lan(dice)?;
    let lan = &mut turning.cloud.lans[at];
    lan.dhcp = !lan.dhcp;
    if lan.dhcp && lan.primary.is_none() {
        lan.primary = Some(dice.below(RACKS.len()));
    }
    lan.relay = None;
    Some(())
}

/// DHCP with a range of its own, or neither.
pub(super) fn serve(dice: &mut Dice, turning: &mut Turning) -> Option<()> {
    let at = turning.lan(dice)?;
    let nets: Vec<usize> = turning.cloud.nets_on(at).collect();
    if turning.cloud.lans[at].dhcp {
        for net in nets {
            let bands = &mut turning.cloud.nets[net].bands;
            bands.retain(|band| band.kind == RangeKind::Reserved);
        }
        turning.cloud.lans[at].dhcp = false;
        return Some(());
    }
    let net = *dice.pick(&nets)?;
    let (from, to) = super::super::drawing::place(dice, &turning.cloud.nets[net]);
    turning.cloud.nets[net]
        .bands
        .push(super::super::cloud::Band {
            from,
            to,
            kind: RangeKind::Dynamic,
            comment: "served".to_owned(),
        });
    let lan = &mut turning.cloud.lans[at];
    lan.dhcp = true;
    lan.relay = None;
    lan.primary = lan.primary.or(Some(dice.below(RACKS.len())));
    Some(())
}

/// Racks are declared only of a VLAN that serves.
pub(super) fn change_racks(dice: &mut Dice, turning: &mut Turning) -> Option<()> {
    let at = turning.lan(dice)?;
    let lan = &mut turning.cloud.lans[at];
    if !lan.dhcp {
        return None;
    }
    match dice.below(3) {
        0 => std::mem::swap(&mut lan.primary, &mut lan.secondary),
        1 => lan.secondary = None,
        _ => {
            let primary = dice.below(RACKS.len());
            lan.primary = Some(primary);
            lan.secondary = dice.chance(50).then_some(1 - primary);
        }
    }
    Some(())
}

pub(super) fn change_relay(dice: &mut Dice, turning: &mut Turning) -> Option<()> {
    let (from, to) = (turning.lan(dice)?, turning.lan(dice)?);
    let lan = &mut turning.cloud.lans[from];
    lan.relay = (lan.relay.is_none() || dice.chance(70)).then_some(to);
    lan.dhcp = false;
    Some(())
}
