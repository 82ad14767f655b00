//! What nobody declared: it is listed, and no plan changes, moves, renames or takes it over, unless a plane adopts it.

use insta::assert_snapshot;
use plan::plan::{Plan, PlanPolicy, RefusedPlan};
use plan::render;
use topology::Topology;
use topology::draft::SourceFile;

use crate::lab::{World, world_of};
use crate::walk::carried_out;

/// Two teams share a cloud. Only `ten` and `metal` are ever declared here.
const SHARED: &str = r#"{"maas_server": "10.0.1.4", "fabrics": [
    {"name": "blue", "vlans": [
        {"vid": 0, "name": "untagged", "space": "metal", "dhcp": true, "primary_rack": "rack0", "subnets": [
            {"cidr": "10.0.1.0/24", "name": "metal", "ranges": [{"type": "dynamic", "start": "10.0.1.200", "end": "10.0.1.240"}]}]},
        {"vid": 10, "name": "ten", "space": "s10", "subnets": [
            {"cidr": "10.0.10.0/24", "name": "ten"}, {"cidr": "10.0.11.0/24", "name": "theirs"}]},
        {"vid": 20, "name": "twenty", "space": "s20", "subnets": [{"cidr": "10.0.20.0/24", "name": "twenty"}]},
        {"vid": 30, "name": "thirty", "relay": {"fabric": "blue", "vid": 0}, "subnets": [{"cidr": "10.0.30.0/24", "name": "thirty"}]},
        {"vid": 40, "name": "forty", "space": "s40"}]},
    {"name": "grey", "vlans": [{"vid": 0, "name": "untagged"}]}],
    "controllers": [{"hostname": "rack0", "kind": "region+rack", "interfaces": [{"name": "eth0", "type": "physical", "fabric": "blue", "vlan": 0,
        "links": [{"subnet": "10.0.1.0/24", "mode": "STATIC", "ip": "10.0.1.4"}]}]}]}"#;

const TEN: &str =
    "plane: ten\nfabric: blue\nvid: 10\nvlan_name: ten\nspace: s10\ncidr: 10.0.10.0/24\n";

const METAL: &str = "plane: metal\nfabric: blue\nspace: metal\ncidr: 10.0.1.0/24\nreserve: leave\n";

fn declared(files: &[&str]) -> Topology {
    let sources: Vec<SourceFile> = files
        .iter()
        .enumerate()
        .map(|(at, text)| SourceFile {
            path: format!("{at}.yaml"),
            bytes: text.as_bytes().to_vec(),
        })
        .collect();
    let checked = topology::check::check(&sources);
    checked
        .topology
        .unwrap_or_else(|| panic!("{:#?}", checked.findings))
}

async fn planned(files: &[&str]) -> (World, Topology, Result<Plan, RefusedPlan>) {
    let world = world_of(SHARED, Some("3.7.3"));
    let topology = declared(files);
    let observed = world.observe(&topology).await;
    let outcome = Plan::between(&observed, &topology, &PlanPolicy::default());
    (world, topology, outcome)
}

/// The reasons of a refusal, all of which must be about strangers.
async fn refused(files: &[&str]) -> String {
    let (_, _, outcome) = planned(files).await;
    let refused = match outcome {
        Err(refused) => refused,
        Ok(plan) => panic!("planned: {:#?}", plan.steps),
    };
    let whys = refused.refusals.iter().map(|refusal| {
        assert_eq!(refusal.code.word(), "stranger");
        format!(
            "{}: {}",
            refusal.plane.as_deref().unwrap_or("-"),
            refusal.why
        )
    });
    whys.collect::<Vec<_>>().join("\n")
}

/// The steps and the adoptions of a plan, which is carried out.
async fn adopted(files: &[&str]) -> String {
    let (world, topology, outcome) = planned(files).await;
    let plan = outcome.unwrap();
    carried_out(&world, &topology, &plan).await.unwrap();
    let adoptions = plan.warnings.iter().filter(|one| one.contains("adopt"));
    let lines = plan.steps.iter().map(render::line);
    lines
        .chain(adoptions.cloned())
        .collect::<Vec<_>>()
        .join("\n")
}

fn edited(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{text}");
    text.replace(from, to)
}

