//! One plane: its VLAN's fields, then its subnets.

use crate::check::names::{self, NameKind};
use crate::object::Vlan;
use crate::plane::{Dhcp, Plane};
use crate::write::import::{ImportedPlane, SiteImport};
use crate::write::patch::{FieldEdits, FilePatch, ItemEdits};
use crate::write::plane::{dhcp, subnet_text};
use crate::write::scalar::scalar;
use crate::write::tree::{field, items, subnets_in};
use crate::yaml::YamlNode;

use super::subnet::{self, SubnetMerge};
use super::value::{set_text, set_word};

/// Keys in the order in which they are usually written.
const ORDER: &[&str] = &[
    "plane",
    "description",
    "fabric",
    "vid",
    "vlan_name",
    "space",
    "mtu",
    "dhcp",
    "strategy",
    "adopt",
    "cidr",
    "name",
    "gateway",
    "dns",
    "reserve",
    "routes",
    "reserved_ips",
    "managed",
    "allow_dns",
    "allow_proxy",
    "active_discovery",
    "rdns_mode",
    "subnet_description",
    "disabled_boot_architectures",
    "subnets",
];

/// Updates a plane's VLAN and subnets, and adds new subnets.
pub(super) fn change(
    import: &SiteImport<'_>,
    plane: &ImportedPlane<'_>,
    node: &YamlNode,
    patch: &mut FilePatch,
) {
    let Some(before) = import.declaration.topology.planes.get(&plane.key) else {
        return;
    };
    let mut fields = FieldEdits::of(node);
    let mut further = ItemEdits::default();
    if import.selection.everything() {
        vlan(import, (before, plane.vlan), &mut fields, patch);
        subnets(
            import,
            plane,
            (before, node),
            (&mut fields, &mut further),
            patch,
        );
    }
    add_subnets(import, plane, node, &mut fields, &mut further);
    let all = items(field(node, "subnets")).len();
    if all > 0 && further.removed.len() == all && further.added.is_empty() {
        fields.remove("subnets");
    } else if let Some(list) = field(node, "subnets").filter(|_| !further.is_empty()) {
        patch.items(list, further);
    }
    patch.fields(fields, ORDER);
}

fn vlan(
    import: &SiteImport<'_>,
    (before, now): (&Plane, &Vlan),
    fields: &mut FieldEdits<'_>,
    patch: &FilePatch,
) {
    if before.vlan.fabric != now.at.fabric {
        set_text(fields, patch, "fabric", &now.at.fabric);
    }
    if before.vlan.vid != now.at.vid {
        if now.at.vid == 0 {
            fields.remove("vid");
        } else {
            set_word(fields, patch, "vid", &now.at.vid.to_string());
        }
    }
    let name = now.name.as_deref().filter(|_| now.at.vid != 0);
    if before.vlan_name.is_some() && before.vlan_name.as_deref() != name {
        match name.filter(|name| names::is_maas_name(NameKind::Vlan, name)) {
            Some(name) => set_text(fields, patch, "vlan_name", name),
            None => fields.remove("vlan_name"),
        }
    }
    if let Some(space) = before.space.as_ref().filter(|space| **space != now.space) {
        match now.space.as_deref() {
            None => fields.set("space", "none"),
            Some(name) if names::is_maas_name(NameKind::Space, name) && name != "undefined" => {
                match space {
                    Some(_) => set_text(fields, patch, "space", name),
                    // `none` was written without quotes; with quotes it is a name.
                    None => fields.set("space", &scalar(name)),
                }
            }
            Some(_) => fields.remove("space"),
        }
    }
    if before.mtu.is_some_and(|mtu| mtu != now.mtu) {
        if (552..=65535).contains(&now.mtu) {
            set_word(fields, patch, "mtu", &now.mtu.to_string());
        } else {
            fields.remove("mtu");
        }
    }
    if before
        .dhcp
        .as_ref()
        .is_some_and(|stated| !serves(import, stated, now))
    {
        match dhcp(import, now) {
            Ok(served) => fields.set("dhcp", &served),
            Err(_) => fields.remove("dhcp"),
        }
    }
}

/// Whether DHCP is served as declared.
fn serves(import: &SiteImport<'_>, stated: &Dhcp, vlan: &Vlan) -> bool {
    let rack = |id: &Option<String>| id.as_deref().and_then(|id| import.rack(id));
    match stated {
        Dhcp::Off => !vlan.dhcp_on && vlan.relay.is_none(),
        Dhcp::Relay(to) => {
            let planes = import.declaration.topology.planes.values();
            let mut to = planes.filter(|plane| plane.vlan == *to);
            let now = to.next().and_then(|plane| import.plane(&plane.key));
            vlan.relay.is_some() && now.map(|plane| &plane.vlan.at) == vlan.relay.as_ref()
        }
        Dhcp::On { primary, secondary } => {
            let named = primary.is_some();
            vlan.dhcp_on
                && vlan.relay.is_none()
                && vlan.primary_rack.is_some()
                && (!named || primary.as_deref() == rack(&vlan.primary_rack))
                && (!named || secondary.as_deref() == rack(&vlan.secondary_rack))
        }
    }
}

fn subnets(
    import: &SiteImport<'_>,
    plane: &ImportedPlane<'_>,
    (before, node): (&Plane, &YamlNode),
    (fields, further): (&mut FieldEdits<'_>, &mut ItemEdits),
    patch: &mut FilePatch,
) {
    let own = usize::from(field(node, "cidr").is_some());
    let mut kept = 0;
    for (place, stated) in subnets_in(node).into_iter().enumerate() {
        let Some(declared) = before.subnets.get(place) else {
            continue;
        };
        let now = import.declaration.now.get(&declared.cidr);
        let Some(now) = now.and_then(|cidr| import.observed.subnet(cidr)) else {
            if place < own {
                ORDER[9..23].iter().for_each(|key| fields.remove(key));
            } else {
                further.removed.insert(place - own);
            }
            continue;
        };
        let home = SubnetMerge {
            import,
            before: declared,
            now,
            default_name: if kept == 0 {
                plane.key.clone()
            } else {
                now.cidr.to_string()
            },
        };
        kept += 1;
        if place < own {
            subnet::change(&home, fields, patch);
        } else {
            let mut fields = FieldEdits::of(stated);
            subnet::change(&home, &mut fields, patch);
            patch.fields(fields, ORDER);
        }
    }
}

fn add_subnets(
    import: &SiteImport<'_>,
    plane: &ImportedPlane<'_>,
    node: &YamlNode,
    fields: &mut FieldEdits<'_>,
    further: &mut ItemEdits,
) {
    let mut texts = Vec::new();
    for subnet in plane.subnets.iter().skip(plane.declared) {
        texts.push(subnet_text(import, plane, subnet).trim_end().to_owned());
    }
    if plane.declared == 0 && !texts.is_empty() && field(node, "subnets").is_none() {
        fields.add("cidr", texts.remove(0));
    }
    if texts.is_empty() {
        return;
    }
    if let Some(list) = field(node, "subnets") {
        let last = items(Some(list)).len().checked_sub(1);
        let texts = texts.into_iter().map(|text| (last, text));
        return further.added.extend(texts);
    }
    let texts: Vec<String> = texts
        .iter()
        .map(|text| format!("  - {}\n", text.replace('\n', "\n    ")))
        .collect();
    fields.add(
        "subnets",
        format!("subnets:\n{}", texts.concat().trim_end()),
    );
}
