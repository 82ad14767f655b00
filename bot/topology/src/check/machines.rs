//! Machines: interfaces with their parents, and links that fit their planes.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::address::Cidr;
use crate::draft::{
    AddressRef, InterfaceDraft, LinkAddress, LinkDraft, Located, MachineDraft, is_absent,
};
use crate::finding::{Findings, codes, shown};
use crate::object::{InterfaceKind, Mode, VlanAt};
use crate::plane::{Machine, MachineInterface, PlaneSubnet};

use super::gateways::{ChosenGateway, may_be_gateway};
use super::index::{self, AddressOwners, PlaneIndex};
use super::order::parents_first;
use super::planes::{self, CheckedPlane};
use super::{names, ranges, removed, settings};

/// What a machine's links are checked against.
pub(super) struct LinkContext<'c> {
    index: &'c PlaneIndex,
    pub(super) subnets: &'c BTreeMap<Cidr, &'c PlaneSubnet>,
    machine: &'c MachineDraft,
}

/// The declared subnets by their network.
pub(super) fn subnets(checked: &[CheckedPlane]) -> BTreeMap<Cidr, &PlaneSubnet> {
    checked
        .iter()
        .flat_map(|s| &s.plane.subnets)
        .map(|subnet| (subnet.cidr, subnet))
        .collect()
}

/// Checks every machine.
pub(super) fn check(
    draft: &[MachineDraft],
    index: &PlaneIndex,
    checked: &[CheckedPlane],
    owners: &mut AddressOwners,
    findings: &mut Findings<'_>,
) -> BTreeMap<String, Machine> {
    let subnets = subnets(checked);
    let mut machines = BTreeMap::new();
    for machine in draft {
        let context = LinkContext {
            index,
            subnets: &subnets,
            machine,
        };
        let Some(host) = names::host(&machine.name, findings) else {
            continue;
        };
        let interfaces = interfaces(&host, &context, owners, findings);
        if machines.contains_key(&host) {
            let message = format!("machine `{host}` is already declared");
            findings.add(
                codes::MACHINE_DUPLICATE,
                machine.name.place,
                message,
                "remove one of the two",
            );
            continue;
        }
        let removed = removed::interfaces(machine, &interfaces, findings);
        machines.insert(
            host.clone(),
            Machine {
                host,
                interfaces,
                removed,
            },
        );
    }
    machines
}

fn interfaces(
    host: &str,
    context: &LinkContext<'_>,
    owners: &mut AddressOwners,
    findings: &mut Findings<'_>,
) -> Vec<MachineInterface> {
    let draft: Vec<&InterfaceDraft> = context
        .machine
        .interfaces
        .iter()
        .flatten()
        .filter(|it| !is_absent(it.state.as_ref()))
        .collect();
    let known: BTreeSet<&str> = draft
        .iter()
        .filter_map(|i| i.name.value.as_deref())
        .collect();
    let mut seen = BTreeSet::new();
    let mut families = BTreeSet::new();
    let mut checked = Vec::new();
    for interface in draft.iter().copied() {
        let Some(name) = interface.name.value.clone() else {
            continue;
        };
        if !seen.insert(name.clone()) {
            let message = format!("`{host}` already has an interface `{}`", shown(&name));
            findings.add(
                codes::MACHINE_DUPLICATE,
                interface.name.place,
                message,
                "remove one of the two",
            );
            continue;
        }
        let kind = kind(interface, findings);
        let parents = parents(interface, &known, findings);
        let vlan = vlan(interface, context.index, findings);
        let mut gateways = Vec::new();
        let links = interface.links.as_ref().map(|links| {
            let on = (format!("{host}:{}", shown(&name)), vlan.as_ref());
            links_of(links, &on, context, (owners, &mut gateways), findings)
        });
        for (cidr, _, place) in &gateways {
            if !families.insert(cidr.is_v6()) {
                let message = format!("`{host}` already has a default gateway of this family");
                let help = "remove one of the two";
                findings.add(codes::LINK_GATEWAY, *place, message, help);
            }
        }
        checked.push(MachineInterface {
            name,
            kind,
            parents,
            vlan,
            links,
            gateways: gateways
                .into_iter()
                .map(|(cidr, mode, _)| (cidr, mode))
                .collect(),
            settings: settings::settings(interface, kind, findings),
        });
    }
    parents_first(checked, context.machine, findings)
}

