//! What is on a VLAN or in a fabric that is about to be deleted. Pure.
//!
//! MAAS deletes a VLAN whatever is on it: subnets go to the fabric's default VLAN, VLAN interfaces vanish (seen on 3.5.12 and
//! 3.7.3). So everything is looked at directly before the write.

use topology::object::{Object, VlanAt};
use topology::observed::Observed;

/// Everything that would go or move with it, one line each. `observed` has the interfaces of all nodes.
pub(crate) fn inside(observed: &Observed, container: &Object) -> Vec<String> {
    let is_in = |at: &VlanAt| match container {
        Object::Vlan(vlan) => *at == vlan.at,
        Object::Fabric(fabric) => at.fabric == fabric.name,
        Object::Space(_)
        | Object::Subnet(_)
        | Object::Range(_)
        | Object::Route(_)
        | Object::ReservedIp(_)
        | Object::Interface(_)
        | Object::Link(_)
        | Object::Snippet(_) => false,
    };
    let is_tagged = |at: &VlanAt| !observed.default_vlans.contains(at);
    let lines = observed.all().filter_map(|object| match object {
        Object::Subnet(subnet) if is_in(&subnet.vlan) => Some(format!("subnet {}", subnet.cidr)),
        Object::Interface(it) if it.vlan.as_ref().is_some_and(is_in) => {
            Some(format!("interface {} of {}", it.name, it.host))
        }
        Object::Vlan(vlan) if vlan.relay.as_ref().is_some_and(is_in) && !is_in(&vlan.at) => {
            Some(format!("the relay of vlan {}", vlan.at))
        }
        Object::Vlan(vlan) if matches!(container, Object::Fabric(_)) => {
            (is_in(&vlan.at) && is_tagged(&vlan.at)).then(|| format!("vlan {}", vlan.at))
        }
        _ => None,
    });
    lines.collect()
}
