//! Laws of the planner, over clouds that nobody drew by hand.
#![expect(clippy::unwrap_used, reason = "tests say what went wrong by stopping")]

use std::collections::{BTreeMap, BTreeSet};

use plan::critic;
use plan::network::Network;
use plan::plan::{Plan, Policy};
use plan::step::{Phase, Undo};
use proptest::prelude::*;
use topology::Cidr;
use topology::address::Range;
use topology::object::{
    Fabric, Interface, InterfaceKind, IpRange, Key, Link, Mode, Object, RangeKind, Space, Subnet,
    SubnetFlags, Vlan, VlanAt,
};
use topology::observed::{Node, NodeKind, Observed, Seen, Timestamp};
use topology::plane::{Dhcp, Plane, PlaneSubnet, Purpose, Reservation, Strategy as Way, Topology};
use topology::version::MaasVersion;

const RACK: &str = "rack00";

/// A network that is there and that nobody declares.
const STRANGER: &str = "172.30.0.0/24";

/// One plane as both sides see it: which slot of the address plan it holds, and what is on it.
#[derive(Clone, Debug)]
struct Drawn {
    fabric: usize,
    slot: usize,
    gateway: bool,
    resolver: Option<usize>,
    reserved: u8,
    dhcp: bool,
    space: usize,
    machine: bool,
}

/// How the declaration differs.
#[derive(Clone, Debug)]
struct Wish {
    shift: usize,
    regate: Vec<bool>,
    reserved: Vec<u8>,
    rename: Option<usize>,
    added: bool,
    /// The added plane wants the network that a stranger holds.
    clash: bool,
    mtu: Vec<bool>,
    in_place: bool,
}

fn drawn() -> impl Strategy<Value = Vec<Drawn>> {
    let one = (
        0..3_usize,
        any::<bool>(),
        proptest::option::of(0..6_usize),
        0..3_u8,
        any::<bool>(),
        0..3_usize,
        any::<bool>(),
    );
    proptest::collection::vec(one, 1..6).prop_map(|list| {
        list.into_iter()
            .enumerate()
            .map(
                |(slot, (fabric, gateway, resolver, reserved, dhcp, space, machine))| Drawn {
                    fabric,
                    slot,
                    gateway,
                    resolver,
                    reserved,
                    dhcp,
                    space,
                    machine,
                },
            )
            .collect()
    })
}

fn wish() -> impl Strategy<Value = Wish> {
    let six = || proptest::collection::vec(any::<bool>(), 6);
    let shape = (
        0..3_usize,
        six(),
        proptest::collection::vec(0..3_u8, 6),
        six(),
    );
    let turns = (
        proptest::option::of(0..6_usize),
        any::<bool>(),
        proptest::bool::weighted(0.2),
        any::<bool>(),
    );
    (shape, turns).prop_map(
        |((shift, regate, reserved, mtu), (rename, added, clash, in_place))| Wish {
            shift,
            regate,
            reserved,
            rename,
            added,
            clash,
            mtu,
            in_place,
        },
    )
}

fn cidr(slot: usize) -> Cidr {
    format!("172.20.{}.0/22", slot * 4).parse().unwrap()
}

/// VIDs start at 10: each plane has a VLAN of its own.
fn place(index: usize, drawn: &Drawn) -> VlanAt {
    VlanAt {
        fabric: format!("fab-{}", drawn.fabric),
        vid: u16::try_from(10 + index).unwrap(),
    }
}

fn ranges(cidr: Cidr, reserved: u8, dhcp: bool) -> Vec<IpRange> {
    let at = |offset: u128| cidr.at(offset).unwrap();
    let mut list: Vec<IpRange> = (0..u128::from(reserved))
        .map(|n| IpRange {
            subnet: cidr,
            range: Range::new(at(2 + n * 50), at(40 + n * 50)).unwrap(),
            kind: RangeKind::Reserved,
            comment: format!("band {n}"),
        })
        .collect();
    if dhcp {
        list.push(IpRange {
            subnet: cidr,
            range: Range::new(at(512), at(700)).unwrap(),
            kind: RangeKind::Dynamic,
            comment: "dhcp".to_owned(),
        });
    }
    list
}

