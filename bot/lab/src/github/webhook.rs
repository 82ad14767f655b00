//! What GitHub tells the app: payloads, signatures, the outbox, and what may go wrong on the way.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::sync::Notify;

use super::git::Oid;
use super::refs::Move;
use super::repo::Repository;
use super::{GitHub, stamp};

/// What may happen to a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mishap {
    /// It never arrives.
    Lose,
    /// It arrives twice, with one GUID.
    Double,
    /// It arrives after the one that follows it.
    Delay,
}

/// What became of a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It waits or is on its way.
    Waiting,
    /// The other side answered with that status.
    Answered(u16),
    /// Nobody answered.
    Unreachable,
    /// It was lost on purpose.
    Lost,
}

impl Outcome {
    pub(crate) fn is_ok(self) -> bool {
        matches!(self, Self::Answered(200..300))
    }

    /// As the log of deliveries says it.
    pub(crate) fn told(self) -> (&'static str, u16) {
        match self {
            Self::Waiting => ("pending", 0),
            Self::Answered(code @ 200..300) => ("OK", code),
            Self::Answered(code) => ("Invalid HTTP Response", code),
            Self::Unreachable | Self::Lost => ("failed to connect to host", 0),
        }
    }
}

/// One webhook on its way, or gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Counts up; a redelivery has a new one.
    pub id: u64,
    /// `X-GitHub-Delivery`: a redelivery keeps it.
    pub guid: String,
    /// `X-GitHub-Event`.
    pub event: &'static str,
    /// The payload's `action`, where it has one.
    pub action: Option<String>,
    /// The raw bytes that are signed.
    pub body: Vec<u8>,
    /// When it was sent, in seconds since 1970.
    pub delivered_at: i64,
    /// Whether it was sent again by request.
    pub redelivery: bool,
    /// What became of it.
    pub outcome: Outcome,
    pub(crate) repository: Option<u64>,
}

/// Webhooks that were, and are to be, sent.
#[derive(Clone, Debug)]
pub(crate) struct Outbox {
    pub(crate) url: Option<String>,
    pub(crate) secret: String,
    pub(crate) log: BTreeMap<u64, Delivery>,
    queue: VecDeque<u64>,
    delayed: Option<u64>,
    mishaps: VecDeque<Mishap>,
    guids: u64,
    pub(crate) wake: Arc<Notify>,
}

impl Default for Outbox {
    fn default() -> Self {
        Self {
            url: None,
            secret: "a secret between the lab and its bot".to_owned(),
            log: BTreeMap::new(),
            queue: VecDeque::new(),
            delayed: None,
            mishaps: VecDeque::new(),
            guids: 0,
            wake: Arc::new(Notify::new()),
        }
    }
}

/// `action` and the payload's own fields.
pub(crate) type Told<'a> = (&'a str, Value);

impl GitHub {
    /// Where webhooks go, and what they are signed with.
    pub fn hook(&mut self, url: &str, secret: &str) {
        self.outbox.url = Some(url.to_owned());
        secret.clone_into(&mut self.outbox.secret);
    }

    /// What webhooks are signed with.
    pub fn hook_secret(&self) -> &str {
        &self.outbox.secret
    }

    /// The signature of a webhook with that body, as `X-Hub-Signature-256` carries it.
    pub fn sign(&self, body: &[u8]) -> String {
        signature(&self.outbox.secret, body)
    }

    /// What happens to the next webhook; called twice, to the next two.
    pub fn mishap(&mut self, mishap: Mishap) {
        self.outbox.mishaps.push_back(mishap);
    }

    /// Every webhook so far, oldest first.
    pub fn deliveries(&self) -> Vec<&Delivery> {
        self.outbox.log.values().collect()
    }

    /// Takes the next webhook to carry; its outcome is to be told by [`Self::delivered`].
    pub fn take_delivery(&mut self) -> Option<Delivery> {
        let id = self.outbox.queue.pop_front()?;
        self.outbox.log.get(&id).cloned()
    }

    /// Notes what became of a webhook.
    pub fn delivered(&mut self, id: u64, outcome: Outcome) {
        if let Some(one) = self.outbox.log.get_mut(&id) {
            one.outcome = outcome;
        }
    }

    /// Whether no webhook is waiting or on its way. A delayed one is not waiting: only another webhook brings it.
    pub fn is_settled(&self) -> bool {
        let delayed = self.outbox.delayed;
        self.outbox
            .log
            .values()
            .all(|one| one.outcome != Outcome::Waiting || Some(one.id) == delayed)
    }

