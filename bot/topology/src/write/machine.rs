//! `machines.yaml`: machines with their interfaces, one line each.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::scalar::{comment, scalar};
use super::{Import, Level, SCHEMA_LINE, Written, address_in};
use crate::address::Cidr;
use crate::object::{Interface, InterfaceKind, Link, Mode};
use crate::observed::NodeKind;

/// Bytes after which another file is begun: well below what is read from one.
const FILE_BYTES: usize = 256 * 1024;

/// Writes every machine that was read, over as many files as it takes.
pub(super) fn write(import: &Import<'_>, written: &mut Written) {
    let mut links: BTreeMap<(&str, &str), Vec<&Link>> = BTreeMap::new();
    for link in import.observed.links() {
        links
            .entry((&link.host, &link.interface))
            .or_default()
            .push(link);
    }
    let mut files: Vec<(String, BTreeMap<u32, String>)> = Vec::new();
    let machines = import
        .observed
        .nodes
        .values()
        .filter(|node| node.kind == NodeKind::Machine);
    for node in machines {
        let soft = import.machines.get(&node.host);
        if matches!(soft, Some((Level::Silent, _))) {
            continue;
        }
        let Some(text) = machine(
            import,
            &node.host,
            soft.map(|(_, why)| why.as_str()),
            &links,
        ) else {
            continue;
        };
        if files
            .last()
            .is_none_or(|(file, _)| file.len() + text.len() > FILE_BYTES)
        {
            files.push((format!("{SCHEMA_LINE}machines:\n"), BTreeMap::new()));
        }
        if let Some((file, lines)) = files.last_mut() {
            let line = file.lines().count() + 1;
            lines.insert(u32::try_from(line).unwrap_or(u32::MAX), node.host.clone());
            file.push_str(&text);
        }
    }
    if let Some((file, _)) = files.last_mut() {
        let silent = import
            .machines
            .iter()
            .filter(|(_, (level, _))| *level == Level::Silent);
        for (host, (_, why)) in silent {
            file.push_str(&comment(&format!("not declared: {host}: {why}")));
            file.push('\n');
        }
    }
    let single = files.len() == 1;
    for (number, (text, lines)) in files.into_iter().enumerate() {
        let path = if single {
            "machines.yaml".to_owned()
        } else {
            format!("machines-{:02}.yaml", number + 1)
        };
        written.files.insert(path.clone(), text);
        written.machines.insert(path, lines);
    }
}

type Links<'o> = BTreeMap<(&'o str, &'o str), Vec<&'o Link>>;

/// One machine; none when nothing was read of it.
fn machine(
    import: &Import<'_>,
    host: &str,
    bare: Option<&str>,
    links: &Links<'_>,
) -> Option<String> {
    let interfaces = parents_first(import.observed.interfaces_of(host).collect());
    if interfaces.is_empty() {
        return None;
    }
    let own = own_place(host, links);
    let mut text = format!("  - name: {}\n", scalar(host));
    if let Some(own) = own {
        text.push_str(&format!("    host: +{own}\n"));
    }
    if let Some(why) = bare {
        text.push_str(&format!(
            "    {}\n",
            comment(&format!("links are left alone: {why}"))
        ));
    }
    text.push_str("    interfaces:\n");
    for interface in interfaces {
        let of = links.get(&(host, interface.name.as_str()));
        let of = of.filter(|_| bare.is_none()).map_or(&[][..], Vec::as_slice);
        text.push_str(&interface_line(import, interface, of, own));
    }
    Some(text)
}

fn interface_line(
    import: &Import<'_>,
    interface: &Interface,
    links: &[&Link],
    own: Option<u128>,
) -> String {
    let mut said = format!(
        "name: {}, type: {}",
        scalar(&interface.name),
        word(interface.kind)
    );
    if !interface.parents.is_empty() {
        let parents: Vec<String> = interface.parents.iter().map(|p| scalar(p)).collect();
        said.push_str(&format!(", parents: [{}]", parents.join(", ")));
    }
    if let Some(at) = &interface.vlan {
        said.push_str(&match import.planes.get(at) {
            Some(plane) => format!(", plane: {}", scalar(&plane.key)),
            None if at.vid == 0 => format!(", vlan: {{fabric: {}}}", scalar(&at.fabric)),
            None => format!(
                ", vlan: {{fabric: {}, vid: {}}}",
                scalar(&at.fabric),
                at.vid
            ),
        });
    }
    let all: Option<Vec<String>> = links
        .iter()
        .map(|link| said_link(import, link, own))
        .collect();
    let after = match all {
        Some(all) if all.is_empty() => String::new(),
        Some(all) => {
            said.push_str(&format!(", links: [{}]", all.join(", ")));
            String::new()
        }
        None => format!(
            "  {}",
            comment("linked to what is not declared: left alone")
        ),
    };
    format!("      - {{{said}}}{after}\n")
}

fn word(kind: InterfaceKind) -> &'static str {
    match kind {
        InterfaceKind::Physical => "physical",
        InterfaceKind::Bond => "bond",
        InterfaceKind::Bridge => "bridge",
        InterfaceKind::Vlan => "vlan",
        InterfaceKind::Unknown => "unknown",
    }
}

/// The place that most of a machine's fixed addresses have in their subnets, when it is more than one's.
fn own_place(host: &str, links: &Links<'_>) -> Option<u128> {
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

fn small_offset(cidr: Cidr, ip: IpAddr) -> Option<u128> {
    address_in(cidr, ip).strip_prefix('+')?.parse().ok()
}

fn said_link(import: &Import<'_>, link: &Link, own: Option<u128>) -> Option<String> {
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
    Some(format!(
        "{{plane: {}, address: {address}{subnet}}}",
        scalar(&plane.key)
    ))
}

/// In the order of names, each after its parents; what stands in a circle comes last.
fn parents_first(mut left: Vec<&Interface>) -> Vec<&Interface> {
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
