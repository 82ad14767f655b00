//! Plans as people read them: each is kept as the text of the terminal and as the comment on a pull request.

use std::path::Path;

use execution::rehearse::{RehearsalInput, rehearse};
use insta::assert_snapshot;
use plan::plan::{Plan, PlanPolicy};
use plan::render::{self, ApplyStatus, PlanHeader, Rehearsed};
use topology::Topology;

use crate::lab::{World, world_of};
use crate::objects::{CLOUD, Change, edited, imported};

const MACHINES: &str = include_str!("machines/bonded.json");

/// A plan under its name: the layout, the release, and the edits of what is imported from it.
struct Worded<'a> {
    name: &'static str,
    layout: String,
    version: &'static str,
    edits: &'a [(&'a str, &'a str, &'a str)],
}

impl Worded<'_> {
    /// Compares both texts with the golden files, or writes them anew.
    async fn is_golden(&self) -> String {
        let world = world_of(&self.layout, Some(self.version));
        let topology = edited(imported(&world).await, &Change::of_all(self.edits));
        let (text, comment) = both(&world, &topology).await;
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/plans");
        for (kind, now) in [("txt", &text), ("md", &comment)] {
            let golden = root.join(format!("{}.{kind}", self.name));
            if std::env::var_os("PLANEBOT_GOLDEN").is_some() {
                std::fs::write(&golden, now).unwrap();
            }
            assert_eq!(
                *now,
                std::fs::read_to_string(&golden).unwrap_or_default(),
                "{}.{kind}: PLANEBOT_GOLDEN=1 writes it anew",
                self.name
            );
        }
        comment
    }
}

async fn both(world: &World, topology: &Topology) -> (String, String) {
    let observed = world.observe(topology).await;
    // Some of these changes are larger than a site allows by default.
    let policy = PlanPolicy {
        removed_max: usize::MAX,
        ..PlanPolicy::default()
    };
    let header = PlanHeader {
        dropped: Vec::new(),
        site: "reference".to_owned(),
        commit: None,
        tree_url: None,
        read_at: observed.at,
        status: ApplyStatus::Open,
    };
    let plan = match Plan::between(&observed, topology, &policy) {
        Ok(plan) => plan,
        Err(refused) => {
            return (
                render::refusal_text(&refused, "reference"),
                render::refusal_markdown(&refused, &header),
            );
        }
    };
    let play = RehearsalInput {
        plan: &plan,
        topology,
        policy: &policy,
        observed: &observed,
    };
    let rehearsed = if topology.planes.len() > 100 {
        Rehearsed::default()
    } else {
        rehearse(&play, &mut |_| {}).await
    };
    (
        render::text(&plan, "reference", Some(&rehearsed)),
        render::markdown(&plan, &header, &rehearsed),
    )
}

fn cloud(change: impl Fn(&str) -> String) -> String {
    change(CLOUD)
}

#[tokio::test]
async fn a_renumbering_with_gates_reads_well() {
    let worded = Worded {
        name: "renumber",
        layout: cloud(|text| text.replace("\"Ready\"", "\"Deployed\"")),
        version: "3.5.12",
        edits: &[
            ("office", "10.10.0.0/24", "10.11.0.0/24\nstrategy: recreate"),
            ("phones", "10.20.0.0/24", "10.10.0.0/24\nstrategy: recreate"),
        ],
    };
    worded.is_golden().await;
}

#[tokio::test]
async fn a_network_that_shrinks_reads_well() {
    let worded = Worded {
        name: "shrink",
        layout: cloud(str::to_owned),
        version: "3.7.3",
        edits: &[
            ("office", "10.10.0.0/24", "10.10.0.0/25"),
            ("office", "+100..+150", "+100..+120"),
        ],
    };
    worded.is_golden().await;
}

#[tokio::test]
async fn ranges_that_change_read_well() {
    let worded = Worded {
        name: "ranges",
        layout: cloud(str::to_owned),
        version: "3.5.12",
        edits: &[
            ("office", "+100..+150", "+160..+200"),
            ("phones", "+10..+20", "+30..+40"),
            ("office", "name: band", "name: vips"),
        ],
    };
    worded.is_golden().await;
}

#[tokio::test]
async fn a_gateway_and_resolvers_that_change_read_well() {
    let worded = Worded {
        name: "gateway",
        layout: cloud(str::to_owned),
        version: "3.5.12",
        edits: &[
            (
                "office",
                "gateway: +1",
                "gateway: +2\nallow_dns: false\nactive_discovery: true\nrdns_mode: 0\nsubnet_description: words that say what it is for\ndisabled_boot_architectures: [pxe]",
            ),
            ("office", "dns: [+2]", "dns: [+3, 192.0.2.53]"),
            ("phones", "gateway: +1\n", ""),
        ],
    };
    worded.is_golden().await;
}

#[tokio::test]
async fn a_vid_an_mtu_and_racks_that_change_read_well() {
    let worded = Worded {
        name: "vlans",
        layout: cloud(str::to_owned),
        version: "3.7.3",
        edits: &[
            ("phones", "vid: 20", "vid: 21\nmtu: 1400"),
            ("phones", "vlan_name: voices", "vlan_name: calls"),
            ("office", "space: work", "space: voice\nmtu: 9000"),
            (
                "office",
                "{primary: rack-a, secondary: rack-b}",
                "{primary: rack-b}",
            ),
            ("guests", "dhcp: {relay: office}", "dhcp: off"),
        ],
    };
    worded.is_golden().await;
}

