//! The reference run in one process that lives through all of it: what it logs, and what it asks of GitHub.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Arc, Mutex};

use github::RequestCounts;
use insta::assert_snapshot;
use simulation::harness::ServiceInstance;
use tracing_subscriber::fmt::MakeWriter;

use crate::crashes::{STORY, Stage};

/// A log that is kept in memory.
#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Captured {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Captured {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// One instance through every act; what each act asked of GitHub.
async fn played(stage: &mut Stage) -> Vec<(&'static str, RequestCounts)> {
    stage.arm(None);
    let store = stage.store();
    let mut instance: Option<ServiceInstance> = None;
    let mut counts = Vec::new();
    for (what, act) in &STORY {
        let life = match instance.take() {
            Some(life) => life,
            None => stage.wake(&store).await.unwrap(),
        };
        let before = life.wiring.github.requests();
        act(stage);
        while !stage.beat(&life).await.unwrap() {}
        counts.push((*what, since(&before, &life.wiring.github.requests())));
        instance = Some(life);
    }
    counts
}

fn since(before: &RequestCounts, after: &RequestCounts) -> RequestCounts {
    let mut fresh = RequestCounts::new();
    for (kind, count) in after {
        let new = count - before.get(kind).copied().unwrap_or(0);
        if new > 0 {
            fresh.insert(kind.clone(), new);
        }
    }
    fresh
}

/// One line for each kind of request.
fn table(counts: &RequestCounts) -> String {
    let mut by_kind: BTreeMap<String, u64> = BTreeMap::new();
    for (kind, count) in counts {
        let unchanged = if kind.status == Some(304) {
            " (304)"
        } else {
            ""
        };
        let line = format!("{} {}{unchanged}", kind.method, kind.route);
        *by_kind.entry(line).or_default() += count;
    }
    let total: u64 = by_kind.values().sum();
    let lines = by_kind
        .iter()
        .map(|(line, count)| format!("{count:>3}  {line}\n"));
    format!("{total:>3}  in all\n{}", lines.collect::<String>())
}

#[tokio::test]
async fn the_log_of_the_reference_run_tells_its_story_and_no_secret() {
    let log = Captured::default();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(log.clone())
        .without_time()
        .with_ansi(false)
        .with_target(false)
        .with_max_level(tracing::Level::INFO)
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let mut stage = Stage::open().await;
    played(&mut stage).await;
    drop(guard);
    let text = log.text();
    for secret in stage.secrets() {
        assert!(!text.contains(&secret), "a secret is in the log:\n{text}");
    }
    let lines: Vec<&str> = text.lines().map(str::trim_start).collect();
    assert_snapshot!(lines.join("\n"), @"");
}

#[tokio::test]
async fn the_requests_to_github_of_each_piece_of_work_are_few() {
    let mut stage = Stage::open().await;
    let counts = played(&mut stage).await;
    let of = |what: &str| {
        let found = counts.iter().find(|(act, _)| *act == what);
        table(&found.unwrap().1)
    };
    assert_snapshot!(of("alice opens the pull request"), @"");
    assert_snapshot!(of("bob says /apply"), @"");
}

#[tokio::test]
async fn an_idle_hour_asks_for_one_list_at_each_poll_and_costs_no_budget() {
    let mut stage = Stage::open().await;
    played(&mut stage).await;
    let life = stage.wake(&stage.store()).await.unwrap();
    // Two polls act on what they see; from then on nothing has changed.
    for _ in 0..2 {
        life.worker.poll().await.unwrap();
    }
    let before = life.wiring.github.requests();
    let polls = 3_600_000 / service::POLL_EVERY_MS;
    for _ in 0..polls {
        life.worker.poll().await.unwrap();
    }
    assert_snapshot!(table(&since(&before, &life.wiring.github.requests())), @"");
}
