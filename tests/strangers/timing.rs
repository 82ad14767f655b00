//! Orders that come too early, too late, twice, out of order, or for something else than was read.

use journal::{Delivery, Stored};
use lab::github::MergeMethod;

use super::stage::{DESKS, NAME, Set, Stage, WITH_GATEWAY};

const REFUSED: &str = "Not applied";

/// A stage with a plan of one change, merged and told.
async fn merged() -> (Stage, u64) {
    let mut stage = Stage::new().await;
    let number = stage.proposed(&[(DESKS, Some(WITH_GATEWAY))]).await;
    stage.merge(number, MergeMethod::Squash);
    stage.work().await;
    (stage, number)
}

async fn stays_as_it_is(stage: &Stage) {
    assert_eq!(stage.writes(), 0);
    assert_eq!(stage.subnet().await.gateway, None);
}

#[tokio::test]
async fn threat_34_a_squashed_or_rebased_merge_is_the_plan_that_was_reviewed_or_none() {
    for how in [MergeMethod::Merge, MergeMethod::Squash, MergeMethod::Rebase] {
        let mut stage = Stage::new().await;
        let number = stage.proposed(&[(DESKS, Some(WITH_GATEWAY))]).await;
        let digest = stage.digest(number);
        stage.merge(number, how);
        stage.work().await;
        let said = stage.ask("bob", number, &format!("/apply {digest}")).await;
        assert!(said.contains("Applied"), "{said}");
        assert_eq!(stage.writes(), 1);
        assert!(stage.subnet().await.gateway.is_some());
    }
    // Something else went to the default branch before the merge: the tree is another one.
    let mut stage = Stage::new().await;
    let number = stage.proposed(&[(DESKS, Some(WITH_GATEWAY))]).await;
    let lamps = "plane: lamps\nfabric: blue\nvid: 7\ncidr: 198.51.100.0/24\n";
    stage.commit("main", &[("topology/lamps.yaml", Some(lamps))]);
    stage.merge(number, MergeMethod::Squash);
    stage.work().await;
    let said = stage.ask("bob", number, "/apply").await;
    assert!(
        said.contains(REFUSED) && said.contains("reviewed"),
        "{said}"
    );
    stays_as_it_is(&stage).await;
}

#[tokio::test]
async fn threat_9_a_comment_under_a_fresh_delivery_is_no_second_order() {
    let (mut stage, number) = merged().await;
    let order = stage.order("bob", number, "/apply");
    for id in ["one", "two"] {
        let again = Delivery {
            id: id.to_owned(),
            ..order.clone()
        };
        assert_eq!(stage.keep(&again).await, Stored::New);
    }
    stage.settle().await;
    assert_eq!(stage.writes(), 1);
    let refused = |comment: &lab::github::IssueCommentView| comment.body.contains('✋');
    assert!(!stage.own(number).iter().any(refused), "it was heard twice");
    let words = stage.own(number).len();
    let third = Delivery {
        id: "three".to_owned(),
        ..order.clone()
    };
    stage.keep(&third).await;
    stage.settle().await;
    assert_eq!((stage.writes(), stage.own(number).len()), (1, words));
}

#[tokio::test]
async fn threat_11_an_old_delivery_replayed_after_days_changes_nothing() {
    let (mut stage, number) = merged().await;
    let sent = [stage.order("bob", number, "/apply")];
    stage.keep(&sent[0]).await;
    stage.settle().await;
    assert_eq!(stage.writes(), 1);
    stage.by_hand(|subnet| subnet.gateway = None).await;
    stage.pass(3 * 24 * 3_600_000);
    for (index, delivery) in sent.iter().enumerate() {
        assert_eq!(stage.keep(delivery).await, Stored::Duplicate);
        let renamed = Delivery {
            id: format!("replayed-{index}"),
            ..delivery.clone()
        };
        stage.keep(&renamed).await;
    }
    stage.settle().await;
    assert_eq!(stage.writes(), 1);
}

#[tokio::test]
async fn threat_12_another_repository_of_that_name_is_not_heard() {
    let (mut stage, number) = merged().await;
    let order = stage.order("bob", number, "/apply");
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
        stage.keep(&forged).await;
    }
    stage.settle().await;
    stays_as_it_is(&stage).await;
    // The repository is deleted and made again by somebody else.
    {
        let mut hub = stage.hub.github();
        hub.delete_repository(NAME);
        hub.create_repository(NAME, false);
    }
    stage.keep(&order).await;
    stage.settle().await;
    stays_as_it_is(&stage).await;
}

