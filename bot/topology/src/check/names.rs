//! Valid names: plane keys, host names, and names in MAAS.
//!
//! Fabric, space and VLAN names: 3.5.9 maasserver/models/{fabric,space,vlan}.py; lengths as seen on 3.5.12 and 3.7.3.

use crate::draft::Located;
use crate::finding::{FilePosition, Findings, codes, shown};

/// The kinds of objects that MAAS names by the same rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NameKind {
    Fabric,
    Space,
    Vlan,
}

/// The most characters in a fabric's, space's or VLAN's name.
const NAME_MAX: usize = 256;
/// The most characters in a subnet's name.
const SUBNET_NAME_MAX: usize = 255;
/// The most characters in a plane's key, which is also the subnet's name.
const KEY_MAX: usize = 64;

/// A name that MAAS accepts, or `None` and a finding.
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

/// Whether MAAS generates names like this itself: `fabric-3`, `space-12`.
pub(crate) fn is_generated(stem: &str, name: &str) -> bool {
    name.strip_prefix(stem)
        .and_then(|rest| rest.strip_prefix('-'))
        .is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

/// Whether this is a valid plane key.
pub(crate) fn is_key(key: &str) -> bool {
    let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    key.len() <= KEY_MAX
        && key.starts_with(|c: char| c.is_ascii_alphanumeric())
        && key.chars().all(known)
}

/// A subnet's name. MAAS's web form refuses some characters that its database allows.
pub(super) fn subnet(draft: &Located<String>, findings: &mut Findings<'_>) -> Option<String> {
    let name = draft.value.as_deref()?;
    let length = name.chars().count();
    if length == 0 || length > SUBNET_NAME_MAX {
        let help = "use 1 to 255 characters, or remove the line";
        let message = format!("MAAS does not accept a subnet name of {length} characters");
        findings.add(codes::NAME_SYNTAX, draft.place, message, help);
        return None;
    }
    let known = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':' | ' ' | '/');
    if !name.chars().all(known) {
        let message = format!("MAAS's web form refuses the subnet name `{}`", shown(name));
        let help = "use letters, digits, spaces and `- _ . : /`";
        findings.add(codes::NAME_ODD, draft.place, message, help);
    }
    Some(name.to_owned())
}

/// Free text. Control characters are sent to MAAS, with a warning.
pub(super) fn text(draft: &Located<String>, findings: &mut Findings<'_>) -> Option<String> {
    let text = draft.value.as_deref()?;
    if text
        .trim_end_matches('\n')
        .chars()
        .any(|c| c.is_control() && c != '\n')
    {
        let message = format!("`{}` contains control characters", shown(text));
        findings.add(codes::VALUE_CONTROL, draft.place, message, "remove them");
    }
    Some(text.to_owned())
}

/// A host name as in RFC 1123; dots are allowed.
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
    let message = format!("`{}` is not a valid host name", shown(name));
    findings.add(
        codes::MACHINE_NAME,
        draft.place,
        message,
        "use letters, digits, `-` and dots",
    );
    None
}

/// The name of an interface of the jumphost: at most 15 bytes, as in the Linux kernel. Fewer characters are allowed than in
/// the kernel, because the name appears in commands that a person copies.
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
