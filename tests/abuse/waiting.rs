//! What waits, and what does not wait for it: deliveries that fail, replies that GitHub does not take now or ever.

use insta::assert_snapshot;
use journal::{OutboxMessage, OutboxPayload, Retried};
use lab::github::MergeMethod;
use lab::maas::HttpFault;
use service::worker::WorkerState;
use topology::observed::Timestamp;

use support_scenario::{DESKS, Scenario, WITH_GATEWAY};

/// A scenario with two pull requests, planned. The transcript goes on from there.
async fn two() -> (Scenario, u64, u64) {
    let mut scenario = Scenario::new().await;
    let one = scenario.propose(&[(DESKS, Some(WITH_GATEWAY))]).await;
    scenario.push("wip2", &[(DESKS, Some(&WITH_GATEWAY.replace("+1", "+2")))]);
    let other = scenario.open_pull("alice", "wip2", "main");
    scenario.run().await;
    assert_eq!(
        (
            scenario.bot_comments(one).len(),
            scenario.bot_comments(other).len()
        ),
        (1, 1)
    );
    scenario.since_last();
    (scenario, one, other)
}

/// Works on what can be done now; no time passes.
async fn at_once(scenario: &mut Scenario) -> Option<Timestamp> {
    scenario.deliver_all().await;
    scenario.service.worker.run_until_idle().await.unwrap()
}

fn files_of(number: u64) -> String {
    format!("/pulls/{number}/files")
}

