//! The outbox: each message takes effect once, whatever happens in between.

use journal::{Creations, OutboxKind, RateTier, Retried, SendFailure};

use crate::{NOW, Store, created, edited, later, message, of_kind, text_of};

pub(crate) async fn a_message_is_sent_once_and_a_newer_payload_is_an_edit(it: Store) {
    it.one
        .enqueue(&message("plan/1", "one"), NOW)
        .await
        .unwrap();
    it.one
        .enqueue(&message("plan/1", "two"), NOW)
        .await
        .unwrap();
    let pending = it
        .one
        .next_message(NOW, RateTier::All)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((text_of(&pending).as_str(), pending.remote), ("two", None));
    it.one
        .enqueue(&message("plan/1", "three"), NOW)
        .await
        .unwrap();
    it.one
        .mark_sent(&pending, created(77), NOW, later(5000))
        .await
        .unwrap();
    assert_eq!(it.one.next_message(NOW, RateTier::All).await.unwrap(), None);
    assert_eq!(it.one.next_message_at().await.unwrap(), Some(later(5000)));
    let again = it.again().await;
    let edit = again
        .next_message(later(5000), RateTier::All)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((text_of(&edit).as_str(), edit.remote), ("three", Some(77)));
    again
        .mark_sent(&edit, edited(), later(5000), later(5000))
        .await
        .unwrap();
    again
        .enqueue(&message("plan/1", "three"), later(6000))
        .await
        .unwrap();
    assert_eq!(
        again
            .next_message(later(9000), RateTier::All)
            .await
            .unwrap(),
        None
    );
    assert_eq!(again.next_message_at().await.unwrap(), None);
    let sent = again.message("plan/1").await.unwrap().unwrap();
    assert_eq!(sent.remote, Some(77));
}

pub(crate) async fn a_message_that_failed_waits_and_others_are_sent(it: Store) {
    it.one.enqueue(&message("a", "first"), NOW).await.unwrap();
    it.one.enqueue(&message("b", "second"), NOW).await.unwrap();
    it.one
        .mark_failed("a", SendFailure::RetryAt(later(60_000)), "502 from GitHub")
        .await
        .unwrap();
    let next = it
        .one
        .next_message(NOW, RateTier::All)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(next.key, "b");
    it.one.mark_sent(&next, created(1), NOW, NOW).await.unwrap();
    assert_eq!(
        it.one
            .next_message(later(59_999), RateTier::All)
            .await
            .unwrap(),
        None
    );
    let again = it
        .again()
        .await
        .next_message(later(60_000), RateTier::All)
        .await
        .unwrap();
    let again = again.unwrap();
    assert_eq!((again.key.as_str(), again.attempts), ("a", 1));
}

pub(crate) async fn checks_come_before_reactions_and_those_before_comments(it: Store) {
    let enqueued = [
        ("a", OutboxKind::Comment),
        ("b", OutboxKind::History),
        ("c", OutboxKind::Reaction),
        ("d", OutboxKind::Comment),
        ("e", OutboxKind::Check),
        ("f", OutboxKind::Reaction),
        ("g", OutboxKind::Check),
    ];
    for (key, kind) in enqueued {
        it.one.enqueue(&of_kind(key, kind), NOW).await.unwrap();
    }
    for key in ["e", "g", "c", "f", "a", "b", "d"] {
        let next = it
            .again()
            .await
            .next_message(NOW, RateTier::All)
            .await
            .unwrap();
        let next = next.unwrap();
        assert_eq!(next.key, key);
        it.one.mark_sent(&next, created(1), NOW, NOW).await.unwrap();
    }
    assert_eq!(it.one.next_message(NOW, RateTier::All).await.unwrap(), None);
}

pub(crate) async fn edits_are_sent_when_rate_limits_leave_no_room_for_more(it: Store) {
    it.one.enqueue(&message("old", "one"), NOW).await.unwrap();
    let old = it
        .one
        .next_message(NOW, RateTier::All)
        .await
        .unwrap()
        .unwrap();
    it.one.mark_sent(&old, created(7), NOW, NOW).await.unwrap();
    it.one.enqueue(&message("new", "text"), NOW).await.unwrap();
    it.one.enqueue(&message("old", "two"), NOW).await.unwrap();
    let check = of_kind("check", OutboxKind::Check);
    let key = async |tier| {
        let next = it.two.next_message(NOW, tier).await.unwrap();
        next.map(|next| next.key).unwrap_or_default()
    };
    assert_eq!(key(RateTier::All).await, "new");
    assert_eq!(key(RateTier::NoComments).await, "old");
    it.one.enqueue(&check, NOW).await.unwrap();
    let reaction = of_kind("reaction", OutboxKind::Reaction);
    assert_eq!(key(RateTier::NoComments).await, "check");
    let check = it
        .two
        .next_message(NOW, RateTier::ChecksOnly)
        .await
        .unwrap()
        .unwrap();
    it.two
        .mark_sent(&check, created(9), NOW, NOW)
        .await
        .unwrap();
    it.one.enqueue(&reaction, NOW).await.unwrap();
    assert_eq!(key(RateTier::NoComments).await, "reaction");
    assert_eq!(key(RateTier::ChecksOnly).await, "old");
    assert_eq!(key(RateTier::EditsOnly).await, "old");
}

