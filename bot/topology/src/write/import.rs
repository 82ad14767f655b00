//! Decides which observed objects are declared, under which keys, and which are only listed.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::address::Cidr;
use crate::check::names::{self, NameKind};
use crate::object::{Key, StaticRoute, Subnet, Vlan, VlanAt};
use crate::observed::{NodeKind, Observed};

use super::conflict::MergeConflict;
use super::declaration::Declaration;
use super::leniency::{Leniency, Omission};
use super::naming;
use super::selection::Selection;

/// A VLAN that becomes, or is, a plane.
pub(super) struct ImportedPlane<'o> {
    pub(super) key: String,
    pub(super) vlan: &'o Vlan,
    /// Declared subnets first, in their order; then new ones, IPv4 first and older rows first.
    pub(super) subnets: Vec<&'o Subnet>,
    /// How many of them are already declared.
    pub(super) declared: usize,
    /// Whether the plane is already declared.
    pub(super) is_declared: bool,
    /// Why its details are left alone.
    pub(super) bare: Option<&'o str>,
}

/// Something that is not declared, and why.
pub(super) struct Undeclared {
    pub(super) name: String,
    pub(super) why: String,
}

/// The observed site, with a plan of what to declare.
pub(super) struct SiteImport<'o> {
    pub(super) observed: &'o Observed,
    pub(super) site: &'o str,
    pub(super) declaration: &'o Declaration,
    pub(super) selection: &'o Selection,
    pub(super) planes: BTreeMap<&'o VlanAt, ImportedPlane<'o>>,
    pub(super) undeclared: Vec<Undeclared>,
    /// Static routes by source.
    pub(super) routes: BTreeMap<Cidr, Vec<&'o StaticRoute>>,
    pub(super) machines: &'o BTreeMap<String, (Omission, String)>,
}

impl<'o> SiteImport<'o> {
    pub(super) fn of(
        (observed, site): (&'o Observed, &'o str),
        leniency: &'o Leniency,
        declaration: &'o Declaration,
        selection: &'o Selection,
    ) -> Self {
        let mut import = Self {
            observed,
            site,
            declaration,
            selection,
            planes: BTreeMap::new(),
            undeclared: Vec::new(),
            routes: BTreeMap::new(),
            machines: &leniency.machines,
        };
        for route in observed.routes() {
            import.routes.entry(route.source).or_default().push(route);
        }
        let mut by_vlan = import.declarable_subnets(leniency);
        let declared = declaration.vlans();
        let mut taken = naming::UsedNames::by(declaration);
        for vlan in observed.vlans() {
            let more = by_vlan.remove(&vlan.at).unwrap_or_default();
            if let Some(key) = declared.get(&vlan.at) {
                import.is_declared(key, vlan, more);
                continue;
            }
            if leniency.everything
                || (more.is_empty() && import.is_removed(&vlan.at, None))
                || import.is_passed_over(vlan, &more, leniency)
            {
                continue;
            }
            let key = taken.key_for(vlan, &more);
            let plane = ImportedPlane {
                key,
                vlan,
                subnets: more,
                declared: 0,
                is_declared: false,
                bare: leniency.planes.get(&vlan.at).map(|(_, why)| why.as_str()),
            };
            import.planes.insert(&vlan.at, plane);
        }
        if selection.everything() {
            import.list_fabrics();
        }
        import
    }

    /// Whether the files remove a VLAN, or a subnet of it.
    fn is_removed(&self, at: &VlanAt, cidr: Option<Cidr>) -> bool {
        let removed = &self.declaration.topology.removed;
        let mut planes = removed.planes.values();
        planes.any(|it| it.vlan == *at && cidr.is_none_or(|cidr| it.subnets.contains(&cidr)))
            || removed.fabrics.contains(&at.fabric)
    }

    /// Adds a declared plane, with the new subnets on its VLAN.
    fn is_declared(&mut self, key: &str, vlan: &'o Vlan, more: Vec<&'o Subnet>) {
        let before = self.declaration.topology.planes.get(key).into_iter();
        let mut subnets: Vec<&Subnet> = before
            .flat_map(|plane| &plane.subnets)
            .filter_map(|subnet| {
                self.observed
                    .subnet(self.declaration.now.get(&subnet.cidr)?)
            })
            .collect();
        let declared = subnets.len();
        subnets.extend(more);
        let plane = ImportedPlane {
            key: key.to_owned(),
            vlan,
            subnets,
            declared,
            is_declared: true,
            bare: None,
        };
        self.planes.insert(&vlan.at, plane);
    }

