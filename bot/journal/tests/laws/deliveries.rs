//! Deliveries are kept before they are answered, and settled once.

use journal::{Delivery, Journal, Kept, Lanes, Retried, Setback, Settled};

use crate::{NOW, Store, delivery, heard, later, taken_up};

pub(crate) async fn a_delivery_is_kept_once_and_settled_once_in_order(it: Store) {
    let journal = &it.one;
    assert_eq!(journal.keep(&delivery("a"), NOW).await.unwrap(), Kept::New);
    assert_eq!(journal.keep(&delivery("b"), NOW).await.unwrap(), Kept::New);
    assert_eq!(
        journal.keep(&delivery("a"), NOW).await.unwrap(),
        Kept::SeenBefore
    );
    let next = taken_up(journal).await.unwrap().unwrap();
    assert_eq!(next.delivery.id, "a");
    journal.settle("a", &Settled::Done, NOW).await.unwrap();
    // The first verdict stands.
    let parked = Settled::Parked("poison".to_owned());
    journal.settle("a", &parked, NOW).await.unwrap();
    assert_eq!(journal.queue().await.unwrap(), (1, 0));
    let next = taken_up(journal).await.unwrap().unwrap();
    assert_eq!(next.delivery.id, "b");
    journal.settle("b", &parked, NOW).await.unwrap();
    assert_eq!(taken_up(journal).await.unwrap(), None);
    let again = it.again().await;
    assert_eq!(again.queue().await.unwrap(), (0, 1));
    assert!(again.has_kept("a").await.unwrap() && !again.has_kept("c").await.unwrap());
    assert_eq!(
        again.keep(&delivery("a"), NOW).await.unwrap(),
        Kept::SeenBefore
    );
}

pub(crate) async fn of_many_who_keep_the_same_delivery_one_finds_it_new(it: Store) {
    for round in 0..20 {
        let same = delivery(&round.to_string());
        let (a, b, c, d) = tokio::join!(
            it.one.keep(&same, NOW),
            it.two.keep(&same, NOW),
            it.one.keep(&same, NOW),
            it.two.keep(&same, NOW),
        );
        let new = [a, b, c, d]
            .into_iter()
            .filter(|kept| *kept.as_ref().unwrap() == Kept::New)
            .count();
        assert_eq!(new, 1, "round {round}");
    }
    assert_eq!(it.one.queue().await.unwrap(), (20, 0));
}

pub(crate) async fn a_delivery_that_was_not_settled_comes_back_and_says_how_often(it: Store) {
    it.one.keep(&delivery("a"), NOW).await.unwrap();
    for attempts in 0..4 {
        let next = taken_up(&it.again().await).await.unwrap().unwrap();
        assert_eq!(
            (next.delivery.id.as_str(), next.attempts),
            ("a", attempts),
            "a poison delivery can be told by its count"
        );
    }
}

pub(crate) async fn a_comment_is_claimed_by_one_delivery(it: Store) {
    assert!(it.one.hear(&heard(7, "a"), NOW).await.unwrap());
    // The same delivery asks again: the power went before it acted.
    assert!(it.again().await.hear(&heard(7, "a"), NOW).await.unwrap());
    assert!(!it.two.hear(&heard(7, "b"), NOW).await.unwrap());
    assert!(it.one.hear(&heard(7, "a"), NOW).await.unwrap());
    assert!(it.two.hear(&heard(8, "b"), NOW).await.unwrap());
    let (c, d) = (heard(9, "c"), heard(9, "d"));
    let (one, two) = tokio::join!(it.one.hear(&c, NOW), it.two.hear(&d, NOW));
    assert_ne!(one.unwrap(), two.unwrap());
}