#[tokio::test]
async fn threat_13_webhooks_in_any_order_end_the_same() {
    let mut stage = Stage::new().await;
    stage.commit("wip", &[(DESKS, Some(WITH_GATEWAY))]);
    let number = stage.open("alice", "wip", "main");
    stage.commit(
        "wip",
        &[("topology/site.yaml", Some("leave_alone: [fabric-9]\n"))],
    );
    stage.say("bob", number, "/status");
    stage.merge(number, MergeMethod::Merge);
    let mut sent = stage.sent();
    sent.reverse();
    for delivery in &sent {
        stage.keep(delivery).await;
    }
    stage.settle().await;
    // The merge was told before the pull request was: what is asked for then is planned from what is true.
    let said = stage.ask("bob", number, "/apply").await;
    assert!(said.contains(REFUSED) && said.contains("no plan"), "{said}");
    stays_as_it_is(&stage).await;
    // Nor is it lost: what is merged can still be planned, read, and applied.
    assert!(stage.ask("bob", number, "/plan").await.contains("1 change"));
    let said = stage.ask("bob", number, "/apply").await;
    assert!(said.contains("Applied"), "{said}");
    // A comment that was edited before it was told as new.
    let mut stage = merged().await.0;
    let id = stage.say("bob", 1, "hello");
    stage
        .hub
        .github()
        .at(NAME)
        .edit_comment("bob", id, "/apply")
        .unwrap();
    let mut sent = stage.sent();
    sent.reverse();
    for delivery in &sent {
        stage.keep(delivery).await;
    }
    stage.settle().await;
    stays_as_it_is(&stage).await;
}

#[tokio::test]
async fn threat_27_an_order_that_was_edited_or_removed_before_it_is_heard_is_none() {
    let (mut stage, number) = merged().await;
    let edited = stage.say("bob", number, "/apply");
    stage
        .hub
        .github()
        .at(NAME)
        .edit_comment("bob", edited, "/apply 0000-0000")
        .unwrap();
    let removed = stage.say("bob", number, "/apply");
    stage
        .hub
        .github()
        .at(NAME)
        .delete_comment("bob", removed)
        .unwrap();
    stage.work().await;
    stays_as_it_is(&stage).await;
}

#[tokio::test]
async fn threat_28_a_command_anywhere_but_in_a_pull_requests_conversation_is_none() {
    let (mut stage, _) = merged().await;
    let issue = stage
        .hub
        .github()
        .at(NAME)
        .open_issue("bob", "Do it", "/apply");
    assert_eq!(stage.ask("bob", issue, "/apply").await, "");
    stays_as_it_is(&stage).await;
}

#[tokio::test]
async fn threat_29_a_digest_of_another_plan_is_refused() {
    let mut stage = Stage::new().await;
    let number = stage.proposed(&[(DESKS, Some(WITH_GATEWAY))]).await;
    let first = stage.digest(number);
    let other = WITH_GATEWAY.replace("+1", "+2");
    stage.commit("wip", &[(DESKS, Some(&other))]);
    stage.work().await;
    let second = stage.digest(number);
    assert_ne!(first, second);
    stage.merge(number, MergeMethod::Squash);
    stage.work().await;
    for wrong in [&first, "0000-0000"] {
        let said = stage.ask("bob", number, &format!("/apply {wrong}")).await;
        assert!(said.contains(REFUSED) && said.contains(&second), "{said}");
    }
    stays_as_it_is(&stage).await;
}

#[tokio::test]
async fn threat_31_nothing_is_applied_before_the_merge_into_the_default_branch() {
    let mut stage = Stage::new().await;
    let number = stage.proposed(&[(DESKS, Some(WITH_GATEWAY))]).await;
    let said = stage.ask("bob", number, "/apply").await;
    assert!(
        said.contains(REFUSED) && said.contains("not merged"),
        "{said}"
    );
    stage.hub.github().at(NAME).close("alice", number).unwrap();
    stage.work().await;
    let said = stage.ask("bob", number, "/apply").await;
    assert!(said.contains(REFUSED), "{said}");
    // Merged, but into another branch.
    stage.commit("release", &[("README.md", Some("x\n"))]);
    stage.commit("wip2", &[(DESKS, Some(WITH_GATEWAY))]);
    let other = stage.open("alice", "wip2", "release");
    stage.work().await;
    stage.merge(other, MergeMethod::Merge);
    stage.work().await;
    let said = stage.ask("bob", other, "/apply").await;
    assert!(said.contains(REFUSED) && said.contains("release"), "{said}");
    // Retargeted before the merge, after the plan was read.
    stage.commit("wip3", &[(DESKS, Some(WITH_GATEWAY))]);
    let moved = stage.open("alice", "wip3", "main");
    stage.work().await;
    let base = serde_json::json!({"base": "release"});
    stage
        .hub
        .github()
        .at(NAME)
        .edit_pull("alice", moved, &base)
        .unwrap();
    stage.merge(moved, MergeMethod::Merge);
    stage.work().await;
    let said = stage.ask("bob", moved, "/apply").await;
    assert!(said.contains(REFUSED), "{said}");
    stays_as_it_is(&stage).await;
}

