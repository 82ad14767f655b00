//! The store stays bounded, and forgets nothing that keeps the old from being new.

use journal::{Compacted, Kept, Posted, ReplyKind, Room, Settled, Unsaid};
use plan::run::Fact;

use crate::{NOW, Store, began, delivery, heard, later, made, new_run, reply, taken, taken_up};

/// Old and new, over and not: of everything one.
async fn lived_in(it: &Store) -> journal::RunId {
    for id in ["done", "parked", "waiting"] {
        it.one.keep(&delivery(id), NOW).await.unwrap();
    }
    it.one.settle("done", &Settled::Done, NOW).await.unwrap();
    let parked = Settled::Parked("poison".to_owned());
    it.one.settle("parked", &parked, NOW).await.unwrap();
    it.one.hear(&heard(7, "done"), NOW).await.unwrap();
    let lease = taken(&it.one, "s").await;
    let run = it.one.begin(&new_run("s"), &began(), NOW).await.unwrap();
    it.one.add(run, &lease, &Fact::Finished, NOW).await.unwrap();
    it.one.begin(&new_run("s"), &began(), NOW).await.unwrap();
    for (key, kind, remote) in [
        ("comment", ReplyKind::Comment, Some(77)),
        ("nameless", ReplyKind::Comment, None),
        ("reaction", ReplyKind::Reaction, Some(78)),
    ] {
        let mut said = reply(key, "words");
        said.kind = kind;
        it.one.owe(&said, NOW).await.unwrap();
        let owed = it.one.next_reply(NOW, Room::All).await.unwrap().unwrap();
        let posted = Posted { remote, made: true };
        it.one.posted(&owed, posted, NOW, NOW).await.unwrap();
    }
    it.one.owe(&reply("owed", "words"), NOW).await.unwrap();
    run
}

pub(crate) async fn what_is_over_goes_and_nothing_else(it: Store) {
    let run = lived_in(&it).await;
    it.one.owe(&reply("refused", "words"), NOW).await.unwrap();
    let given_up = Unsaid::GivenUp(NOW);
    it.one.not_posted("refused", given_up, "422").await.unwrap();
    assert_eq!(it.one.compact(NOW).await.unwrap(), Compacted::default());
    let gone = Compacted {
        deliveries: 2,
        runs: 1,
        replies: 4,
    };
    assert_eq!(it.one.compact(later(1)).await.unwrap(), gone);
    assert_eq!(
        it.one.compact(later(1)).await.unwrap(),
        Compacted::default()
    );
    let again = it.again().await;
    let over = again.run(run).await.unwrap().unwrap();
    assert_eq!(
        (over.new.record.as_str(), over.new.digest.as_str()),
        ("null", "0000-0000")
    );
    assert_eq!(again.facts(run).await.unwrap().len(), 2);
    let open = again.open_runs().await.unwrap().remove(0);
    assert_eq!(open.new, new_run("s"));
    let waiting = taken_up(&again).await.unwrap().unwrap();
    assert_eq!(waiting.delivery, delivery("waiting"));
    assert_eq!(again.queue().await.unwrap(), (1, 0));
    let owed = again.next_reply(NOW, Room::All).await.unwrap().unwrap();
    assert_eq!(owed.reply, reply("owed", "words"));
    assert_eq!(again.replies().await.unwrap(), (1, 0));
}

/// Three days are the longest that GitHub sends a delivery again after; whoever plays one again after its row is gone
/// finds its command claimed, also under the very id that claimed it.
pub(crate) async fn a_command_stays_claimed_after_its_delivery_is_gone(it: Store) {
    lived_in(&it).await;
    assert!(it.one.hear(&heard(7, "done"), NOW).await.unwrap());
    it.one.compact(later(1)).await.unwrap();
    let again = it.again().await;
    let kept = again.keep(&delivery("done"), later(2)).await.unwrap();
    assert_eq!(kept, Kept::New);
    for id in ["done", "fresh"] {
        assert!(!again.hear(&heard(7, id), later(2)).await.unwrap(), "{id}");
    }
    // And one that still waits has claimed what it claimed.
    it.one.hear(&heard(8, "waiting"), later(2)).await.unwrap();
    it.one.compact(later(1)).await.unwrap();
    assert!(again.hear(&heard(8, "waiting"), later(2)).await.unwrap());
}

/// A year of a busy installation, a day at a time: what GitHub sends leaves nothing that grows; what people order leaves
/// a row for each command, pull request and run, and the facts of the runs.
#[tokio::test]
async fn a_year_leaves_what_people_ordered_and_a_month_of_the_rest() {
    const DAY: i64 = 86_400_000;
    let it = Store::on_a_file().await;
    let mut at_day = Vec::new();
    for day in 0..365 {
        let now = later(day * DAY);
        let lease = it.one.take("s", "w1", 1000, now).await.unwrap().unwrap();
        for one in 0..8 {
            let id = format!("{day}-{one}");
            let body = format!("{{\"padding\":\"{}\"}}", "x".repeat(9_000));
            let told = journal::Delivery {
                body,
                ..delivery(&id)
            };
            it.one.keep(&told, now).await.unwrap();
            it.one.settle(&id, &Settled::Done, now).await.unwrap();
        }
        it.one.hear(&heard(day, "x"), now).await.unwrap();
        let run = it.one.begin(&new_run("s"), &began(), now).await.unwrap();
        it.one.add(run, &lease, &Fact::Finished, now).await.unwrap();
        for one in 0..4 {
            let words = "words ".repeat(1_000);
            it.one
                .owe(&reply(&format!("{day}/{one}"), &words), now)
                .await
                .unwrap();
            let owed = it.one.next_reply(now, Room::All).await.unwrap().unwrap();
            it.one.posted(&owed, made(day), now, now).await.unwrap();
        }
        while it
            .one
            .compact(later((day - 30) * DAY))
            .await
            .unwrap()
            .is_full()
        {}
        at_day.push(it.one.counts().await.unwrap());
    }
    let (quarter, year) = (at_day[90], at_day[364]);
    println!("after 91 days {quarter:?}; after 365 {year:?}");
    assert_eq!(
        (year.deliveries, year.replies),
        (quarter.deliveries, quarter.replies)
    );
    assert_eq!((year.deliveries, year.replies), (31 * 8, 31 * 4));
    assert_eq!((year.runs, year.facts, year.heard), (365, 730, 365));
    // Each day's three kinds of rows that stay, with their indexes.
    let grown = (year.bytes - quarter.bytes) / 274;
    assert!(grown < 1_000, "{grown} bytes a day");
    it.one.check().await.unwrap();
}

pub(crate) async fn a_whole_store_is_found_whole(it: Store) {
    lived_in(&it).await;
    it.one.check().await.unwrap();
    it.one.ready().await.unwrap();
    it.one.compact(later(1)).await.unwrap();
    it.again().await.check().await.unwrap();
}
