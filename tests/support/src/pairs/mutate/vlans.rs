//! Mutations of VLANs that keep their fabric and VID.

use topology::object::RangeKind;

use super::super::cloud::RACKS;
use super::super::rng::SeededRng;
use super::Mutator;

const MTUS: [u32; 5] = [1500, 9000, 1400, 2000, 552];

pub(super) fn rename(rng: &mut SeededRng, mutator: &mut Mutator) -> Option<()> {
    let vlan = mutator.vlan(rng)?;
    let number = mutator.cloud.next_number();
    let row = &mut mutator.cloud.vlans[vlan];
    row.name = (!row.default).then(|| format!("lane{number}"));
    Some(())
}

pub(super) fn change_mtu(rng: &mut SeededRng, mutator: &mut Mutator) -> Option<()> {
    let vlan = mutator.vlan(rng)?;
    mutator.cloud.vlans[vlan].mtu = *rng.pick(&MTUS)?;
    Some(())
}

pub(super) fn change_mtus(rng: &mut SeededRng, mutator: &mut Mutator) -> Option<()> {
    let fabric = rng.below(mutator.cloud.fabrics.len());
    let mtu = *rng.pick(&MTUS)?;
    let vlans = mutator.cloud.vlans.iter_mut();
    for vlan in vlans.filter(|vlan| vlan.fabric == fabric && vlan.declared) {
        vlan.mtu = mtu;
    }
    Some(())
}

/// Toggles DHCP. It is valid only with a dynamic range; existing racks stay.
pub(super) fn toggle_dhcp(rng: &mut SeededRng, mutator: &mut Mutator) -> Option<()> {
    let at = mutator.vlan(rng)?;
    let vlan = &mut mutator.cloud.vlans[at];
    vlan.dhcp = !vlan.dhcp;
    if vlan.dhcp && vlan.primary.is_none() {
        vlan.primary = Some(rng.below(RACKS.len()));
    }
    vlan.relay = None;
    Some(())
}

/// Turns DHCP on with a new dynamic range, or off without any.
pub(super) fn serve(rng: &mut SeededRng, mutator: &mut Mutator) -> Option<()> {
    let at = mutator.vlan(rng)?;
    let subnets: Vec<usize> = mutator.cloud.subnets_on(at).collect();
    if mutator.cloud.vlans[at].dhcp {
        for subnet in subnets {
            let ranges = &mut mutator.cloud.subnets[subnet].ranges;
            ranges.retain(|range| range.kind == RangeKind::Reserved);
        }
        mutator.cloud.vlans[at].dhcp = false;
        return Some(());
    }
    let subnet = *rng.pick(&subnets)?;
    let (from, to) = super::super::generate::place(rng, &mutator.cloud.subnets[subnet]);
    mutator.cloud.subnets[subnet]
        .ranges
        .push(super::super::cloud::CloudRange {
            from,
            to,
            kind: RangeKind::Dynamic,
            comment: "served".to_owned(),
        });
    let vlan = &mut mutator.cloud.vlans[at];
    vlan.dhcp = true;
    vlan.relay = None;
    vlan.primary = vlan.primary.or(Some(rng.below(RACKS.len())));
    Some(())
}

/// Racks are declared only for a VLAN with DHCP on.
pub(super) fn change_racks(rng: &mut SeededRng, mutator: &mut Mutator) -> Option<()> {
    let at = mutator.vlan(rng)?;
    let vlan = &mut mutator.cloud.vlans[at];
    if !vlan.dhcp {
        return None;
    }
    match rng.below(3) {
        0 => std::mem::swap(&mut vlan.primary, &mut vlan.secondary),
        1 => vlan.secondary = None,
        _ => {
            let primary = rng.below(RACKS.len());
            vlan.primary = Some(primary);
            vlan.secondary = rng.chance(50).then_some(1 - primary);
        }
    }
    Some(())
}

pub(super) fn change_relay(rng: &mut SeededRng, mutator: &mut Mutator) -> Option<()> {
    let (from, to) = (mutator.vlan(rng)?, mutator.vlan(rng)?);
    let vlan = &mut mutator.cloud.vlans[from];
    vlan.relay = (vlan.relay.is_none() || rng.chance(70)).then_some(to);
    vlan.dhcp = false;
    Some(())
}
