//! Facts are only appended, and read back in order.

use std::future::poll_fn;
use std::task::Poll;

use journal::JournalError;
use plan::run::Fact;
use plan::step::StepId;

use crate::{NOW, Store, began, later, new_run, rows, taken};

pub(crate) async fn facts_are_read_back_in_order_also_after_opening_again(it: Store) {
    let lease = taken(&it.one, "s").await;
    let run = it.one.begin(&new_run("s"), &began(), NOW).await.unwrap();
    for step in 1..=5 {
        let fact = Fact::Intended(StepId(step));
        it.one
            .add(run, &lease, &fact, later(step.into()))
            .await
            .unwrap();
    }
    let again = it.again().await;
    let facts = again.facts(run).await.unwrap();
    let times: Vec<i64> = facts.iter().map(|noted| noted.at.0 - NOW.0).collect();
    assert_eq!(times, [0, 1, 2, 3, 4, 5]);
    let mut wanted = vec![began()];
    wanted.extend((1..=5).map(|step| Fact::Intended(StepId(step))));
    let found: Vec<Fact> = facts.into_iter().map(|noted| noted.fact).collect();
    assert_eq!(found, wanted);
    let stored = again.run(run).await.unwrap().unwrap();
    assert_eq!(
        (stored.new, stored.began, stored.ended),
        (new_run("s"), NOW, None)
    );
}

pub(crate) async fn every_kind_of_fact_reads_back_equal(it: Store) {
    let lease = taken(&it.one, "s").await;
    let run = it.one.begin(&new_run("s"), &began(), NOW).await.unwrap();
    for fact in &rows::every_fact()[1..] {
        it.one.add(run, &lease, fact, NOW).await.unwrap();
    }
    let found: Vec<Fact> = it
        .again()
        .await
        .facts(run)
        .await
        .unwrap()
        .into_iter()
        .map(|noted| noted.fact)
        .collect();
    assert_eq!(found, rows::every_fact());
}

pub(crate) async fn sites_of_one_maas_have_one_run_at_a_time(it: Store) {
    let on = |site: &str, maas: &[&str]| journal::NewRun {
        maas: maas.iter().map(|&entry| entry.to_owned()).collect(),
        ..new_run(site)
    };
    let (one, two) = (
        on("s", &["url a", "region x"]),
        on("t", &["url b", "region x"]),
    );
    // Both stores begin at once: one entry in common is enough, and one of the two comes first.
    let fact = began();
    let (first, second) = tokio::join!(
        it.one.begin(&one, &fact, NOW),
        it.two.begin(&two, &fact, NOW)
    );
    assert!(first.is_ok() != second.is_ok());
    let other = on("u", &["url c", "region y"]);
    it.one.begin(&other, &began(), NOW).await.unwrap();
    let open = it.one.open_runs().await.unwrap();
    let begun = open.iter().find(|run| run.new.site != "u").unwrap();
    assert!(begun.new == one || begun.new == two);
    let lease = taken(&it.one, &begun.new.site).await;
    let refused = if begun.new == one { &two } else { &one };
    let still = it.two.begin(refused, &began(), NOW).await;
    assert!(matches!(still, Err(JournalError::Busy)));
    it.one
        .add(begun.id, &lease, &Fact::Finished, NOW)
        .await
        .unwrap();
    it.two.begin(refused, &began(), NOW).await.unwrap();
}

pub(crate) async fn a_site_has_one_run_at_a_time(it: Store) {
    let lease = taken(&it.one, "s").await;
    let run = it.one.begin(&new_run("s"), &began(), NOW).await.unwrap();
    let second = it.two.begin(&new_run("s"), &began(), NOW).await;
    assert!(matches!(second, Err(JournalError::Busy)));
    let other = it.two.begin(&new_run("t"), &began(), NOW).await.unwrap();
    it.one.add(run, &lease, &Fact::Finished, NOW).await.unwrap();
    let next = it.two.begin(&new_run("s"), &began(), NOW).await.unwrap();
    let ids = |runs: Vec<journal::Run>| runs.into_iter().map(|run| run.id).collect::<Vec<_>>();
    assert_eq!(ids(it.one.open_runs().await.unwrap()), [other, next]);
    assert_eq!(ids(it.one.runs("s", 9).await.unwrap()), [next, run]);
    assert_eq!(ids(it.one.runs("s", 1).await.unwrap()), [next]);
    for (digest, count) in [("0000-0000", 3), ("0000-0001", 0)] {
        assert_eq!(it.two.count_runs("o/r", 1, digest).await.unwrap(), count);
    }
}

