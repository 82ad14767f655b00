//! Deliveries are kept before they are answered, and settled once.

use journal::{Delivery, Kept, Settled};

use crate::{NOW, Store, delivery, heard};

pub(crate) async fn a_delivery_is_kept_once_and_settled_once_in_order(it: Store) {
    let journal = &it.one;
    assert_eq!(journal.keep(&delivery("a"), NOW).await.unwrap(), Kept::New);
    assert_eq!(journal.keep(&delivery("b"), NOW).await.unwrap(), Kept::New);
    assert_eq!(
        journal.keep(&delivery("a"), NOW).await.unwrap(),
        Kept::SeenBefore
    );
    let next = journal.next_delivery().await.unwrap().unwrap();
    assert_eq!(next.delivery.id, "a");
    journal.settle("a", &Settled::Done, NOW).await.unwrap();
    // The first verdict stands.
    let parked = Settled::Parked("poison".to_owned());
    journal.settle("a", &parked, NOW).await.unwrap();
    assert_eq!(journal.queue().await.unwrap(), (1, 0));
    let next = journal.next_delivery().await.unwrap().unwrap();
    assert_eq!(next.delivery.id, "b");
    journal.settle("b", &parked, NOW).await.unwrap();
    assert_eq!(journal.next_delivery().await.unwrap(), None);
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
        let next = it.again().await.next_delivery().await.unwrap().unwrap();
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
    let next = it.again().await.next_delivery().await.unwrap().unwrap();
    assert_eq!(next.delivery, odd);
}
