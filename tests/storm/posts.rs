//! Ten thousand webhooks, and their way to whoever takes them. They are made of a number, so that each storm is the same.

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lab::github::LabGitHub;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::replicas::{NAMES, Replicas};
use simulation::harness::REPOSITORY;

/// GitHub gives up on an answer after that.
const PATIENCE: Duration = Duration::from_secs(10);

/// Between two attempts where nobody took it.
const AGAIN: Duration = Duration::from_millis(50);

pub(super) const DELIVERIES: usize = 10_000;
pub(super) const DOUBLED: usize = 3_000;
pub(super) const MOVED: usize = 1_000;
pub(super) const FORGED: usize = 300;

/// Who carries at once.
const CARRIERS: usize = 16;

/// One webhook.
#[derive(Clone)]
pub(super) struct Post {
    pub(super) id: String,
    pub(super) event: String,
    pub(super) body: String,
    pub(super) signature: String,
}

/// The storm: what is to be carried, in order, and what became of it.
pub(super) struct Storm {
    replicas: Arc<Replicas>,
    http: reqwest::Client,
    waiting: Mutex<VecDeque<Post>>,
    /// How many may be carried by now.
    released: Semaphore,
    accepted: Mutex<BTreeSet<String>>,
    pub(super) sent: AtomicUsize,
    pub(super) failed: AtomicUsize,
    pub(super) turned_away: AtomicUsize,
}

/// Numbers without an end, the same each time (xorshift64*).
struct Rng(u64);

impl Rng {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let drawn = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(drawn).unwrap() % end
    }
}

impl Storm {
    pub(super) fn new(replicas: Arc<Replicas>) -> Self {
        Self {
            replicas,
            http: reqwest::Client::builder()
                .timeout(PATIENCE)
                .build()
                .unwrap(),
            waiting: Mutex::default(),
            released: Semaphore::new(0),
            accepted: Mutex::default(),
            sent: AtomicUsize::new(0),
            failed: AtomicUsize::new(0),
            turned_away: AtomicUsize::new(0),
        }
    }

