//! The stage: a MAAS in memory, seen through the real client.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use execution::rehearse::in_memory::InMemoryMaas;
use lab::maas::LabMaas;
use maas::{Environment, MaasClient};
use topology::Topology;
use topology::object::{Object, RangeKind};
use topology::observed::{NodeKind, Observed, Timestamp};
use topology::plane::{
    Dhcp, HostReservation, Machine, MachineInterface, Plane, PlaneSubnet, Purpose, Reservation,
    Route,
};

pub(crate) fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("topologies")
}

pub(crate) fn text(name: &str) -> String {
    let path = folder().join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn is_json(name: &str) -> bool {
    std::path::Path::new(name)
        .extension()
        .is_some_and(|end| end == "json")
}

/// Every layout, and both sides of every change.
pub(crate) fn all_layouts() -> Vec<String> {
    let mut names = Vec::new();
    for (folder, prefix) in [(folder(), ""), (folder().join("changes"), "changes/")] {
        for entry in std::fs::read_dir(folder).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if is_json(&name) && name != "layout.schema.json" {
                names.push(format!("{prefix}{name}"));
            }
        }
    }
    names.sort();
    names
}

/// The names of the changes, without `.before.json`.
pub(crate) fn all_changes() -> Vec<String> {
    all_layouts()
        .iter()
        .filter_map(|name| name.strip_suffix(".before.json").map(str::to_owned))
        .collect()
}

pub(crate) fn outside() -> Environment {
    static NONCE: AtomicU64 = AtomicU64::new(0);
    Environment {
        now: Arc::new(|| Timestamp(1_795_442_531_000)),
        nonce: Arc::new(|| format!("t{}", NONCE.fetch_add(1, Ordering::Relaxed))),
        sleep: Arc::new(|_| Box::pin(std::future::ready(()))),
    }
}

/// A MAAS in memory and a client on it.
pub(crate) struct World {
    pub(crate) maas: Arc<Mutex<LabMaas>>,
    pub(crate) client: Arc<MaasClient<InMemoryMaas>>,
}

pub(crate) fn world(name: &str, version: Option<&str>) -> World {
    world_of(&text(name), version)
}

/// The same, from a layout's text.
pub(crate) fn world_of(layout: &str, version: Option<&str>) -> World {
    let maas = LabMaas::load(layout, version).unwrap_or_else(|error| panic!("{error}"));
    let maas = Arc::new(Mutex::new(maas));
    let client = MaasClient::new(InMemoryMaas::new(Arc::clone(&maas), outside()), outside());
    World { maas, client }
}

impl World {
    pub(crate) async fn observe_all(&self) -> Observed {
        let scope = topology::observed::Scope {
            all_nodes: true,
            all_spaces: true,
            ..Default::default()
        };
        self.client.reader().observe(&scope).await.unwrap()
    }

    pub(crate) async fn observe(&self, topology: &Topology) -> Observed {
        execution::executor::observe(&self.client.reader(), topology)
            .await
            .unwrap()
    }
}

/// A declaration that says exactly what was observed.
pub(crate) fn declared(observed: &Observed) -> Topology {
    let mut topology = Topology {
        tree: "test".to_owned(),
        ..Topology::default()
    };
    for vlan in observed.vlans() {
        let subnets: Vec<PlaneSubnet> = observed
            .subnets()
            .filter(|subnet| subnet.vlan == vlan.at)
            .map(|subnet| declared_subnet(observed, subnet))
            .collect();
        let key = format!("{}-{}", vlan.at.fabric, vlan.at.vid);
        let dhcp = match (vlan.dhcp_on, &vlan.relay) {
            (_, Some(relay)) => Some(Dhcp::Relay(relay.clone())),
            (true, None) => Some(Dhcp::On {
                primary: None,
                secondary: None,
            }),
            (false, None) => None,
        };
        topology.planes.insert(
            key.clone(),
            Plane {
                key,
                description: String::new(),
                vlan: vlan.at.clone(),
                vlan_name: vlan.name.clone().filter(|name| !name.is_empty()),
                space: Some(vlan.space.clone()),
                mtu: Some(vlan.mtu),
                dhcp,
                strategy: None,
                adopt: false,
                subnets,
            },
        );
    }
    topology.spaces = observed
        .all()
        .filter_map(|object| {
            if let Object::Space(space) = object {
                Some(space.name.clone())
            } else {
                None
            }
        })
        .collect();
    for node in observed
        .nodes
        .values()
        .filter(|node| node.kind == NodeKind::Machine)
    {
        topology
            .machines
            .insert(node.host.clone(), declared_machine(observed, &node.host));
    }
    topology
}

fn declared_subnet(observed: &Observed, subnet: &topology::object::Subnet) -> PlaneSubnet {
    let reservations = observed.ranges_of(subnet.cidr).map(|range| Reservation {
        name: range.comment.clone(),
        purpose: match range.kind {
            RangeKind::Dynamic => Purpose::Dynamic,
            RangeKind::Reserved => Purpose::Reserved,
        },
        range: range.range,
    });
    let routes = observed
        .routes()
        .filter(|route| route.source == subnet.cidr)
        .map(|route| Route {
            destination: route.destination,
            gateway: route.gateway,
            metric: route.metric,
        });
    let reserved = observed
        .all()
        .filter_map(Object::as_reserved_ip)
        .filter(|kept| kept.subnet == subnet.cidr)
        .map(|kept| HostReservation {
            ip: kept.ip,
            mac: kept.mac.clone(),
            comment: kept.comment.clone(),
        });
    PlaneSubnet {
        cidr: subnet.cidr,
        name: subnet.name.clone(),
        gateway: Some(subnet.gateway),
        dns: Some(subnet.dns.clone()),
        reservations: Some(reservations.collect()),
        routes: Some(routes.collect()),
        reserved_ips: observed
            .version
            .has_reserved_ips()
            .then(|| reserved.collect()),
        managed: Some(subnet.flags.managed),
        allow_dns: Some(subnet.flags.allow_dns),
        allow_proxy: Some(subnet.flags.allow_proxy),
        active_discovery: Some(subnet.flags.active_discovery),
        rdns_mode: Some(subnet.flags.rdns_mode),
        description: Some(subnet.description.clone()),
        disabled_boot_architectures: Some(subnet.disabled_boot_architectures.clone()),
        removed: topology::removed::RemovedEntries::default(),
    }
}

fn declared_machine(observed: &Observed, host: &str) -> Machine {
    let mut left: Vec<_> = observed.interfaces_of(host).cloned().collect();
    let mut interfaces: Vec<MachineInterface> = Vec::new();
    while !left.is_empty() {
        let ready = left
            .iter()
            .position(|interface| {
                interface
                    .parents
                    .iter()
                    .all(|parent| interfaces.iter().any(|made| made.name == *parent))
            })
            .unwrap_or(0);
        let interface = left.remove(ready);
        let links = observed
            .links()
            .filter(|link| link.host == host && link.interface == interface.name);
        interfaces.push(MachineInterface {
            gateways: Vec::new(),
            settings: topology::plane::DeclaredSettings::default(),
            links: Some(links.map(|link| (link.subnet, link.mode)).collect()),
            name: interface.name,
            kind: interface.kind,
            parents: interface.parents,
            vlan: interface.vlan,
        });
    }
    Machine {
        host: host.to_owned(),
        interfaces,
        removed: std::collections::BTreeSet::new(),
    }
}
