//! One plane: its VLAN, its space, who serves DHCP, and its subnets.

use crate::address::Cidr;
use crate::draft::{DhcpDraft, Located, PlaneFile, Served, SpaceDraft};
use crate::finding::{FilePosition, Findings, codes, shown};
use crate::object::VlanAt;
use crate::plane::{Dhcp, Plane, PlaneSubnet};

use super::index::PlaneIndex;
use super::{names, subnets};

/// A checked plane, with the positions that rules about several planes need.
pub(super) struct CheckedPlane {
    pub(super) plane: Plane,
    pub(super) place: FilePosition,
    pub(super) fabric: FilePosition,
    pub(super) space: Option<FilePosition>,
    pub(super) mtu: Option<FilePosition>,
    pub(super) dhcp: Option<FilePosition>,
    /// The position of each subnet's `cidr`, in the order of the plane's subnets.
    pub(super) cidrs: Vec<FilePosition>,
}

/// Checks one plane. `None` if it has no key or no VLAN, which has a finding.
pub(super) fn check(
    draft: &PlaneFile,
    index: &PlaneIndex,
    findings: &mut Findings<'_>,
) -> Option<CheckedPlane> {
    let key = draft.plane.value.clone()?;
    let fabric = draft.fabric.value.as_deref().and_then(|name| {
        names::maas_name(names::NameKind::Fabric, name, draft.fabric.place, findings)
    });
    let vid = draft
        .vid
        .as_ref()
        .map_or(Some(0), |draft| vid(draft, findings));
    let dhcp = draft
        .dhcp
        .as_ref()
        .and_then(|dhcp| served(dhcp, &key, index, findings));
    let mtu = draft.mtu.as_ref().and_then(|draft| mtu(draft, findings));
    let vlan_name = draft
        .vlan_name
        .as_ref()
        .and_then(|name| vlan_name(name, vid, findings));
    let space = draft
        .space
        .as_ref()
        .and_then(|draft| space(draft, findings));
    let subnets = subnets(draft, &key, index, findings);
    let description = draft
        .description
        .as_ref()
        .and_then(|draft| names::text(draft, findings));
    if !index.is_first(&draft.plane) {
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
            strategy: draft.strategy.as_ref().and_then(|draft| draft.value),
            adopt: draft.adopt.as_ref().and_then(|draft| draft.value) == Some(true),
            subnets,
        },
        place: draft.plane.place,
        fabric: draft.fabric.place,
        space: draft.space.as_ref().map(|draft| draft.place),
        mtu: draft.mtu.as_ref().map(|draft| draft.place),
        dhcp: draft.dhcp.as_ref().map(|draft| draft.place),
        cidrs,
    })
}

/// A valid VID, or `None` and a finding.
pub(super) fn vid(draft: &Located<u32>, findings: &mut Findings<'_>) -> Option<u16> {
    let number = draft.value?;
    let vid = u16::try_from(number).ok().filter(|vid| *vid <= 4094);
    if vid.is_none() {
        let help = "VIDs are 1 to 4094; remove the line for untagged";
        findings.add(
            codes::VLAN_VID,
            draft.place,
            format!("`{number}` is not a valid VID"),
            help,
        );
    }
    vid
}

/// MAAS's bounds: 3.5.9 maasserver/forms/vlan.py:21.
fn mtu(draft: &Located<u32>, findings: &mut Findings<'_>) -> Option<u32> {
    let mtu = draft.value?;
    if (552..=65535).contains(&mtu) {
        return Some(mtu);
    }
    let message = format!("MAAS does not accept an MTU of {mtu}");
    findings.add(
        codes::VLAN_MTU,
        draft.place,
        message,
        "use 552 to 65535; Ethernet usually has 1500, or 9000 for jumbo frames",
    );
    None
}

fn vlan_name(
    draft: &Located<String>,
    vid: Option<u16>,
    findings: &mut Findings<'_>,
) -> Option<String> {
    let name = draft.value.as_deref()?;
    if vid == Some(0) {
        let message = "an untagged VLAN has no name of its own";
        findings.add(
            codes::VLAN_UNTAGGED,
            draft.place,
            message,
            "remove the line, or add a `vid`",
        );
        return None;
    }
    names::maas_name(names::NameKind::Vlan, name, draft.place, findings)
}

