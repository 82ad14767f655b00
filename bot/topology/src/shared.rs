//! What two sites of one MAAS may not both declare: a VLAN, a subnet, a machine.
//!
//! Two planes of two sites on one VLAN would take turns: each run undoes the other's. Subnets that overlap count as the
//! same, because one MAAS has no room for both. Fabrics and spaces may be shared: one that holds what no file
//! of a site declares is not removed, and a plan that would take along what the other site declares is refused. Must not know where a declaration comes from, nor which MAAS it is for.

use std::collections::BTreeMap;
use std::fmt;

use crate::check::Checked;
use crate::finding::{Finding, codes};
use crate::plane::Topology;
use crate::{Cidr, Key, object::VlanAt};

/// An object that two declarations have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedObject {
    /// The object, as the first declaration has it.
    pub object: SharedKind,
    /// The plane of the first declaration, where the object belongs to one.
    pub plane: Option<String>,
}

/// What is declared twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SharedKind {
    /// The same VID of the same fabric.
    Vlan(VlanAt),
    /// The same network, or one that shares addresses with it.
    Subnet {
        cidr: Cidr,
        /// The other declaration's.
        other: Cidr,
    },
    /// By host name.
    Machine(String),
}

impl fmt::Display for SharedKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vlan(at) => write!(f, "VLAN `{at}`"),
            Self::Subnet { cidr, other } if cidr == other => write!(f, "subnet `{cidr}`"),
            Self::Subnet { cidr, other } => write!(f, "subnet `{cidr}` (`{other}` there)"),
            Self::Machine(host) => write!(f, "machine `{host}`"),
        }
    }
}

/// What both declare, in the order of the first one's planes, then its machines.
pub fn shared(one: &Topology, other: &Topology) -> Vec<SharedObject> {
    let mut found = Vec::new();
    for (key, vlan, cidrs) in one.claims() {
        let mut take = |object| {
            found.push(SharedObject {
                object,
                plane: Some(key.to_owned()),
            });
        };
        if other.claims().any(|(_, theirs, _)| theirs == vlan) {
            take(SharedKind::Vlan(vlan.clone()));
        }
        for cidr in cidrs {
            let theirs = other.claims().flat_map(|(_, _, cidrs)| cidrs);
            for other in theirs.filter(|theirs| theirs.overlaps(&cidr)) {
                take(SharedKind::Subnet { cidr, other });
            }
        }
    }
    let hosts = one.machines.keys().filter(|host| {
        let mut theirs = other.machines.keys();
        theirs.any(|theirs| is_same_host(host, theirs))
    });
    found.extend(hosts.map(|host| SharedObject {
        object: SharedKind::Machine(host.clone()),
        plane: None,
    }));
    found
}

/// Whether a declaration has this object, or needs it: a plane's fabric, VLAN and subnets.
pub fn declares(topology: &Topology, key: &Key) -> bool {
    let mut claims = topology.claims();
    match key {
        Key::Fabric(name) => {
            claims.any(|(_, vlan, _)| vlan.fabric == *name)
                || topology.removed.fabrics.contains(name)
        }
        Key::Vlan(at) => claims.any(|(_, vlan, _)| vlan == at),
        Key::Subnet(cidr) | Key::Range(cidr, _) => {
            let mut cidrs = claims.flat_map(|(_, _, cidrs)| cidrs);
            cidrs.any(|own| own.overlaps(cidr))
        }
        Key::Interface(host, _) | Key::Link(host, ..) => {
            let mut hosts = topology.machines.keys();
            hosts.any(|own| is_same_host(own, host))
        }
        Key::Space(_) | Key::Route(..) | Key::ReservedIp(_) | Key::Snippet(..) => false,
    }
}