fn kind(interface: &InterfaceDraft, findings: &mut Findings<'_>) -> InterfaceKind {
    let kind = interface.r#type.value.unwrap_or(InterfaceKind::Unknown);
    if interface.r#type.value == Some(InterfaceKind::Unknown) {
        let message = "this interface type is not known";
        let help =
            "write `physical`, `bond`, `bridge` or `vlan`; planebot leaves other types as they are";
        findings.add(
            codes::INTERFACE_UNKNOWN,
            interface.r#type.place,
            message,
            help,
        );
    }
    let count = interface.parents.as_ref().map_or(0, Vec::len);
    // 3.5.9 maasserver/forms/interface.py: a VLAN has one parent, a bridge at most one.
    let wrong = match kind {
        InterfaceKind::Vlan => (count != 1).then_some("a `vlan` needs exactly one parent"),
        InterfaceKind::Bridge => (count > 1).then_some("a `bridge` has at most one parent"),
        InterfaceKind::Bond => (count == 0).then_some("a `bond` needs parents"),
        InterfaceKind::Physical => (count > 0).then_some("a `physical` interface has no parents"),
        InterfaceKind::Unknown => None,
    };
    if let Some(message) = wrong {
        findings.add(
            codes::INTERFACE_PARENT,
            interface.r#type.place,
            message,
            "set `parents: [...]`, or choose another `type`",
        );
    }
    kind
}

fn parents(
    interface: &InterfaceDraft,
    known: &BTreeSet<&str>,
    findings: &mut Findings<'_>,
) -> BTreeSet<String> {
    let mut parents = BTreeSet::new();
    for parent in interface.parents.iter().flatten() {
        let Some(name) = &parent.value else {
            continue;
        };
        if known.contains(name.as_str()) {
            parents.insert(name.clone());
            continue;
        }
        let help = crate::draft::nearest(name, known.iter().copied()).map_or_else(
            || "declare it as an interface of this machine".to_owned(),
            |near| format!("did you mean `{}`?", shown(near)),
        );
        let message = format!("the machine has no interface `{}`", shown(name));
        findings.add(codes::INTERFACE_PARENT, parent.place, message, help);
    }
    parents
}

fn vlan(
    interface: &InterfaceDraft,
    index: &PlaneIndex,
    findings: &mut Findings<'_>,
) -> Option<VlanAt> {
    if let Some(plane) = &interface.plane {
        if interface.vlan.is_some() {
            let message = "this interface has both `plane` and `vlan`";
            findings.add(
                codes::INTERFACE_VLAN,
                plane.place,
                message,
                "remove one of the two",
            );
        }
        return index.find(plane, findings)?.vlan.clone();
    }
    let draft = interface.vlan.as_ref()?;
    let fabric = names::maas_name(
        names::NameKind::Fabric,
        draft.fabric.value.as_deref()?,
        draft.fabric.place,
        findings,
    )?;
    let vid = draft
        .vid
        .as_ref()
        .map_or(Some(0), |vid| planes::vid(vid, findings))?;
    Some(VlanAt { fabric, vid })
}

fn links_of(
    draft: &[LinkDraft],
    on: &(String, Option<&VlanAt>),
    context: &LinkContext<'_>,
    (owners, gateways): (&mut AddressOwners, &mut Vec<ChosenGateway>),
    findings: &mut Findings<'_>,
) -> Vec<(Cidr, Mode)> {
    let mut links: Vec<(Cidr, Mode)> = Vec::new();
    for link in draft {
        let Some((cidr, mode)) = link_of(link, on.1, context, findings) else {
            continue;
        };
        if links.contains(&(cidr, mode)) {
            let message = format!("this link to `{cidr}` is already declared");
            findings.add(
                codes::LINK_TWICE,
                link.plane.place,
                message,
                "remove one of the two",
            );
            continue;
        }
        if let Mode::Static(ip) = mode {
            owners.assign(ip, format!("`{}`", on.0), link.address.place, findings);
            index::refuse_edges(ip, cidr, link.address.place, findings);
            let subnet = context
                .subnets
                .get(&cidr)
                .and_then(|subnet| subnet.reservations.as_deref());
            ranges::refuse_dynamic(ip, subnet.unwrap_or_default(), link.address.place, findings);
        }
        if let Some(chosen) = link.default_gateway.as_ref()
            && chosen.value == Some(true)
            && may_be_gateway(cidr, mode, context, chosen.place, findings)
        {
            gateways.push((cidr, mode, chosen.place));
        }
        links.push((cidr, mode));
    }
    links
}

