//! Webhooks that come late: the order is GitHub's, and not the one in which webhooks arrive.

use insta::assert_snapshot;
use lab::github::MergeMethod;
use support_scenario::{DESKS, REPOSITORY, Scenario, WITH_GATEWAY};

const LAMPS: &str = "plane: lamps\nfabric: blue\nvid: 7\ncidr: 198.51.100.0/24\n";

#[tokio::test]
async fn threat_31_what_was_said_before_the_merge_is_no_order_when_it_is_heard_after_it() {
    let mut scenario = Scenario::new().await;
    let number = scenario.propose(&[(DESKS, Some(WITH_GATEWAY))]).await;
    scenario.since_last();
    let early = scenario.hold_back("bob", number, "/apply");
    scenario.merge(number, MergeMethod::Squash);
    scenario.run().await;
    scenario.deliver(&early).await;
    scenario.run_until_idle().await;
    assert_snapshot!(scenario.since_last(), @r"
    bob      comments on #1: /apply
    bob      merges #1
    bob      pushes to main ~topology/desks.yaml
    planebot sets the check to in_progress: merged, not applied
    planebot edits a comment on #1: 🟡 Plan for `dc`: 1 change
               Plan: 0 to add, 1 to change, 0 to remove.
               - MIGRATE: it is in MAAS and differs from the declaration
               ! subnet 192.0.2.0/24 desks: gateway none -> 192.0.2.1  [desks]  # gateway
               *Next:* this is merged. Nothing changes in MAAS until an operator comments:
               /apply 3909-fa4a
    GitHub   issue_comment created `/apply` is delivered by hand
    planebot reacts with eyes
    planebot reacts with confused
    planebot comments on #1: ✋ Not applied
               This was written before the merge.
               - ✖ merged: it was not merged when this was written
               *Next:* comment `/apply` again.
    ");
    scenario.command("bob", number, "/apply").await;
    assert_snapshot!(scenario.since_last(), @r"
    bob      comments on #1: /apply
    planebot reacts with eyes
    planebot reacts with rocket
    planebot sets the check to in_progress: applying
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

/// Two pull requests, planned.
async fn two_proposed() -> (Scenario, u64, u64) {
    let mut scenario = Scenario::new().await;
    let first = scenario.propose(&[(DESKS, Some(WITH_GATEWAY))]).await;
    scenario.push("lamps", &[("topology/lamps.yaml", Some(LAMPS))]);
    let second = scenario.open_pull("alice", "lamps", "main");
    scenario.run().await;
    scenario.since_last();
    (scenario, first, second)
}

#[tokio::test]
async fn merges_whose_webhooks_come_in_another_order_count_in_githubs() {
    let (mut scenario, first, second) = two_proposed().await;
    scenario.merge(first, MergeMethod::Squash);
    scenario.merge(second, MergeMethod::Squash);
    scenario.run_in_reverse().await;
    let order = format!("/apply {}", scenario.digest(second));
    scenario.command("bob", second, &order).await;
    assert_snapshot!(scenario.since_last(), @r"
    bob      merges #1
    bob      pushes to main ~topology/desks.yaml
    bob      merges #2
    bob      pushes to main +topology/lamps.yaml
    GitHub   push is delivered by hand
    GitHub   pull_request closed is delivered by hand
    GitHub   push is delivered by hand
    GitHub   pull_request closed is delivered by hand
    GitHub   issue_comment created `### 🟡 Plan for `dc`: 2 changes` is delivered by hand
    GitHub   check_run completed is delivered by hand
    GitHub   check_run created is delivered by hand
    planebot sets the check to in_progress: merged, not applied
    planebot sets the check to in_progress: merged, not applied
    planebot edits a comment on #2: 🟡 Plan for `dc`: 3 changes
               > This plan is not the one that was shown before: read it, then name its digest in `/apply`.
               - CREATE: it is declared and not in MAAS
               - MIGRATE: it is in MAAS and differs from the declaration
               + vlan blue/7 mtu 1500, name lamps  [lamps]  # declared
               + subnet 198.51.100.0/24 lamps on blue/7  [lamps]  # declared
               ! subnet 192.0.2.0/24 desks: gateway none -> 192.0.2.1  [desks]  # gateway
               *Next:* this is merged. Nothing changes in MAAS until an operator comments:
               /apply bcd5-a067
    planebot edits a comment on #1: 🟡 Plan for `dc`: 1 change
               Plan: 0 to add, 1 to change, 0 to remove.
               - MIGRATE: it is in MAAS and differs from the declaration
               ! subnet 192.0.2.0/24 desks: gateway none -> 192.0.2.1  [desks]  # gateway
               *Next:* this is merged. Nothing changes in MAAS until an operator comments:
               /apply 3909-fa4a
    bob      comments on #2: /apply bcd5-a067
    planebot reacts with eyes
    planebot reacts with rocket
    planebot sets the check to in_progress: applying
    planebot comments on #2: 🔵 Applying bcd5-a067 to `dc` — 0 of 3
               - [ ] create: 0 of 2
               - [ ] stand up: 0 of 1
    MAAS     POST fabrics/1/vlans/ mtu=1500 name=lamps vid=7
    MAAS     POST subnets/ cidr=198.51.100.0/24 name=lamps vlan=5002
    MAAS     PUT subnets/1/ gateway_ip=192.0.2.1
    planebot sets the check to neutral: carried out with #2
    planebot comments on #1: ✅ Carried out with #2
    planebot pushes to planebot-history +history/dc/TIME-pr2-bcd5-a067/run.json
    planebot sets the check to success: applied, proved twice
    planebot edits a comment on #2: ✅ Applied bcd5-a067 to `dc`, proved twice
               - [x] create: 2 of 2
               - [x] stand up: 1 of 1
    planebot edits a comment on #1: 🟡 Plan for `dc`: 1 change
               Plan: 0 to add, 1 to change, 0 to remove.
               - MIGRATE: it is in MAAS and differs from the declaration
               ! subnet 192.0.2.0/24 desks: gateway none -> 192.0.2.1  [desks]  # gateway
               *Next:* nothing: this plan is applied and verified.
    planebot edits a comment on #2: 🟡 Plan for `dc`: 3 changes
               > This plan is not the one that was shown before: read it, then name its digest in `/apply`.
               - CREATE: it is declared and not in MAAS
               - MIGRATE: it is in MAAS and differs from the declaration
               + vlan blue/7 mtu 1500, name lamps  [lamps]  # declared
               + subnet 198.51.100.0/24 lamps on blue/7  [lamps]  # declared
               ! subnet 192.0.2.0/24 desks: gateway none -> 192.0.2.1  [desks]  # gateway
               *Next:* nothing: this plan is applied and verified.
    ");
    assert_eq!(
        scenario.hub.github().at(REPOSITORY).pull_state(first),
        Some("merged")
    );
}

/// Wherever the service crashes while it plans: a plan that was shown is remembered, and its pull request learns what
/// became of it.
#[tokio::test]
async fn a_plan_shown_before_a_crash_and_merged_before_the_restart_is_applied_like_any_other() {
    let (mut crashes, mut shown) = (0, 0);
    loop {
        let mut scenario = Scenario::new().await;
        scenario.push("wip", &[(DESKS, Some(WITH_GATEWAY))]);
        let first = scenario.open_pull("alice", "wip", "main");
        if !scenario.crash_at(crashes + 1).await {
            break;
        }
        crashes += 1;
        scenario.merge(first, MergeMethod::Squash);
        scenario.run().await;
        scenario.push("lamps", &[("topology/lamps.yaml", Some(LAMPS))]);
        let second = scenario.open_pull("alice", "lamps", "main");
        scenario.run().await;
        scenario.merge(second, MergeMethod::Squash);
        scenario.run().await;
        let order = format!("/apply {}", scenario.digest(second));
        scenario.since_last();
        scenario.command("bob", second, &order).await;
        let said = scenario.since_last();
        assert!(said.contains("✅ Applied"), "{said}");
        let Some(last) = scenario.bot_comments(first).pop() else {
            continue;
        };
        shown += 1;
        assert!(
            last.body.contains(&format!("Carried out with #{second}")),
            "crash {crashes}: {}",
            last.body
        );
    }
    println!(
        "the service crashed at {crashes} places of a planning; {shown} times the plan was shown"
    );
    assert!(shown > 0 && shown < crashes, "{shown} of {crashes}");
}
