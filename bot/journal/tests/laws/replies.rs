//! What we owe people is said once, whatever happens in between.

use journal::{Made, ReplyKind, Retried, Room, Unsaid};

use crate::{NOW, Store, edited, later, made, reply};

pub(crate) async fn a_reply_is_said_once_and_a_newer_body_is_an_edit(it: Store) {
    it.one.owe(&reply("plan/1", "one"), NOW).await.unwrap();
    it.one.owe(&reply("plan/1", "two"), NOW).await.unwrap();
    let owed = it.one.next_reply(NOW, Room::All).await.unwrap().unwrap();
    assert_eq!((owed.reply.body.as_str(), owed.remote), ("two", None));
    it.one.owe(&reply("plan/1", "three"), NOW).await.unwrap();
    it.one
        .posted(&owed, made(77), NOW, later(5000))
        .await
        .unwrap();
    assert_eq!(it.one.next_reply(NOW, Room::All).await.unwrap(), None);
    assert_eq!(it.one.next_reply_at().await.unwrap(), Some(later(5000)));
    let again = it.again().await;
    let edit = again
        .next_reply(later(5000), Room::All)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((edit.reply.body.as_str(), edit.remote), ("three", Some(77)));
    again
        .posted(&edit, edited(), later(5000), later(5000))
        .await
        .unwrap();
    again
        .owe(&reply("plan/1", "three"), later(6000))
        .await
        .unwrap();
    assert_eq!(
        again.next_reply(later(9000), Room::All).await.unwrap(),
        None
    );
    assert_eq!(again.next_reply_at().await.unwrap(), None);
    let said = again.reply("plan/1").await.unwrap().unwrap();
    assert_eq!(said.remote, Some(77));
}

pub(crate) async fn a_reply_that_failed_waits_and_lets_others_pass(it: Store) {
    it.one.owe(&reply("a", "first"), NOW).await.unwrap();
    it.one.owe(&reply("b", "second"), NOW).await.unwrap();
    it.one
        .not_posted("a", Unsaid::Again(later(60_000)), "502 from GitHub")
        .await
        .unwrap();
    let next = it.one.next_reply(NOW, Room::All).await.unwrap().unwrap();
    assert_eq!(next.reply.key, "b");
    it.one.posted(&next, made(1), NOW, NOW).await.unwrap();
    assert_eq!(
        it.one.next_reply(later(59_999), Room::All).await.unwrap(),
        None
    );
    let again = it
        .again()
        .await
        .next_reply(later(60_000), Room::All)
        .await
        .unwrap();
    let again = again.unwrap();
    assert_eq!((again.reply.key.as_str(), again.attempts), ("a", 1));
}

pub(crate) async fn checks_come_before_reactions_and_those_before_words(it: Store) {
    let owed = [
        ("a", ReplyKind::Comment),
        ("b", ReplyKind::History),
        ("c", ReplyKind::Reaction),
        ("d", ReplyKind::Comment),
        ("e", ReplyKind::Check),
        ("f", ReplyKind::Reaction),
        ("g", ReplyKind::Check),
    ];
    for (key, kind) in owed {
        let mut one = reply(key, "x");
        one.kind = kind;
        it.one.owe(&one, NOW).await.unwrap();
    }
    for key in ["e", "g", "c", "f", "a", "b", "d"] {
        let next = it.again().await.next_reply(NOW, Room::All).await.unwrap();
        let next = next.unwrap();
        assert_eq!(next.reply.key, key);
        it.one.posted(&next, made(1), NOW, NOW).await.unwrap();
    }
    assert_eq!(it.one.next_reply(NOW, Room::All).await.unwrap(), None);
}

