//! The audit: one line per plane that compares the declaration with MAAS.
//!
//! The statuses are SKIP, CREATE, DRIFT, MIGRATE, REMOVE and UNDECLARED. Of steps it only counts how many each plane has.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use topology::address::Cidr;
use topology::object::{Key, Object, Vlan, VlanAt};
use topology::observed::Observed;
use topology::plane::{Plane, Topology};

use crate::desired::removal::Removal;
use crate::pairing::{Pairing, is_left_alone};
use crate::step::Step;
use crate::undeclared::undeclared_vlans;

/// The status of a plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum AuditStatus {
    /// MAAS is as declared.
    Skip,
    /// It does not exist; its CIDR is free.
    Create,
    /// Its CIDR belongs to another plane's subnet, or to an undeclared one.
    Drift,
    /// It exists and changes; its CIDR is its own or free.
    Migrate,
    /// It exists and is removed: the files say `state: absent`.
    Remove,
    /// It exists but is not declared; never touched.
    Undeclared,
}

/// One line of the audit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditLine {
    pub standing: AuditStatus,
    /// The plane's key; for an undeclared subnet, VLAN or space, its name in MAAS.
    pub name: String,
    /// The declared CIDR; for an undeclared subnet, the observed one.
    pub cidr: Option<Cidr>,
    /// The current CIDR, if it differs.
    pub from: Option<Cidr>,
    /// For DRIFT: the plane or subnet that has the CIDR now.
    pub held_by: Option<String>,
    /// The VLAN's fabric and VID; `None` for a space.
    pub vlan: Option<VlanAt>,
    /// MAAS's id of the fabric; `None` if it does not exist.
    pub fabric_id: Option<u64>,
    /// MAAS's id of the VLAN; `None` if it does not exist.
    pub vlan_id: Option<u64>,
    /// How many addresses are in use on it; `None`: not read.
    pub allocations: Option<usize>,
    /// How many steps of the plan change this plane.
    pub steps: usize,
}

/// Compares a declaration with what was observed. `steps` are those of the plan between them.
pub fn audit(
    topology: &Topology,
    observed: &Observed,
    pairing: &Pairing,
    steps: &[Step],
) -> Vec<AuditLine> {
    let owner: BTreeMap<Cidr, &str> = topology
        .planes
        .values()
        .flat_map(|plane| {
            plane
                .subnets
                .iter()
                .map(|subnet| (subnet.cidr, plane.key.as_str()))
        })
        .filter_map(|(cidr, key)| Some((pairing.old_of(cidr)?, key)))
        .collect();
    let mut count: BTreeMap<&str, usize> = BTreeMap::new();
    for plane in steps.iter().filter_map(|step| step.plane.as_deref()) {
        *count.entry(plane).or_default() += 1;
    }
    let mut lines: Vec<AuditLine> = Vec::new();
    for plane in topology.planes.values() {
        let steps = count.get(plane.key.as_str()).copied().unwrap_or(0);
        let base = vlan_line(plane, observed, pairing, steps);
        if plane.subnets.is_empty() {
            lines.push(base.clone());
        }
        let subnets = plane.subnets.iter().map(|subnet| subnet.cidr);
        lines.extend(subnets.map(|cidr| subnet_line(cidr, &base, observed, pairing, &owner)));
    }
    let removal = Removal::of(topology, observed, pairing);
    lines.extend(removed(&removal, observed, &count));
    lines.extend(undeclared(topology, observed, &owner).filter(|line| {
        line.cidr
            .is_none_or(|it| !removal.subnets.contains_key(&it))
    }));
    lines.extend(
        undeclared_vlans(observed, topology, pairing)
            .into_iter()
            .filter(|vlan| !removal.takes_vlan(&vlan.at))
            .map(|vlan| vlan_alone(vlan, topology, observed)),
    );
    lines.extend(
        undeclared_spaces(topology, observed, pairing)
            .into_iter()
            .filter(|line| !removal.spaces.contains(&line.name)),
    );
    lines
}

