//! Removal as people see it: what a deleted file leaves, and `state: absent` from the proposal to the proof.

use insta::assert_snapshot;
use lab::github::MergeMethod;
use support_scenario::{Scenario, ScenarioOptions};

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
    assert_snapshot!(scenario.transcript(), @r"
    alice    pushes to wip -topology/chairs.yaml
    alice    opens #1 from wip to main
    planebot sets the check to success: no changes
    planebot comments on #1: 🟠 Plan for `dc`: no changes, 1 network is no longer declared and stays
               Plan: 0 to add, 0 to change, 0 to remove.
               - `198.51.100.0/24` `chairs` on vlan `blue/30`
               - SKIP: its network is as declared and stays as it is
               - UNDECLARED: it is in MAAS and in no file; planebot leaves it alone
               *Next:* merge to stop declaring it, or write `state: absent` to remove it from MAAS as well.
    ");
    let comment = scenario.plan_comment(pull);
    assert!(comment.contains(ABSENT), "{comment}");
}

#[tokio::test]
async fn what_a_file_says_is_absent_is_removed_and_proved() {
    let mut scenario = two_planes().await;
    let pull = scenario.propose(&[(CHAIRS, Some(ABSENT))]).await;
    let comment = scenario.plan_comment(pull);
    let told = comment.split("\n**Gate").next().unwrap();
    assert_snapshot!(told, @r"
    ### 🟡 Plan for `dc`: 3 changes, 1 needs a person

    Plan: 0 to add, 0 to change, 3 to remove. 1 gate. Touches 1 machine.

    > [!CAUTION]
    > - 1 machine is released, and what runs there is lost: `m1`
    > - every Juju model on this MAAS is destroyed first, except those of controllers
    > - `198.51.100.0/24` is removed, and everything on it
    > - 198.51.100.0/24 is removed from MAAS: declared again, it gets new ids, so Juju and scripts that know the old ones see another network

    | phase | + | ~ | − |
    |---|---|---|---|
    | **gate: teardown** | | | |
    | delete | 0 | 0 | 2 |
    | remove | 0 | 0 | 1 |
    | verify, and again after the settle time | | | |
    ");
    let table = comment.lines().find(|line| line.contains("REMOVE"));
    assert_snapshot!(table.unwrap(), @"| **REMOVE** | `chairs` | `198.51.100.0/24` | `blue/30` | 1 | 5002 | 1 | 3 |");
    drop(scenario.since_last());
    scenario.merge(pull, MergeMethod::Squash);
    scenario.run().await;
    scenario.command("bob", pull, "/apply").await;
    drop(scenario.since_last());
    scenario
        .command("bob", pull, "/done teardown no-juju-model")
        .await;
    assert_snapshot!(scenario.since_last(), @r"
    bob      comments on #1: /done teardown no-juju-model
    planebot reacts with eyes
    planebot comments on #1: ✋ Gate `teardown` stays shut
               planebot found something that should be gone, or did not find something that should be there:
               - `m1: eth7.30 still has a link on 198.51.100.0/24 (198.51.100.40)`
               - `m1: eth7.30 is still on vlan blue/30`
               *Next:* fix that, then comment `/done teardown` again. Nothing was changed.
    ");
    scenario.remove_interface("m1", "eth7.30");
    scenario
        .command("bob", pull, "/done teardown no-juju-model")
        .await;
    scenario.run().await;
    assert_snapshot!(scenario.since_last(), @r#"
    admin    removes eth7.30 of m1 in MAAS
    bob      comments on #1: /done teardown no-juju-model
    planebot reacts with eyes
    MAAS     DELETE ipranges/1/
    MAAS     DELETE subnets/2/
    MAAS     DELETE vlans/5002/
    planebot sets the check to success: applied, proved twice
    planebot edits a comment on #1: 🟡 Plan for `dc`: 3 changes, 1 needs a person
               Plan: 0 to add, 0 to change, 3 to remove. 1 gate. Touches 1 machine.
               - SKIP: its network is as declared and stays as it is
               - REMOVE: it is in MAAS and its file says `state: absent`
               - range 198.51.100.10-198.51.100.20 reserved "band"  [chairs]  # its network is removed
               - subnet 198.51.100.0/24 chairs on blue/30  [chairs]  # `state: absent`
               - vlan blue/30 mtu 1500  [chairs]  # `state: absent`
               *Next:* nothing: this plan is applied and verified.
    planebot pushes to planebot-history +history/dc/TIME-pr1-8246-d42f/run.json
    planebot edits a comment on #1: ✅ Applied 8246-d42f to `dc`, proved twice
               - [x] gate `teardown`, checked and open
               - [x] delete: 2 of 2
               - [x] remove: 1 of 1
    "#);
}

/// A limit stops what is more often a mistake, until somebody says by a label that it is none.
#[tokio::test]
async fn a_label_that_the_site_names_lifts_its_limits() {
    let mut scenario = Scenario::with(ScenarioOptions {
        layout: Some(LAYOUT),
        policy: "max_removed = 0\nlimits_label = 'large-change'",
        files: &[(CHAIRS, DECLARED), ("runbooks/teardown.md", RUNBOOK)],
        ..ScenarioOptions::default()
    })
    .await;
    let pull = scenario.propose(&[(CHAIRS, Some(ABSENT))]).await;
    assert_snapshot!(scenario.since_last(), @r"
    alice    pushes to wip ~topology/chairs.yaml
    alice    opens #1 from wip to main
    planebot sets the check to failure: no plan
    planebot comments on #1: 🔴 No plan for `dc`: 3 reasons
               Nothing was changed.
               - ✖ **too-much**: 1 planes would be taken away at once, but this site allows 0.
               - ✖ **too-much**: 1 ranges would be taken away at once, but this site allows 0.
               - ✖ **too-much**: 1 subnets would be taken away at once, but this site allows 0.
               - SKIP: its network is as declared and stays as it is
               - REMOVE: it is in MAAS and its file says `state: absent`
               *Next:* change the declaration and push; planebot then plans again.
    ");
    scenario.label(pull, "large-change");
    scenario.command("alice", pull, "/plan").await;
    let told = scenario.plan_comment(pull);
    let lifted: Vec<&str> = told.lines().filter(|line| line.contains("lifts")).collect();
    assert_snapshot!(lifted.join("\n"), @r"
    > - the pull request's label lifts the limit `max_removed`: 1 planes would be taken away at once, but this site allows 0.
    - the pull request's label lifts the limit `max_removed`: 1 subnets would be taken away at once, but this site allows 0.
    - the pull request's label lifts the limit `max_removed`: 1 ranges would be taken away at once, but this site allows 0.
    ");
    assert!(told.contains("/apply"), "{told}");
}
