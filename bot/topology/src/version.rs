//! The MAAS release, and how its behaviour differs from other releases.
//!
//! The table of version-dependent behaviour that plans rely on. The lab keeps a second table on purpose. Must not know how
//! requests are sent.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A MAAS release, read leniently: `3.5.9`, `3.7.0~rc1`, `3.5.3-16317-g.e3b4d8e`. Pre-releases sort before their release.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct MaasVersion {
    numbers: Option<[u32; 3]>,
    /// 0 for alpha, beta and release candidates, 1 for the release itself and later builds of it.
    stage: u8,
    text: String,
}

impl From<String> for MaasVersion {
    fn from(text: String) -> Self {
        Self::read(&text)
    }
}

impl From<MaasVersion> for String {
    fn from(version: MaasVersion) -> Self {
        version.text
    }
}

impl fmt::Display for MaasVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}

impl MaasVersion {
    /// Reads the `version` field of `GET version/`. A text that is not a version is kept, and no release's rules apply to
    /// it.
    pub fn read(text: &str) -> Self {
        let text: String = text.trim().chars().take(64).collect();
        let head_end = text
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(text.len());
        let (head, tail) = text.split_at(head_end);
        let parts: Vec<u32> = head.split('.').map_while(|p| p.parse().ok()).collect();
        let numbers = match parts.as_slice() {
            [major, minor] => Some([*major, *minor, 0]),
            [major, minor, patch, ..] => Some([*major, *minor, *patch]),
            [] | [_] => None,
        };
        let early = ["~", "a", "b", "rc", "-alpha", "-beta", "-rc"];
        let stage = u8::from(!early.iter().any(|mark| tail.starts_with(mark)));
        Self {
            numbers,
            stage,
            text,
        }
    }

    fn since(&self, release: [u32; 3]) -> bool {
        // A pre-release may already have the behaviour of its release, so it counts as that release.
        self.numbers.is_some_and(|numbers| numbers >= release)
    }

    /// Whether planebot knows this release's rules. For an unknown release it plans but never applies.
    ///
    /// 2.9 to 3.7: the tags whose source was read (2.9.2, 3.2.9, 3.4.8, 3.5.9, 3.6.5, 3.7.3). The pre-releases of 3.5.0 are
    /// excluded: the first of them refuses `true` and `false` for `allow_dns` and `allow_proxy` (3.5.0-beta1
    /// maasserver/forms/subnet.py; every release before and after accepts both).
    pub fn is_known(&self) -> bool {
        let misreads = self.numbers == Some([3, 5, 0]) && self.stage == 0;
        !misreads
            && self
                .numbers
                .is_some_and(|[major, minor, _]| matches!((major, minor), (2, 9) | (3, 0..=7)))
    }

    /// Boot architectures can be disabled per subnet since 3.0.0 (maasserver/models/subnet.py). Earlier releases silently
    /// ignore the field.
    pub fn has_boot_architectures(&self) -> bool {
        self.since([3, 0, 0])
    }

    /// Reserved IPs (`reservedips/`) exist since 3.6 (3.6.5 maasserver/models/reservedip.py).
    pub fn has_reserved_ips(&self) -> bool {
        self.since([3, 6, 0])
    }

    /// Overlapping subnets are refused since 3.7.0 (3.7.3 maasserver/models/subnet.py:455-479).
    pub fn refuses_overlap(&self) -> bool {
        self.since([3, 7, 0])
    }

    /// Since 3.7.3 MAAS refuses to delete a subnet whose addresses nodes use (maasserver/models/subnet.py:481-504).
    pub fn checks_use_on_delete(&self) -> bool {
        self.since([3, 7, 3])
    }

    /// Since 3.0.0 a DHCP snippet may be attached to one range of its subnet and is deleted with that range. No release says
    /// which range it is (3.0.0 maasserver/models/dhcpsnippet.py:89, 3.7.3 maasserver/api/dhcpsnippets.py:24-34).
    pub fn attaches_snippets_to_ranges(&self) -> bool {
        self.since([3, 0, 0])
    }

    /// Before 3.6 every write of a DHCP snippet is validated by dhcpd on a rack with an address on the subnet, or on a rack
    /// that its VLAN is relayed to; without such a rack MAAS answers 400 (3.5.12 maasserver/dhcp.py:965-1051,
    /// forms/dhcpsnippet.py:126-141).
    pub fn checks_snippets_on_a_rack(&self) -> bool {
        !self.since([3, 6, 0])
    }

    /// Since 3.0.0 the rack that a VLAN is relayed to can validate a DHCP snippet too (3.0.1 maasserver/dhcp.py:978-995;
    /// 2.9.2 has no such rule).
    pub fn checks_snippets_on_a_relay(&self) -> bool {
        self.since([3, 0, 0])
    }

    /// Since 3.7.0 a PUT of a subnet's gateway or resolvers does not reach dhcpd; a later range or VLAN write does
    /// (seen on 3.7.3; maasserver/models/signals/subnet.py:137-148).
    pub fn needs_dhcp_nudge(&self) -> bool {
        self.since([3, 7, 0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_leniently_and_ordered() {
        let read = MaasVersion::read;
        assert!(read("3.7.0~rc1") < read("3.7.0"));
        assert!(read("3.5.9~beta1") < read("3.5.12"));
        assert!(read("3.5.3-16317-g.e3b4d8e").is_known());
        assert!(read("2.9.2").is_known() && read("3.7.3").checks_use_on_delete());
        assert!(!read("3.7.2").checks_use_on_delete());
        assert!(!read("3.5.0~beta1").is_known() && read("3.5.0").is_known());
        assert!(!read("4.0.0").is_known() && !read("banana").is_known() && !read("").is_known());
    }
}
