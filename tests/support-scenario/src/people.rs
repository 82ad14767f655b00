//! What people do at GitHub and in MAAS, and what they see there.

use std::sync::Arc;

use execution::rehearse::in_memory::InMemoryMaas;
use journal::Delivery;
use lab::github::{IssueCommentView, MergeMethod, NewPullRequest};
use maas::{Environment, MaasClient, MaasWriter, WriteFence};
use topology::object::{Object, Subnet};
use topology::observed::Scope;
use topology::port::{Outcome, Write};

use crate::REPOSITORY;
use crate::scenario::Scenario;

/// A person who writes to MAAS holds no lease.
struct NoLease;

impl WriteFence for NoLease {
    fn still_held(&self) -> bool {
        true
    }
}

impl Scenario {
    /// alice pushes a commit.
    pub fn push(&self, branch: &str, files: &[(&str, Option<&str>)]) {
        let mut hub = self.hub.github();
        let mut at = hub.at(REPOSITORY);
        at.commit_files("alice", branch, "Change", files).unwrap();
    }

    pub fn open_pull(&self, author: &str, head: &str, base: &str) -> u64 {
        let mut hub = self.hub.github();
        let proposal = NewPullRequest {
            head,
            base,
            title: "A change",
            body: "",
        };
        hub.at(REPOSITORY).open_pull(author, proposal).unwrap()
    }

    /// alice opens a pull request with these files; the service runs.
    pub async fn propose(&mut self, files: &[(&str, Option<&str>)]) -> u64 {
        self.push("wip", files);
        let number = self.open_pull("alice", "wip", "main");
        self.run().await;
        number
    }

    /// bob merges.
    pub fn merge(&self, number: u64, how: MergeMethod) {
        let mut hub = self.hub.github();
        hub.at(REPOSITORY).merge("bob", number, how).unwrap();
    }

    /// Comments and returns the comment's id; its webhook waits.
    pub fn comment(&self, who: &str, number: u64, text: &str) -> u64 {
        let mut hub = self.hub.github();
        hub.at(REPOSITORY).comment(who, number, text).unwrap()
    }

    /// Comments; the service runs.
    pub async fn command(&mut self, who: &str, number: u64, text: &str) {
        self.comment(who, number, text);
        self.run().await;
    }

    /// Comments and returns the comment's webhook. It and those queued before it are not delivered.
    pub fn hold_back(&mut self, who: &str, number: u64, text: &str) -> Delivery {
        let id = self.comment(who, number, text);
        let of_this = |delivery: &Delivery| {
            let body: serde_json::Value = serde_json::from_str(&delivery.body).unwrap();
            body["comment"]["id"] == id && body["action"] == "created"
        };
        self.take_webhooks().into_iter().find(of_this).unwrap()
    }

    pub fn edit_comment(&self, who: &str, id: u64, text: &str) {
        let mut hub = self.hub.github();
        hub.at(REPOSITORY).edit_comment(who, id, text).unwrap();
    }

    pub fn delete_comment(&self, who: &str, id: u64) {
        let mut hub = self.hub.github();
        hub.at(REPOSITORY).delete_comment(who, id).unwrap();
    }

    /// Puts a label on a pull request, which GitHub reports in no webhook that the bot gets.
    pub fn label(&self, number: u64, name: &str) {
        self.recorder
            .note("alice", &format!("labels #{number} {name}"));
        let mut hub = self.hub.github();
        hub.at(REPOSITORY).label("alice", number, name).unwrap();
    }

    /// Locks the conversation, which GitHub reports in no webhook that the bot gets.
    pub fn lock(&self, number: u64) {
        self.recorder
            .note("alice", &format!("locks the conversation of #{number}"));
        self.hub.github().at(REPOSITORY).lock(number);
    }

    pub fn remove_from_team(&self, who: &str) {
        self.recorder.note(who, "leaves the team net-ops");
        let mut hub = self.hub.github();
        hub.remove_team_member("acme", "net-ops", who);
    }

    pub fn invite_to_team(&self, who: &str) {
        self.recorder.note(who, "is invited to the team net-ops");
        self.hub.github().invite("acme", "net-ops", who);
    }

    pub fn delete_account(&self, who: &str) {
        self.recorder.note(who, "deletes the account");
        self.hub.github().remove_user(who);
    }

    pub fn delete_repository(&self, full_name: &str) {
        self.recorder
            .note("GitHub", &format!("deletes the repository {full_name}"));
        self.hub.github().delete_repository(full_name);
    }

    pub fn create_repository(&self, who: &str, full_name: &str) {
        self.recorder
            .note(who, &format!("creates the repository {full_name}"));
        self.hub.github().create_repository(full_name, false);
    }

    /// All comments of a pull request, oldest first.
    pub fn comments(&self, number: u64) -> Vec<IssueCommentView> {
        self.hub.github().at(REPOSITORY).comments(number)
    }

    /// planebot's own comments.
    pub fn bot_comments(&self, number: u64) -> Vec<IssueCommentView> {
        let mut all = self.comments(number);
        all.retain(|comment| comment.author == "planebot[bot]");
        all
    }

    /// The plan comment: the first that planebot wrote.
    pub fn plan_comment(&self, number: u64) -> String {
        self.bot_comments(number).remove(0).body
    }

    /// The digest in the plan comment.
    pub fn digest(&self, number: u64) -> String {
        let plan = self.plan_comment(number);
        let at = plan.find("/apply ").expect("the plan says how to apply it");
        plan[at + 7..at + 16].to_owned()
    }

    fn client(&self) -> Arc<MaasClient<InMemoryMaas>> {
        let environment = Environment::of_this_process(&self.service.wiring.clock);
        let maas = InMemoryMaas::new(Arc::clone(&self.maas.maas), environment.clone());
        MaasClient::new(maas, environment)
    }

    /// The first subnet, as MAAS has it now.
    pub async fn subnet(&self) -> Subnet {
        let client = self.client();
        let seen = client.reader().observe(&Scope::default()).await.unwrap();
        seen.subnets().next().unwrap().clone()
    }

    /// Somebody changes the first subnet in MAAS without planebot.
    pub async fn change_in_maas(&self, change: impl FnOnce(&mut Subnet)) {
        self.recorder.note("admin", "changes the subnet in MAAS");
        let before = self.subnet().await;
        let mut after = before.clone();
        change(&mut after);
        let write = Write::Update(
            Box::new(Object::Subnet(before)),
            Box::new(Object::Subnet(after)),
        );
        let outcome = MaasWriter::new(&self.client(), &NoLease).send(&write).await;
        assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
    }

    /// Somebody releases a machine in MAAS and unlinks it from a subnet.
    pub fn release_machine(&self, host: &str, cidr: &str) {
        self.recorder
            .note("admin", &format!("releases {host} in MAAS"));
        let mut maas = self.maas.maas.lock().unwrap();
        maas.release(host);
        maas.unlink_all(host, cidr);
    }

    /// Somebody removes an interface in MAAS, with its links.
    pub fn remove_interface(&self, host: &str, name: &str) {
        self.recorder
            .note("admin", &format!("removes {name} of {host} in MAAS"));
        self.maas.maas.lock().unwrap().detach(host, name);
    }
}
