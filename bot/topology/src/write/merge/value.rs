//! Single values: resolves them, and writes new ones in the same style.

use std::net::IpAddr;

use crate::address::{Cidr, Range};
use crate::draft::{AddressRef, Leaf as _, Offset, RangeRef};
use crate::write::import::SiteImport;
use crate::write::literal::{address_in, literal};
use crate::write::patch::{FieldEdits, FilePatch};
use crate::write::plane::{range_in, resolver};
use crate::write::scalar::{quoted, scalar, single};
use crate::write::tree::word;
use crate::yaml::YamlNode;

fn read(text: &str) -> Option<AddressRef> {
    AddressRef::parse(text, true).ok()
}

/// Resolves an address in the subnet as it is now.
pub(super) fn address(import: &SiteImport<'_>, text: &str, home: Cidr) -> Option<IpAddr> {
    resolved(import, &read(text)?, home)
}

fn resolved(import: &SiteImport<'_>, stated: &AddressRef, home: Cidr) -> Option<IpAddr> {
    match stated {
        AddressRef::Literal(ip) => Some(*ip),
        AddressRef::Offset(Offset(offset)) => home.at(*offset),
        AddressRef::Plane(key, Offset(offset)) => {
            let subnets = &import.plane(key)?.subnets;
            let first = subnets.iter().find(|s| s.cidr.is_v6() == home.is_v6())?;
            first.cidr.at(*offset)
        }
    }
}

/// Writes an address in the style of the one before it.
pub(super) fn address_like(
    import: &SiteImport<'_>,
    before: &str,
    home: Cidr,
    ip: IpAddr,
) -> String {
    match read(before) {
        Some(AddressRef::Literal(_)) => literal(ip),
        Some(AddressRef::Offset(_)) if home.contains(ip) => address_in(home, ip),
        Some(AddressRef::Offset(_) | AddressRef::Plane(..)) | None => resolver(import, home, ip),
    }
}

/// Resolves a range.
pub(super) fn range(import: &SiteImport<'_>, text: &str, home: Cidr) -> Option<Range> {
    let stated = RangeRef::parse(text, true).ok()?;
    let start = resolved(import, &stated.start, home)?;
    Range::new(start, resolved(import, &stated.end, home)?)
}

/// Writes a range in the style of the one before it: with offsets or full addresses, and with its separator.
pub(super) fn range_like(before: &str, home: Cidr, range: Range) -> String {
    let stated = RangeRef::parse(before, true).ok();
    let full = stated.is_some_and(|stated| matches!(stated.start, AddressRef::Literal(_)));
    let middle = if before.contains("..") || !before.contains('-') {
        ".."
    } else if before.contains(" - ") {
        " - "
    } else {
        "-"
    };
    if !full {
        return range_in(home, range).replace("..", middle);
    }
    let whole = if range.start() == range.end() {
        range.start().to_string()
    } else {
        format!("{}{middle}{}", range.start(), range.end())
    };
    if range.start().is_ipv6() {
        format!("\"{whole}\"")
    } else {
        whole
    }
}

/// A word with the quotes of the one before it. For words that mean the same with and without quotes.
pub(super) fn in_quotes(before: &str, word: &str) -> String {
    let bare = word.trim_matches('"');
    if before.starts_with('"') {
        format!("\"{bare}\"")
    } else if before.starts_with('\'') && !bare.contains('\'') {
        format!("'{bare}'")
    } else {
        word.to_owned()
    }
}

/// Text with the quotes of the one before it.
pub(super) fn text_like(before: &str, text: &str) -> String {
    match before.chars().next() {
        Some('"') => quoted(text),
        Some('\'') => single(text).unwrap_or_else(|| scalar(text)),
        Some(_) | None => scalar(text),
    }
}

/// Sets a field to a text.
pub(super) fn set_text(
    fields: &mut FieldEdits<'_>,
    patch: &FilePatch,
    key: &'static str,
    text: &str,
) {
    let node = fields.get(key);
    if node.and_then(word) == Some(text) {
        return;
    }
    let before = node.map_or("", |node| patch.written(node));
    fields.set(key, &text_like(before, text));
}

/// Sets a field to a word that means the same with and without quotes.
pub(super) fn set_word(
    fields: &mut FieldEdits<'_>,
    patch: &FilePatch,
    key: &'static str,
    stated: &str,
) {
    let before = fields.get(key).map_or("", |node| patch.written(node));
    let stated = in_quotes(before, stated);
    fields.set(key, &stated);
}

/// The scalar under `key` of a list item.
pub(super) fn text_at<'n>(node: &'n YamlNode, key: &str) -> Option<&'n str> {
    crate::write::tree::field(node, key).and_then(word)
}
