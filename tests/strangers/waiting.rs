//! What waits, and what does not wait for it: deliveries that fail, replies that GitHub does not take now or ever.

use journal::{OutboxMessage, OutboxPayload, Retried};
use lab::github::MergeMethod;
use lab::maas::HttpFault;
use service::worker::WorkerState;
use topology::observed::Timestamp;

use super::stage::{DESKS, Stage, WITH_GATEWAY};

/// A stage with two pull requests, planned.
async fn two() -> (Stage, u64, u64) {
    let mut stage = Stage::new().await;
    let one = stage.proposed(&[(DESKS, Some(WITH_GATEWAY))]).await;
    stage.commit("wip2", &[(DESKS, Some(&WITH_GATEWAY.replace("+1", "+2")))]);
    let other = stage.open("alice", "wip2", "main");
    stage.work().await;
    assert_eq!((stage.own(one).len(), stage.own(other).len()), (1, 1));
    (stage, one, other)
}

/// Works on what can be done now; no time passes.
async fn at_once(stage: &mut Stage) -> Option<Timestamp> {
    for delivery in stage.sent() {
        stage.keep(&delivery).await;
    }
    stage.service.worker.run_until_idle().await.unwrap()
}

fn files_of(number: u64) -> String {
    format!("/pulls/{number}/files")
}

#[tokio::test]
async fn a_delivery_that_fails_holds_up_its_own_pull_request_alone_and_keeps_its_order() {
    let (mut stage, one, other) = two().await;
    stage.breaks(&files_of(one), HttpFault::Answer(502));
    stage.say("alice", one, "/status");
    stage.say("alice", one, "/help");
    stage.say("alice", other, "/status");
    assert!(at_once(&mut stage).await.is_some());
    assert_eq!((stage.own(one).len(), stage.own(other).len()), (1, 2));
    assert_eq!(stage.service.journal.queue_depth().await.unwrap(), (2, 0));
    stage.mends();
    stage.settle().await;
    let said: Vec<String> = stage.own(one).into_iter().map(|it| it.body).collect();
    assert_eq!(said.len(), 3);
    assert!(
        said[1].contains("planned") && said[2].contains("/apply"),
        "{said:#?}"
    );
}

#[tokio::test]
async fn poison_is_parked_told_and_shown_frees_its_lane_and_can_be_tried_again() {
    let (mut stage, one, _) = two().await;
    stage.breaks(&files_of(one), HttpFault::Answer(502));
    let poison = stage.order("alice", one, "/status");
    stage.keep(&poison).await;
    let began = stage.now();
    stage.settle().await;
    let tries = stage.asked(&files_of(one));
    let tries: Vec<i64> = tries.into_iter().filter(|at| *at >= began).collect();
    assert_eq!(tries.len(), 9, "{tries:?}");
    // One second, then two, then four, …
    assert!(tries[8] - tries[0] >= 255_000, "{tries:?}");
    let journal = &stage.service.journal;
    assert_eq!(journal.queue_depth().await.unwrap(), (0, 1));
    let parked = journal.dead_letters(9).await.unwrap().remove(0);
    assert_eq!(parked.id, poison.id);
    assert!(parked.why.contains("502"), "{parked:?}");
    assert!(
        stage
            .own(one)
            .pop()
            .unwrap()
            .body
            .contains("Given up for now")
    );
    stage.mends();
    let said = stage.ask("alice", one, "/status").await;
    assert!(
        said.contains("1 webhook about this"),
        "its lane is free: {said}"
    );
    let journal = &stage.service.journal;
    assert_eq!(journal.retry(&poison.id).await.unwrap(), Retried::Delivery);
    stage.settle().await;
    assert_eq!(stage.service.journal.queue_depth().await.unwrap(), (0, 0));
    assert!(stage.own(one).pop().unwrap().body.contains("planned"));
}

