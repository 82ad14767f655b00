//! Interfaces on VLANs that are removed: people take them off, because MAAS would remove them without a word. Must not know
//! at which gate.

use topology::object::{Interface, VlanAt};

use crate::builder::PlanBuilder;
use crate::gate::GateEvidence;

/// Why they stand at the teardown gate.
pub(super) const WHY: &str = "interfaces are on a VLAN that is removed, and MAAS would remove them too, also those of deployed machines";

impl PlanBuilder<'_> {
    /// Those of controllers, or all others.
    pub(super) fn detached_by(&self, controllers: bool) -> Vec<&(Interface, VlanAt)> {
        let all = self.detached.iter();
        all.filter(|(it, _)| self.is_controller(&it.host) == controllers)
            .collect()
    }
}

/// That none of them is on its VLAN any more; nothing where there are none.
pub(super) fn evidence(detached: &[&(Interface, VlanAt)]) -> Option<GateEvidence> {
    let names = detached
        .iter()
        .map(|(it, _)| (it.host.clone(), it.name.clone()));
    let vlans = detached.iter().map(|(_, at)| at.clone());
    (!detached.is_empty()).then(|| GateEvidence::Detached {
        interfaces: names.collect(),
        vlans: vlans.collect(),
    })
}

/// What people do with those of machines and devices, one line each.
pub(super) fn tasks<'a>(detached: &'a [&(Interface, VlanAt)]) -> impl Iterator<Item = String> + 'a {
    detached.iter().map(|(interface, at)| {
        let (host, name) = (&interface.host, &interface.name);
        format!("remove {name} of {host}, or move it to another VLAN: vlan {at} is removed")
    })
}
