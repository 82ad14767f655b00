//! What people do on GitHub and in MAAS: open pull requests, push, comment, merge, and change MAAS manually. They must not
//! know what planebot answers.

use std::collections::BTreeMap;
use std::sync::Arc;

use execution::rehearse::in_memory::InMemoryMaas;
use lab::github::{MergeMethod, NewPullRequest};
use maas::{Environment, MaasClient, MaasWriter, WriteFence};
use topology::object::Object;
use topology::observed::Scope;
use topology::port::{Outcome, Write};

use crate::fuzz::cloud::Cloud;
use crate::fuzz::driver::Driver;
use crate::fuzz::rng::SeededRng;
use crate::harness::REPOSITORY;

/// A pull request of alice's.
#[derive(Clone, Debug)]
pub(super) struct OpenPull {
    pub(super) number: u64,
    pub(super) branch: String,
    pub(super) declares: Cloud,
    /// When it was merged, in milliseconds since 1970.
    pub(super) merged: Option<i64>,
    pub(super) closed: bool,
}

/// A comment that a person wrote.
#[derive(Clone, Debug)]
pub(super) struct PostedComment {
    pub(super) id: u64,
    pub(super) pull: u64,
    pub(super) author: &'static str,
    pub(super) text: String,
    /// When it was posted, in milliseconds since 1970.
    pub(super) at: i64,
}

/// Everybody, with what they did and saw.
pub(super) struct Actors {
    rng: SeededRng,
    /// What the default branch declares.
    pub(super) declared: Cloud,
    /// What it declared before the first pull request.
    pub(super) initial: Cloud,
    pub(super) pulls: Vec<OpenPull>,
    pub(super) comments: Vec<PostedComment>,
    /// When MAAS was changed manually, in milliseconds since 1970.
    pub(super) manual_writes: Vec<i64>,
    /// The heading of each of planebot's comments when it was read last, by the comment's id.
    pub(super) headings: BTreeMap<u64, String>,
    /// The operator asked for a plan after the faults stopped.
    pub(super) asked_for_plan: bool,
    /// How often a run stopped or a gate stayed closed since the last `/abort`.
    pub(super) stops: usize,
    /// How often the operator answered.
    pub(super) answers: usize,
}

/// A manual write needs no lease.
struct NoFence;

impl WriteFence for NoFence {
    fn still_held(&self) -> bool {
        true
    }
}

impl Actors {
    pub(super) fn new(rng: SeededRng, declared: Cloud) -> Self {
        Self {
            rng,
            initial: declared.clone(),
            declared,
            pulls: Vec::new(),
            comments: Vec::new(),
            manual_writes: Vec::new(),
            headings: BTreeMap::new(),
            asked_for_plan: false,
            stops: 0,
            answers: 0,
        }
    }

    pub(super) fn comment(
        &mut self,
        driver: &Driver,
        author: &'static str,
        pull: u64,
        text: &str,
    ) -> anyhow::Result<()> {
        driver.transcript.add(author, &format!("#{pull} {text}"));
        let mut github = driver.harness.github.github();
        let id = github.at(REPOSITORY).comment(author, pull, text)?;
        self.comments.push(PostedComment {
            id,
            pull,
            author,
            text: text.to_owned(),
            at: driver.harness.clock.now(),
        });
        Ok(())
    }

    /// Opens a pull request that declares a cloud.
    pub(super) fn propose(
        &mut self,
        driver: &Driver,
        declares: Cloud,
        files: &BTreeMap<String, String>,
        what: &str,
    ) -> anyhow::Result<()> {
        let branch = format!("change-{}", self.pulls.len() + 1);
        commit(driver, &branch, files)?;
        let proposal = NewPullRequest {
            head: &branch,
            base: "main",
            title: what,
            body: "",
        };
        let mut github = driver.harness.github.github();
        let number = github.at(REPOSITORY).open_pull("alice", proposal)?;
        driver
            .transcript
            .add("alice", &format!("opens #{number}: {what}"));
        self.pulls.push(OpenPull {
            number,
            branch,
            declares,
            merged: None,
            closed: false,
        });
        Ok(())
    }

