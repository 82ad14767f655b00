//! Valid names: plane keys, host names, and names in MAAS.
//!
//! Fabric, space and VLAN names: 3.5.9 maasserver/models/{fabric,space,vlan}.py; lengths, blanks and dots as seen on 3.5.12
//! and 3.7.3.

use crate::address::Cidr;
use crate::draft::{Located, SubnetNameDraft};
use crate::finding::{FilePosition, Findings, codes, shown};

/// The kinds of objects that MAAS names by the same rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NameKind {
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
    if !is_maas_name(kind, name) {
        let message = format!("MAAS takes no {what} named `{}`", shown(name));
        let help = match (kind, similar(kind, name)) {
            (_, Some(similar)) => format!("write for example `{similar}`"),
            (NameKind::Vlan, None) => {
                "use letters, digits, `-`, `_` and blanks inside, 256 at most".to_owned()
            }
            (NameKind::Fabric | NameKind::Space, None) => {
                "use letters, digits, `-` and `_`, 256 at most".to_owned()
            }
        };
        findings.add(codes::NAME_SYNTAX, place, message, help);
        return None;
    }
    Some(name.to_owned())
}

/// Whether MAAS takes this as the name of a fabric, space or VLAN. Only a VLAN's may have blanks, though not at its ends, where
/// MAAS drops them, and it does not begin with `-`.
pub(crate) fn is_maas_name(kind: NameKind, name: &str) -> bool {
    let is_vlan = kind == NameKind::Vlan;
    let known = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-') || (c == ' ' && is_vlan);
    let fits_vlan = !is_vlan || (name.trim() == name && !name.starts_with('-'));
    !name.is_empty() && name.chars().count() <= NAME_MAX && name.chars().all(known) && fits_vlan
}

/// The name with `-` for what MAAS refuses, if that makes a valid one.
fn similar(kind: NameKind, name: &str) -> Option<String> {
    let known = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    let replaced: String = name
        .trim()
        .chars()
        .map(|c| if known(c) { c } else { '-' })
        .collect();
    let trimmed = replaced.trim_matches('-');
    is_maas_name(kind, trimmed).then(|| trimmed.to_owned())
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

/// A subnet's name as MAAS takes it (seen on 3.5.12 and 3.7.3).
pub(super) fn subnet(
    draft: &Located<SubnetNameDraft>,
    cidr: Cidr,
    findings: &mut Findings<'_>,
) -> Option<String> {
    let name = match draft.value.as_ref()? {
        // MAAS calls a subnet without a name by its CIDR.
        SubnetNameDraft::Unnamed => return Some(cidr.to_string()),
        SubnetNameDraft::Named(name) => name,
    };
    let length = name.chars().count();
    if length == 0 || length > SUBNET_NAME_MAX {
        let help = "use 1 to 255 characters, or remove the line";
        let message = format!("MAAS does not accept a subnet name of {length} characters");
        findings.add(codes::NAME_SYNTAX, draft.place, message, help);
        return None;
    }
    if name.trim() != name {
        let message = format!(
            "MAAS drops the blanks around the subnet name `{}`",
            shown(name)
        );
        let help = if name.trim().is_empty() {
            "write `none` for a subnet without a name, which MAAS calls by its CIDR".to_owned()
        } else {
            format!("write `{}`", shown(name.trim()))
        };
        findings.add(codes::NAME_SYNTAX, draft.place, message, help);
        return None;
    }
    let known = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':' | ' ' | '/');
    if !name.chars().all(known) {
        let message = format!("MAAS refuses the subnet name `{}`", shown(name));
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
