//! One subnet: its name, its addresses, its flags.

use std::net::IpAddr;

use crate::object::Subnet;
use crate::plane::PlaneSubnet;
use crate::write::import::SiteImport;
use crate::write::naming::{is_unnamed, subnet_name};
use crate::write::patch::{FieldEdits, FilePatch, ItemEdits};
use crate::write::plane::{resolver, scalar_cidr};
use crate::write::scalar::scalar;
use crate::write::tree::{items, word};
use crate::yaml::YamlNode;

use super::ranges;
use super::value::{address, address_like, in_quotes, set_text, set_word};

/// A subnet as declared, and as observed.
pub(super) struct SubnetMerge<'a> {
    pub(super) import: &'a SiteImport<'a>,
    pub(super) before: &'a PlaneSubnet,
    pub(super) now: &'a Subnet,
    /// Its name if none is declared.
    pub(super) default_name: String,
}

/// Updates a subnet's declaration.
pub(super) fn change(home: &SubnetMerge<'_>, fields: &mut FieldEdits<'_>, patch: &mut FilePatch) {
    let now = home.now;
    if home.before.cidr != now.cidr {
        set_word(fields, patch, "cidr", &scalar_cidr(now.cidr));
    }
    let meant = fields
        .get("name")
        .map_or(&home.default_name, |_| &home.before.name);
    if *meant != now.name {
        if home.default_name == now.name {
            fields.remove("name");
        } else if is_unnamed(now) || home.before.name == home.before.cidr.to_string() {
            // Whether quotes are right depends on which of the two it is, not on what was there.
            fields.set("name", &subnet_name(now));
        } else {
            set_text(fields, patch, "name", &now.name);
        }
    }
    gateway(home, fields, patch);
    resolvers(home, fields, patch);
    ranges::reservations(home, fields, patch);
    ranges::routes(home, fields, patch);
    ranges::reserved_ips(home, fields, patch);
    switches(home, fields, patch);
}

fn gateway(home: &SubnetMerge<'_>, fields: &mut FieldEdits<'_>, patch: &FilePatch) {
    let (import, cidr) = (home.import, home.now.cidr);
    let node = fields.get("gateway");
    let stated = node.and_then(word).unwrap_or("none");
    if stated == "leave" {
        return;
    }
    let meant = Some(stated).filter(|stated| *stated != "none");
    if meant.and_then(|stated| address(import, stated, cidr)) == home.now.gateway {
        return;
    }
    match home.now.gateway {
        None => fields.remove("gateway"),
        Some(ip) => {
            let like = address_like(import, stated, cidr, ip);
            let before = node.map_or("", |node| patch.written(node));
            fields.set("gateway", &in_quotes(before, &like));
        }
    }
}

fn resolvers(home: &SubnetMerge<'_>, fields: &mut FieldEdits<'_>, patch: &mut FilePatch) {
    let (import, now) = (home.import, home.now);
    let new = |ip: &IpAddr| resolver(import, now.cidr, *ip);
    let Some(list) = fields.get("dns") else {
        if !now.dns.is_empty() {
            let all: Vec<String> = now.dns.iter().map(new).collect();
            fields.add("dns", format!("dns: [{}]", all.join(", ")));
        }
        return;
    };
    if word(list).is_some() {
        return;
    }
    let stated = items(Some(list));
    let meant = |node: &YamlNode| address(import, word(node)?, now.cidr);
    if stated
        .iter()
        .map(meant)
        .eq(now.dns.iter().copied().map(Some))
    {
        return;
    }
    if now.dns.is_empty() {
        return fields.remove("dns");
    }
    let kept = common(stated, &now.dns, &|node, ip| meant(node) == Some(*ip));
    let mut change = ItemEdits::default();
    let (mut old, mut fresh) = (0, 0);
    for (old_end, fresh_end) in kept.into_iter().chain([(stated.len(), now.dns.len())]) {
        let both = (old_end - old).min(fresh_end - fresh);
        for (node, ip) in stated[old..old + both].iter().zip(&now.dns[fresh..]) {
            let like = address_like(import, word(node).unwrap_or_default(), now.cidr, *ip);
            let like = in_quotes(patch.written(node), &like);
            patch.word(node, &like);
        }
        change.removed.extend(old + both..old_end);
        let behind = (old + both).checked_sub(1);
        let added = now.dns[fresh + both..fresh_end].iter();
        change.added.extend(added.map(|ip| (behind, new(ip))));
        (old, fresh) = (old_end + 1, fresh_end + 1);
    }
    patch.items(list, change);
}

/// The indexes, in both lists, of a longest common subsequence.
fn common<A, B>(one: &[A], other: &[B], same: &dyn Fn(&A, &B) -> bool) -> Vec<(usize, usize)> {
    let mut longest = vec![vec![0_usize; other.len() + 1]; one.len() + 1];
    for (i, a) in one.iter().enumerate().rev() {
        for (j, b) in other.iter().enumerate().rev() {
            longest[i][j] = if same(a, b) {
                longest[i + 1][j + 1] + 1
            } else {
                longest[i + 1][j].max(longest[i][j + 1])
            };
        }
    }
    let (mut i, mut j, mut row) = (0, 0, Vec::new());
    while i < one.len() && j < other.len() {
        if same(&one[i], &other[j]) {
            row.push((i, j));
            (i, j) = (i + 1, j + 1);
        } else if longest[i + 1][j] >= longest[i][j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
    row
}

fn switches(home: &SubnetMerge<'_>, fields: &mut FieldEdits<'_>, patch: &FilePatch) {
    let (before, now) = (home.before, home.now);
    for (key, stated, there) in [
        ("managed", before.managed, now.flags.managed),
        ("allow_dns", before.allow_dns, now.flags.allow_dns),
        ("allow_proxy", before.allow_proxy, now.flags.allow_proxy),
        (
            "active_discovery",
            before.active_discovery,
            now.flags.active_discovery,
        ),
    ] {
        if stated.is_some_and(|stated| stated != there) {
            set_word(fields, patch, key, &there.to_string());
        }
    }
    if before
        .rdns_mode
        .is_some_and(|stated| stated != now.flags.rdns_mode)
    {
        set_word(fields, patch, "rdns_mode", &now.flags.rdns_mode.to_string());
    }
    if before
        .description
        .as_ref()
        .is_some_and(|stated| *stated != now.description)
    {
        if now.description.is_empty() {
            fields.set("subnet_description", "\"\"");
        } else {
            set_text(fields, patch, "subnet_description", &now.description);
        }
    }
    let arches = &now.disabled_boot_architectures;
    if before
        .disabled_boot_architectures
        .as_ref()
        .is_some_and(|stated| stated != arches)
    {
        let all: Vec<String> = arches.iter().map(|arch| scalar(arch)).collect();
        fields.set(
            "disabled_boot_architectures",
            &format!("[{}]", all.join(", ")),
        );
    }
}
