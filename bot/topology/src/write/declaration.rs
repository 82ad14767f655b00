//! The existing declaration, and which of its objects MAAS has.
//!
//! A declared plane is matched with the VLAN of its fabric and VID. If that does not exist or is empty, it is matched with
//! the VLAN that has its subnets, by CIDR or by name. Must not know what is written.

use std::collections::{BTreeMap, BTreeSet};

use crate::address::Cidr;
use crate::draft::SourceFile;
use crate::object::{Key, Subnet, Vlan, VlanAt};
use crate::observed::{NodeKind, Observed};
use crate::plane::{Plane, Topology};
use crate::yaml::{self, YamlNode};

use super::conflict::MergeConflict;
use super::tree::{field, items, planes_in, subnets_in, word};

/// The existing declaration; empty if there is none.
#[derive(Default)]
pub(super) struct Declaration {
    pub(super) files: BTreeMap<String, DeclarationFile>,
    pub(super) topology: Topology,
    /// Declared planes by key.
    pub(super) planes: BTreeMap<String, DeclaredPlane>,
    /// Each declared subnet's CIDR, and the CIDR of the observed subnet that it is.
    pub(super) now: BTreeMap<Cidr, Cidr>,
}

/// One file of the declaration.
pub(super) struct DeclarationFile {
    pub(super) text: String,
    pub(super) root: YamlNode,
}

/// Where a plane is declared, and the VLAN it is matched with.
pub(super) struct DeclaredPlane {
    pub(super) path: String,
    pub(super) line: u32,
    /// Its index in the list `planes`; `None` if the whole file declares the plane.
    pub(super) item: Option<usize>,
    /// `None` if MAAS has no such VLAN.
    pub(super) vlan: Option<VlanAt>,
}

impl Declaration {
    /// Reads files without errors.
    pub(super) fn of(sources: &[SourceFile], topology: Topology, observed: &Observed) -> Self {
        let mut declaration = Self {
            topology,
            ..Self::default()
        };
        let files = sources
            .iter()
            .filter(|source| crate::draft::is_declaration(&source.path));
        for source in files {
            let text = String::from_utf8_lossy(&source.bytes).into_owned();
            if let Ok((Some(root), _)) = yaml::read(&text) {
                declaration
                    .files
                    .insert(source.path.clone(), DeclarationFile { text, root });
            }
        }
        let mut entries = BTreeMap::new();
        for (path, file) in &declaration.files {
            for (item, node) in planes_in(&file.root) {
                let Some(key) = field(node, "plane").and_then(word) else {
                    continue;
                };
                let entry = DeclaredPlane {
                    path: path.clone(),
                    line: node.at.line,
                    item,
                    vlan: None,
                };
                entries.insert(key.to_owned(), entry);
            }
        }
        declaration.planes = entries;
        declaration.find_vlans(observed);
        declaration.find_subnets(observed);
        declaration
    }

    /// The declared VLANs, with their planes' keys.
    pub(super) fn vlans(&self) -> BTreeMap<&VlanAt, &str> {
        self.planes
            .iter()
            .filter_map(|(key, entry)| Some((entry.vlan.as_ref()?, key.as_str())))
            .collect()
    }

    /// Whether the files list the subnet or its fabric under `leave_alone`.
    pub(super) fn leaves_alone(&self, subnet: &Subnet) -> bool {
        let alone = &self.topology.leave_alone;
        alone.contains(&subnet.vlan.fabric) || alone.contains(&subnet.cidr.to_string())
    }

    /// An unused file name.
    pub(super) fn free_path(&self, stem: &str) -> String {
        let taken: BTreeSet<String> = self.files.keys().map(|path| path.to_lowercase()).collect();
        let first = format!("{stem}.yaml");
        let numbered = (2_u32..).map(|n| format!("{stem}-{n}.yaml"));
        let mut all = std::iter::once(first).chain(numbered);
        all.find(|path| !taken.contains(&path.to_lowercase()))
            .expect("some number is free")
    }

    /// Declared objects that MAAS does not have.
    pub(super) fn gone(&self, observed: &Observed) -> Vec<MergeConflict> {
        let mut gone = Vec::new();
        let mut add = |file: &str, line: u32, what: String| {
            gone.push(MergeConflict {
                file: file.to_owned(),
                line,
                what: format!("{what} is declared, but this MAAS does not have it"),
                remedy: GONE.to_owned(),
            });
        };
        for (key, entry) in &self.planes {
            let plane = &self.topology.planes[key];
            if entry.vlan.is_none() {
                add(
                    &entry.path,
                    entry.line,
                    format!("plane `{key}` ({})", plane.vlan),
                );
                continue;
            }
            for subnet in &plane.subnets {
                if !self.now.contains_key(&subnet.cidr) {
                    let what = format!("subnet `{}` of plane `{key}`", subnet.cidr);
                    add(&entry.path, self.line_of(entry, subnet.cidr), what);
                }
            }
        }
        for (path, file) in &self.files {
            for node in items(field(&file.root, "spaces")) {
                let name = word(node).unwrap_or_default();
                if observed.all_spaces && observed.get(&Key::Space(name.to_owned())).is_none() {
                    add(path, node.at.line, format!("space `{name}`"));
                }
            }
            for node in items(field(&file.root, "machines")) {
                let host = field(node, "name").and_then(word).unwrap_or_default();
                if observed.all_nodes && !is_machine(observed, host) {
                    add(path, node.at.line, format!("machine `{host}`"));
                }
            }
        }
        gone
    }