pub(crate) async fn where_there_is_no_room_what_is_there_is_still_edited(it: Store) {
    it.one.owe(&reply("old", "one"), NOW).await.unwrap();
    let old = it.one.next_reply(NOW, Room::All).await.unwrap().unwrap();
    it.one.posted(&old, made(7), NOW, NOW).await.unwrap();
    it.one.owe(&reply("new", "words"), NOW).await.unwrap();
    it.one.owe(&reply("old", "two"), NOW).await.unwrap();
    let mut check = reply("check", "x");
    check.kind = ReplyKind::Check;
    let key = async |room| {
        let next = it.two.next_reply(NOW, room).await.unwrap();
        next.map(|owed| owed.reply.key).unwrap_or_default()
    };
    assert_eq!(key(Room::All).await, "new");
    assert_eq!(key(Room::NoWords).await, "old");
    it.one.owe(&check, NOW).await.unwrap();
    let mut reaction = reply("reaction", "eyes");
    reaction.kind = ReplyKind::Reaction;
    assert_eq!(key(Room::NoWords).await, "check");
    let said = it.two.next_reply(NOW, Room::Checks).await.unwrap().unwrap();
    it.two.posted(&said, made(9), NOW, NOW).await.unwrap();
    it.one.owe(&reaction, NOW).await.unwrap();
    assert_eq!(key(Room::NoWords).await, "reaction");
    assert_eq!(key(Room::Checks).await, "old");
    assert_eq!(key(Room::Edits).await, "old");
}

pub(crate) async fn what_was_made_is_counted_over_restarts_and_edits_are_not(it: Store) {
    for (key, kind, at) in [
        ("a", ReplyKind::Comment, 10),
        ("b", ReplyKind::Check, 20),
        ("c", ReplyKind::History, 30),
    ] {
        let mut one = reply(key, "x");
        one.kind = kind;
        it.one.owe(&one, NOW).await.unwrap();
        let owed = it.one.next_reply(NOW, Room::All).await.unwrap().unwrap();
        it.one.posted(&owed, made(1), later(at), NOW).await.unwrap();
    }
    it.one.owe(&reply("a", "y"), NOW).await.unwrap();
    let edit = it.one.next_reply(NOW, Room::All).await.unwrap().unwrap();
    it.one
        .posted(&edit, edited(), later(40), NOW)
        .await
        .unwrap();
    let again = it.again().await;
    for (after, count, first) in [
        (0, 5, Some(10)),
        (10, 4, Some(20)),
        (20, 3, Some(30)),
        (30, 0, None),
    ] {
        let found = again.made_since(later(after)).await.unwrap();
        let wanted = Made {
            count,
            first: first.map(later),
        };
        assert_eq!(found, wanted, "after {after}");
    }
}

pub(crate) async fn a_reply_that_is_given_up_is_shown_and_comes_back_with_other_words(it: Store) {
    for key in ["a", "b"] {
        it.one.owe(&reply(key, "words"), NOW).await.unwrap();
    }
    let locked = "422: the conversation is locked";
    it.one
        .not_posted("a", Unsaid::Limited(later(10)), "429")
        .await
        .unwrap();
    let limited = it.one.reply("a").await.unwrap().unwrap();
    assert_eq!(limited.attempts, 0, "a limit is no failure");
    it.one
        .not_posted("a", Unsaid::GivenUp(later(10)), locked)
        .await
        .unwrap();
    let again = it.again().await;
    let key = async || {
        let next = it.one.next_reply(later(99), Room::All).await.unwrap();
        next.map(|owed| owed.reply.key).unwrap_or_default()
    };
    assert_eq!(key().await, "b");
    assert_eq!(again.next_reply_at().await.unwrap(), Some(NOW));
    assert_eq!(again.replies().await.unwrap(), (1, 1));
    let shown = again.given_up(9).await.unwrap();
    assert_eq!((shown[0].id.as_str(), shown[0].why.as_str()), ("a", locked));
    // The same words are nothing new.
    again.owe(&reply("a", "words"), later(20)).await.unwrap();
    assert_eq!(again.replies().await.unwrap(), (1, 1));
    again.owe(&reply("a", "others"), later(20)).await.unwrap();
    assert_eq!(again.replies().await.unwrap(), (2, 0));
    let anew = again.reply("a").await.unwrap().unwrap();
    assert_eq!((anew.reply.body.as_str(), anew.attempts), ("others", 0));
    again
        .not_posted("a", Unsaid::GivenUp(later(30)), locked)
        .await
        .unwrap();
    assert_eq!(again.retry("b").await.unwrap(), Retried::Nothing);
    assert_eq!(again.retry("a").await.unwrap(), Retried::Reply);
    assert_eq!(again.replies().await.unwrap(), (2, 0));
}
