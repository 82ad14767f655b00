//! Several sites on one MAAS: nothing declared twice, and one run at a time.

use insta::assert_snapshot;
use lab::github::MergeMethod;
use support_scenario::{DESKS, Scenario, ScenarioOptions, WITH_GATEWAY};

/// Two networks, and the region controller that every real MAAS has.
const LAYOUT: &str = r#"{"fabrics": [
    {"name": "blue", "vlans": [{"vid": 0, "mtu": 1500, "subnets": [{"cidr": "192.0.2.0/24", "name": "desks"}]}]},
    {"name": "red", "vlans": [{"vid": 0, "mtu": 1500, "subnets": [{"cidr": "198.51.100.0/24", "name": "chairs"}]}]}],
    "controllers": [{"hostname": "region0", "kind": "region", "interfaces": []}],
    "machines": [{"hostname": "m1", "status": "Deployed", "interfaces": [{"name": "eth7", "type": "physical", "fabric": "blue",
    "vlan": 0, "links": [{"subnet": "192.0.2.0/24", "mode": "STATIC", "ip": "192.0.2.40"}]}]}]}"#;

const EAST: &str = "[[site]]\nname = 'east'\nrepository = 'acme/network'\npath = 'east'\nmaas_url = 'AT'\n\
                    [site.operators]\nusers = ['bob']\n[site.policy]\nsettle_seconds = 1";
const CHAIRS: &str = "east/chairs.yaml";
const THERE: &str = "plane: chairs\nfabric: red\nname: chairs\ncidr: 198.51.100.0/24\n";
const THERE_WITH_GATEWAY: &str =
    "plane: chairs\nfabric: red\nname: chairs\ncidr: 198.51.100.0/24\ngateway: +1\n";
const MOVED: &str = "plane: desks\nfabric: blue\nname: desks\ncidr: 203.0.113.0/24\n";
const RUNBOOK: &str = "# Teardown\n\n```planebot\ngate = \"teardown\"\n```\n\nEmpty {{subnets}}.\n";

/// A second site `east`, whose MAAS is at this URL.
async fn with_east_at(url: &str, chairs: &str) -> Scenario {
    Scenario::with(ScenarioOptions {
        layout: Some(LAYOUT),
        policy: &EAST.replace("AT", url),
        files: &[(CHAIRS, chairs), ("runbooks/teardown.md", RUNBOOK)],
        ..ScenarioOptions::default()
    })
    .await
}

