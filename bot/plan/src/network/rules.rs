//! The rules by which MAAS refuses writes that a plan could contain.
//!
//! Read in MAAS's source and seen on 3.5.12 and 3.7.3. The strictest release's rules apply to all: for example, overlapping
//! subnets are refused since 3.7.0 and break DNS in earlier releases. Must not know the order of a plan's writes.

use std::net::IpAddr;

use topology::address::Range;
use topology::object::{
    Fabric, IpRange, Key, Object, RangeKind, ReservedIp, Space, StaticRoute, Subnet, Vlan,
};
use topology::port::Write;

use super::NetworkModel;

/// The rule that a write would violate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleViolation {
    /// The object does not exist.
    #[error("{0} is not there")]
    Missing(Key),
    /// The object exists already.
    #[error("{0} is there already")]
    Exists(Key),
    /// The object exists, but not as the write expects it.
    #[error("{0} is not as expected")]
    Changed(Key),
    /// Two subnets would share addresses.
    #[error("subnet {0} would overlap {1}")]
    Overlap(topology::Cidr, topology::Cidr),
    /// The gateway lies outside the subnet.
    #[error("gateway {0} lies outside {1}")]
    GatewayOutside(IpAddr, topology::Cidr),
    /// The range lies outside its subnet, or takes its network or broadcast address.
    #[error("range {0} does not fit into {1}")]
    RangeOutside(Range, topology::Cidr),
    /// MAAS ignores an empty comment (3.6.5 maasserver/forms/__init__.py:201-234 treats it as not sent).
    #[error("the comment of range {0} cannot be taken away in place")]
    CommentStays(Range),
    /// The reserved IP lies outside its subnet, or is its first or last address (3.6.5 maasserver/forms/reservedip.py:77-96).
    #[error("reserved IP {0} must lie in {1}, and be neither its first address nor its last")]
    ReservedOutside(IpAddr, topology::Cidr),
    /// The range overlaps something that it may not overlap.
    #[error("range {0} would meet {1}")]
    RangeMeets(Range, String),
    /// MAAS refuses every write to a VLAN with DHCP on and no dynamic range, except turning DHCP off (3.5.9
    /// maasserver/forms/vlan.py:191-200).
    #[error("vlan {0} has DHCP on and no dynamic range: MAAS refuses every change of it")]
    DhcpWithoutRange(topology::object::VlanAt),
    /// DHCP needs a rack.
    #[error("vlan {0} has no primary rack, so DHCP cannot be turned on")]
    DhcpWithoutRack(topology::object::VlanAt),
    /// Every release refuses to delete a subnet with a dynamic range while DHCP is on.
    #[error("subnet {0} serves a dynamic range")]
    Serving(topology::Cidr),
    /// The static route's gateway lies outside its source.
    #[error("route gateway {0} lies outside {1}")]
    RouteGateway(IpAddr, topology::Cidr),
    /// A VLAN may not be relayed to a relayed VLAN, or be relayed with DHCP on.
    #[error("vlan {0} cannot be relayed so")]
    Relay(topology::object::VlanAt),
    /// A rack cannot change between primary and secondary in one write.
    #[error("the racks of vlan {0} cannot change places in one write")]
    Racks(topology::object::VlanAt),
    /// Names that MAAS reserves for itself (3.5.9 maasserver/models/fabric.py:213-222, space.py:145-156).
    #[error("`{0}` is a name that only MAAS gives")]
    GeneratedName(String),
    /// Something is still there, and would go or move without a word.
    #[error("{0} still has {1}")]
    InUse(Key, String),
    /// MAAS refuses to delete it, always.
    #[error("vlan {0} is its fabric's default VLAN, which goes only with the fabric")]
    DefaultVlan(topology::object::VlanAt),
    /// MAAS refuses a dynamic range on an unmanaged subnet (seen on 3.5.12 and 3.7.3).
    #[error("subnet {0} is not managed by MAAS, so it takes no dynamic range")]
    Unmanaged(topology::Cidr),
}

