//! A small cloud and random changes to it, as layouts for the lab. It must not know how a change is declared or applied.

use serde_json::{Value, json};

use crate::fuzz::rng::SeededRng;

/// One release of each MAAS series that is still in use.
const RELEASES: [&str; 5] = ["2.9.2", "3.4.8", "3.5.12", "3.6.5", "3.7.3"];

/// One plane: a VLAN with one subnet, `10.7.N.0/24`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Plane {
    name: &'static str,
    vid: u16,
    net: u32,
    gateway: Option<u32>,
    dns: bool,
    range: Option<(u32, u32)>,
    mtu: u32,
    space: Option<&'static str>,
}

/// Some planes on one fabric, with or without a machine and a rack controller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cloud {
    pub(super) release: &'static str,
    planes: Vec<Plane>,
    machine: bool,
    rack: bool,
}

impl Cloud {
    pub(super) fn draw(rng: &mut SeededRng) -> Self {
        let names = ["office", "store", "guests"];
        let count = usize::try_from(2 + rng.below(2)).unwrap_or(2);
        let planes = names.iter().take(count).zip(0_u16..);
        Self {
            release: rng.pick(&RELEASES).unwrap_or(RELEASES[0]),
            planes: planes
                .map(|(name, at)| Plane {
                    name,
                    vid: at * 100,
                    net: u32::from(at) + 1,
                    gateway: rng.chance(600).then_some(1),
                    dns: rng.chance(400),
                    range: rng.chance(600).then_some((10, 20)),
                    mtu: 1500,
                    space: rng.chance(300).then_some("work"),
                })
                .collect(),
            machine: rng.chance(400),
            rack: rng.chance(200),
        }
    }

    /// The same cloud after one or two changes, with their description.
    pub(super) fn changed(&self, rng: &mut SeededRng) -> (Self, String) {
        let mut next = self.clone();
        let mut changes = vec![next.change(rng)];
        if rng.chance(500) {
            changes.push(next.change(rng));
        }
        if next == *self {
            next.planes[0].range = Some((30, 40 + rng.below(10)));
            changes = vec!["office reserves another range".to_owned()];
        }
        (next, changes.join("; "))
    }

    fn change(&mut self, rng: &mut SeededRng) -> String {
        let count = u32::try_from(self.planes.len()).unwrap_or(1);
        let at = usize::try_from(rng.below(count)).unwrap_or_default();
        let other = (at + 1) % self.planes.len();
        let free = 1 + self.planes.iter().map(|plane| plane.net).max().unwrap_or(0);
        let name = self.planes[at].name;
        let kind = rng.below(8);
        if kind == 5
            && let Some(change) = self.add_plane(free)
        {
            return change;
        }
        let plane = &mut self.planes[at];
        match kind {
            0 => {
                plane.gateway = if plane.gateway == Some(1) {
                    Some(254)
                } else {
                    Some(1)
                };
                format!("{name} has another gateway")
            }
            1 => {
                plane.dns = !plane.dns;
                format!("{name} has other resolvers")
            }
            2 => {
                plane.range = if plane.range.is_some() && rng.chance(400) {
                    None
                } else {
                    let first = 10 + rng.below(60);
                    Some((first, first + 1 + rng.below(20)))
                };
                format!("{name} reserves other addresses")
            }
            3 => {
                plane.mtu = if plane.mtu == 1500 { 9000 } else { 1500 };
                format!("{name} has another MTU")
            }
            4 => {
                plane.space = Some(if plane.space == Some("work") {
                    "play"
                } else {
                    "work"
                });
                format!("{name} is in another space")
            }
            6 => {
                let net = self.planes[other].net;
                self.planes[other].net = self.planes[at].net;
                self.planes[at].net = net;
                format!("{name} and {} swap their networks", self.planes[other].name)
            }
            _ => {
                plane.net = free;
                format!("{name} moves to another network")
            }
        }
    }

    /// Adds a plane; `None` where both spare names are taken.
    fn add_plane(&mut self, net: u32) -> Option<String> {
        let (name, vid) = [("fresh", 700), ("late", 800)]
            .into_iter()
            .find(|(name, _)| self.planes.iter().all(|plane| plane.name != *name))?;
        self.planes.push(Plane {
            name,
            vid,
            net,
            gateway: Some(1),
            dns: false,
            range: Some((30, 33)),
            mtu: 1500,
            space: None,
        });
        Some(format!("{name} is a new plane"))
    }

    /// The networks of this cloud that `after` does not have on the same plane.
    pub(super) fn networks_missing_in(&self, after: &Self) -> Vec<String> {
        let is_kept = |plane: &Plane| {
            after
                .planes
                .iter()
                .any(|other| other.name == plane.name && other.net == plane.net)
        };
        let missing = self.planes.iter().filter(|plane| !is_kept(plane));
        missing
            .map(|plane| format!("10.7.{}.0/24", plane.net))
            .collect()
    }

    /// The cloud as a layout that the lab can load.
    pub(super) fn layout(&self) -> String {
        let vlans: Vec<Value> = self.planes.iter().map(vlan).collect();
        let links = |at: usize, ip: u32| -> Value {
            let net = self.planes[at].net;
            json!([{"mode": "STATIC", "subnet": format!("10.7.{net}.0/24"), "ip": format!("10.7.{net}.{ip}")}])
        };
        let machine = json!({"hostname": "m1", "status": "Deployed", "interfaces": [
            {"name": "eth0", "fabric": "blue", "vlan": self.planes[0].vid, "links": links(0, 50)},
            {"name": "eth1", "fabric": "blue", "vlan": self.planes[1].vid, "links": links(1, 50)},
        ]});
        let rack = json!({"hostname": "rack-a", "kind": "region+rack", "interfaces": [
            {"name": "eth0", "fabric": "blue", "vlan": self.planes[0].vid, "links": links(0, 5)},
        ]});
        let if_present =
            |present: bool, node: Value| present.then_some(node).into_iter().collect::<Vec<_>>();
        json!({
            "fabrics": [{"name": "blue", "vlans": vlans}],
            "machines": if_present(self.machine, machine),
            "controllers": if_present(self.rack, rack),
        })
        .to_string()
    }
}

fn vlan(plane: &Plane) -> Value {
    let at = |host: u32| format!("10.7.{}.{host}", plane.net);
    let mut subnet = json!({"cidr": at(0) + "/24", "name": plane.name, "dns": [], "ranges": []});
    if let Some(gateway) = plane.gateway {
        subnet["gateway"] = json!(at(gateway));
    }
    if plane.dns {
        subnet["dns"] = json!([at(2)]);
    }
    if let Some((first, last)) = plane.range {
        subnet["ranges"] =
            json!([{"type": "reserved", "start": at(first), "end": at(last), "comment": "band"}]);
    }
    let mut vlan = json!({"vid": plane.vid, "mtu": plane.mtu, "subnets": [subnet]});
    if plane.vid > 0 {
        vlan["name"] = json!(plane.name);
    }
    if let Some(space) = plane.space {
        vlan["space"] = json!(space);
    }
    vlan
}
