//! What to import: everything, or objects by name.
//!
//! Names are those that an audit and a plan show: `192.0.2.0/24`, `fabric/20`, `fabric/untagged`, and the names of subnets,
//! fabrics, spaces and machines. An ambiguous name is refused with the unambiguous ones.

use std::collections::BTreeSet;

use crate::address::Cidr;
use crate::finding::shown;
use crate::object::{Key, Subnet, VlanAt};
use crate::observed::{NodeKind, Observed};

use super::conflict::MergeConflict;
use super::declaration::Declaration;

/// The objects to import.
#[derive(Default)]
pub(super) struct Selection {
    only: Option<SelectedObjects>,
    /// Whether declared objects that MAAS does not have are removed.
    pub(super) drop_gone: bool,
}

#[derive(Default)]
struct SelectedObjects {
    subnets: BTreeSet<Cidr>,
    vlans: BTreeSet<VlanAt>,
    spaces: BTreeSet<String>,
    machines: BTreeSet<String>,
}

/// An object that a name may refer to.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum NamedObject {
    Subnet(Cidr),
    Vlan(VlanAt),
    Fabric(String),
    Space(String),
    Machine(String),
}

/// Prefixes for a name: `fabric:blue`.
const KINDS: &[&str] = &["subnet", "vlan", "fabric", "space", "machine"];

impl Selection {
    /// Selects by name; without names, everything.
    pub(super) fn of(
        names: &[String],
        observed: &Observed,
        declaration: &Declaration,
    ) -> Result<Self, Vec<MergeConflict>> {
        if names.is_empty() {
            return Ok(Self::default());
        }
        let mut only = SelectedObjects::default();
        let mut refused = Vec::new();
        for name in names {
            match found(name, observed)
                .and_then(|meant| undeclared(name, meant, observed, declaration))
            {
                Ok(meant) => only.take(meant, observed, declaration),
                Err(why) => refused.push(why),
            }
        }
        if !refused.is_empty() {
            return Err(refused);
        }
        Ok(Self {
            only: Some(only),
            drop_gone: false,
        })
    }

    pub(super) fn everything(&self) -> bool {
        self.only.is_none()
    }

    /// Whether to declare an undeclared subnet.
    pub(super) fn includes(&self, declaration: &Declaration, subnet: &Subnet) -> bool {
        match &self.only {
            None => !declaration.leaves_alone(subnet),
            Some(only) => only.subnets.contains(&subnet.cidr),
        }
    }

    /// Whether this VLAN was selected by name; `None` if everything is selected.
    pub(super) fn vlan(&self, at: &VlanAt) -> Option<bool> {
        self.only.as_ref().map(|only| only.vlans.contains(at))
    }

    /// Whether this space was selected by name; `None` if everything is selected.
    pub(super) fn space(&self, name: &str) -> Option<bool> {
        self.only.as_ref().map(|only| only.spaces.contains(name))
    }

    pub(super) fn machine(&self, host: &str) -> bool {
        let only = self.only.as_ref();
        only.is_none_or(|only| only.machines.contains(host))
    }

    /// Whether a subnet was selected by name.
    pub(super) fn names(&self, cidr: &str) -> bool {
        let cidr = cidr.parse::<Cidr>();
        let only = self.only.as_ref();
        only.is_some_and(|only| cidr.is_ok_and(|cidr| only.subnets.contains(&cidr)))
    }
}

impl SelectedObjects {
    fn take(&mut self, meant: NamedObject, observed: &Observed, declaration: &Declaration) {
        let mut all_on = |at: &VlanAt| {
            let there = observed.subnets().filter(|subnet| subnet.vlan == *at);
            let declared: BTreeSet<Cidr> = declaration.now.values().copied().collect();
            let new = there.map(|subnet| subnet.cidr);
            self.subnets
                .extend(new.filter(|cidr| !declared.contains(cidr)));
            self.vlans.insert(at.clone());
        };
        match meant {
            NamedObject::Subnet(cidr) => {
                self.subnets.insert(cidr);
            }
            NamedObject::Vlan(at) => all_on(&at),
            NamedObject::Fabric(name) => {
                let on = observed.vlans().filter(|vlan| vlan.at.fabric == name);
                on.for_each(|vlan| all_on(&vlan.at));
            }
            NamedObject::Space(name) => {
                self.spaces.insert(name);
            }
            NamedObject::Machine(host) => {
                self.machines.insert(host);
            }
        }
    }
}

fn refusal(what: String, remedy: String) -> MergeConflict {
    MergeConflict {
        file: String::new(),
        line: 0,
        what,
        remedy,
    }
}