    /// Fails if something that was selected by name cannot be declared.
    pub(super) fn refuse_undeclarable(&self) -> Result<(), Vec<MergeConflict>> {
        let selection = self
            .undeclared
            .iter()
            .filter(|it| self.selection.names(&it.name));
        let refused: Vec<MergeConflict> = selection
            .map(|it| MergeConflict {
                file: String::new(),
                line: 0,
                what: format!("`{}` cannot be declared: {}", it.name, it.why),
                remedy: "change it in MAAS first, or leave it undeclared".to_owned(),
            })
            .collect();
        if refused.is_empty() {
            Ok(())
        } else {
            Err(refused)
        }
    }

    /// The host name of a rack, by system id.
    pub(super) fn rack(&self, system_id: &str) -> Option<&str> {
        let mut nodes = self.observed.nodes.values();
        nodes
            .find(|node| node.kind == NodeKind::Controller && node.system_id == system_id)
            .map(|node| node.host.as_str())
    }

    /// The plane under that key.
    pub(super) fn plane(&self, key: &str) -> Option<&ImportedPlane<'o>> {
        self.planes.values().find(|plane| plane.key == key)
    }

    /// Undeclared subnets that can be declared; of two that overlap, the older one.
    fn declarable_subnets(&mut self, leniency: &Leniency) -> BTreeMap<&'o VlanAt, Vec<&'o Subnet>> {
        let mut rows: Vec<(bool, u64, &Subnet)> = self
            .observed
            .objects
            .values()
            .filter_map(|seen| Some((seen.id, seen.object.as_subnet()?)))
            .map(|(id, subnet)| (subnet.cidr.is_v6(), id, subnet))
            .collect();
        rows.sort_by_key(|(v6, id, subnet)| (*v6, *id, subnet.cidr));
        let mut kept: BTreeMap<&VlanAt, Vec<&Subnet>> = BTreeMap::new();
        let mut all: Vec<Cidr> = self.declaration.now.values().copied().collect();
        let declared: BTreeSet<Cidr> = all.iter().copied().collect();
        for (_, _, subnet) in rows {
            let cidr = subnet.cidr;
            if declared.contains(&cidr)
                || self.is_removed(&subnet.vlan, Some(cidr))
                || !self.selection.includes(self.declaration, subnet)
            {
                continue;
            }
            let single = if cidr.is_v6() { 128 } else { 32 };
            let why = if let Some((Omission::Whole, why)) = leniency.planes.get(&subnet.vlan) {
                Some(why.clone())
            } else if leniency.everything {
                Some("the import could not be declared".to_owned())
            } else if cidr.prefix() == 0 || cidr.prefix() == single {
                Some("not a subnet that can be declared".to_owned())
            } else if !names::is_maas_name(NameKind::Fabric, &subnet.vlan.fabric)
                || self.observed.vlan(&subnet.vlan).is_none()
            {
                Some("on a fabric that cannot be declared".to_owned())
            } else {
                all.iter()
                    .find(|other| other.overlaps(&cidr))
                    .map(|other| format!("overlaps {other}"))
            };
            if let Some(why) = why {
                self.undeclared.push(Undeclared {
                    name: cidr.to_string(),
                    why,
                });
                continue;
            }
            all.push(cidr);
            kept.entry(&subnet.vlan).or_default().push(subnet);
        }
        kept
    }

    /// VLANs that get no file: unused default VLANs, discovered fabrics, and what was refused before.
    fn is_passed_over(&self, vlan: &Vlan, subnets: &[&Subnet], leniency: &Leniency) -> bool {
        let silent = matches!(leniency.planes.get(&vlan.at), Some((Omission::Whole, _)));
        let declarable =
            names::is_maas_name(NameKind::Fabric, &vlan.at.fabric) && vlan.at.vid <= 4094;
        if silent || !declarable {
            return true;
        }
        match self.selection.vlan(&vlan.at) {
            Some(selection) => !selection && subnets.is_empty(),
            None => {
                self.is_left_alone(vlan, subnets)
                    || self.is_bare_default(vlan, subnets)
                    || self.looks_discovered(&vlan.at.fabric)
            }
        }
    }

    /// Whether its fabric, or every subnet on it, is listed under `leave_alone`. A fabric with a declared plane no longer
    /// counts as left alone.
    fn is_left_alone(&self, vlan: &Vlan, subnets: &[&Subnet]) -> bool {
        let on = |subnet: &&Subnet| subnet.vlan == vlan.at;
        let mut all = self.observed.subnets().filter(on).peekable();
        let mut declared = self.declaration.vlans().into_keys();
        let fabric = &vlan.at.fabric;
        let open = declared.any(|at| at.fabric == *fabric);
        !open && self.declaration.topology.leave_alone.contains(fabric)
            || subnets.is_empty()
                && all.peek().is_some()
                && all.all(|subnet| self.declaration.leaves_alone(subnet))
    }

    /// A fabric's default VLAN that nobody has used.
    fn is_bare_default(&self, vlan: &Vlan, subnets: &[&Subnet]) -> bool {
        let relayed_to = self
            .observed
            .vlans()
            .any(|v| v.relay.as_ref() == Some(&vlan.at));
        let used = vlan.dhcp_on || vlan.relay.is_some() || vlan.space.is_some() || vlan.mtu != 1500;
        subnets.is_empty() && !used && !relayed_to && self.observed.default_vlans.contains(&vlan.at)
    }

    /// A fabric with a generated name, whose subnets were never named or configured and are used by no machine. Such fabrics
    /// come from a controller's report (for example of a container bridge).
    fn looks_discovered(&self, fabric: &str) -> bool {
        let touched = |vlan: &Vlan| {
            vlan.dhcp_on || vlan.relay.is_some() || vlan.space.is_some() || vlan.at.vid != 0
        };
        let mut vlans = self
            .observed
            .vlans()
            .filter(|vlan| vlan.at.fabric == fabric);
        names::is_generated("fabric", fabric)
            && !vlans.any(touched)
            && self
                .observed
                .subnets()
                .filter(|subnet| subnet.vlan.fabric == fabric)
                .all(|subnet| self.is_untouched(subnet))
    }

    fn is_untouched(&self, subnet: &Subnet) -> bool {
        let linked = self.observed.links().any(|link| {
            let node = self.observed.nodes.get(&link.host);
            link.subnet == subnet.cidr && node.is_some_and(|node| node.kind == NodeKind::Machine)
        });
        subnet.name == subnet.cidr.to_string()
            && subnet.gateway.is_none()
            && subnet.dns.is_empty()
            && subnet.description.is_empty()
            && self.observed.ranges_of(subnet.cidr).next().is_none()
            && !self.routes.contains_key(&subnet.cidr)
            && !linked
    }

    /// Lists fabrics without a plane under `leave_alone`, which covers their subnets too.
    fn list_fabrics(&mut self) {
        let declared: BTreeSet<&str> = self.planes.keys().map(|at| at.fabric.as_str()).collect();
        let fabrics: BTreeSet<&str> = self
            .observed
            .objects
            .keys()
            .filter_map(|key| {
                if let Key::Fabric(name) = key {
                    Some(name.as_str())
                } else {
                    None
                }
            })
            .chain(self.observed.vlans().map(|vlan| vlan.at.fabric.as_str()))
            .collect();
        let alone = &self.declaration.topology.leave_alone;
        for fabric in fabrics.difference(&declared) {
            let removed = &self.declaration.topology.removed;
            let mut planes = removed.planes.values();
            if alone.contains(*fabric)
                || removed.fabrics.contains(*fabric)
                || planes.any(|it| it.vlan.fabric == *fabric)
            {
                continue;
            }
            let cidrs: Vec<String> = self
                .observed
                .subnets()
                .filter(|subnet| subnet.vlan.fabric == **fabric)
                .map(|subnet| subnet.cidr.to_string())
                .collect();
            let why = if cidrs.is_empty() {
                "no subnets".to_owned()
            } else {
                cidrs.join(", ")
            };
            self.undeclared.push(Undeclared {
                name: (*fabric).to_owned(),
                why,
            });
        }
    }

    /// The plane and offset of an address, if a reference can express it: only in a plane's first subnet of that family.
    pub(super) fn reference(&self, ip: IpAddr) -> Option<(&str, u128)> {
        self.planes.values().find_map(|plane| {
            let first = plane
                .subnets
                .iter()
                .find(|s| s.cidr.is_v6() == ip.is_ipv6())?;
            Some((plane.key.as_str(), first.cidr.offset_of(ip)?))
        })
    }

    /// The plane that declares exactly this subnet.
    pub(super) fn plane_of(&self, cidr: Cidr) -> Option<&ImportedPlane<'o>> {
        let subnet = self.observed.subnet(&cidr)?;
        let plane = self.planes.get(&subnet.vlan)?;
        plane
            .subnets
            .iter()
            .any(|s| s.cidr == cidr)
            .then_some(plane)
    }
}
