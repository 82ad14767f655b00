//! Removal as people see it: what a deleted file leaves, and `state: absent` from the proposal to the proof.

use insta::assert_snapshot;
use lab::github::MergeMethod;
use support_scenario::{DESKS, Scenario, ScenarioOptions};

const CHAIRS: &str = "topology/chairs.yaml";
const DECLARED: &str =
    "plane: chairs\nfabric: blue\nvid: 30\nname: chairs\ncidr: 198.51.100.0/24\nreserve: leave\n";
const ABSENT: &str = "plane: chairs\nstate: absent\nfabric: blue\nvid: 30\ncidr: 198.51.100.0/24\n";
const RUNBOOK: &str = "# Teardown\n\n```planebot\ngate = \"teardown\"\n```\n\nEmpty {{subnets}}.\n";

/// Two networks; a machine lives on both, on the second with a VLAN interface that nobody declares.
const LAYOUT: &str = r#"{"fabrics": [
    {"name": "blue", "vlans": [
      {"vid": 0, "mtu": 1500, "subnets": [{"cidr": "192.0.2.0/24", "name": "desks"}]},
      {"vid": 30, "mtu": 1500, "subnets": [{"cidr": "198.51.100.0/24", "name": "chairs",
       "ranges": [{"type": "reserved", "start": "198.51.100.10", "end": "198.51.100.20", "comment": "band"}]}]}]}],
    "controllers": [{"hostname": "region0", "kind": "region", "interfaces": []}],
    "machines": [{"hostname": "m1", "status": "Ready", "interfaces": [
      {"name": "eth7", "type": "physical", "fabric": "blue", "vlan": 0, "links": []},
      {"name": "eth7.30", "type": "vlan", "parents": ["eth7"], "fabric": "blue", "vlan": 30,
       "links": [{"subnet": "198.51.100.0/24", "mode": "STATIC", "ip": "198.51.100.40"}]}]}]}"#;

async fn two_planes() -> Scenario {
    Scenario::with(ScenarioOptions {
        layout: Some(LAYOUT),
        files: &[(CHAIRS, DECLARED), ("runbooks/teardown.md", RUNBOOK)],
        ..ScenarioOptions::default()
    })
    .await
}

#[tokio::test]
async fn a_deleted_file_is_told_as_what_it_is() {
    let mut scenario = two_planes().await;
    let pull = scenario.propose(&[(CHAIRS, None)]).await;
    assert_snapshot!(scenario.transcript(), @"");
    let comment = scenario.plan_comment(pull);
    assert!(comment.contains(ABSENT), "{comment}");
}

#[tokio::test]
async fn what_a_file_says_is_absent_is_removed_and_proved() {
    let mut scenario = two_planes().await;
    let pull = scenario.propose(&[(CHAIRS, Some(ABSENT))]).await;
    assert_snapshot!(scenario.plan_comment(pull), @"");
    drop(scenario.since_last());
    scenario.merge(pull, MergeMethod::Squash);
    scenario.run().await;
    scenario.command("bob", pull, "/apply").await;
    drop(scenario.since_last());
    scenario
        .command("bob", pull, "/done teardown no-juju-model")
        .await;
    assert_snapshot!(scenario.since_last(), @"");
    scenario.remove_interface("m1", "eth7.30");
    scenario
        .command("bob", pull, "/done teardown no-juju-model")
        .await;
    scenario.run().await;
    assert_snapshot!(scenario.since_last(), @"");
}
