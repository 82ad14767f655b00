//! What any journal must promise, held on a file: what was acknowledged is there after a hard end.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use journal::{Delivery, Journal, JournalError, Kept, NewRun, Reply, ReplyKind, Settled};
use plan::run::Fact;
use plan::step::StepId;
use topology::observed::Timestamp;

const NOW: Timestamp = Timestamp(1_000_000);

struct Kept1 {
    journal: Journal,
    url: String,
    _folder: tempfile::TempDir,
}

async fn fresh() -> Kept1 {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("journal.db").display());
    Kept1 {
        journal: Journal::open(&url).await.unwrap(),
        url,
        _folder: folder,
    }
}

fn delivery(id: &str) -> Delivery {
    Delivery {
        id: id.to_owned(),
        event: "push".to_owned(),
        body: "{}".to_owned(),
    }
}

fn new_run(site: &str) -> NewRun {
    NewRun {
        site: site.to_owned(),
        repository: "o/r".to_owned(),
        pull: Some(1),
        digest: "0000-0000".to_owned(),
        record: "{}".to_owned(),
    }
}

fn began() -> Fact {
    Fact::Began {
        by: "alice".to_owned(),
    }
}

#[tokio::test]
async fn a_delivery_is_kept_once_and_settled_once_in_order() {
    let it = fresh().await;
    let journal = &it.journal;
    assert_eq!(journal.keep(&delivery("a"), NOW).await.unwrap(), Kept::New);
    assert_eq!(journal.keep(&delivery("b"), NOW).await.unwrap(), Kept::New);
    assert_eq!(
        journal.keep(&delivery("a"), NOW).await.unwrap(),
        Kept::SeenBefore
    );
    assert_eq!(
        journal.next_delivery().await.unwrap().unwrap().delivery.id,
        "a"
    );
    assert_eq!(journal.next_delivery().await.unwrap().unwrap().attempts, 1);
    journal.settle("a", &Settled::Done, NOW).await.unwrap();
    assert_eq!(
        journal.next_delivery().await.unwrap().unwrap().delivery.id,
        "b"
    );
    journal
        .settle("b", &Settled::Parked("poison".to_owned()), NOW)
        .await
        .unwrap();
    assert_eq!(journal.next_delivery().await.unwrap(), None);
    assert_eq!(journal.queue().await.unwrap(), (0, 1));
    assert_eq!(
        journal.keep(&delivery("a"), NOW).await.unwrap(),
        Kept::SeenBefore
    );
}

#[tokio::test]
async fn facts_are_read_back_in_order_also_after_opening_again() {
    let it = fresh().await;
    let lease = it
        .journal
        .take("s", "w1", 1000, NOW)
        .await
        .unwrap()
        .unwrap();
    let run = it
        .journal
        .begin(&new_run("s"), &began(), NOW)
        .await
        .unwrap();
    for step in 1..=5 {
        it.journal
            .add(run, &lease, &Fact::Intended(StepId(step)), NOW)
            .await
            .unwrap();
    }
    let again = Journal::open(&it.url).await.unwrap();
    let facts: Vec<Fact> = again
        .facts(run)
        .await
        .unwrap()
        .into_iter()
        .map(|noted| noted.fact)
        .collect();
    let mut wanted = vec![began()];
    wanted.extend((1..=5).map(|step| Fact::Intended(StepId(step))));
    assert_eq!(facts, wanted);
}

#[tokio::test]
async fn a_site_has_one_run_at_a_time() {
    let it = fresh().await;
    let lease = it
        .journal
        .take("s", "w1", 1000, NOW)
        .await
        .unwrap()
        .unwrap();
    let run = it
        .journal
        .begin(&new_run("s"), &began(), NOW)
        .await
        .unwrap();
    assert!(matches!(
        it.journal.begin(&new_run("s"), &began(), NOW).await,
        Err(JournalError::Busy)
    ));
    assert!(
        it.journal
            .begin(&new_run("other"), &began(), NOW)
            .await
            .is_ok()
    );
    it.journal
        .add(run, &lease, &Fact::Finished, NOW)
        .await
        .unwrap();
    assert!(it.journal.begin(&new_run("s"), &began(), NOW).await.is_ok());
}

