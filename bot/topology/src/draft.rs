//! The content of the files, before it is checked.
//!
//! Every value keeps its position, because every finding about it needs one. A value that could not be read is `None` and
//! already has a finding, so later rules skip it. The editors' schema is generated from these types, so their doc comments
//! are written for the people who edit the files. Must not know what MAAS refuses.

mod leaf;
mod leaf_schema;
mod machine;
mod reading;
mod settings;
mod shapes;
mod state;
mod suggest;
mod templates;

use std::collections::{BTreeMap, BTreeSet};

use crate::finding::{FilePosition, Findings, codes, shown};
use crate::removed::DeclaredState;
use crate::yaml::{self, YamlNode};
use crate::{address::Cidr, plane};

pub(crate) use leaf::{
    AddressRef, Destination, GatewayDraft, Leaf, LinkAddress, Mac, Offset, RangeRef, SpaceDraft,
    SubnetNameDraft,
};
pub(crate) use machine::{InterfaceDraft, LinkDraft, MachineDraft, TemplateDraft};
pub(crate) use reading::{Located, OrLeave};
use reading::{Reader, record};
pub(crate) use shapes::{DhcpDraft, Legs, Served};
pub(crate) use state::{NamedDraft, SpaceEntry, is_absent};
pub(crate) use suggest::nearest;

/// A file: its path under the site's folder, with `/`, and its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// Shown in findings, and part of the declaration's digest.
    pub path: String,
    pub bytes: Vec<u8>,
}

/// The content of a site's files.
#[derive(Debug, Default)]
pub struct Draft {
    pub(crate) planes: Vec<PlaneFile>,
    pub(crate) machines: Vec<MachineDraft>,
    pub(crate) templates: Vec<TemplateDraft>,
    pub(crate) jumphost: Vec<JumphostDraft>,
    pub(crate) vips: Vec<VipDraft>,
    /// Planes that say `state: absent`.
    pub(crate) removed: Vec<PlaneFile>,
    pub(crate) spaces: Vec<Located<String>>,
    /// Spaces that say `state: absent`.
    pub(crate) removed_spaces: Vec<Located<String>>,
    pub(crate) fabrics: Vec<NamedDraft>,
    pub(crate) leave_alone: Vec<Located<String>>,
    /// Keys of planes in files that could not be read: a reference to one is not an unknown plane.
    pub(crate) unread: BTreeSet<String>,
}

record! {
    /// One plane: a VLAN of a fabric, and the subnets on it.
    pub(crate) struct PlaneFile {
        /// The plane's key: its name in plans and references. Letters, digits, `-`, `_` and `.`.
        plane: Located<String>,
        /// `absent`: the plane's subnets and its VLAN are removed from MAAS; only `fabric`, `vid` and each `cidr` matter
        /// then. Omitted: it is there.
        state: Option<Located<DeclaredState>>,
        /// For people; not written to MAAS.
        description: Option<Located<String>>,
        /// The fabric's name in MAAS.
        fabric: Located<String>,
        /// The VLAN's tag, 1 to 4094. Omitted: untagged.
        #[schemars(range(min = 0, max = 4094))]
        vid: Option<Located<u32>>,
        /// The VLAN's name in MAAS; an untagged VLAN has none. Omitted: left alone.
        vlan_name: Option<Located<String>>,
        /// The VLAN's space; `none` removes it from its space. Omitted: left alone.
        space: Option<Located<SpaceDraft>>,
        /// The VLAN's MTU in bytes, 552 to 65535. Omitted: left alone.
        #[schemars(range(min = 552, max = 65535))]
        mtu: Option<Located<u32>>,
        /// `on`, `off`, `{primary: rack0, secondary: rack1}` or `{relay: other-plane}`. Omitted: left alone.
        dhcp: Option<DhcpDraft>,
        /// How a change of `cidr` is carried out: `recreate` or `in-place`. Omitted: in place where the release and the
        /// other subnets allow it; the plan says which, and why.
        strategy: Option<Located<plane::Strategy>>,
        /// `true`: the plane may take over or move what its VLAN or fabric carries and no plane declares; the plan lists it.
        /// Omitted: such a change is refused.
        adopt: Option<Located<bool>>,
        /// Further subnets of the same VLAN, or all of them if there is no `cidr` above.
        subnets: Option<Vec<SubnetDraft>>,
    }
    with
        /// The plane's (first) subnet.
        subnet: SubnetDraft
}

