//! One subnet: its gateway, resolvers, reservations, routes and switches.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::address::Cidr;
use crate::draft::{
    AddressRef, Destination, GatewayDraft, Located, OrLeave, ReservedIpDraft, RouteDraft,
    SubnetDraft,
};
use crate::finding::{FilePosition, Findings, codes, shown};
use crate::plane::{HostReservation, PlaneSubnet, Purpose, Reservation, Route};

use super::index::{self, PlaneIndex};
use super::{boot, entries, names, ranges};

impl SubnetDraft {
    /// The position of the first field of a subnet, if it has any.
    pub(super) fn first_place(&self) -> Option<FilePosition> {
        let switches = [
            &self.managed,
            &self.allow_dns,
            &self.allow_proxy,
            &self.active_discovery,
        ];
        let places = [
            self.name.as_ref().map(|draft| draft.place),
            self.gateway.as_ref().map(|draft| draft.place),
            self.rdns_mode.as_ref().map(|draft| draft.place),
            self.subnet_description.as_ref().map(|draft| draft.place),
            listed(self.dns.as_ref()).first().map(|draft| draft.place),
            listed(self.reserve.as_ref())
                .first()
                .map(|draft| draft.range.place),
            listed(self.routes.as_ref())
                .first()
                .map(|draft| draft.to.place),
            listed(self.reserved_ips.as_ref())
                .first()
                .map(|draft| draft.ip.place),
            self.disabled_boot_architectures
                .iter()
                .flatten()
                .next()
                .map(|draft| draft.place),
        ];
        let switches = switches.into_iter().flatten().map(|draft| draft.place);
        places.into_iter().flatten().chain(switches).min()
    }
}

fn listed<T>(draft: Option<&OrLeave<T>>) -> &[T] {
    match draft {
        Some(OrLeave::These(these)) => these,
        Some(OrLeave::Leave) | None => &[],
    }
}

/// How a list is declared.
enum Listed<'a, T> {
    LeftOut,
    Leave,
    These(&'a [T]),
}

fn list<T>(draft: Option<&OrLeave<T>>) -> Listed<'_, T> {
    match draft {
        None => Listed::LeftOut,
        Some(OrLeave::Leave) => Listed::Leave,
        Some(OrLeave::These(these)) => Listed::These(these),
    }
}

/// Checks one subnet whose network is known.
pub(super) fn check(
    draft: &SubnetDraft,
    cidr: Cidr,
    default_name: String,
    index: &PlaneIndex,
    findings: &mut Findings<'_>,
) -> PlaneSubnet {
    let listed = entries::present(draft.reserve.as_ref());
    let reservations = match list(listed.as_ref()) {
        Listed::LeftOut => Some(Vec::new()),
        Listed::Leave => None,
        Listed::These(these) => Some(ranges::check(these, cidr, index, findings)),
    };
    let dynamic = reservations.as_deref().unwrap_or_default();
    let gateway = gateway(draft.gateway.as_ref(), cidr, index, findings);
    if let (Some(Some(ip)), Some(draft)) = (gateway, &draft.gateway) {
        warn_if_dynamic(
            ip,
            dynamic,
            (codes::GATEWAY_DYNAMIC, "gateway", draft.place),
            findings,
        );
    }
    let text = |draft: &Option<Located<String>>, findings: &mut Findings<'_>| {
        draft
            .as_ref()
            .and_then(|draft| names::text(draft, findings))
    };
    PlaneSubnet {
        cidr,
        name: draft
            .name
            .as_ref()
            .and_then(|draft| names::subnet(draft, cidr, findings))
            .unwrap_or(default_name),
        gateway,
        dns: dns(draft, cidr, dynamic, index, findings),
        routes: routes(
            entries::present(draft.routes.as_ref()).as_ref(),
            cidr,
            index,
            findings,
        ),
        reserved_ips: reserved_ips(
            entries::present(draft.reserved_ips.as_ref()).as_ref(),
            cidr,
            dynamic,
            index,
            findings,
        ),
        reservations,
        managed: draft.managed.as_ref().and_then(|draft| draft.value),
        allow_dns: draft.allow_dns.as_ref().and_then(|draft| draft.value),
        allow_proxy: draft.allow_proxy.as_ref().and_then(|draft| draft.value),
        active_discovery: draft
            .active_discovery
            .as_ref()
            .and_then(|draft| draft.value),
        rdns_mode: draft
            .rdns_mode
            .as_ref()
            .and_then(|draft| rdns_mode(draft, findings)),
        description: text(&draft.subnet_description, findings),
        disabled_boot_architectures: draft
            .disabled_boot_architectures
            .as_deref()
            .map(|all| boot::architectures(all, findings)),
        removed: entries::removed(draft, cidr, index, findings),
    }
}