#[tokio::test]
async fn a_worker_that_lost_its_lease_adds_nothing() {
    let it = fresh().await;
    let old = it
        .journal
        .take("s", "w1", 1000, NOW)
        .await
        .unwrap()
        .unwrap();
    let run = it
        .journal
        .begin(&new_run("s"), &began(), NOW)
        .await
        .unwrap();
    assert_eq!(it.journal.take("s", "w2", 1000, NOW).await.unwrap(), None);
    let late = Timestamp(NOW.0 + 2000);
    let new = it
        .journal
        .take("s", "w2", 1000, late)
        .await
        .unwrap()
        .unwrap();
    assert!(new.epoch > old.epoch);
    assert!(!it.journal.still_held(&old, late).await.unwrap());
    assert!(matches!(
        it.journal.add(run, &old, &Fact::Finished, late).await,
        Err(JournalError::Lost)
    ));
    it.journal
        .add(run, &new, &Fact::Finished, late)
        .await
        .unwrap();
    assert_eq!(it.journal.facts(run).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_reply_is_said_once_and_a_newer_body_is_an_edit() {
    let it = fresh().await;
    let reply = |body: &str| Reply {
        key: "plan/1".to_owned(),
        repository: "o/r".to_owned(),
        kind: ReplyKind::Comment,
        target: Some(1),
        body: body.to_owned(),
    };
    it.journal.owe(&reply("one"), NOW).await.unwrap();
    it.journal.owe(&reply("two"), NOW).await.unwrap();
    let owed = it.journal.next_reply(NOW).await.unwrap().unwrap();
    assert_eq!(owed.reply.body, "two");
    it.journal.owe(&reply("three"), NOW).await.unwrap();
    it.journal
        .posted(&owed, Some(77), NOW, Timestamp(NOW.0 + 5000))
        .await
        .unwrap();
    assert_eq!(it.journal.next_reply(NOW).await.unwrap(), None);
    let later = Timestamp(NOW.0 + 5000);
    let edit = it.journal.next_reply(later).await.unwrap().unwrap();
    assert_eq!((edit.reply.body.as_str(), edit.remote), ("three", Some(77)));
    it.journal.posted(&edit, None, later, later).await.unwrap();
    it.journal.owe(&reply("three"), later).await.unwrap();
    assert_eq!(
        it.journal
            .next_reply(Timestamp(later.0 + 9000))
            .await
            .unwrap(),
        None
    );
}

#[tokio::test]
async fn a_power_cut_after_a_write_loses_nothing_that_was_written() {
    let it = fresh().await;
    let left = Arc::new(AtomicUsize::new(4));
    let counter = Arc::clone(&left);
    let fused = it.journal.clone().with_fuse(Arc::new(move || {
        counter.fetch_sub(1, Ordering::SeqCst) == 1
    }));
    assert_eq!(fused.keep(&delivery("a"), NOW).await.unwrap(), Kept::New);
    assert!(matches!(
        fused.keep(&delivery("b"), NOW).await,
        Err(JournalError::PowerCut)
    ));
    let again = Journal::open(&it.url).await.unwrap();
    assert_eq!(again.queue().await.unwrap(), (2, 0));
}

#[tokio::test]
async fn what_is_no_store_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("note.txt");
    std::fs::write(
        &file,
        "this is no database, it is a letter to a friend, and long enough to be one",
    )
    .unwrap();
    let open = |url: String| async move { Journal::open(&url).await.unwrap_err().to_string() };
    assert!(
        open(format!("sqlite://{}", file.display()))
            .await
            .contains("note.txt")
    );
    assert!(
        open("sqlite:///no/such/folder/j.db".to_owned())
            .await
            .contains("/no/such/folder/j.db")
    );
    assert!(
        open("redis://x".to_owned())
            .await
            .contains("write `sqlite://FILE`")
    );
}
