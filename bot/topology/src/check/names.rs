//! What may be called what: plane keys, host names, and the names that MAAS takes.
//!
//! Fabric, space and VLAN names: 3.5.9 maasserver/models/{fabric,space,vlan}.py; lengths as seen on 3.5.12 and 3.7.3.

use crate::draft::Located;
use crate::finding::{FilePosition, Findings, codes, shown};

/// What MAAS is asked to name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NameKind {
    Fabric,
    Space,
    Vlan,
}

/// Characters in a fabric's, space's or VLAN's name.
const NAME_MAX: usize = 256;
/// Characters in a subnet's name.
const SUBNET_NAME_MAX: usize = 255;
/// Characters in a plane's key: it is also the subnet's name.
const KEY_MAX: usize = 64;

/// A name that MAAS takes, or `None` and a remark.
pub(super) fn maas_name(
    kind: NameKind,
    name: &str,
    place: FilePosition,
    findings: &mut Findings<'_>,
) -> Option<String> {
    let what = match kind {
        NameKind::Fabric => "fabric",
        NameKind::Space => "space",
        NameKind::Vlan => "vlan",
    };
    if kind == NameKind::Space && name == "undefined" {
        let help = "choose another name; to take a VLAN out of its space, write `space: none`";
        findings.add(
            codes::NAME_RESERVED,
            place,
            "`undefined` is MAAS's word for no space",
            help,
        );
        return None;
    }
    if !is_maas_name(name) {
        let message = format!("MAAS takes no {what} named `{}`", shown(name));
        let help = "use letters, digits, `-` and `_`, 256 at most";
        findings.add(codes::NAME_SYNTAX, place, message, help);
        return None;
    }
    Some(name.to_owned())
}

/// Whether MAAS takes this as the name of a fabric, space or VLAN.
pub(crate) fn is_maas_name(name: &str) -> bool {
    let known = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | ' ');
    !name.trim().is_empty() && name.chars().count() <= NAME_MAX && name.chars().all(known)
}

/// Whether MAAS gives names like this itself: `fabric-3`, `space-12`.
pub(crate) fn is_generated(stem: &str, name: &str) -> bool {
    name.strip_prefix(stem)
        .and_then(|rest| rest.strip_prefix('-'))
        .is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

/// Whether this can be a plane's key.
pub(crate) fn is_key(key: &str) -> bool {
    let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    key.len() <= KEY_MAX
        && key.starts_with(|c: char| c.is_ascii_alphanumeric())
        && key.chars().all(known)
}

/// A subnet's name; MAAS's own form refuses some characters that its rows may hold.
pub(super) fn subnet(draft: &Located<String>, findings: &mut Findings<'_>) -> Option<String> {
    let name = draft.value.as_deref()?;
    let length = name.chars().count();
    if length == 0 || length > SUBNET_NAME_MAX {
        let help = "use 1 to 255 characters, or leave the line out";
        let message = format!("MAAS takes no subnet name of {length} characters");
        findings.add(codes::NAME_SYNTAX, draft.place, message, help);
        return None;
    }
    let known = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':' | ' ' | '/');
    if !name.chars().all(known) {
        let message = format!("MAAS's form refuses the subnet name `{}`", shown(name));
        let help = "use letters, digits, blanks and `- _ . : /`";
        findings.add(codes::NAME_ODD, draft.place, message, help);
    }
    Some(name.to_owned())
}

/// Free text. Control characters are let through to MAAS, never in silence.
pub(super) fn text(draft: &Located<String>, findings: &mut Findings<'_>) -> Option<String> {
    let text = draft.value.as_deref()?;
    if text
        .trim_end_matches('\n')
        .chars()
        .any(|c| c.is_control() && c != '\n')
    {
        let message = format!("`{}` holds control characters", shown(text));
        findings.add(
            codes::VALUE_CONTROL,
            draft.place,
            message,
            "write it without them",
        );
    }
    Some(text.to_owned())
}

/// A host name as RFC 1123 has it, dots allowed.
pub(super) fn host(draft: &Located<String>, findings: &mut Findings<'_>) -> Option<String> {
    let name = draft.value.as_deref()?;
    let label = |l: &str| {
        (1..=63).contains(&l.len())
            && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !l.starts_with('-')
            && !l.ends_with('-')
    };
    if name.len() <= 253 && name.split('.').all(label) {
        return Some(name.to_owned());
    }
    let message = format!("`{}` is no host name", shown(name));
    findings.add(
        codes::MACHINE_NAME,
        draft.place,
        message,
        "use letters, digits, `-` and dots",
    );
    None
}

/// The name of an interface of the jumphost, as the Linux kernel takes it: at most 15 bytes. The characters are fewer than
/// the kernel's, because the name is put into commands that a person copies.
pub(super) fn interface(draft: &Located<String>, findings: &mut Findings<'_>) -> Option<String> {
    let name = draft.value.as_deref()?;
    let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let begins = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if begins && name.len() <= 15 && name.chars().all(known) {
        return Some(name.to_owned());
    }
    let message = format!("`{}` is no name of an interface", shown(name));
    let help = "use letters, digits, `-`, `_` and dots, 15 at most";
    findings.add(codes::JUMPHOST_INTERFACE, draft.place, message, help);
    None
}
