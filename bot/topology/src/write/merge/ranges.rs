//! The lists of a subnet: reservations, static routes, reserved IPs. Items that still exist keep their position.

use crate::address::Cidr;
use crate::object::{IpRange, Object, RangeKind, ReservedIp, StaticRoute};
use crate::plane::Purpose;
use crate::write::patch::{FieldEdits, FilePatch, ItemEdits};
use crate::write::plane;
use crate::write::tree::{items, word};
use crate::yaml::YamlNode;

use super::pairing::{paired, unpaired};
use super::subnet::SubnetMerge;
use super::value::{
    address, address_like, in_quotes, range, range_like, set_text, set_word, text_at,
};

/// Changes the reservations.
pub(super) fn reservations(
    home: &SubnetMerge<'_>,
    fields: &mut FieldEdits<'_>,
    patch: &mut FilePatch,
) {
    let (import, cidr) = (home.import, home.now.cidr);
    let mut there: Vec<&IpRange> = import.observed.ranges_of(cidr).collect();
    there.sort_by_key(|range| range.range);
    let list = fields.get("reserve");
    if list.and_then(word).is_some() {
        return;
    }
    let declared = items(list);
    let meant = |node: &YamlNode| range(import, text_at(node, "range")?, cidr);
    let kind = |node: &YamlNode| match text_at(node, "purpose") {
        Some("dynamic") => Purpose::Dynamic.kind(),
        Some(_) | None => RangeKind::Reserved,
    };
    let name = |node: &YamlNode| text_at(node, "name").unwrap_or_default().to_owned();
    let pairs = paired(
        declared,
        &there,
        &[
            &|node, it| meant(node) == Some(it.range) && kind(node) == it.kind,
            &|node, it| meant(node) == Some(it.range),
            &|node, it| kind(node) == it.kind && name(node) == it.comment && !it.comment.is_empty(),
            &|node, it| {
                kind(node) == it.kind && meant(node).is_some_and(|range| range.overlaps(&it.range))
            },
        ],
    );
    for (node, pair) in declared.iter().zip(&pairs) {
        let Some(it) = pair.map(|at| there[at]) else {
            continue;
        };
        let mut fields = FieldEdits::of(node);
        match it.comment.as_str() {
            "" if name(node).is_empty() => {}
            "" => fields.remove("name"),
            comment => set_text(&mut fields, patch, "name", comment),
        }
        if kind(node) != it.kind {
            let purpose = plane::purpose(it).unwrap_or("reserved");
            set_word(&mut fields, patch, "purpose", purpose);
        }
        if meant(node) != Some(it.range) {
            let like = range_like(text_at(node, "range").unwrap_or_default(), cidr, it.range);
            set_word(&mut fields, patch, "range", &like);
        }
        patch.fields(fields, &["name", "purpose", "range"]);
    }
    let text = |at: usize| plane::reservation(cidr, there[at]);
    listed(
        "reserve",
        (declared, &pairs, there.len()),
        &text,
        fields,
        patch,
    );
}

/// Changes the static routes, where they are declared.
pub(super) fn routes(home: &SubnetMerge<'_>, fields: &mut FieldEdits<'_>, patch: &mut FilePatch) {
    let (import, cidr) = (home.import, home.now.cidr);
    let Some(list) = fields.get("routes").filter(|list| word(list).is_none()) else {
        return;
    };
    let none = Vec::new();
    let there: &[&StaticRoute] = import.routes.get(&cidr).unwrap_or(&none);
    let to = |node: &YamlNode| -> Option<Cidr> {
        let to = text_at(node, "to")?;
        if to.contains('/') {
            return to.parse().ok();
        }
        let subnets = &import.plane(to)?.subnets;
        let first = subnets.iter().find(|s| s.cidr.is_v6() == cidr.is_v6());
        first.map(|first| first.cidr)
    };
    let via = |node: &YamlNode| address(import, text_at(node, "via")?, cidr);
    let metric = |node: &YamlNode| text_at(node, "metric").unwrap_or("0").parse().ok();
    let declared = items(Some(list));
    let pairs = paired(
        declared,
        there,
        &[
            &|node, it| to(node) == Some(it.destination) && via(node) == Some(it.gateway),
            &|node, it| to(node) == Some(it.destination),
            &|node, it| via(node) == Some(it.gateway),
        ],
    );
    for (node, pair) in declared.iter().zip(&pairs) {
        let Some(it) = pair.map(|at| there[at]) else {
            continue;
        };
        let mut fields = FieldEdits::of(node);
        if to(node) != Some(it.destination) {
            set_word(
                &mut fields,
                patch,
                "to",
                &plane::destination(import, it.destination),
            );
        }
        if via(node) != Some(it.gateway) {
            let before = text_at(node, "via").unwrap_or_default();
            let like = address_like(import, before, cidr, it.gateway);
            set_word(&mut fields, patch, "via", &like);
        }
        if metric(node) != Some(it.metric) {
            set_word(&mut fields, patch, "metric", &it.metric.to_string());
        }
        patch.fields(fields, &["to", "via", "metric"]);
    }
    let text = |at: usize| plane::route(import, cidr, there[at]);
    listed(
        "routes",
        (declared, &pairs, there.len()),
        &text,
        fields,
        patch,
    );
}

