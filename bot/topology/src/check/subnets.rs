//! One subnet: its gateway, resolvers, reservations, routes and switches.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::address::Cidr;
use crate::draft::{
    AddressRef, Destination, GatewayDraft, Located, OrLeave, ReservedIpDraft, RouteDraft,
    SubnetDraft,
};
use crate::finding::{FilePosition, Notes, codes, shown};
use crate::plane::{HostReservation, PlaneSubnet, Purpose, Reservation, Route};

use super::index::{self, PlaneIndex};
use super::{names, ranges};

impl SubnetDraft {
    /// Where something of a subnet is said, if anything is.
    pub(super) fn first_place(&self) -> Option<FilePosition> {
        let switches = [
            &self.managed,
            &self.allow_dns,
            &self.allow_proxy,
            &self.active_discovery,
        ];
        let places = [
            self.name.as_ref().map(|said| said.place),
            self.gateway.as_ref().map(|said| said.place),
            self.rdns_mode.as_ref().map(|said| said.place),
            self.subnet_description.as_ref().map(|said| said.place),
            listed(self.dns.as_ref()).first().map(|said| said.place),
            listed(self.reserve.as_ref())
                .first()
                .map(|said| said.range.place),
            listed(self.routes.as_ref())
                .first()
                .map(|said| said.to.place),
            listed(self.reserved_ips.as_ref())
                .first()
                .map(|said| said.ip.place),
            self.disabled_boot_architectures
                .iter()
                .flatten()
                .next()
                .map(|said| said.place),
        ];
        let switches = switches.into_iter().flatten().map(|said| said.place);
        places.into_iter().flatten().chain(switches).min()
    }
}

fn listed<T>(said: Option<&OrLeave<T>>) -> &[T] {
    match said {
        Some(OrLeave::These(these)) => these,
        Some(OrLeave::Leave) | None => &[],
    }
}

/// What is said of a list: `None` leaves it alone.
enum Listed<'a, T> {
    LeftOut,
    Leave,
    These(&'a [T]),
}

fn list<T>(said: Option<&OrLeave<T>>) -> Listed<'_, T> {
    match said {
        None => Listed::LeftOut,
        Some(OrLeave::Leave) => Listed::Leave,
        Some(OrLeave::These(these)) => Listed::These(these),
    }
}

/// Checks one subnet whose network is known.
pub(super) fn check(
    said: &SubnetDraft,
    cidr: Cidr,
    default_name: String,
    index: &PlaneIndex,
    notes: &mut Notes<'_>,
) -> PlaneSubnet {
    let reservations = match list(said.reserve.as_ref()) {
        Listed::LeftOut => Some(Vec::new()),
        Listed::Leave => None,
        Listed::These(these) => Some(ranges::check(these, cidr, index, notes)),
    };
    let dynamic = reservations.as_deref().unwrap_or_default();
    let gateway = gateway(said.gateway.as_ref(), cidr, index, notes);
    if let (Some(Some(ip)), Some(said)) = (gateway, &said.gateway) {
        warn_if_dynamic(
            ip,
            dynamic,
            (codes::GATEWAY_DYNAMIC, "gateway", said.place),
            notes,
        );
    }
    let text = |said: &Option<Located<String>>, notes: &mut Notes<'_>| {
        said.as_ref().and_then(|said| names::text(said, notes))
    };
    PlaneSubnet {
        cidr,
        name: said
            .name
            .as_ref()
            .and_then(|said| names::subnet(said, notes))
            .unwrap_or(default_name),
        gateway,
        dns: dns(said, cidr, dynamic, index, notes),
        routes: routes(said.routes.as_ref(), cidr, index, notes),
        reserved_ips: reserved_ips(said.reserved_ips.as_ref(), cidr, dynamic, index, notes),
        reservations,
        managed: said.managed.as_ref().and_then(|said| said.value),
        allow_dns: said.allow_dns.as_ref().and_then(|said| said.value),
        allow_proxy: said.allow_proxy.as_ref().and_then(|said| said.value),
        active_discovery: said.active_discovery.as_ref().and_then(|said| said.value),
        rdns_mode: said
            .rdns_mode
            .as_ref()
            .and_then(|said| rdns_mode(said, notes)),
        description: text(&said.subnet_description, notes),
        disabled_boot_architectures: said.disabled_boot_architectures.as_ref().map(|all| {
            let sorted: BTreeSet<String> =
                all.iter().filter_map(|said| said.value.clone()).collect();
            sorted.into_iter().collect()
        }),
    }
}

#[expect(
    clippy::option_option,
    reason = "left alone, none, and this one are three things"
)]
fn gateway(
    said: Option<&Located<GatewayDraft>>,
    cidr: Cidr,
    index: &PlaneIndex,
    notes: &mut Notes<'_>,
) -> Option<Option<IpAddr>> {
    let Some(said) = said else {
        return Some(None);
    };
    match said.value.as_ref() {
        None | Some(GatewayDraft::Leave) => None,
        Some(GatewayDraft::Absent) => Some(None),
        // 3.5.9 maasserver/models/subnet.py:437-453: inside the CIDR, or an IPv6 link-local address.
        Some(GatewayDraft::At(AddressRef::Literal(IpAddr::V6(ip))))
            if cidr.is_v6() && ip.is_unicast_link_local() =>
        {
            Some(Some(IpAddr::V6(*ip)))
        }
        Some(GatewayDraft::At(at)) => {
            let said = Located {
                value: Some(at.clone()),
                place: said.place,
            };
            Some(index.inside(&said, cidr, notes))
        }
    }
}