record! {
    /// One subnet.
    pub(crate) struct SubnetDraft {
        /// The network, such as `192.0.2.0/24`.
        cidr: Option<Located<Cidr>>,
        /// The subnet's name in MAAS. Omitted: the plane's key; for a further subnet its `cidr`. `none`: its `cidr`, as MAAS
        /// calls a subnet that nobody named.
        name: Option<Located<SubnetNameDraft>>,
        /// `+1`, or an address. Omitted: no gateway. `leave` keeps what MAAS has.
        gateway: Option<Located<GatewayDraft>>,
        /// Resolvers in order: `+1`, an address, or `other-plane+1`. Omitted: none. `leave` keeps what MAAS has.
        dns: Option<OrLeave<Located<AddressRef>>>,
        /// Addresses reserved for someone. Omitted: no ranges. `leave` keeps what MAAS has.
        reserve: Option<OrLeave<ReservationDraft>>,
        /// Static routes out of this subnet. Omitted: left alone.
        routes: Option<OrLeave<RouteDraft>>,
        /// DHCP host reservations (MAAS 3.6 and later). Omitted: left alone.
        reserved_ips: Option<OrLeave<ReservedIpDraft>>,
        /// Whether MAAS allocates addresses here; with `false` it allocates only from reserved ranges. Omitted: left alone.
        managed: Option<Located<bool>>,
        /// Whether MAAS's DNS server answers queries from this subnet. Omitted: left alone.
        allow_dns: Option<Located<bool>>,
        /// Whether MAAS's proxy accepts requests from this subnet. Omitted: left alone.
        allow_proxy: Option<Located<bool>>,
        /// Whether MAAS scans this subnet. Omitted: left alone.
        active_discovery: Option<Located<bool>>,
        /// Reverse DNS: 0 off, 1 on, 2 with RFC 2317 zones. Omitted: left alone.
        #[schemars(range(min = 0, max = 2))]
        rdns_mode: Option<Located<u32>>,
        /// MAAS's description of the subnet. Omitted: left alone.
        subnet_description: Option<Located<String>>,
        /// Architectures that may not boot here. Omitted: left alone.
        disabled_boot_architectures: Option<Vec<Located<String>>>,
    }
}

record! {
    /// Addresses reserved for someone, and why.
    pub(crate) struct ReservationDraft {
        /// What it is for; MAAS shows it as the range's comment. Omitted: no comment.
        name: Option<Located<String>>,
        /// `vip`, `floating`, `management`, `dynamic` (PXE and DHCP) or `reserved`. Omitted: `reserved`.
        purpose: Option<Located<plane::Purpose>>,
        /// `+10..+99`, `192.0.2.10..192.0.2.99`, or one address.
        range: Located<RangeRef>,
        /// `absent`: this range is removed. Where every entry says so, all others are left alone.
        state: Option<Located<DeclaredState>>,
    }
}

record! {
    /// A static route out of the subnet.
    pub(crate) struct RouteDraft {
        /// A plane's key, or the CIDR of a subnet that MAAS has.
        to: Located<Destination>,
        /// The gateway, inside this subnet: `+1` or an address.
        via: Located<AddressRef>,
        /// Lower wins. Omitted: 0.
        metric: Option<Located<u32>>,
        /// `absent`: this route is removed. Where every entry says so, all others are left alone.
        state: Option<Located<DeclaredState>>,
    }
}

record! {
    /// An address that DHCP always gives to one host.
    pub(crate) struct ReservedIpDraft {
        /// `+20` or an address, inside this subnet.
        ip: Located<AddressRef>,
        /// The host's MAC address, in quotes.
        mac: Located<Mac>,
        /// For people.
        comment: Option<Located<String>>,
        /// `absent`: this reservation is removed. Where every entry says so, all others are left alone.
        state: Option<Located<DeclaredState>>,
    }
}

record! {
    /// What is declared besides planes. It may be spread over any number of files.
    pub(crate) struct SiteFile {
        /// Planes, as in a plane's own file.
        planes: Option<Vec<PlaneFile>>,
        /// Interfaces that many machines have, by name.
        templates: Option<Vec<TemplateDraft>>,
        /// Machines whose interfaces are declared.
        machines: Option<Vec<MachineDraft>>,
        /// The jumphost's addresses on the planes.
        jumphost: Option<Vec<JumphostDraft>>,
        /// Virtual addresses of services, one leg per plane.
        vips: Option<Vec<VipDraft>>,
        /// Spaces that exist without a plane; `{name: …, state: absent}` removes one.
        spaces: Option<Vec<SpaceEntry>>,
        /// Fabrics that are removed: `{name: …, state: absent}`.
        fabrics: Option<Vec<NamedDraft>>,
        /// Fabrics and subnets that are known, not declared, and not reported.
        leave_alone: Option<Vec<Located<String>>>,
    }
}

record! {
    /// One address of the jumphost.
    pub(crate) struct JumphostDraft {
        /// The interface's name on the jumphost.
        interface: Located<String>,
        /// The plane it is on.
        plane: Located<String>,
        /// `+1` or an address.
        address: Located<AddressRef>,
    }
}

record! {
    /// One service's virtual addresses.
    pub(crate) struct VipDraft {
        /// The service.
        name: Located<String>,
        /// Its offset in every plane it is on, such as `+50`.
        host: Option<Located<Offset>>,
        /// Leg to plane: `{public: edge}`, or `{public: {plane: edge, address: +51}}`.
        on: Legs,
    }
}

