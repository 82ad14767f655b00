//! What an interface is set to: values that MAAS accepts, on the type of interface that has them.

use std::collections::{BTreeMap, BTreeSet};

use crate::draft::{InterfaceDraft, Located};
use crate::finding::{FilePosition, Findings, codes, shown};
use crate::object::{InterfaceKind, InterfaceParam, ParamValues};
use crate::plane::DeclaredSettings;

/// Checks what an interface of that type is set to.
pub(super) fn settings(
    draft: &InterfaceDraft,
    kind: InterfaceKind,
    findings: &mut Findings<'_>,
) -> DeclaredSettings {
    let mut params = BTreeMap::new();
    for (param, value, place) in stated(draft) {
        if param.kind() != kind {
            let message = format!("`{}` is no parameter of this type", param.word());
            let help = "remove it, or choose another `type`";
            findings.add(codes::INTERFACE_PARAM, place, message, help);
            continue;
        }
        if let ParamValues::Number { max } = param.values()
            && value.parse::<u32>().is_ok_and(|number| number > max)
        {
            let message = format!("MAAS does not accept `{}: {value}`", param.word());
            let help = format!("write a number from 0 to {max}");
            findings.add(codes::INTERFACE_PARAM, place, message, help);
            continue;
        }
        params.insert(param, value);
    }
    DeclaredSettings {
        mtu: mtu(draft, findings),
        tags: tags(draft, findings),
        enabled: draft.settings.enabled.as_ref().and_then(|it| it.value),
        params,
    }
}

/// The stated parameters, as MAAS spells their values.
fn stated(draft: &InterfaceDraft) -> Vec<(InterfaceParam, String, FilePosition)> {
    let it = &draft.settings;
    let number = |draft: &Option<Located<u32>>| {
        let draft = draft.as_ref()?;
        Some((draft.value?.to_string(), draft.place))
    };
    let word = |draft: Option<(&String, FilePosition)>| draft.map(|(it, at)| (it.clone(), at));
    let mode = it.bond_mode.as_ref();
    let rate = it.bond_lacp_rate.as_ref();
    let policy = it.bond_xmit_hash_policy.as_ref();
    let bridge = it.bridge_type.as_ref();
    let stp = it.bridge_stp.as_ref();
    let all = [
        (
            InterfaceParam::BondMode,
            word(mode.and_then(|it| Some((&it.value.as_ref()?.0, it.place)))),
        ),
        (
            InterfaceParam::BondLacpRate,
            word(rate.and_then(|it| Some((&it.value.as_ref()?.0, it.place)))),
        ),
        (
            InterfaceParam::BondXmitHashPolicy,
            word(policy.and_then(|it| Some((&it.value.as_ref()?.0, it.place)))),
        ),
        (InterfaceParam::BondMiimon, number(&it.bond_miimon)),
        (InterfaceParam::BondUpdelay, number(&it.bond_updelay)),
        (InterfaceParam::BondDowndelay, number(&it.bond_downdelay)),
        (
            InterfaceParam::BondNumGratArp,
            number(&it.bond_num_grat_arp),
        ),
        (
            InterfaceParam::BridgeType,
            word(bridge.and_then(|it| Some((&it.value.as_ref()?.0, it.place)))),
        ),
        (
            InterfaceParam::BridgeStp,
            stp.and_then(|it| Some((it.value?.to_string(), it.place))),
        ),
        (InterfaceParam::BridgeFd, number(&it.bridge_fd)),
    ];
    all.into_iter()
        .filter_map(|(param, stated)| stated.map(|(value, place)| (param, value, place)))
        .collect()
}

/// 552 to 65535, as for a VLAN (seen on 3.5.12 and 3.7.3).
fn mtu(draft: &InterfaceDraft, findings: &mut Findings<'_>) -> Option<u32> {
    let stated = draft.settings.mtu.as_ref()?;
    let mtu = stated.value?;
    if (552..=65535).contains(&mtu) {
        return Some(mtu);
    }
    let message = format!("MAAS does not accept an MTU of {mtu}");
    let help = "write a number from 552 to 65535";
    findings.add(codes::INTERFACE_PARAM, stated.place, message, help);
    None
}

/// MAAS reads a list of tags as words between commas.
fn tags(draft: &InterfaceDraft, findings: &mut Findings<'_>) -> Option<BTreeSet<String>> {
    let stated = draft.settings.tags.as_ref()?;
    let mut tags = BTreeSet::new();
    for tag in stated {
        let Some(text) = &tag.value else { continue };
        let plain = |c: char| c.is_alphanumeric() || "-_.:/+=".contains(c);
        if text.is_empty() || !text.chars().all(plain) {
            let message = format!("`{}` cannot be a tag", shown(text));
            let help = "write letters, digits, and `-_.:/+=`";
            findings.add(codes::INTERFACE_PARAM, tag.place, message, help);
            continue;
        }
        tags.insert(text.clone());
    }
    Some(tags)
}
