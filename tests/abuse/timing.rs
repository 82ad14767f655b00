//! Orders that come too early, too late, twice, out of order, or for something else than was read.

use insta::assert_snapshot;
use journal::{Delivery, Stored};
use lab::github::MergeMethod;
use support_scenario::{DESKS, REPOSITORY, Scenario, ScenarioOptions, WITH_GATEWAY};

/// A scenario with a plan of one change, merged. The transcript goes on from there.
async fn merged() -> (Scenario, u64) {
    let mut scenario = Scenario::new().await;
    let number = scenario.propose(&[(DESKS, Some(WITH_GATEWAY))]).await;
    scenario.merge(number, MergeMethod::Squash);
    scenario.run().await;
    scenario.since_last();
    (scenario, number)
}

async fn assert_unchanged(scenario: &Scenario) {
    assert_eq!(scenario.write_count(), 0);
    assert_eq!(scenario.subnet().await.gateway, None);
}

#[tokio::test]
async fn threat_34_a_squashed_or_rebased_merge_is_the_plan_that_was_reviewed_or_none() {
    let mut all = String::new();
    for how in [MergeMethod::Merge, MergeMethod::Squash, MergeMethod::Rebase] {
        let mut scenario = Scenario::new().await;
        let number = scenario.propose(&[(DESKS, Some(WITH_GATEWAY))]).await;
        let digest = scenario.digest(number);
        scenario.merge(number, how);
        scenario.run().await;
        scenario.since_last();
        scenario
            .command("bob", number, &format!("/apply {digest}"))
            .await;
        all.push_str(&format!("Merged by {how:?}:\n{}", scenario.since_last()));
        assert!(scenario.subnet().await.gateway.is_some());
    }
    assert_snapshot!(all, @r"
    Merged by Merge:
    bob      comments on #1: /apply 3909-fa4a
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
    Merged by Squash:
    bob      comments on #1: /apply 3909-fa4a
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
    Merged by Rebase:
    bob      comments on #1: /apply 3909-fa4a
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

#[tokio::test]
async fn threat_34_a_merge_onto_a_branch_that_has_moved_is_another_plan() {
    let mut scenario = Scenario::new().await;
    let number = scenario.propose(&[(DESKS, Some(WITH_GATEWAY))]).await;
    let lamps = "plane: lamps\nfabric: blue\nvid: 7\ncidr: 198.51.100.0/24\n";
    scenario.push("main", &[("topology/lamps.yaml", Some(lamps))]);
    scenario.merge(number, MergeMethod::Squash);
    scenario.run().await;
    scenario.command("bob", number, "/apply").await;
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
    alice    pushes to main +topology/lamps.yaml
    bob      merges #1
    bob      pushes to main ~topology/desks.yaml
    planebot sets the check to in_progress: merged, not applied
    planebot edits a comment on #1: 🟡 Plan for `dc`: 3 changes
               > This plan is not the one that was shown before: read it, then name its digest in `/apply`.
               - CREATE: it is declared and not in MAAS
               - MIGRATE: it is in MAAS and differs from the declaration
               + vlan blue/7 mtu 1500, name lamps  [lamps]  # declared
               + subnet 198.51.100.0/24 lamps on blue/7  [lamps]  # declared
               ! subnet 192.0.2.0/24 desks: gateway none -> 192.0.2.1  [desks]  # gateway
               *Next:* this is merged. Nothing changes in MAAS until an operator comments:
               /apply bcd5-a067
    bob      comments on #1: /apply
    planebot reacts with eyes
    planebot reacts with confused
    planebot comments on #1: ✋ Not applied
               The plan changed after it was reviewed.
               - ✖ digest: `bcd5-a067` is not the plan that was reviewed
               *Next:* read the plan above; if it is right, name its digest in `/apply`.
    ");
    assert_unchanged(&scenario).await;
}

#[tokio::test]
async fn threat_9_a_comment_under_a_fresh_delivery_is_no_second_order() {
    let (mut scenario, number) = merged().await;
    let order = scenario.hold_back("bob", number, "/apply");
    for id in ["one", "two"] {
        let again = Delivery {
            id: id.to_owned(),
            ..order.clone()
        };
        assert_eq!(scenario.deliver(&again).await, Stored::New);
    }
    scenario.run_until_idle().await;
    let third = Delivery {
        id: "three".to_owned(),
        ..order.clone()
    };
    scenario.deliver(&third).await;
    scenario.run_until_idle().await;
    assert_snapshot!(scenario.since_last(), @r"
    bob      comments on #1: /apply
    GitHub   issue_comment created `/apply` is delivered by hand
    GitHub   issue_comment created `/apply` is delivered by hand
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
    GitHub   issue_comment created `/apply` is delivered by hand
    ");
    assert_eq!(scenario.write_count(), 1);
}

#[tokio::test]
async fn threat_11_an_old_delivery_replayed_after_days_changes_nothing() {
    let (mut scenario, number) = merged().await;
    let order = scenario.hold_back("bob", number, "/apply");
    scenario.deliver(&order).await;
    scenario.run_until_idle().await;
    assert_eq!(scenario.write_count(), 1);
    scenario
        .change_in_maas(|subnet| subnet.gateway = None)
        .await;
    scenario.advance(3 * 24 * 3_600_000);
    assert_eq!(scenario.deliver(&order).await, Stored::Duplicate);
    let renamed = Delivery {
        id: "replayed".to_owned(),
        ..order.clone()
    };
    scenario.deliver(&renamed).await;
    scenario.run_until_idle().await;
    assert_snapshot!(scenario.since_last(), @r"
    bob      comments on #1: /apply
    GitHub   issue_comment created `/apply` is delivered by hand
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
    admin    changes the subnet in MAAS
    GitHub   issue_comment created `/apply` is delivered by hand, and is known already
    GitHub   issue_comment created `/apply` is delivered by hand
    ");
    assert_eq!(scenario.write_count(), 1);
}

#[tokio::test]
async fn threat_12_another_repository_of_that_name_is_not_heard() {
    let (mut scenario, number) = merged().await;
    let order = scenario.hold_back("bob", number, "/apply");
    let body: serde_json::Value = serde_json::from_str(&order.body).unwrap();
    for (place, value) in [
        ("/repository/id", serde_json::json!(999_999)),
        (
            "/repository/full_name",
            serde_json::json!("mallory/network"),
        ),
    ] {
        let mut body = body.clone();
        *body.pointer_mut(place).unwrap() = value;
        let forged = Delivery {
            id: place.to_owned(),
            event: order.event.clone(),
            body: body.to_string(),
        };
        scenario.deliver(&forged).await;
    }
    scenario.run_until_idle().await;
    assert_unchanged(&scenario).await;
    // Somebody else creates a repository of the same name.
    scenario.delete_repository(REPOSITORY);
    scenario.create_repository("mallory", REPOSITORY);
    scenario.deliver(&order).await;
    scenario.run_until_idle().await;
    assert_snapshot!(scenario.since_last(), @r"
    bob      comments on #1: /apply
    GitHub   issue_comment created `/apply` is delivered by hand
    GitHub   issue_comment created `/apply` is delivered by hand
    GitHub   deletes the repository acme/network
    mallory  creates the repository acme/network
    GitHub   issue_comment created `/apply` is delivered by hand
    ");
    assert_unchanged(&scenario).await;
}

#[tokio::test]
async fn threat_13_webhooks_in_any_order_end_the_same() {
    let mut scenario = Scenario::new().await;
    scenario.push("wip", &[(DESKS, Some(WITH_GATEWAY))]);
    let number = scenario.open_pull("alice", "wip", "main");
    scenario.push(
        "wip",
        &[("topology/site.yaml", Some("leave_alone: [fabric-9]\n"))],
    );
    scenario.comment("bob", number, "/status");
    scenario.merge(number, MergeMethod::Merge);
    scenario.run_in_reverse().await;
    // The webhook of the merge came before that of the pull request: no plan was shown before the merge.
    scenario.command("bob", number, "/apply").await;
    assert_snapshot!(scenario.since_last(), @r"
    alice    pushes to wip ~topology/desks.yaml
    alice    opens #1 from wip to main
    alice    pushes to wip +topology/site.yaml
    bob      comments on #1: /status
    bob      merges #1
    bob      pushes to main ~topology/desks.yaml +topology/site.yaml
    GitHub   push is delivered by hand
    GitHub   pull_request closed is delivered by hand
    GitHub   issue_comment created `/status` is delivered by hand
    GitHub   pull_request synchronize is delivered by hand
    GitHub   push is delivered by hand
    GitHub   pull_request opened is delivered by hand
    GitHub   push is delivered by hand
    GitHub   push is delivered by hand
    planebot reacts with eyes
    planebot comments on #1: Status: not planned
    bob      comments on #1: /apply
    planebot reacts with eyes
    planebot reacts with confused
    planebot comments on #1: ✋ Not applied
               There is no plan to apply.
               - ✖ no newer merge: nothing was planned here
               *Next:* say `/plan`.
    ");
    assert_unchanged(&scenario).await;
    // It is not lost either: what is merged can still be planned, read, and applied.
    scenario.command("bob", number, "/plan").await;
    scenario.command("bob", number, "/apply").await;
    assert_snapshot!(scenario.since_last(), @r"
    bob      comments on #1: /plan
    planebot sets the check to in_progress: merged, not applied
    planebot reacts with eyes
    planebot comments on #1: 🟡 Plan for `dc`: 1 change
               Plan: 0 to add, 1 to change, 0 to remove.
               - MIGRATE: it is in MAAS and differs from the declaration
               ! subnet 192.0.2.0/24 desks: gateway none -> 192.0.2.1  [desks]  # gateway
               *Next:* this is merged. Nothing changes in MAAS until an operator comments:
               /apply 31c6-33bc
    bob      comments on #1: /apply
    planebot reacts with eyes
    planebot reacts with rocket
    planebot comments on #1: 🔵 Applying 31c6-33bc to `dc` — 0 of 1
               - [ ] stand up: 0 of 1
    MAAS     PUT subnets/1/ gateway_ip=192.0.2.1
    planebot pushes to planebot-history +history/dc/TIME-pr1-31c6-33bc/run.json
    planebot sets the check to success: applied, proved twice
    planebot edits a comment on #1: ✅ Applied 31c6-33bc to `dc`, proved twice
               - [x] stand up: 1 of 1
    planebot edits a comment on #1: 🟡 Plan for `dc`: 1 change
               Plan: 0 to add, 1 to change, 0 to remove.
               - MIGRATE: it is in MAAS and differs from the declaration
               ! subnet 192.0.2.0/24 desks: gateway none -> 192.0.2.1  [desks]  # gateway
               *Next:* nothing: this plan is applied and verified.
    ");
}

#[tokio::test]
async fn threat_13_a_comment_whose_edit_is_delivered_first_orders_nothing() {
    let (mut scenario, number) = merged().await;
    let id = scenario.comment("bob", number, "hello");
    scenario.edit_comment("bob", id, "/apply");
    scenario.run_in_reverse().await;
    assert_snapshot!(scenario.since_last(), @r"
    bob      comments on #1: hello
    bob      edits a comment on #1: /apply
    GitHub   issue_comment edited `/apply` is delivered by hand
    GitHub   issue_comment created `hello` is delivered by hand
    GitHub   issue_comment edited `### 🟡 Plan for `dc`: 1 change` is delivered by hand
    GitHub   check_run created is delivered by hand
    ");
    assert_unchanged(&scenario).await;
}

#[tokio::test]
async fn threat_27_an_order_that_was_edited_or_removed_before_it_is_heard_is_none() {
    let (mut scenario, number) = merged().await;
    let edited = scenario.comment("bob", number, "/apply");
    scenario.edit_comment("bob", edited, "/apply 0000-0000");
    let removed = scenario.comment("bob", number, "/apply");
    scenario.delete_comment("bob", removed);
    scenario.run().await;
    assert_snapshot!(scenario.since_last(), @r"
    bob      comments on #1: /apply
    bob      edits a comment on #1: /apply 0000-0000
    bob      comments on #1: /apply
    bob      deletes a comment on #1
    ");
    assert_unchanged(&scenario).await;
}

#[tokio::test]
async fn threat_28_a_command_anywhere_but_in_a_pull_requests_conversation_is_none() {
    let (mut scenario, _) = merged().await;
    let issue = scenario
        .hub
        .github()
        .at(REPOSITORY)
        .open_issue("bob", "Do it", "/apply");
    scenario.command("bob", issue, "/apply").await;
    assert_snapshot!(scenario.since_last(), @"bob      comments on #2: /apply");
    assert_unchanged(&scenario).await;
}

#[tokio::test]
async fn threat_29_a_digest_of_another_plan_is_refused() {
    let mut scenario = Scenario::new().await;
    let number = scenario.propose(&[(DESKS, Some(WITH_GATEWAY))]).await;
    let first = scenario.digest(number);
    let other = WITH_GATEWAY.replace("+1", "+2");
    scenario.push("wip", &[(DESKS, Some(&other))]);
    scenario.run().await;
    assert_ne!(scenario.digest(number), first);
    scenario.merge(number, MergeMethod::Squash);
    scenario.run().await;
    for wrong in [&first, "0000-0000"] {
        scenario
            .command("bob", number, &format!("/apply {wrong}"))
            .await;
    }
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
    alice    pushes to wip ~topology/desks.yaml
    planebot sets the check to success: 1 changes, 0 gates, plan e61d-2c7b
    planebot edits a comment on #1: 🟡 Plan for `dc`: 1 change
               Plan: 0 to add, 1 to change, 0 to remove.
               - MIGRATE: it is in MAAS and differs from the declaration
               ! subnet 192.0.2.0/24 desks: gateway none -> 192.0.2.2  [desks]  # gateway
               *Next:* merge to queue this plan. After that, nothing changes in MAAS until an operator comments:
               /apply e61d-2c7b
    bob      merges #1
    bob      pushes to main ~topology/desks.yaml
    planebot sets the check to in_progress: merged, not applied
    planebot edits a comment on #1: 🟡 Plan for `dc`: 1 change
               Plan: 0 to add, 1 to change, 0 to remove.
               - MIGRATE: it is in MAAS and differs from the declaration
               ! subnet 192.0.2.0/24 desks: gateway none -> 192.0.2.2  [desks]  # gateway
               *Next:* this is merged. Nothing changes in MAAS until an operator comments:
               /apply e61d-2c7b
    bob      comments on #1: /apply 3909-fa4a
    planebot reacts with eyes
    planebot reacts with confused
    planebot comments on #1: ✋ Not applied
               That is not the plan in this conversation.
               - ✖ digest: the command names `3909-fa4a`, `e61d-2c7b` was reviewed
               *Next:* read the plan above, then name its digest in `/apply`.
    bob      comments on #1: /apply 0000-0000
    planebot reacts with eyes
    planebot reacts with confused
    planebot comments on #1: ✋ Not applied
               That is not the plan in this conversation.
               - ✖ digest: the command names `0000-0000`, `e61d-2c7b` was reviewed
               *Next:* read the plan above, then name its digest in `/apply`.
    ");
    assert_unchanged(&scenario).await;
}

#[tokio::test]
async fn threat_31_nothing_is_applied_before_the_merge_into_the_default_branch() {
    let mut scenario = Scenario::new().await;
    let number = scenario.propose(&[(DESKS, Some(WITH_GATEWAY))]).await;
    scenario.since_last();
    scenario.command("bob", number, "/apply").await;
    scenario
        .hub
        .github()
        .at(REPOSITORY)
        .close("alice", number)
        .unwrap();
    scenario.run().await;
    scenario.command("bob", number, "/apply").await;
    assert_snapshot!(scenario.since_last(), @r"
    bob      comments on #1: /apply
    planebot reacts with eyes
    planebot reacts with confused
    planebot comments on #1: ✋ Not applied
               The pull request is not merged yet.
               - ✖ merged: it is not merged
               *Next:* merge it, then comment `/apply` again.
    alice    closes pull request #1
    bob      comments on #1: /apply
    planebot reacts with eyes
    planebot reacts with confused
    planebot comments on #1: ✋ Not applied
               The pull request is not merged yet.
               - ✖ merged: it is not merged
               *Next:* merge it, then comment `/apply` again.
    ");
    assert_unchanged(&scenario).await;
}

#[tokio::test]
async fn threat_31_a_merge_into_another_branch_is_not_applied() {
    let mut scenario = Scenario::new().await;
    scenario.push("release", &[("README.md", Some("x\n"))]);
    scenario.push("wip2", &[(DESKS, Some(WITH_GATEWAY))]);
    let other = scenario.open_pull("alice", "wip2", "release");
    scenario.run().await;
    scenario.merge(other, MergeMethod::Merge);
    scenario.run().await;
    scenario.command("bob", other, "/apply").await;
    assert_snapshot!(scenario.since_last(), @r"
    alice    pushes to release +README.md
    alice    pushes to wip2 ~topology/desks.yaml
    alice    opens #1 from wip2 to release
    planebot sets the check to success: 1 changes, 0 gates, plan 3909-fa4a
    planebot comments on #1: 🟡 Plan for `dc`: 1 change
               Plan: 0 to add, 1 to change, 0 to remove.
               - MIGRATE: it is in MAAS and differs from the declaration
               ! subnet 192.0.2.0/24 desks: gateway none -> 192.0.2.1  [desks]  # gateway
               *Next:* merge to queue this plan. After that, nothing changes in MAAS until an operator comments:
               /apply 3909-fa4a
    bob      merges #1
    bob      pushes to release ~topology/desks.yaml
    bob      comments on #1: /apply
    planebot reacts with eyes
    planebot reacts with confused
    planebot comments on #1: ✋ Not applied
               It was merged into another branch.
               - ✖ merged: it was merged into `release`; only `main` is applied
               *Next:* open a pull request against the default branch.
    ");
    // The base of the next one is changed after the plan was read, and before the merge.
    scenario.push("wip3", &[(DESKS, Some(WITH_GATEWAY))]);
    let moved = scenario.open_pull("alice", "wip3", "main");
    scenario.run().await;
    let base = serde_json::json!({"base": "release"});
    scenario
        .hub
        .github()
        .at(REPOSITORY)
        .edit_pull("alice", moved, &base)
        .unwrap();
    scenario.merge(moved, MergeMethod::Merge);
    scenario.run().await;
    scenario.command("bob", moved, "/apply").await;
    assert_snapshot!(scenario.since_last(), @r"
    alice    pushes to wip3 ~topology/desks.yaml
    alice    opens #2 from wip3 to main
    planebot sets the check to success: 1 changes, 0 gates, plan 3909-fa4a
    planebot comments on #2: 🟡 Plan for `dc`: 1 change
               Plan: 0 to add, 1 to change, 0 to remove.
               - MIGRATE: it is in MAAS and differs from the declaration
               ! subnet 192.0.2.0/24 desks: gateway none -> 192.0.2.1  [desks]  # gateway
               *Next:* merge to queue this plan. After that, nothing changes in MAAS until an operator comments:
               /apply 3909-fa4a
    alice    edits #2, with the base release
    bob      merges #2
    bob      pushes to release ~topology/desks.yaml
    bob      comments on #2: /apply
    planebot reacts with eyes
    planebot reacts with confused
    planebot comments on #2: ✋ Not applied
               It was merged into another branch.
               - ✖ merged: it was merged into `release`; only `main` is applied
               *Next:* open a pull request against the default branch.
    ");
    assert_unchanged(&scenario).await;
}

#[tokio::test]
async fn threat_32_a_merge_that_was_taken_off_the_default_branch_is_refused() {
    let mut scenario = Scenario::new().await;
    let before = scenario.hub.github().at(REPOSITORY).head("main").unwrap();
    let number = scenario.propose(&[(DESKS, Some(WITH_GATEWAY))]).await;
    scenario.since_last();
    scenario.merge(number, MergeMethod::Merge);
    scenario
        .hub
        .github()
        .at(REPOSITORY)
        .push("bob", "main", before)
        .unwrap();
    scenario.run().await;
    scenario.command("bob", number, "/apply").await;
    assert_snapshot!(scenario.since_last(), @r"
    bob      merges #1
    bob      pushes to main ~topology/desks.yaml
    bob      force-pushes to main
    planebot sets the check to in_progress: merged, not applied
    planebot edits a comment on #1: 🟡 Plan for `dc`: 1 change
               Plan: 0 to add, 1 to change, 0 to remove.
               - MIGRATE: it is in MAAS and differs from the declaration
               ! subnet 192.0.2.0/24 desks: gateway none -> 192.0.2.1  [desks]  # gateway
               *Next:* this is merged. Nothing changes in MAAS until an operator comments:
               /apply 3909-fa4a
    bob      comments on #1: /apply
    planebot reacts with eyes
    planebot reacts with confused
    planebot comments on #1: ✋ Not applied
               The merge is no longer on the default branch.
               - ✖ merged: commit `COMMIT` is not on `main`
               *Next:* merge it again.
    ");
    assert_unchanged(&scenario).await;
}

#[tokio::test]
async fn threat_33_a_later_merge_of_the_same_site_is_the_one_to_apply() {
    let (mut scenario, number) = merged().await;
    scenario.advance(60_000);
    let other = WITH_GATEWAY.replace("+1", "+2");
    scenario.push("wip2", &[(DESKS, Some(&other))]);
    let later = scenario.open_pull("alice", "wip2", "main");
    scenario.run().await;
    scenario.merge(later, MergeMethod::Squash);
    scenario.run().await;
    scenario.command("bob", number, "/apply").await;
    assert_snapshot!(scenario.since_last(), @r"
    alice    pushes to wip2 ~topology/desks.yaml
    alice    opens #2 from wip2 to main
    planebot sets the check to success: 1 changes, 0 gates, plan e61d-2c7b
    planebot comments on #2: 🟡 Plan for `dc`: 1 change
               Plan: 0 to add, 1 to change, 0 to remove.
               - MIGRATE: it is in MAAS and differs from the declaration
               ! subnet 192.0.2.0/24 desks: gateway none -> 192.0.2.2  [desks]  # gateway
               *Next:* merge to queue this plan. After that, nothing changes in MAAS until an operator comments:
               /apply e61d-2c7b
    bob      merges #2
    bob      pushes to main ~topology/desks.yaml
    planebot sets the check to in_progress: merged, not applied
    planebot edits a comment on #2: 🟡 Plan for `dc`: 1 change
               > This plan also includes the changes of #1, merged earlier and not applied yet.
               - MIGRATE: it is in MAAS and differs from the declaration
               ! subnet 192.0.2.0/24 desks: gateway none -> 192.0.2.2  [desks]  # gateway
               *Next:* this is merged. Nothing changes in MAAS until an operator comments:
               /apply e61d-2c7b
    bob      comments on #1: /apply
    planebot reacts with eyes
    planebot reacts with confused
    planebot comments on #1: ✋ Not applied
               A later merge supersedes this one.
               - ✖ no newer merge: #2 was merged later and touches this site
               *Next:* comment `/apply` on the newest merged pull request; it includes all that are waiting.
    ");
    assert_unchanged(&scenario).await;
}

#[tokio::test]
async fn threat_33_a_push_past_every_pull_request_overtakes_the_merge_too() {
    let (mut scenario, number) = merged().await;
    scenario.push("main", &[("README.md", Some("not ours\n"))]);
    scenario.push("main", &[(DESKS, Some(&WITH_GATEWAY.replace("+1", "+2")))]);
    scenario.run().await;
    scenario.command("bob", number, "/apply").await;
    assert_snapshot!(scenario.since_last(), @r"
    alice    pushes to main +README.md
    alice    pushes to main ~topology/desks.yaml
    bob      comments on #1: /apply
    planebot reacts with eyes
    planebot reacts with confused
    planebot comments on #1: ✋ Not applied
               A later change to this site's declaration supersedes this merge.
               - ✖ no newer merge: `main` now declares this site differently
               *Next:* apply the pull request that was merged last, or open a new one.
    ");
    assert_unchanged(&scenario).await;
    // A push that touches nothing of the site overtakes nothing.
    let (mut scenario, number) = merged().await;
    scenario.push("main", &[("README.md", Some("not ours\n"))]);
    scenario.command("bob", number, "/apply").await;
    assert_snapshot!(scenario.since_last(), @r"
    alice    pushes to main +README.md
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

#[tokio::test]
async fn threat_35_a_plan_made_before_the_last_push_is_refused() {
    let mut scenario = Scenario::new().await;
    let number = scenario.propose(&[(DESKS, Some(WITH_GATEWAY))]).await;
    let read = scenario.digest(number);
    scenario.since_last();
    // The push, its webhook lost, and the merge right after it.
    scenario.push("wip", &[(DESKS, Some(&WITH_GATEWAY.replace("+1", "+9")))]);
    scenario.take_webhooks();
    scenario.merge(number, MergeMethod::Merge);
    scenario.run().await;
    for _ in 0..2 {
        scenario
            .command("bob", number, &format!("/apply {read}"))
            .await;
    }
    assert_snapshot!(scenario.since_last(), @r"
    alice    pushes to wip ~topology/desks.yaml
    bob      merges #1
    bob      pushes to main ~topology/desks.yaml
    planebot sets the check to in_progress: merged, not applied
    planebot edits a comment on #1: 🟡 Plan for `dc`: 1 change
               > This plan is not the one that was shown before: read it, then name its digest in `/apply`.
               - MIGRATE: it is in MAAS and differs from the declaration
               ! subnet 192.0.2.0/24 desks: gateway none -> 192.0.2.9  [desks]  # gateway
               *Next:* this is merged. Nothing changes in MAAS until an operator comments:
               /apply 090c-3452
    bob      comments on #1: /apply 3909-fa4a
    planebot reacts with eyes
    planebot reacts with confused
    planebot comments on #1: ✋ Not applied
               That is not the plan in this conversation.
               - ✖ digest: the command names `3909-fa4a`, `090c-3452` was reviewed
               *Next:* read the plan above, then name its digest in `/apply`.
    bob      comments on #1: /apply 3909-fa4a
    planebot reacts with eyes
    planebot reacts with confused
    planebot comments on #1: ✋ Not applied
               That is not the plan in this conversation.
               - ✖ digest: the command names `3909-fa4a`, `090c-3452` was reviewed
               *Next:* read the plan above, then name its digest in `/apply`.
    ");
    assert_ne!(
        scenario.digest(number),
        read,
        "the comment shows the plan of now"
    );
    assert_unchanged(&scenario).await;
}

#[tokio::test]
async fn threat_36_a_maas_that_changed_after_the_plan_is_shown_anew_and_not_touched() {
    let (mut scenario, number) = merged().await;
    let read = scenario.digest(number);
    scenario
        .change_in_maas(|subnet| subnet.gateway = "192.0.2.99".parse().ok())
        .await;
    scenario
        .command("bob", number, &format!("/apply {read}"))
        .await;
    assert_snapshot!(scenario.since_last(), @r"
    admin    changes the subnet in MAAS
    bob      comments on #1: /apply 3909-fa4a
    planebot reacts with eyes
    planebot reacts with confused
    planebot comments on #1: ✋ Not applied
               MAAS, or the merged declaration, has changed since this plan was made.
               - ✖ MAAS unchanged: reviewed `3909-fa4a`, now `0cd6-223e`
               *Next:* read the new plan above; if it is right, name its digest in `/apply`.
    planebot edits a comment on #1: 🟡 Plan for `dc`: 1 change
               > This plan is not the one that was shown before: read it, then name its digest in `/apply`.
               - MIGRATE: it is in MAAS and differs from the declaration
               ! subnet 192.0.2.0/24 desks: gateway 192.0.2.99 -> 192.0.2.1  [desks]  # gateway
               *Next:* this is merged. Nothing changes in MAAS until an operator comments:
               /apply 0cd6-223e
    ");
    assert_ne!(scenario.digest(number), read);
    assert_eq!(scenario.write_count(), 0);
    assert_eq!(scenario.subnet().await.gateway, "192.0.2.99".parse().ok());
}

#[tokio::test]
async fn threat_37_two_orders_in_one_second_on_two_services_are_one_run() {
    let (mut scenario, number) = merged().await;
    scenario.comment("bob", number, "/apply");
    scenario.comment("carol", number, "/apply");
    let second = scenario.another_service(9_999).await;
    scenario.deliver_all().await;
    for _ in 0..200 {
        let (one, other) = tokio::join!(scenario.service.worker.step(), second.worker.step());
        let (one, other) = (one.unwrap(), other.unwrap());
        if let (
            service::worker::WorkerState::Idle(None),
            service::worker::WorkerState::Idle(None),
        ) = (one, other)
        {
            break;
        }
        scenario.advance(200);
    }
    // Which service takes which order varies, so there is no snapshot.
    assert_eq!(scenario.write_count(), 1);
    let own = scenario.bot_comments(number);
    let applied = own
        .iter()
        .filter(|it| it.body.contains("✅ Applied"))
        .count();
    assert_eq!(applied, 1, "{own:#?}");
}

#[tokio::test]
async fn threat_41_a_clock_that_is_wrong_by_an_hour_applies_nothing_twice() {
    for wrong in [-3_600_000, 3_600_000] {
        let (mut scenario, number) = merged().await;
        scenario.advance(wrong);
        let before = scenario.bot_comments(number).len();
        scenario.command("bob", number, "/apply").await;
        let answered = scenario.bot_comments(number).len() > before;
        scenario.advance(-wrong);
        scenario.run_until_idle().await;
        let said = scenario.since_last();
        assert!(answered, "the order ends in silence: {said}");
        let runs = scenario.service.journal.runs("dc", 9).await.unwrap();
        assert!(scenario.write_count() <= 1 && runs.len() <= 1, "{said}");
    }
}

#[tokio::test]
async fn threat_57_a_maas_that_does_not_answer_is_told_where_it_was_asked_for() {
    let mut scenario = Scenario::with(ScenarioOptions {
        api_key: Some("consumer:token:s3cret"),
        ..ScenarioOptions::default()
    })
    .await;
    let number = scenario.propose(&[(DESKS, Some(WITH_GATEWAY))]).await;
    scenario.command("alice", number, "/plan").await;
    let transcript = scenario.transcript();
    assert!(!transcript.contains("s3cret"), "{transcript}");
    assert_snapshot!(transcript, @r"
    alice    pushes to wip ~topology/desks.yaml
    alice    opens #1 from wip to main
    planebot comments on #1: ✋ Given up for now
               planebot tried this several times and failed:
               observing MAAS: `GET users/?op=whoami`: MAAS does not accept the API key (401); is the key complete and still valid, and is this machine's clock right?
               *Next:* when the cause is fixed, comment the command again, or `/plan`. This started or resumed no run.
    alice    comments on #1: /plan
    planebot reacts with eyes
    planebot comments on #1: ✋ Given up for now
               planebot tried this several times and failed:
               observing MAAS: `GET users/?op=whoami`: MAAS does not accept the API key (401); is the key complete and still valid, and is this machine's clock right?
               *Next:* when the cause is fixed, comment the command again, or `/plan`. This started or resumed no run.
    ");
    assert_unchanged(&scenario).await;
}

#[tokio::test]
async fn threat_42_outside_of_its_window_nothing_begins() {
    let mut scenario = Scenario::with(ScenarioOptions {
        policy: "windows = ['mon-sun 00:00-00:01']",
        ..ScenarioOptions::default()
    })
    .await;
    // Into the middle of some day, whenever this is run.
    let now = scenario.now();
    scenario.advance(12 * 3_600_000 - now.rem_euclid(24 * 3_600_000) + 24 * 3_600_000);
    let number = scenario.propose(&[(DESKS, Some(WITH_GATEWAY))]).await;
    scenario.merge(number, MergeMethod::Squash);
    scenario.run().await;
    scenario.since_last();
    scenario.command("bob", number, "/apply").await;
    assert_snapshot!(scenario.since_last(), @r"
    bob      comments on #1: /apply
    planebot reacts with eyes
    planebot reacts with confused
    planebot comments on #1: ✋ Not applied
               The change window is closed.
               - ✖ window: closed now
               *Next:* comment `/apply` again when the window is open.
    ");
    assert_unchanged(&scenario).await;
}

#[tokio::test]
async fn threat_58_a_store_from_yesterdays_backup_applies_nothing_again() {
    // The history says that it was done, also where somebody has undone it since; where the history is lost, MAAS shows it.
    let mut all = String::new();
    for since in [Since::Nothing, Since::Undone, Since::HistoryLost] {
        all.push_str(&format!(
            "Since the backup: {since:?}\n{}",
            restored(since).await
        ));
    }
    assert_snapshot!(all, @r"
    Since the backup: Nothing
    GitHub   check_run created is delivered by hand
    GitHub   issue_comment edited `### 🟡 Plan for `dc`: 1 change` is delivered by hand
    GitHub   issue_comment created `/apply` is delivered by hand
    planebot reacts with eyes
    planebot reacts with confused
    planebot comments on #1: ✋ Not applied
               The history branch has an earlier run of this plan; the store is older than that run.
               - ✖ digest: `planebot-history` has a run of `3909-fa4a` that is not in this store
               *Next:* check the history; open a new pull request for what is left to do.
    bob      comments on #1: /apply
    planebot reacts with eyes
    planebot reacts with confused
    planebot comments on #1: ✋ Not applied
               The history branch has an earlier run of this plan; the store is older than that run.
               - ✖ digest: `planebot-history` has a run of `3909-fa4a` that is not in this store
               *Next:* check the history; open a new pull request for what is left to do.
    Since the backup: Undone
    GitHub   check_run created is delivered by hand
    GitHub   issue_comment edited `### 🟡 Plan for `dc`: 1 change` is delivered by hand
    GitHub   issue_comment created `/apply` is delivered by hand
    planebot reacts with eyes
    planebot reacts with confused
    planebot comments on #1: ✋ Not applied
               The history branch has an earlier run of this plan; the store is older than that run.
               - ✖ digest: `planebot-history` has a run of `3909-fa4a` that is not in this store
               *Next:* check the history; open a new pull request for what is left to do.
    bob      comments on #1: /apply
    planebot reacts with eyes
    planebot reacts with confused
    planebot comments on #1: ✋ Not applied
               The history branch has an earlier run of this plan; the store is older than that run.
               - ✖ digest: `planebot-history` has a run of `3909-fa4a` that is not in this store
               *Next:* check the history; open a new pull request for what is left to do.
    Since the backup: HistoryLost
    GitHub   check_run created is delivered by hand
    GitHub   issue_comment edited `### 🟡 Plan for `dc`: 1 change` is delivered by hand
    GitHub   issue_comment created `/apply` is delivered by hand
    planebot reacts with eyes
    planebot reacts with confused
    planebot edits a comment on #1: 🟢 Plan for `dc`: no changes
               > This plan is not the one that was shown before: read it, then name its digest in `/apply`.
               - SKIP: its network is as declared and stays as it is
               *Next:* nothing to do in MAAS.
    planebot comments on #1: ✋ Not applied
               MAAS, or the merged declaration, has changed since this plan was made.
               - ✖ MAAS unchanged: reviewed `3909-fa4a`, now `c973-d46c`
               *Next:* read the new plan above; if it is right, name its digest in `/apply`.
    bob      comments on #1: /apply
    planebot reacts with eyes
    planebot reacts with confused
    planebot comments on #1: ✋ Not applied
               The plan changed after it was reviewed.
               - ✖ digest: `c973-d46c` is not the plan that was reviewed
               *Next:* read the plan above; if it is right, name its digest in `/apply`.
    ");
}

/// What happened between the run and the restoring of a backup from before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Since {
    Nothing,
    Undone,
    HistoryLost,
}

/// The transcript after the backup was restored.
async fn restored(since: Since) -> String {
    let (mut scenario, number) = merged().await;
    let store = scenario.folder.path().join("journal.db");
    let backup = scenario.folder.path().join("backup.db");
    let url = format!("sqlite://{}", store.display());
    scenario.service.worker.poll().await.unwrap();
    scenario.run_until_idle().await;
    // The copy of a store that nobody writes to just then.
    let copied = journal::Journal::open(&url).await.unwrap();
    drop(copied);
    for end in ["", "-wal", "-shm"] {
        let from = format!("{}{end}", store.display());
        if std::path::Path::new(&from).exists() {
            std::fs::copy(&from, format!("{}{end}", backup.display())).unwrap();
        }
    }
    scenario.hub.github().advance(60);
    scenario.comment("bob", number, "/apply");
    let sent = scenario.take_webhooks();
    for delivery in &sent {
        scenario.deliver(delivery).await;
    }
    scenario.run_until_idle().await;
    assert_eq!(scenario.write_count(), 1);
    match since {
        Since::Nothing => {}
        Since::Undone => {
            let undo = |subnet: &mut topology::object::Subnet| subnet.gateway = None;
            scenario.change_in_maas(undo).await;
        }
        Since::HistoryLost => {
            let mut hub = scenario.hub.github();
            let mut at = hub.at(REPOSITORY);
            let other = at.head("main").unwrap();
            at.push("bob", "planebot-history", other).unwrap();
        }
    }
    let url = format!("sqlite://{}", backup.display());
    scenario.use_journal(journal::Journal::open(&url).await.unwrap());
    scenario.since_last();
    // GitHub sends everything again, and is asked for what is missing.
    for delivery in &sent {
        assert_eq!(scenario.deliver(delivery).await, Stored::New);
    }
    scenario.run_until_idle().await;
    scenario.service.worker.poll().await.unwrap();
    scenario.run_until_idle().await;
    assert_eq!(scenario.write_count(), 1);
    scenario.command("bob", number, "/apply").await;
    assert_eq!(scenario.write_count(), 1);
    scenario.since_last()
}
