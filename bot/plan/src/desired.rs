//! The desired state: the declaration, completed with what MAAS has.
//!
//! Every field that the files leave alone is taken from MAAS, so that desired and observed objects compare by equality. Must
//! not know steps or order.

pub(crate) mod removal;
mod vlan;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use topology::address::Cidr;
use topology::object::{IpRange, ReservedIp, StaticRoute, Subnet, SubnetFlags, Vlan, VlanAt};
use topology::observed::Observed;
use topology::plane::{HostReservation, Plane, PlaneSubnet, Reservation, Strategy, Topology};

use crate::pairing::Pairing;
use crate::refusal::{Refusal, RefusalCode};
use crate::strategy::{ChosenStrategy, is_resized};

use removal::Removal;
use vlan::desired_vlan;

/// One desired subnet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredSubnet {
    /// The plane's key.
    pub plane: String,
    /// The CIDR of the observed subnet that it is, if any.
    pub old: Option<Cidr>,
    /// How its CIDR changes, if it does.
    pub chosen: Option<ChosenStrategy>,
    /// It grows or shrinks in place: its ranges, links and reserved IPs stay, and only what lies outside of its new CIDR has
    /// to leave.
    pub keeps_content: bool,
    /// The desired row.
    pub row: Subnet,
    /// The desired ranges; `None` leaves them alone.
    pub ranges: Option<Vec<IpRange>>,
    /// The desired reserved IPs; `None` leaves them alone.
    pub reserved_ips: Option<Vec<ReservedIp>>,
}

impl DesiredSubnet {
    /// Whether the subnet changes its CIDR.
    pub fn moves(&self) -> bool {
        self.old.is_some_and(|old| old != self.row.cidr)
    }

    /// Whether what is on the subnet has to leave because its CIDR changes.
    pub fn relocates(&self) -> bool {
        self.moves() && !self.keeps_content
    }
}

/// The desired state of everything declared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Desired {
    /// Fabrics that must exist.
    pub fabrics: BTreeSet<String>,
    /// Spaces that must exist.
    pub spaces: BTreeSet<String>,
    /// VLANs by fabric and VID, with the plane's key.
    pub vlans: BTreeMap<VlanAt, (String, Vlan)>,
    /// Subnets by CIDR.
    pub subnets: BTreeMap<Cidr, DesiredSubnet>,
    /// All static routes that are to exist, including undeclared ones that stay.
    pub routes: Vec<StaticRoute>,
    /// What is there and is to go.
    pub removal: Removal,
}

impl Desired {
    /// Completes the declaration with what was observed.
    pub fn of(
        topology: &Topology,
        observed: &Observed,
        pairing: &Pairing,
    ) -> Result<Self, Vec<Refusal>> {
        let mut desired = Self {
            spaces: topology.spaces.clone(),
            removal: Removal::of(topology, observed, pairing),
            ..Self::default()
        };
        let mut refusals = Vec::new();
        for plane in topology.planes.values() {
            desired.fabrics.insert(plane.vlan.fabric.clone());
            if let Some(Some(space)) = &plane.space {
                desired.spaces.insert(space.clone());
            }
            match desired_vlan(plane, observed, pairing) {
                Ok(vlan) => {
                    desired
                        .vlans
                        .insert(plane.vlan.clone(), (plane.key.clone(), vlan));
                }
                Err(refusal) => refusals.push(refusal.of(&plane.key)),
            }
            for subnet in &plane.subnets {
                match desired_subnet(plane, subnet, topology, observed, pairing) {
                    Ok(subnet) => {
                        desired.subnets.insert(subnet.row.cidr, subnet);
                    }
                    Err(refusal) => refusals.push(refusal.of(&plane.key)),
                }
            }
        }
        match desired_routes(topology, observed, pairing, &desired.removal) {
            Ok(routes) => desired.routes = routes,
            Err(refusal) => refusals.push(refusal),
        }
        if refusals.is_empty() {
            Ok(desired)
        } else {
            Err(refusals)
        }
    }
}

/// Whether a subnet comes to include addresses that no subnet has now.
pub(crate) fn adds_addresses(subnet: &DesiredSubnet, observed: &Observed) -> bool {
    !observed
        .subnets()
        .any(|there| there.cidr.encloses(&subnet.row.cidr))
}