#[tokio::test]
async fn a_network_that_goes_to_another_vlan_reads_well() {
    let worded = Worded {
        name: "moves",
        layout: cloud(|text| text.replace("\"Ready\"", "\"Deployed\"")),
        version: "3.5.12",
        edits: &[("phones", "fabric: blue", "fabric: red")],
    };
    worded.is_golden().await;
}

#[tokio::test]
async fn interfaces_and_links_that_change_read_well() {
    let worded = Worded {
        name: "machines",
        layout: MACHINES.to_owned(),
        version: "3.5.12",
        edits: &[
            (
                "machines",
                "bond_mode: \"802.3ad\"",
                "bond_mode: active-backup, bond_miimon: 200",
            ),
            ("machines", "tags: [a, b], enabled: false", "tags: [b, c]"),
            ("machines", "address: +40", "address: +41"),
            (
                "machines",
                "{name: eth3, type: physical, plane: desks}",
                "{name: eth3, type: physical, plane: phones, links: [{plane: phones, address: auto}]}\n      - {name: eth3.30, type: vlan, parents: [eth3], plane: cameras, links: [{plane: cameras, address: +9}]}",
            ),
        ],
    };
    worded.is_golden().await;
}

#[tokio::test]
async fn reserved_ips_routes_and_snippets_that_change_read_well() {
    let kept = r#""name": "office", "reserved_ips": [{"ip": "10.10.0.60", "mac": "02:00:00:00:00:01", "comment": "printer"}, {"ip": "10.10.0.61", "mac": "02:00:00:00:00:02", "comment": "scanner"}]"#;
    let worded = Worded {
        name: "reserved",
        layout: cloud(|text| text.replace(r#""name": "office""#, kept)),
        version: "3.7.3",
        edits: &[
            ("office", "comment: printer", "comment: printer upstairs"),
            ("office", "02:00:00:00:00:02", "02:00:00:00:00:03"),
            ("store", "via: +1", "via: +2, metric: 7"),
            ("phones", "10.20.0.0/24", "10.21.0.0/24\nstrategy: recreate"),
        ],
    };
    worded.is_golden().await;
}

#[tokio::test]
async fn a_plan_that_waits_reads_well() {
    let worded = Worded {
        name: "waits",
        layout: MACHINES.replace("\"Ready\"", "\"Deployed\""),
        version: "3.5.12",
        edits: &[
            ("machines", "address: +40", "address: +41"),
            (
                "machines",
                "bond_mode: \"802.3ad\"",
                "bond_mode: active-backup",
            ),
            (
                "machines",
                "{name: eth3, type: physical, plane: desks}",
                "{name: eth9, type: physical, plane: desks}",
            ),
        ],
    };
    worded.is_golden().await;
}

#[tokio::test]
async fn a_refused_plan_reads_well() {
    let worded = Worded {
        name: "refused",
        layout: cloud(str::to_owned),
        version: "3.5.12",
        edits: &[
            ("phones", "10.20.0.0/24", "10.99.0.0/24"),
            (
                "store",
                "plane: store",
                "plane: store\ndhcp: {primary: rack-a}",
            ),
        ],
    };
    worded.is_golden().await;
}

/// Networks with long names, one of which changes, or all.
fn many(count: usize) -> String {
    let vlans: Vec<String> = (0..count)
        .map(|at| {
            format!(
                r#"{{"vid": {}, "name": "v{at}", "subnets": [{{"cidr": "10.{}.{}.0/24", "name": "customer-replication-storage-{at}", "gateway": "10.{1}.{2}.1"}}]}}"#,
                at + 1,
                at / 256,
                at % 256
            )
        })
        .collect();
    format!(
        r#"{{"fabrics": [{{"name": "datacenter-frankfurt", "vlans": [{}]}}]}}"#,
        vlans.join(", ")
    )
}

#[tokio::test]
async fn one_change_among_many_networks_is_listed() {
    let worded = Worded {
        name: "one-of-many",
        layout: many(600),
        version: "3.5.12",
        edits: &[(
            "customer-replication-storage-7",
            "gateway: +1",
            "gateway: +2",
        )],
    };
    let comment = worded.is_golden().await;
    assert!(comment.contains("gateway 10.0.7.1 -> 10.0.7.2"));
}

/// What a comment of a plan that changes the gateway of that many networks says of its changes.
async fn changes_of(count: usize) -> String {
    let world = world_of(&many(count), Some("3.5.12"));
    let mut topology = edited(imported(&world).await, &Change::default());
    for plane in topology.planes.values_mut() {
        for subnet in &mut plane.subnets {
            subnet.gateway = Some(None);
        }
    }
    let (_, comment) = both(&world, &topology).await;
    assert!(comment.len() <= 65_000, "{}", comment.len());
    assert!(comment.contains("/apply "), "{comment}");
    let changes = comment.split("<summary>Changes (").nth(1).unwrap();
    changes
        .lines()
        .skip(2)
        .take(6)
        .collect::<Vec<_>>()
        .join("\n")
}

#[tokio::test]
async fn changes_that_do_not_fit_are_counted() {
    assert_snapshot!(changes_of(500).await, @r"
    The single changes do not fit here; `planebot plan` prints them all. They are:

    ```text
    customer-replication-storage-0: ! 1 subnet
    customer-replication-storage-1: ! 1 subnet
    customer-replication-storage-10: ! 1 subnet
    ");
    assert_snapshot!(changes_of(1_500).await, @"
    The single changes do not fit here; `planebot plan` prints them all. They are:

    ```text
    ! 1500 subnets
    ```
    ");
}
