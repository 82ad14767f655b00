//! `machines.yaml`: machines with their interfaces, one line each.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::import::SiteImport;
use super::leniency::Omission;
use super::literal::{SCHEMA_LINE, address_in};
use super::scalar::{comment, scalar};
use super::settings::settings_text;
use super::tree::{field, items, word};
use super::written::WrittenFiles;
use crate::address::Cidr;
use crate::object::{Interface, InterfaceKind, Link, Mode, VlanAt};
use crate::observed::NodeKind;
use crate::yaml;

/// The size after which a new file is started: well below the limit for one file.
const FILE_BYTES: usize = 256 * 1024;

/// A machine that is not declared yet, as an item of the list `machines`.
pub(super) struct NewMachine {
    pub(super) host: String,
    /// YAML without indentation.
    pub(super) text: String,
}

/// The selected machines that were read and are not declared.
pub(super) fn new_ones(import: &SiteImport<'_>) -> Vec<NewMachine> {
    let mut links: Links<'_> = BTreeMap::new();
    for link in import.observed.links() {
        links
            .entry((&link.host, &link.interface))
            .or_default()
            .push(link);
    }
    let included = |host: &str| {
        !import.declaration.topology.machines.contains_key(host) && import.selection.machine(host)
    };
    let nodes = import.observed.nodes.values();
    let machines = nodes.filter(|node| node.kind == NodeKind::Machine && included(&node.host));
    machines
        .filter_map(|node| {
            let leniency = import.machines.get(&node.host);
            if matches!(leniency, Some((Omission::Whole, _))) {
                return None;
            }
            let why = leniency.map(|(_, why)| why.as_str());
            let text = machine(import, &node.host, why, &links)?;
            let host = node.host.clone();
            Some(NewMachine { host, text })
        })
        .collect()
}

/// New machines in their own files, as many as needed.
pub(super) fn files(import: &SiteImport<'_>, machines: &[NewMachine]) -> Vec<(String, String)> {
    let mut files: Vec<String> = Vec::new();
    for machine in machines {
        let item = format!("  - {}\n", machine.text.trim_end().replace('\n', "\n    "));
        match files.last_mut() {
            Some(file) if file.len() + item.len() <= FILE_BYTES => file.push_str(&item),
            Some(_) | None => files.push(format!("{SCHEMA_LINE}machines:\n{item}")),
        }
    }
    if let Some(file) = files.last_mut() {
        let silent = import
            .machines
            .iter()
            .filter(|(_, (level, _))| *level == Omission::Whole);
        for (host, (_, why)) in silent {
            file.push_str(&comment(&format!("not declared: {host}: {why}")));
            file.push('\n');
        }
    }
    let single = files.len() == 1;
    let named = files.into_iter().enumerate().map(|(number, text)| {
        let stem = if single {
            "machines".to_owned()
        } else {
            format!("machines-{:02}", number + 1)
        };
        (import.declaration.free_path(&stem), text)
    });
    named.collect()
}

/// Records the lines of machines in the files, and which of them are new.
pub(super) fn find(new: &[NewMachine], written: &mut WrittenFiles) {
    let new: BTreeSet<&str> = new.iter().map(|machine| machine.host.as_str()).collect();
    let mut found = BTreeMap::new();
    for (path, text) in &written.files {
        let text = text.as_deref().filter(|text| text.contains("machines"));
        let Some((Some(root), _)) = text.and_then(|text| yaml::read(text).ok()) else {
            continue;
        };
        let lines: BTreeMap<u32, (String, bool)> = items(field(&root, "machines"))
            .iter()
            .filter_map(|node| {
                let host = field(node, "name").and_then(word)?;
                Some((node.at.line, (host.to_owned(), new.contains(host))))
            })
            .collect();
        found.insert(path.clone(), lines);
    }
    written.machines = found;
}

type Links<'o> = BTreeMap<(&'o str, &'o str), Vec<&'o Link>>;

/// One machine; `None` if none of its interfaces was read.
fn machine(
    import: &SiteImport<'_>,
    host: &str,
    bare: Option<&str>,
    links: &Links<'_>,
) -> Option<String> {
    let interfaces = parents_first(import.observed.interfaces_of(host).collect());
    if interfaces.is_empty() {
        return None;
    }
    let own = own_offset(host, links);
    let mut text = format!("name: {}\n", scalar(host));
    if let Some(own) = own {
        text.push_str(&format!("host: +{own}\n"));
    }
    if let Some(why) = bare {
        let remark = comment(&format!("links are left alone: {why}"));
        text.push_str(&format!("{remark}\n"));
    }
    text.push_str("interfaces:\n");
    for interface in interfaces {
        let of = links.get(&(host, interface.name.as_str()));
        let of = of.filter(|_| bare.is_none()).map_or(&[][..], Vec::as_slice);
        let item = interface_text(import, interface, of, own);
        text.push_str(&format!("  - {item}\n"));
    }
    Some(text)
}