/// The lines of the subnets that are removed, and of the VLANs that are removed without one.
fn removed(
    removal: &Removal,
    observed: &Observed,
    count: &BTreeMap<&str, usize>,
) -> Vec<AuditLine> {
    let line = |key: &String, cidr: Option<Cidr>, at: &VlanAt| AuditLine {
        standing: AuditStatus::Remove,
        name: key.clone(),
        cidr,
        vlan: Some(at.clone()),
        fabric_id: observed.id(&Key::Fabric(at.fabric.clone())),
        vlan_id: observed.id(&Key::Vlan(at.clone())),
        allocations: cidr
            .and_then(|cidr| observed.occupants.get(&cidr))
            .map(Vec::len),
        steps: count.get(key.as_str()).copied().unwrap_or(0),
        ..undeclared_line()
    };
    let subnets = removal.subnets.iter().filter_map(|(cidr, key)| {
        let there = observed.subnet(cidr)?;
        Some(line(key, Some(*cidr), &there.vlan))
    });
    let alone = removal
        .vlans
        .iter()
        .filter(|(_, key)| !removal.subnets.values().any(|it| it == *key));
    let alone = alone.map(|(at, key)| line(key, None, at));
    subnets.chain(alone).collect()
}

/// The line of a plane without a subnet, and the template for the lines of its subnets.
fn vlan_line(plane: &Plane, observed: &Observed, pairing: &Pairing, steps: usize) -> AuditLine {
    let old = observed
        .vlans()
        .find(|vlan| pairing.place(&vlan.at) == plane.vlan);
    let standing = match (old, steps) {
        (None, _) => AuditStatus::Create,
        (Some(_), 0) => AuditStatus::Skip,
        (Some(_), _) => AuditStatus::Migrate,
    };
    AuditLine {
        standing,
        name: plane.key.clone(),
        cidr: None,
        from: None,
        held_by: None,
        vlan: Some(plane.vlan.clone()),
        fabric_id: old.and_then(|vlan| observed.id(&Key::Fabric(vlan.at.fabric.clone()))),
        vlan_id: old.and_then(|vlan| observed.id(&Key::Vlan(vlan.at.clone()))),
        allocations: None,
        steps,
    }
}

fn subnet_line(
    cidr: Cidr,
    base: &AuditLine,
    observed: &Observed,
    pairing: &Pairing,
    owner: &BTreeMap<Cidr, &str>,
) -> AuditLine {
    let old = pairing.old_of(cidr);
    let holder = observed.subnet(&cidr).filter(|_| old != Some(cidr));
    let standing = match (holder, old) {
        (Some(_), _) => AuditStatus::Drift,
        (None, None) => AuditStatus::Create,
        (None, Some(old)) if old != cidr || base.steps > 0 => AuditStatus::Migrate,
        (None, Some(_)) => AuditStatus::Skip,
    };
    let held_by = holder.map(|holder| {
        owner
            .get(&holder.cidr)
            .map_or_else(|| holder.name.clone(), |key| (*key).to_owned())
    });
    AuditLine {
        standing,
        cidr: Some(cidr),
        from: old.filter(|old| *old != cidr),
        held_by,
        allocations: old
            .and_then(|old| observed.occupants.get(&old))
            .map(Vec::len),
        ..base.clone()
    }
}

fn undeclared<'a>(
    topology: &'a Topology,
    observed: &'a Observed,
    owner: &'a BTreeMap<Cidr, &str>,
) -> impl Iterator<Item = AuditLine> + 'a {
    observed
        .subnets()
        .filter(|subnet| !owner.contains_key(&subnet.cidr))
        .map(|subnet| AuditLine {
            standing: AuditStatus::Undeclared,
            name: if is_left_alone(topology, subnet) {
                format!("{} (left alone)", subnet.name)
            } else {
                subnet.name.clone()
            },
            cidr: Some(subnet.cidr),
            from: None,
            held_by: None,
            vlan: Some(subnet.vlan.clone()),
            fabric_id: observed.id(&Key::Fabric(subnet.vlan.fabric.clone())),
            vlan_id: observed.id(&Key::Vlan(subnet.vlan.clone())),
            allocations: observed.occupants.get(&subnet.cidr).map(Vec::len),
            steps: 0,
        })
}

/// The line of an undeclared VLAN without subnets.
fn vlan_alone(vlan: &Vlan, topology: &Topology, observed: &Observed) -> AuditLine {
    let name = vlan.name.clone().unwrap_or_else(|| vlan.at.to_string());
    let alone = topology.leave_alone.contains(&vlan.at.fabric);
    AuditLine {
        name: if alone {
            format!("{name} (left alone)")
        } else {
            name
        },
        vlan: Some(vlan.at.clone()),
        fabric_id: observed.id(&Key::Fabric(vlan.at.fabric.clone())),
        vlan_id: observed.id(&Key::Vlan(vlan.at.clone())),
        ..undeclared_line()
    }
}