    /// Pushes another commit to a pull request.
    pub(super) fn push(
        &mut self,
        driver: &Driver,
        index: usize,
        (declares, files): (Cloud, &BTreeMap<String, String>),
        what: &str,
    ) -> anyhow::Result<()> {
        let pull = &mut self.pulls[index];
        driver
            .transcript
            .add("alice", &format!("#{} pushes: {what}", pull.number));
        commit(driver, &pull.branch, files)?;
        pull.declares = declares;
        Ok(())
    }

    /// Merges a pull request, or closes it where GitHub refuses the merge.
    pub(super) fn merge(&mut self, driver: &Driver, index: usize) -> anyhow::Result<()> {
        let pull = &mut self.pulls[index];
        let number = pull.number;
        // GitHub's times are in seconds: two merges within one second have no order.
        driver.harness.clock.advance(1_000);
        let method = self
            .rng
            .pick(&[MergeMethod::Squash, MergeMethod::Merge])
            .unwrap_or(MergeMethod::Squash);
        let mut github = driver.harness.github.github();
        let mut repository = github.at(REPOSITORY);
        if repository.merge("bob", number, method).is_err() {
            let line = format!("#{number} cannot be merged, and is closed");
            driver.transcript.add("bob", &line);
            repository.close("bob", number)?;
            pull.closed = true;
            return Ok(());
        }
        driver.transcript.add("bob", &format!("merges #{number}"));
        pull.merged = Some(driver.harness.clock.now());
        self.declared = pull.declares.clone();
        Ok(())
    }

    /// Somebody changes the resolvers of a subnet in MAAS, past planebot.
    pub(super) async fn change_maas_manually(&mut self, driver: &Driver) -> anyhow::Result<()> {
        let harness = &driver.harness;
        let environment = Environment::of_this_process(&harness.clock.clock());
        let rows = Arc::clone(&harness.maas.maas);
        let wire = InMemoryMaas::new(rows, environment.clone());
        let client = MaasClient::new(wire, environment);
        let observed = client.reader().observe(&Scope::default()).await?;
        let subnets: Vec<_> = observed.subnets().cloned().collect();
        let count = u32::try_from(subnets.len()).unwrap_or_default();
        let index = usize::try_from(self.rng.below(count)).unwrap_or_default();
        let Some(before) = subnets.get(index) else {
            return Ok(());
        };
        let mut after = before.clone();
        after.dns = vec![std::net::IpAddr::from([192, 0, 2, 53])];
        let writes_before = harness.rows(|maas| maas.writes().len());
        driver.faults.record_manual_write(writes_before);
        let write = Write::Update(
            Box::new(Object::Subnet(before.clone())),
            Box::new(Object::Subnet(after)),
        );
        let outcome = MaasWriter::new(&client, &NoFence).send(&write).await;
        if matches!(outcome, Outcome::Done(_)) {
            let line = format!("gives {} other resolvers in MAAS itself", before.cidr);
            driver.transcript.add("mallory", &line);
            self.manual_writes.push(harness.clock.now());
        }
        Ok(())
    }

    /// The pull request that was merged last.
    pub(super) fn newest_merged(&self) -> Option<&OpenPull> {
        self.pulls
            .iter()
            .filter(|pull| pull.merged.is_some())
            .max_by_key(|pull| pull.merged)
    }
}

/// Commits these files to a branch and removes every other file of the declaration.
fn commit(
    driver: &Driver,
    branch: &str,
    declared: &BTreeMap<String, String>,
) -> anyhow::Result<()> {
    let mut github = driver.harness.github.github();
    let mut repository = github.at(REPOSITORY);
    let exists = repository.head(branch).is_some();
    let old = repository.files_at(if exists { branch } else { "main" });
    let removed = old
        .keys()
        .filter(|path| path.starts_with("topology/"))
        .map(|path| (path.as_str(), None));
    let mut files: BTreeMap<&str, Option<&str>> = removed.collect();
    files.extend(
        declared
            .iter()
            .map(|(path, text)| (path.as_str(), Some(text.as_str()))),
    );
    let files: Vec<_> = files.into_iter().collect();
    repository.commit_files("alice", branch, "Change the planes", &files)?;
    Ok(())
}
