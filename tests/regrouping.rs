//! Planes that exchange their VIDs, and planes that are split or merged: what can stay stays, and hosts that go on as they were
//! are named.

use insta::assert_snapshot;
use plan::plan::{Plan, PlanPolicy, RefusedPlan};
use plan::render;
use topology::Topology;

use crate::lab::{World, world_of};
use crate::walk::carried_out;

/// A deployed machine and a rack with tagged interfaces, and a machine that is ready.
const TAGGED: &str = r#"{"fabrics": [{"name": "blue", "vlans": [
    {"vid": 0, "name": "untagged", "subnets": [{"cidr": "10.0.1.0/24", "name": "metal"}]},
    {"vid": 10, "name": "ten", "space": "s10", "subnets": [{"cidr": "10.0.10.0/24", "name": "ten"}]},
    {"vid": 20, "name": "twenty", "space": "s20", "subnets": [{"cidr": "10.0.20.0/24", "name": "twenty", "gateway": "10.0.20.1"}]},
    {"vid": 30, "name": "thirty", "space": "s20", "subnets": [{"cidr": "10.0.30.0/24", "name": "thirty"}]}]},
    {"name": "red", "vlans": [{"vid": 0, "name": "untagged", "subnets": [{"cidr": "10.0.9.0/24", "name": "oob"}]}]}],
    "controllers": [{"hostname": "rack0", "kind": "region+rack", "interfaces": [
        {"name": "eth0", "type": "physical", "fabric": "blue", "vlan": 0, "links": [{"subnet": "10.0.1.0/24", "mode": "STATIC", "ip": "10.0.1.4"}]},
        {"name": "eth0.20", "type": "vlan", "parents": ["eth0"], "fabric": "blue", "vlan": 20, "links": [{"subnet": "10.0.20.0/24", "mode": "STATIC", "ip": "10.0.20.4"}]}]}],
    "machines": [{"hostname": "node1", "status": "Deployed", "interfaces": [
        {"name": "eth0", "type": "physical", "fabric": "blue", "vlan": 0, "links": []},
        {"name": "eth0.10", "type": "vlan", "parents": ["eth0"], "fabric": "blue", "vlan": 10, "links": [{"subnet": "10.0.10.0/24", "mode": "STATIC", "ip": "10.0.10.50"}]}]},
        {"hostname": "node2", "status": "Ready", "interfaces": [
        {"name": "eth0", "type": "physical", "fabric": "blue", "vlan": 0, "links": []},
        {"name": "eth0.20", "type": "vlan", "parents": ["eth0"], "fabric": "blue", "vlan": 20, "links": [{"subnet": "10.0.20.0/24", "mode": "STATIC", "ip": "10.0.20.200"}]}]}]}"#;

const RELEASES: [&str; 5] = ["2.9.2", "3.4.8", "3.5.12", "3.6.5", "3.7.3"];

const METAL: &str = "- {plane: metal, fabric: blue, cidr: 10.0.1.0/24}\n";
const TEN: &str =
    "- {plane: ten, fabric: blue, vid: 10, vlan_name: ten, space: s10, cidr: 10.0.10.0/24}\n";
const TWENTY: &str = "- {plane: twenty, fabric: blue, vid: 20, vlan_name: twenty, space: s20, cidr: 10.0.20.0/24, gateway: +1}\n";

fn declared(planes: &[&str]) -> Topology {
    let sources = [topology::draft::SourceFile {
        path: "a.yaml".to_owned(),
        bytes: format!("planes:\n{}", planes.concat()).into_bytes(),
    }];
    let checked = topology::check::check(&sources);
    checked
        .topology
        .unwrap_or_else(|| panic!("{:#?}", checked.findings))
}

async fn planned(version: &str, planes: &[&str]) -> (World, Topology, Result<Plan, RefusedPlan>) {
    let world = world_of(TAGGED, Some(version));
    let topology = declared(planes);
    let observed = world.observe(&topology).await;
    let plan = Plan::between(&observed, &topology, &PlanPolicy::default());
    (world, topology, plan)
}

