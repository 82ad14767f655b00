//! What the declaration asks for, object by object, on the ground of what is there.
//!
//! Every field that the files leave alone is filled with what MAAS has, so that "wanted" and "there" compare by
//! equality. Must not know steps or order.

use std::collections::{BTreeMap, BTreeSet};

use topology::address::Cidr;
use topology::object::{IpRange, ReservedIp, StaticRoute, Subnet, SubnetFlags, Vlan, VlanAt};
use topology::observed::Observed;
use topology::plane::{Dhcp, HostReservation, Plane, PlaneSubnet, Reservation, Topology};

use crate::network::DEFAULT_MTU;
use crate::pairing::Pairing;
use crate::refusal::{Code, Refusal};
use crate::strategy::Way;

/// One declared subnet, ready to compare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedSubnet {
    /// The plane's key.
    pub plane: String,
    /// The observed subnet that it is, if any.
    pub old: Option<Cidr>,
    /// How it gets to its CIDR, where that changes.
    pub way: Option<Way>,
    /// The row as it shall be.
    pub row: Subnet,
    /// The ranges as they shall be; `None` leaves them alone.
    pub ranges: Option<Vec<IpRange>>,
    /// The reserved IPs as they shall be; `None` leaves them alone.
    pub reserved_ips: Option<Vec<ReservedIp>>,
}

impl WantedSubnet {
    /// Whether the network moves to another CIDR.
    pub fn moves(&self) -> bool {
        self.old.is_some_and(|old| old != self.row.cidr)
    }
}

/// Everything that is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Fabrics that must exist.
    pub fabrics: BTreeSet<String>,
    /// Spaces that must exist.
    pub spaces: BTreeSet<String>,
    /// VLANs by place, with the plane's key.
    pub vlans: BTreeMap<VlanAt, (String, Vlan)>,
    /// Subnets by CIDR.
    pub subnets: BTreeMap<Cidr, WantedSubnet>,
    /// All static routes that shall exist, those of strangers among them.
    pub routes: Vec<StaticRoute>,
}

impl Wanted {
    /// Fills the declaration with what is there.
    pub fn of(
        topology: &Topology,
        observed: &Observed,
        pairing: &Pairing,
    ) -> Result<Self, Vec<Refusal>> {
        let mut wanted = Self {
            spaces: topology.spaces.clone(),
            ..Self::default()
        };
        let mut refusals = Vec::new();
        for plane in topology.planes.values() {
            wanted.fabrics.insert(plane.vlan.fabric.clone());
            if let Some(Some(space)) = &plane.space {
                wanted.spaces.insert(space.clone());
            }
            match wanted_vlan(plane, observed, pairing) {
                Ok(vlan) => {
                    wanted
                        .vlans
                        .insert(plane.vlan.clone(), (plane.key.clone(), vlan));
                }
                Err(refusal) => refusals.push(refusal.of(&plane.key)),
            }
            for subnet in &plane.subnets {
                match wanted_subnet(plane, subnet, topology, observed, pairing) {
                    Ok(subnet) => {
                        wanted.subnets.insert(subnet.row.cidr, subnet);
                    }
                    Err(refusal) => refusals.push(refusal.of(&plane.key)),
                }
            }
        }
        match wanted_routes(topology, observed, pairing) {
            Ok(routes) => wanted.routes = routes,
            Err(refusal) => refusals.push(refusal),
        }
        if refusals.is_empty() {
            Ok(wanted)
        } else {
            Err(refusals)
        }
    }
}

/// The VLAN row that is there under its declared place, if any.
fn old_vlan<'a>(at: &VlanAt, observed: &'a Observed, pairing: &Pairing) -> Option<&'a Vlan> {
    observed
        .vlan(at)
        .filter(|vlan| pairing.place(&vlan.at) == *at)
        .or_else(|| observed.vlans().find(|vlan| pairing.place(&vlan.at) == *at))
}

fn wanted_vlan(plane: &Plane, observed: &Observed, pairing: &Pairing) -> Result<Vlan, Refusal> {
    let mut vlan = match old_vlan(&plane.vlan, observed, pairing) {
        Some(old) => Vlan {
            at: plane.vlan.clone(),
            space: old
                .space
                .as_ref()
                .map(|space| pairing.spaces.get(space).unwrap_or(space).clone()),
            relay: old.relay.as_ref().map(|relay| pairing.place(relay)),
            // A default VLAN's name is not shown, whatever it is.
            name: match &plane.vlan_name {
                Some(name) if !observed.default_vlans.contains(&old.at) => Some(name.clone()),
                Some(_) | None => old.name.clone(),
            },
            ..old.clone()
        },
        None => new_vlan(plane, observed, pairing),
    };
    if plane.dhcp.is_none()
        && !vlan.dhcp_on
        && homes(plane, observed, pairing).any(|home| home.dhcp_on)
    {
        return Err(Refusal::new(
            Code::CannotLeave,
            format!(
                "`dhcp` is left alone, but `{}` moves to vlan {}, and DHCP is served on the one that it leaves.",
                plane.key, plane.vlan
            ),
            "Declare `dhcp` for it: `off`, or `{primary: HOSTNAME}`.",
        ));
    }
    if let Some(space) = &plane.space {
        vlan.space.clone_from(space);
    }
    if let Some(mtu) = plane.mtu {
        vlan.mtu = mtu;
    }
    serve(&mut vlan, plane, observed, pairing)?;
    Ok(vlan)
}