#[expect(
    clippy::option_option,
    reason = "left alone, none, and a value are three cases"
)]
fn gateway(
    draft: Option<&Located<GatewayDraft>>,
    cidr: Cidr,
    index: &PlaneIndex,
    findings: &mut Findings<'_>,
) -> Option<Option<IpAddr>> {
    let Some(draft) = draft else {
        return Some(None);
    };
    match draft.value.as_ref() {
        None | Some(GatewayDraft::Leave) => None,
        Some(GatewayDraft::Absent) => Some(None),
        // 3.5.9 maasserver/models/subnet.py:437-453: inside the CIDR, or an IPv6 link-local address.
        Some(GatewayDraft::At(AddressRef::Literal(IpAddr::V6(ip))))
            if cidr.is_v6() && ip.is_unicast_link_local() =>
        {
            Some(Some(IpAddr::V6(*ip)))
        }
        Some(GatewayDraft::At(at)) => {
            let draft = Located {
                value: Some(at.clone()),
                place: draft.place,
            };
            Some(index.inside(&draft, cidr, findings))
        }
    }
}

fn dns(
    draft: &SubnetDraft,
    cidr: Cidr,
    reservations: &[Reservation],
    index: &PlaneIndex,
    findings: &mut Findings<'_>,
) -> Option<Vec<IpAddr>> {
    let these = match list(draft.dns.as_ref()) {
        Listed::LeftOut => return Some(Vec::new()),
        Listed::Leave => return None,
        Listed::These(these) => these,
    };
    let mut resolvers = Vec::new();
    for draft in these {
        let Some(ip) = index.resolve(draft, cidr, findings) else {
            continue;
        };
        resolvers.push(ip);
        warn_if_dynamic(
            ip,
            reservations,
            (codes::DNS_DYNAMIC, "resolver", draft.place),
            findings,
        );
        let literal = matches!(draft.value, Some(AddressRef::Literal(_)));
        let owner = index
            .owner(ip)
            .filter(|_| literal && !cidr.contains(ip) && ip.is_ipv6() == cidr.is_v6());
        if let Some((key, offset)) = owner {
            let message = format!("the resolver `{ip}` is in plane `{key}`");
            let help = format!("write `{key}+{offset}`: it stays valid when that plane moves");
            findings.add(codes::DNS_FOREIGN, draft.place, message, help);
        }
    }
    Some(resolvers)
}