pub(crate) async fn of_two_orders_in_the_same_second_one_begins(it: Store) {
    for round in 0..10 {
        let new = new_run(&format!("s{round}"));
        let first = began();
        let (one, two) = tokio::join!(
            it.one.begin(&new, &first, NOW),
            it.two.begin(&new, &first, NOW)
        );
        let busy = [one, two]
            .into_iter()
            .filter(|begun| matches!(begun, Err(JournalError::Busy)))
            .count();
        assert_eq!(busy, 1, "round {round}");
    }
    assert_eq!(it.one.open_runs().await.unwrap().len(), 10);
}

pub(crate) async fn a_finished_run_stays_finished(it: Store) {
    let lease = taken(&it.one, "s").await;
    let run = it.one.begin(&new_run("s"), &began(), NOW).await.unwrap();
    let aborted = Fact::Aborted {
        by: "alice".to_owned(),
    };
    it.one.add(run, &lease, &aborted, later(1)).await.unwrap();
    // The answer to a request that was under way when the run was aborted is still recorded.
    let late = Fact::Done {
        step: StepId(1),
        id: Some(5),
        already: false,
    };
    it.one.add(run, &lease, &late, later(2)).await.unwrap();
    it.one.add(run, &lease, &aborted, later(3)).await.unwrap();
    let stored = it.again().await.run(run).await.unwrap().unwrap();
    assert_eq!(stored.ended, Some(later(1)));
    assert_eq!(it.one.facts(run).await.unwrap().len(), 4);
}

pub(crate) async fn two_workers_adding_at_once_lose_no_fact(it: Store) {
    let (s, t) = (taken(&it.one, "s").await, taken(&it.two, "t").await);
    let run_s = it.one.begin(&new_run("s"), &began(), NOW).await.unwrap();
    let run_t = it.two.begin(&new_run("t"), &began(), NOW).await.unwrap();
    for step in 0..30 {
        let fact = Fact::Intended(StepId(step));
        let (one, two) = tokio::join!(
            it.one.add(run_s, &s, &fact, NOW),
            it.two.add(run_t, &t, &fact, NOW)
        );
        one.unwrap();
        two.unwrap();
    }
    for run in [run_s, run_t] {
        assert_eq!(it.one.facts(run).await.unwrap().len(), 31);
    }
}

/// As when a web server drops a handler whose client has disconnected.
pub(crate) async fn a_cancelled_call_leaves_no_partial_write(it: Store) {
    let lease = taken(&it.one, "s").await;
    let run = it.one.begin(&new_run("s"), &began(), NOW).await.unwrap();
    let mut before = 1;
    for polls in 0..40 {
        let fact = Fact::Intended(StepId(polls));
        let mut call = Box::pin(it.one.add(run, &lease, &fact, NOW));
        for _ in 0..polls {
            let finished = poll_fn(|task| Poll::Ready(call.as_mut().poll(task).is_ready())).await;
            if finished {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(call);
        it.one.add(run, &lease, &began(), NOW).await.unwrap();
        let facts = it.two.facts(run).await.unwrap();
        let new: Vec<Fact> = facts[before..]
            .iter()
            .map(|noted| noted.fact.clone())
            .collect();
        before = facts.len();
        assert!(
            new == [began()] || new == [fact, began()],
            "cancelled after {polls} polls: {new:?}"
        );
    }
    it.again().await.check().await.unwrap();
}