/// Who serves DHCP, as the plane says it.
fn serve(
    vlan: &mut Vlan,
    plane: &Plane,
    observed: &Observed,
    pairing: &Pairing,
) -> Result<(), Refusal> {
    match &plane.dhcp {
        None => {}
        Some(Dhcp::Off) => {
            vlan.dhcp_on = false;
            vlan.relay = None;
        }
        Some(Dhcp::Relay(to)) => {
            vlan.dhcp_on = false;
            vlan.relay = Some(to.clone());
        }
        Some(Dhcp::On { primary, secondary }) => {
            // Turning DHCP on drops the relay in the same step (seen on 3.5.12 and 3.7.3).
            vlan.relay = None;
            vlan.dhcp_on = true;
            let before = (vlan.primary_rack.clone(), vlan.secondary_rack.clone());
            if let Some(host) = primary {
                vlan.primary_rack = Some(rack(host, observed)?);
                vlan.secondary_rack = None;
            }
            if let Some(host) = secondary {
                vlan.secondary_rack = Some(rack(host, observed)?);
            }
            if before != (vlan.primary_rack.clone(), vlan.secondary_rack.clone()) {
                let racks = primary.iter().chain(secondary);
                racks
                    .map(String::as_str)
                    .try_for_each(|host| sees(host, &vlan.at, observed, pairing))?;
            }
            if vlan.primary_rack.is_none() {
                return Err(Refusal::new(
                    Code::NoRack,
                    format!("no rack serves vlan {} and none is named.", plane.vlan),
                    "Name one: `dhcp: {primary: HOSTNAME}`.",
                ));
            }
        }
    }
    Ok(())
}

/// The VLANs that the plane's subnets are on now, where those are others.
fn homes<'a>(
    plane: &'a Plane,
    observed: &'a Observed,
    pairing: &'a Pairing,
) -> impl Iterator<Item = &'a Vlan> {
    plane
        .subnets
        .iter()
        .filter_map(|subnet| observed.subnet(&pairing.old_of(subnet.cidr)?))
        .filter_map(|old| observed.vlan(&old.vlan))
        .filter(|home| pairing.place(&home.at) != plane.vlan)
}

/// A plane that moves to a VLAN that is made for it takes along what the files leave alone.
fn new_vlan(plane: &Plane, observed: &Observed, pairing: &Pairing) -> Vlan {
    let fabric_is_new = !observed
        .vlans()
        .any(|vlan| vlan.at.fabric == plane.vlan.fabric);
    let is_default = fabric_is_new && plane.vlan.vid == 0;
    let name = plane.vlan_name.clone().unwrap_or_else(|| plane.key.clone());
    let home = homes(plane, observed, pairing).next();
    let space = home.and_then(|home| home.space.as_ref());
    let relay = home.and_then(|home| home.relay.as_ref());
    Vlan {
        at: plane.vlan.clone(),
        name: (!is_default).then_some(name),
        mtu: home.map_or(DEFAULT_MTU, |home| home.mtu),
        space: space.map(|space| pairing.spaces.get(space).unwrap_or(space).clone()),
        dhcp_on: false,
        primary_rack: None,
        secondary_rack: None,
        relay: relay.map(|relay| pairing.place(relay)),
    }
}

/// MAAS takes a rack only where it has an interface on a VLAN of that VID, in whatever fabric (3.5.9
/// maasserver/forms/vlan.py:58-66; seen on 3.5.12 and 3.7.3). VIDs change before racks do.
fn sees(host: &str, at: &VlanAt, observed: &Observed, pairing: &Pairing) -> Result<(), Refusal> {
    let there = observed
        .interfaces_of(host)
        .filter_map(|interface| interface.vlan.as_ref())
        .any(|seen| pairing.place(seen).vid == at.vid);
    if there {
        return Ok(());
    }
    Err(Refusal::new(
        Code::NoRack,
        format!(
            "rack `{host}` has no interface on vlan {at}, nor on one of that VID elsewhere, so MAAS does not take it."
        ),
        "Connect the rack to that VLAN first, or name another one.",
    ))
}