/// What a plan says, once it is carried out on every release.
async fn outcome(planes: &[&str]) -> String {
    let mut said = String::new();
    for version in RELEASES {
        let (world, topology, plan) = planned(version, planes).await;
        let plan = plan.unwrap_or_else(|refused| panic!("{version}: {:#?}", refused.refusals));
        carried_out(&world, &topology, &plan)
            .await
            .unwrap_or_else(|why| panic!("{version}: {why}"));
        said.clear();
        for gate in &plan.gates {
            said += &format!("{}: {}\n", gate.name.word(), gate.why);
            let tasks: Vec<String> = gate
                .tasks
                .iter()
                .map(|task| format!("- {task}\n"))
                .collect();
            said += &tasks.concat();
        }
        let steps: Vec<String> = plan.steps.iter().map(render::line).collect();
        said += &format!("{}\n{}", steps.join("\n"), plan.warnings.join("\n"));
    }
    said
}

/// The interfaces' VLANs by host and name.
async fn vlans_of(world: &World) -> Vec<String> {
    let observed = world.observe_all().await;
    let interfaces = observed.all().filter_map(|object| object.as_interface());
    interfaces
        .map(|it| {
            let vlan = it.vlan.as_ref().map(ToString::to_string);
            format!("{}:{} {}", it.host, it.name, vlan.unwrap_or_default())
        })
        .collect()
}