    fn line_of(&self, entry: &DeclaredPlane, cidr: Cidr) -> u32 {
        let node = self.node(entry);
        let stated = node.map(subnets_in).unwrap_or_default();
        let found = stated
            .iter()
            .filter_map(|node| field(node, "cidr"))
            .find(|node| word(node) == Some(&cidr.to_string()));
        found.map_or(entry.line, |node| node.at.line)
    }

    /// The mapping that declares a plane.
    pub(super) fn node(&self, entry: &DeclaredPlane) -> Option<&YamlNode> {
        let file = self.files.get(&entry.path)?;
        let mut planes = planes_in(&file.root);
        planes
            .find(|(item, _)| *item == entry.item)
            .map(|(_, node)| node)
    }

    fn find_vlans(&mut self, observed: &Observed) {
        let rounds: [fn(&Plane, &Observed) -> Vec<VlanAt>; 4] =
            [in_use, by_cidr, in_place, by_name];
        for round in rounds {
            let taken: BTreeSet<VlanAt> = self.vlans().into_keys().cloned().collect();
            let mut included: BTreeMap<VlanAt, Vec<String>> = BTreeMap::new();
            for (key, entry) in &self.planes {
                let Some(plane) = self.topology.planes.get(key) else {
                    continue;
                };
                if entry.vlan.is_none()
                    && let [at] = round(plane, observed).as_slice()
                    && !taken.contains(at)
                {
                    included.entry(at.clone()).or_default().push(key.clone());
                }
            }
            for (at, keys) in included {
                if let [key] = keys.as_slice()
                    && let Some(entry) = self.planes.get_mut(key)
                {
                    entry.vlan = Some(at);
                }
            }
        }
    }

    fn find_subnets(&mut self, observed: &Observed) {
        let mut now = BTreeMap::new();
        for (key, entry) in &self.planes {
            let (Some(at), Some(plane)) = (&entry.vlan, self.topology.planes.get(key)) else {
                continue;
            };
            let mut free: Vec<&Subnet> = observed
                .subnets()
                .filter(|subnet| subnet.vlan == *at)
                .collect();
            for round in 0..3 {
                for declared in &plane.subnets {
                    if now.contains_key(&declared.cidr) {
                        continue;
                    }
                    let v6 = declared.cidr.is_v6();
                    let open = plane
                        .subnets
                        .iter()
                        .filter(|other| other.cidr.is_v6() == v6 && !now.contains_key(&other.cidr));
                    let alone = open.count() == 1
                        && free.iter().filter(|s| s.cidr.is_v6() == v6).count() == 1;
                    let is_it = |subnet: &&Subnet| match round {
                        0 => subnet.cidr == declared.cidr,
                        1 => subnet.cidr.is_v6() == v6 && subnet.name == declared.name,
                        _ => subnet.cidr.is_v6() == v6 && alone,
                    };
                    if let Some(place) = free.iter().position(is_it) {
                        now.insert(declared.cidr, free.remove(place).cidr);
                    }
                }
            }
        }
        self.now = now;
    }
}

const GONE: &str = "remove it from the file, or use `--overwrite` to have it removed";

fn is_machine(observed: &Observed, host: &str) -> bool {
    let node = observed.nodes.get(host);
    node.is_some_and(|node| node.kind == NodeKind::Machine)
}

/// The VLAN with the declared fabric and VID, if it has a subnet or the plane declares none.
fn in_use(plane: &Plane, observed: &Observed) -> Vec<VlanAt> {
    let holds = |vlan: &Vlan| observed.subnets().any(|subnet| subnet.vlan == vlan.at);
    let vlan = observed.vlan(&plane.vlan);
    vlan.filter(|vlan| plane.subnets.is_empty() || holds(vlan))
        .map(|vlan| vec![vlan.at.clone()])
        .unwrap_or_default()
}

fn by_cidr(plane: &Plane, observed: &Observed) -> Vec<VlanAt> {
    let there = plane
        .subnets
        .iter()
        .filter_map(|subnet| observed.subnet(&subnet.cidr));
    let at: BTreeSet<VlanAt> = there.map(|subnet| subnet.vlan.clone()).collect();
    at.into_iter().collect()
}

fn in_place(plane: &Plane, observed: &Observed) -> Vec<VlanAt> {
    let vlan = observed.vlan(&plane.vlan);
    vlan.map(|vlan| vec![vlan.at.clone()]).unwrap_or_default()
}

fn by_name(plane: &Plane, observed: &Observed) -> Vec<VlanAt> {
    let named = |subnet: &&Subnet| plane.subnets.iter().any(|s| s.name == subnet.name);
    let at: BTreeSet<VlanAt> = observed
        .subnets()
        .filter(named)
        .map(|subnet| subnet.vlan.clone())
        .collect();
    at.into_iter().collect()
}