pub(crate) async fn a_delivery_reads_back_as_it_was_received(it: Store) {
    let words = "{\"a\":\"\u{1F980} ' \\\" \\u0000 -- ; %s $1 ?\",\"n\":9007199254740993}\r\n";
    let odd = Delivery {
        body: format!("{words}{}", " ".repeat(1 << 20)),
        ..delivery("odd")
    };
    it.one.keep(&odd, NOW).await.unwrap();
    let next = taken_up(&it.again().await).await.unwrap().unwrap();
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

pub(crate) async fn a_delivery_that_failed_waits_for_its_time_and_others_go_on(it: Store) {
    for id in ["a", "b"] {
        it.one.keep(&delivery(id), NOW).await.unwrap();
    }
    let nobodys = Lanes::default();
    assert!(it.one.take_up("a", &nobodys).await.unwrap());
    it.one
        .put_off("a", later(60_000), "502", Setback::Failed)
        .await
        .unwrap();
    assert!(it.one.take_up("b", &nobodys).await.unwrap());
    it.one
        .put_off("b", later(30_000), "429", Setback::Limited)
        .await
        .unwrap();
    let again = it.again().await;
    assert_eq!(next_id(&again).await, None);
    assert_eq!(again.next_delivery_at().await.unwrap(), Some(later(30_000)));
    let off = again.put_off_until(9).await.unwrap();
    let off: Vec<_> = off.iter().map(|it| (it.id.as_str(), it.at)).collect();
    assert_eq!(off, [("b", later(30_000)), ("a", later(60_000))]);
    for (at, id, attempts) in [(30_000, "b", 0), (60_000, "a", 1)] {
        let next = again.next_delivery(later(at)).await.unwrap().unwrap();
        assert_eq!((next.delivery.id.as_str(), next.attempts), (id, attempts));
        again.settle(id, &Settled::Done, later(at)).await.unwrap();
    }
    assert_eq!(again.next_delivery_at().await.unwrap(), None);
    assert_eq!(again.put_off_until(9).await.unwrap(), []);
}

pub(crate) async fn order_is_kept_in_a_pull_request_and_on_a_branch_and_nowhere_else(it: Store) {
    // A merge of #1 fails; its own comment, #2's merge into the same branch and what follows that wait, #3 does not.
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
        it.one.keep(&delivery(id), NOW).await.unwrap();
    }
    let journal = it.again().await;
    let mut order = Vec::new();
    let mut failed = false;
    while let Some(id) = next_id(&journal).await {
        let (_, own) = all.iter().find(|(own, _)| *own == id).unwrap();
        if !journal.take_up(&id, own).await.unwrap() {
            continue;
        }
        order.push(id.clone());
        if id == "merge-1" && !failed {
            failed = true;
            let off = Setback::Failed;
            journal.put_off(&id, later(9), "502", off).await.unwrap();
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
        assert!(journal.take_up(&id, own).await.unwrap(), "{id}");
        journal.settle(&id, &Settled::Done, NOW).await.unwrap();
        order.push(id);
    }
    assert_eq!(order[4..], ["merge-1", "comment-1", "merge-2", "comment-2"]);
}

pub(crate) async fn a_parked_delivery_frees_its_lane_and_comes_back_in_its_old_place(it: Store) {
    for id in ["a", "b"] {
        it.one.keep(&delivery(id), NOW).await.unwrap();
    }
    let own = lanes("1", "");
    assert!(it.one.take_up("a", &own).await.unwrap());
    assert!(!it.one.take_up("b", &own).await.unwrap());
    let poison = Settled::Parked("it is poison".to_owned());
    it.one.settle("a", &poison, NOW).await.unwrap();
    assert_eq!(next_id(&it.two).await.as_deref(), Some("b"));
    assert_eq!(it.two.queue().await.unwrap(), (1, 1));
    let parked = it.two.parked(9).await.unwrap();
    assert_eq!(parked.len(), 1);
    assert_eq!(
        (parked[0].id.as_str(), parked[0].why.as_str(), parked[0].at),
        ("a", "it is poison", NOW)
    );
    for (lane, count) in [("1", 1), ("2", 0)] {
        assert_eq!(it.two.parked_in(lane).await.unwrap(), count);
    }
    assert_eq!(it.two.retry("b").await.unwrap(), Retried::Nothing);
    assert_eq!(it.two.retry("a").await.unwrap(), Retried::Delivery);
    assert_eq!(it.two.retry("a").await.unwrap(), Retried::Nothing);
    let next = it.again().await.next_delivery(NOW).await.unwrap().unwrap();
    assert_eq!((next.delivery.id.as_str(), next.attempts), ("a", 0));
    assert_eq!(it.one.queue().await.unwrap(), (2, 0));
}
