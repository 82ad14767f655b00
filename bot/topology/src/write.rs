//! An observed MAAS as files: what an import writes, so that a plan then finds nothing to change.
//!
//! One file per plane, `machines.yaml`, `site.yaml`. What MAAS holds and a declaration may not say (an overlap, a range
//! that a changed CIDR left behind) is left alone, with a comment that says so: after writing, the files are checked,
//! and whatever the check refuses is said more softly until it has nothing to refuse. MAAS's texts are strangers' texts:
//! they are quoted so that they can be nothing but text.

mod machine;
mod naming;
mod plane;
mod scalar;
mod site;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::address::Cidr;
use crate::check::{check, names};
use crate::draft::Source;
use crate::finding::{Finding, Severity, shown};
use crate::object::{Key, StaticRoute, Subnet, Vlan, VlanAt};
use crate::observed::{NodeKind, Observed};

/// How often what was written is checked and softened. Each round settles at least one plane or machine, and a real
/// MAAS needs two or three; past this the rest is left undeclared in one go.
const ROUNDS_MAX: usize = 40;

/// The files of one site, by path under its folder. Checking them gives no error, and they say nothing that `observed`
/// does not hold.
pub fn files(observed: &Observed, site: &str) -> BTreeMap<String, String> {
    let mut soft = Softness::default();
    for _ in 0..ROUNDS_MAX {
        let import = Import::of(observed, site, &soft);
        let written = import.write();
        let refused = refused(&written.files);
        if refused.is_empty() {
            return written.files;
        }
        for finding in &refused {
            soft.soften(finding, &written);
        }
    }
    soft.everything = true;
    Import::of(observed, site, &soft).write().files
}

fn refused(files: &BTreeMap<String, String>) -> Vec<Finding> {
    let sources: Vec<Source> = files
        .iter()
        .map(|(path, text)| Source {
            path: path.clone(),
            bytes: text.clone().into_bytes(),
        })
        .collect();
    let mut findings = check(&sources).findings;
    findings.retain(|finding| finding.severity == Severity::Error);
    findings
}

/// What was refused before, and must be said more softly: first without the details, then not at all.
#[derive(Default)]
struct Softness {
    planes: BTreeMap<VlanAt, (Level, String)>,
    machines: BTreeMap<String, (Level, String)>,
    everything: bool,
}

/// How softly something is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    /// Gateway, ranges, routes and reserved IPs, or links, are left alone.
    Bare,
    /// Not declared.
    Silent,
}

impl Softness {
    fn soften(&mut self, finding: &Finding, written: &Written) {
        let next = |map: Option<&(Level, String)>| match map {
            None => Level::Bare,
            Some(_) => Level::Silent,
        };
        let why = shown(&finding.message);
        if let Some(at) = written.planes.get(&finding.file) {
            let level = next(self.planes.get(at));
            self.planes.insert(at.clone(), (level, why));
            return;
        }
        let host = written
            .machines
            .get(&finding.file)
            .and_then(|lines| lines.range(..=finding.line).next_back());
        match host {
            Some((_, host)) => {
                let level = next(self.machines.get(host));
                self.machines.insert(host.clone(), (level, why));
            }
            None => self.everything = true,
        }
    }
}

/// Files, and which of them speaks of what.
struct Written {
    files: BTreeMap<String, String>,
    planes: BTreeMap<String, VlanAt>,
    /// Per file of machines: the line on which each begins.
    machines: BTreeMap<String, BTreeMap<u32, String>>,
}

/// One VLAN that becomes a plane.
struct PlaneOf<'o> {
    key: String,
    vlan: &'o Vlan,
    /// IPv4 first, older rows first.
    subnets: Vec<&'o Subnet>,
    /// Why its details are left alone.
    bare: Option<&'o str>,
}

/// Something that is not declared, and why.
struct Undeclared {
    name: String,
    why: String,
}

/// What is written, and under which names.
struct Import<'o> {
    observed: &'o Observed,
    site: &'o str,
    planes: BTreeMap<&'o VlanAt, PlaneOf<'o>>,
    undeclared: Vec<Undeclared>,
    /// Routes by source, reserved IPs and everything else that hangs on a subnet is looked up by CIDR.
    routes: BTreeMap<Cidr, Vec<&'o StaticRoute>>,
    machines: &'o BTreeMap<String, (Level, String)>,
}

impl<'o> Import<'o> {
    fn of(observed: &'o Observed, site: &'o str, soft: &'o Softness) -> Self {
        let mut import = Self {
            observed,
            site,
            planes: BTreeMap::new(),
            undeclared: Vec::new(),
            routes: BTreeMap::new(),
            machines: &soft.machines,
        };
        for route in observed.routes() {
            import.routes.entry(route.source).or_default().push(route);
        }
        let by_vlan = import.declarable_subnets(soft);
        let mut taken = naming::Taken::default();
        for vlan in observed.vlans() {
            let subnets = by_vlan.get(&vlan.at).cloned().unwrap_or_default();
            if soft.everything || import.is_passed_over(vlan, &subnets, soft) {
                continue;
            }
            let key = taken.key_for(vlan, &subnets);
            let bare = soft.planes.get(&vlan.at).map(|(_, why)| why.as_str());
            import.planes.insert(
                &vlan.at,
                PlaneOf {
                    key,
                    vlan,
                    subnets,
                    bare,
                },
            );
        }
        import.list_fabrics();
        import
    }

