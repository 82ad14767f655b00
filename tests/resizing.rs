//! Subnets that grow or shrink in place: what is on them stays, and nobody is asked to leave.

use insta::assert_snapshot;
use plan::plan::{Plan, PlanPolicy};
use plan::render;
use topology::object::{Link, Mode};

use crate::lab::{World, world_of};
use crate::objects::{Change, edited, imported};
use crate::walk::carried_out;

/// A deployed machine, a ready one, a controller, DHCP with a range and a reserved range, all on the lower half of a /24.
const LIVED_IN: &str = r#"{"maas_server": "10.0.1.4", "fabrics": [{"name": "blue", "vlans": [
    {"vid": 0, "name": "untagged", "dhcp": true, "primary_rack": "rack0", "subnets": [
        {"cidr": "10.0.1.0/24", "name": "metal", "gateway": "10.0.1.1", "dns": ["10.0.1.1"], "ranges": [
            {"type": "dynamic", "start": "10.0.1.60", "end": "10.0.1.70", "comment": "pxe"},
            {"type": "reserved", "start": "10.0.1.2", "end": "10.0.1.20", "comment": "vips"}]}]},
    {"vid": 60, "name": "six", "subnets": [{"cidr": "2001:db8:1::/64", "name": "six"}]}]}],
    "controllers": [{"hostname": "rack0", "kind": "region+rack", "interfaces": [{"name": "eth0", "type": "physical", "fabric": "blue", "vlan": 0,
        "links": [{"subnet": "10.0.1.0/24", "mode": "STATIC", "ip": "10.0.1.4"}]}]}],
    "machines": [{"hostname": "node1", "status": "Deployed", "interfaces": [
        {"name": "eth0", "type": "physical", "fabric": "blue", "vlan": 0, "links": [{"subnet": "10.0.1.0/24", "mode": "AUTO", "ip": "10.0.1.50"}]},
        {"name": "eth0.60", "type": "vlan", "parents": ["eth0"], "fabric": "blue", "vlan": 60, "links": [{"subnet": "2001:db8:1::/64", "mode": "STATIC", "ip": "2001:db8:1::50"}]}]},
        {"hostname": "node2", "status": "Ready", "interfaces": [{"name": "eth0", "type": "physical", "fabric": "blue", "vlan": 0,
        "links": [{"subnet": "10.0.1.0/24", "mode": "STATIC", "ip": "10.0.1.51"}]}]}],
    "devices": []}"#;

const RELEASES: [&str; 5] = ["2.9.2", "3.4.8", "3.5.12", "3.6.5", "3.7.3"];

async fn planned(
    version: &str,
    layout: &str,
    change: &Change,
) -> (World, topology::Topology, Plan) {
    let world = world_of(layout, Some(version));
    let topology = edited(imported(&world).await, change);
    let observed = world.observe(&topology).await;
    let plan = Plan::between(&observed, &topology, &PlanPolicy::default()).unwrap();
    (world, topology, plan)
}

async fn links(world: &World) -> Vec<Link> {
    let observed = world.observe_all().await;
    observed.links().cloned().collect()
}

/// The plan's steps and warnings, once it is carried out and every link is found as it was.
async fn resized(version: &str, change: &Change) -> String {
    let (world, topology, plan) = planned(version, LIVED_IN, change).await;
    assert_eq!(plan.gates, [], "{version}");
    let before = links(&world).await;
    carried_out(&world, &topology, &plan).await.unwrap();
    let after = links(&world).await;
    let addresses = |links: &[Link]| -> Vec<_> {
        let of = |link: &Link| (link.host.clone(), link.interface.clone(), link.mode);
        links.iter().map(of).collect()
    };
    assert_eq!(addresses(&before), addresses(&after), "{version}");
    let lines: Vec<String> = plan.steps.iter().map(render::line).collect();
    format!("{}\n{}", lines.join("\n"), plan.warnings.join("\n"))
}

/// The addresses stay where they are: those that are written as offsets are written out first.
fn written_out(to: &str) -> Change {
    Change::of_all(&[
        ("machines", "address: +51", "address: 10.0.1.51"),
        ("metal", "cidr: 10.0.1.0/24", &format!("cidr: {to}")),
        ("metal", "gateway: +1", "gateway: 10.0.1.1"),
        ("metal", "dns: [+1]", "dns: [10.0.1.1]"),
        ("metal", "+2..+20", "10.0.1.2..10.0.1.20"),
        ("metal", "+60..+70", "10.0.1.60..10.0.1.70"),
    ])
}

