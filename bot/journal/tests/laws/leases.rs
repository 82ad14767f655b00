//! No lease, no fact; no fact, no write.

use journal::{JournalError, QUEUE, RateTier, Settled};
use plan::run::Fact;
use topology::observed::Timestamp;

use crate::{NOW, Store, began, comment, delivery, later, message, new_run, started, taken};

pub(crate) async fn of_two_who_take_a_lease_one_gets_it(it: Store) {
    for round in 0..10 {
        let site = format!("s{round}");
        let (one, two) = tokio::join!(
            it.one.take(&site, "w1", 1000, NOW),
            it.two.take(&site, "w2", 1000, NOW)
        );
        let (one, two) = (one.unwrap(), two.unwrap());
        assert!(one.is_some() != two.is_some(), "{one:?} {two:?}");
        let held = one.or(two).unwrap();
        assert!(it.one.is_in_force(&held, NOW).await.unwrap());
        assert!(it.two.is_in_force(&held, later(999)).await.unwrap());
        assert!(!it.two.is_in_force(&held, later(1000)).await.unwrap());
    }
}

pub(crate) async fn a_worker_that_lost_its_lease_adds_nothing(it: Store) {
    let old = taken(&it.one, "s").await;
    let run = it.one.begin(&new_run("s"), &began(), NOW).await.unwrap();
    assert_eq!(it.two.take("s", "w2", 1000, NOW).await.unwrap(), None);
    let late = later(2000);
    let new = it.two.take("s", "w2", 1000, late).await.unwrap().unwrap();
    assert!(new.epoch > old.epoch);
    assert!(!it.one.is_in_force(&old, late).await.unwrap());
    let zombie = it.one.add(run, &old, &Fact::Finished, late).await;
    assert!(matches!(zombie, Err(JournalError::LeaseLost)));
    assert!(it.one.renew(&old, 1000, late).await.unwrap().is_none());
    it.one.release(&old).await.unwrap();
    assert!(it.two.is_in_force(&new, late).await.unwrap());
    it.two.add(run, &new, &Fact::Finished, late).await.unwrap();
    assert_eq!(it.one.facts(run).await.unwrap().len(), 2);
}

pub(crate) async fn nothing_is_written_under_a_released_lease(it: Store) {
    let lease = taken(&it.one, "s").await;
    let run = it.one.begin(&new_run("s"), &began(), NOW).await.unwrap();
    it.one.release(&lease).await.unwrap();
    assert!(!it.one.is_in_force(&lease, NOW).await.unwrap());
    let late = it.one.add(run, &lease, &Fact::Finished, NOW).await;
    assert!(matches!(late, Err(JournalError::LeaseLost)));
    assert!(it.one.renew(&lease, 1000, NOW).await.unwrap().is_none());
    // Free at once, for anyone.
    assert!(it.two.take("s", "w2", 1000, NOW).await.unwrap().is_some());
}

pub(crate) async fn a_lease_of_one_site_permits_no_write_to_another(it: Store) {
    let s = taken(&it.one, "s").await;
    let t = taken(&it.one, "t").await;
    assert_eq!(s.epoch, t.epoch, "only the site differs");
    let run = it.one.begin(&new_run("s"), &began(), NOW).await.unwrap();
    let stray = it.one.add(run, &t, &Fact::Finished, NOW).await;
    assert!(matches!(stray, Err(JournalError::LeaseLost)));
    it.one.add(run, &s, &Fact::Finished, NOW).await.unwrap();
}

pub(crate) async fn a_lease_is_renewed_by_its_holder(it: Store) {
    let lease = taken(&it.one, "s").await;
    let longer = it.one.renew(&lease, 1000, later(500)).await.unwrap();
    let longer = longer.unwrap();
    assert_eq!((longer.epoch, longer.until), (lease.epoch, later(1500)));
    let refused = it.two.take("s", "w2", 1000, later(1200)).await.unwrap();
    assert_eq!(refused, None);
    // A holder that takes its lease again renews it.
    let taken = it.one.take("s", "w1", 1000, later(1200)).await.unwrap();
    assert_eq!(taken.unwrap().epoch, lease.epoch);
}

