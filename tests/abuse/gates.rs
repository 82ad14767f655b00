//! Who may open a gate, and when; what an operator may take back.

use insta::assert_snapshot;
use lab::github::MergeMethod;
use support_scenario::{DESKS, REPOSITORY, Scenario, ScenarioOptions, WITH_GATEWAY};

/// A machine lives on the subnet that is to move, so that a person must act first.
const LIVED_IN: &str = r#"{"fabrics": [{"name": "blue", "vlans": [{"vid": 0, "mtu": 1500,
    "subnets": [{"cidr": "192.0.2.0/24", "name": "desks", "managed": true}]}]}],
    "machines": [{"hostname": "m1", "status": "Deployed", "interfaces": [{"name": "eth7", "type": "physical", "mac": "52:54:00:00:07:07",
    "links": [{"subnet": "192.0.2.0/24", "mode": "STATIC", "ip": "192.0.2.40"}]}]}]}"#;

const MOVED: &str = "plane: desks\nfabric: blue\nname: desks\ncidr: 198.51.100.0/24\n";

const RUNBOOK: &str = "# Teardown\n\n```planebot\ngate = \"teardown\"\n```\n\nEmpty {{subnets}}.\n";

/// A run that waits at the teardown gate. The transcript goes on from there.
async fn waiting() -> (Scenario, u64) {
    let mut scenario = Scenario::with(ScenarioOptions {
        layout: Some(LIVED_IN),
        files: &[("runbooks/teardown.md", RUNBOOK)],
        ..ScenarioOptions::default()
    })
    .await;
    let number = scenario.propose(&[(DESKS, Some(MOVED))]).await;
    scenario.merge(number, MergeMethod::Squash);
    scenario.run().await;
    scenario.command("bob", number, "/apply").await;
    let so_far = scenario.since_last();
    assert!(
        so_far.contains("Gate `teardown`: a person is needed"),
        "{so_far}"
    );
    (scenario, number)
}