#[tokio::test]
async fn a_network_that_grows_keeps_all_that_is_on_it() {
    for version in RELEASES {
        let text = resized(version, &written_out("10.0.0.0/23")).await;
        let first = text.lines().next().unwrap();
        assert!(
            first.contains("cidr 10.0.1.0/24 -> 10.0.0.0/23"),
            "{version}: {text}"
        );
    }
    assert_snapshot!(resized("3.5.12", &written_out("10.0.0.0/23")).await, @r"
    ! subnet 10.0.0.0/23 metal: cidr 10.0.1.0/24 -> 10.0.0.0/23  [metal]  # in place: the row stays, and what is on it stays
    `metal` changes from 10.0.1.0/24 to 10.0.0.0/23 with everything on it; `node1`, `rack0` and BMCs keep the netmask /24 until somebody changes it there
    `metal` grows from 10.0.1.0/24 to 10.0.0.0/23 and then includes everything in between; MAAS knows of no addresses in use there, but there may be some
    change the netmask from /24 to /23 on these controllers right after the change: `eth0` of `rack0`; a report with the old one makes MAAS add 10.0.1.0/24 again
    ");
    assert_snapshot!(resized("3.7.3", &written_out("10.0.0.0/23")).await, @r#"
    ! subnet 10.0.0.0/23 metal: cidr 10.0.1.0/24 -> 10.0.0.0/23  [metal]  # in place: the row stays, and what is on it stays
    ! range 10.0.1.2-10.0.1.20 reserved "vips": rewritten unchanged  [metal]  # written as it is, so that dhcpd takes over the gateway and resolvers (MAAS 3.7)
    `metal` changes from 10.0.1.0/24 to 10.0.0.0/23 with everything on it; `node1`, `rack0` and BMCs keep the netmask /24 until somebody changes it there
    `metal` grows from 10.0.1.0/24 to 10.0.0.0/23 and then includes everything in between; MAAS knows of no addresses in use there, but there may be some
    change the netmask from /24 to /23 on these controllers right after the change: `eth0` of `rack0`; MAAS refuses its reports until then
    "#);
}

#[tokio::test]
async fn a_network_that_shrinks_around_all_that_is_on_it_keeps_it() {
    for version in RELEASES {
        let text = resized(version, &written_out("10.0.1.0/25")).await;
        let first = text.lines().next().unwrap();
        assert!(
            first.contains("cidr 10.0.1.0/24 -> 10.0.1.0/25"),
            "{version}: {text}"
        );
    }
}

#[tokio::test]
async fn a_gateway_that_changes_with_the_size_goes_along_in_the_same_write() {
    let change = written_out("10.0.0.0/23");
    let moved = ("metal", "gateway: 10.0.1.1", "gateway: 10.0.0.1");
    let both = change.and(&[moved]);
    assert_snapshot!(resized("3.5.12", &both).await, @r"
    ! subnet 10.0.0.0/23 metal: cidr 10.0.1.0/24 -> 10.0.0.0/23, gateway 10.0.1.1 -> 10.0.0.1  [metal]  # in place: the row stays, and what is on it stays
    `metal` changes from 10.0.1.0/24 to 10.0.0.0/23 with everything on it; `node1`, `rack0` and BMCs keep the netmask /24 until somebody changes it there
    `metal` grows from 10.0.1.0/24 to 10.0.0.0/23 and then includes everything in between; MAAS knows of no addresses in use there, but there may be some
    change the netmask from /24 to /23 on these controllers right after the change: `eth0` of `rack0`; a report with the old one makes MAAS add 10.0.1.0/24 again
    ");
}

#[tokio::test]
async fn an_ipv6_network_grows_too() {
    let grown = Change::of_all(&[
        ("machines", "address: +80", "address: 2001:db8:1::50"),
        ("six", "2001:db8:1::/64", "2001:db8::/47"),
    ]);
    for version in RELEASES {
        let text = resized(version, &grown).await;
        assert!(
            text.contains("cidr 2001:db8:1::/64 -> 2001:db8::/47"),
            "{version}: {text}"
        );
    }
}

/// What is said at the gates, and the steps; the plan is carried out, and links inside are as they were.
async fn shrunk(version: &str, change: &Change) -> String {
    let (world, topology, plan) = planned(version, LIVED_IN, change).await;
    let before = links(&world).await;
    carried_out(&world, &topology, &plan).await.unwrap();
    let new = topology.planes["metal"].subnets[0].cidr;
    let inside = |link: &&Link| matches!(link.mode, Mode::Static(ip) if new.contains(ip));
    let after = links(&world).await;
    for link in before.iter().filter(inside) {
        let same = |other: &&Link| other.host == link.host && other.mode == link.mode;
        assert!(
            after.iter().any(|other| same(&other)),
            "{version}: {link:?}"
        );
    }
    let mut text = String::new();
    for gate in &plan.gates {
        text += &format!("{}: {}\n", gate.name.word(), gate.why);
        for task in &gate.tasks {
            text += &format!("- {task}\n");
        }
    }
    let steps: Vec<String> = plan.steps.iter().map(render::line).collect();
    text + &steps.join("\n")
}

/// node1 has .50 and node2 .51, outside of a /27, the rack .4. The dynamic range moves inside, and DHCP goes on.
#[tokio::test]
async fn only_who_would_be_outside_has_to_leave() {
    let small = Change::of_all(&[
        ("metal", "cidr: 10.0.1.0/24", "cidr: 10.0.1.0/27"),
        ("metal", "+60..+70", "+21..+30"),
        ("machines", "address: +51", "address: +20"),
    ]);
    for version in RELEASES {
        let text = shrunk(version, &small).await;
        assert!(!text.contains("vacate"), "{version}: {text}");
    }
    assert_snapshot!(shrunk("3.5.12", &small).await, @r#"
    teardown: 10.0.1.0/24 becomes 10.0.1.0/27, and the addresses listed here lie outside of it: only they have to leave
    - release node1 (take it out of its Juju model first), then remove 10.0.1.50 (eth0) from it
    - remove 10.0.1.51 (eth0) from node2
    ! range 10.0.1.21-10.0.1.30 dynamic "pxe": addresses 10.0.1.60-10.0.1.70 -> 10.0.1.21-10.0.1.30  [metal]  # into what is left of its network; the row stays
    ! subnet 10.0.1.0/27 metal: cidr 10.0.1.0/24 -> 10.0.1.0/27  [metal]  # in place: the row stays, and what is on it stays
    + link node1:eth0 on 10.0.1.0/27 auto  # declared
    + link node1:eth0.60 on 2001:db8:1::/64 2001:db8:1::50  # declared
    - link node2:eth0 on 10.0.1.0/27 auto  # not declared for this interface
    + link node2:eth0 on 10.0.1.0/27 10.0.1.20  # declared
    "#);
}

/// The upper half is kept: the rack, too, is outside of it.
#[tokio::test]
async fn a_controller_outside_leaves_before_the_network_shrinks() {
    let upper = Change::of_all(&[
        ("metal", "cidr: 10.0.1.0/24", "cidr: 10.0.1.32/27"),
        ("metal", "+60..+70", "+21..+30"),
        ("machines", "address: +51", "address: +19"),
    ]);
    for version in RELEASES {
        let text = shrunk(version, &upper).await;
        assert!(text.contains("vacate"), "{version}: {text}");
        assert!(!text.contains("node2"), "{version}: {text}");
    }
    assert_snapshot!(shrunk("3.7.3", &upper).await, @r#"
    vacate: a MAAS controller still has an address on 10.0.1.0/24: its next report would recreate the old subnet, or move a new one to the wrong VLAN
    - rack0: remove 10.0.1.4/24 from eth0, or replace it by an address in 10.0.1.32/27 with the prefix length 24
    ! range 10.0.1.34-10.0.1.52 reserved "vips": addresses 10.0.1.2-10.0.1.20 -> 10.0.1.34-10.0.1.52  [metal]  # into what is left of its network; the row stays
    ! range 10.0.1.53-10.0.1.62 dynamic "pxe": addresses 10.0.1.60-10.0.1.70 -> 10.0.1.53-10.0.1.62  [metal]  # into what is left of its network; the row stays
    ! subnet 10.0.1.32/27 metal: cidr 10.0.1.0/24 -> 10.0.1.32/27, gateway 10.0.1.1 -> 10.0.1.33  [metal]  # in place: the row stays, and what is on it stays
    ! subnet 10.0.1.32/27 metal: dns_servers 10.0.1.1 -> 10.0.1.33  [metal]  # resolvers
    ! range 10.0.1.34-10.0.1.52 reserved "vips": rewritten unchanged  [metal]  # written as it is, so that dhcpd takes over the gateway and resolvers (MAAS 3.7)
    "#);
}

/// The metal plane, smaller; one key is left alone.
async fn left_alone(gateway: &str, reserve: &str) -> Vec<String> {
    let text = format!(
        "planes:\n- {{plane: metal, fabric: blue, cidr: 10.0.1.32/27, gateway: {gateway}, dhcp: off, reserve: {reserve}}}\n"
    );
    let sources = [topology::draft::SourceFile {
        path: "a.yaml".to_owned(),
        bytes: text.into_bytes(),
    }];
    let topology = topology::check::check(&sources).topology.unwrap();
    let world = world_of(LIVED_IN, Some("3.6.5"));
    let observed = world.observe(&topology).await;
    let refused = Plan::between(&observed, &topology, &PlanPolicy::default()).unwrap_err();
    refused.refusals.iter().map(|why| why.why.clone()).collect()
}

#[tokio::test]
async fn what_is_left_alone_must_lie_inside() {
    assert_eq!(
        left_alone("leave", "[]").await,
        [
            "`gateway` is left alone, but 10.0.1.0/24 moves to 10.0.1.32/27, so it cannot stay as it is."
        ]
    );
    assert_eq!(
        left_alone("+1", "leave").await,
        [
            "`reserve` is left alone, but 10.0.1.0/24 moves to 10.0.1.32/27, so it cannot stay as it is."
        ]
    );
}

/// A machine is on a network that was put on the wrong VLAN, as MAAS does by itself when a relayed rack reports.
const MISPLACED: &str = r#"{"fabrics": [{"name": "blue", "vlans": [
    {"vid": 0, "name": "untagged", "subnets": [{"cidr": "10.0.1.0/24", "name": "metal"}, {"cidr": "10.0.6.0/24", "name": "guests"}]},
    {"vid": 60, "name": "six"}]}],
    "machines": [{"hostname": "node1", "status": "Deployed", "interfaces": [{"name": "eth0", "type": "physical", "fabric": "blue", "vlan": 0,
        "links": [{"subnet": "10.0.6.0/24", "mode": "STATIC", "ip": "10.0.6.50"}]}]}]}"#;

#[tokio::test]
async fn a_network_that_only_goes_to_another_vlan_asks_nobody_to_leave() {
    let files = "planes:\n- {plane: metal, fabric: blue, cidr: 10.0.1.0/24}\n- {plane: guests, fabric: blue, vid: 60, cidr: 10.0.6.0/24}\n";
    let sources = [topology::draft::SourceFile {
        path: "a.yaml".to_owned(),
        bytes: files.as_bytes().to_vec(),
    }];
    let topology = topology::check::check(&sources).topology.unwrap();
    for version in RELEASES {
        let world = world_of(MISPLACED, Some(version));
        let observed = world.observe(&topology).await;
        let plan = Plan::between(&observed, &topology, &PlanPolicy::default()).unwrap();
        assert_eq!((plan.gates.len(), plan.steps.len()), (0, 1), "{version}");
        let before = links(&world).await;
        carried_out(&world, &topology, &plan).await.unwrap();
        assert_eq!(before, links(&world).await, "{version}");
        if version == "3.7.3" {
            let lines: Vec<String> = plan.steps.iter().map(render::line).collect();
            assert_snapshot!(format!("{}\n{}", lines.join("\n"), plan.warnings.join("\n")), @r"
            ! subnet 10.0.6.0/24 guests: vlan blue/untagged -> blue/60  [guests]  # to its other VLAN: the row stays
            `guests` goes to vlan blue/60 with its addresses; these stay on vlan blue/untagged until they are moved or deployed again: `eth0` of `node1`
            ");
        }
    }
}
