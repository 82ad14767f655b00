//! The planes by key, so that references resolve in any order of the files; and which addresses are assigned.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::address::Cidr;
use crate::draft::{AddressRef, Draft, Located, Offset, PlaneFile, nearest};

use crate::finding::{FilePosition, Findings, codes, shown};
use crate::object::VlanAt;

use super::names;

/// The planes by key.
pub(super) struct PlaneIndex {
    planes: BTreeMap<String, PlaneEntry>,
    /// The first subnet of each family by network address, with its plane's key.
    firsts: BTreeMap<IpAddr, (Cidr, String)>,
    subnets: BTreeSet<Cidr>,
    /// Keys of planes that are to be removed.
    removed: BTreeMap<String, FilePosition>,
    /// Keys that are invalid, or are in files that could not be read: a reference to one is not an unknown plane.
    unread: BTreeSet<String>,
}

/// What a reference to a plane may need. What could not be read is `None`, and has a finding.
pub(super) struct PlaneEntry {
    pub(super) place: FilePosition,
    pub(super) vlan: Option<VlanAt>,
    pub(super) relayed: bool,
    subnets: Vec<Option<Cidr>>,
}

impl PlaneEntry {
    /// The subnets that could be read.
    pub(super) fn subnets(&self) -> impl Iterator<Item = Cidr> {
        self.subnets.iter().flatten().copied()
    }

    /// Whether a subnet could not be read. Then no finding is added for a missing one.
    pub(super) fn is_partial(&self) -> bool {
        self.subnets.iter().any(Option::is_none)
    }
}

impl PlaneIndex {
    /// Indexes every plane with a key. A duplicate key gets a finding, and the first plane is kept.
    pub(super) fn of(draft: &Draft, findings: &mut Findings<'_>) -> Self {
        let mut index = Self {
            planes: BTreeMap::new(),
            firsts: BTreeMap::new(),
            subnets: BTreeSet::new(),
            removed: BTreeMap::new(),
            unread: draft.unread.clone(),
        };
        for located in &draft.planes {
            let Some(key) = located.plane.value.clone() else {
                continue;
            };
            if !names::is_key(&key) {
                let message = format!("`{}` is not a valid plane key", shown(&key));
                let help = "use at most 64 letters, digits, `-`, `_` and `.`, and begin with a letter or digit";
                findings.add(codes::PLANE_KEY, located.plane.place, message, help);
                index.unread.insert(key);
                continue;
            }
            let place = located.plane.place;
            let entry = PlaneEntry::of(located, place);
            if let Some(first) = index.planes.get(&key) {
                let message = format!(
                    "plane `{}` is already declared on line {} of {}",
                    shown(&key),
                    first.place.line,
                    findings.path(first.place)
                );
                let help = "use another key, or move its subnets to the first plane's `subnets:`";
                findings.add(codes::PLANE_DUPLICATE, place, message, help);
                continue;
            }
            for v6 in [false, true] {
                if let Some(first) = entry.subnets().find(|cidr| cidr.is_v6() == v6) {
                    index.firsts.insert(first.network(), (first, key.clone()));
                }
            }
            index.subnets.extend(entry.subnets());
            index.planes.insert(key, entry);
        }
        for located in &draft.removed {
            index.take_removed(located, findings);
        }
        index
    }

    /// A key is either declared or to be removed, and only once.
    fn take_removed(&mut self, located: &PlaneFile, findings: &mut Findings<'_>) {
        let Some(key) = located.plane.value.clone() else {
            return;
        };
        let place = located.plane.place;
        let declared = self.planes.get(&key).map(|entry| entry.place);
        if let Some(first) = declared.or(self.removed.get(&key).copied()) {
            let message = format!(
                "plane `{}` is already declared on line {} of {}",
                shown(&key),
                first.line,
                findings.path(first)
            );
            let help = "a key is either declared or to be removed: use another key, or remove one of the two";
            findings.add(codes::PLANE_DUPLICATE, place, message, help);
            return;
        }
        self.removed.insert(key, place);
    }

    /// Whether this is the first plane with its key.
    pub(super) fn is_first(&self, key: &Located<String>) -> bool {
        key.value
            .as_ref()
            .and_then(|key| self.planes.get(key))
            .is_some_and(|entry| entry.place == key.place)
    }

    /// The plane that is referred to.
    pub(super) fn find(
        &self,
        located: &Located<String>,
        findings: &mut Findings<'_>,
    ) -> Option<&PlaneEntry> {
        self.look_up(located.value.as_deref()?, located.place, findings)
    }

    /// The plane that is referred to.
    pub(super) fn look_up(
        &self,
        key: &str,
        place: FilePosition,
        findings: &mut Findings<'_>,
    ) -> Option<&PlaneEntry> {
        if let Some(entry) = self.planes.get(key) {
            return Some(entry);
        }
        if self.unread.contains(key) {
            return None;
        }
        if let Some(removed) = self.removed.get(key) {
            let message = format!(
                "plane `{}` is to be removed (line {} of {})",
                shown(key),
                removed.line,
                findings.path(*removed)
            );
            let help = "refer to another plane, or keep that one";
            findings.add(codes::PLANE_ABSENT, place, message, help);
            return None;
        }
        let candidates = self
            .planes
            .keys()
            .take(if findings.has_room() { usize::MAX } else { 0 });
        let help = nearest(key, candidates.map(String::as_str)).map_or_else(
            || "declare it, or refer to a declared plane".to_owned(),
            |near| format!("did you mean `{near}`?"),
        );
        findings.add(
            codes::PLANE_UNKNOWN,
            place,
            format!("plane `{}` is not declared", shown(key)),
            help,
        );
        None
    }

