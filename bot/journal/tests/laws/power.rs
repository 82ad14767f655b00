//! Cut the power before and after every write in turn; the end must not depend on when.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use journal::{Journal, JournalError, Kept, Room, Settled};
use plan::run::{Fact, Noted};
use plan::step::StepId;

use crate::{NOW, Store, began, cluster, delivery, heard, later, made, new_run, reply, taken_up};

/// Goes dark at the `cut`th time it is asked.
fn fused(journal: &Journal, cut: usize) -> Journal {
    let asked = AtomicUsize::new(0);
    journal.clone().with_fuse(Arc::new(move || {
        asked.fetch_add(1, Ordering::SeqCst) == cut
    }))
}

/// A small service: keeps a command, claims it, carries out a run of three steps, and says so. Made to be begun again.
async fn story(journal: &Journal) -> Result<(), JournalError> {
    journal.keep(&delivery("a"), NOW).await?;
    while let Some(next) = taken_up(journal).await? {
        assert!(journal.hear(&heard(7, &next.delivery.id), NOW).await?);
        carried_out(journal).await?;
        journal.owe(&reply("run/1", "applied"), NOW).await?;
        journal
            .settle(&next.delivery.id, &Settled::Done, NOW)
            .await?;
    }
    while let Some(owed) = journal.next_reply(later(1), Room::All).await? {
        journal.posted(&owed, made(77), NOW, NOW).await?;
    }
    journal.set_cursor("comments", "7").await
}

async fn carried_out(journal: &Journal) -> Result<(), JournalError> {
    let lease = journal.take("s", "w1", 1000, NOW).await?.unwrap();
    let run = match journal.runs("s", 1).await?.first() {
        Some(run) => run.id,
        None => journal.begin(&new_run("s"), &began(), NOW).await?,
    };
    for step in journal.facts(run).await?.len()..4 {
        let step = StepId(u32::try_from(step).unwrap());
        journal.add(run, &lease, &Fact::Intended(step), NOW).await?;
    }
    if journal.facts(run).await?.len() == 4 {
        journal.add(run, &lease, &Fact::Finished, NOW).await?;
    }
    journal.release(&lease).await
}

async fn the_end(journal: &Journal) -> (Vec<Noted>, (i64, i64), Option<i64>, Option<String>) {
    journal.check().await.unwrap();
    let runs = journal.runs("s", 9).await.unwrap();
    assert_eq!(runs.len(), 1);
    (
        journal.facts(runs[0].id).await.unwrap(),
        journal.queue().await.unwrap(),
        journal.reply("run/1").await.unwrap().unwrap().remote,
        journal.cursor("comments").await.unwrap(),
    )
}

async fn ends_the_same(stores: impl AsyncFn() -> Store) {
    let calm = stores().await;
    story(&calm.one).await.unwrap();
    let wanted = the_end(&calm.one).await;
    let mut cuts = 0;
    loop {
        let it = stores().await;
        let cut = story(&fused(&it.one, cuts)).await;
        if cut.is_ok() {
            break;
        }
        assert!(matches!(cut, Err(JournalError::PowerCut)), "cut {cuts}");
        let again = it.again().await;
        story(&again).await.unwrap();
        assert_eq!(the_end(&again).await, wanted, "power cut at {cuts}");
        cuts += 1;
    }
    assert!(cuts > 20, "only {cuts} cuts");
    assert_eq!(cuts % 2, 0, "each write is cut before and after");
}

#[tokio::test]
async fn a_file_ends_the_same_wherever_the_power_is_cut() {
    ends_the_same(Store::on_a_file).await;
}

#[tokio::test]
async fn memory_ends_the_same_wherever_the_power_is_cut() {
    ends_the_same(Store::in_memory).await;
}

#[tokio::test]
async fn postgres_ends_the_same_wherever_the_power_is_cut() {
    if cluster::shared().is_some() {
        ends_the_same(async || Store::on_postgres().await.unwrap()).await;
    }
}

#[tokio::test]
async fn once_the_power_went_nothing_more_is_done_or_said() {
    let it = Store::in_memory().await;
    // Asked before and after the first write, then before the second.
    let journal = fused(&it.one, 2);
    assert_eq!(journal.keep(&delivery("a"), NOW).await.unwrap(), Kept::New);
    let cut = journal.keep(&delivery("b"), NOW).await;
    assert!(matches!(cut, Err(JournalError::PowerCut)));
    for dark in [
        journal.settle("a", &Settled::Done, NOW).await,
        journal.queue().await.map(drop),
        journal.clone().check().await,
        journal.ready().await,
    ] {
        assert!(matches!(dark, Err(JournalError::PowerCut)));
    }
    assert_eq!(it.one.queue().await.unwrap(), (1, 0), "before: not durable");
    let cut = fused(&it.one, 1).keep(&delivery("b"), NOW).await;
    assert!(matches!(cut, Err(JournalError::PowerCut)));
    assert_eq!(it.one.queue().await.unwrap(), (2, 0), "after: durable");
}