#[tokio::test]
async fn a_delivery_that_ends_the_process_each_time_is_parked() {
    let (mut stage, one, _) = two().await;
    let poison = stage.order("alice", one, "/status");
    stage.keep(&poison).await;
    for _ in 0..9 {
        let lanes = journal::Lanes::default();
        stage
            .service
            .journal
            .start_delivery(&poison.id, &lanes)
            .await
            .unwrap();
    }
    stage.settle().await;
    let parked = stage
        .service
        .journal
        .dead_letters(9)
        .await
        .unwrap()
        .remove(0);
    assert!(parked.why.contains("stopped each time"), "{parked:?}");
    assert!(
        stage
            .own(one)
            .pop()
            .unwrap()
            .body
            .contains("Given up for now")
    );
}

#[tokio::test]
async fn a_run_gets_its_turn_while_many_deliveries_wait() {
    let (mut stage, one, other) = two().await;
    stage.merge(one, MergeMethod::Squash);
    stage.work().await;
    let order = stage.order("bob", one, "/apply");
    stage.keep(&order).await;
    for _ in 0..60 {
        let storm = stage.order("alice", other, "/help");
        stage.keep(&storm).await;
    }
    for _ in 0..1_000 {
        if stage.writes() == 1 {
            break;
        }
        assert_eq!(
            stage.service.worker.step().await.unwrap(),
            WorkerState::Progressed
        );
    }
    let (waiting, _) = stage.service.journal.queue_depth().await.unwrap();
    assert!(waiting > 20, "{waiting} still wait");
}

#[tokio::test]
async fn while_github_wants_to_be_left_alone_nothing_is_sent_and_runs_go_on() {
    let (mut stage, one, other) = two().await;
    stage.merge(one, MergeMethod::Squash);
    stage.work().await;
    let order = stage.order("bob", one, "/apply");
    stage.keep(&order).await;
    while stage.service.journal.open_runs().await.unwrap().is_empty() {
        stage.service.worker.step().await.unwrap();
    }
    stage.breaks(" /", HttpFault::RetryAfter(429, 600));
    let question = stage.order("alice", other, "/status");
    stage.keep(&question).await;
    let began = stage.now();
    let until = stage
        .service
        .worker
        .run_until_idle()
        .await
        .unwrap()
        .unwrap();
    assert!(until.0 >= began + 600_000, "{}", until.0 - began);
    assert_eq!(stage.writes(), 1, "MAAS has no part in it");
    let sent = |stage: &Stage| stage.asked(" /").iter().filter(|at| **at >= began).count();
    assert_eq!(sent(&stage), 1, "the one that was told so");
    stage.mends();
    stage.pass(300_000);
    stage.service.worker.run_until_idle().await.unwrap();
    assert_eq!(sent(&stage), 1);
    stage.settle().await;
    assert!(stage.own(other).pop().unwrap().body.contains("planned"));
    assert!(
        stage
            .own(one)
            .iter()
            .any(|it| it.body.contains("✅ Applied"))
    );
    // A limit is no failure: nothing was counted, and nothing is shown.
    assert_eq!(stage.service.journal.queue_depth().await.unwrap(), (0, 0));
    assert_eq!(stage.service.journal.outbox_depth().await.unwrap(), (0, 0));
}

#[tokio::test]
async fn no_more_is_made_in_a_minute_than_github_takes_and_checks_go_first_also_over_a_restart() {
    let (mut stage, one, other) = two().await;
    let before = stage.own(one).len();
    for _ in 0..70 {
        stage.say("alice", one, "/help");
    }
    at_once(&mut stage).await.unwrap();
    // Words wait now; what stands in a check does not, nor does a process that starts again begin to count anew.
    stage.service = stage.another(9_998).await;
    let (_, waiting) = (
        stage.own(one).len(),
        stage.service.journal.outbox_depth().await.unwrap().0,
    );
    assert!(waiting > 20, "{waiting}");
    stage.commit("wip2", &[(DESKS, Some(&WITH_GATEWAY.replace("+1", "+3")))]);
    let checks = stage.asked("POST /repos/acme/network/check-runs").len();
    let words = stage.own(other).len();
    at_once(&mut stage).await.unwrap();
    assert_eq!(
        stage.asked("POST /repos/acme/network/check-runs").len(),
        checks + 1
    );
    assert_eq!(stage.own(other).len(), words);
    for _ in 0..10 {
        stage.settle().await;
    }
    assert_eq!(stage.own(one).len(), before + 70);
    assert_eq!(stage.service.journal.outbox_depth().await.unwrap(), (0, 0));
    let made = stage.asked("POST /repos");
    for (index, at) in made.iter().enumerate() {
        let minute = made[index..]
            .iter()
            .take_while(|other| **other < at + 60_000);
        assert!(minute.count() <= 62, "the last of them may be a commit");
    }
}

