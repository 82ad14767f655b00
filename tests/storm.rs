//! A storm over real processes: three replicas of the service on one PostgreSQL, ten thousand webhooks, and a run under way
//! while replicas are killed, paused and stopped, a disk is full and PostgreSQL itself goes away.

mod environment;
mod mishaps;
mod posts;
mod replicas;
mod verification;
mod watch;

use std::io::Write as _;

use serde_json::Value;
use simulation::demo::site;

use environment::StormEnvironment;
use mishaps::Tally;
use support_postgres::Cluster;

/// What of the storm goes before the run; the rest goes in parts, at each mishap of it.
const BEFORE_THE_RUN: usize = 7_500;
const PART: usize = 600;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_write_and_each_word_happens_once_in_a_storm_over_replicas_that_die() {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    let mut environment = StormEnvironment::open(cluster).await;
    environment.propose();
    let tally = Tally::default();
    let told = tokio::select! {
        told = Box::pin(day(&environment, &tally)) => told,
        never = environment.carry_webhooks() => match never {},
        never = environment.reap(&tally) => match never {},
        never = environment.watch_takeovers(&tally) => match never {},
    };
    // Not captured by the test runner, so that it is seen.
    std::io::stderr().write_all(told.as_bytes()).unwrap();
}

/// The whole day; what there is to tell of it.
async fn day(environment: &StormEnvironment, tally: &Tally) -> String {
    let commands = talk(environment).await;
    let posts = brewed(environment, &commands);
    let storm = Box::pin(async {
        environment.storm.carry().await;
    });
    let run = Box::pin(async {
        environment.storm.release(BEFORE_THE_RUN);
        applied(environment, tally).await;
        environment.storm.release(posts);
    });
    tokio::join!(storm, run);
    verification::at_the_end(environment, tally, &commands).await
}

/// People talk to the bot before anything happens; the comments that want an answer.
async fn talk(environment: &StormEnvironment) -> Vec<u64> {
    environment.receive("### 🟡 Plan for").await;
    let words = ["/help", "/status", "/why 10.12.8.0/22"];
    let people = ["alice", "bob", "mallory"];
    let mut commands: Vec<u64> = people
        .iter()
        .zip(words)
        .map(|(who, words)| environment.comment(who, words))
        .collect();
    commands.push(environment.comment("mallory", "/apply"));
    for comment in &commands {
        environment.receive(&verification::marker(*comment)).await;
    }
    commands
}

/// Makes the storm, in which those comments are told again and again.
fn brewed(environment: &StormEnvironment, commands: &[u64]) -> usize {
    let mut hub = environment.github.github();
    let replayed: Vec<Value> = hub
        .deliveries()
        .iter()
        .filter(|one| one.event == "issue_comment")
        .map(|one| serde_json::from_slice(&one.body).unwrap())
        .filter(|body: &Value| {
            let id = body["comment"]["id"].as_u64();
            id.is_some_and(|id| commands.contains(&id))
        })
        .collect();
    environment
        .storm
        .brew(&mut hub, environment.number, &replayed)
}

/// The merge, the order and the run, with all that happens to the replicas meanwhile.
async fn applied(environment: &StormEnvironment, tally: &Tally) {
    environment.merge();
    let plan = environment.receive("this is merged").await;
    let digest = plan
        .lines()
        .find_map(|line| line.strip_prefix("/apply "))
        .unwrap();
    environment.comment("bob", &format!("/apply {digest}"));
    environment.passed("ordered");
    environment
        .receive("Gate `teardown`: a person is needed")
        .await;
    environment.passed("at the teardown");
    environment.tear_down();
    environment.comment("bob", "/done teardown");

    environment.kill_at_a_write(3).await;
    environment.passed("killed at a write");
    tally.reap();
    environment.storm.release(PART);
    wrote(environment, 5).await;
    tally.rest().await;
    environment.storm.release(PART);
    environment.restart_postgres().await;
    environment.passed("PostgreSQL is there again");
    tally.reap();
    environment.storm.release(PART);
    wrote(environment, 8).await;
    tally.rest().await;
    environment.pause_and_wake(10, tally).await;
    environment.passed("the paused one was refused");
    environment.storm.release(PART);
    environment.roll().await;
    environment.passed("all were upgraded");
    tally.reap();
    environment.storm.release(PART);
    environment
        .receive("Gate `jumphost`: a person is needed")
        .await;
    environment.passed("at the jumphost");
    environment.jumphost(&site::JUMPHOST_AFTER);
    environment.comment("bob", "/done jumphost");
    environment.receive("### ✅ Applied").await;
    environment.passed("applied");
    tally.rest().await;
}

async fn wrote(environment: &StormEnvironment, count: usize) {
    let what = format!("{count} writes to MAAS");
    environment
        .until(&what, async || environment.watch.writes() >= count)
        .await;
}