#[tokio::test]
async fn what_another_site_of_this_maas_declares_too_is_not_planned() {
    let same_subnet = "plane: chairs\nfabric: red\ncidr: 192.0.2.128/25\n";
    // The same MAAS by its URL, and by what it answers behind another one.
    let mut by_url = with_east_at("MAAS_URL", same_subnet).await;
    by_url.propose(&[(DESKS, Some(WITH_GATEWAY))]).await;
    let mut by_answer = with_east_at("MAAS_ALIAS", same_subnet).await;
    by_answer.propose(&[(DESKS, Some(WITH_GATEWAY))]).await;
    assert_eq!(by_url.transcript(), by_answer.transcript());
    assert_snapshot!(by_url.transcript(), @r"
    alice    pushes to wip ~topology/desks.yaml
    alice    opens #1 from wip to main
    planebot sets the check to failure: no plan
    planebot comments on #1: 🔴 No plan for `dc`: 1 reason
               Nothing was changed.
               - ✖ **shared** `desks`: subnet `192.0.2.0/24` (`192.0.2.128/25` there) is also declared by site `east`.
               - MIGRATE: it is in MAAS and differs from the declaration
               - UNDECLARED: it is in MAAS and in no file; planebot leaves it alone
               *Next:* change the declaration and push; planebot then plans again.
    ");
}

#[tokio::test]
async fn one_address_space_on_two_maases_is_no_conflict() {
    let copied = "plane: desks\nfabric: blue\nname: desks\ncidr: 192.0.2.0/24\n";
    let mut scenario = with_east_at("http://127.0.0.1:1/MAAS", copied).await;
    scenario.propose(&[(DESKS, Some(WITH_GATEWAY))]).await;
    assert_snapshot!(scenario.transcript(), @r"
    alice    pushes to wip ~topology/desks.yaml
    alice    opens #1 from wip to main
    planebot sets the check to success: 1 changes, 0 gates, plan 3909-fa4a
    planebot comments on #1: 🟡 Plan for `dc`: 1 change
               Plan: 0 to add, 1 to change, 0 to remove.
               - MIGRATE: it is in MAAS and differs from the declaration
               - UNDECLARED: it is in MAAS and in no file; planebot leaves it alone
               ! subnet 192.0.2.0/24 desks: gateway none -> 192.0.2.1  [desks]  # gateway
               *Next:* merge to queue this plan. After that, nothing changes in MAAS until an operator comments:
               /apply 3909-fa4a
    ");
}

#[tokio::test]
async fn sites_of_one_maas_take_turns() {
    let mut scenario = with_east_at("MAAS_ALIAS", THERE).await;
    let desks = scenario.propose(&[(DESKS, Some(MOVED))]).await;
    scenario.merge(desks, MergeMethod::Squash);
    scenario.run().await;
    scenario.command("bob", desks, "/apply").await;
    let so_far = scenario.since_last();
    assert!(
        so_far.contains("Gate `teardown`: a person is needed"),
        "{so_far}"
    );
    scenario.push("chairs", &[(CHAIRS, Some(THERE_WITH_GATEWAY))]);
    let chairs = scenario.open_pull("alice", "chairs", "main");
    scenario.run().await;
    scenario.merge(chairs, MergeMethod::Squash);
    scenario.run().await;
    drop(scenario.since_last());
    // The first run waits at a gate and sends nothing, but it has not ended.
    scenario.command("bob", chairs, "/apply").await;
    assert_snapshot!(scenario.since_last(), @r"
    bob      comments on #2: /apply
    planebot reacts with eyes
    planebot reacts with confused
    planebot comments on #2: ✋ Not applied
               Another run writes to this MAAS.
               - ✖ lease: the run of site `dc` in acme/network#1 has not finished, and it is on the same MAAS
               *Next:* comment `/apply` again when that run has ended.
    ");
    scenario.command("bob", desks, "/abort").await;
    drop(scenario.since_last());
    scenario.command("bob", chairs, "/apply").await;
    scenario.run().await;
    assert_snapshot!(scenario.since_last(), @r"
    bob      comments on #2: /apply
    planebot reacts with eyes
    planebot reacts with rocket
    planebot sets the check to in_progress: applying
    planebot comments on #2: 🔵 Applying 469f-479f to `east` — 0 of 1
               - [ ] stand up: 0 of 1
    MAAS     PUT subnets/2/ gateway_ip=198.51.100.1
    planebot pushes to planebot-history +history/east/TIME-pr2-469f-479f/run.json
    planebot sets the check to success: applied, proved twice
    planebot edits a comment on #2: ✅ Applied 469f-479f to `east`, proved twice
               - [x] stand up: 1 of 1
    planebot edits a comment on #2: 🟡 Plan for `east`: 1 change
               Plan: 0 to add, 1 to change, 0 to remove.
               - MIGRATE: it is in MAAS and differs from the declaration
               - UNDECLARED: it is in MAAS and in no file; planebot leaves it alone
               ! subnet 198.51.100.0/24 chairs: gateway none -> 198.51.100.1  [chairs]  # gateway
               *Next:* nothing: this plan is applied and verified.
    ");
}

#[tokio::test]
async fn a_merged_change_of_two_sites_names_a_way_on_that_works() {
    let mut scenario = with_east_at("MAAS_URL", THERE).await;
    let both = scenario
        .propose(&[
            (DESKS, Some(WITH_GATEWAY)),
            (CHAIRS, Some(THERE_WITH_GATEWAY)),
        ])
        .await;
    scenario.merge(both, MergeMethod::Squash);
    scenario.run().await;
    drop(scenario.since_last());
    scenario.command("bob", both, "/apply").await;
    assert_snapshot!(scenario.since_last(), @r"
    bob      comments on #1: /apply
    planebot reacts with eyes
    planebot reacts with confused
    planebot comments on #1: ✋ No plan: this touches 2 sites
               It changes `dc`, `east`. planebot plans and applies each site separately, so that a run that stops on one site never leaves another half done.
               *Next:* this is merged, and not applied. For each site, open a pull request that changes any file of that site alone; a comment in it is enough. Its plan carries out everything that is merged there.
    ");
    let touched = format!("# Two sites were merged at once.\n{WITH_GATEWAY}");
    scenario.push("desks", &[(DESKS, Some(&touched))]);
    let desks = scenario.open_pull("alice", "desks", "main");
    scenario.run().await;
    scenario.merge(desks, MergeMethod::Squash);
    scenario.run().await;
    drop(scenario.since_last());
    scenario.command("bob", desks, "/apply").await;
    let applied = scenario.since_last();
    assert!(
        applied.contains("PUT subnets/1/ gateway_ip=192.0.2.1"),
        "{applied}"
    );
}