fn dns(
    said: &SubnetDraft,
    cidr: Cidr,
    reservations: &[Reservation],
    index: &PlaneIndex,
    notes: &mut Notes<'_>,
) -> Option<Vec<IpAddr>> {
    let these = match list(said.dns.as_ref()) {
        Listed::LeftOut => return Some(Vec::new()),
        Listed::Leave => return None,
        Listed::These(these) => these,
    };
    let mut resolvers = Vec::new();
    for said in these {
        let Some(ip) = index.resolve(said, cidr, notes) else {
            continue;
        };
        resolvers.push(ip);
        warn_if_dynamic(
            ip,
            reservations,
            (codes::DNS_DYNAMIC, "resolver", said.place),
            notes,
        );
        let literal = matches!(said.value, Some(AddressRef::Literal(_)));
        let owner = index
            .owner(ip)
            .filter(|_| literal && !cidr.contains(ip) && ip.is_ipv6() == cidr.is_v6());
        if let Some((key, offset)) = owner {
            let message = format!("the resolver `{ip}` is in plane `{key}`");
            let help = format!("write `{key}+{offset}`: it follows when that plane moves");
            notes.add(codes::DNS_FOREIGN, said.place, message, help);
        }
    }
    Some(resolvers)
}

type Kind = (crate::finding::FindingCode, &'static str, FilePosition);

fn warn_if_dynamic(
    ip: IpAddr,
    reservations: &[Reservation],
    (code, what, place): Kind,
    notes: &mut Notes<'_>,
) {
    let range = reservations
        .iter()
        .find(|r| r.purpose == Purpose::Dynamic && r.range.contains(ip));
    if let Some(reservation) = range {
        let message = format!(
            "the {what} `{ip}` is inside the dynamic range `{}`",
            reservation.range
        );
        notes.add(
            code,
            place,
            message,
            "shorten the range, so that DHCP cannot hand it out",
        );
    }
}

fn routes(
    said: Option<&OrLeave<RouteDraft>>,
    cidr: Cidr,
    index: &PlaneIndex,
    notes: &mut Notes<'_>,
) -> Option<Vec<Route>> {
    let Listed::These(these) = list(said) else {
        return None;
    };
    let mut routes: Vec<Route> = Vec::new();
    for said in these {
        let destination = destination(&said.to, cidr, index, notes);
        let gateway = index.inside(&said.via, cidr, notes);
        let metric = said.metric.as_ref().map_or(Some(0), |metric| metric.value);
        let (Some(destination), Some(gateway), Some(metric)) = (destination, gateway, metric)
        else {
            continue;
        };
        if routes
            .iter()
            .any(|r| r.destination == destination && r.gateway == gateway)
        {
            let message = format!("a route to `{destination}` by `{gateway}` is declared already");
            notes.add(
                codes::ROUTE_TWICE,
                said.to.place,
                message,
                "keep one of the two",
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
fn destination(
    said: &Located<Destination>,
    cidr: Cidr,
    index: &PlaneIndex,
    notes: &mut Notes<'_>,
) -> Option<Cidr> {
    let to = match said.value.as_ref()? {
        Destination::Plane(key) => {
            let entry = index.look_up(key, said.place, notes)?;
            let found = entry.subnets().find(|c| c.is_v6() == cidr.is_v6());
            if found.is_none() && !entry.is_partial() {
                let message = format!("plane `{}` has no subnet of this family", shown(key));
                notes.add(
                    codes::PLANE_EMPTY,
                    said.place,
                    message,
                    "name another plane, or a network",
                );
            }
            found?
        }
        Destination::Network(to) => *to,
    };
    if to == cidr || to.is_v6() != cidr.is_v6() {
        let message = format!("no route leads from `{cidr}` to `{to}`");
        notes.add(
            codes::ROUTE_SELF,
            said.place,
            message,
            "name another network of the same family",
        );
        return None;
    }
    if !index.has(to) {
        let message = format!("`{to}` is not declared");
        let help =
            "MAAS routes only to subnets that it has: declare it, or make sure that it is there";
        notes.add(codes::ROUTE_UNDECLARED, said.place, message, help);
    }
    Some(to)
}

fn reserved_ips(
    said: Option<&OrLeave<ReservedIpDraft>>,
    cidr: Cidr,
    reservations: &[Reservation],
    index: &PlaneIndex,
    notes: &mut Notes<'_>,
) -> Option<Vec<HostReservation>> {
    let Listed::These(these) = list(said) else {
        return None;
    };
    let mut taken = BTreeSet::new();
    let mut hosts = Vec::new();
    for said in these {
        let comment = said
            .comment
            .as_ref()
            .and_then(|said| names::text(said, notes));
        let Some(ip) = index.inside(&said.ip, cidr, notes) else {
            continue;
        };
        ranges::refuse_dynamic(ip, reservations, said.ip.place, notes);
        index::refuse_edges(ip, cidr, said.ip.place, notes);
        if !taken.insert(ip) {
            let message = format!("`{ip}` is reserved for another host already");
            notes.add(
                codes::RESERVED_IP_TWICE,
                said.ip.place,
                message,
                "keep one of the two",
            );
        }
        let Some(mac) = said.mac.value.clone() else {
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

fn rdns_mode(said: &Located<u32>, notes: &mut Notes<'_>) -> Option<u8> {
    let mode = said.value?;
    let known = u8::try_from(mode).ok().filter(|mode| *mode <= 2);
    if known.is_none() {
        let message = format!("`{mode}` is no mode of reverse DNS");
        notes.add(
            codes::VALUE_RANGE,
            said.place,
            message,
            "write 0 (off), 1 (on) or 2 (with RFC 2317 zones)",
        );
    }
    known
}