    /// Subnets that a declaration may hold together: the older of two that overlap.
    fn declarable_subnets(&mut self, soft: &Softness) -> BTreeMap<&'o VlanAt, Vec<&'o Subnet>> {
        let mut rows: Vec<(bool, u64, &Subnet)> = self
            .observed
            .objects
            .values()
            .filter_map(|seen| Some((seen.id, seen.object.as_subnet()?)))
            .map(|(id, subnet)| (subnet.cidr.is_v6(), id, subnet))
            .collect();
        rows.sort_by_key(|(v6, id, subnet)| (*v6, *id, subnet.cidr));
        let mut kept: BTreeMap<&VlanAt, Vec<&Subnet>> = BTreeMap::new();
        let mut all: Vec<Cidr> = Vec::new();
        for (_, _, subnet) in rows {
            let cidr = subnet.cidr;
            let single = if cidr.is_v6() { 128 } else { 32 };
            let why = if let Some((Level::Silent, why)) = soft.planes.get(&subnet.vlan) {
                Some(why.clone())
            } else if soft.everything {
                Some("the import could not be declared".to_owned())
            } else if cidr.prefix() == 0 || cidr.prefix() == single {
                Some("no subnet that can be declared".to_owned())
            } else if !names::is_maas_name(&subnet.vlan.fabric)
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

    /// VLANs that no file is written for: bare defaults, what looks discovered, and what was refused before.
    fn is_passed_over(&self, vlan: &Vlan, subnets: &[&Subnet], soft: &Softness) -> bool {
        let silent = matches!(soft.planes.get(&vlan.at), Some((Level::Silent, _)));
        let sayable = names::is_maas_name(&vlan.at.fabric) && vlan.at.vid <= 4094;
        silent
            || !sayable
            || self.is_bare_default(vlan, subnets)
            || self.looks_discovered(&vlan.at.fabric)
    }

    /// The VLAN that MAAS makes with every fabric, and nobody has used.
    fn is_bare_default(&self, vlan: &Vlan, subnets: &[&Subnet]) -> bool {
        let relayed_to = self
            .observed
            .vlans()
            .any(|v| v.relay.as_ref() == Some(&vlan.at));
        let used = vlan.dhcp_on || vlan.relay.is_some() || vlan.space.is_some() || vlan.mtu != 1500;
        subnets.is_empty() && !used && !relayed_to && self.observed.default_vlans.contains(&vlan.at)
    }

    /// A fabric with a name that MAAS gave, whose subnets nobody named or set anything on, and no machine uses: left
    /// over from a controller's report (a container bridge, say).
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

    /// Fabrics that no plane stands on are left alone by name, and their subnets with them.
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
        for fabric in fabrics.difference(&declared) {
            let cidrs: Vec<String> = self
                .observed
                .subnets()
                .filter(|subnet| subnet.vlan.fabric == **fabric)
                .map(|subnet| subnet.cidr.to_string())
                .collect();
            let why = if cidrs.is_empty() {
                "nothing on it".to_owned()
            } else {
                cidrs.join(", ")
            };
            self.undeclared.push(Undeclared {
                name: (*fabric).to_owned(),
                why,
            });
        }
    }

    /// The plane and the place in it of an address, where a reference can say so: in the plane's first subnet of that family.
    fn reference(&self, ip: IpAddr) -> Option<(&str, u128)> {
        self.planes.values().find_map(|plane| {
            let first = plane
                .subnets
                .iter()
                .find(|s| s.cidr.is_v6() == ip.is_ipv6())?;
            Some((plane.key.as_str(), first.cidr.offset_of(ip)?))
        })
    }

    /// The plane that declares exactly this subnet.
    fn plane_of(&self, cidr: Cidr) -> Option<&PlaneOf<'o>> {
        let subnet = self.observed.subnet(&cidr)?;
        let plane = self.planes.get(&subnet.vlan)?;
        plane
            .subnets
            .iter()
            .any(|s| s.cidr == cidr)
            .then_some(plane)
    }

    fn write(&self) -> Written {
        let mut written = Written {
            files: BTreeMap::new(),
            planes: BTreeMap::new(),
            machines: BTreeMap::new(),
        };
        for plane in self.planes.values() {
            let path = format!("{}.yaml", plane.key);
            written.files.insert(path.clone(), plane::file(self, plane));
            written.planes.insert(path, plane.vlan.at.clone());
        }
        machine::write(self, &mut written);
        if let Some(text) = site::file(self) {
            written.files.insert("site.yaml".to_owned(), text);
        }
        written
    }
}

/// The first line of every file: where an editor finds the schema.
const SCHEMA_LINE: &str = "# yaml-language-server: $schema=../topology.schema.json\n";

/// Offsets above this are harder to read than the address.
const OFFSET_MAX: u128 = 1 << 20;

/// `+N` where the address lies in the subnet, else the address.
fn address_in(cidr: Cidr, ip: IpAddr) -> String {
    match cidr.offset_of(ip).filter(|offset| *offset <= OFFSET_MAX) {
        Some(offset) => format!("+{offset}"),
        None => literal(ip),
    }
}

/// An address that may stand anywhere, also between brackets.
fn literal(ip: IpAddr) -> String {
    if ip.is_ipv6() {
        format!("\"{ip}\"")
    } else {
        ip.to_string()
    }
}