    /// Brews the storm. `replayed` are webhooks of commands, told again and again under other names.
    pub(super) fn brew(&self, hub: &mut LabGitHub, number: u64, replayed: &[Value]) -> usize {
        let mut rng = Rng(0x5707);
        let repository = replayed[0]["repository"].clone();
        let mut all: Vec<Post> = (0..DELIVERIES)
            .map(|at| {
                let (event, body) = event_of(at, number, &repository, replayed);
                post(hub, format!("storm-{at}"), event, &body)
            })
            .collect();
        for _ in 0..MOVED {
            let (from, to) = (rng.below(all.len()), rng.below(all.len()));
            let moved = all.remove(from);
            all.insert(to, moved);
        }
        for at in 0..DOUBLED {
            let again = all[at * all.len() / DOUBLED].clone();
            all.insert(rng.below(all.len()), again);
        }
        for at in 0..FORGED {
            let mut forged = all[at].clone();
            forged.id = format!("forged-{at}");
            forged.body.push(' ');
            all.insert(rng.below(all.len()), forged);
        }
        let count = all.len();
        self.waiting().extend(all);
        count
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<Post>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The ids that were answered with 202.
    pub(super) fn accepted(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.accepted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets so many more go.
    pub(super) fn release(&self, count: usize) {
        self.released.add_permits(count);
    }

    /// Carries until all is carried.
    pub(super) async fn carry(self: &Arc<Self>) {
        let mut carriers = tokio::task::JoinSet::new();
        for first in 0..CARRIERS {
            let storm = Arc::clone(self);
            carriers.spawn(async move {
                let mut which = first;
                loop {
                    storm.released.acquire().await.unwrap().forget();
                    let Some(post) = storm.waiting().pop_front() else {
                        storm.release(CARRIERS); // so that all come to their end
                        return;
                    };
                    which += 1;
                    storm.brought(&post, which).await;
                }
            });
        }
        while let Some(ended) = carriers.join_next().await {
            ended.unwrap();
        }
    }

    /// Sends one until somebody takes it or turns it away: what failed is sent again, as from GitHub's log.
    pub(super) async fn brought(&self, post: &Post, first: usize) {
        let mut again = tokio::time::interval(AGAIN);
        for which in first.. {
            again.tick().await;
            self.sent.fetch_add(1, Ordering::SeqCst);
            match self.answer(post, which % NAMES.len()).await {
                Some(202) => {
                    self.accepted().insert(post.id.clone());
                    return;
                }
                Some(401) => {
                    self.turned_away.fetch_add(1, Ordering::SeqCst);
                    return;
                }
                Some(408 | 503) | None => {
                    self.failed.fetch_add(1, Ordering::SeqCst);
                }
                Some(other) => panic!("{} was answered {other}", post.id),
            }
        }
    }

    async fn answer(&self, post: &Post, which: usize) -> Option<u16> {
        let url = format!("http://{}/webhook", self.replicas.place(which));
        let request = self
            .http
            .post(url)
            .header("content-type", "application/json")
            .header("x-github-event", &post.event)
            .header("x-github-delivery", &post.id)
            .header("x-hub-signature-256", &post.signature)
            .body(post.body.clone());
        let answer = request.send().await.ok()?;
        Some(answer.status().as_u16())
    }
}

fn post(hub: &LabGitHub, id: String, event: &str, body: &Value) -> Post {
    let body = body.to_string();
    Post {
        id,
        event: event.to_owned(),
        signature: hub.sign(body.as_bytes()),
        body,
    }
}

/// What the webhook of that number tells.
fn event_of(
    at: usize,
    number: u64,
    repository: &Value,
    replayed: &[Value],
) -> (&'static str, Value) {
    let place = |own: bool| {
        if own {
            json!({"id": repository["id"], "full_name": REPOSITORY})
        } else {
            json!({"id": 77, "full_name": "example/elsewhere"})
        }
    };
    let alice = json!({"id": 4711, "login": "alice", "type": "User"});
    let sha = format!("{at:040x}");
    match at % 50 {
        0..20 => (
            ["star", "watch", "fork", "workflow_run", "label"][at % 5],
            json!({"action": "created", "repository": place(true), "sender": alice}),
        ),
        20..32 => (
            "issue_comment",
            comment(at, "/apply", &place(false), &alice, number),
        ),
        32..42 => (
            "issue_comment",
            comment(at, "That is nice.", &place(true), &alice, number),
        ),
        42..47 => (
            "push",
            json!({
                "ref": "refs/heads/wip", "before": sha, "after": sha, "forced": false, "commits": [], "pusher": {},
                "repository": place(true), "sender": alice,
            }),
        ),
        47 => (
            "check_run",
            json!({
                "action": "completed", "check_run": {"id": at, "head_sha": sha, "app": {"id": 1}},
                "repository": place(true), "sender": alice,
            }),
        ),
        48 => ("issue_comment", replayed[at / 50 % replayed.len()].clone()),
        _ => (
            "pull_request",
            json!({
                "action": "closed", "number": number,
                "pull_request": {
                    "number": number, "state": "closed", "user": alice, "merged": false, "merge_commit_sha": null,
                    "head": {"ref": "vip-plane", "sha": sha, "repo": {"id": repository["id"]}},
                    "base": {"ref": "main", "sha": sha, "repo": {"id": repository["id"]}},
                },
                "repository": place(true), "sender": alice,
            }),
        ),
    }
}

/// A comment as nobody wrote it, in a place where nothing may follow from it.
fn comment(at: usize, words: &str, place: &Value, who: &Value, number: u64) -> Value {
    json!({
        "action": "created",
        "issue": {"number": number, "user": who, "pull_request": {}},
        "comment": {
            "id": 9_000_000 + at, "body": words, "user": who, "created_at": "2026-01-05T08:00:00Z",
            "updated_at": "2026-01-05T08:00:00Z",
        },
        "repository": place, "sender": who,
    })
}