/// Limits on the total size and the number of files: ten times the largest network seen (768 machines, 64 planes).
const TOTAL_BYTES_MAX: usize = 4 * 1024 * 1024;
const FILES_MAX: usize = 4096;

/// Whether this file is part of a declaration: any `.yaml` or `.yml` under the site's folder, in any case.
pub fn is_declaration(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.rsplit_once('.').is_some_and(|(_, extension)| {
        extension.eq_ignore_ascii_case("yaml") || extension.eq_ignore_ascii_case("yml")
    })
}

impl Draft {
    /// Reads the files, in the order of their paths. What cannot be read gets a finding and is left out.
    pub(crate) fn read(sources: &[(&str, &[u8])], findings: &mut Findings<'_>) -> Self {
        let mut draft = Self::default();
        check_paths(sources, findings);
        let total: usize = sources.iter().map(|(_, bytes)| bytes.len()).sum();
        if sources.len() > FILES_MAX || total > TOTAL_BYTES_MAX {
            let message = format!(
                "the declaration has {} files with {total} bytes",
                sources.len()
            );
            let help = "a declaration may have at most 4096 files and 4 MiB";
            findings.add(codes::FILE_SIZE, FilePosition::default(), message, help);
            return draft;
        }
        for (file, (_, bytes)) in sources.iter().enumerate() {
            match yaml::text_of(bytes).and_then(yaml::read) {
                Ok((tree, duplicates)) => {
                    for error in duplicates {
                        report(file, error, findings);
                    }
                    draft.take(file, tree, findings);
                }
                Err(error) => {
                    report(file, error, findings);
                    draft.unread.extend(keys_in(bytes));
                }
            }
        }
        templates::expand(&mut draft, findings);
        draft
    }

    fn take(&mut self, file: usize, tree: Option<YamlNode>, findings: &mut Findings<'_>) {
        let mut reader = Reader { file, findings };
        let Some(node) = tree else {
            let help = "add a declaration, or delete the file";
            let start = FilePosition {
                file,
                ..FilePosition::default()
            };
            return findings.add(codes::FILE_EMPTY, start, "the file is empty", help);
        };
        if node.has_key("plane") {
            if let Some(plane) = reader.record::<PlaneFile>(&node) {
                self.take_plane(plane);
            }
            return;
        }
        let Some(site) = reader.record::<SiteFile>(&node) else {
            return;
        };
        for plane in site.planes.into_iter().flatten() {
            self.take_plane(plane);
        }
        self.templates.extend(site.templates.into_iter().flatten());
        self.machines.extend(site.machines.into_iter().flatten());
        self.jumphost.extend(site.jumphost.into_iter().flatten());
        self.vips.extend(site.vips.into_iter().flatten());
        for space in site.spaces.into_iter().flatten() {
            match space {
                SpaceEntry { name, absent: true } => self.removed_spaces.push(name),
                SpaceEntry { name, .. } => self.spaces.push(name),
            }
        }
        self.fabrics.extend(site.fabrics.into_iter().flatten());
        self.leave_alone
            .extend(site.leave_alone.into_iter().flatten());
    }
}

impl Draft {
    fn take_plane(&mut self, plane: PlaneFile) {
        if is_absent(plane.state.as_ref()) {
            self.removed.push(plane);
        } else {
            self.planes.push(plane);
        }
    }
}

/// Guesses the plane keys in a file that is not valid YAML.
fn keys_in(bytes: &[u8]) -> BTreeSet<String> {
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    text.lines()
        .filter_map(|line| {
            line.trim_start_matches([' ', '-', '{'])
                .strip_prefix("plane:")
        })
        .filter_map(|rest| rest.split([',', '#', '}']).next())
        .map(|key| key.trim_matches([' ', '"', '\'']).to_owned())
        .collect()
}

fn report(file: usize, error: yaml::YamlError, findings: &mut Findings<'_>) {
    let at = error.at;
    let place = FilePosition {
        file,
        line: at.line,
        column: at.column,
        width: at.width,
    };
    findings.add(error.code, place, error.message, error.help);
}

/// Paths come from an untrusted git tree: none may leave the folder, contain odd characters, or be the same file as another
/// on a file system that ignores case.
fn check_paths(sources: &[(&str, &[u8])], findings: &mut Findings<'_>) {
    let mut seen = BTreeMap::new();
    for (file, (path, _)) in sources.iter().enumerate() {
        let place = FilePosition {
            file,
            ..FilePosition::default()
        };
        let odd = path
            .split('/')
            .any(|part| part.is_empty() || part == "." || part == "..")
            || path
                .chars()
                .any(|c| c.is_control() || c == '\\' || c == ':');
        if odd {
            let message = format!("`{}` is not a path inside the site's folder", shown(path));
            findings.add(codes::FILE_PATH, place, message, "rename the file");
        }
        if let Some(other) = seen.insert(path.to_lowercase(), *path) {
            let message = format!(
                "`{}` and `{}` differ only by case",
                shown(path),
                shown(other)
            );
            findings.add(codes::FILE_PATH, place, message, "rename one of them");
        }
    }
}
