//! A GitHub that signs its webhooks and loses some.
//!
//! Repositories with real git objects, pull requests, comments, checks, people and one app, kept in memory.
//! [`GitHub::answer`] is the whole API, a pure function of what happened before and the request: time comes with the
//! request or ticks by itself, ids are counted. What leaves, the webhooks, queues in an outbox until somebody carries it
//! ([`serve()`]). It is held to GitHub's published API description (`tests/github_conformance.rs`); it must not know what
//! a plan is, nor share a line of code with our client.

mod answer;
mod app;
mod base64;
mod check;
mod comment;
mod commit;
mod contents;
mod deployment;
mod diff;
mod git;
mod issue;
mod label;
mod landing;
mod merge;
mod objects;
mod only;
mod page;
mod people;
mod pull;
mod reaction;
mod refs;
mod repo;
mod review;
mod route;
mod seen;
mod serve;
mod sha1;
mod status;
mod story;
mod town;
mod webhook;

use std::collections::BTreeMap;

pub use git::{NotAnOid, Oid};
pub use merge::How;
pub use only::{Demo, only};
pub use people::Permission;
pub use seen::{CheckSeen, CommentSeen, CommitSeen};
pub use serve::{Options, Serving, serve};
pub use story::{At, Proposal, Refused};
pub use webhook::{Delivery, Mishap, Outcome};

use crate::wire::{Request, Response};
use answer::Call;
use people::{Organization, Person, Who};
use repo::Repository;

/// When a lab's time begins, unless it is told otherwise: 2026-01-05 08:00 UTC, a Monday.
const DAWN: i64 = 1_767_600_000;

/// Everything that GitHub remembers.
#[derive(Clone, Debug)]
pub struct GitHub {
    base: String,
    now: i64,
    ids: u64,
    requests: u64,
    people: BTreeMap<String, Person>,
    organizations: BTreeMap<String, Organization>,
    tokens: BTreeMap<String, Who>,
    spent: BTreeMap<String, answer::Spent>,
    repositories: BTreeMap<String, Repository>,
    renamed: BTreeMap<String, String>,
    app: app::App,
    outbox: webhook::Outbox,
}

impl GitHub {
    /// An empty GitHub with one app of that slug, which is installed on every repository to come.
    pub fn new(app: &str) -> Self {
        let mut hub = Self {
            base: "http://127.0.0.1".to_owned(),
            now: DAWN,
            ids: 1000,
            requests: 0,
            people: BTreeMap::new(),
            organizations: BTreeMap::new(),
            tokens: BTreeMap::new(),
            spent: BTreeMap::new(),
            repositories: BTreeMap::new(),
            renamed: BTreeMap::new(),
            app: app::App::new(app),
            outbox: webhook::Outbox::default(),
        };
        hub.join_app();
        hub
    }

    /// Answers one request. `request.now` moves GitHub's clock, forwards only; where it lags, each write takes a second.
    pub fn answer(&mut self, request: &Request) -> Response {
        self.tick(request);
        self.requests += 1;
        let who = match self.asker(request) {
            Ok(who) => who,
            Err(refused) => return self.sealed(request, None, refused),
        };
        if let Some(limited) = self.spend(&who) {
            return self.sealed(request, Some(&who), limited);
        }
        let call = Call {
            request,
            who: who.clone(),
            repo: String::new(),
        };
        let response = match self.route(call) {
            Ok(response) | Err(response) => response,
        };
        self.sealed(request, Some(&who), response)
    }

    /// Where it is served, without a slash at the end: the start of every URL that it gives.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// GitHub's clock, in seconds since 1970.
    pub fn now(&self) -> i64 {
        self.now
    }

    /// Lets time pass.
    pub fn pass(&mut self, seconds: i64) {
        self.now += seconds;
    }

    fn tick(&mut self, request: &Request) {
        let write = i64::from(request.method != "GET");
        self.now = (self.now + write).max(request.now);
    }

    fn id(&mut self) -> u64 {
        self.ids += 1;
        self.ids
    }

    /// A repository that was seen to exist when the request was routed.
    fn repo(&self, key: &str) -> &Repository {
        self.repositories
            .get(key)
            .expect("the route found this repository")
    }

    fn repo_mut(&mut self, key: &str) -> &mut Repository {
        self.repositories
            .get_mut(key)
            .expect("the route found this repository")
    }
}

/// Seconds since 1970 as GitHub writes them.
fn stamp(at: i64) -> String {
    chrono::DateTime::from_timestamp(at, 0).map_or_else(String::new, |time| {
        time.format("%Y-%m-%dT%H:%M:%SZ").to_string()
    })
}

/// A node id that only says what it is of.
fn node(kind: &str, id: u64) -> String {
    format!("{kind}_lab{id}")
}
