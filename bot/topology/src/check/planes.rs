//! One plane: its VLAN, its space, who serves DHCP, and its subnets.

use crate::address::Cidr;
use crate::draft::{DhcpDraft, Located, PlaneFile, Served, SpaceDraft};
use crate::finding::{FilePosition, Notes, codes, shown};
use crate::object::VlanAt;
use crate::plane::{Dhcp, Plane, PlaneSubnet};

use super::index::PlaneIndex;
use super::{names, subnets};

/// A plane that could be believed, with the places that rules about several planes speak of.
pub(super) struct CheckedPlane {
    pub(super) plane: Plane,
    pub(super) place: FilePosition,
    pub(super) fabric: FilePosition,
    pub(super) mtu: Option<FilePosition>,
    pub(super) dhcp: Option<FilePosition>,
    /// As many as the plane's subnets, in their order: where each `cidr` stands.
    pub(super) cidrs: Vec<FilePosition>,
}

/// Checks one plane. `None` when it has no key or no VLAN to stand on, which was remarked on.
pub(super) fn check(
    said: &PlaneFile,
    index: &PlaneIndex,
    notes: &mut Notes<'_>,
) -> Option<CheckedPlane> {
    let key = said.plane.value.clone()?;
    let fabric = said
        .fabric
        .value
        .as_deref()
        .and_then(|name| names::maas(names::NameKind::Fabric, name, said.fabric.place, notes));
    let vid = said.vid.as_ref().map_or(Some(0), |said| vid(said, notes));
    let dhcp = said
        .dhcp
        .as_ref()
        .and_then(|dhcp| served(dhcp, &key, index, notes));
    let mtu = said.mtu.as_ref().and_then(|said| mtu(said, notes));
    let vlan_name = said
        .vlan_name
        .as_ref()
        .and_then(|name| vlan_name(name, vid, notes));
    let space = said.space.as_ref().and_then(|said| space(said, notes));
    let subnets = subnets(said, &key, index, notes);
    let description = said
        .description
        .as_ref()
        .and_then(|said| names::text(said, notes));
    if !index.is_first(&said.plane) {
        return None;
    }
    let (subnets, cidrs) = subnets.into_iter().unzip();
    Some(CheckedPlane {
        plane: Plane {
            key,
            description: description.unwrap_or_default(),
            vlan: VlanAt {
                fabric: fabric?,
                vid: vid?,
            },
            vlan_name,
            space,
            mtu,
            dhcp,
            strategy: said.strategy.as_ref().and_then(|said| said.value),
            subnets,
        },
        place: said.plane.place,
        fabric: said.fabric.place,
        mtu: said.mtu.as_ref().map(|said| said.place),
        dhcp: said.dhcp.as_ref().map(|said| said.place),
        cidrs,
    })
}

/// A VID that is one, or `None` and a remark.
pub(super) fn vid(said: &Located<u32>, notes: &mut Notes<'_>) -> Option<u16> {
    let number = said.value?;
    let vid = u16::try_from(number).ok().filter(|vid| *vid <= 4094);
    if vid.is_none() {
        let help = "VIDs go from 1 to 4094; leave the line out for untagged";
        notes.add(
            codes::VLAN_VID,
            said.place,
            format!("`{number}` is no VID"),
            help,
        );
    }
    vid
}

/// MAAS's bounds: 3.5.9 maasserver/forms/vlan.py:21.
fn mtu(said: &Located<u32>, notes: &mut Notes<'_>) -> Option<u32> {
    let mtu = said.value?;
    if (552..=65535).contains(&mtu) {
        return Some(mtu);
    }
    let message = format!("MAAS takes no MTU of {mtu}");
    notes.add(
        codes::VLAN_MTU,
        said.place,
        message,
        "use 552 to 65535; Ethernet's is 1500, or 9000 for jumbo frames",
    );
    None
}

fn vlan_name(said: &Located<String>, vid: Option<u16>, notes: &mut Notes<'_>) -> Option<String> {
    let name = said.value.as_deref()?;
    if vid == Some(0) {
        let message = "an untagged VLAN has no name of its own";
        notes.add(
            codes::VLAN_UNTAGGED,
            said.place,
            message,
            "remove the line, or say its `vid`",
        );
        return None;
    }
    names::maas(names::NameKind::Vlan, name, said.place, notes)
}