fn rack(host: &str, observed: &Observed) -> Result<String, Refusal> {
    observed
        .nodes
        .get(host)
        .filter(|node| node.is_rack)
        .map(|node| node.system_id.clone())
        .ok_or_else(|| {
            Refusal::new(
                Code::NoRack,
                format!("there is no rack controller `{host}`."),
                "Name one that `maas rack-controllers read` lists.",
            )
        })
}

fn wanted_subnet(
    plane: &Plane,
    declared: &PlaneSubnet,
    topology: &Topology,
    observed: &Observed,
    pairing: &Pairing,
) -> Result<WantedSubnet, Refusal> {
    let old = pairing
        .old_of(declared.cidr)
        .and_then(|cidr| observed.subnet(&cidr));
    let moves = old.is_some_and(|old| old.cidr != declared.cidr);
    let flags = old.map_or_else(SubnetFlags::default, |old| old.flags);
    let row = Subnet {
        cidr: declared.cidr,
        name: declared.name.clone(),
        vlan: plane.vlan.clone(),
        gateway: match (&declared.gateway, old) {
            (Some(gateway), _) => *gateway,
            (None, Some(old)) if moves && old.gateway.is_some() => {
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
        refuse_what_cannot_stay(declared, old, observed)?;
    }
    refuse_what_is_newer(declared, observed)?;
    Ok(WantedSubnet {
        plane: plane.key.clone(),
        old: old.map(|old| old.cidr),
        way: old.filter(|_| moves).map(|old| {
            Way::of(
                plane,
                (old.cidr, declared.cidr),
                topology,
                observed,
                pairing,
            )
        }),
        ranges: wanted_ranges(declared),
        reserved_ips: wanted_reserved_ips(declared),
        row,
    })
}

/// What this release of MAAS does not have, it ignores in silence.
fn refuse_what_is_newer(declared: &PlaneSubnet, observed: &Observed) -> Result<(), Refusal> {
    let version = &observed.version;
    let newer = |what: &str, since: &str, field: &str| {
        Refusal::new(
            Code::NotInThisMaas,
            format!("{what} need MAAS {since}, this is {version}."),
            format!("Take `{field}` out, or upgrade MAAS first."),
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

fn wanted_ranges(declared: &PlaneSubnet) -> Option<Vec<IpRange>> {
    let range = |reservation: &Reservation| IpRange {
        subnet: declared.cidr,
        range: reservation.range,
        kind: reservation.purpose.kind(),
        comment: reservation.name.clone(),
    };
    Some(declared.reservations.as_ref()?.iter().map(range).collect())
}

fn wanted_reserved_ips(declared: &PlaneSubnet) -> Option<Vec<ReservedIp>> {
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
        Code::CannotLeave,
        format!("`{what}` is left alone, but {from} moves to {to} and it cannot stay where it is."),
        format!("Declare `{what}` for {to}."),
    )
}

/// What is left alone and stands on the old CIDR has no place on the new one.
fn refuse_what_cannot_stay(
    declared: &PlaneSubnet,
    old: &Subnet,
    observed: &Observed,
) -> Result<(), Refusal> {
    let ranges = observed.ranges_of(old.cidr).next().is_some();
    if declared.reservations.is_none() && ranges {
        return Err(cannot_leave("reserve", old.cidr, declared.cidr));
    }
    let routes = observed.routes().any(|route| route.source == old.cidr);
    if declared.routes.is_none() && routes {
        return Err(cannot_leave("routes", old.cidr, declared.cidr));
    }
    let reserved = observed
        .all()
        .filter_map(topology::Object::as_reserved_ip)
        .any(|reserved| reserved.subnet == old.cidr);
    if declared.reserved_ips.is_none() && reserved {
        return Err(cannot_leave("reserved_ips", old.cidr, declared.cidr));
    }
    Ok(())
}

/// Routes of declared subnets as declared; those of strangers, and those left alone, with their ends where they will be.
fn wanted_routes(
    topology: &Topology,
    observed: &Observed,
    pairing: &Pairing,
) -> Result<Vec<StaticRoute>, Refusal> {
    let new_of: BTreeMap<Cidr, Cidr> = pairing
        .subnets
        .iter()
        .map(|(new, old)| (*old, *new))
        .collect();
    let now = |cidr: Cidr| new_of.get(&cidr).copied().unwrap_or(cidr);
    let mut routes = Vec::new();
    let mut declared_sources = BTreeSet::new();
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
                || observed.subnet(&route.destination).is_some();
            if !known {
                return Err(Refusal::new(
                    Code::MaasRefuses,
                    format!("the route to {} leads to no subnet that MAAS has or will have.", route.destination),
                    "MAAS routes only to subnets it knows: declare that one, or take the route out.",
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
            .map(|route| StaticRoute {
                source: now(route.source),
                destination: now(route.destination),
                ..route.clone()
            }),
    );
    Ok(routes)
}
