//! A real process, killed while it writes: every fact that it acknowledged is stored, and none is stored in part.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};

use journal::{Journal, RunId};
use plan::run::Fact;
use plan::step::StepId;

use crate::{NOW, Store, began, new_run, opened};
use support_postgres::{Cluster, PASSWORD};

/// The environment variable by which this binary, run as a child, learns which store to write to.
const STORE: &str = "JOURNAL_LAWS_STORE";

/// The child: adds facts without end, and prints each fact's number once it is stored. In an ordinary test run there is no
/// store for it, and nothing to do.
#[tokio::test]
async fn writer() {
    let Some(url) = std::env::var_os(STORE) else {
        return;
    };
    let mut output = std::io::stderr();
    let stopped = match write_facts(&url.into_string().unwrap(), &mut output).await {
        Ok(never) => match never {},
        Err(error) => error,
    };
    writeln!(output, "stopped: {stopped}").unwrap();
}

async fn write_facts(
    url: &str,
    output: &mut impl std::io::Write,
) -> Result<std::convert::Infallible, Box<dyn std::error::Error>> {
    let journal = Journal::open(url).await?.with_caller_clock();
    let lease = journal.take("s", "w1", 1000, NOW).await?.unwrap();
    let run = match journal.open_runs().await?.first() {
        Some(run) => run.id,
        None => journal.begin(&new_run("s"), &began(), NOW).await?,
    };
    let first = u32::try_from(journal.facts(run).await?.len())?;
    for step in first.. {
        journal.add(run, &lease, &fact(step), NOW).await?;
        writeln!(output, "stored {step}")?;
    }
    unreachable!("four billion facts are enough")
}

/// Long enough to need more than a page of the store.
fn fact(step: u32) -> Fact {
    Fact::Unknown {
        step: StepId(step),
        why: "no answer ".repeat(600),
    }
}

fn started(url: &str, mut command: Command) -> Child {
    command
        .env(STORE, url)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn itself() -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "killed::writer", "--nocapture"]);
    command
}

/// The number of facts, which are all complete and in order.
async fn intact_facts(it: &Store) -> usize {
    let journal = it.again().await;
    journal.check().await.unwrap();
    let facts = journal.facts(RunId(1)).await.unwrap();
    for (noted, step) in facts.iter().zip(0..) {
        let wanted = if step == 0 { began() } else { fact(step) };
        assert_eq!(noted.fact, wanted);
    }
    facts.len()
}

#[tokio::test]
async fn acknowledged_facts_survive_a_kill_and_none_is_partial() {
    survives_a_kill(Store::on_a_file().await).await;
}

#[tokio::test]
async fn acknowledged_facts_survive_a_kill_on_postgres() {
    if let Some(it) = Store::on_postgres().await {
        survives_a_kill(it).await;
    }
}

async fn survives_a_kill(it: Store) {
    let url = it.url.as_ref().unwrap();
    let mut before = 1;
    for lines in [1, 2, 7, 30, 90] {
        let mut child = started(url, itself());
        let acknowledged = BufReader::new(child.stderr.take().unwrap())
            .lines()
            .map(Result::unwrap)
            .filter_map(|line| line.strip_prefix("stored ")?.parse::<usize>().ok())
            .nth(lines - 1)
            .unwrap();
        assert_eq!(
            acknowledged,
            before + lines - 1,
            "it continued where it was killed"
        );
        child.kill().unwrap();
        child.wait().unwrap();
        let stored = intact_facts(&it).await;
        assert!(
            stored > acknowledged,
            "{stored} facts after {acknowledged} was acknowledged"
        );
        before = stored;
    }
}

#[tokio::test]
async fn acknowledged_facts_survive_a_power_cut_of_postgres() {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    let url = cluster.database().await;
    let journal = opened(&url).await;
    let mut child = started(&url, itself());
    let mut output = BufReader::new(child.stderr.take().unwrap())
        .lines()
        .map(Result::unwrap);
    let mut stored = output.by_ref().filter(|line| line.starts_with("stored "));
    assert!(stored.nth(20).is_some());
    cluster.stop_immediately();
    let rest: Vec<String> = output.collect();
    assert!(!child.wait().unwrap().success() || !rest.is_empty());
    let acknowledged = 21
        + rest
            .iter()
            .filter(|line| line.starts_with("stored "))
            .count();
    let stopped = rest.iter().find(|line| line.starts_with("stopped: "));
    let stopped = stopped.unwrap();
    // Its connection broke, or it got no new one: which of the two depends on the time.
    assert!(stopped.contains("can be reached"), "{stopped}");
    let error = journal.queue_depth().await.unwrap_err().to_string();
    assert!(error.contains("can be reached"), "{error}");
    assert!(!error.contains(PASSWORD), "{error}");
    assert!(journal.ready().await.is_err());

    assert!(cluster.restart());
    // The journal that was open all the time continues.
    journal.ready().await.unwrap();
    journal.check().await.unwrap();
    let facts = journal.facts(RunId(1)).await.unwrap();
    for (noted, step) in facts.iter().zip(0..) {
        let wanted = if step == 0 { began() } else { fact(step) };
        assert_eq!(noted.fact, wanted);
    }
    // The first fact began the run, and the last one may have been stored without an acknowledgement.
    assert!(
        [acknowledged + 1, acknowledged + 2].contains(&facts.len()),
        "{} facts after {acknowledged} were acknowledged",
        facts.len()
    );
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_full_disk_is_reported_with_a_remedy_and_loses_nothing() {
    let it = Store::on_a_file().await;
    let url = it.url.as_ref().unwrap();
    // Files may grow to 2000 blocks of 512 or 1024 bytes; the write that passes them fails as on a full disk.
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; ulimit -f 2000; exec \"$@\"", "sh"]);
    command.arg(std::env::current_exe().unwrap());
    command.args(["--exact", "killed::writer", "--nocapture"]);
    let child = started(url, command);
    let output = child.wait_with_output().unwrap();
    let output = String::from_utf8(output.stderr).unwrap();
    let acknowledged = output
        .lines()
        .filter(|line| line.starts_with("stored "))
        .count();
    let stopped = output.lines().find(|line| line.starts_with("stopped: "));
    let stopped = stopped.unwrap();
    assert!(acknowledged > 5, "{output}");
    assert!(stopped.contains("room"), "{stopped}");
    assert_eq!(intact_facts(&it).await, acknowledged + 1);
}