/// Checks `write` against `network` as it is before the write.
pub(super) fn check(network: &NetworkModel, write: &Write) -> Result<(), RuleViolation> {
    match write {
        Write::Create(object) => {
            let key = object.key();
            if network.get(&key).is_some() {
                return Err(RuleViolation::Exists(key));
            }
            fits(network, object, None)
        }
        Write::Update(before, after) => {
            exists_as_expected(network, before)?;
            if before.key() != after.key() && network.get(&after.key()).is_some() {
                return Err(RuleViolation::Exists(after.key()));
            }
            if let (Object::Vlan(_), Object::Vlan(vlan)) = (&**before, &**after) {
                return vlan_may_be(network, vlan, before);
            }
            fits(network, after, Some(before))
        }
        Write::Delete(object) => {
            exists_as_expected(network, object)?;
            may_be_removed(network, object)
        }
    }
}

fn exists_as_expected(network: &NetworkModel, object: &Object) -> Result<(), RuleViolation> {
    match network.get(&object.key()) {
        None => Err(RuleViolation::Missing(object.key())),
        Some(there) if there != object => Err(RuleViolation::Changed(object.key())),
        Some(_) => Ok(()),
    }
}

fn needs(network: &NetworkModel, key: Key) -> Result<(), RuleViolation> {
    if network.get(&key).is_some() {
        Ok(())
    } else {
        Err(RuleViolation::Missing(key))
    }
}

fn fits(
    network: &NetworkModel,
    object: &Object,
    before: Option<&Object>,
) -> Result<(), RuleViolation> {
    match object {
        Object::Space(Space { name }) => name_is_allowed("space", name),
        Object::Fabric(Fabric { name }) => name_is_allowed("fabric", name),
        Object::Vlan(vlan) => {
            needs(network, Key::Fabric(vlan.at.fabric.clone()))?;
            match &vlan.space {
                Some(space) => needs(network, Key::Space(space.clone())),
                None => Ok(()),
            }
        }
        Object::Subnet(subnet) => subnet_fits(network, subnet, before.and_then(Object::as_subnet)),
        Object::Range(range) => range_fits(network, range, before.and_then(Object::as_range)),
        Object::Route(route) => route_fits(network, route),
        Object::ReservedIp(reserved) => reserved_ip_fits(network, reserved),
        Object::Snippet(snippet) => needs(network, Key::Subnet(snippet.subnet)),
        Object::Interface(interface) => interface.parents.iter().try_for_each(|parent| {
            needs(
                network,
                Key::Interface(interface.host.clone(), parent.clone()),
            )
        }),
        Object::Link(link) => {
            needs(network, Key::Subnet(link.subnet))?;
            needs(
                network,
                Key::Interface(link.host.clone(), link.interface.clone()),
            )
        }
    }
}

fn name_is_allowed(stem: &str, name: &str) -> Result<(), RuleViolation> {
    let generated = name
        .strip_prefix(stem)
        .and_then(|rest| rest.strip_prefix('-'))
        .is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()));
    if generated {
        Err(RuleViolation::GeneratedName(name.to_owned()))
    } else {
        Ok(())
    }
}

fn subnet_fits(
    network: &NetworkModel,
    subnet: &Subnet,
    before: Option<&Subnet>,
) -> Result<(), RuleViolation> {
    needs(network, Key::Vlan(subnet.vlan.clone()))?;
    if before.is_none_or(|before| before.cidr != subnet.cidr) {
        let other = network
            .subnets()
            .filter(|other| before.is_none_or(|before| before.cidr != other.cidr))
            .find(|other| other.cidr.overlaps(&subnet.cidr));
        if let Some(other) = other {
            return Err(RuleViolation::Overlap(subnet.cidr, other.cidr));
        }
    }
    match subnet.gateway {
        Some(gateway) if !subnet.cidr.contains(gateway) && !is_link_local(gateway) => {
            Err(RuleViolation::GatewayOutside(gateway, subnet.cidr))
        }
        Some(_) | None => Ok(()),
    }
}

fn is_link_local(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local())
}

