//! A storm over real processes: three replicas of the service on one PostgreSQL, ten thousand webhooks, and a run under way
//! while replicas are killed, paused and stopped, a disk is full and PostgreSQL itself goes away.

mod city;
mod mishaps;
mod posts;
mod reckoning;
mod replicas;
mod watch;

use std::io::Write as _;

use serde_json::Value;
use simulation::demo::site;

use city::City;
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
    let mut city = City::open(cluster).await;
    city.propose();
    let tally = Tally::default();
    let told = tokio::select! {
        told = Box::pin(day(&city, &tally)) => told,
        never = city.carry_webhooks() => match never {},
        never = city.reap(&tally) => match never {},
        never = city.watch_takeovers(&tally) => match never {},
    };
    // Not captured by the test runner, so that it is seen.
    std::io::stderr().write_all(told.as_bytes()).unwrap();
}

/// The whole day; what there is to tell of it.
async fn day(city: &City, tally: &Tally) -> String {
    let commands = talk(city).await;
    let posts = brewed(city, &commands);
    let storm = Box::pin(async {
        city.storm.carry().await;
    });
    let run = Box::pin(async {
        city.storm.release(BEFORE_THE_RUN);
        applied(city, tally).await;
        city.storm.release(posts);
    });
    tokio::join!(storm, run);
    reckoning::at_the_end(city, tally, &commands).await
}

/// People talk to the bot before anything happens; the comments that want an answer.
async fn talk(city: &City) -> Vec<u64> {
    city.hear("### 🟡 Plan for").await;
    let words = ["/help", "/status", "/why 10.12.8.0/22"];
    let people = ["alice", "bob", "mallory"];
    let mut commands: Vec<u64> = people
        .iter()
        .zip(words)
        .map(|(who, words)| city.comment(who, words))
        .collect();
    commands.push(city.comment("mallory", "/apply"));
    for comment in &commands {
        city.hear(&reckoning::marker(*comment)).await;
    }
    commands
}

/// Makes the storm, in which those comments are told again and again.
fn brewed(city: &City, commands: &[u64]) -> usize {
    let mut hub = city.github.github();
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
    city.storm.brew(&mut hub, city.number, &replayed)
}

/// The merge, the order and the run, with all that happens to the replicas meanwhile.
async fn applied(city: &City, tally: &Tally) {
    city.merge();
    let plan = city.hear("this is merged").await;
    let digest = plan
        .lines()
        .find_map(|line| line.strip_prefix("/apply "))
        .unwrap();
    city.comment("bob", &format!("/apply {digest}"));
    city.passed("ordered");
    city.hear("Gate `teardown`: a person is needed").await;
    city.passed("at the teardown");
    city.tear_down();
    city.comment("bob", "/done teardown");

    city.kill_at_a_write(3).await;
    city.passed("killed at a write");
    tally.reap();
    city.storm.release(PART);
    wrote(city, 5).await;
    tally.rest().await;
    city.storm.release(PART);
    city.restart_postgres().await;
    city.passed("PostgreSQL is there again");
    tally.reap();
    city.storm.release(PART);
    wrote(city, 8).await;
    tally.rest().await;
    city.pause_and_wake(10, tally).await;
    city.passed("the paused one was refused");
    city.storm.release(PART);
    city.roll().await;
    city.passed("all were upgraded");
    tally.reap();
    city.storm.release(PART);
    city.hear("Gate `jumphost`: a person is needed").await;
    city.passed("at the jumphost");
    city.jumphost(&site::JUMPHOST_AFTER);
    city.comment("bob", "/done jumphost");
    city.hear("### ✅ Applied").await;
    city.passed("applied");
    tally.rest().await;
}

async fn wrote(city: &City, count: usize) {
    let what = format!("{count} writes to MAAS");
    city.until(&what, async || city.watch.writes() >= count)
        .await;
}