fn link_of(
    link: &LinkDraft,
    vlan: Option<&VlanAt>,
    context: &LinkContext<'_>,
    findings: &mut Findings<'_>,
) -> Option<(Cidr, Mode)> {
    let entry = context.index.find(&link.plane, findings)?;
    let address = link.address.value.as_ref()?;
    if let Some((on, at)) = vlan.zip(entry.vlan.as_ref()).filter(|(on, at)| on != at) {
        let message = format!("the interface is on VLAN `{on}`, but the plane is on `{at}`");
        let help =
            "link it to a plane on its own VLAN; MAAS keeps such a link but does not create one";
        findings.add(codes::LINK_VLAN, link.plane.place, message, help);
    }
    let cidr = subnet_of(link, entry, address, findings)?;
    let mode = match address {
        LinkAddress::Auto => Mode::Auto,
        LinkAddress::Dhcp => Mode::Dhcp,
        LinkAddress::LinkUp => Mode::LinkUp,
        LinkAddress::Host => Mode::Static(own_address(link, cidr, context.machine, findings)?),
        LinkAddress::At(at) => {
            let draft = Located {
                value: Some(at.clone()),
                place: link.address.place,
            };
            Mode::Static(context.index.inside(&draft, cidr, findings)?)
        }
    };
    Some((cidr, mode))
}

fn own_address(
    link: &LinkDraft,
    cidr: Cidr,
    machine: &MachineDraft,
    findings: &mut Findings<'_>,
) -> Option<IpAddr> {
    let Some(host) = &machine.host else {
        let message = "the machine has no `host`";
        let help = "add for example `host: +40`, or write the address here";
        findings.add(codes::MACHINE_HOST, link.address.place, message, help);
        return None;
    };
    index::at(cidr, host.value?, link.address.place, findings)
}

/// Which of the plane's subnets a link means.
fn subnet_of(
    link: &LinkDraft,
    entry: &index::PlaneEntry,
    address: &LinkAddress,
    findings: &mut Findings<'_>,
) -> Option<Cidr> {
    let all: Vec<Cidr> = entry.subnets().collect();
    let key = shown(link.plane.value.as_deref().unwrap_or_default());
    if let Some(draft) = &link.subnet {
        let cidr = draft.value?;
        if !all.contains(&cidr) && !entry.is_partial() {
            let message = format!("plane `{key}` has no subnet `{cidr}`");
            findings.add(
                codes::LINK_SUBNET,
                draft.place,
                message,
                format!("it has {}", list_of(&all)),
            );
        }
        return all.contains(&cidr).then_some(cidr);
    }
    if let [only] = all.as_slice() {
        return Some(*only);
    }
    if let LinkAddress::At(AddressRef::Literal(ip)) = address
        && let Some(cidr) = all.iter().find(|cidr| cidr.contains(*ip))
    {
        return Some(*cidr);
    }
    if entry.is_partial() {
        return None;
    }
    if all.is_empty() {
        let message = format!("plane `{key}` has no subnet");
        findings.add(
            codes::PLANE_EMPTY,
            link.plane.place,
            message,
            "add a `cidr` to it, or link to another plane",
        );
    } else {
        let message = format!("plane `{key}` has {} subnets", all.len());
        let help = format!("choose one with `subnet:`; it has {}", list_of(&all));
        findings.add(codes::LINK_SUBNET, link.plane.place, message, help);
    }
    None
}

/// The first few of them, for a finding.
fn list_of(cidrs: &[Cidr]) -> String {
    let some: Vec<String> = cidrs
        .iter()
        .take(8)
        .map(|cidr| format!("`{cidr}`"))
        .collect();
    match (some.is_empty(), cidrs.len() > some.len()) {
        (true, _) => "none".to_owned(),
        (false, true) => format!("{} and more", some.join(", ")),
        (false, false) => some.join(", "),
    }
}
