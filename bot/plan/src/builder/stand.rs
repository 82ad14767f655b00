//! The stand-up phase: gateways and resolvers, ranges, DHCP, routes, reserved IPs, DHCP snippets.
//!
//! Reserved ranges exist before anything can allocate, dynamic ranges come last, and DHCP after them. On 3.7 a gateway or
//! resolver reaches dhcpd only with a later write of a range or the VLAN. So gateways and resolvers come first, and if no
//! such write follows, a range is written again unchanged.

use std::collections::BTreeSet;

use topology::address::Cidr;
use topology::object::{IpRange, Key, Object, RangeKind, Subnet, SubnetFlags};
use topology::port::Write;

use super::draft::{PlanBuilder, StepDraft};
use crate::desired::DesiredSubnet;
use crate::step::{Phase, Step};

impl PlanBuilder<'_> {
    pub(super) fn stand_up(&mut self) {
        let (late, early): (Vec<&DesiredSubnet>, Vec<&DesiredSubnet>) = self
            .desired
            .subnets
            .values()
            .partition(|subnet| is_late(subnet));
        for subnet in early {
            self.set_subnet(subnet, Managed::AsItIs);
        }
        self.move_ranges();
        self.make_ranges(RangeKind::Reserved);
        // Ranges are reserved before MAAS starts to allocate around them.
        for subnet in self.desired.subnets.values() {
            if subnet.row.flags.managed {
                self.set_managed(subnet);
            }
        }
        self.make_ranges(RangeKind::Dynamic);
        // MAAS checks a range's addresses on every save, even if only its comment changes.
        self.rename_ranges();
        // MAAS accepts a gateway or resolver inside a dynamic range only in this order.
        for subnet in late {
            self.set_subnet(subnet, Managed::AsItIs);
        }
        // Only managed subnets accept a dynamic range.
        for subnet in self.desired.subnets.values() {
            self.set_managed(subnet);
        }
        self.set_waiting_vlans();
        self.make_routes();
        self.make_reserved_ips();
        self.make_snippets();
        if self.observed.version.needs_dhcp_nudge() {
            self.nudge_dhcp();
        }
    }

    fn set_managed(&mut self, subnet: &DesiredSubnet) {
        let now = self.network.subnet(&subnet.row.cidr);
        if now.is_some_and(|now| now.flags.managed != subnet.row.flags.managed) {
            self.set_subnet(subnet, Managed::AsDeclared);
        }
    }

    fn set_subnet(&mut self, subnet: &DesiredSubnet, managed: Managed) {
        let Some(now) = self.network.subnet(&subnet.row.cidr).cloned() else {
            return;
        };
        let mut after = match managed {
            Managed::AsItIs => subnet.row.clone(),
            Managed::AsDeclared => now.clone(),
        };
        after.flags.managed = match managed {
            Managed::AsItIs => now.flags.managed,
            Managed::AsDeclared => subnet.row.flags.managed,
        };
        let why = what_differs(&now, &after);
        self.add_step(StepDraft {
            phase: Phase::StandUp,
            plane: Some(subnet.plane.clone()),
            before: Some(Object::Subnet(now)),
            after: Some(Object::Subnet(after)),
            why,
        });
    }

    fn make_routes(&mut self) {
        for route in &self.desired.routes {
            let key = Key::Route(route.source, route.destination, route.gateway);
            let now = self.object(&key);
            let plane = self
                .desired
                .subnets
                .get(&route.source)
                .map(|subnet| subnet.plane.clone());
            let why = if now.is_some() {
                "its metric changes"
            } else {
                "declared, or dropped before with its destination"
            };
            self.add_step(stand_up_step(
                plane.as_deref(),
                now,
                Object::Route(route.clone()),
                why,
            ));
        }
    }

    fn make_reserved_ips(&mut self) {
        for subnet in self.desired.subnets.values() {
            for reserved in subnet.reserved_ips.iter().flatten() {
                let now = self.object(&Key::ReservedIp(reserved.ip));
                self.add_step(stand_up_step(
                    Some(&subnet.plane),
                    now,
                    Object::ReservedIp(reserved.clone()),
                    "declared",
                ));
            }
        }
    }

    /// Makes dhcpd use what was PUT on subnets (MAAS 3.7: `PUT subnets/{id}/` does not update dhcpd).
    fn nudge_dhcp(&mut self) {
        let stale: BTreeSet<Cidr> = self
            .steps
            .iter()
            .enumerate()
            .filter_map(|(place, step)| served_subnet(step).map(|cidr| (place, cidr)))
            .filter(|(place, cidr)| self.serves(*cidr) && !self.reaches_dhcpd(*place, *cidr))
            .map(|(_, cidr)| cidr)
            .collect();
        for cidr in stale {
            let Some(range) = self.range_to_nudge(cidr) else {
                continue;
            };
            let plane = self
                .desired
                .subnets
                .get(&cidr)
                .map(|subnet| subnet.plane.clone());
            let object = Object::Range(range);
            self.nudge(StepDraft {
                phase: Phase::StandUp,
                plane,
                before: Some(object.clone()),
                after: Some(object),
                why: "written as it is, so that dhcpd takes over the gateway and resolvers (MAAS 3.7)".to_owned(),
            });
        }
    }

    /// dhcpd's configuration is regenerated for the whole VLAN, so any range on it will do: preferably the subnet's own, and
    /// a reserved one before a dynamic one, which MAAS refuses to write when an address in it is in use.
    fn range_to_nudge(&self, cidr: Cidr) -> Option<IpRange> {
        let vlan = &self.network.subnet(&cidr)?.vlan;
        let may_be_written = |range: &&IpRange| {
            let same = Box::new(Object::Range((*range).clone()));
            let write = Write::Update(same.clone(), same);
            self.network.allows(&write).is_ok()
        };
        self.network
            .subnets()
            .filter(|subnet| subnet.vlan == *vlan)
            .flat_map(|subnet| self.network.ranges_of(subnet.cidr))
            .filter(may_be_written)
            .min_by_key(|range| (range.subnet != cidr, range.kind, range.range))
            .cloned()
    }

    /// Whether a dhcpd serves that subnet's VLAN, directly or through a relay.
    fn serves(&self, cidr: Cidr) -> bool {
        let vlan = self
            .network
            .subnet(&cidr)
            .and_then(|subnet| self.network.vlan(&subnet.vlan));
        vlan.is_some_and(|vlan| vlan.dhcp_on || vlan.relay.is_some())
    }

    fn reaches_dhcpd(&self, place: usize, cidr: Cidr) -> bool {
        let home = |cidr: &Cidr| self.network.subnet(cidr).map(|subnet| &subnet.vlan);
        let vlan = home(&cidr);
        self.steps[place + 1..]
            .iter()
            .any(|later| match (&later.expects, &later.leaves) {
                (_, Some(Object::Range(IpRange { subnet, .. }))) => home(subnet) == vlan,
                (_, Some(Object::Vlan(changed))) => Some(&changed.at) == vlan,
                _ => false,
            })
    }
}