pub(crate) async fn the_epoch_never_decreases(it: Store) {
    let mut last = 0;
    for turn in 0..6 {
        let owner = ["w1", "w2"][turn % 2];
        let now = later(i64::try_from(turn).unwrap() * 5000);
        let lease = it.again().await.take("s", owner, 1000, now).await.unwrap();
        let lease = lease.unwrap();
        assert!(lease.epoch > last, "turn {turn}");
        last = lease.epoch;
        if turn % 3 == 0 {
            it.one.release(&lease).await.unwrap();
        }
    }
}

pub(crate) async fn a_replica_that_lost_the_queue_writes_nothing_more(it: Store) {
    let first = it.one.take(QUEUE, "w1", 1000, NOW).await.unwrap();
    let one = it.one.clone().fenced_by(&first.unwrap());
    assert_eq!(it.two.take(QUEUE, "w2", 1000, NOW).await.unwrap(), None);
    one.store_delivery(&delivery("a"), NOW).await.unwrap();
    one.check_fence(NOW).await.unwrap();
    assert!(started(&one).await.unwrap().is_some());
    let late = later(2000);
    let second = it.two.take(QUEUE, "w2", 1000, late).await.unwrap();
    let two = it.two.clone().fenced_by(&second.unwrap());
    let refused = [
        started(&one).await.map(drop),
        one.settle("a", &Settled::Done, late).await,
        one.enqueue(&message("k", "late text"), late).await,
        one.set_cursor("comments", "late").await,
        one.claim_comment(&comment(1, "a"), late).await.map(drop),
        one.begin(&new_run("s"), &began(), late).await.map(drop),
        one.take("s", "w1", 1000, late).await.map(drop),
    ];
    for written in refused {
        assert!(
            matches!(written, Err(JournalError::LeaseLost)),
            "{written:?}"
        );
    }
    assert_eq!(one.queue_depth().await.unwrap(), (1, 0), "it may read");
    let fenced = one.check_fence(late).await;
    assert!(matches!(fenced, Err(JournalError::LeaseLost)), "{fenced:?}");
    two.check_fence(late).await.unwrap();
    it.one.check_fence(late).await.unwrap();
    let next = started(&two).await.unwrap().unwrap();
    assert_eq!((next.delivery.id.as_str(), next.attempts), ("a", 1));
    two.settle("a", &Settled::Done, late).await.unwrap();
    assert_eq!(it.one.queue_depth().await.unwrap(), (0, 0));
    assert_eq!(
        it.one.next_message(late, RateTier::All).await.unwrap(),
        None
    );
    assert_eq!(it.one.open_runs().await.unwrap(), []);
    // Without a fence, webhooks are stored whoever holds the queue.
    it.one.store_delivery(&delivery("b"), late).await.unwrap();
}

/// Two replicas in turn hold the queue, settle deliveries, and lose it in the middle of one.
pub(crate) async fn each_delivery_is_settled_once_and_in_order_by_either_replica(it: Store) {
    for id in 0..20 {
        let id = delivery(&format!("{id:02}"));
        let (one, two) = tokio::join!(
            it.one.store_delivery(&id, NOW),
            it.two.store_delivery(&id, NOW)
        );
        assert_ne!(one.unwrap(), two.unwrap());
    }
    let mut settled = Vec::new();
    let mut now = NOW;
    for turn in 0..10 {
        let (journal, owner) = [(&it.one, "w1"), (&it.two, "w2")][turn % 2];
        now = Timestamp(now.0 + 2000);
        let lease = journal.take(QUEUE, owner, 1000, now).await.unwrap();
        let fenced = journal.clone().fenced_by(&lease.unwrap());
        for _ in 0..2 {
            let next = started(&fenced).await.unwrap().unwrap();
            fenced
                .settle(&next.delivery.id, &Settled::Done, now)
                .await
                .unwrap();
            settled.push(next.delivery.id);
        }
        // Started, and not settled before the replica was paused for too long.
        started(&fenced).await.unwrap();
    }
    let all: Vec<String> = (0..20).map(|id| format!("{id:02}")).collect();
    assert_eq!(settled, all);
    assert_eq!(it.one.queue_depth().await.unwrap(), (0, 0));
}