pub(crate) async fn created_objects_are_counted_across_restarts_and_edits_are_not(it: Store) {
    for (key, kind, at) in [
        ("a", OutboxKind::Comment, 10),
        ("b", OutboxKind::Check, 20),
        ("c", OutboxKind::History, 30),
    ] {
        it.one.enqueue(&of_kind(key, kind), NOW).await.unwrap();
        let pending = it
            .one
            .next_message(NOW, RateTier::All)
            .await
            .unwrap()
            .unwrap();
        it.one
            .mark_sent(&pending, created(1), later(at), NOW)
            .await
            .unwrap();
    }
    it.one.enqueue(&message("a", "y"), NOW).await.unwrap();
    let edit = it
        .one
        .next_message(NOW, RateTier::All)
        .await
        .unwrap()
        .unwrap();
    it.one
        .mark_sent(&edit, edited(), later(40), NOW)
        .await
        .unwrap();
    let again = it.again().await;
    for (after, count, first) in [
        (0, 5, Some(10)),
        (10, 4, Some(20)),
        (20, 3, Some(30)),
        (30, 0, None),
    ] {
        let found = again.created_since(later(after)).await.unwrap();
        let wanted = Creations {
            count,
            first: first.map(later),
        };
        assert_eq!(found, wanted, "after {after}");
    }
}

pub(crate) async fn a_message_that_was_given_up_is_shown_and_pending_again_with_another_payload(
    it: Store,
) {
    for key in ["a", "b"] {
        it.one.enqueue(&message(key, "text"), NOW).await.unwrap();
    }
    let locked = "422: the conversation is locked";
    it.one
        .mark_failed("a", SendFailure::RateLimited(later(10)), "429")
        .await
        .unwrap();
    let limited = it.one.message("a").await.unwrap().unwrap();
    assert_eq!(limited.attempts, 0, "a rate limit is not a failure");
    it.one
        .mark_failed("a", SendFailure::GivenUp(later(10)), locked)
        .await
        .unwrap();
    let again = it.again().await;
    let key = async || {
        let next = it.one.next_message(later(99), RateTier::All).await.unwrap();
        next.map(|next| next.key).unwrap_or_default()
    };
    assert_eq!(key().await, "b");
    assert_eq!(again.next_message_at().await.unwrap(), Some(NOW));
    assert_eq!(again.outbox_depth().await.unwrap(), (1, 1));
    let shown = again.given_up_messages(9).await.unwrap();
    assert_eq!((shown[0].id.as_str(), shown[0].why.as_str()), ("a", locked));
    // The same payload changes nothing.
    again
        .enqueue(&message("a", "text"), later(20))
        .await
        .unwrap();
    assert_eq!(again.outbox_depth().await.unwrap(), (1, 1));
    again
        .enqueue(&message("a", "another"), later(20))
        .await
        .unwrap();
    assert_eq!(again.outbox_depth().await.unwrap(), (2, 0));
    let anew = again.message("a").await.unwrap().unwrap();
    assert_eq!((text_of(&anew).as_str(), anew.attempts), ("another", 0));
    again
        .mark_failed("a", SendFailure::GivenUp(later(30)), locked)
        .await
        .unwrap();
    assert_eq!(again.retry("b").await.unwrap(), Retried::Nothing);
    assert_eq!(again.retry("a").await.unwrap(), Retried::Message);
    assert_eq!(again.outbox_depth().await.unwrap(), (2, 0));
}

/// Also one of a kind or format that only a newer version knows.
pub(crate) async fn a_row_that_cannot_be_read_is_named_and_holds_up_nothing(it: Store) {
    // No other connection can open a store in memory.
    if it.url.is_none() {
        return;
    }
    let newer = "which this planebot does not know; use the one that wrote it";
    let rows = [
        ("\"poem\"", "x", format!("its kind is \"poem\", {newer}")),
        (
            "\"check\"",
            "{\"format\":2}",
            format!("it has the format 2, {newer}"),
        ),
        (
            "\"check\"",
            "{}",
            "missing field `name` at line 1 column 2".to_owned(),
        ),
        (
            "\"history\"",
            "{\"mess",
            "EOF while parsing a string at line 1 column 6".to_owned(),
        ),
        (
            "\"reaction\"",
            "heart",
            "`heart` is not a reaction that planebot gives".to_owned(),
        ),
    ];
    let mut raw = it.raw().await;
    for (place, (kind, body, reason)) in rows.into_iter().enumerate() {
        let (bad, good) = (format!("bad/{place}"), format!("good/{place}"));
        it.one.enqueue(&message(&bad, "text"), NOW).await.unwrap();
        it.one.enqueue(&message(&good, "text"), NOW).await.unwrap();
        sqlx::query("UPDATE reply SET kind = $1, body = $2 WHERE key = $3")
            .bind(kind)
            .bind(body)
            .bind(&bad)
            .execute(&mut raw)
            .await
            .unwrap();
        let next = it.one.next_message(NOW, RateTier::All).await.unwrap();
        let unreadable = next.unwrap();
        assert_eq!(unreadable.key, bad);
        let error = unreadable.payload.unwrap_err().to_string();
        let wanted = format!("the outbox message `{bad}` cannot be read: {reason}");
        assert_eq!(error, wanted);
        it.one
            .mark_failed(&bad, SendFailure::GivenUp(NOW), &error)
            .await
            .unwrap();
        let next = it.one.next_message(NOW, RateTier::All).await.unwrap();
        let next = next.unwrap();
        assert_eq!(next.key, good);
        it.one.mark_sent(&next, created(1), NOW, NOW).await.unwrap();
        let shown = it.two.given_up_messages(1).await.unwrap();
        assert_eq!((&shown[0].id, &shown[0].why), (&bad, &wanted));
    }
    assert_eq!(it.one.outbox_depth().await.unwrap(), (0, 5));
    // Another payload replaces the row's, and the message is pending again.
    let check = of_kind("bad/2", OutboxKind::Check);
    it.one.enqueue(&check, NOW).await.unwrap();
    let next = it.one.next_message(NOW, RateTier::All).await.unwrap();
    assert_eq!(next.unwrap().payload, Ok(check.payload));
}