type AddressUse = (crate::finding::FindingCode, &'static str, FilePosition);

fn warn_if_dynamic(
    ip: IpAddr,
    reservations: &[Reservation],
    (code, what, place): AddressUse,
    findings: &mut Findings<'_>,
) {
    let range = reservations
        .iter()
        .find(|r| r.purpose == Purpose::Dynamic && r.range.contains(ip));
    if let Some(reservation) = range {
        let message = format!(
            "the {what} `{ip}` is inside the dynamic range `{}`",
            reservation.range
        );
        findings.add(
            code,
            place,
            message,
            "shorten the range, so that DHCP cannot lease it",
        );
    }
}

fn routes(
    draft: Option<&OrLeave<RouteDraft>>,
    cidr: Cidr,
    index: &PlaneIndex,
    findings: &mut Findings<'_>,
) -> Option<Vec<Route>> {
    let Listed::These(these) = list(draft) else {
        return None;
    };
    let mut routes: Vec<Route> = Vec::new();
    for draft in these {
        let destination = destination(&draft.to, cidr, index, findings);
        let gateway = index.inside(&draft.via, cidr, findings);
        let metric = draft.metric.as_ref().map_or(Some(0), |metric| metric.value);
        let (Some(destination), Some(gateway), Some(metric)) = (destination, gateway, metric)
        else {
            continue;
        };
        if routes
            .iter()
            .any(|r| r.destination == destination && r.gateway == gateway)
        {
            let message = format!("a route to `{destination}` via `{gateway}` is already declared");
            findings.add(
                codes::ROUTE_TWICE,
                draft.to.place,
                message,
                "remove one of the two",
            );
            continue;
        }
        routes.push(Route {
            destination,
            gateway,
            metric,
        });
    }
    Some(routes)
}

/// 3.5.9 maasserver/models/staticroute.py:51-93: a subnet row of the same family, not the source itself.
pub(super) fn destination(
    draft: &Located<Destination>,
    cidr: Cidr,
    index: &PlaneIndex,
    findings: &mut Findings<'_>,
) -> Option<Cidr> {
    let to = match draft.value.as_ref()? {
        Destination::Plane(key) => {
            let entry = index.look_up(key, draft.place, findings)?;
            let found = entry.subnets().find(|c| c.is_v6() == cidr.is_v6());
            if found.is_none() && !entry.is_partial() {
                let message = format!(
                    "plane `{}` has no subnet of this address family",
                    shown(key)
                );
                findings.add(
                    codes::PLANE_EMPTY,
                    draft.place,
                    message,
                    "use another plane, or a network",
                );
            }
            found?
        }
        Destination::Network(to) => *to,
    };
    if to == cidr || to.is_v6() != cidr.is_v6() {
        let message = format!("a route from `{cidr}` to `{to}` is not possible");
        findings.add(
            codes::ROUTE_SELF,
            draft.place,
            message,
            "use another network of the same address family",
        );
        return None;
    }
    if !index.has(to) {
        let message = format!("`{to}` is not declared");
        let help =
            "MAAS routes only to subnets that it has: declare it, or make sure that MAAS has it";
        findings.add(codes::ROUTE_UNDECLARED, draft.place, message, help);
    }
    Some(to)
}

fn reserved_ips(
    draft: Option<&OrLeave<ReservedIpDraft>>,
    cidr: Cidr,
    reservations: &[Reservation],
    index: &PlaneIndex,
    findings: &mut Findings<'_>,
) -> Option<Vec<HostReservation>> {
    let Listed::These(these) = list(draft) else {
        return None;
    };
    let mut taken = BTreeSet::new();
    let mut hosts = Vec::new();
    for draft in these {
        let comment = draft
            .comment
            .as_ref()
            .and_then(|draft| names::text(draft, findings));
        let Some(ip) = index.inside(&draft.ip, cidr, findings) else {
            continue;
        };
        ranges::refuse_dynamic(ip, reservations, draft.ip.place, findings);
        index::refuse_edges(ip, cidr, draft.ip.place, findings);
        if !taken.insert(ip) {
            let message = format!("`{ip}` is already reserved for another host");
            findings.add(
                codes::RESERVED_IP_TWICE,
                draft.ip.place,
                message,
                "remove one of the two",
            );
        }
        let Some(mac) = draft.mac.value.clone() else {
            continue;
        };
        hosts.push(HostReservation {
            ip,
            mac: mac.0,
            comment: comment.unwrap_or_default(),
        });
    }
    Some(hosts)
}

fn rdns_mode(draft: &Located<u32>, findings: &mut Findings<'_>) -> Option<u8> {
    let mode = draft.value?;
    let known = u8::try_from(mode).ok().filter(|mode| *mode <= 2);
    if known.is_none() {
        let message = format!("`{mode}` is not a reverse DNS mode");
        findings.add(
            codes::VALUE_RANGE,
            draft.place,
            message,
            "write 0 (off), 1 (on) or 2 (with RFC 2317 zones)",
        );
    }
    known
}