    /// Sends a webhook again, with its GUID; the new delivery's id.
    pub fn redeliver(&mut self, id: u64) -> Option<u64> {
        let one = self.outbox.log.get(&id)?.clone();
        let again = Delivery {
            redelivery: true,
            outcome: Outcome::Waiting,
            delivered_at: self.now,
            ..one
        };
        Some(self.post(again))
    }

    /// Tells the app that its webhook exists.
    pub fn ping(&mut self) {
        let (id, app) = (self.app.installation, self.app.id);
        let config = json!({"content_type": "json", "insecure_ssl": "0", "secret": "********", "url": self.outbox.url.clone().unwrap_or_default()});
        let hook = json!({
            "type": "App", "id": id, "name": "web", "active": true, "events": super::app::EVENTS, "config": config,
            "updated_at": stamp(self.now), "created_at": stamp(self.now), "app_id": app,
            "deliveries_url": format!("{}/app/hook/deliveries", self.base),
        });
        let payload = json!({"zen": "Speak like a human.", "hook_id": id, "hook": hook});
        self.send("ping", None, None, &payload);
    }

    /// The headers of a delivery, signature included.
    pub fn headers(&self, one: &Delivery) -> Vec<(&'static str, String)> {
        vec![
            ("content-type", "application/json".to_owned()),
            ("user-agent", "GitHub-Hookshot/1ab0000".to_owned()),
            ("x-github-delivery", one.guid.clone()),
            ("x-github-event", one.event.to_owned()),
            ("x-github-hook-id", self.app.installation.to_string()),
            (
                "x-github-hook-installation-target-id",
                self.app.id.to_string(),
            ),
            (
                "x-github-hook-installation-target-type",
                "integration".to_owned(),
            ),
            (
                "x-hub-signature-256",
                signature(&self.outbox.secret, &one.body),
            ),
        ]
    }

    fn send(
        &mut self,
        event: &'static str,
        action: Option<&str>,
        repository: Option<u64>,
        payload: &Value,
    ) {
        self.outbox.guids += 1;
        let one = Delivery {
            id: 0,
            guid: format!("00000000-0000-4000-8000-{:012x}", self.outbox.guids),
            event,
            action: action.map(str::to_owned),
            body: payload.to_string().into_bytes(),
            delivered_at: self.now,
            redelivery: false,
            outcome: Outcome::Waiting,
            repository,
        };
        match self.outbox.mishaps.pop_front() {
            None => {
                self.post(one);
            }
            Some(Mishap::Lose) => {
                self.note(Delivery {
                    outcome: Outcome::Lost,
                    ..one
                });
            }
            Some(Mishap::Double) => {
                self.post(one.clone());
                self.post(one);
            }
            Some(Mishap::Delay) => {
                let id = self.note(one);
                self.outbox.queue.extend(self.outbox.delayed.replace(id));
            }
        }
    }

    fn note(&mut self, mut one: Delivery) -> u64 {
        one.id = self.id();
        let id = one.id;
        self.outbox.log.insert(id, one);
        id
    }

    /// Into the queue; a delayed one follows. Without an address nobody is reached.
    fn post(&mut self, one: Delivery) -> u64 {
        let id = self.note(one);
        let ids = std::iter::once(id).chain(self.outbox.delayed.take());
        if self.outbox.url.is_some() {
            self.outbox.queue.extend(ids);
            self.outbox.wake.notify_one();
        } else {
            for id in ids {
                self.delivered(id, Outcome::Unreachable);
            }
        }
        id
    }

    /// What every payload of a repository has, and what this one has.
    fn payload(&self, repo: &Repository, by: &str, own: [Value; 2]) -> Value {
        let mut payload = json!({});
        let around = json!({
            "repository": self.show_repo(repo), "sender": self.author(by),
            "installation": {"id": self.app.installation, "node_id": super::node("IN", self.app.installation)},
        });
        for part in own.into_iter().chain([around]) {
            if let (Value::Object(all), Value::Object(part)) = (&mut payload, part) {
                all.extend(part);
            }
        }
        if self.organizations.contains_key(&repo.owner) {
            payload["organization"] = self.organization(&repo.owner);
        }
        payload
    }

    pub(crate) fn tell_pull(&mut self, key: &str, number: u64, by: &str, (action, own): Told<'_>) {
        let repo = self.repo(key);
        let about = json!({"action": action, "number": number, "pull_request": self.show_pull(repo, &repo.issues[&number])});
        let (id, payload) = (repo.id, self.payload(repo, by, [about, own]));
        self.send("pull_request", Some(action), Some(id), &payload);
    }

