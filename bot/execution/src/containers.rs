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
        Object::Subnet(subnet) => is_in(&subnet.vlan).then(|| format!("subnet {}", subnet.cidr)),
        Object::Interface(it) => {
            let at = it.vlan.as_ref()?;
            is_in(at).then(|| format!("interface {} of {}", it.name, it.host))
        }
        Object::Vlan(vlan) if is_in(&vlan.at) => {
            let stays = matches!(container, Object::Fabric(_)) && is_tagged(&vlan.at);
            stays.then(|| format!("vlan {}", vlan.at))
        }
        Object::Vlan(vlan) => {
            let to = vlan.relay.as_ref()?;
            is_in(to).then(|| format!("the relay of vlan {}", vlan.at))
        }
        Object::Space(_)
        | Object::Fabric(_)
        | Object::Range(_)
        | Object::Route(_)
        | Object::ReservedIp(_)
        | Object::Link(_)
        | Object::Snippet(_) => None,
    });
    lines.collect()
}