/// A MAAS that holds what was drawn, and a subnet that nobody declares.
fn observed(list: &[Drawn], version: &str) -> Observed {
    let mut observed = Observed {
        at: Timestamp(0),
        version: MaasVersion::read(version),
        objects: BTreeMap::new(),
        default_vlans: Vec::new(),
        nodes: BTreeMap::from([node(RACK, NodeKind::Controller, "Deployed")]),
        all_nodes: true,
        occupants: BTreeMap::new(),
        snippets: Some(vec![]),
        all_spaces: true,
        blind: vec![],
    };
    let mut objects: Vec<Object> = Vec::new();
    for fabric in 0..4 {
        let name = format!("fab-{fabric}");
        let at = VlanAt {
            fabric: name.clone(),
            vid: 0,
        };
        observed.default_vlans.push(at.clone());
        objects.push(Object::Fabric(Fabric { name }));
        objects.push(Object::Vlan(vlan(at, None, None)));
    }
    for (index, one) in list.iter().enumerate() {
        stand(&mut objects, index, one, list);
        observed.occupants.insert(cidr(one.slot), Vec::new());
        if one.machine {
            let host = format!("host-{index}");
            inhabit(&mut objects, &host, place(index, one), cidr(one.slot));
            observed
                .nodes
                .extend([node(&host, NodeKind::Machine, "Ready")]);
        }
    }
    objects.push(Object::Subnet(bare(
        "stranger",
        STRANGER.parse().unwrap(),
        VlanAt {
            fabric: "fab-3".to_owned(),
            vid: 0,
        },
    )));
    observed.objects = numbered(objects);
    observed
}

fn node(host: &str, kind: NodeKind, status: &str) -> (String, Node) {
    let node = Node {
        system_id: host.to_owned(),
        host: host.to_owned(),
        kind,
        status: status.to_owned(),
    };
    (host.to_owned(), node)
}

/// One plane's rows.
fn stand(objects: &mut Vec<Object>, index: usize, one: &Drawn, list: &[Drawn]) {
    let (at, cidr) = (place(index, one), cidr(one.slot));
    let space = format!("space-of-{}", one.space);
    objects.push(Object::Space(Space {
        name: space.clone(),
    }));
    let mut row = vlan(at.clone(), Some(format!("plane-{index}")), Some(space));
    if one.dhcp {
        row.dhcp_on = true;
        row.primary_rack = Some(RACK.to_owned());
    }
    objects.push(Object::Vlan(row));
    objects.push(Object::Subnet(subnet(index, one, at, list)));
    objects.extend(
        ranges(cidr, one.reserved, one.dhcp)
            .into_iter()
            .map(Object::Range),
    );
}

/// A machine that lives on a plane.
fn inhabit(objects: &mut Vec<Object>, host: &str, at: VlanAt, cidr: Cidr) {
    let (host, interface) = (host.to_owned(), "eth0".to_owned());
    let nic = Interface {
        host: host.clone(),
        name: interface.clone(),
        kind: InterfaceKind::Physical,
        parents: BTreeSet::new(),
        vlan: Some(at),
    };
    objects.push(Object::Interface(nic));
    objects.push(Object::Link(Link {
        host,
        interface,
        subnet: cidr,
        mode: Mode::Auto,
    }));
}

fn bare(name: &str, cidr: Cidr, vlan: VlanAt) -> Subnet {
    Subnet {
        cidr,
        name: name.to_owned(),
        vlan,
        gateway: None,
        dns: vec![],
        flags: SubnetFlags::default(),
        description: String::new(),
        disabled_boot_architectures: vec![],
    }
}

fn numbered(objects: Vec<Object>) -> BTreeMap<Key, Seen> {
    objects
        .into_iter()
        .enumerate()
        .map(|(id, object)| {
            (
                object.key(),
                Seen {
                    id: id as u64,
                    object,
                },
            )
        })
        .collect()
}

fn vlan(at: VlanAt, name: Option<String>, space: Option<String>) -> Vlan {
    Vlan {
        at,
        name,
        mtu: 1500,
        space,
        dhcp_on: false,
        primary_rack: None,
        secondary_rack: None,
        relay: None,
    }
}

fn subnet(index: usize, one: &Drawn, vlan: VlanAt, list: &[Drawn]) -> Subnet {
    let own = cidr(one.slot);
    let resolver = one.resolver.map(|other| &list[other % list.len()]);
    Subnet {
        gateway: one.gateway.then(|| own.at(1).unwrap()),
        dns: resolver
            .map(|other| cidr(other.slot).at(1).unwrap())
            .into_iter()
            .collect(),
        ..bare(&format!("plane-{index}"), own, vlan)
    }
}

