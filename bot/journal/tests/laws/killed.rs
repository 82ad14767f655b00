//! A real process, killed hard in the middle of its writing: what it was told is kept is there, and nothing is half there.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};

use journal::{Journal, RunId};
use plan::run::Fact;
use plan::step::StepId;

use crate::cluster::{Cluster, PASSWORD};
use crate::{NOW, Store, began, new_run, opened};

/// Tells this same binary, run again, which store to write to.
const STORE: &str = "JOURNAL_LAWS_STORE";

/// The child's part: adds facts and keeps owing replies for ever, and says each fact's number once it is kept. Without a
/// store there is nothing for it to do.
#[tokio::test]
async fn writer() {
    let Some(url) = std::env::var_os(STORE) else {
        return;
    };
    let mut said = std::io::stderr();
    let stopped = match endless(&url.into_string().unwrap(), &mut said).await {
        Ok(never) => match never {},
        Err(error) => error,
    };
    writeln!(said, "stopped: {stopped}").unwrap();
}

async fn endless(
    url: &str,
    said: &mut impl std::io::Write,
) -> Result<std::convert::Infallible, Box<dyn std::error::Error>> {
    let journal = Journal::open(url).await?.by_the_passed_in_time();
    let lease = journal.take("s", "w1", 1000, NOW).await?.unwrap();
    let run = match journal.open_runs().await?.first() {
        Some(run) => run.id,
        None => journal.begin(&new_run("s"), &began(), NOW).await?,
    };
    let first = u32::try_from(journal.facts(run).await?.len())?;
    for step in first.. {
        journal.add(run, &lease, &fact(step), NOW).await?;
        writeln!(said, "kept {step}")?;
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

/// The number of facts, all of which are whole and in order.
async fn whole(it: &Store) -> usize {
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
async fn what_was_acknowledged_survives_a_kill_and_nothing_is_half_there() {
    survives_a_kill(Store::on_a_file().await).await;
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_kill_on_postgres() {
    if let Some(it) = Store::on_postgres().await {
        survives_a_kill(it).await;
    }
}

async fn survives_a_kill(it: Store) {
    let url = it.url.as_ref().unwrap();
    let mut before = 1;
    for lines in [1, 2, 7, 30, 90] {
        let mut child = started(url, itself());
        let told = BufReader::new(child.stderr.take().unwrap())
            .lines()
            .map(Result::unwrap)
            .filter_map(|line| line.strip_prefix("kept ")?.parse::<usize>().ok())
            .nth(lines - 1)
            .unwrap();
        assert_eq!(told, before + lines - 1, "it went on where it was killed");
        child.kill().unwrap();
        child.wait().unwrap();
        let kept = whole(&it).await;
        assert!(kept > told, "{kept} facts after {told} was acknowledged");
        before = kept;
    }
}

#[tokio::test]
async fn what_was_acknowledged_survives_the_end_of_postgres_itself() {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    let url = cluster.database().await;
    let journal = opened(&url).await;
    let mut child = started(&url, itself());
    let mut said = BufReader::new(child.stderr.take().unwrap())
        .lines()
        .map(Result::unwrap);
    let mut told = said.by_ref().filter(|line| line.starts_with("kept "));
    assert!(told.nth(20).is_some());
    cluster.killed();
    let rest: Vec<String> = said.collect();
    assert!(!child.wait().unwrap().success() || !rest.is_empty());
    let acknowledged = 21 + rest.iter().filter(|line| line.starts_with("kept ")).count();
    let stopped = rest.iter().find(|line| line.starts_with("stopped: "));
    let stopped = stopped.unwrap();
    // Its connection was cut, or no new one was to be had: which of them depends on when.
    assert!(stopped.contains("can be reached"), "{stopped}");
    let away = journal.queue().await.unwrap_err().to_string();
    assert!(away.contains("can be reached"), "{away}");
    assert!(!away.contains(PASSWORD), "{away}");
    assert!(journal.ready().await.is_err());

    assert!(cluster.up());
    // The journal that was open all the time goes on.
    journal.ready().await.unwrap();
    journal.check().await.unwrap();
    let facts = journal.facts(RunId(1)).await.unwrap();
    for (noted, step) in facts.iter().zip(0..) {
        let wanted = if step == 0 { began() } else { fact(step) };
        assert_eq!(noted.fact, wanted);
    }
    // The first fact is the beginning's, and the last may have been on its way.
    assert!(
        [acknowledged + 1, acknowledged + 2].contains(&facts.len()),
        "{} facts after {acknowledged} were acknowledged",
        facts.len()
    );
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_full_disk_stops_it_with_what_to_do_and_loses_nothing() {
    let it = Store::on_a_file().await;
    let url = it.url.as_ref().unwrap();
    // Files may grow to 2000 blocks of 512 or 1024 bytes; the write that passes them fails as on a full disk.
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; ulimit -f 2000; exec \"$@\"", "sh"]);
    command.arg(std::env::current_exe().unwrap());
    command.args(["--exact", "killed::writer", "--nocapture"]);
    let child = started(url, command);
    let said = child.wait_with_output().unwrap();
    let said = String::from_utf8(said.stderr).unwrap();
    let acknowledged = said
        .lines()
        .filter(|line| line.starts_with("kept "))
        .count();
    let stopped = said.lines().find(|line| line.starts_with("stopped: "));
    let stopped = stopped.unwrap();
    assert!(acknowledged > 5, "{said}");
    assert!(stopped.contains("room"), "{stopped}");
    assert_eq!(whole(&it).await, acknowledged + 1);
}
