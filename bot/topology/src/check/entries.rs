//! Entries of a subnet's lists that are declared not to be there. Must not know how MAAS removes them.

use crate::address::Cidr;
use crate::draft::{
    Located, OrLeave, ReservationDraft, ReservedIpDraft, RouteDraft, SubnetDraft, is_absent,
};
use crate::finding::Findings;
use crate::removed::{DeclaredState, RemovedEntries};

use super::index::PlaneIndex;
use super::{ranges, subnets};

/// An entry of a list that may say that it is not to be there.
pub(super) trait Entry: Clone {
    fn state(&self) -> Option<&Located<DeclaredState>>;
}

impl Entry for ReservationDraft {
    fn state(&self) -> Option<&Located<DeclaredState>> {
        self.state.as_ref()
    }
}

impl Entry for RouteDraft {
    fn state(&self) -> Option<&Located<DeclaredState>> {
        self.state.as_ref()
    }
}

impl Entry for ReservedIpDraft {
    fn state(&self) -> Option<&Located<DeclaredState>> {
        self.state.as_ref()
    }
}

/// A list without the entries that are not to be there. Where all are, the others in MAAS are left alone.
pub(super) fn present<T: Entry>(draft: Option<&OrLeave<T>>) -> Option<OrLeave<T>> {
    let OrLeave::These(these) = draft? else {
        return Some(OrLeave::Leave);
    };
    let present: Vec<T> = these
        .iter()
        .filter(|entry| !is_absent(entry.state()))
        .cloned()
        .collect();
    Some(if present.is_empty() && !these.is_empty() {
        OrLeave::Leave
    } else {
        OrLeave::These(present)
    })
}

/// The entries of a list that are not to be there, where there is no other. A list with another entry is complete.
fn absent<T: Entry>(draft: Option<&OrLeave<T>>) -> &[T] {
    match draft {
        Some(OrLeave::These(these)) if these.iter().all(|entry| is_absent(entry.state())) => these,
        Some(OrLeave::These(_) | OrLeave::Leave) | None => &[],
    }
}

/// The entries of a subnet's lists that are to be removed.
pub(super) fn removed(
    draft: &SubnetDraft,
    cidr: Cidr,
    index: &PlaneIndex,
    findings: &mut Findings<'_>,
) -> RemovedEntries {
    let ranges = absent(draft.reserve.as_ref())
        .iter()
        .filter_map(|entry| ranges::resolve(&entry.range, cidr, index, findings))
        .collect();
    let routes = absent(draft.routes.as_ref())
        .iter()
        .filter_map(|entry| {
            let to = subnets::destination(&entry.to, cidr, index, findings)?;
            Some((to, index.inside(&entry.via, cidr, findings)?))
        })
        .collect();
    let reserved_ips = absent(draft.reserved_ips.as_ref())
        .iter()
        .filter_map(|entry| index.inside(&entry.ip, cidr, findings))
        .collect();
    RemovedEntries {
        ranges,
        routes,
        reserved_ips,
    }
}