/// 3.5.9 maasserver/models/iprange.py:156-277 and models/subnet.py:616-631; checked on every save, even if only the comment
/// changes.
fn range_fits(
    network: &NetworkModel,
    range: &IpRange,
    before: Option<&IpRange>,
) -> Result<(), RuleViolation> {
    let Some(subnet) = network.subnet(&range.subnet) else {
        return Err(RuleViolation::Missing(Key::Subnet(range.subnet)));
    };
    let cidr = subnet.cidr;
    // A /31 has no broadcast address, and its lower address counts as the network's (seen on 3.5.12 and 3.7.3).
    let broadcast = !cidr.is_v6() && cidr.prefix() < 31;
    let takes_an_end =
        range.range.start() == cidr.network() || (broadcast && range.range.end() == cidr.last());
    if !range.range.within(&cidr) || takes_an_end {
        return Err(RuleViolation::RangeOutside(range.range, cidr));
    }
    if before.is_some_and(|before| !before.comment.is_empty() && range.comment.is_empty()) {
        return Err(RuleViolation::CommentStays(range.range));
    }
    let meets = |what: String| Err(RuleViolation::RangeMeets(range.range, what));
    let others = network
        .ranges_of(cidr)
        .filter(|other| before.is_none_or(|before| before.range != other.range));
    for other in others {
        if other.range.overlaps(&range.range) {
            return meets(format!("range {}", other.range));
        }
    }
    if range.kind == RangeKind::Reserved {
        return Ok(());
    }
    if !subnet.flags.managed {
        return Err(RuleViolation::Unmanaged(cidr));
    }
    let reserved = network
        .all()
        .filter_map(Object::as_reserved_ip)
        .find(|reserved| reserved.subnet == cidr && range.range.contains(reserved.ip));
    if let Some(reserved) = reserved {
        return meets(format!("the reserved IP {}", reserved.ip));
    }
    if let Some(gateway) = subnet.gateway.filter(|ip| range.range.contains(*ip)) {
        return meets(format!("gateway {gateway}"));
    }
    if let Some(dns) = subnet.dns.iter().find(|ip| range.range.contains(**ip)) {
        return meets(format!("resolver {dns}"));
    }
    let route = network
        .routes()
        .find(|route| route.source == cidr && range.range.contains(route.gateway));
    match route {
        Some(route) => meets(format!("route gateway {}", route.gateway)),
        None => Ok(()),
    }
}

fn route_fits(network: &NetworkModel, route: &StaticRoute) -> Result<(), RuleViolation> {
    needs(network, Key::Subnet(route.source))?;
    needs(network, Key::Subnet(route.destination))?;
    if route.source.contains(route.gateway) {
        Ok(())
    } else {
        Err(RuleViolation::RouteGateway(route.gateway, route.source))
    }
}

/// 3.6.5 maasserver/forms/reservedip.py:50-99.
fn reserved_ip_fits(network: &NetworkModel, reserved: &ReservedIp) -> Result<(), RuleViolation> {
    needs(network, Key::Subnet(reserved.subnet))?;
    // For Python, the broadcast address is the last one, also in IPv6 and in a /31.
    let (ip, cidr) = (reserved.ip, reserved.subnet);
    if !cidr.contains(ip) || ip == cidr.network() || ip == cidr.last() {
        return Err(RuleViolation::ReservedOutside(ip, cidr));
    }
    let dynamic = network
        .ranges_of(reserved.subnet)
        .find(|range| range.kind == RangeKind::Dynamic && range.range.contains(reserved.ip));
    match dynamic {
        Some(range) => Err(RuleViolation::RangeMeets(
            range.range,
            format!("the reserved IP {}", reserved.ip),
        )),
        None => Ok(()),
    }
}