/// The subnet, if the step changed what dhcpd serves on it.
fn served_subnet(step: &Step) -> Option<Cidr> {
    let (Some(Object::Subnet(before)), Some(Object::Subnet(after))) = (&step.expects, &step.leaves)
    else {
        return None;
    };
    let served = |subnet: &Subnet| {
        (
            subnet.cidr,
            subnet.gateway,
            subnet.dns.clone(),
            subnet.flags.allow_dns,
            subnet.flags.managed,
            subnet.disabled_boot_architectures.clone(),
        )
    };
    (served(before) != served(after)).then_some(after.cidr)
}

/// The value of `managed` that a write of a subnet sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Managed {
    AsItIs,
    AsDeclared,
}

fn is_late(subnet: &DesiredSubnet) -> bool {
    let inside = |ip: &std::net::IpAddr| {
        subnet
            .ranges
            .iter()
            .flatten()
            .any(|range| range.kind == RangeKind::Dynamic && range.range.contains(*ip))
    };
    subnet.row.gateway.iter().any(inside) || subnet.row.dns.iter().any(inside)
}

fn what_differs(now: &Subnet, then: &Subnet) -> String {
    let mut words = Vec::new();
    let mut differs = |name: &str, yes: bool| {
        if yes {
            words.push(name.to_owned());
        }
    };
    differs("name", now.name != then.name);
    differs("gateway", now.gateway != then.gateway);
    differs("resolvers", now.dns != then.dns);
    differs("description", now.description != then.description);
    differs("managed", now.flags.managed != then.flags.managed);
    let but_managed = |subnet: &Subnet| SubnetFlags {
        managed: true,
        ..subnet.flags
    };
    differs("switches", but_managed(now) != but_managed(then));
    differs(
        "boot architectures",
        now.disabled_boot_architectures != then.disabled_boot_architectures,
    );
    words.join(", ")
}

pub(super) fn stand_up_step(
    plane: Option<&str>,
    before: Option<Object>,
    after: Object,
    why: &str,
) -> StepDraft {
    StepDraft {
        phase: Phase::StandUp,
        plane: plane.map(str::to_owned),
        before,
        after: Some(after),
        why: why.to_owned(),
    }
}