/// The declaration: the same planes, moved along the address plan, with other ranges, gateways and MTUs.
fn declared(list: &[Drawn], wish: &Wish) -> Topology {
    let turned = |index: usize, one: &Drawn| Drawn {
        slot: one.slot + wish.shift,
        gateway: one.gateway != wish.regate[index],
        reserved: wish.reserved[index],
        ..one.clone()
    };
    let moved: Vec<Drawn> = list
        .iter()
        .enumerate()
        .map(|(index, one)| turned(index, one))
        .collect();
    let mut topology = Topology {
        tree: "tree".to_owned(),
        ..Topology::default()
    };
    for (index, one) in moved.iter().enumerate() {
        let plane = wished(index, one, &moved, wish);
        topology.planes.insert(plane.key.clone(), plane);
    }
    if wish.added {
        let wanted = if wish.clash {
            STRANGER
        } else {
            "172.21.0.0/24"
        };
        let at = VlanAt {
            fabric: "fab-new".to_owned(),
            vid: 77,
        };
        let row = bare("added", wanted.parse().unwrap(), at.clone());
        let declared = plane_subnet(&row, "added".to_owned(), vec![]);
        let plane = plane(
            "added".to_owned(),
            at,
            Some("space-new".to_owned()),
            declared,
        );
        topology.planes.insert("added".to_owned(), plane);
    }
    topology
}

/// One plane as it is declared.
fn wished(index: usize, one: &Drawn, moved: &[Drawn], wish: &Wish) -> Plane {
    let row = subnet(index, one, place(index, one), moved);
    let name = if wish.rename == Some(index) {
        format!("renamed-{index}")
    } else {
        row.name.clone()
    };
    let reservations = ranges(row.cidr, one.reserved, one.dhcp)
        .into_iter()
        .map(|range| Reservation {
            name: range.comment,
            purpose: if range.kind == RangeKind::Dynamic {
                Purpose::Dynamic
            } else {
                Purpose::Vip
            },
            range: range.range,
        });
    let declared = plane_subnet(&row, name, reservations.collect());
    let space = Some(format!("space-of-{}", one.space));
    let mut plane = plane(format!("plane-{index}"), row.vlan, space, declared);
    plane.mtu = wish.mtu[index].then_some(9000);
    plane.dhcp = one.dhcp.then_some(Dhcp::On {
        primary: None,
        secondary: None,
    });
    plane.strategy = (wish.in_place && index == 0).then_some(Way::InPlace);
    plane
}

fn plane_subnet(row: &Subnet, name: String, reservations: Vec<Reservation>) -> PlaneSubnet {
    PlaneSubnet {
        cidr: row.cidr,
        name,
        gateway: Some(row.gateway),
        dns: Some(row.dns.clone()),
        reservations: Some(reservations),
        routes: None,
        reserved_ips: None,
        managed: None,
        allow_dns: None,
        allow_proxy: None,
        active_discovery: None,
        rdns_mode: None,
        description: None,
        disabled_boot_architectures: None,
    }
}

fn plane(key: String, vlan: VlanAt, space: Option<String>, subnet: PlaneSubnet) -> Plane {
    Plane {
        key,
        description: String::new(),
        vlan,
        vlan_name: None,
        space: Some(space),
        mtu: None,
        dhcp: None,
        strategy: None,
        subnets: vec![subnet],
    }
}

/// What the teardown gate leaves: no link on a network that goes.
fn torn_down(observed: &Observed, plan: &Plan) -> Network {
    let vacated = plan.vacated();
    let mut network = Network::of(observed);
    let links: Vec<Link> = network
        .links()
        .filter(|link| vacated.contains(&link.subnet))
        .cloned()
        .collect();
    for link in links {
        network.unlink(&link);
    }
    network
}

/// The network as a MAAS would tell it.
fn seen(network: &Network, before: &Observed) -> Observed {
    let objects: Vec<Object> = network.all().cloned().collect();
    let default_vlans = network
        .vlans()
        .filter(|vlan| network.is_default(&vlan.at))
        .map(|vlan| vlan.at.clone())
        .collect();
    let occupants = network
        .subnets()
        .map(|subnet| (subnet.cidr, Vec::new()))
        .collect();
    Observed {
        objects: numbered(objects),
        default_vlans,
        occupants,
        ..before.clone()
    }
}