    /// The plane that an address belongs to, and the address's offset in that plane's first subnet of its family.
    pub(super) fn owner(&self, ip: IpAddr) -> Option<(&str, u128)> {
        // Declared subnets do not overlap, so the nearest one below is the only candidate.
        let (_, (first, key)) = self.firsts.range(..=ip).next_back()?;
        Some((key.as_str(), first.offset_of(ip)?))
    }

    /// Whether a plane declares exactly this subnet.
    pub(super) fn has(&self, cidr: Cidr) -> bool {
        self.subnets.contains(&cidr)
    }

    /// Resolves an address in the current subnet. A literal is not checked.
    pub(super) fn resolve(
        &self,
        located: &Located<AddressRef>,
        home: Cidr,
        findings: &mut Findings<'_>,
    ) -> Option<IpAddr> {
        match located.value.as_ref()? {
            AddressRef::Literal(ip) => Some(*ip),
            AddressRef::Offset(offset) => at(home, *offset, located.place, findings),
            AddressRef::Plane(key, offset) => {
                let entry = self.look_up(key, located.place, findings)?;
                let Some(cidr) = entry.subnets().find(|c| c.is_v6() == home.is_v6()) else {
                    if !entry.is_partial() {
                        let message = format!("plane `{key}` has no subnet of this address family");
                        let help = "write the full address, or refer to a plane that has one";
                        findings.add(codes::PLANE_EMPTY, located.place, message, help);
                    }
                    return None;
                };
                at(cidr, *offset, located.place, findings)
            }
        }
    }

    /// Resolves an address, which must be inside the current subnet.
    pub(super) fn inside(
        &self,
        located: &Located<AddressRef>,
        home: Cidr,
        findings: &mut Findings<'_>,
    ) -> Option<IpAddr> {
        let ip = self.resolve(located, home, findings)?;
        if home.contains(ip) {
            return Some(ip);
        }
        let help = "write an offset such as `+1`: it stays valid when the subnet moves";
        findings.add(
            codes::ADDRESS_OUTSIDE,
            located.place,
            format!("`{ip}` is outside `{home}`"),
            help,
        );
        None
    }
}

impl PlaneEntry {
    fn of(located: &PlaneFile, place: FilePosition) -> Self {
        let vid = match &located.vid {
            None => Some(0),
            Some(vid) => vid
                .value
                .and_then(|vid| u16::try_from(vid).ok())
                .filter(|v| *v <= 4094),
        };
        let fabric = located.fabric.value.clone();
        let first = located.subnet.cidr.as_ref().map(|cidr| cidr.value);
        let further = located
            .subnets
            .iter()
            .flatten()
            .filter_map(|s| s.cidr.as_ref());
        Self {
            place,
            vlan: fabric.zip(vid).map(|(fabric, vid)| VlanAt { fabric, vid }),
            relayed: located
                .dhcp
                .as_ref()
                .is_some_and(crate::draft::DhcpDraft::is_relay),
            subnets: first
                .into_iter()
                .chain(further.map(|cidr| cidr.value))
                .collect(),
        }
    }
}

/// Reports a host on the network address or the broadcast address. A /31 has neither.
pub(super) fn refuse_edges(
    ip: IpAddr,
    cidr: Cidr,
    place: FilePosition,
    findings: &mut Findings<'_>,
) {
    let edges = !cidr.is_v6() && cidr.prefix() < 31;
    if edges && (ip == cidr.network() || ip == cidr.last()) {
        let message = format!("`{ip}` is the network or broadcast address of `{cidr}`");
        findings.add(
            codes::ADDRESS_EDGE,
            place,
            message,
            "choose an address between the two",
        );
    }
}

/// The address at that offset in a subnet.
pub(super) fn at(
    cidr: Cidr,
    offset: Offset,
    place: FilePosition,
    findings: &mut Findings<'_>,
) -> Option<IpAddr> {
    let ip = cidr.at(offset.0);
    if ip.is_none() {
        let last = cidr.offset_of(cidr.last()).unwrap_or_default();
        let message = format!("`+{}` is outside `{cidr}`", offset.0);
        findings.add(
            codes::ADDRESS_OUTSIDE,
            place,
            message,
            format!("its last address is `+{last}`"),
        );
    }
    ip
}

/// The addresses that are assigned, and to what.
#[derive(Default)]
pub(super) struct AddressOwners(BTreeMap<IpAddr, String>);

impl AddressOwners {
    /// Assigns `ip` to `who`, unless it is assigned already.
    pub(super) fn assign(
        &mut self,
        ip: IpAddr,
        who: String,
        place: FilePosition,
        findings: &mut Findings<'_>,
    ) {
        if let Some(other) = self.0.get(&ip) {
            let message = format!("`{ip}` is assigned to {who}, but already to {other}");
            findings.add(
                codes::ADDRESS_TWICE,
                place,
                message,
                "choose another address for one of them",
            );
            return;
        }
        self.0.insert(ip, who);
    }
}
