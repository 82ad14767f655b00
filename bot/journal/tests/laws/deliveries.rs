//! Deliveries are stored before they are answered, and settled once.

use journal::{DeferReason, Delivery, Journal, Lanes, Retried, Settled, Stored};

use crate::{NOW, Store, comment, delivery, later, started};

pub(crate) async fn a_delivery_is_stored_once_and_settled_once_in_order(it: Store) {
    let journal = &it.one;
    assert_eq!(
        journal.store_delivery(&delivery("a"), NOW).await.unwrap(),
        Stored::New
    );
    assert_eq!(
        journal.store_delivery(&delivery("b"), NOW).await.unwrap(),
        Stored::New
    );
    assert_eq!(
        journal.store_delivery(&delivery("a"), NOW).await.unwrap(),
        Stored::Duplicate
    );
    let next = started(journal).await.unwrap().unwrap();
    assert_eq!(next.delivery.id, "a");
    journal.settle("a", &Settled::Done, NOW).await.unwrap();
    // The first result stands.
    let dead = Settled::DeadLetter("poison".to_owned());
    journal.settle("a", &dead, NOW).await.unwrap();
    assert_eq!(journal.queue_depth().await.unwrap(), (1, 0));
    let next = started(journal).await.unwrap().unwrap();
    assert_eq!(next.delivery.id, "b");
    journal.settle("b", &dead, NOW).await.unwrap();
    assert_eq!(started(journal).await.unwrap(), None);
    let again = it.again().await;
    assert_eq!(again.queue_depth().await.unwrap(), (0, 1));
    assert!(again.has_delivery("a").await.unwrap() && !again.has_delivery("c").await.unwrap());
    assert_eq!(
        again.store_delivery(&delivery("a"), NOW).await.unwrap(),
        Stored::Duplicate
    );
}

pub(crate) async fn of_many_who_store_the_same_delivery_one_finds_it_new(it: Store) {
    for round in 0..20 {
        let same = delivery(&round.to_string());
        let (a, b, c, d) = tokio::join!(
            it.one.store_delivery(&same, NOW),
            it.two.store_delivery(&same, NOW),
            it.one.store_delivery(&same, NOW),
            it.two.store_delivery(&same, NOW),
        );
        let new = [a, b, c, d]
            .into_iter()
            .filter(|stored| *stored.as_ref().unwrap() == Stored::New)
            .count();
        assert_eq!(new, 1, "round {round}");
    }
    assert_eq!(it.one.queue_depth().await.unwrap(), (20, 0));
}

pub(crate) async fn an_unsettled_delivery_is_next_again_with_its_attempts_counted(it: Store) {
    it.one.store_delivery(&delivery("a"), NOW).await.unwrap();
    for attempts in 0..4 {
        let next = started(&it.again().await).await.unwrap().unwrap();
        assert_eq!(
            (next.delivery.id.as_str(), next.attempts),
            ("a", attempts),
            "a delivery that fails each time shows by its count"
        );
    }
}

pub(crate) async fn a_comment_is_claimed_by_one_delivery(it: Store) {
    assert!(it.one.claim_comment(&comment(7, "a"), NOW).await.unwrap());
    // The same delivery asks again: the power was cut before it acted.
    assert!(
        it.again()
            .await
            .claim_comment(&comment(7, "a"), NOW)
            .await
            .unwrap()
    );
    assert!(!it.two.claim_comment(&comment(7, "b"), NOW).await.unwrap());
    assert!(it.one.claim_comment(&comment(7, "a"), NOW).await.unwrap());
    assert!(it.two.claim_comment(&comment(8, "b"), NOW).await.unwrap());
    let (c, d) = (comment(9, "c"), comment(9, "d"));
    let (one, two) = tokio::join!(it.one.claim_comment(&c, NOW), it.two.claim_comment(&d, NOW));
    assert_ne!(one.unwrap(), two.unwrap());
}

pub(crate) async fn a_delivery_reads_back_as_it_was_received(it: Store) {
    let text = "{\"a\":\"\u{1F980} ' \\\" \\u0000 -- ; %s $1 ?\",\"n\":9007199254740993}\r\n";
    let odd = Delivery {
        body: format!("{text}{}", " ".repeat(1 << 20)),
        ..delivery("odd")
    };
    it.one.store_delivery(&odd, NOW).await.unwrap();
    let next = started(&it.again().await).await.unwrap().unwrap();
    assert_eq!(next.delivery, odd);
}

fn lanes(pull: &str, branch: &str) -> Lanes {
    let some = |lane: &str| (!lane.is_empty()).then(|| lane.to_owned());
    Lanes {
        pull: some(pull),
        branch: some(branch),
    }
}

async fn next_id(journal: &Journal) -> Option<String> {
    let next = journal.next_delivery(NOW).await.unwrap();
    next.map(|next| next.delivery.id)
}