fn version() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just("3.5.12"), Just("3.7.3")]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_same_input_gives_the_same_plan_byte_for_byte(list in drawn(), wish in wish(), version in version()) {
        let (observed, topology) = (observed(&list, version), declared(&list, &wish));
        let plan = || serde_json::to_string(&Plan::between(&observed, &topology, &Policy::default())).unwrap();
        prop_assert_eq!(plan(), plan());
    }

    #[test]
    fn what_is_already_so_needs_no_plan(list in drawn(), version in version()) {
        let keep = Wish { shift: 0, regate: vec![false; 6], reserved: list.iter().map(|one| one.reserved).collect(), rename: None, added: false, clash: false, mtu: vec![false; 6], in_place: false };
        let plan = Plan::between(&observed(&list, version), &declared(&list, &keep), &Policy::default());
        prop_assert!(plan.is_ok_and(|plan| plan.steps.is_empty()));
    }

    #[test]
    fn carried_out_no_state_is_invalid_and_planning_again_yields_nothing(list in drawn(), wish in wish(), version in version()) {
        let (observed, topology) = (observed(&list, version), declared(&list, &wish));
        if let Ok(plan) = Plan::between(&observed, &topology, &Policy::default()) {
            prop_assert_eq!(critic::complaints(&plan, &observed), Vec::<String>::new());
            let mut network = torn_down(&observed, &plan);
            for step in &plan.steps {
                prop_assert!(network.apply(&step.write()).is_ok(), "step {}: {:?}", step.id, network.apply(&step.write()));
            }
            let again = Plan::between(&seen(&network, &observed), &topology, &Policy::default());
            let left: Vec<String> = again.iter().flat_map(|plan| plan.steps.iter().map(plan::telling::line)).collect();
            prop_assert!(again.is_ok(), "{:?}", again.err());
            prop_assert_eq!(left, Vec::<String>::new());
        }
    }

    #[test]
    fn the_undo_gives_back_the_network_that_was_there(list in drawn(), wish in wish(), version in version()) {
        let (observed, topology) = (observed(&list, version), declared(&list, &wish));
        if let Ok(plan) = Plan::between(&observed, &topology, &Policy::default()) {
            let before = torn_down(&observed, &plan);
            let mut network = before.clone();
            for step in &plan.steps {
                network.apply(&step.write()).unwrap();
            }
            for step in plan.steps.iter().rev() {
                if let Undo::By(write) = &step.undo {
                    prop_assert!(network.apply(write).is_ok(), "undo of step {}: {:?}", step.id, network.apply(write));
                }
            }
            let strip = |network: &Network| -> Vec<Object> { network.all().filter(|object| !matches!(object, Object::Vlan(vlan) if vlan.at.fabric == "fab-new")).cloned().collect() };
            prop_assert_eq!(strip(&network), strip(&before));
        }
    }

    #[test]
    fn strangers_are_never_touched_and_deletes_come_first(list in drawn(), wish in wish(), version in version()) {
        let (observed, topology) = (observed(&list, version), declared(&list, &wish));
        if let Ok(plan) = Plan::between(&observed, &topology, &Policy::default()) {
            let stranger: Key = Key::Subnet(STRANGER.parse().unwrap());
            prop_assert!(!critic::touched(&plan).contains(&stranger));
            let last_delete = plan.steps.iter().rposition(|step| step.phase == Phase::Delete);
            let first_create = plan.steps.iter().position(|step| step.phase == Phase::Create);
            if let (Some(last), Some(first)) = (last_delete, first_create) {
                prop_assert!(last < first);
            }
        }
    }

    #[test]
    fn a_refusal_says_what_would_be_allowed(list in drawn(), wish in wish(), version in version()) {
        let (observed, topology) = (observed(&list, version), declared(&list, &wish));
        if let Err(refused) = Plan::between(&observed, &topology, &Policy::default()) {
            prop_assert!(!refused.refusals.is_empty());
            for refusal in refused.refusals {
                prop_assert!(!refusal.why.is_empty() && !refusal.help.is_empty() && refusal.code != plan::refusal::Code::Unsound, "{refusal}");
            }
        }
    }
}