/// Whether two names may be one machine's: MAAS ignores case, and knows a machine by its host name and by its FQDN.
fn is_same_host(one: &str, other: &str) -> bool {
    let (one, other) = (one.to_ascii_lowercase(), other.to_ascii_lowercase());
    let extends = |long: &str, short: &str| {
        long.strip_prefix(short)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    extends(&one, &other) || extends(&other, &one)
}

impl SharedObject {
    /// The error in a declaration whose site `other` is on the same MAAS.
    pub fn finding(&self, declared: &Checked, other: &str) -> Finding {
        let code = codes::SITE_SHARED;
        let (file, line) = self.place(declared);
        Finding {
            file,
            line,
            column: 1,
            severity: code.severity,
            code: code.name,
            message: format!(
                "{} is also declared by site `{other}`, which is on the same MAAS",
                self.object
            ),
            excerpt: String::new(),
            help: "declare it in one of the two sites only".to_owned(),
        }
    }

    /// The warning where nobody says whether site `other` is on the same MAAS. `count` is how many objects both declare.
    pub fn doubt(&self, declared: &Checked, other: &str, count: usize) -> Finding {
        let code = codes::SITE_MAYBE_SHARED;
        let (file, line) = self.place(declared);
        let more = match count {
            0 | 1 => String::new(),
            count => format!(", and {} more", count - 1),
        };
        Finding {
            file,
            line,
            column: 1,
            severity: code.severity,
            code: code.name,
            message: format!(
                "{} is also declared by site `{other}`{more}",
                self.object
            ),
            excerpt: String::new(),
            help: "fine on two MAASes; on one MAAS `plan` refuses it: name both sites in `planebot.toml` and `check` knows"
                .to_owned(),
        }
    }

    fn place(&self, declared: &Checked) -> (String, u32) {
        let places: &BTreeMap<String, (String, u32)> = match &self.object {
            SharedKind::Vlan(_) | SharedKind::Subnet { .. } => &declared.declared_at,
            SharedKind::Machine(_) => &declared.machines_at,
        };
        let key = match &self.object {
            SharedKind::Machine(host) => Some(host),
            SharedKind::Vlan(_) | SharedKind::Subnet { .. } => self.plane.as_ref(),
        };
        let place = key.and_then(|key| places.get(key));
        place.cloned().unwrap_or_else(|| (String::new(), 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::check;
    use crate::draft::SourceFile;

    fn declared(text: &str) -> Checked {
        let source = SourceFile {
            path: "a.yaml".to_owned(),
            bytes: text.as_bytes().to_vec(),
        };
        let checked = check(&[source]);
        assert!(checked.topology.is_some(), "{:?}", checked.findings);
        checked
    }

    fn both(one: &str, other: &str) -> Vec<String> {
        let (one, other) = (declared(one), declared(other));
        let (mine, theirs) = (one.topology.clone(), other.topology);
        shared(&mine.unwrap(), &theirs.unwrap())
            .iter()
            .map(|it| {
                let finding = it.finding(&one, "b");
                format!("{}:{} {}", finding.file, finding.line, it.object)
            })
            .collect()
    }

    const ONE: &str = "plane: ten\nfabric: blue\nvid: 10\ncidr: 10.0.10.0/24\n";

    #[test]
    fn a_vlan_a_subnet_and_a_machine_may_not_be_declared_twice() {
        assert_eq!(
            both(ONE, "plane: x\nfabric: blue\nvid: 10\ncidr: 10.0.11.0/24\n"),
            ["a.yaml:1 VLAN `blue/10`"]
        );
        assert_eq!(
            both(ONE, "plane: x\nfabric: red\nvid: 10\ncidr: 10.0.0.0/16\n"),
            ["a.yaml:1 subnet `10.0.10.0/24` (`10.0.0.0/16` there)"]
        );
        let machines = |host: &str| {
            format!(
                "machines:\n  - name: {host}\n    interfaces:\n      - {{name: eth0, type: physical}}\n"
            )
        };
        assert_eq!(
            both(&machines("node1"), &machines("NODE1.maas")),
            ["a.yaml:2 machine `node1`"]
        );
        assert_eq!(
            both(&machines("node1"), &machines("node10")),
            Vec::<String>::new()
        );
    }

    #[test]
    fn a_fabric_and_a_space_may_be_shared() {
        let other = "plane: ten\nfabric: blue\nvid: 11\nspace: s\ncidr: 10.0.11.0/24\n";
        let one = format!("{ONE}space: s\n");
        assert_eq!(both(&one, other), Vec::<String>::new());
    }
}