fn desired_subnet(
    plane: &Plane,
    declared: &PlaneSubnet,
    topology: &Topology,
    observed: &Observed,
    pairing: &Pairing,
) -> Result<DesiredSubnet, Refusal> {
    let old = pairing
        .old_of(declared.cidr)
        .and_then(|cidr| observed.subnet(&cidr));
    let moves = old.is_some_and(|old| old.cidr != declared.cidr);
    let change = old.filter(|_| moves).map(|old| (old.cidr, declared.cidr));
    let chosen =
        change.map(|change| ChosenStrategy::of(plane, change, topology, observed, pairing));
    let in_place = chosen.is_some_and(|chosen| chosen.strategy == Strategy::InPlace);
    let keeps_content = in_place && change.is_some_and(|(old, new)| is_resized(old, new));
    let relocates = moves && !keeps_content;
    let flags = old.map_or_else(SubnetFlags::default, |old| old.flags);
    let row = Subnet {
        cidr: declared.cidr,
        name: declared.name.clone(),
        vlan: plane.vlan.clone(),
        gateway: match (&declared.gateway, old) {
            (Some(gateway), _) => *gateway,
            (None, Some(old))
                if old
                    .gateway
                    .is_some_and(|ip| relocates || is_cut_off(ip, old.cidr, declared.cidr)) =>
            {
                return Err(cannot_leave("gateway", old.cidr, declared.cidr));
            }
            (None, old) => old.and_then(|old| old.gateway),
        },
        dns: match (&declared.dns, old) {
            (Some(dns), _) => dns.clone(),
            (None, old) => old.map(|old| old.dns.clone()).unwrap_or_default(),
        },
        flags: SubnetFlags {
            managed: declared.managed.unwrap_or(flags.managed),
            allow_dns: declared.allow_dns.unwrap_or(flags.allow_dns),
            allow_proxy: declared.allow_proxy.unwrap_or(flags.allow_proxy),
            active_discovery: declared.active_discovery.unwrap_or(flags.active_discovery),
            rdns_mode: declared.rdns_mode.unwrap_or(flags.rdns_mode),
        },
        description: declared
            .description
            .clone()
            .or_else(|| old.map(|old| old.description.clone()))
            .unwrap_or_default(),
        disabled_boot_architectures: declared
            .disabled_boot_architectures
            .clone()
            .or_else(|| old.map(|old| old.disabled_boot_architectures.clone()))
            .unwrap_or_default(),
    };
    if let Some(old) = old.filter(|_| moves) {
        refuse_what_cannot_stay(declared, old, keeps_content, observed)?;
    }
    refuse_what_is_newer(declared, observed)?;
    Ok(DesiredSubnet {
        plane: plane.key.clone(),
        old: old.map(|old| old.cidr),
        chosen,
        keeps_content,
        ranges: desired_ranges(declared)
            .or_else(|| removal::ranges_without(declared, old.filter(|_| !relocates)?, observed)),
        reserved_ips: desired_reserved_ips(declared).or_else(|| {
            removal::reserved_ips_without(declared, old.filter(|_| !relocates)?, observed)
        }),
        row,
    })
}

/// Refuses fields that this release of MAAS would silently ignore.
fn refuse_what_is_newer(declared: &PlaneSubnet, observed: &Observed) -> Result<(), Refusal> {
    let version = &observed.version;
    let newer = |what: &str, since: &str, field: &str| {
        Refusal::new(
            RefusalCode::NotInThisMaas,
            format!("{what} need MAAS {since}; this is {version}."),
            format!("Remove `{field}`, or upgrade MAAS first."),
        )
    };
    if declared.reserved_ips.is_some() && !version.has_reserved_ips() {
        return Err(newer("reserved IPs", "3.6", "reserved_ips"));
    }
    let architectures = declared.disabled_boot_architectures.iter().flatten();
    if architectures.count() > 0 && !version.has_boot_architectures() {
        return Err(newer(
            "disabled boot architectures",
            "3.0",
            "disabled_boot_architectures",
        ));
    }
    Ok(())
}

fn desired_ranges(declared: &PlaneSubnet) -> Option<Vec<IpRange>> {
    let range = |reservation: &Reservation| IpRange {
        subnet: declared.cidr,
        range: reservation.range,
        kind: reservation.purpose.kind(),
        comment: reservation.name.clone(),
    };
    Some(declared.reservations.as_ref()?.iter().map(range).collect())
}

fn desired_reserved_ips(declared: &PlaneSubnet) -> Option<Vec<ReservedIp>> {
    let reserved = |host: &HostReservation| ReservedIp {
        ip: host.ip,
        mac: host.mac.clone(),
        subnet: declared.cidr,
        comment: host.comment.clone(),
    };
    Some(
        declared
            .reserved_ips
            .as_ref()?
            .iter()
            .map(reserved)
            .collect(),
    )
}