#[tokio::test]
async fn threat_32_a_merge_that_was_taken_off_the_default_branch_is_refused() {
    let mut stage = Stage::new().await;
    let before = stage.hub.github().at(NAME).head("main").unwrap();
    let number = stage.proposed(&[(DESKS, Some(WITH_GATEWAY))]).await;
    stage.merge(number, MergeMethod::Merge);
    stage
        .hub
        .github()
        .at(NAME)
        .push("bob", "main", before)
        .unwrap();
    stage.work().await;
    let said = stage.ask("bob", number, "/apply").await;
    assert!(
        said.contains(REFUSED) && said.contains("is not on"),
        "{said}"
    );
    stays_as_it_is(&stage).await;
}

#[tokio::test]
async fn threat_33_a_later_merge_of_the_same_site_is_the_one_to_apply() {
    let (mut stage, number) = merged().await;
    stage.pass(60_000);
    let other = WITH_GATEWAY.replace("+1", "+2");
    stage.commit("wip2", &[(DESKS, Some(&other))]);
    let later = stage.open("alice", "wip2", "main");
    stage.work().await;
    stage.merge(later, MergeMethod::Squash);
    stage.work().await;
    let said = stage.ask("bob", number, "/apply").await;
    assert!(
        said.contains(REFUSED) && said.contains(&format!("#{later}")),
        "{said}"
    );
    stays_as_it_is(&stage).await;
}

#[tokio::test]
async fn threat_33_a_push_past_every_pull_request_overtakes_the_merge_too() {
    let (mut stage, number) = merged().await;
    stage.commit("main", &[("README.md", Some("not ours\n"))]);
    stage.commit("main", &[(DESKS, Some(&WITH_GATEWAY.replace("+1", "+2")))]);
    stage.work().await;
    let said = stage.ask("bob", number, "/apply").await;
    assert!(
        said.contains(REFUSED) && said.contains("otherwise by now"),
        "{said}"
    );
    stays_as_it_is(&stage).await;
    // What touches nothing of the site overtakes nothing.
    let (mut stage, number) = merged().await;
    stage.commit("main", &[("README.md", Some("not ours\n"))]);
    let said = stage.ask("bob", number, "/apply").await;
    assert!(said.contains("Applied"), "{said}");
}

#[tokio::test]
async fn threat_35_a_plan_made_before_the_last_push_is_refused() {
    let mut stage = Stage::new().await;
    let number = stage.proposed(&[(DESKS, Some(WITH_GATEWAY))]).await;
    let read = stage.digest(number);
    // The push, its webhook lost, and the merge right after it.
    stage.commit("wip", &[(DESKS, Some(&WITH_GATEWAY.replace("+1", "+9")))]);
    stage.sent();
    stage.merge(number, MergeMethod::Merge);
    stage.work().await;
    for _ in 0..2 {
        let said = stage.ask("bob", number, &format!("/apply {read}")).await;
        assert!(said.contains(REFUSED) && said.contains(&read), "{said}");
    }
    assert_ne!(stage.digest(number), read, "the plan is shown as it is now");
    stays_as_it_is(&stage).await;
}

#[tokio::test]
async fn threat_36_a_maas_that_changed_after_the_plan_is_shown_anew_and_not_touched() {
    let (mut stage, number) = merged().await;
    let read = stage.digest(number);
    stage
        .by_hand(|subnet| subnet.gateway = "192.0.2.99".parse().ok())
        .await;
    let said = stage.ask("bob", number, &format!("/apply {read}")).await;
    assert!(said.contains(REFUSED) && said.contains(&read), "{said}");
    assert_ne!(stage.digest(number), read);
    assert!(stage.plan(number).contains("192.0.2.99"));
    assert_eq!(stage.writes(), 0);
    assert_eq!(stage.subnet().await.gateway, "192.0.2.99".parse().ok());
}

#[tokio::test]
async fn threat_37_two_orders_in_one_second_on_two_services_are_one_run() {
    let (mut stage, number) = merged().await;
    stage.say("bob", number, "/apply");
    stage.say("carol", number, "/apply");
    let second = stage.another(9_999).await;
    for delivery in stage.sent() {
        stage.keep(&delivery).await;
    }
    for _ in 0..200 {
        let (one, other) = tokio::join!(stage.service.worker.step(), second.worker.step());
        let (one, other) = (one.unwrap(), other.unwrap());
        if let (
            service::worker::WorkerState::Idle(None),
            service::worker::WorkerState::Idle(None),
        ) = (one, other)
        {
            break;
        }
        stage.pass(200);
    }
    assert_eq!(stage.writes(), 1);
    let own = stage.own(number);
    let applied = own
        .iter()
        .filter(|it| it.body.contains("✅ Applied"))
        .count();
    assert_eq!(applied, 1, "{own:#?}");
}

