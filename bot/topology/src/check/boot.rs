//! Boot architectures that a subnet may refuse.
//!
//! The names are the same from 3.0 to 3.7; whether a release has the field at all is asked by the planner, which knows the
//! release. Must not know what boots.

use std::collections::BTreeSet;

use crate::draft::{Located, nearest};
use crate::finding::{Findings, codes, shown};

/// Names of MAAS's boot methods, with the DHCP codes for which MAAS stores the name (seen on 3.5.12 and 3.7.3).
const ARCHITECTURES: [(&str, &str); 11] = [
    ("pxe", "00"),
    ("uefi_amd64_tftp", "07"),
    ("uefi_ebc_tftp", "09"),
    ("uefi_arm64_tftp", "0B"),
    ("open-firmware_ppc64el", "0C"),
    ("powernv", "0E"),
    ("uefi_amd64_http", "10"),
    ("uefi_arm64_http", "13"),
    ("s390x", "1F"),
    ("s390x_partition", "20"),
    ("ipxe", ""),
];

/// The names in order, each once. Others have a finding: MAAS refuses them, or stores a name in place of a code.
pub(super) fn architectures(
    stated: &[Located<String>],
    findings: &mut Findings<'_>,
) -> Vec<String> {
    let mut sorted = BTreeSet::new();
    for draft in stated {
        let Some(word) = draft.value.as_deref() else {
            continue;
        };
        if ARCHITECTURES.iter().any(|(name, _)| *name == word) {
            sorted.insert(word.to_owned());
            continue;
        }
        let digits = word
            .strip_prefix("0x")
            .or_else(|| word.strip_prefix("00:"))
            .filter(|digits| !digits.is_empty());
        let coded = digits.and_then(|digits| {
            ARCHITECTURES
                .iter()
                .find(|(_, code)| code.eq_ignore_ascii_case(digits))
        });
        let (message, help) = match coded {
            Some((name, _)) => (
                format!("MAAS stores `{name}` for the code `{}`", shown(word)),
                format!("write `{name}`"),
            ),
            None => (
                format!("MAAS knows no boot architecture `{}`", shown(word)),
                similar(word),
            ),
        };
        findings.add(codes::VALUE_RANGE, draft.place, message, help);
    }
    sorted.into_iter().collect()
}

fn similar(word: &str) -> String {
    let names = ARCHITECTURES.iter().map(|(name, _)| *name);
    nearest(word, names.clone()).map_or_else(
        || {
            let all: Vec<String> = names.map(|name| format!("`{name}`")).collect();
            format!("write one of {}", all.join(", "))
        },
        |name| format!("did you mean `{name}`?"),
    )
}
