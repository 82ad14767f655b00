//! The power is cut before and after every write in turn; the end state must not depend on when.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use journal::{Journal, JournalError, PullRow, RateTier, Settled, Stored};
use plan::run::{Fact, RecordedFact};
use plan::step::StepId;

use crate::{NOW, Store, began, comment, created, delivery, later, message, new_run, started};

/// Cuts the power when the crash point is reached for the `cut`th time, from 0.
fn crashing(journal: &Journal, cut: usize) -> Journal {
    let reached = AtomicUsize::new(0);
    journal.clone().with_crash_point(Arc::new(move || {
        reached.fetch_add(1, Ordering::SeqCst) == cut
    }))
}

/// A small service: stores a command, claims it, carries out a run of three steps, and reports it. It can be repeated.
async fn service(journal: &Journal) -> Result<(), JournalError> {
    journal.store_delivery(&delivery("a"), NOW).await?;
    while let Some(next) = started(journal).await? {
        assert!(
            journal
                .claim_comment(&comment(7, &next.delivery.id), NOW)
                .await?
        );
        carried_out(journal).await?;
        journal.enqueue(&message("run/1", "applied"), NOW).await?;
        journal
            .settle(&next.delivery.id, &Settled::Done, NOW)
            .await?;
    }
    while let Some(pending) = journal.next_message(later(1), RateTier::All).await? {
        journal.mark_sent(&pending, created(77), NOW, NOW).await?;
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

async fn end_state(
    journal: &Journal,
) -> (Vec<RecordedFact>, (i64, i64), Option<i64>, Option<String>) {
    journal.check().await.unwrap();
    let runs = journal.runs("s", 9).await.unwrap();
    assert_eq!(runs.len(), 1);
    (
        journal.facts(runs[0].id).await.unwrap(),
        journal.queue_depth().await.unwrap(),
        journal.message("run/1").await.unwrap().unwrap().remote,
        journal.cursor("comments").await.unwrap(),
    )
}

async fn has_one_end_state(stores: impl AsyncFn() -> Store) {
    let uncut = stores().await;
    service(&uncut.one).await.unwrap();
    let wanted = end_state(&uncut.one).await;
    let mut cuts = 0;
    loop {
        let it = stores().await;
        let cut = service(&crashing(&it.one, cuts)).await;
        if cut.is_ok() {
            break;
        }
        assert!(matches!(cut, Err(JournalError::PowerCut)), "cut {cuts}");
        let again = it.again().await;
        service(&again).await.unwrap();
        assert_eq!(end_state(&again).await, wanted, "power cut at {cuts}");
        cuts += 1;
    }
    assert!(cuts > 20, "only {cuts} cuts");
    assert_eq!(cuts % 2, 0, "each write is cut before and after");
}

#[tokio::test]
async fn a_file_has_the_same_end_state_after_any_power_cut() {
    has_one_end_state(Store::on_a_file).await;
}

#[tokio::test]
async fn memory_has_the_same_end_state_after_any_power_cut() {
    has_one_end_state(Store::in_memory).await;
}

#[tokio::test]
async fn postgres_has_the_same_end_state_after_any_power_cut() {
    if support_postgres::shared().is_some() {
        has_one_end_state(async || Store::on_postgres().await.unwrap()).await;
    }
}

/// What people read on GitHub is what is stored: a plan that is shown without its record could never be named in an order.
async fn a_record_and_its_comment_are_stored_together(stores: impl AsyncFn() -> Store) {
    for (cut, stored) in [(0, false), (1, true), (2, true)] {
        let it = stores().await;
        let message = message("plan/1", "shown");
        let journal = crashing(&it.one, cut);
        let put = journal.put_shown_pull(&shown(), &message, NOW).await;
        assert_eq!(put.is_ok(), cut == 2, "cut {cut}");
        let again = it.again().await;
        let record = again.pull("o/r", 1).await.unwrap();
        let comment = again.message("plan/1").await.unwrap();
        assert_eq!(
            (record.is_some(), comment.is_some()),
            (stored, stored),
            "cut {cut}"
        );
    }
}

fn shown() -> PullRow {
    PullRow {
        repository: "o/r".to_owned(),
        number: 1,
        site: "s".to_owned(),
        merged: None,
        stage: "planned".to_owned(),
        record: "{}".to_owned(),
    }
}

#[tokio::test]
async fn a_file_stores_a_record_and_its_comment_together() {
    a_record_and_its_comment_are_stored_together(Store::on_a_file).await;
}

#[tokio::test]
async fn postgres_stores_a_record_and_its_comment_together() {
    if support_postgres::shared().is_some() {
        a_record_and_its_comment_are_stored_together(async || Store::on_postgres().await.unwrap())
            .await;
    }
}

#[tokio::test]
async fn after_a_power_cut_nothing_is_read_or_written() {
    let it = Store::in_memory().await;
    // Reached before and after the first write, then before the second.
    let journal = crashing(&it.one, 2);
    assert_eq!(
        journal.store_delivery(&delivery("a"), NOW).await.unwrap(),
        Stored::New
    );
    let cut = journal.store_delivery(&delivery("b"), NOW).await;
    assert!(matches!(cut, Err(JournalError::PowerCut)));
    for result in [
        journal.settle("a", &Settled::Done, NOW).await,
        journal.queue_depth().await.map(drop),
        journal.clone().check().await,
        journal.ready().await,
    ] {
        assert!(matches!(result, Err(JournalError::PowerCut)));
    }
    assert_eq!(
        it.one.queue_depth().await.unwrap(),
        (1, 0),
        "before: not durable"
    );
    let cut = crashing(&it.one, 1)
        .store_delivery(&delivery("b"), NOW)
        .await;
    assert!(matches!(cut, Err(JournalError::PowerCut)));
    assert_eq!(
        it.one.queue_depth().await.unwrap(),
        (2, 0),
        "after: durable"
    );
}