fn cannot_leave(what: &str, from: Cidr, to: Cidr) -> Refusal {
    Refusal::new(
        RefusalCode::CannotLeave,
        format!("`{what}` is left alone, but {from} moves to {to}, so it cannot stay as it is."),
        format!("Declare `{what}` for {to}."),
    )
}

/// Whether an address of the old CIDR is not in the new one. A gateway may also be link-local, in neither.
fn is_cut_off(ip: IpAddr, old: Cidr, new: Cidr) -> bool {
    old.contains(ip) && !new.contains(ip)
}

/// Refuses what is left alone but belongs to the old CIDR; where a subnet only shrinks, what lies outside of the new one.
fn refuse_what_cannot_stay(
    declared: &PlaneSubnet,
    old: &Subnet,
    shrinks: bool,
    observed: &Observed,
) -> Result<(), Refusal> {
    let new = declared.cidr;
    let ranges = observed
        .ranges_of(old.cidr)
        .any(|range| !shrinks || !range.range.within(&new));
    if declared.reservations.is_none() && ranges {
        return Err(cannot_leave("reserve", old.cidr, declared.cidr));
    }
    let routes = observed
        .routes()
        .filter(|route| route.source == old.cidr)
        .any(|route| !shrinks || !new.contains(route.gateway));
    if declared.routes.is_none() && routes {
        return Err(cannot_leave("routes", old.cidr, declared.cidr));
    }
    let reserved = observed
        .all()
        .filter_map(topology::Object::as_reserved_ip)
        .filter(|reserved| reserved.subnet == old.cidr)
        .any(|reserved| !shrinks || !new.contains(reserved.ip));
    if declared.reserved_ips.is_none() && reserved {
        return Err(cannot_leave("reserved_ips", old.cidr, declared.cidr));
    }
    Ok(())
}

/// Routes of declared subnets as declared; undeclared routes, and those left alone, with their source and destination
/// adjusted.
fn desired_routes(
    topology: &Topology,
    observed: &Observed,
    pairing: &Pairing,
    removal: &Removal,
) -> Result<Vec<StaticRoute>, Refusal> {
    let new_of: BTreeMap<Cidr, Cidr> = pairing
        .subnets
        .iter()
        .map(|(new, old)| (*old, *new))
        .collect();
    let now = |cidr: Cidr| new_of.get(&cidr).copied().unwrap_or(cidr);
    let mut routes = Vec::new();
    let mut declared_sources = BTreeSet::new();
    let removed_routes: BTreeSet<(Cidr, Cidr, IpAddr)> = topology
        .planes
        .values()
        .flat_map(|plane| &plane.subnets)
        .flat_map(|subnet| {
            let gone = subnet.removed.routes.iter();
            gone.map(|(to, via)| (subnet.cidr, *to, *via))
        })
        .collect();
    for (plane, subnet) in topology
        .planes
        .values()
        .flat_map(|plane| plane.subnets.iter().map(move |subnet| (plane, subnet)))
    {
        let Some(declared) = &subnet.routes else {
            continue;
        };
        declared_sources.insert(subnet.cidr);
        for route in declared {
            let known = topology
                .planes
                .values()
                .flat_map(|plane| &plane.subnets)
                .any(|other| other.cidr == route.destination)
                || (observed.subnet(&route.destination).is_some()
                    && !removal.subnets.contains_key(&route.destination));
            if !known {
                return Err(Refusal::new(
                    RefusalCode::MaasRefuses,
                    format!("the route to {} leads to a subnet that MAAS does not have and will not have.", route.destination),
                    "MAAS routes only to subnets that it has: declare that subnet, or remove the route.",
                )
                .of(&plane.key));
            }
            routes.push(StaticRoute {
                source: subnet.cidr,
                destination: route.destination,
                gateway: route.gateway,
                metric: route.metric,
            });
        }
    }
    routes.extend(
        observed
            .routes()
            .filter(|route| !declared_sources.contains(&now(route.source)))
            .filter(|route| {
                !removed_routes.contains(&(now(route.source), route.destination, route.gateway))
            })
            .filter(|route| {
                let mut ends = [route.source, route.destination].into_iter();
                !ends.any(|end| removal.subnets.contains_key(&end))
            })
            .map(|route| StaticRoute {
                source: now(route.source),
                destination: now(route.destination),
                ..route.clone()
            }),
    );
    Ok(routes)
}