fn vlan_may_be(network: &NetworkModel, vlan: &Vlan, before: &Object) -> Result<(), RuleViolation> {
    needs(network, Key::Fabric(vlan.at.fabric.clone()))?;
    if let Some(space) = &vlan.space {
        needs(network, Key::Space(space.clone()))?;
    }
    let before = before.as_vlan();
    if before.is_some_and(|before| trades_racks(before, vlan)) {
        return Err(RuleViolation::Racks(vlan.at.clone()));
    }
    if vlan.dhcp_on && vlan.relay.is_some() {
        return Err(RuleViolation::Relay(vlan.at.clone()));
    }
    // An unchanged relay is not sent again.
    if let Some(relay) = vlan
        .relay
        .as_ref()
        .filter(|relay| before.and_then(|before| before.relay.as_ref()) != Some(relay))
    {
        let target = network.vlan(relay);
        let is_target = network
            .vlans()
            .any(|other| other.relay.as_ref() == before.map(|before| &before.at));
        if *relay == vlan.at || is_target || target.is_none_or(|target| target.relay.is_some()) {
            return Err(RuleViolation::Relay(vlan.at.clone()));
        }
    }
    if !vlan.dhcp_on {
        return Ok(());
    }
    if vlan.primary_rack.is_none() {
        return Err(RuleViolation::DhcpWithoutRack(vlan.at.clone()));
    }
    let place = before.map_or(&vlan.at, |old| &old.at);
    let serves = network
        .subnets()
        .filter(|subnet| subnet.vlan == *place)
        .any(|subnet| {
            network
                .ranges_of(subnet.cidr)
                .any(|range| range.kind == RangeKind::Dynamic)
        });
    if serves {
        Ok(())
    } else {
        Err(RuleViolation::DhcpWithoutRange(vlan.at.clone()))
    }
}

/// A secondary rack that becomes primary is removed as secondary, and the primary cannot be chosen as secondary in the same
/// request (3.5.9 maasserver/forms/vlan.py:106-160).
fn trades_racks(before: &Vlan, after: &Vlan) -> bool {
    let changes = (&before.primary_rack, &before.secondary_rack)
        != (&after.primary_rack, &after.secondary_rack);
    changes
        && before.primary_rack.is_some()
        && after.secondary_rack.is_some()
        && (after.primary_rack == before.secondary_rack
            || after.secondary_rack == before.primary_rack)
}

/// Something that is on a VLAN, in a fabric or in a space.
fn inside(network: &NetworkModel, container: &Object) -> Option<String> {
    let holds = |object: &&Object| match (container, *object) {
        (Object::Vlan(vlan), Object::Subnet(subnet)) => subnet.vlan == vlan.at,
        (Object::Vlan(vlan), Object::Vlan(other)) => other.relay.as_ref() == Some(&vlan.at),
        (Object::Vlan(vlan), Object::Interface(it)) => it.vlan.as_ref() == Some(&vlan.at),
        (Object::Fabric(fabric), Object::Vlan(vlan)) => {
            let relay = vlan.relay.as_ref();
            if vlan.at.fabric == fabric.name {
                !network.is_default(&vlan.at)
            } else {
                relay.is_some_and(|to| to.fabric == fabric.name)
            }
        }
        (Object::Fabric(fabric), Object::Subnet(subnet)) => subnet.vlan.fabric == fabric.name,
        (Object::Fabric(fabric), Object::Interface(it)) => {
            let at = it.vlan.as_ref();
            at.is_some_and(|at| at.fabric == fabric.name)
        }
        (Object::Space(space), Object::Vlan(vlan)) => vlan.space.as_ref() == Some(&space.name),
        _ => false,
    };
    network.all().find(holds).map(|it| it.key().to_string())
}

fn may_be_removed(network: &NetworkModel, object: &Object) -> Result<(), RuleViolation> {
    let subnet = match object {
        Object::Subnet(subnet) => subnet,
        Object::Vlan(vlan) if network.is_default(&vlan.at) => {
            return Err(RuleViolation::DefaultVlan(vlan.at.clone()));
        }
        Object::Vlan(_) | Object::Fabric(_) | Object::Space(_) => {
            return match inside(network, object) {
                Some(what) => Err(RuleViolation::InUse(object.key(), what)),
                None => Ok(()),
            };
        }
        Object::Range(_)
        | Object::Route(_)
        | Object::ReservedIp(_)
        | Object::Interface(_)
        | Object::Link(_)
        | Object::Snippet(_) => return Ok(()),
    };
    let dynamic = network
        .ranges_of(subnet.cidr)
        .any(|range| range.kind == RangeKind::Dynamic);
    let dhcp = network.vlan(&subnet.vlan).is_some_and(|vlan| vlan.dhcp_on);
    if dynamic && dhcp {
        Err(RuleViolation::Serving(subnet.cidr))
    } else {
        Ok(())
    }
}