#[tokio::test]
async fn threat_41_a_clock_that_is_wrong_by_an_hour_applies_nothing_twice() {
    for wrong in [-3_600_000, 3_600_000] {
        let (mut stage, number) = merged().await;
        stage.pass(wrong);
        let said = stage.ask("bob", number, "/apply").await;
        stage.pass(-wrong);
        stage.settle().await;
        assert!(!said.is_empty(), "the order ends in silence");
        let runs = stage.service.journal.runs("dc", 9).await.unwrap();
        assert!(stage.writes() <= 1 && runs.len() <= 1, "{said}");
    }
}

#[tokio::test]
async fn threat_57_a_maas_that_does_not_answer_is_told_where_it_was_asked_for() {
    let mut stage = Stage::set(Set {
        key: Some("consumer:token:s3cret"),
        ..Set::default()
    })
    .await;
    let number = stage.proposed(&[(DESKS, Some(WITH_GATEWAY))]).await;
    let told = stage.own(number).pop().unwrap().body;
    assert!(told.contains("MAAS does not accept the API key"), "{told}");
    assert_eq!(told.matches("does not accept").count(), 1, "{told}");
    assert!(
        !told.contains("s3cret") && !told.contains("Expected"),
        "{told}"
    );
    let told = stage.ask("alice", number, "/plan").await;
    assert!(told.contains("MAAS does not accept the API key"), "{told}");
    stays_as_it_is(&stage).await;
}

#[tokio::test]
async fn threat_42_outside_of_its_window_nothing_begins() {
    let mut stage = Stage::set(Set {
        policy: "windows = ['mon-sun 00:00-00:01']",
        ..Set::default()
    })
    .await;
    // Into the middle of some day, whenever this is run.
    let now = (stage.service.wiring.clock)().0;
    stage.pass(12 * 3_600_000 - now.rem_euclid(24 * 3_600_000) + 24 * 3_600_000);
    let number = stage.proposed(&[(DESKS, Some(WITH_GATEWAY))]).await;
    stage.merge(number, MergeMethod::Squash);
    stage.work().await;
    let said = stage.ask("bob", number, "/apply").await;
    assert!(said.contains(REFUSED) && said.contains("window"), "{said}");
    stays_as_it_is(&stage).await;
}

#[tokio::test]
async fn threat_58_a_store_from_yesterdays_backup_applies_nothing_again() {
    // The history says that it was done, also where somebody has undone it since; where the history is lost, MAAS shows it.
    for since in [Since::Nothing, Since::Undone, Since::HistoryLost] {
        restored(since).await;
    }
}

/// What happened between the run and the restoring of a backup from before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Since {
    Nothing,
    Undone,
    HistoryLost,
}

async fn restored(since: Since) {
    let (mut stage, number) = merged().await;
    let store = stage.folder.path().join("journal.db");
    let backup = stage.folder.path().join("backup.db");
    let url = format!("sqlite://{}", store.display());
    stage.service.worker.poll().await.unwrap();
    stage.settle().await;
    // The copy of a store that nobody writes to just then.
    let copied = journal::Journal::open(&url).await.unwrap();
    drop(copied);
    for end in ["", "-wal", "-shm"] {
        let from = format!("{}{end}", store.display());
        if std::path::Path::new(&from).exists() {
            std::fs::copy(&from, format!("{}{end}", backup.display())).unwrap();
        }
    }
    stage.hub.github().advance(60);
    stage.say("bob", number, "/apply");
    let sent = stage.sent();
    for delivery in &sent {
        stage.keep(delivery).await;
    }
    stage.settle().await;
    assert_eq!(stage.writes(), 1);
    match since {
        Since::Nothing => {}
        Since::Undone => stage.by_hand(|subnet| subnet.gateway = None).await,
        Since::HistoryLost => {
            let mut hub = stage.hub.github();
            let mut at = hub.at(NAME);
            let other = at.head("main").unwrap();
            at.push("bob", "planebot-history", other).unwrap();
        }
    }
    stage.service.journal = journal::Journal::open(&format!("sqlite://{}", backup.display()))
        .await
        .unwrap();
    // GitHub sends everything again, and is asked for what is missing.
    for delivery in &sent {
        assert_eq!(stage.keep(delivery).await, Stored::New);
    }
    stage.settle().await;
    stage.service.worker.poll().await.unwrap();
    stage.settle().await;
    assert_eq!(stage.writes(), 1);
    let said = stage.ask("bob", number, "/apply").await;
    assert!(said.contains(REFUSED), "{said}");
    let by_the_history = since != Since::HistoryLost;
    assert_eq!(said.contains("planebot-history"), by_the_history, "{said}");
    assert_eq!(stage.writes(), 1);
}