#[tokio::test]
async fn threat_50_a_gate_is_opened_by_looking_whoever_says_what() {
    let (mut scenario, number) = waiting().await;
    for (who, text) in [
        ("mallory", "/done teardown no-juju-model"),
        ("bob", "/done jumphost"),
        ("bob", "/done vacate"),
        // Nothing was done yet, with or without the words that are asked for.
        ("bob", "/done teardown"),
        ("bob", "/done teardown no-juju-model"),
        ("bob", "/done teardown NO-JUJU-MODEL"),
        ("bob", "/done teardown no-juju-model"),
    ] {
        scenario.command(who, number, text).await;
    }
    assert_snapshot!(scenario.since_last(), @r"
    mallory  comments on #1: /done teardown no-juju-model
    planebot reacts with eyes
    planebot reacts with confused
    planebot comments on #1: ✋ Not done
               Only an operator of this site may do that: @mallory is not on the roster; membership in team `acme/net-ops` is not confirmed: `GitHub answered 404: not a member, or this app may not see the team`.
    bob      comments on #1: /done jumphost
    planebot reacts with eyes
    planebot reacts with confused
    planebot comments on #1: ✋ Not done
               The run is not waiting at gate `jumphost`; it is waiting at gate `teardown`.
    bob      comments on #1: /done vacate
    planebot reacts with eyes
    planebot reacts with confused
    planebot comments on #1: ✋ Not done
               The run is not waiting at gate `vacate`; it is waiting at gate `teardown`.
    bob      comments on #1: /done teardown
    planebot reacts with eyes
    planebot comments on #1: ✋ Gate `teardown` stays shut
               planebot found something that should be gone, or did not find something that should be there:
               - `m1: eth7 still has a link on 192.0.2.0/24 (192.0.2.40)`
               - ``no source of Juju models is configured: write `/done teardown no-juju-model` once `juju models` lists none on this MAAS``
               *Next:* fix that, then comment `/done teardown` again. Nothing was changed.
    bob      comments on #1: /done teardown no-juju-model
    planebot reacts with eyes
    planebot comments on #1: ✋ Gate `teardown` stays shut
               planebot found something that should be gone, or did not find something that should be there:
               - `m1: eth7 still has a link on 192.0.2.0/24 (192.0.2.40)`
               *Next:* fix that, then comment `/done teardown` again. Nothing was changed.
    bob      comments on #1: /done teardown NO-JUJU-MODEL
    planebot reacts with eyes
    planebot comments on #1: ✋ Gate `teardown` stays shut
               planebot found something that should be gone, or did not find something that should be there:
               - `m1: eth7 still has a link on 192.0.2.0/24 (192.0.2.40)`
               - ``no source of Juju models is configured: write `/done teardown no-juju-model` once `juju models` lists none on this MAAS``
               *Next:* fix that, then comment `/done teardown` again. Nothing was changed.
    bob      comments on #1: /done teardown no-juju-model
    planebot reacts with eyes
    planebot comments on #1: ✋ Gate `teardown` stays shut
               planebot found something that should be gone, or did not find something that should be there:
               - `m1: eth7 still has a link on 192.0.2.0/24 (192.0.2.40)`
               *Next:* fix that, then comment `/done teardown` again. Nothing was changed.
    ");
    assert_eq!(scenario.write_count(), 0);
}

#[tokio::test]
async fn threat_50_a_gate_opens_once_when_the_work_is_done_and_confirmed() {
    let (mut scenario, number) = waiting().await;
    scenario.release_machine("m1", "192.0.2.0/24");
    // The network is empty, but nobody confirmed what only a person can see.
    scenario.command("bob", number, "/done teardown").await;
    assert_eq!(scenario.write_count(), 0);
    scenario
        .command("bob", number, "/done teardown no-juju-model")
        .await;
    // And once more, for a finished step.
    scenario
        .command("bob", number, "/done teardown no-juju-model")
        .await;
    assert_snapshot!(scenario.since_last(), @r"
    admin    releases m1 in MAAS
    bob      comments on #1: /done teardown
    planebot reacts with eyes
    planebot comments on #1: ✋ Gate `teardown` stays shut
               planebot found something that should be gone, or did not find something that should be there:
               - ``no source of Juju models is configured: write `/done teardown no-juju-model` once `juju models` lists none on this MAAS``
               *Next:* fix that, then comment `/done teardown` again. Nothing was changed.
    bob      comments on #1: /done teardown no-juju-model
    planebot reacts with eyes
    MAAS     PUT subnets/1/ cidr=198.51.100.0/24 gateway_ip= name=desks
    planebot sets the check to success: applied, proved twice
    planebot edits a comment on #1: 🟡 Plan for `dc`: 1 change, 1 needs a person
               Plan: 0 to add, 1 to change, 0 to remove. 1 gate. Touches 1 machine.
               - MIGRATE: it is in MAAS and differs from the declaration
               ! subnet 198.51.100.0/24 desks: cidr 192.0.2.0/24 -> 198.51.100.0/24  [desks]  # in place: the row stays, the default where no other network has or wants its CIDRs
               *Next:* nothing: this plan is applied and verified.
    planebot pushes to planebot-history +history/dc/TIME-pr1-aea5-3d5c/run.json
    planebot edits a comment on #1: ✅ Applied aea5-3d5c to `dc`, proved twice
               - [x] gate `teardown`, checked and open
               - [x] create: 1 of 1
    bob      comments on #1: /done teardown no-juju-model
    planebot reacts with eyes
    planebot reacts with confused
    planebot comments on #1: ✋ Not done
               No run waits here.
    ");
    assert_eq!(scenario.subnet().await.cidr.to_string(), "198.51.100.0/24");
}

#[tokio::test]
async fn threat_50_another_pull_requests_gate_is_not_opened_from_here() {
    let (mut scenario, _) = waiting().await;
    scenario.push("wip2", &[(DESKS, Some(WITH_GATEWAY))]);
    let other = scenario.open_pull("alice", "wip2", "main");
    scenario.run().await;
    scenario
        .command("bob", other, "/done teardown no-juju-model")
        .await;
    assert_snapshot!(scenario.since_last(), @r"
    alice    pushes to wip2 ~topology/desks.yaml
    alice    opens #2 from wip2 to main
    planebot sets the check to success: 1 changes, 0 gates, plan 3909-fa4a
    planebot comments on #2: 🟡 Plan for `dc`: 1 change
               Plan: 0 to add, 1 to change, 0 to remove.
               - MIGRATE: it is in MAAS and differs from the declaration
               ! subnet 192.0.2.0/24 desks: gateway none -> 192.0.2.1  [desks]  # gateway
               *Next:* merge to queue this plan. After that, nothing changes in MAAS until an operator comments:
               /apply 3909-fa4a
    bob      comments on #2: /done teardown no-juju-model
    planebot reacts with eyes
    planebot reacts with confused
    planebot comments on #2: ✋ Not done
               No run waits here.
    ");
}

#[tokio::test]
async fn threat_51_a_runbook_that_changed_after_the_plan_was_read_makes_another_plan() {
    let mut scenario = Scenario::with(ScenarioOptions {
        layout: Some(LIVED_IN),
        files: &[("runbooks/teardown.md", RUNBOOK)],
        ..ScenarioOptions::default()
    })
    .await;
    let number = scenario.propose(&[(DESKS, Some(MOVED))]).await;
    let read = scenario.digest(number);
    let other = RUNBOOK.replace("Empty", "Do not look at");
    scenario.push("main", &[("runbooks/teardown.md", Some(&other))]);
    scenario.merge(number, MergeMethod::Squash);
    scenario.run().await;
    scenario
        .command("bob", number, &format!("/apply {read}"))
        .await;
    assert_snapshot!(scenario.transcript(), @r"
    alice    pushes to wip ~topology/desks.yaml
    alice    opens #1 from wip to main
    planebot sets the check to success: 1 changes, 1 gates, plan aea5-3d5c
    planebot comments on #1: 🟡 Plan for `dc`: 1 change, 1 needs a person
               Plan: 0 to add, 1 to change, 0 to remove. 1 gate. Touches 1 machine.
               - MIGRATE: it is in MAAS and differs from the declaration
               ! subnet 198.51.100.0/24 desks: cidr 192.0.2.0/24 -> 198.51.100.0/24  [desks]  # in place: the row stays, the default where no other network has or wants its CIDRs
               *Next:* merge to queue this plan. After that, nothing changes in MAAS until an operator comments:
               /apply aea5-3d5c
    alice    pushes to main ~runbooks/teardown.md
    bob      merges #1
    bob      pushes to main ~topology/desks.yaml
    planebot sets the check to in_progress: merged, not applied
    planebot edits a comment on #1: 🟡 Plan for `dc`: 1 change, 1 needs a person
               > This plan is not the one that was shown before: read it, then name its digest in `/apply`.
               - MIGRATE: it is in MAAS and differs from the declaration
               ! subnet 198.51.100.0/24 desks: cidr 192.0.2.0/24 -> 198.51.100.0/24  [desks]  # in place: the row stays, the default where no other network has or wants its CIDRs
               *Next:* this is merged. Nothing changes in MAAS until an operator comments:
               /apply 53f8-8e86
    bob      comments on #1: /apply aea5-3d5c
    planebot reacts with eyes
    planebot reacts with confused
    planebot comments on #1: ✋ Not applied
               That is not the plan in this conversation.
               - ✖ digest: the command names `aea5-3d5c`, `53f8-8e86` was reviewed
               *Next:* read the plan above, then name its digest in `/apply`.
    ");
    assert_ne!(scenario.digest(number), read);
}

#[tokio::test]
async fn threat_40_an_abort_ends_the_run_once_and_an_order_meanwhile_is_answered() {
    let (mut scenario, number) = waiting().await;
    scenario.command("bob", number, "/apply").await;
    scenario.command("mallory", number, "/abort").await;
    // Two aborts and an apply between them, delivered together.
    scenario.comment("bob", number, "/abort");
    scenario.comment("bob", number, "/apply 0000-0000");
    scenario.comment("carol", number, "/abort");
    scenario.run().await;
    assert_snapshot!(scenario.since_last(), @r"
    bob      comments on #1: /apply
    planebot reacts with eyes
    planebot reacts with confused
    planebot comments on #1: ✋ Not done
               The run is in progress; it has not stopped.
    mallory  comments on #1: /abort
    planebot reacts with eyes
    planebot reacts with confused
    planebot comments on #1: ✋ Not done
               Only an operator of this site may do that: @mallory is not on the roster; membership in team `acme/net-ops` is not confirmed: `GitHub answered 404: not a member, or this app may not see the team`.
    bob      comments on #1: /abort
    bob      comments on #1: /apply 0000-0000
    carol    comments on #1: /abort
    planebot reacts with eyes
    planebot reacts with rocket
    planebot reacts with eyes
    planebot reacts with confused
    planebot comments on #1: ✋ Not applied
               That is not the plan in this conversation.
               - ✖ digest: the command names `0000-0000`, `aea5-3d5c` was reviewed
               *Next:* read the plan above, then name its digest in `/apply`.
    planebot reacts with eyes
    planebot reacts with confused
    planebot comments on #1: ✋ Not done
               No run is in progress here.
    planebot sets the check to cancelled: aborted
    planebot pushes to planebot-history +history/dc/TIME-pr1-aea5-3d5c/run.json
    planebot edits a comment on #1: ⏹ Aborted aea5-3d5c on `dc` after step 0 of 1
               - [ ] gate `teardown`
               - [ ] create: 0 of 1
    ");
}

#[tokio::test]
async fn threat_20_a_roster_in_the_pull_request_makes_nobody_an_operator() {
    let mut scenario = Scenario::new().await;
    let roster = "[[site]]\nname = 'dc'\n[site.operators]\nusers = ['mallory']\n";
    let files = [
        (DESKS, Some(WITH_GATEWAY)),
        ("planebot.toml", Some(roster)),
        ("topology/planebot.toml", Some(roster)),
        (".github/CODEOWNERS", Some("* @mallory\n")),
    ];
    let number = scenario.propose(&files).await;
    scenario.merge(number, MergeMethod::Squash);
    scenario.run().await;
    scenario.command("mallory", number, "/apply").await;
    assert_snapshot!(scenario.transcript(), @r"
    alice    pushes to wip +.github/CODEOWNERS +planebot.toml +topology/planebot.toml ~topology/desks.yaml
    alice    opens #1 from wip to main
    planebot sets the check to success: 1 changes, 0 gates, plan 3909-fa4a
    planebot comments on #1: 🟡 Plan for `dc`: 1 change
               Plan: 0 to add, 1 to change, 0 to remove.
               - MIGRATE: it is in MAAS and differs from the declaration
               ! subnet 192.0.2.0/24 desks: gateway none -> 192.0.2.1  [desks]  # gateway
               *Next:* merge to queue this plan. After that, nothing changes in MAAS until an operator comments:
               /apply 3909-fa4a
    bob      merges #1
    bob      pushes to main +.github/CODEOWNERS +planebot.toml +topology/planebot.toml ~topology/desks.yaml
    planebot sets the check to in_progress: merged, not applied
    planebot edits a comment on #1: 🟡 Plan for `dc`: 1 change
               Plan: 0 to add, 1 to change, 0 to remove.
               - MIGRATE: it is in MAAS and differs from the declaration
               ! subnet 192.0.2.0/24 desks: gateway none -> 192.0.2.1  [desks]  # gateway
               *Next:* this is merged. Nothing changes in MAAS until an operator comments:
               /apply 3909-fa4a
    mallory  comments on #1: /apply
    planebot reacts with eyes
    planebot reacts with confused
    planebot comments on #1: ✋ Not applied
               Only an operator of this site may do that.
               - ✖ operator: @mallory is not on the roster; membership in team `acme/net-ops` is not confirmed: `GitHub answered 404: not a member, or this app may not see the team`
               *Next:* ask one of the site's operators.
    ");
}

#[tokio::test]
async fn threat_22_who_left_the_team_or_only_was_invited_is_turned_away() {
    let mut scenario = Scenario::new().await;
    let number = scenario.propose(&[(DESKS, Some(WITH_GATEWAY))]).await;
    scenario.merge(number, MergeMethod::Squash);
    scenario.run().await;
    scenario.since_last();
    scenario.comment("carol", number, "/apply");
    scenario.remove_from_team("carol");
    scenario.run().await;
    scenario.invite_to_team("mallory");
    scenario.command("mallory", number, "/apply").await;
    // An account that is deleted orders nothing.
    scenario.comment("bob", number, "/apply");
    scenario.delete_account("bob");
    scenario.run().await;
    assert_snapshot!(scenario.since_last(), @r"
    carol    comments on #1: /apply
    carol    leaves the team net-ops
    planebot reacts with eyes
    planebot reacts with confused
    planebot comments on #1: ✋ Not applied
               Only an operator of this site may do that.
               - ✖ operator: @carol is not on the roster; membership in team `acme/net-ops` is not confirmed: `GitHub answered 404: not a member, or this app may not see the team`
               *Next:* ask one of the site's operators.
    mallory  is invited to the team net-ops
    mallory  comments on #1: /apply
    planebot reacts with eyes
    planebot reacts with confused
    planebot comments on #1: ✋ Not applied
               Only an operator of this site may do that.
               - ✖ operator: @mallory is not on the roster; membership in team `acme/net-ops` is not confirmed: `the invitation is pending`
               *Next:* ask one of the site's operators.
    bob      comments on #1: /apply
    bob      deletes the account
    ");
}

/// A run that began is not left half done when its window ends: until its end the network may be without DHCP.
#[tokio::test]
async fn threat_42_a_run_that_began_in_its_window_goes_on_to_its_end() {
    let mut scenario = Scenario::with(ScenarioOptions {
        layout: Some(LIVED_IN),
        files: &[("runbooks/teardown.md", RUNBOOK)],
        policy: "windows = ['mon-sun 00:00-13:00']",
        ..ScenarioOptions::default()
    })
    .await;
    let noon = 12 * 3_600_000 - scenario.now().rem_euclid(24 * 3_600_000);
    scenario.advance(noon + 24 * 3_600_000);
    let number = scenario.propose(&[(DESKS, Some(MOVED))]).await;
    scenario.merge(number, MergeMethod::Squash);
    scenario.run().await;
    scenario.since_last();
    scenario.command("bob", number, "/apply").await;
    scenario.advance(3 * 3_600_000);
    scenario.release_machine("m1", "192.0.2.0/24");
    scenario
        .command("bob", number, "/done teardown no-juju-model")
        .await;
    assert_snapshot!(scenario.since_last(), @r"
    bob      comments on #1: /apply
    planebot reacts with eyes
    planebot reacts with rocket
    planebot sets the check to in_progress: applying
    planebot comments on #1: 🔵 Applying aea5-3d5c to `dc` — 0 of 1
               - [ ] gate `teardown`
               - [ ] create: 0 of 1
    planebot comments on #1: ⏸ Gate `teardown`: a person is needed
    planebot edits a comment on #1: ⏸ Waiting for a person at gate `teardown`: aea5-3d5c on `dc`
               - [ ] gate `teardown`
               - [ ] create: 0 of 1
    admin    releases m1 in MAAS
    bob      comments on #1: /done teardown no-juju-model
    planebot reacts with eyes
    planebot edits a comment on #1: 🔵 Applying aea5-3d5c to `dc` — 0 of 1
               - [x] gate `teardown`, checked and open
               - [ ] create: 0 of 1
    MAAS     PUT subnets/1/ cidr=198.51.100.0/24 gateway_ip= name=desks
    planebot sets the check to success: applied, proved twice
    planebot edits a comment on #1: 🟡 Plan for `dc`: 1 change, 1 needs a person
               Plan: 0 to add, 1 to change, 0 to remove. 1 gate. Touches 1 machine.
               - MIGRATE: it is in MAAS and differs from the declaration
               ! subnet 198.51.100.0/24 desks: cidr 192.0.2.0/24 -> 198.51.100.0/24  [desks]  # in place: the row stays, the default where no other network has or wants its CIDRs
               *Next:* nothing: this plan is applied and verified.
    planebot pushes to planebot-history +history/dc/TIME-pr1-aea5-3d5c/run.json
    planebot edits a comment on #1: ✅ Applied aea5-3d5c to `dc`, proved twice
               - [x] gate `teardown`, checked and open
               - [x] create: 1 of 1
    ");
    assert_eq!(scenario.subnet().await.cidr.to_string(), "198.51.100.0/24");
}

#[tokio::test]
async fn a_pull_request_for_two_sites_must_be_split() {
    let mut scenario = Scenario::with(ScenarioOptions {
        policy: "[[site]]\nname = 'east'\nrepository = 'acme/network'\npath = 'east'\n\
                 maas_url = 'http://127.0.0.1:1/MAAS'\n[site.operators]\nusers = ['bob']",
        ..ScenarioOptions::default()
    })
    .await;
    let there = "plane: chairs\nfabric: red\ncidr: 198.51.100.0/24\n";
    let number = scenario
        .propose(&[
            (DESKS, Some(WITH_GATEWAY)),
            ("east/chairs.yaml", Some(there)),
        ])
        .await;
    scenario.command("bob", number, "/plan").await;
    scenario.push("wip", &[("east/chairs.yaml", None)]);
    scenario.run().await;
    scenario.merge(number, MergeMethod::Squash);
    scenario.run().await;
    scenario.command("bob", number, "/apply").await;
    assert_snapshot!(scenario.transcript(), @r"
    alice    pushes to wip +east/chairs.yaml ~topology/desks.yaml
    alice    opens #1 from wip to main
    planebot sets the check to failure: touches several sites
    planebot comments on #1: ✋ No plan: this touches 2 sites
               It changes `dc`, `east`. planebot plans and applies each site separately, so that a run that stops on one site never leaves another half done.
               *Next:* open one pull request for each site.
    bob      comments on #1: /plan
    planebot reacts with eyes
    planebot reacts with confused
    planebot comments on #1: ✋ No plan: this touches 2 sites
               It changes `dc`, `east`. planebot plans and applies each site separately, so that a run that stops on one site never leaves another half done.
               *Next:* open one pull request for each site.
    alice    pushes to wip -east/chairs.yaml
    planebot sets the check to success: 1 changes, 0 gates, plan 3909-fa4a
    planebot comments on #1: 🟡 Plan for `dc`: 1 change
               Plan: 0 to add, 1 to change, 0 to remove.
               - MIGRATE: it is in MAAS and differs from the declaration
               ! subnet 192.0.2.0/24 desks: gateway none -> 192.0.2.1  [desks]  # gateway
               *Next:* merge to queue this plan. After that, nothing changes in MAAS until an operator comments:
               /apply 3909-fa4a
    planebot edits a comment on #1: This touches one site now
               The plan for `dc` is in this conversation.
    bob      merges #1
    bob      pushes to main ~topology/desks.yaml
    planebot sets the check to in_progress: merged, not applied
    planebot edits a comment on #1: 🟡 Plan for `dc`: 1 change
               Plan: 0 to add, 1 to change, 0 to remove.
               - MIGRATE: it is in MAAS and differs from the declaration
               ! subnet 192.0.2.0/24 desks: gateway none -> 192.0.2.1  [desks]  # gateway
               *Next:* this is merged. Nothing changes in MAAS until an operator comments:
               /apply 3909-fa4a
    bob      comments on #1: /apply
    planebot reacts with eyes
    planebot reacts with rocket
    planebot comments on #1: 🔵 Applying 3909-fa4a to `dc` — 0 of 1
               - [ ] stand up: 0 of 1
    MAAS     PUT subnets/1/ gateway_ip=192.0.2.1
    planebot pushes to planebot-history +history/dc/TIME-pr1-3909-fa4a/run.json
    planebot sets the check to success: applied, proved twice
    planebot edits a comment on #1: ✅ Applied 3909-fa4a to `dc`, proved twice
               - [x] stand up: 1 of 1
    planebot edits a comment on #1: 🟡 Plan for `dc`: 1 change
               Plan: 0 to add, 1 to change, 0 to remove.
               - MIGRATE: it is in MAAS and differs from the declaration
               ! subnet 192.0.2.0/24 desks: gateway none -> 192.0.2.1  [desks]  # gateway
               *Next:* nothing: this plan is applied and verified.
    ");
}

#[tokio::test]
async fn a_check_is_planned_again_on_request() {
    let mut scenario = Scenario::new().await;
    let number = scenario.propose(&[(DESKS, Some(WITH_GATEWAY))]).await;
    let before = scenario.digest(number);
    scenario
        .change_in_maas(|subnet| subnet.description = "changed by hand".to_owned())
        .await;
    {
        let mut hub = scenario.hub.github();
        let mut at = hub.at(REPOSITORY);
        let head = at.head("wip").unwrap();
        let run = at.check_runs(head)[0].id;
        at.rerequest("alice", run).unwrap();
    }
    scenario.run().await;
    assert_snapshot!(scenario.transcript(), @r"
    alice    pushes to wip ~topology/desks.yaml
    alice    opens #1 from wip to main
    planebot sets the check to success: 1 changes, 0 gates, plan 3909-fa4a
    planebot comments on #1: 🟡 Plan for `dc`: 1 change
               Plan: 0 to add, 1 to change, 0 to remove.
               - MIGRATE: it is in MAAS and differs from the declaration
               ! subnet 192.0.2.0/24 desks: gateway none -> 192.0.2.1  [desks]  # gateway
               *Next:* merge to queue this plan. After that, nothing changes in MAAS until an operator comments:
               /apply 3909-fa4a
    admin    changes the subnet in MAAS
    alice    asks for the check again
    planebot sets the check to success: 1 changes, 0 gates, plan e430-4a16
    planebot edits a comment on #1: 🟡 Plan for `dc`: 1 change
               Plan: 0 to add, 1 to change, 0 to remove.
               - MIGRATE: it is in MAAS and differs from the declaration
               ! subnet 192.0.2.0/24 desks: gateway none -> 192.0.2.1  [desks]  # gateway
               *Next:* merge to queue this plan. After that, nothing changes in MAAS until an operator comments:
               /apply e430-4a16
    ");
    assert_ne!(scenario.digest(number), before, "MAAS has changed");
}

#[tokio::test]
async fn help_says_who_may_order() {
    let mut scenario = Scenario::new().await;
    let number = scenario.propose(&[(DESKS, Some(MOVED))]).await;
    for (who, says) in [
        ("bob", "you may use all of these"),
        ("mallory", "the others are for this site's operators"),
    ] {
        scenario.command(who, number, "/help").await;
        let answer = scenario.bot_comments(number).pop().unwrap().body;
        assert!(answer.contains(says), "{who}: {answer}");
    }
}
