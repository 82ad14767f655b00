//! The store stays bounded, and forgets nothing that keeps the old from being new.

use journal::{Compacted, Kept, ReplyKind, Settled};
use plan::run::Fact;

use crate::{NOW, Store, began, delivery, heard, later, new_run, reply, taken};

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
        let owed = it.one.next_reply(NOW).await.unwrap().unwrap();
        it.one.posted(&owed, remote, NOW, NOW).await.unwrap();
    }
    it.one.owe(&reply("owed", "words"), NOW).await.unwrap();
    run
}

pub(crate) async fn what_is_over_loses_its_bulk_and_nothing_else(it: Store) {
    let run = lived_in(&it).await;
    assert_eq!(it.one.compact(NOW).await.unwrap(), Compacted::default());
    let emptied = Compacted {
        deliveries: 1,
        runs: 1,
        replies: 1,
    };
    assert_eq!(it.one.compact(later(1)).await.unwrap(), emptied);
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
    let waiting = again.next_delivery().await.unwrap().unwrap();
    assert_eq!(waiting.delivery, delivery("waiting"));
    assert_eq!(again.queue().await.unwrap(), (1, 1));
    let owed = again.next_reply(NOW).await.unwrap().unwrap();
    assert_eq!(owed.reply, reply("owed", "words"));
}

pub(crate) async fn what_is_compacted_is_not_new_again(it: Store) {
    lived_in(&it).await;
    it.one.compact(later(1)).await.unwrap();
    let again = it.again().await;
    for id in ["done", "parked", "waiting"] {
        let kept = again.keep(&delivery(id), NOW).await.unwrap();
        assert_eq!(kept, Kept::SeenBefore, "{id}");
    }
    assert!(!again.hear(&heard(7, "fresh"), NOW).await.unwrap());
    let mut reaction = reply("reaction", "words");
    reaction.kind = ReplyKind::Reaction;
    again.owe(&reaction, NOW).await.unwrap();
    again.owe(&reply("nameless", "words"), NOW).await.unwrap();
    again.owe(&reply("comment", "words"), NOW).await.unwrap();
    let owed = again.next_reply(NOW).await.unwrap().unwrap();
    assert_eq!(owed.reply.key, "owed");
    again.posted(&owed, Some(1), NOW, NOW).await.unwrap();
    let edit = again.next_reply(NOW).await.unwrap().unwrap();
    assert_eq!(
        (edit.reply.key.as_str(), edit.remote),
        ("comment", Some(77))
    );
    again.posted(&edit, None, NOW, NOW).await.unwrap();
    assert_eq!(again.next_reply(NOW).await.unwrap(), None);
}

pub(crate) async fn a_whole_store_is_found_whole(it: Store) {
    lived_in(&it).await;
    it.one.check().await.unwrap();
    it.one.ready().await.unwrap();
    it.one.compact(later(1)).await.unwrap();
    it.again().await.check().await.unwrap();
}