#[expect(
    clippy::option_option,
    reason = "left alone, none, and this one are three things"
)]
fn space(said: &Located<SpaceDraft>, notes: &mut Notes<'_>) -> Option<Option<String>> {
    match said.value.as_ref()? {
        SpaceDraft::Unbound => Some(None),
        SpaceDraft::Named(name) => {
            names::maas(names::NameKind::Space, name, said.place, notes).map(Some)
        }
    }
}

fn served(said: &DhcpDraft, key: &str, index: &PlaneIndex, notes: &mut Notes<'_>) -> Option<Dhcp> {
    let racks = match &said.served {
        Served::Unread => return None,
        Served::Off => return Some(Dhcp::Off),
        Served::On => {
            return Some(Dhcp::On {
                primary: None,
                secondary: None,
            });
        }
        Served::By(racks) => racks,
    };
    if let Some(relay) = &racks.relay {
        if racks.primary.is_some() || racks.secondary.is_some() {
            let message = "a relayed plane has no racks of its own";
            notes.add(
                codes::DHCP_RACKS,
                said.place,
                message,
                "remove `relay`, or the racks",
            );
        }
        let entry = index.find(relay, notes)?;
        if entry.relayed || relay.value.as_deref() == Some(key) {
            let message = format!(
                "the DHCP of `{}` is relayed itself",
                shown(relay.value.as_deref()?)
            );
            notes.add(
                codes::DHCP_RELAY,
                relay.place,
                message,
                "relay to the plane that serves",
            );
        }
        return entry.vlan.clone().map(Dhcp::Relay);
    }
    let name = |said: &Option<Located<String>>, notes: &mut Notes<'_>| {
        said.as_ref().and_then(|said| names::host(said, notes))
    };
    let (primary, secondary) = (name(&racks.primary, notes), name(&racks.secondary, notes));
    if racks.primary.is_none() || (primary.is_some() && primary == secondary) {
        let message = "a secondary rack stands in for a primary one";
        let help =
            "write `{primary: rack0, secondary: rack1}`, or `on` to keep the racks that MAAS has";
        notes.add(codes::DHCP_RACKS, said.place, message, help);
    }
    Some(Dhcp::On { primary, secondary })
}

fn subnets(
    said: &PlaneFile,
    key: &str,
    index: &PlaneIndex,
    notes: &mut Notes<'_>,
) -> Vec<(PlaneSubnet, FilePosition)> {
    let mut checked = Vec::new();
    let further = said.subnets.as_deref().unwrap_or_default();
    for (position, subnet) in std::iter::once(&said.subnet).chain(further).enumerate() {
        let Some(cidr) = &subnet.cidr else {
            let lonely = subnet.first_place();
            if let Some(place) = lonely.or_else(|| (position > 0).then_some(said.plane.place)) {
                let message = "this belongs to a subnet, and no `cidr` says which";
                notes.add(
                    codes::SUBNET_NO_CIDR,
                    place,
                    message,
                    "add a line `cidr: 10.0.0.0/24`, say",
                );
            }
            continue;
        };
        let Some(network) = cidr
            .value
            .filter(|network| is_subnet(*network, cidr.place, notes))
        else {
            continue;
        };
        let default_name = if position == 0 || (said.subnet.cidr.is_none() && position == 1) {
            key.to_owned()
        } else {
            network.to_string()
        };
        checked.push((
            subnets::check(subnet, network, default_name, index, notes),
            cidr.place,
        ));
    }
    checked
}

/// MAAS refuses a prefix of 0 (3.5.9 maasserver/forms/subnet.py:106-114); nothing can be planned on a single host.
fn is_subnet(cidr: Cidr, place: FilePosition, notes: &mut Notes<'_>) -> bool {
    let single = if cidr.is_v6() { 128 } else { 32 };
    if cidr.prefix() != 0 && cidr.prefix() != single {
        return true;
    }
    let message = format!("`/{}` is no subnet's prefix", cidr.prefix());
    notes.add(
        codes::CIDR_PREFIX,
        place,
        message,
        "say the network that the hosts share",
    );
    false
}
