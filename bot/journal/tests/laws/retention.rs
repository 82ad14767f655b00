//! The store stays bounded, and keeps what prevents finished work from being done again.

use journal::{OutboxKind, RateTier, Removed, SendFailure, Sent, Settled, Stored};
use plan::run::Fact;

use crate::{
    NOW, Store, as_message, began, comment, created, delivery, later, message, new_run, of_kind,
    started, taken,
};

/// Finished and open rows, at least one of each kind.
async fn filled(it: &Store) -> journal::RunId {
    for id in ["done", "dead", "waiting"] {
        it.one.store_delivery(&delivery(id), NOW).await.unwrap();
    }
    it.one.settle("done", &Settled::Done, NOW).await.unwrap();
    let dead = Settled::DeadLetter("poison".to_owned());
    it.one.settle("dead", &dead, NOW).await.unwrap();
    it.one
        .claim_comment(&comment(7, "done"), NOW)
        .await
        .unwrap();
    let lease = taken(&it.one, "s").await;
    let run = it.one.begin(&new_run("s"), &began(), NOW).await.unwrap();
    it.one.add(run, &lease, &Fact::Finished, NOW).await.unwrap();
    it.one.begin(&new_run("s"), &began(), NOW).await.unwrap();
    for (key, kind, remote) in [
        ("comment", OutboxKind::Comment, Some(77)),
        ("nameless", OutboxKind::Comment, None),
        ("reaction", OutboxKind::Reaction, Some(78)),
    ] {
        it.one.enqueue(&of_kind(key, kind), NOW).await.unwrap();
        let pending = it
            .one
            .next_message(NOW, RateTier::All)
            .await
            .unwrap()
            .unwrap();
        let sent = Sent {
            remote,
            created: true,
        };
        it.one.mark_sent(&pending, sent, NOW, NOW).await.unwrap();
    }
    it.one
        .enqueue(&message("pending", "text"), NOW)
        .await
        .unwrap();
    run
}

pub(crate) async fn finished_work_is_deleted_and_nothing_else(it: Store) {
    let run = filled(&it).await;
    it.one
        .enqueue(&message("refused", "text"), NOW)
        .await
        .unwrap();
    let given_up = SendFailure::GivenUp(NOW);
    it.one
        .mark_failed("refused", given_up, "422")
        .await
        .unwrap();
    assert_eq!(
        it.one.remove_finished(NOW).await.unwrap(),
        Removed::default()
    );
    let removed = Removed {
        deliveries: 2,
        runs: 1,
        messages: 4,
    };
    assert_eq!(it.one.remove_finished(later(1)).await.unwrap(), removed);
    assert_eq!(
        it.one.remove_finished(later(1)).await.unwrap(),
        Removed::default()
    );
    let again = it.again().await;
    let finished = again.run(run).await.unwrap().unwrap();
    assert_eq!(
        (finished.new.record.as_str(), finished.new.digest.as_str()),
        ("null", "0000-0000")
    );
    assert_eq!(again.facts(run).await.unwrap().len(), 2);
    let open = again.open_runs().await.unwrap().remove(0);
    assert_eq!(open.new, new_run("s"));
    let waiting = started(&again).await.unwrap().unwrap();
    assert_eq!(waiting.delivery, delivery("waiting"));
    assert_eq!(again.queue_depth().await.unwrap(), (1, 0));
    let pending = again
        .next_message(NOW, RateTier::All)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(as_message(&pending), message("pending", "text"));
    assert_eq!(again.outbox_depth().await.unwrap(), (1, 0));
}

/// GitHub redelivers for at most three days. A delivery that is replayed after its row was deleted finds its comment
/// claimed, also under the id that claimed it.
pub(crate) async fn a_comment_stays_claimed_after_its_delivery_is_deleted(it: Store) {
    filled(&it).await;
    assert!(
        it.one
            .claim_comment(&comment(7, "done"), NOW)
            .await
            .unwrap()
    );
    it.one.remove_finished(later(1)).await.unwrap();
    let again = it.again().await;
    let stored = again
        .store_delivery(&delivery("done"), later(2))
        .await
        .unwrap();
    assert_eq!(stored, Stored::New);
    for id in ["done", "fresh"] {
        assert!(
            !again
                .claim_comment(&comment(7, id), later(2))
                .await
                .unwrap(),
            "{id}"
        );
    }
    // An open delivery keeps its claim.
    it.one
        .claim_comment(&comment(8, "waiting"), later(2))
        .await
        .unwrap();
    it.one.remove_finished(later(1)).await.unwrap();
    assert!(
        again
            .claim_comment(&comment(8, "waiting"), later(2))
            .await
            .unwrap()
    );
}

/// A year of a busy installation, a day at a time: what GitHub sends leaves nothing that grows; what people order leaves
/// a row for each comment, pull request and run, and the facts of the runs.
#[tokio::test]
async fn after_a_year_only_orders_and_the_last_month_remain() {
    const DAY: i64 = 86_400_000;
    let it = Store::on_a_file().await;
    let mut at_day = Vec::new();
    for day in 0..365 {
        let now = later(day * DAY);
        let lease = it.one.take("s", "w1", 1000, now).await.unwrap().unwrap();
        for one in 0..8 {
            let id = format!("{day}-{one}");
            let body = format!("{{\"padding\":\"{}\"}}", "x".repeat(9_000));
            let long = journal::Delivery {
                body,
                ..delivery(&id)
            };
            it.one.store_delivery(&long, now).await.unwrap();
            it.one.settle(&id, &Settled::Done, now).await.unwrap();
        }
        it.one.claim_comment(&comment(day, "x"), now).await.unwrap();
        let run = it.one.begin(&new_run("s"), &began(), now).await.unwrap();
        it.one.add(run, &lease, &Fact::Finished, now).await.unwrap();
        for one in 0..4 {
            let text = "words ".repeat(1_000);
            it.one
                .enqueue(&message(&format!("{day}/{one}"), &text), now)
                .await
                .unwrap();
            let pending = it
                .one
                .next_message(now, RateTier::All)
                .await
                .unwrap()
                .unwrap();
            it.one
                .mark_sent(&pending, created(day), now, now)
                .await
                .unwrap();
        }
        while it
            .one
            .remove_finished(later((day - 30) * DAY))
            .await
            .unwrap()
            .is_full()
        {}
        at_day.push(it.one.counts().await.unwrap());
    }
    let (quarter, year) = (at_day[90], at_day[364]);
    println!("after 91 days {quarter:?}; after 365 {year:?}");
    assert_eq!(
        (year.deliveries, year.messages),
        (quarter.deliveries, quarter.messages)
    );
    assert_eq!((year.deliveries, year.messages), (31 * 8, 31 * 4));
    assert_eq!((year.runs, year.facts, year.comments), (365, 730, 365));
    // The three kinds of rows that stay, for each day, with their indexes.
    let grown = (year.bytes - quarter.bytes) / 274;
    assert!(grown < 1_000, "{grown} bytes a day");
    it.one.check().await.unwrap();
}

pub(crate) async fn an_intact_store_passes_the_check(it: Store) {
    filled(&it).await;
    it.one.check().await.unwrap();
    it.one.ready().await.unwrap();
    it.one.remove_finished(later(1)).await.unwrap();
    it.again().await.check().await.unwrap();
}
