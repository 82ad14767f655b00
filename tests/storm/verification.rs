//! What must be so when the storm is over.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

use plan::plan::{Plan, PlanPolicy};
use plan::run::Fact;
use simulation::demo::site;
use topology::draft::SourceFile;

use super::environment::StormEnvironment;
use super::mishaps::Tally;
use super::posts::{DELIVERIES, DOUBLED, FORGED, MOVED};
use super::replicas::NAMES;
use crate::lab::{World, outside};
use simulation::harness::REPOSITORY;

/// What the answer to a comment carries where people do not see it.
pub(super) fn marker(comment: u64) -> String {
    format!("<!-- planebot:answer/{REPOSITORY}/{comment} -->")
}

/// Waits until all is settled and said, then looks at everything; what there is to tell.
pub(super) async fn at_the_end(
    environment: &StormEnvironment,
    tally: &Tally,
    commands: &[u64],
) -> String {
    environment.all_are("ready", true).await;
    let quiet = async || {
        let open = environment
            .count("SELECT (SELECT COUNT(*) FROM delivery WHERE settled IS NULL) + (SELECT COUNT(*) FROM reply WHERE posted IS NULL)")
            .await;
        open == Some(0)
    };
    environment
        .until("everything is settled and said", quiet)
        .await;
    each_delivery_is_settled_once(environment).await;
    let words = each_word_is_said_once(environment, commands);
    let writes = each_write_happened_once(environment).await;
    as_declared(environment).await;
    let count = |counter: &std::sync::atomic::AtomicUsize| counter.load(Ordering::SeqCst);
    format!(
        "the storm: {DELIVERIES} deliveries, {DOUBLED} doubled, {MOVED} out of order, {FORGED} forged, carried in {} requests \
         of which {} failed and were sent again; lost 0, settled twice 0, comments doubled 0 of {words}, writes doubled 0 of \
         {writes}; {} kills, one replica paused, each stopped and started again, PostgreSQL stopped once; {} takeovers, the \
         longest {} ms\n",
        count(&environment.storm.sent),
        count(&environment.storm.failed),
        count(&tally.kills) + 1,
        count(&tally.takeovers),
        tally.longest_takeover(),
    )
}

async fn each_delivery_is_settled_once(environment: &StormEnvironment) {
    let kept: Vec<(String,)> =
        sqlx::query_as("SELECT id FROM delivery WHERE id NOT LIKE 'missed-%'")
            .fetch_all(&environment.store)
            .await
            .unwrap();
    let kept: BTreeSet<String> = kept.into_iter().map(|(id,)| id).collect();
    let accepted = environment.storm.accepted().clone();
    let lost: Vec<_> = accepted.difference(&kept).collect();
    assert!(lost.is_empty(), "answered with 202 and not kept: {lost:?}");
    let invented: Vec<_> = kept.difference(&accepted).collect();
    assert!(invented.is_empty(), "kept and never sent so: {invented:?}");
    let of_the_storm = accepted.iter().filter(|id| id.starts_with("storm-"));
    assert_eq!(of_the_storm.count(), DELIVERIES);
    assert_eq!(environment.storm.turned_away.load(Ordering::SeqCst), FORGED);
    let all = environment.count("SELECT COUNT(*) FROM delivery").await;
    let settled = environment.count("SELECT COUNT(*) FROM settlement").await;
    let distinct = environment
        .count("SELECT COUNT(DISTINCT id) FROM settlement")
        .await;
    // What was settled before the counting began was settled in a calm time.
    let before = environment
        .count("SELECT COUNT(*) FROM delivery WHERE id NOT IN (SELECT id FROM settlement)")
        .await;
    assert_eq!((settled, before), (distinct, Some(0)));
    assert_eq!(all, settled);
    let (waiting, parked) = environment.journal.queue_depth().await.unwrap();
    assert_eq!((waiting, parked), (0, 0));
}

/// How many comments there are.
fn each_word_is_said_once(environment: &StormEnvironment, commands: &[u64]) -> usize {
    let said = environment.comments();
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    for key in said
        .iter()
        .filter_map(|body| body.lines().find(|line| line.starts_with("<!-- planebot:")))
    {
        *times.entry(key).or_default() += 1;
    }
    let doubled: Vec<_> = times.iter().filter(|(_, times)| **times > 1).collect();
    assert!(doubled.is_empty(), "said twice: {doubled:?}");
    assert_eq!(times.len(), said.len(), "a comment without a key");
    for comment in commands {
        assert!(times.contains_key(marker(*comment).as_str()), "{comment}");
    }
    let mut hub = environment.github.github();
    let at = hub.at(REPOSITORY);
    let merge = at.head("main").unwrap();
    let applied: Vec<_> = at
        .check_runs(merge)
        .into_iter()
        .filter(|run| run.name == "planebot/apply")
        .map(|run| run.conclusion)
        .collect();
    assert_eq!(applied, [Some("success".to_owned())]);
    assert_eq!(at.log("planebot-history").len(), 1);
    said.len()
}

/// How many writes there were.
async fn each_write_happened_once(environment: &StormEnvironment) -> usize {
    let facts = environment.facts().await;
    let intended: BTreeSet<_> = facts
        .iter()
        .filter_map(|fact| {
            if let Fact::Intended(step) = fact {
                Some(*step)
            } else {
                None
            }
        })
        .collect();
    assert_eq!(facts.last(), Some(&Fact::Finished));
    let writes = environment.maas.maas.lock().unwrap().writes().to_vec();
    assert_eq!(writes.len(), intended.len(), "{writes:#?}");
    let refused = (0..NAMES.len())
        .map(|which| environment.watch.writes_of(which))
        .sum::<usize>();
    assert_eq!(refused, writes.len(), "MAAS was asked for what it refused");
    writes.len()
}

async fn as_declared(environment: &StormEnvironment) {
    let sources: Vec<SourceFile> = site::DECLARED
        .iter()
        .map(|(path, text)| SourceFile {
            path: path.trim_start_matches("topology/").to_owned(),
            bytes: text.as_bytes().to_vec(),
        })
        .collect();
    let topology = topology::check::check(&sources).topology.unwrap();
    let maas = std::sync::Arc::clone(&environment.maas.maas);
    let client = maas::MaasClient::new(
        execution::rehearse::in_memory::InMemoryMaas::new(std::sync::Arc::clone(&maas), outside()),
        outside(),
    );
    let observed = World { maas, client }.observe(&topology).await;
    let left = Plan::between(&observed, &topology, &PlanPolicy::default()).unwrap();
    assert!(left.steps.is_empty(), "{:#?}", left.steps);
}