    pub(crate) fn tell_comment(&mut self, key: &str, id: u64, by: &str, (action, own): Told<'_>) {
        let repo = self.repo(key);
        let comment = &repo.comments[&id];
        let issue = self.show_issue(repo, &repo.issues[&comment.issue]);
        let about =
            json!({"action": action, "issue": issue, "comment": self.show_comment(repo, comment)});
        let (id, payload) = (repo.id, self.payload(repo, by, [about, own]));
        self.send("issue_comment", Some(action), Some(id), &payload);
    }

    pub(crate) fn tell_run(&mut self, key: &str, id: u64, by: &str, (action, own): Told<'_>) {
        let repo = self.repo(key);
        let about =
            json!({"action": action, "check_run": self.show_run_with_suite(repo, &repo.runs[&id])});
        let (id, payload) = (repo.id, self.payload(repo, by, [about, own]));
        self.send("check_run", Some(action), Some(id), &payload);
    }

    pub(crate) fn tell_push(&mut self, key: &str, step: &Move) {
        let repo = self.repo(key);
        let (before, after) = (
            step.before.unwrap_or(Oid::ZERO),
            step.after.unwrap_or(Oid::ZERO),
        );
        let fresh = match (step.before, step.after) {
            (Some(before), Some(after)) => repo.git.ahead(before, after),
            (None, Some(after)) => {
                let main = repo
                    .git
                    .branch(&repo.default_branch)
                    .filter(|_| step.branch != repo.default_branch);
                main.map_or_else(
                    || repo.git.history(after).into_iter().rev().collect(),
                    |main| repo.git.ahead(main, after),
                )
            }
            (_, None) => vec![],
        };
        let commits: Vec<Value> = fresh
            .iter()
            .map(|oid| self.pushed_commit(repo, *oid))
            .collect();
        let mail = self.signature(&step.by).email;
        let about = json!({
            "ref": format!("refs/heads/{}", step.branch), "before": before.to_string(), "after": after.to_string(),
            "created": step.before.is_none(), "deleted": step.after.is_none(), "forced": step.forced, "base_ref": null,
            "compare": format!("{}/compare/{before}...{after}", self.repo_html(repo)), "commits": commits,
            "head_commit": step.after.map(|oid| self.pushed_commit(repo, oid)), "pusher": {"name": step.by, "email": mail},
        });
        let (id, mut payload) = (repo.id, self.payload(repo, &step.by, [about, json!({})]));
        // In a push the repository's times are epoch seconds, and its owner has a name and an address.
        payload["repository"]["created_at"] = json!(repo.created);
        payload["repository"]["pushed_at"] = json!(repo.pushed);
        payload["repository"]["owner"]["name"] = json!(repo.owner);
        payload["repository"]["owner"]["email"] = Value::Null;
        payload["repository"]["master_branch"] = json!(repo.default_branch);
        self.send("push", None, Some(id), &payload);
    }

    fn pushed_commit(&self, repo: &Repository, oid: Oid) -> Value {
        let Some(commit) = repo.git.commit(oid) else {
            return Value::Null;
        };
        let files = super::commit::changed(&repo.git, commit.parents.first().copied(), oid);
        let of = |status: &str| -> Vec<&str> {
            files
                .iter()
                .filter(|file| file.status() == status)
                .map(super::commit::Changed::path)
                .collect()
        };
        let who = |who: &super::git::Signature| json!({"name": who.name, "email": who.email, "username": super::commit::signer_name(who), "date": stamp(who.at)});
        json!({
            "id": oid.to_string(), "tree_id": commit.tree.to_string(), "distinct": true, "message": commit.message,
            "timestamp": stamp(commit.committer.at), "url": format!("{}/commit/{oid}", self.repo_html(repo)),
            "author": who(&commit.author), "committer": who(&commit.committer), "added": of("added"),
            "removed": of("removed"), "modified": of("modified"),
        })
    }
}

/// `sha256=` and the MAC of the raw body.
pub(crate) fn signature(secret: &str, body: &[u8]) -> String {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(body);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::signature;

    #[test]
    fn the_signature_is_that_of_githubs_documentation() {
        // docs.github.com, "Validating webhook deliveries": the values to test an implementation with.
        assert_eq!(
            signature("It's a Secret to Everybody", b"Hello, World!"),
            "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
        );
    }
}