#[expect(
    clippy::option_option,
    reason = "left alone, none, and a value are three cases"
)]
fn space(draft: &Located<SpaceDraft>, findings: &mut Findings<'_>) -> Option<Option<String>> {
    match draft.value.as_ref()? {
        SpaceDraft::Unbound => Some(None),
        SpaceDraft::Named(name) => {
            names::maas_name(names::NameKind::Space, name, draft.place, findings).map(Some)
        }
    }
}

fn served(
    draft: &DhcpDraft,
    key: &str,
    index: &PlaneIndex,
    findings: &mut Findings<'_>,
) -> Option<Dhcp> {
    let racks = match &draft.served {
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
            let message = "a relayed plane cannot have racks";
            findings.add(
                codes::DHCP_RACKS,
                draft.place,
                message,
                "remove `relay`, or the racks",
            );
        }
        let entry = index.find(relay, findings)?;
        if entry.relayed || relay.value.as_deref() == Some(key) {
            let message = format!("`{}` is relayed itself", shown(relay.value.as_deref()?));
            findings.add(
                codes::DHCP_RELAY,
                relay.place,
                message,
                "relay to a plane whose DHCP is on",
            );
        }
        return entry.vlan.clone().map(Dhcp::Relay);
    }
    let name = |draft: &Option<Located<String>>, findings: &mut Findings<'_>| {
        draft
            .as_ref()
            .and_then(|draft| names::host(draft, findings))
    };
    let (primary, secondary) = (
        name(&racks.primary, findings),
        name(&racks.secondary, findings),
    );
    if racks.primary.is_none() || (primary.is_some() && primary == secondary) {
        let message = "a secondary rack needs a different primary rack";
        let help =
            "write `{primary: rack0, secondary: rack1}`, or `on` to keep the racks that MAAS has";
        findings.add(codes::DHCP_RACKS, draft.place, message, help);
    }
    Some(Dhcp::On { primary, secondary })
}

fn subnets(
    draft: &PlaneFile,
    key: &str,
    index: &PlaneIndex,
    findings: &mut Findings<'_>,
) -> Vec<(PlaneSubnet, FilePosition)> {
    let mut checked = Vec::new();
    let further = draft.subnets.as_deref().unwrap_or_default();
    for (position, subnet) in std::iter::once(&draft.subnet).chain(further).enumerate() {
        let Some(cidr) = &subnet.cidr else {
            let lonely = subnet.first_place();
            if let Some(place) = lonely.or_else(|| (position > 0).then_some(draft.plane.place)) {
                let message = "this field belongs to a subnet, but there is no `cidr`";
                findings.add(
                    codes::SUBNET_NO_CIDR,
                    place,
                    message,
                    "add a line such as `cidr: 10.0.0.0/24`",
                );
            }
            continue;
        };
        let Some(network) = cidr
            .value
            .filter(|network| is_subnet(*network, cidr.place, findings))
        else {
            continue;
        };
        let default_name = if position == 0 || (draft.subnet.cidr.is_none() && position == 1) {
            key.to_owned()
        } else {
            network.to_string()
        };
        checked.push((
            subnets::check(subnet, network, default_name, index, findings),
            cidr.place,
        ));
    }
    checked
}

/// MAAS refuses a prefix of 0 (3.5.9 maasserver/forms/subnet.py:106-114); a single host is not a subnet to plan.
fn is_subnet(cidr: Cidr, place: FilePosition, findings: &mut Findings<'_>) -> bool {
    let single = if cidr.is_v6() { 128 } else { 32 };
    if cidr.prefix() != 0 && cidr.prefix() != single {
        return true;
    }
    let message = format!("a subnet cannot have the prefix `/{}`", cidr.prefix());
    findings.add(
        codes::CIDR_PREFIX,
        place,
        message,
        "write the network that the hosts share",
    );
    false
}
