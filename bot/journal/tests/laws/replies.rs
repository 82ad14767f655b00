//! What we owe people is said once, whatever happens in between.

use journal::ReplyKind;

use crate::{NOW, Store, later, reply};

pub(crate) async fn a_reply_is_said_once_and_a_newer_body_is_an_edit(it: Store) {
    it.one.owe(&reply("plan/1", "one"), NOW).await.unwrap();
    it.one.owe(&reply("plan/1", "two"), NOW).await.unwrap();
    let owed = it.one.next_reply(NOW).await.unwrap().unwrap();
    assert_eq!((owed.reply.body.as_str(), owed.remote), ("two", None));
    it.one.owe(&reply("plan/1", "three"), NOW).await.unwrap();
    it.one
        .posted(&owed, Some(77), NOW, later(5000))
        .await
        .unwrap();
    assert_eq!(it.one.next_reply(NOW).await.unwrap(), None);
    assert_eq!(it.one.next_reply_at().await.unwrap(), Some(later(5000)));
    let again = it.again().await;
    let edit = again.next_reply(later(5000)).await.unwrap().unwrap();
    assert_eq!((edit.reply.body.as_str(), edit.remote), ("three", Some(77)));
    again
        .posted(&edit, None, later(5000), later(5000))
        .await
        .unwrap();
    again
        .owe(&reply("plan/1", "three"), later(6000))
        .await
        .unwrap();
    assert_eq!(again.next_reply(later(9000)).await.unwrap(), None);
    assert_eq!(again.next_reply_at().await.unwrap(), None);
    let said = again.reply("plan/1").await.unwrap().unwrap();
    assert_eq!(said.remote, Some(77));
}

pub(crate) async fn a_reply_that_failed_waits_and_lets_others_pass(it: Store) {
    it.one.owe(&reply("a", "first"), NOW).await.unwrap();
    it.one.owe(&reply("b", "second"), NOW).await.unwrap();
    it.one
        .not_posted("a", later(60_000), "502 from GitHub")
        .await
        .unwrap();
    let next = it.one.next_reply(NOW).await.unwrap().unwrap();
    assert_eq!(next.reply.key, "b");
    it.one.posted(&next, Some(1), NOW, NOW).await.unwrap();
    assert_eq!(it.one.next_reply(later(59_999)).await.unwrap(), None);
    let again = it.again().await.next_reply(later(60_000)).await.unwrap();
    let again = again.unwrap();
    assert_eq!((again.reply.key.as_str(), again.attempts), ("a", 1));
}

pub(crate) async fn replies_are_said_in_the_order_they_were_owed(it: Store) {
    let kinds = [
        ReplyKind::Check,
        ReplyKind::Comment,
        ReplyKind::Reaction,
        ReplyKind::History,
    ];
    for (place, kind) in kinds.into_iter().enumerate() {
        let mut one = reply(&format!("k{}", 9 - place), "x");
        one.kind = kind;
        one.target = (place > 0).then_some(7);
        it.one.owe(&one, NOW).await.unwrap();
    }
    for kind in kinds {
        let next = it.again().await.next_reply(NOW).await.unwrap().unwrap();
        assert_eq!(next.reply.kind, kind);
        it.one.posted(&next, None, NOW, NOW).await.unwrap();
    }
    assert_eq!(it.one.next_reply(NOW).await.unwrap(), None);
}