pub(crate) async fn a_deferred_delivery_waits_and_others_are_handled(it: Store) {
    for id in ["a", "b"] {
        it.one.store_delivery(&delivery(id), NOW).await.unwrap();
    }
    let none = Lanes::default();
    assert!(it.one.start_delivery("a", &none).await.unwrap());
    it.one
        .defer("a", later(60_000), "502", DeferReason::Failed)
        .await
        .unwrap();
    assert!(it.one.start_delivery("b", &none).await.unwrap());
    it.one
        .defer("b", later(30_000), "429", DeferReason::RateLimited)
        .await
        .unwrap();
    let again = it.again().await;
    assert_eq!(next_id(&again).await, None);
    assert_eq!(again.next_delivery_at().await.unwrap(), Some(later(30_000)));
    let deferred = again.deferred(9).await.unwrap();
    let deferred: Vec<_> = deferred.iter().map(|it| (it.id.as_str(), it.at)).collect();
    assert_eq!(deferred, [("b", later(30_000)), ("a", later(60_000))]);
    for (at, id, attempts) in [(30_000, "b", 0), (60_000, "a", 1)] {
        let next = again.next_delivery(later(at)).await.unwrap().unwrap();
        assert_eq!((next.delivery.id.as_str(), next.attempts), (id, attempts));
        again.settle(id, &Settled::Done, later(at)).await.unwrap();
    }
    assert_eq!(again.next_delivery_at().await.unwrap(), None);
    assert_eq!(again.deferred(9).await.unwrap(), []);
}

pub(crate) async fn order_is_kept_within_a_pull_request_and_a_branch_and_nowhere_else(it: Store) {
    // The merge of #1 fails. Its own comment, #2's merge into the same branch, and #2's comment wait; #3's does not.
    let all = [
        ("merge-1", lanes("1", "main")),
        ("comment-1", lanes("1", "")),
        ("merge-2", lanes("2", "main")),
        ("comment-2", lanes("2", "")),
        ("comment-3", lanes("3", "")),
        ("anything", lanes("", "")),
        ("push", lanes("", "release")),
    ];
    for (id, _) in &all {
        it.one.store_delivery(&delivery(id), NOW).await.unwrap();
    }
    let journal = it.again().await;
    let mut order = Vec::new();
    let mut failed = false;
    while let Some(id) = next_id(&journal).await {
        let (_, own) = all.iter().find(|(own, _)| *own == id).unwrap();
        if !journal.start_delivery(&id, own).await.unwrap() {
            continue;
        }
        order.push(id.clone());
        if id == "merge-1" && !failed {
            failed = true;
            let reason = DeferReason::Failed;
            journal.defer(&id, later(9), "502", reason).await.unwrap();
        } else {
            journal.settle(&id, &Settled::Done, NOW).await.unwrap();
        }
    }
    assert_eq!(order, ["merge-1", "comment-3", "anything", "push"]);
    assert_eq!(journal.next_delivery_at().await.unwrap(), Some(later(9)));
    let journal = it.again().await;
    while let Some(next) = journal.next_delivery(later(9)).await.unwrap() {
        let id = next.delivery.id;
        let (_, own) = all.iter().find(|(own, _)| *own == id).unwrap();
        assert!(journal.start_delivery(&id, own).await.unwrap(), "{id}");
        journal.settle(&id, &Settled::Done, NOW).await.unwrap();
        order.push(id);
    }
    assert_eq!(order[4..], ["merge-1", "comment-1", "merge-2", "comment-2"]);
}

pub(crate) async fn a_dead_letter_unblocks_its_lane_and_is_retried_at_its_old_position(it: Store) {
    for id in ["a", "b"] {
        it.one.store_delivery(&delivery(id), NOW).await.unwrap();
    }
    let own = lanes("1", "");
    assert!(it.one.start_delivery("a", &own).await.unwrap());
    assert!(!it.one.start_delivery("b", &own).await.unwrap());
    let poison = Settled::DeadLetter("it is poison".to_owned());
    it.one.settle("a", &poison, NOW).await.unwrap();
    assert_eq!(next_id(&it.two).await.as_deref(), Some("b"));
    assert_eq!(it.two.queue_depth().await.unwrap(), (1, 1));
    let dead = it.two.dead_letters(9).await.unwrap();
    assert_eq!(dead.len(), 1);
    assert_eq!(
        (dead[0].id.as_str(), dead[0].why.as_str(), dead[0].at),
        ("a", "it is poison", NOW)
    );
    for (lane, count) in [("1", 1), ("2", 0)] {
        assert_eq!(it.two.dead_letters_in(lane).await.unwrap(), count);
    }
    assert_eq!(it.two.retry("b").await.unwrap(), Retried::Nothing);
    assert_eq!(it.two.retry("a").await.unwrap(), Retried::Delivery);
    assert_eq!(it.two.retry("a").await.unwrap(), Retried::Nothing);
    let next = it.again().await.next_delivery(NOW).await.unwrap().unwrap();
    assert_eq!((next.delivery.id.as_str(), next.attempts), ("a", 0));
    assert_eq!(it.one.queue_depth().await.unwrap(), (2, 0));
}
