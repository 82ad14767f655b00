//! How planning time grows: renumbers all planes of clouds that double in size, and compares each time with the previous
//! one. `cargo bench -p plan` prints the table.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark measures and prints time, and panics if its input is wrong"
)]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use plan::plan::{Plan, PlanPolicy};
use topology::Cidr;
use topology::address::Range;
use topology::object::{
    Fabric, IpRange, Object, RangeKind, Space, Subnet, SubnetFlags, Vlan, VlanAt,
};
use topology::observed::{Observed, Seen, Timestamp};
use topology::plane::{Plane, PlaneSubnet, Purpose, Reservation, Topology};
use topology::version::MaasVersion;

const ROUNDS: usize = 5;

fn main() {
    println!("planes   steps   fastest of {ROUNDS}   times the previous one");
    let mut before: Option<Duration> = None;
    for planes in [25, 50, 100, 200, 400] {
        let (observed, topology) = (observed(planes), declared(planes));
        let policy = PlanPolicy {
            vacated_max: planes,
            ..PlanPolicy::default()
        };
        let mut steps = 0;
        let fastest = (0..ROUNDS)
            .map(|_| {
                let began = Instant::now();
                steps = Plan::between(&observed, &topology, &policy)
                    .unwrap()
                    .steps
                    .len();
                began.elapsed()
            })
            .min()
            .unwrap();
        let ratio = before.map(|before| fastest.as_secs_f64() / before.as_secs_f64());
        let ratio = ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.1}"));
        let milliseconds = fastest.as_secs_f64() * 1000.0;
        println!("{planes:>6}  {steps:>6}   {milliseconds:>10.1} ms   {ratio:>20}");
        before = Some(fastest);
    }
}

/// The plane's CIDR: in one block before, in another one after.
fn cidr(block: u8, index: usize) -> Cidr {
    format!("10.{block}.{}.{}/26", index / 4, index % 4 * 64)
        .parse()
        .unwrap()
}

fn place(index: usize) -> VlanAt {
    VlanAt {
        fabric: "blue".to_owned(),
        vid: u16::try_from(index + 1).unwrap(),
    }
}

fn ranges(cidr: Cidr) -> impl Iterator<Item = Range> {
    [(4, 10), (20, 30)]
        .into_iter()
        .map(move |(from, to)| Range::new(cidr.at(from).unwrap(), cidr.at(to).unwrap()).unwrap())
}

fn vlan(at: VlanAt, space: Option<String>) -> Object {
    Object::Vlan(Vlan {
        name: Some(format!("plane-{}", at.vid)),
        at,
        mtu: 1500,
        space,
        dhcp_on: false,
        primary_rack: None,
        secondary_rack: None,
        relay: None,
    })
}

fn observed(planes: usize) -> Observed {
    let untagged = VlanAt {
        fabric: "blue".to_owned(),
        vid: 0,
    };
    let mut objects = vec![
        Object::Fabric(Fabric {
            name: "blue".to_owned(),
        }),
        Object::Space(Space {
            name: "all".to_owned(),
        }),
        vlan(untagged.clone(), None),
    ];
    let mut occupants = BTreeMap::new();
    for index in 0..planes {
        let cidr = cidr(1, index);
        objects.push(vlan(place(index), Some("all".to_owned())));
        objects.push(Object::Subnet(Subnet {
            cidr,
            name: format!("plane-{index}"),
            vlan: place(index),
            gateway: Some(cidr.at(1).unwrap()),
            dns: vec![],
            flags: SubnetFlags::default(),
            description: String::new(),
            disabled_boot_architectures: vec![],
        }));
        objects.extend(ranges(cidr).map(|range| {
            Object::Range(IpRange {
                subnet: cidr,
                range,
                kind: RangeKind::Reserved,
                comment: "band".to_owned(),
            })
        }));
        occupants.insert(cidr, Vec::new());
    }
    let numbered = objects
        .into_iter()
        .zip(1..)
        .map(|(object, id)| (object.key(), Seen { id, object }));
    Observed {
        at: Timestamp(0),
        version: MaasVersion::read("3.5.12"),
        objects: numbered.collect(),
        default_vlans: vec![untagged],
        nodes: BTreeMap::new(),
        all_nodes: true,
        occupants,
        loose_snippets: Some(vec![]),
        elsewhere: Some(Vec::new()),
        settings: Some(Vec::new()),
        all_spaces: true,
        blind: vec![],
    }
}

fn declared(planes: usize) -> Topology {
    let mut topology = Topology::default();
    for index in 0..planes {
        let cidr = cidr(2, index);
        let reservations = ranges(cidr).map(|range| Reservation {
            name: "band".to_owned(),
            purpose: Purpose::Reserved,
            range,
        });
        let subnet = PlaneSubnet {
            cidr,
            name: format!("plane-{index}"),
            gateway: Some(cidr.at(1)),
            dns: None,
            reservations: Some(reservations.collect()),
            routes: None,
            reserved_ips: None,
            managed: None,
            allow_dns: None,
            allow_proxy: None,
            active_discovery: None,
            rdns_mode: None,
            description: None,
            disabled_boot_architectures: None,
            removed: topology::removed::RemovedEntries::default(),
        };
        let plane = Plane {
            key: format!("plane-{index}"),
            description: String::new(),
            vlan: place(index),
            vlan_name: None,
            space: Some(Some("all".to_owned())),
            mtu: None,
            dhcp: None,
            strategy: None,
            adopt: false,
            subnets: vec![subnet],
        };
        topology.planes.insert(plane.key.clone(), plane);
    }
    topology
}