#[tokio::test]
async fn vids_are_swapped_through_a_free_one_with_everything_on_their_vlans() {
    let swapped = [
        METAL,
        &TEN.replace("vid: 10", "vid: 20"),
        &TWENTY.replace("vid: 20", "vid: 10"),
    ];
    assert_snapshot!(outcome(&swapped).await, @r"
    ! vlan blue/4094: vid 20 -> 4094  [twenty]  # aside for a moment, on a free VID: the VIDs change places in a circle
    ! vlan blue/20: vid 10 -> 20  [ten]  # as declared
    ! vlan blue/10: vid 4094 -> 10  [twenty]  # as declared
    vlan blue/10 gets VID 20, but hosts that are up keep the name and the tag 10 of their interfaces until they are deployed again or changed by hand: `eth0.10` of `node1`
    vlan blue/20 gets VID 10, but hosts that are up keep the name and the tag 20 of their interfaces until they are deployed again or changed by hand: `eth0.20` of `rack0`
    ");
    let (world, topology, plan) = planned("3.5.12", &swapped).await;
    carried_out(&world, &topology, &plan.unwrap())
        .await
        .unwrap();
    let vlans = vlans_of(&world).await;
    for expected in [
        "node1:eth0.10 blue/20",
        "node2:eth0.20 blue/10",
        "rack0:eth0.20 blue/10",
    ] {
        assert!(vlans.iter().any(|vlan| vlan == expected), "{vlans:?}");
    }
}

/// Names and spaces stay with the VIDs: the networks were on each other's VLANs, and only they change places.
#[tokio::test]
async fn networks_that_were_put_on_each_others_vlans_go_back_alone() {
    let crossed = [
        METAL,
        &TEN.replace(
            "vid: 10, vlan_name: ten, space: s10",
            "vid: 20, vlan_name: twenty, space: s20",
        ),
        &TWENTY.replace(
            "vid: 20, vlan_name: twenty, space: s20",
            "vid: 10, vlan_name: ten, space: s10",
        ),
    ];
    let (_, _, plan) = planned("3.5.12", &crossed).await;
    let lines: Vec<String> = plan.unwrap().steps.iter().map(render::line).collect();
    assert!(
        lines.iter().all(|line| line.starts_with("! subnet")),
        "{lines:#?}"
    );
    assert_eq!(lines.len(), 2);
}

#[tokio::test]
async fn a_swap_without_a_free_vid_is_refused() {
    let mut layout: serde_json::Value = serde_json::from_str(TAGGED).unwrap();
    let vlans = layout["fabrics"][0]["vlans"].as_array_mut().unwrap();
    let there = [0, 10, 20, 30];
    let more = (1..=4094).filter(|vid| !there.contains(vid));
    vlans.extend(more.map(|vid| serde_json::json!({"vid": vid, "name": format!("v{vid}")})));
    let world = world_of(&layout.to_string(), Some("3.5.12"));
    let topology = declared(&[
        METAL,
        &TEN.replace("vid: 10", "vid: 20"),
        &TWENTY.replace("vid: 20", "vid: 10"),
    ]);
    let observed = world.observe(&topology).await;
    let refused = Plan::between(&observed, &topology, &PlanPolicy::default()).unwrap_err();
    let told: Vec<String> = refused.refusals.iter().map(ToString::to_string).collect();
    assert_snapshot!(told.join("\n"), @"circle: vlan blue/20 would get VID 10 from a VLAN that waits for its own, and no VID of fabric `blue` is free in between. Remove a VLAN that nobody uses, or make the change in two.");
}

#[tokio::test]
async fn hosts_that_keep_their_tag_and_mtu_are_named() {
    let changed = [
        METAL,
        &TEN.replace("vid: 10", "vid: 11, mtu: 9000"),
        &TWENTY.replace("vid: 20", "vid: 21"),
    ];
    assert_snapshot!(outcome(&changed).await, @r"
    ! vlan blue/11: vid 10 -> 11, mtu 1500 -> 9000  [ten]  # as declared
    ! vlan blue/21: vid 20 -> 21  [twenty]  # as declared
    vlan blue/10 gets VID 11, but hosts that are up keep the name and the tag 10 of their interfaces until they are deployed again or changed by hand: `eth0.10` of `node1`
    the MTU of vlan blue/10 becomes 9000, but hosts that are up keep 1500 until they are deployed again or changed by hand: `eth0.10` of `node1`
    vlan blue/20 gets VID 21, but hosts that are up keep the name and the tag 20 of their interfaces until they are deployed again or changed by hand: `eth0.20` of `rack0`
    ");
}

/// The metal network leaves the untagged VLAN, which is declared by itself; the rack's interface follows by its report.
#[tokio::test]
async fn a_controllers_network_that_goes_to_another_vlan_asks_nobody_to_leave() {
    let moved = [
        "- {plane: base, fabric: blue}\n",
        "- {plane: metal, fabric: blue, vid: 31, cidr: 10.0.1.0/24}\n",
        TEN,
        TWENTY,
    ];
    assert_snapshot!(outcome(&moved).await, @r"
    + vlan blue/31 mtu 1500, name metal  [metal]  # declared
    ! subnet 10.0.1.0/24 metal: vlan blue/untagged -> blue/31  [metal]  # to its other VLAN: the row stays
    `metal` goes to vlan blue/31, and MAAS moves these controllers' interfaces there with their next report: `eth0` of `rack0`; their cabling must match
    ");
}

/// A controller's interface with two networks: its report would bring the one that moves back, or drag the other along.
#[tokio::test]
async fn a_controller_that_would_drag_a_network_leaves_it_first() {
    let subnet = r#"{"cidr": "10.0.1.0/24", "name": "metal"}"#;
    let link = r#"{"subnet": "10.0.1.0/24", "mode": "STATIC", "ip": "10.0.1.4"}"#;
    let more = |text: &str| {
        format!(
            "{text}, {}",
            text.replace("10.0.1.", "10.0.2.")
                .replace("metal", "second")
        )
    };
    let layout = TAGGED
        .replace(subnet, &more(subnet))
        .replace(link, &more(link));
    let world = world_of(&layout, Some("3.5.12"));
    let topology = declared(&[
        "- {plane: second, fabric: blue, cidr: 10.0.2.0/24}\n",
        "- {plane: metal, fabric: blue, vid: 31, cidr: 10.0.1.0/24}\n",
    ]);
    let observed = world.observe(&topology).await;
    let plan = Plan::between(&observed, &topology, &PlanPolicy::default()).unwrap();
    let gates: Vec<&str> = plan.gates.iter().map(|gate| gate.name.word()).collect();
    assert_eq!(gates, ["vacate"], "{:#?}", plan.warnings);
}

/// node2 lives in the upper half, which becomes a plane of its own; the rack and the gateway stay.
#[tokio::test]
async fn a_plane_that_is_split_keeps_what_stays() {
    let split = [
        METAL,
        TEN,
        &TWENTY.replace("10.0.20.0/24", "10.0.20.0/25"),
        "- {plane: upper, fabric: blue, vid: 21, cidr: 10.0.20.128/25}\n",
    ];
    assert_snapshot!(outcome(&split).await, @r"
    teardown: 10.0.20.0/24 becomes 10.0.20.0/25, and the addresses listed here lie outside of it: only they have to leave
    - remove 10.0.20.200 (eth0.20) from node2
    + vlan blue/21 mtu 1500, name upper  [upper]  # declared
    ! subnet 10.0.20.0/25 twenty: cidr 10.0.20.0/24 -> 10.0.20.0/25  [twenty]  # in place: the row stays, and what is on it stays
    + subnet 10.0.20.128/25 upper on blue/21  [upper]  # declared
    `twenty` changes from 10.0.20.0/24 to 10.0.20.0/25 with everything on it; `rack0` and BMCs keep the netmask /24 until somebody changes it there
    change the netmask from /24 to /25 on these controllers right after the change: `eth0.20` of `rack0`; MAAS refuses its reports until then
    ");
}

#[tokio::test]
async fn a_plane_that_gets_two_networks_of_its_one_keeps_the_row_with_the_gateway() {
    let split = [
        METAL,
        TEN,
        "- plane: twenty\n  fabric: blue\n  vid: 20\n  vlan_name: twenty\n  cidr: 10.0.20.128/25\n  name: b\n  subnets:\n  - {cidr: 10.0.20.0/25, name: a, gateway: +1}\n",
    ];
    assert_snapshot!(outcome(&split).await, @r"
    teardown: 10.0.20.0/24 becomes 10.0.20.0/25, and the addresses listed here lie outside of it: only they have to leave
    - remove 10.0.20.200 (eth0.20) from node2
    ! subnet 10.0.20.0/25 twenty: cidr 10.0.20.0/24 -> 10.0.20.0/25  [twenty]  # in place: the row stays, and what is on it stays
    + subnet 10.0.20.128/25 b on blue/20  [twenty]  # declared
    ! subnet 10.0.20.0/25 a: name twenty -> a  [twenty]  # name
    `twenty` changes from 10.0.20.0/24 to 10.0.20.0/25 with everything on it; `rack0` and BMCs keep the netmask /24 until somebody changes it there
    change the netmask from /24 to /25 on these controllers right after the change: `eth0.20` of `rack0`; MAAS refuses its reports until then
    ");
}

/// The other half is still there, and networks may not overlap. Leaving its file out does not remove it.
#[tokio::test]
async fn a_merge_over_a_network_that_is_still_there_is_refused() {
    let wide = TWENTY.replace(
        "10.0.20.0/24, gateway: +1",
        "10.0.16.0/20, gateway: 10.0.20.1",
    );
    let (_, _, plan) = planned("3.5.12", &[METAL, TEN, &wide]).await;
    let refused = plan.unwrap_err();
    let told: Vec<String> = refused.refusals.iter().map(ToString::to_string).collect();
    assert_snapshot!(told.join("\n"), @"occupied: subnet 10.0.30.0/24, which no plane declares, overlaps 10.0.16.0/20. Declare it as a plane, choose another CIDR, or remove it in MAAS; planebot never touches undeclared objects.");
}

/// The other half goes elsewhere: it leaves first, and this one grows in place.
#[tokio::test]
async fn a_plane_grows_over_what_another_leaves() {
    let wide = TWENTY.replace(
        "10.0.20.0/24, gateway: +1",
        "10.0.16.0/20, gateway: 10.0.20.1",
    );
    let gone = "- {plane: thirty, fabric: blue, vid: 30, vlan_name: thirty, space: s20, cidr: 10.0.33.0/24, name: thirty}\n";
    assert_snapshot!(outcome(&[METAL, TEN, &wide, gone]).await, @r"
    - subnet 10.0.30.0/24 thirty on blue/30  [thirty]  # made again as 10.0.33.0/24, since CIDRs change hands here: all deletes come before all creates
    ! subnet 10.0.16.0/20 twenty: cidr 10.0.20.0/24 -> 10.0.16.0/20  [twenty]  # in place: the row stays, and what is on it stays
    + subnet 10.0.33.0/24 thirty on blue/30  [thirty]  # on the VLAN row that stays, so its space stays
    `twenty` changes from 10.0.20.0/24 to 10.0.16.0/20 with everything on it; `rack0` and BMCs keep the netmask /24 until somebody changes it there
    `twenty` grows from 10.0.20.0/24 to 10.0.16.0/20 and then includes everything in between; MAAS knows of no addresses in use there, but there may be some
    change the netmask from /24 to /20 on these controllers right after the change: `eth0.20` of `rack0`; MAAS refuses its reports until then
    ");
}