/// One interface, as a list item.
pub(super) fn interface_text(
    import: &SiteImport<'_>,
    interface: &Interface,
    links: &[&Link],
    own: Option<u128>,
) -> String {
    let mut stated = format!(
        "name: {}, type: {}",
        scalar(&interface.name),
        type_word(interface.kind)
    );
    if !interface.parents.is_empty() {
        let parents: Vec<String> = interface.parents.iter().map(|p| scalar(p)).collect();
        stated.push_str(&format!(", parents: [{}]", parents.join(", ")));
    }
    if let Some(at) = &interface.vlan {
        let (key, place) = place(import, at);
        stated.push_str(&format!(", {key}: {place}"));
    }
    stated.push_str(&settings_text(interface.kind, &interface.settings));
    let all: Option<Vec<String>> = links
        .iter()
        .map(|link| link_text(import, link, own))
        .collect();
    let after = match all {
        Some(all) if all.is_empty() => String::new(),
        Some(all) => {
            stated.push_str(&format!(", links: [{}]", all.join(", ")));
            String::new()
        }
        None => format!(
            "  {}",
            comment("linked to what is not declared: left alone")
        ),
    };
    format!("{{{stated}}}{after}")
}

/// Key and value that say where an interface is: on a plane, or on a VLAN without a plane.
pub(super) fn place(import: &SiteImport<'_>, at: &VlanAt) -> (&'static str, String) {
    match import.planes.get(at) {
        Some(plane) => ("plane", scalar(&plane.key)),
        None if at.vid == 0 => ("vlan", format!("{{fabric: {}}}", scalar(&at.fabric))),
        None => {
            let fabric = scalar(&at.fabric);
            ("vlan", format!("{{fabric: {fabric}, vid: {}}}", at.vid))
        }
    }
}

pub(super) fn type_word(kind: InterfaceKind) -> &'static str {
    match kind {
        InterfaceKind::Physical => "physical",
        InterfaceKind::Bond => "bond",
        InterfaceKind::Bridge => "bridge",
        InterfaceKind::Vlan => "vlan",
        InterfaceKind::Unknown => "unknown",
    }
}

/// The most common offset of a machine's static addresses, if more than one has it.
fn own_offset(host: &str, links: &Links<'_>) -> Option<u128> {
    let mut counts: BTreeMap<u128, usize> = BTreeMap::new();
    for link in links
        .range((host, "")..)
        .take_while(|((h, _), _)| *h == host)
        .flat_map(|(_, all)| all)
    {
        if let Mode::Static(ip) = link.mode
            && let Some(offset) = small_offset(link.subnet, ip)
        {
            *counts.entry(offset).or_default() += 1;
        }
    }
    let (offset, count) = counts
        .into_iter()
        .max_by_key(|(offset, count)| (*count, std::cmp::Reverse(*offset)))?;
    (count > 1).then_some(offset)
}

pub(super) fn small_offset(cidr: Cidr, ip: IpAddr) -> Option<u128> {
    address_in(cidr, ip).strip_prefix('+')?.parse().ok()
}

pub(super) fn link_text(import: &SiteImport<'_>, link: &Link, own: Option<u128>) -> Option<String> {
    let plane = import.plane_of(link.subnet)?;
    let address = match link.mode {
        Mode::Auto => "auto".to_owned(),
        Mode::Dhcp => "dhcp".to_owned(),
        Mode::LinkUp => "link-up".to_owned(),
        Mode::Static(ip) if own.is_some() && small_offset(link.subnet, ip) == own => {
            "host".to_owned()
        }
        Mode::Static(ip) => address_in(link.subnet, ip),
    };
    let subnet = if plane.subnets.len() > 1 {
        format!(", subnet: \"{}\"", link.subnet)
    } else {
        String::new()
    };
    // MAAS remembers the choice where its subnet has lost its gateway, and uses another one.
    let usable = import
        .observed
        .subnet(&link.subnet)
        .is_some_and(|subnet| subnet.gateway.is_some());
    let gateway = if link.default_gateway && usable {
        ", default_gateway: true"
    } else {
        ""
    };
    Some(format!(
        "{{plane: {}, address: {address}{subnet}{gateway}}}",
        scalar(&plane.key)
    ))
}

/// Ordered by name, each after its parents. Interfaces in a cycle come last.
pub(super) fn parents_first(mut left: Vec<&Interface>) -> Vec<&Interface> {
    let mut ordered: Vec<&Interface> = Vec::new();
    let mut done: BTreeSet<&str> = BTreeSet::new();
    let known: BTreeSet<&str> = left.iter().map(|i| i.name.as_str()).collect();
    while !left.is_empty() {
        let ready = |i: &&Interface| {
            i.parents
                .iter()
                .all(|p| done.contains(p.as_str()) || !known.contains(p.as_str()))
        };
        let (now, later): (Vec<_>, Vec<_>) = left.into_iter().partition(ready);
        if now.is_empty() {
            ordered.extend(later);
            break;
        }
        done.extend(now.iter().map(|i| i.name.as_str()));
        ordered.extend(now);
        left = later;
    }
    ordered
}
