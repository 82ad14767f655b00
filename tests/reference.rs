//! The reference run in one process that lives through all of it: what it logs, and what it asks of GitHub.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
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

/// The log without what follows from every word of the declaration and the runbooks: the plan's digest.
fn transcript(text: &str) -> String {
    let is_digest = |word: &str| {
        let word = word.trim_matches('"');
        let hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
        word.len() == 9 && word.split_once('-').is_some_and(|(a, b)| hex(a) && hex(b))
    };
    let line = |line: &str| {
        let words = line
            .trim_start()
            .split(' ')
            .map(|word| match word.split_once("digest=") {
                Some((before, digest)) if is_digest(digest) => format!("{before}digest=…"),
                Some(_) | None => word.to_owned(),
            });
        words.collect::<Vec<_>>().join(" ") + "\n"
    };
    text.lines().map(line).collect()
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
    // While there is one subscriber alone, tracing asks the thread that meets an event first whether anybody listens, and
    // other tests' threads have none. A second one makes it ask all.
    let second = tracing::Dispatch::new(tracing_subscriber::registry());
    let guard = tracing::subscriber::set_default(subscriber);
    let mut stage = Stage::open().await;
    played(&mut stage).await;
    drop((guard, second));
    let text = log.text();
    for secret in stage.secrets() {
        assert!(!text.contains(&secret), "a secret is in the log:\n{text}");
    }
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/reference-run.log");
    let transcript = transcript(&text);
    if std::env::var_os("PLANEBOT_GOLDEN").is_some() {
        std::fs::write(&golden, &transcript).unwrap();
    }
    assert_eq!(
        transcript,
        std::fs::read_to_string(&golden).unwrap(),
        "PLANEBOT_GOLDEN=1 writes it anew"
    );
}

/// ARCHITECTURE.md has a row that begins so, with these counts.
fn documented(row: &str, counts: &RequestCounts) {
    let architecture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ARCHITECTURE.md");
    let text = std::fs::read_to_string(architecture).unwrap();
    let line = text
        .lines()
        .find(|line| line.starts_with(&format!("| {row}")));
    let cells: Vec<&str> = line.unwrap_or_default().split('|').map(str::trim).collect();
    let total: u64 = counts.values().sum();
    let unchanged: u64 = counts
        .iter()
        .filter(|(kind, _)| kind.status == Some(304))
        .map(|(_, count)| count)
        .sum();
    let found = (cells.get(3).copied(), cells.get(4).copied());
    let (total, unchanged) = (total.to_string(), unchanged.to_string());
    let counted = (Some(total.as_str()), Some(unchanged.as_str()));
    assert_eq!(found, counted, "ARCHITECTURE.md, `{row}`");
}

#[tokio::test]
async fn the_requests_to_github_of_each_piece_of_work_are_few() {
    let mut stage = Stage::open().await;
    let counts = played(&mut stage).await;
    let by_act = |what: &str| {
        let found = counts.iter().find(|(act, _)| *act == what);
        found.unwrap().1.clone()
    };
    let of = |what: &str| table(&by_act(what));
    let mut all = RequestCounts::new();
    for (_, counts) in &counts {
        for (kind, count) in counts {
            *all.entry(kind.clone()).or_default() += count;
        }
    }
    assert_snapshot!(of("alice opens the pull request"), @r"
    30  in all
     1  GET /repos/{owner}/{repo}
     1  GET /repos/{owner}/{repo}/commits/{ref}/check-runs
    15  GET /repos/{owner}/{repo}/git/blobs/{sha}
     2  GET /repos/{owner}/{repo}/git/commits/{sha}
     1  GET /repos/{owner}/{repo}/git/ref/{ref}
     4  GET /repos/{owner}/{repo}/git/trees/{sha}
     1  GET /repos/{owner}/{repo}/issues/{number}/comments
     1  GET /repos/{owner}/{repo}/pulls/{number}
     1  GET /repos/{owner}/{repo}/pulls/{number}/files
     1  GET /repos/{owner}/{repo}/pulls/{number}/files (304)
     1  POST /repos/{owner}/{repo}/check-runs
     1  POST /repos/{owner}/{repo}/issues/{number}/comments
    ");
    assert_snapshot!(of("bob says /apply"), @r"
     16  in all
      1  GET /repos/{owner}/{repo} (304)
      1  GET /repos/{owner}/{repo}/compare/{basehead}
      2  GET /repos/{owner}/{repo}/git/ref/{ref}
      1  GET /repos/{owner}/{repo}/git/ref/{ref} (304)
      1  GET /repos/{owner}/{repo}/issues/comments/{id}
      2  GET /repos/{owner}/{repo}/issues/{number}/comments
      1  GET /repos/{owner}/{repo}/pulls/{number}
      1  GET /repos/{owner}/{repo}/pulls/{number}/files (304)
      1  PATCH /repos/{owner}/{repo}/check-runs/{id}
      1  PATCH /repos/{owner}/{repo}/issues/comments/{id}
      2  POST /repos/{owner}/{repo}/issues/comments/{id}/reactions
      2  POST /repos/{owner}/{repo}/issues/{number}/comments
    ");
    documented(
        "an accepted `/apply`, up to the first gate",
        &by_act("bob says /apply"),
    );
    documented(
        "a pull request is opened",
        &by_act("alice opens the pull request"),
    );
    documented("the whole run", &all);
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
    let idle = since(&before, &life.wiring.github.requests());
    documented("an idle hour", &idle);
    assert_snapshot!(table(&idle), @r"
     90  in all
     90  GET /repos/{owner}/{repo}/pulls (304)
    ");
}