#[tokio::test]
async fn a_comment_is_edited_once_in_five_seconds_at_most_and_says_the_last_words() {
    let (mut stage, one, _) = two().await;
    let body = |count: i64| OutboxMessage {
        key: "counting".to_owned(),
        repository: super::stage::NAME.to_owned(),
        target: Some(i64::try_from(one).unwrap()),
        payload: OutboxPayload::Comment {
            text: format!("{count} so far"),
        },
    };
    for count in 0..20 {
        let now = Timestamp(stage.now());
        stage
            .service
            .journal
            .enqueue(&body(count), now)
            .await
            .unwrap();
        at_once(&mut stage).await;
        stage.pass(1_000);
    }
    stage.settle().await;
    let edits = stage.asked("PATCH /repos/acme/network/issues/comments/");
    assert!(edits.len() >= 3, "{edits:?}");
    for pair in edits.windows(2) {
        assert!(pair[1] - pair[0] >= 4_990, "{edits:?}");
    }
    let said = stage.own(one).pop().unwrap().body;
    assert!(said.starts_with("19 so far"), "{said}");
}

#[tokio::test]
async fn a_reply_that_github_refuses_is_given_up_and_holds_up_no_other() {
    let (mut stage, one, other) = two().await;
    let comments = format!("POST /repos/acme/network/issues/{one}/comments");
    for status in [403, 404, 410, 422] {
        stage.breaks(&comments, HttpFault::Answer(status));
        let tried = stage.asked(&comments).len();
        stage.say("alice", one, "/help");
        let said = stage.ask("alice", other, "/help").await;
        assert!(said.contains("/apply"), "{said}");
        if status == 403 {
            // Perhaps a right that somebody gives in a minute: tried for longer.
            assert!(stage.asked(&comments).len() - tried > 5);
            stage.mends();
            for _ in 0..3 {
                stage.settle().await;
            }
            assert_eq!(stage.service.journal.outbox_depth().await.unwrap(), (0, 0));
            continue;
        }
        assert_eq!(stage.asked(&comments).len() - tried, 3, "{status}");
        let journal = &stage.service.journal;
        assert_eq!(journal.outbox_depth().await.unwrap(), (0, 1));
        let shown = journal.given_up_messages(9).await.unwrap().remove(0);
        assert!(shown.why.contains(&status.to_string()), "{shown:?}");
        stage.mends();
        assert_eq!(journal.retry(&shown.id).await.unwrap(), Retried::Message);
        let before = stage.own(one).len();
        stage.settle().await;
        assert_eq!(stage.own(one).len(), before + 1);
    }
}

#[tokio::test]
async fn what_is_over_goes_and_what_is_ordered_after_it_is_answered_as_ever() {
    const DAY: i64 = 86_400_000;
    let (mut stage, one, _) = two().await;
    stage.merge(one, MergeMethod::Squash);
    stage.work().await;
    let order = stage.order("bob", one, "/apply");
    stage.keep(&order).await;
    stage.settle().await;
    assert_eq!(stage.writes(), 1);
    let words = stage.own(one).len();
    // Everybody says everything once more, as after a restart.
    stage.pass(31 * DAY);
    while stage.service.worker.remove_finished().await.unwrap() {}
    assert_eq!(stage.service.journal.counts().await.unwrap().deliveries, 0);
    assert_eq!(stage.service.journal.counts().await.unwrap().messages, 0);
    stage.service = stage.another(9_997).await;
    stage.settle().await;
    stage.service.worker.poll().await.unwrap();
    assert_eq!(stage.keep(&order).await, journal::Stored::New);
    stage.settle().await;
    assert_eq!((stage.writes(), stage.own(one).len()), (1, words));
    let said = stage.ask("bob", one, "/apply").await;
    assert!(said.contains("Not applied"), "{said}");
    assert_eq!(stage.writes(), 1);
}