/// A line for each space that MAAS has and no file names. Spaces without a VLAN are known only where the list was read.
fn undeclared_spaces(
    topology: &Topology,
    observed: &Observed,
    pairing: &Pairing,
) -> Vec<AuditLine> {
    let declared: BTreeSet<&str> = topology
        .planes
        .values()
        .filter_map(|plane| plane.space.as_ref()?.as_deref())
        .chain(topology.spaces.iter().map(String::as_str))
        .chain(pairing.spaces.keys().map(String::as_str))
        .collect();
    // A plane that leaves its space alone has one nevertheless.
    let planes: BTreeSet<&VlanAt> = topology.planes.values().map(|plane| &plane.vlan).collect();
    let kept: BTreeSet<&str> = observed
        .vlans()
        .filter(|vlan| planes.contains(&pairing.place(&vlan.at)))
        .filter_map(|vlan| vlan.space.as_deref())
        .collect();
    let on_vlans = observed.vlans().filter_map(|vlan| vlan.space.as_deref());
    let listed = observed
        .all()
        .filter_map(Object::as_space)
        .map(|space| space.name.as_str());
    let there: BTreeSet<&str> = on_vlans.chain(listed).collect();
    there
        .into_iter()
        .filter(|space| !declared.contains(space) && !kept.contains(space))
        .map(|space| AuditLine {
            name: space.to_owned(),
            ..undeclared_line()
        })
        .collect()
}

fn undeclared_line() -> AuditLine {
    AuditLine {
        standing: AuditStatus::Undeclared,
        name: String::new(),
        cidr: None,
        from: None,
        held_by: None,
        vlan: None,
        fabric_id: None,
        vlan_id: None,
        allocations: None,
        steps: 0,
    }
}

impl AuditStatus {
    /// The status as the audit shows it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Skip => "SKIP",
            Self::Create => "CREATE",
            Self::Drift => "DRIFT",
            Self::Migrate => "MIGRATE",
            Self::Remove => "REMOVE",
            Self::Undeclared => "UNDECLARED",
        }
    }
}

impl AuditStatus {
    /// Every status, in the order of their explanations.
    pub const ALL: [Self; 6] = [
        Self::Skip,
        Self::Create,
        Self::Drift,
        Self::Migrate,
        Self::Remove,
        Self::Undeclared,
    ];

    /// What the status says, in a few words after its name.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Skip => "its network is as declared and stays as it is",
            Self::Create => "it is declared and not in MAAS",
            Self::Drift => "another plane or an undeclared subnet has its CIDR in MAAS",
            Self::Migrate => "it is in MAAS and differs from the declaration",
            Self::Remove => "it is in MAAS and its file says `state: absent`",
            Self::Undeclared => "it is in MAAS and in no file; planebot leaves it alone",
        }
    }
}

impl fmt::Display for AuditLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<10} ", self.standing.word())?;
        let cidr = self.cidr.map(|cidr| cidr.to_string()).unwrap_or_default();
        match (&self.held_by, self.from) {
            (Some(holder), _) => write!(f, "{cidr} {holder} -> {}", self.name)?,
            (None, Some(from)) => write!(f, "{from} -> {cidr} {}", self.name)?,
            (None, None) if cidr.is_empty() => write!(f, "{}", self.name)?,
            (None, None) => write!(f, "{cidr} {}", self.name)?,
        }
        let id = |id: Option<u64>| id.map_or_else(|| "new".to_owned(), |id| id.to_string());
        let Some(vlan) = &self.vlan else {
            return write!(f, "  (a space)");
        };
        write!(
            f,
            "  ({vlan}, fabric {}, vlan {}",
            id(self.fabric_id),
            id(self.vlan_id)
        )?;
        if let Some(count) = self.allocations {
            write!(f, ", {count} in use")?;
        }
        match self.steps {
            0 => write!(f, ")"),
            1 => write!(f, "), 1 change"),
            steps => write!(f, "), {steps} changes"),
        }
    }
}