#[tokio::test]
async fn a_failing_delivery_delays_only_its_own_pull_request_and_keeps_its_order() {
    let (mut scenario, one, other) = two().await;
    scenario.inject_fault(&files_of(one), HttpFault::Answer(502));
    scenario.comment("alice", one, "/status");
    scenario.comment("alice", one, "/help");
    scenario.comment("alice", other, "/status");
    assert!(at_once(&mut scenario).await.is_some());
    assert_eq!(
        (
            scenario.bot_comments(one).len(),
            scenario.bot_comments(other).len()
        ),
        (1, 2)
    );
    assert_eq!(
        scenario.service.journal.queue_depth().await.unwrap(),
        (2, 0)
    );
    scenario.clear_faults();
    scenario.run_until_idle().await;
    assert_snapshot!(scenario.since_last(), @r"
    GitHub   fails with Answer(502): /pulls/1/files
    alice    comments on #1: /status
    alice    comments on #1: /help
    alice    comments on #2: /status
    planebot reacts with eyes
    planebot reacts with eyes
    planebot comments on #2: Status: planned
               Plan `e61d-2c7b`: 1 steps, 0 gates.
    GitHub   works again
    planebot comments on #1: Status: planned
               Plan `3909-fa4a`: 1 steps, 0 gates.
    planebot reacts with eyes
    planebot comments on #1: planebot
               - `/plan` make the plan again
               - `/apply [digest]` apply the plan, or resume a run that stopped
               - `/done GATE [evidence]` the work at a gate is done: check it, then continue
               - `/abort` end the run after the current step
               - `/status` show the status
               - `/why OBJECT` show which steps touch an object
               - `/help` show this list
    ");
}

#[tokio::test]
async fn a_delivery_that_keeps_failing_is_set_aside_reported_and_can_be_retried() {
    let (mut scenario, one, _) = two().await;
    scenario.inject_fault(&files_of(one), HttpFault::Answer(502));
    let failing = scenario.hold_back("alice", one, "/status");
    scenario.deliver(&failing).await;
    scenario.advance(1);
    let began = scenario.now();
    scenario.run_until_idle().await;
    let tries = scenario.request_times(&files_of(one));
    let tries: Vec<i64> = tries.into_iter().filter(|at| *at >= began).collect();
    assert_eq!(tries.len(), 9, "{tries:?}");
    // One second, then two, then four, …
    assert!(tries[8] - tries[0] >= 255_000, "{tries:?}");
    let journal = &scenario.service.journal;
    assert_eq!(journal.queue_depth().await.unwrap(), (0, 1));
    let dead = journal.dead_letters(9).await.unwrap().remove(0);
    assert_eq!(dead.id, failing.id);
    assert_snapshot!(dead.why, @"listing the files of pull request #1: GitHub answered 502");
    scenario.clear_faults();
    // Later webhooks of the same pull request are not held up.
    scenario.command("alice", one, "/status").await;
    let journal = &scenario.service.journal;
    assert_eq!(journal.retry(&failing.id).await.unwrap(), Retried::Delivery);
    scenario.run_until_idle().await;
    assert_eq!(
        scenario.service.journal.queue_depth().await.unwrap(),
        (0, 0)
    );
    assert_snapshot!(scenario.since_last(), @r"
    GitHub   fails with Answer(502): /pulls/1/files
    alice    comments on #1: /status
    GitHub   issue_comment created `/status` is delivered by hand
    planebot reacts with eyes
    planebot comments on #1: ✋ Given up for now
               planebot tried this several times and failed:
               listing the files of pull request #1: GitHub answered 502
               *Next:* when the cause is fixed, comment the command again, or `/plan`. This started or resumed no run.
    GitHub   works again
    alice    comments on #1: /status
    planebot reacts with eyes
    planebot comments on #1: Status: planned
               Plan `3909-fa4a`: 1 steps, 0 gates.
    planebot comments on #1: Status: planned
               Plan `3909-fa4a`: 1 steps, 0 gates.
    ");
}

#[tokio::test]
async fn a_delivery_that_crashes_the_process_each_time_is_set_aside() {
    let (mut scenario, one, _) = two().await;
    let failing = scenario.hold_back("alice", one, "/status");
    scenario.deliver(&failing).await;
    for _ in 0..9 {
        let lanes = journal::Lanes::default();
        scenario
            .service
            .journal
            .start_delivery(&failing.id, &lanes)
            .await
            .unwrap();
    }
    scenario.run_until_idle().await;
    let journal = &scenario.service.journal;
    let dead = journal.dead_letters(9).await.unwrap().remove(0);
    assert_snapshot!(dead.why, @"planebot stopped each time while processing it");
    assert_snapshot!(scenario.since_last(), @r"
    alice    comments on #1: /status
    GitHub   issue_comment created `/status` is delivered by hand
    planebot comments on #1: ✋ Given up for now
               planebot tried this several times and failed:
               planebot stopped each time while processing it
               *Next:* when the cause is fixed, comment the command again, or `/plan`. This started or resumed no run.
    ");
}

#[tokio::test]
async fn a_run_makes_progress_while_many_deliveries_wait() {
    let (mut scenario, one, other) = two().await;
    scenario.merge(one, MergeMethod::Squash);
    scenario.run().await;
    let order = scenario.hold_back("bob", one, "/apply");
    scenario.deliver(&order).await;
    for _ in 0..60 {
        let storm = scenario.hold_back("alice", other, "/help");
        scenario.deliver(&storm).await;
    }
    for _ in 0..1_000 {
        if scenario.write_count() == 1 {
            break;
        }
        assert_eq!(
            scenario.service.worker.step().await.unwrap(),
            WorkerState::Progressed
        );
    }
    let (waiting, _) = scenario.service.journal.queue_depth().await.unwrap();
    assert!(waiting > 20, "{waiting} still wait");
}

#[tokio::test]
async fn while_github_limits_requests_nothing_is_sent_and_runs_go_on() {
    let (mut scenario, one, other) = two().await;
    scenario.merge(one, MergeMethod::Squash);
    scenario.run().await;
    scenario.since_last();
    let order = scenario.hold_back("bob", one, "/apply");
    scenario.deliver(&order).await;
    let service = &scenario.service;
    while service.journal.open_runs().await.unwrap().is_empty() {
        service.worker.step().await.unwrap();
    }
    scenario.inject_fault(" /", HttpFault::RetryAfter(429, 600));
    let question = scenario.hold_back("alice", other, "/status");
    scenario.deliver(&question).await;
    scenario.advance(1);
    let began = scenario.now();
    let until = at_once(&mut scenario).await.unwrap();
    assert!(until.0 >= began + 600_000, "{}", until.0 - began);
    assert_eq!(scenario.write_count(), 1, "MAAS has no part in it");
    let sent = |scenario: &Scenario| {
        let times = scenario.request_times(" /");
        times.iter().filter(|at| **at >= began).count()
    };
    assert_eq!(sent(&scenario), 1, "the one that got the limit");
    scenario.clear_faults();
    scenario.advance(300_000);
    scenario.service.worker.run_until_idle().await.unwrap();
    assert_eq!(sent(&scenario), 1);
    scenario.run_until_idle().await;
    assert_snapshot!(scenario.since_last(), @r"
    bob      comments on #1: /apply
    GitHub   issue_comment created `/apply` is delivered by hand
    GitHub   fails with RetryAfter(429, 600):  /
    alice    comments on #2: /status
    GitHub   issue_comment created `/status` is delivered by hand
    planebot reacts with eyes (RetryAfter(429, 600))
    MAAS     PUT subnets/1/ gateway_ip=192.0.2.1
    GitHub   works again
    planebot sets the check to in_progress: applying
    planebot reacts with eyes
    planebot reacts with rocket
    planebot comments on #1: 🔵 Applying 3909-fa4a to `dc` — 1 of 1
               - [x] stand up: 1 of 1
    planebot reacts with eyes
    planebot comments on #2: Status: planned
               Plan `e61d-2c7b`: 1 steps, 0 gates.
    planebot edits a comment on #1: 🟡 Plan for `dc`: 1 change
               Plan: 0 to add, 1 to change, 0 to remove.
               - MIGRATE: it is in MAAS and differs from the declaration
               ! subnet 192.0.2.0/24 desks: gateway none -> 192.0.2.1  [desks]  # gateway
               *Next:* nothing: this plan is applied and verified.
    planebot pushes to planebot-history +history/dc/TIME-pr1-3909-fa4a/run.json
    planebot sets the check to success: applied, proved twice
    planebot edits a comment on #1: ✅ Applied 3909-fa4a to `dc`, proved twice
               - [x] stand up: 1 of 1
    ");
    // A limit is no failure: nothing was counted, and nothing is shown.
    assert_eq!(
        scenario.service.journal.queue_depth().await.unwrap(),
        (0, 0)
    );
    assert_eq!(
        scenario.service.journal.outbox_depth().await.unwrap(),
        (0, 0)
    );
}

#[tokio::test]
async fn writes_stay_within_githubs_limit_and_checks_go_first_also_after_a_restart() {
    let (mut scenario, one, other) = two().await;
    let before = scenario.bot_comments(one).len();
    for _ in 0..70 {
        scenario.comment("alice", one, "/help");
    }
    at_once(&mut scenario).await.unwrap();
    // Words wait now; what stands in a check does not, nor does a process that starts again begin to count anew.
    scenario.service = scenario.another_service(9_998).await;
    let (_, waiting) = (
        scenario.bot_comments(one).len(),
        scenario.service.journal.outbox_depth().await.unwrap().0,
    );
    assert!(waiting > 20, "{waiting}");
    scenario.push("wip2", &[(DESKS, Some(&WITH_GATEWAY.replace("+1", "+3")))]);
    let checks = scenario
        .request_times("POST /repos/acme/network/check-runs")
        .len();
    let words = scenario.bot_comments(other).len();
    at_once(&mut scenario).await.unwrap();
    assert_eq!(
        scenario
            .request_times("POST /repos/acme/network/check-runs")
            .len(),
        checks + 1
    );
    assert_eq!(scenario.bot_comments(other).len(), words);
    for _ in 0..10 {
        scenario.run_until_idle().await;
    }
    assert_eq!(scenario.bot_comments(one).len(), before + 70);
    assert_eq!(
        scenario.service.journal.outbox_depth().await.unwrap(),
        (0, 0)
    );
    let made = scenario.request_times("POST /repos");
    for (index, at) in made.iter().enumerate() {
        let minute = made[index..]
            .iter()
            .take_while(|other| **other < at + 60_000);
        assert!(minute.count() <= 62, "the last of them may be a commit");
    }
}

#[tokio::test]
async fn a_comment_is_edited_once_in_five_seconds_at_most_and_ends_with_the_last_text() {
    let (mut scenario, one, _) = two().await;
    let body = |count: i64| OutboxMessage {
        key: "counting".to_owned(),
        repository: support_scenario::REPOSITORY.to_owned(),
        target: Some(i64::try_from(one).unwrap()),
        payload: OutboxPayload::Comment {
            text: format!("{count} so far"),
        },
    };
    for count in 0..20 {
        let now = Timestamp(scenario.now());
        scenario
            .service
            .journal
            .enqueue(&body(count), now)
            .await
            .unwrap();
        at_once(&mut scenario).await;
        scenario.advance(1_000);
    }
    scenario.run_until_idle().await;
    let edits = scenario.request_times("PATCH /repos/acme/network/issues/comments/");
    assert!(edits.len() >= 3, "{edits:?}");
    for pair in edits.windows(2) {
        assert!(pair[1] - pair[0] >= 4_990, "{edits:?}");
    }
    let said = scenario.bot_comments(one).pop().unwrap().body;
    assert!(said.starts_with("19 so far"), "{said}");
}

#[tokio::test]
async fn a_reply_that_github_refuses_is_given_up_and_delays_no_other() {
    let (mut scenario, one, other) = two().await;
    let comments = format!("POST /repos/acme/network/issues/{one}/comments");
    for status in [403, 404, 410, 422] {
        scenario.inject_fault(&comments, HttpFault::Answer(status));
        let tried = scenario.request_times(&comments).len();
        scenario.comment("alice", one, "/help");
        let before = scenario.bot_comments(other).len();
        scenario.command("alice", other, "/help").await;
        let answers = scenario.bot_comments(other).split_off(before);
        assert_eq!(answers.len(), 1);
        assert!(answers[0].body.contains("/apply"), "{answers:?}");
        if status == 403 {
            // Perhaps a right that somebody gives in a minute: tried for longer.
            assert!(scenario.request_times(&comments).len() - tried > 5);
            scenario.clear_faults();
            for _ in 0..3 {
                scenario.run_until_idle().await;
            }
            assert_eq!(
                scenario.service.journal.outbox_depth().await.unwrap(),
                (0, 0)
            );
            continue;
        }
        assert_eq!(
            scenario.request_times(&comments).len() - tried,
            3,
            "{status}"
        );
        let journal = &scenario.service.journal;
        assert_eq!(journal.outbox_depth().await.unwrap(), (0, 1));
        let shown = journal.given_up_messages(9).await.unwrap().remove(0);
        assert!(shown.why.contains(&status.to_string()), "{shown:?}");
        scenario.clear_faults();
        assert_eq!(journal.retry(&shown.id).await.unwrap(), Retried::Message);
        let before = scenario.bot_comments(one).len();
        scenario.run_until_idle().await;
        assert_eq!(scenario.bot_comments(one).len(), before + 1);
    }
}

#[tokio::test]
async fn finished_work_is_deleted_and_later_orders_are_answered_as_before() {
    const DAY: i64 = 86_400_000;
    let (mut scenario, one, _) = two().await;
    scenario.merge(one, MergeMethod::Squash);
    scenario.run().await;
    let order = scenario.hold_back("bob", one, "/apply");
    scenario.deliver(&order).await;
    scenario.run_until_idle().await;
    assert_eq!(scenario.write_count(), 1);
    let words = scenario.bot_comments(one).len();
    // Everybody says everything once more, as after a restart.
    scenario.advance(31 * DAY);
    while scenario.service.worker.remove_finished().await.unwrap() {}
    assert_eq!(
        scenario.service.journal.counts().await.unwrap().deliveries,
        0
    );
    assert_eq!(scenario.service.journal.counts().await.unwrap().messages, 0);
    scenario.service = scenario.another_service(9_997).await;
    scenario.run_until_idle().await;
    scenario.service.worker.poll().await.unwrap();
    assert_eq!(scenario.deliver(&order).await, journal::Stored::New);
    scenario.run_until_idle().await;
    assert_eq!(
        (scenario.write_count(), scenario.bot_comments(one).len()),
        (1, words)
    );
    scenario.since_last();
    scenario.command("bob", one, "/apply").await;
    assert_snapshot!(scenario.since_last(), @r"
    bob      comments on #1: /apply
    planebot reacts with eyes
    planebot reacts with confused
    planebot comments on #1: ✋ Not applied
               This is already applied.
               - ✖ digest: it was applied
               *Next:* nothing to do.
    ");
    assert_eq!(scenario.write_count(), 1);
}