#[tokio::test]
async fn a_fabric_with_strangers_is_not_renamed() {
    let green = edited(TEN, "fabric: blue", "fabric: green");
    assert_snapshot!(refused(&[&green]).await, @"ten: it would change what no plane declares: 10.0.1.0/24 `metal` moves from vlan blue/untagged to green/untagged; 10.0.11.0/24 `theirs` moves from vlan blue/10 to green/10; 10.0.20.0/24 `twenty` moves from vlan blue/20 to green/20; 10.0.30.0/24 `thirty` moves from vlan blue/30 to green/30; vlan blue/40 comes to fabric `green`.");
    let adopting = format!("{green}adopt: true\n");
    assert_snapshot!(adopted(&[&adopting]).await, @r"
    ! fabric blue -> green  # renamed: the subnets on it are declared under the new name
    `ten` adopts what no plane declares, because it says `adopt: true`: 10.0.1.0/24 `metal` moves from vlan blue/untagged to green/untagged
    `ten` adopts what no plane declares, because it says `adopt: true`: 10.0.11.0/24 `theirs` moves from vlan blue/10 to green/10
    `ten` adopts what no plane declares, because it says `adopt: true`: 10.0.20.0/24 `twenty` moves from vlan blue/20 to green/20
    `ten` adopts what no plane declares, because it says `adopt: true`: 10.0.30.0/24 `thirty` moves from vlan blue/30 to green/30
    `ten` adopts what no plane declares, because it says `adopt: true`: vlan blue/40 comes to fabric `green`
    ");
    let alone = "leave_alone: [10.0.20.0/24]\n";
    assert_snapshot!(refused(&[&adopting, alone]).await, @"ten: it would change what `leave_alone` names: 10.0.20.0/24 `twenty` moves from vlan blue/20 to green/20.");
}

#[tokio::test]
async fn a_vid_takes_no_stranger_along() {
    let retagged = edited(TEN, "vid: 10", "vid: 12");
    assert_snapshot!(refused(&[&retagged]).await, @"ten: it would change what no plane declares: 10.0.11.0/24 `theirs` moves from vlan blue/10 to blue/12.");
    let adopting = format!("{retagged}adopt: true\n");
    assert_snapshot!(adopted(&[&adopting]).await, @r"
    ! vlan blue/12: vid 10 -> 12  [ten]  # as declared
    `ten` adopts what no plane declares, because it says `adopt: true`: 10.0.11.0/24 `theirs` moves from vlan blue/10 to blue/12
    ");
}

#[tokio::test]
async fn a_space_is_not_changed_under_a_stranger() {
    let moved = edited(TEN, "space: s10", "space: other");
    assert_snapshot!(refused(&[&moved]).await, @"ten: it would change what no plane declares: 10.0.11.0/24 `theirs` moves from space `s10` to `other`.");
    // What is declared beside it is nobody else's.
    let both = format!("{moved}subnets:\n  - cidr: 10.0.11.0/24\n    name: theirs\n");
    assert!(planned(&[&both]).await.2.is_ok());
}

#[tokio::test]
async fn a_new_plane_does_not_take_a_strangers_vlan() {
    // The VID was meant to be 200. Whether the stranger is listed or not, it is not taken for the plane's own.
    let slip = "plane: new\nfabric: blue\nvid: 20\nspace: fresh\nmtu: 9000\ncidr: 10.77.0.0/24\n";
    let alone = "leave_alone: [10.0.20.0/24]\n";
    assert_snapshot!(refused(&[slip]).await, @"new: it would change what no plane declares: 10.0.20.0/24 `twenty` is on vlan blue/20, where `new` has had no subnet.");
    assert_snapshot!(refused(&[slip, alone]).await, @"new: it would change what `leave_alone` names: 10.0.20.0/24 `twenty` is on vlan blue/20, where `new` has had no subnet.");
    let bare = "plane: new\nfabric: blue\nvid: 20\ncidr: 10.77.0.0/24\n";
    assert_snapshot!(refused(&[bare]).await, @"new: it would change what no plane declares: 10.0.20.0/24 `twenty` is on vlan blue/20, where `new` has had no subnet.");
    // A VLAN that somebody made and nobody uses yet is there to be used.
    let free = edited(bare, "vid: 20", "vid: 40");
    assert!(planned(&[&free]).await.2.is_ok());
}

#[tokio::test]
async fn a_plane_that_gets_another_name_and_cidr_is_known_by_its_vlan() {
    let again =
        "plane: score\nfabric: blue\nvid: 20\nvlan_name: twenty\nspace: s20\ncidr: 10.77.0.0/24\n";
    let (_, _, outcome) = planned(&[again]).await;
    let plan = outcome.unwrap();
    assert_eq!(plan.audit[0].from, Some("10.0.20.0/24".parse().unwrap()));
    let adopting = "plane: score\nfabric: blue\nvid: 20\nadopt: true\ncidr: 10.77.0.0/24\n";
    let (_, _, outcome) = planned(&[adopting]).await;
    let plan = outcome.unwrap();
    assert_eq!(plan.audit[0].from, Some("10.0.20.0/24".parse().unwrap()));
}

#[tokio::test]
async fn dhcp_does_not_go_off_where_a_strangers_vlan_is_relayed_to() {
    let off = edited(METAL, "reserve: leave", "dhcp: off");
    assert_snapshot!(refused(&[&off]).await, @"metal: it would change what no plane declares: 10.0.30.0/24 `thirty` is relayed to vlan blue/untagged, whose DHCP goes off.");
}

#[tokio::test]
async fn what_is_not_declared_is_listed() {
    let (_, _, outcome) = planned(&[TEN, METAL]).await;
    let lines: Vec<String> = outcome
        .unwrap()
        .audit
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_snapshot!(lines.join("\n"), @r"
    SKIP       10.0.1.0/24 metal  (blue/untagged, fabric 1, vlan 5001)
    SKIP       10.0.10.0/24 ten  (blue/10, fabric 1, vlan 5003)
    UNDECLARED 10.0.11.0/24 theirs  (blue/10, fabric 1, vlan 5003)
    UNDECLARED 10.0.20.0/24 twenty  (blue/20, fabric 1, vlan 5004)
    UNDECLARED 10.0.30.0/24 thirty  (blue/30, fabric 1, vlan 5005)
    UNDECLARED forty  (blue/40, fabric 1, vlan 5006)
    UNDECLARED grey/untagged  (grey/untagged, fabric 2, vlan 5002)
    UNDECLARED s20  (a space)
    UNDECLARED s40  (a space)
    ");
}