/// The only object with that name, or a refusal.
fn found(name: &str, observed: &Observed) -> Result<NamedObject, MergeConflict> {
    let (kind, rest) = match name.split_once(':') {
        Some((kind, rest)) if KINDS.contains(&kind) => (Some(kind), rest),
        Some(_) | None => (None, name),
    };
    let mut meant = Vec::new();
    for known in KINDS
        .iter()
        .filter(|known| kind.is_none_or(|kind| kind == **known))
    {
        meant.extend(of_kind(known, rest, observed));
    }
    match meant.as_slice() {
        [one] => Ok(one.clone()),
        [] => {
            let what = format!(
                "this MAAS has no {} `{}`",
                kind.unwrap_or("object"),
                shown(rest)
            );
            let help = "write it as `planebot audit` lists it: a network such as `192.0.2.0/24`, `FABRIC/VID`, or the \
                        name of a subnet, fabric, space or machine";
            Err(refusal(what, help.to_owned()))
        }
        several => {
            let names: Vec<String> = several
                .iter()
                .map(|one| format!("`{}`", one.name()))
                .collect();
            let what = format!(
                "`{}` is ambiguous: {} objects have that name",
                shown(name),
                several.len()
            );
            Err(refusal(what, format!("use one of {}", names.join(", "))))
        }
    }
}

fn of_kind(kind: &str, name: &str, observed: &Observed) -> Vec<NamedObject> {
    match kind {
        "subnet" => {
            let cidr = name.parse::<Cidr>().ok();
            let exact = cidr.filter(|cidr| observed.subnet(cidr).is_some());
            if let Some(cidr) = exact {
                return vec![NamedObject::Subnet(cidr)];
            }
            let named = observed.subnets().filter(|subnet| subnet.name == name);
            named
                .map(|subnet| NamedObject::Subnet(subnet.cidr))
                .collect()
        }
        "vlan" => {
            let is_it =
                |at: &VlanAt| at.to_string() == name || format!("{}/{}", at.fabric, at.vid) == name;
            let vlans = observed.vlans().filter(|vlan| is_it(&vlan.at));
            vlans
                .map(|vlan| NamedObject::Vlan(vlan.at.clone()))
                .collect()
        }
        "fabric" => {
            let there = observed.vlans().any(|vlan| vlan.at.fabric == name);
            there
                .then(|| NamedObject::Fabric(name.to_owned()))
                .into_iter()
                .collect()
        }
        "space" => {
            let there = observed.get(&Key::Space(name.to_owned())).is_some();
            there
                .then(|| NamedObject::Space(name.to_owned()))
                .into_iter()
                .collect()
        }
        _ => {
            let node = observed.nodes.get(name);
            let there = node.is_some_and(|node| node.kind == NodeKind::Machine);
            there
                .then(|| NamedObject::Machine(name.to_owned()))
                .into_iter()
                .collect()
        }
    }
}

/// The object, unless all of it is already declared.
fn undeclared(
    name: &str,
    meant: NamedObject,
    observed: &Observed,
    declaration: &Declaration,
) -> Result<NamedObject, MergeConflict> {
    let declared: BTreeSet<Cidr> = declaration.now.values().copied().collect();
    let vlans = declaration.vlans();
    let whole = |at: &VlanAt| {
        let mut there = observed.subnets().filter(|subnet| subnet.vlan == *at);
        vlans.contains_key(at) && there.all(|subnet| declared.contains(&subnet.cidr))
    };
    let known = match &meant {
        NamedObject::Subnet(cidr) => declared.contains(cidr),
        NamedObject::Vlan(at) => whole(at),
        NamedObject::Fabric(fabric) => {
            let mut on = observed.vlans().filter(|vlan| vlan.at.fabric == *fabric);
            on.all(|vlan| whole(&vlan.at))
        }
        NamedObject::Space(space) => {
            let carried = declaration.topology.planes.values();
            let mut carried = carried.filter_map(|plane| plane.space.as_ref()?.as_ref());
            declaration.topology.spaces.contains(space) || carried.any(|carried| carried == space)
        }
        NamedObject::Machine(host) => declaration.topology.machines.contains_key(host),
    };
    if !known {
        return Ok(meant);
    }
    let (file, line) = meant.place(observed, declaration).unwrap_or_default();
    Err(MergeConflict {
        file,
        line,
        what: format!("`{}` is already declared", shown(name)),
        remedy: "leave it out; `planebot plan` shows what differs".to_owned(),
    })
}

impl NamedObject {
    /// The name that refers only to this object.
    fn name(&self) -> String {
        match self {
            Self::Subnet(cidr) => cidr.to_string(),
            Self::Vlan(at) => format!("vlan:{}", shown(&at.to_string())),
            Self::Fabric(name) => format!("fabric:{}", shown(name)),
            Self::Space(name) => format!("space:{}", shown(name)),
            Self::Machine(host) => format!("machine:{}", shown(host)),
        }
    }

    /// File and line of the plane that it belongs to.
    fn place(&self, observed: &Observed, declaration: &Declaration) -> Option<(String, u32)> {
        let vlan = match self {
            Self::Subnet(cidr) => &observed.subnet(cidr)?.vlan,
            Self::Vlan(at) => at,
            Self::Fabric(_) | Self::Space(_) | Self::Machine(_) => return None,
        };
        let mut is_declared = declaration.planes.values();
        let entry = is_declared.find(|entry| entry.vlan.as_ref() == Some(vlan))?;
        Some((entry.path.clone(), entry.line))
    }
}