/// Changes the reserved IPs, where they are declared.
pub(super) fn reserved_ips(
    home: &SubnetMerge<'_>,
    fields: &mut FieldEdits<'_>,
    patch: &mut FilePatch,
) {
    let (import, cidr) = (home.import, home.now.cidr);
    let Some(list) = fields
        .get("reserved_ips")
        .filter(|list| word(list).is_none())
    else {
        return;
    };
    let all = import.observed.all().filter_map(Object::as_reserved_ip);
    let there: Vec<&ReservedIp> = all.filter(|reserved| reserved.subnet == cidr).collect();
    let ip = |node: &YamlNode| address(import, text_at(node, "ip")?, cidr);
    let mac =
        |node: &YamlNode| text_at(node, "mac").map(|mac| mac.to_lowercase().replace('-', ":"));
    let declared = items(Some(list));
    let pairs = paired(
        declared,
        &there,
        &[&|node, it| ip(node) == Some(it.ip), &|node, it| {
            mac(node).as_ref() == Some(&it.mac)
        }],
    );
    for (node, pair) in declared.iter().zip(&pairs) {
        let Some(it) = pair.map(|at| there[at]) else {
            continue;
        };
        let mut fields = FieldEdits::of(node);
        if ip(node) != Some(it.ip) {
            let before = text_at(node, "ip").unwrap_or_default();
            let like = address_like(import, before, cidr, it.ip);
            set_word(&mut fields, patch, "ip", &like);
        }
        if mac(node).as_ref() != Some(&it.mac) {
            let before = fields.get("mac").map_or("", |node| patch.written(node));
            let like = in_quotes(before, &format!("\"{}\"", it.mac));
            fields.set("mac", &like);
        }
        match it.comment.as_str() {
            "" if text_at(node, "comment").unwrap_or_default().is_empty() => {}
            "" => fields.remove("comment"),
            comment => set_text(&mut fields, patch, "comment", comment),
        }
        patch.fields(fields, &["ip", "mac", "comment"]);
    }
    let text = |at: usize| plane::reserved_ip(cidr, there[at]);
    listed(
        "reserved_ips",
        (declared, &pairs, there.len()),
        &text,
        fields,
        patch,
    );
}

/// Removes the items without a counterpart, and adds the new ones at their position.
fn listed(
    key: &'static str,
    (declared, pairs, there): (&[YamlNode], &[Option<usize>], usize),
    text: &dyn Fn(usize) -> String,
    fields: &mut FieldEdits<'_>,
    patch: &mut FilePatch,
) {
    let gone = pairs.iter().enumerate().filter(|(_, pair)| pair.is_none());
    let new = unpaired(pairs, there);
    let change = ItemEdits {
        removed: gone.map(|(at, _)| at).collect(),
        added: new
            .iter()
            .map(|(behind, at)| (*behind, text(*at)))
            .collect(),
    };
    match fields.get(key) {
        _ if change.is_empty() => {}
        None => {
            let texts: Vec<String> = change
                .added
                .iter()
                .map(|(_, text)| format!("  - {}\n", text.replace('\n', "\n    ")))
                .collect();
            fields.add(key, format!("{key}:\n{}", texts.concat().trim_end()));
        }
        // Omitting routes or reserved IPs would mean leaving them alone.
        Some(_) if there == 0 && key != "reserve" => fields.set(key, "[]"),
        Some(_) if there == 0 => fields.remove(key),
        Some(list) if declared.is_empty() => {
            let texts = change.added.into_iter();
            let added = texts.map(|(_, text)| (None, text)).collect();
            patch.items(
                list,
                ItemEdits {
                    added,
                    ..ItemEdits::default()
                },
            );
        }
        Some(list) => patch.items(list, change),
    }
}
