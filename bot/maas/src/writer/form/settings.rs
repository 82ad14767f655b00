//! The fields of an interface's settings. Pure.
//!
//! A PUT without `tags` drops all tags but the last one (seen on 3.5.12 and 3.7.3), so they are sent with every PUT.

use std::collections::BTreeSet;

use topology::object::{Interface, InterfaceParam, InterfaceSettings};

use crate::transport::MaasRequest;
use crate::writer::form::{NoRequest, boolean, refusal};

/// The fields of a new interface.
pub(super) fn with_new(request: MaasRequest, new: &Interface) -> Result<MaasRequest, NoRequest> {
    let blank = Interface {
        settings: InterfaceSettings::default(),
        ..new.clone()
    };
    let request = with_changes(request, &blank, new);
    with_tags(request, &blank, new)
}

/// The fields that differ.
pub(super) fn with_changes(
    mut request: MaasRequest,
    before: &Interface,
    after: &Interface,
) -> MaasRequest {
    let (old, new) = (&before.settings, &after.settings);
    for param in InterfaceParam::all().filter(|param| param.kind() == after.kind) {
        if old.param(param) != new.param(param) {
            request = request.with_field(param.word(), new.param(param));
        }
    }
    if old.mtu != new.mtu {
        let mtu = new.mtu.map(|mtu| mtu.to_string()).unwrap_or_default();
        request = request.with_field("mtu", mtu);
    }
    if old.disabled != new.disabled {
        request = request.with_field("enabled", boolean(!new.disabled));
    }
    request
}

/// The tags, which are sent with every PUT of an interface that has some or had some.
pub(super) fn with_tags(
    request: MaasRequest,
    before: &Interface,
    after: &Interface,
) -> Result<MaasRequest, NoRequest> {
    let (old, new) = (&before.settings.tags, &after.settings.tags);
    if old.is_empty() && new.is_empty() {
        return Ok(request);
    }
    let odd = |tag: &&String| tag.chars().any(|c| c.is_whitespace() || ",\"'".contains(c));
    if let Some(tag) = new.iter().find(odd) {
        return Err(refusal(format!(
            "the tag `{tag}` of `{}:{}` would be lost: MAAS reads a list of tags as words between commas",
            after.host, after.name
        )));
    }
    Ok(request.with_field("tags", joined(new)))
}

/// The one tag that differs, where nothing else does, and whether it is new. MAAS adds and removes a tag in every state of
/// a machine.
pub(super) fn only_tag<'a>(before: &'a Interface, after: &'a Interface) -> Option<(&'a str, bool)> {
    let mut same = before.clone();
    same.settings.tags.clone_from(&after.settings.tags);
    let (old, new) = (&before.settings.tags, &after.settings.tags);
    let differ: Vec<&String> = old.symmetric_difference(new).collect();
    match differ.as_slice() {
        [tag] if same == *after => Some((tag.as_str(), new.contains(*tag))),
        _ => None,
    }
}

fn joined(tags: &BTreeSet<String>) -> String {
    tags.iter().cloned().collect::<Vec<_>>().join(",")
}
