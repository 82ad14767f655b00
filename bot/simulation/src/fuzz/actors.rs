//! What people do: they propose, talk, merge, order, work at gates, and change MAAS by hand. They know what stands in the
//! conversation and nothing else of planebot.

use std::collections::BTreeMap;
use std::sync::Arc;

use lab::github::{IssueCommentView, MergeMethod, NewPullRequest};
use topology::object::Object;
use topology::observed::Scope;
use topology::port::{Outcome, Write};

use crate::fuzz::cloud::Cloud;
use crate::fuzz::driver::Driver;
use crate::fuzz::rng::SeededRng;
use crate::harness::REPOSITORY;
use execution::rehearse::in_memory::InMemoryMaas;
use maas::Environment;
use maas::{MaasClient, MaasWriter, WriteFence};

/// A run that stops as often is ended; a gate that stays shut as often, too.
const PATIENCE: usize = 4;

/// As often an operator answers before they give up.
const WORDS_MAX: usize = 40;

/// A pull request, as people know it.
#[derive(Clone, Debug)]
pub(super) struct OpenPull {
    pub(super) number: u64,
    pub(super) branch: String,
    pub(super) declares: Cloud,
    pub(super) files: BTreeMap<String, String>,
    /// When, and in which order.
    pub(super) merged: Option<i64>,
    pub(super) closed: bool,
}

/// Something that was said.
#[derive(Clone, Debug)]
pub(super) struct PostedComment {
    pub(super) id: u64,
    pub(super) pull: u64,
    pub(super) who: &'static str,
    pub(super) words: String,
    pub(super) at: i64,
}

/// Everybody, and what they know.
pub(super) struct People {
    pub(super) dice: SeededRng,
    /// What is declared on the default branch.
    pub(super) declared: Cloud,
    /// A plan was asked for in good weather.
    asked: bool,
    /// What there was before anything was proposed.
    beginning: Cloud,
    pub(super) pulls: Vec<OpenPull>,
    pub(super) said: Vec<PostedComment>,
    /// When MAAS was changed by hand.
    pub(super) by_hand: Vec<i64>,
    headings: BTreeMap<u64, String>,
    stops: usize,
    words: usize,
}

/// How a tale ended, as people see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Not yet: something was said or done.
    Open,
    /// It is applied.
    Applied,
    /// There is no plan, and it says so.
    NoPlan(String),
    /// Nothing was ever merged.
    NothingMerged,
    /// It should have gone on, and did not.
    Stuck(String),
}

/// A person at MAAS needs nobody's leave.
struct Anybody;

impl WriteFence for Anybody {
    fn still_held(&self) -> bool {
        true
    }
}

impl People {
    pub(super) fn new(dice: SeededRng, declared: Cloud) -> Self {
        Self {
            dice,
            beginning: declared.clone(),
            declared,
            asked: false,
            pulls: Vec::new(),
            said: Vec::new(),
            by_hand: Vec::new(),
            headings: BTreeMap::new(),
            stops: 0,
            words: 0,
        }
    }

    pub(super) fn say(
        &mut self,
        days: &Driver,
        who: &'static str,
        pull: u64,
        words: &str,
    ) -> anyhow::Result<()> {
        days.script.tell(who, &format!("#{pull} {words}"));
        let id = days
            .town
            .github
            .github()
            .at(REPOSITORY)
            .comment(who, pull, words)?;
        let at = days.town.hand.now();
        let words = words.to_owned();
        self.said.push(PostedComment {
            id,
            pull,
            who,
            words,
            at,
        });
        Ok(())
    }

    /// A pull request that declares a cloud.
    pub(super) fn propose(
        &mut self,
        days: &Driver,
        declares: Cloud,
        files: BTreeMap<String, String>,
        what: &str,
    ) -> anyhow::Result<()> {
        let branch = format!("change-{}", self.pulls.len() + 1);
        Self::commit(days, &branch, &files)?;
        let proposal = NewPullRequest {
            head: &branch,
            base: "main",
            title: what,
            body: "",
        };
        let opened = days
            .town
            .github
            .github()
            .at(REPOSITORY)
            .open_pull("alice", proposal);
        let number = opened?;
        days.script
            .tell("alice", &format!("opens #{number}: {what}"));
        self.pulls.push(OpenPull {
            number,
            branch,
            declares,
            files,
            merged: None,
            closed: false,
        });
        Ok(())
    }

    /// Another commit on a pull request.
    pub(super) fn push(
        &mut self,
        days: &Driver,
        at: usize,
        (declares, files): (Cloud, BTreeMap<String, String>),
        what: &str,
    ) -> anyhow::Result<()> {
        let (number, branch) = (self.pulls[at].number, self.pulls[at].branch.clone());
        days.script
            .tell("alice", &format!("#{number} pushes: {what}"));
        Self::commit(days, &branch, &files)?;
        self.pulls[at].declares = declares;
        self.pulls[at].files = files;
        Ok(())
    }

    fn commit(
        days: &Driver,
        branch: &str,
        declared: &BTreeMap<String, String>,
    ) -> anyhow::Result<()> {
        let mut hub = days.town.github.github();
        let mut at = hub.at(REPOSITORY);
        let there = at.files_at(if at.head(branch).is_some() {
            branch
        } else {
            "main"
        });
        let gone = there
            .keys()
            .filter(|path| path.starts_with("topology/"))
            .map(|path| (path.as_str(), None));
        let mut files: BTreeMap<&str, Option<&str>> = gone.collect();
        files.extend(
            declared
                .iter()
                .map(|(path, text)| (path.as_str(), Some(text.as_str()))),
        );
        let files: Vec<_> = files.into_iter().collect();
        at.commit_files("alice", branch, "Change the planes", &files)?;
        Ok(())
    }

    /// Merges; false when GitHub will not.
    pub(super) fn merge(&mut self, days: &Driver, at: usize) -> anyhow::Result<bool> {
        let number = self.pulls[at].number;
        // GitHub tells times in seconds, and of two merges in one second nobody can tell the order by it.
        days.town.hand.pass(1_000);
        let how = self
            .dice
            .pick(&[MergeMethod::Squash, MergeMethod::Merge])
            .unwrap_or(MergeMethod::Squash);
        let landed = days
            .town
            .github
            .github()
            .at(REPOSITORY)
            .merge("bob", number, how);
        if landed.is_err() {
            days.script
                .tell("bob", &format!("#{number} cannot be merged, and is closed"));
            days.town
                .github
                .github()
                .at(REPOSITORY)
                .close("bob", number)?;
            self.pulls[at].closed = true;
            return Ok(false);
        }
        days.script.tell("bob", &format!("merges #{number}"));
        self.pulls[at].merged = Some(days.town.hand.now());
        self.declared = self.pulls[at].declares.clone();
        Ok(true)
    }

    /// Somebody changes the resolvers of a subnet in MAAS, past planebot.
    pub(super) async fn meddle(&mut self, days: &Driver) -> anyhow::Result<()> {
        let outside = Environment::of_this_process(&days.town.hand.clock());
        let client = MaasClient::new(
            InMemoryMaas::new(Arc::clone(&days.town.maas.maas), outside.clone()),
            outside,
        );
        let seen = client.reader().observe(&Scope::default()).await?;
        let subnets: Vec<_> = seen.subnets().cloned().collect();
        let count = u32::try_from(subnets.len()).unwrap_or_default();
        let at = usize::try_from(self.dice.below(count)).unwrap_or_default();
        let Some(before) = subnets.get(at) else {
            return Ok(());
        };
        let mut after = before.clone();
        after.dns = vec![std::net::IpAddr::from([192, 0, 2, 53])];
        days.weather
            .by_hand(days.town.rows(|maas| maas.writes().len()));
        let write = Write::Update(
            Box::new(Object::Subnet(before.clone())),
            Box::new(Object::Subnet(after)),
        );
        let outcome = MaasWriter::new(&client, &Anybody).send(&write).await;
        if matches!(outcome, Outcome::Done(_)) {
            let words = format!("gives {} other resolvers, by hand", before.cidr);
            days.script.tell("mallory", &words);
            self.by_hand.push(days.town.hand.now());
        }
        Ok(())
    }

    /// planebot's comments in a pull request, oldest first.
    fn heard(days: &Driver, pull: u64) -> Vec<IssueCommentView> {
        let mut all = days.town.github.github().at(REPOSITORY).comments(pull);
        all.retain(|comment| comment.author == "planebot[bot]");
        all
    }

    /// Writes down what planebot said since.
    pub(super) fn listen(&mut self, days: &Driver) {
        for pull in &self.pulls {
            for comment in Self::heard(days, pull.number) {
                let now = heading(&comment.body);
                let before = self.headings.insert(comment.id, now.clone());
                if before.as_ref() != Some(&now) {
                    let edited = if before.is_some() { " (edited)" } else { "" };
                    days.script
                        .tell("planebot", &format!("#{} {now}{edited}", pull.number));
                }
            }
        }
    }

    /// The newest that is on the branch.
    pub(super) fn newest(&self) -> Option<&OpenPull> {
        self.pulls
            .iter()
            .filter(|pull| pull.merged.is_some())
            .max_by_key(|pull| pull.merged)
    }

    /// The operator answers what stands in the conversation of the newest merge, once.
    pub(super) fn answer(&mut self, days: &Driver) -> anyhow::Result<End> {
        self.words += 1;
        let Some(number) = self.newest().map(|pull| pull.number) else {
            return self.merge_one(days);
        };
        // A run of an older one keeps the newest waiting: it is gone on with, or ended, where it is.
        let older = self.pulls.iter().map(|pull| pull.number);
        let open = older.filter(|older| *older != number).find_map(|older| {
            let said = Self::heard(days, older);
            let apply = said
                .iter()
                .rfind(|comment| comment.body.contains("<!-- planebot:apply/"))?;
            let title = heading(&apply.body);
            title.starts_with(['🛑', '⏸']).then_some((older, title))
        });
        if let Some((older, title)) = open {
            return self.go_on(days, older, &title);
        }
        let heard = Self::heard(days, number);
        let keyed = |key: &str| {
            let mark = format!("<!-- planebot:{key}/");
            let mut marked = heard.iter().filter(|comment| comment.body.contains(&mark));
            marked.next_back().map(|comment| comment.body.clone())
        };
        if self.words > WORDS_MAX {
            return Ok(End::Stuck(format!(
                "#{number}: {WORDS_MAX} words did not bring it to an end"
            )));
        }
        let run = keyed("apply").unwrap_or_default();
        let title = heading(&run);
        if title.starts_with('✅') {
            return Ok(End::Applied);
        }
        if title.starts_with('🔵') {
            return Ok(End::Stuck(format!("#{number}: `{title}`, and rests")));
        }
        if title.starts_with('🛑') || title.starts_with('⏸') {
            return self.go_on(days, number, &title);
        }
        let Some(plan) = keyed("plan") else {
            // What two merges leave together may be no declaration at all, which is said where it was asked for.
            if days.weather.is_calm() && std::mem::replace(&mut self.asked, true) {
                return Ok(End::NoPlan("nothing can be planned of it".to_owned()));
            }
            self.say(days, "bob", number, "/plan")?;
            return Ok(End::Open);
        };
        // An order that was turned away says what to do instead.
        let answer = keyed("answer").unwrap_or_default();
        let ordered = |said: &PostedComment| said.words.starts_with("/apply");
        if self.said.last().is_some_and(ordered) && answer.contains("Not applied") {
            if answer.contains("does not check") && days.weather.is_calm() {
                return Ok(End::NoPlan("what was merged does not check".to_owned()));
            }
            if answer.contains("say `/plan`") {
                self.say(days, "bob", number, "/plan")?;
                return Ok(End::Open);
            }
        }
        match digest(&plan) {
            Some(digest) => self.say(days, "bob", number, &format!("/apply {digest}"))?,
            None => return Ok(End::NoPlan(heading(&plan))),
        }
        Ok(End::Open)
    }

    fn merge_one(&mut self, days: &Driver) -> anyhow::Result<End> {
        let open = self.pulls.iter().position(|pull| !pull.closed);
        let Some(at) = open else {
            return Ok(End::NothingMerged);
        };
        self.merge(days, at)?;
        Ok(End::Open)
    }

    /// A run that stopped, or that waits at a gate.
    fn go_on(&mut self, days: &Driver, number: u64, title: &str) -> anyhow::Result<End> {
        self.stops += 1;
        if self.stops > PATIENCE {
            self.stops = 0;
            self.say(days, "bob", number, "/abort")?;
        } else if title.starts_with('🛑') {
            self.say(days, "bob", number, "/apply")?;
        } else {
            let gate = title.split('`').nth(1).unwrap_or_default().to_owned();
            self.work(days, number, &gate);
            self.say(days, "bob", number, &format!("/done {gate} no-juju-model"))?;
        }
        Ok(End::Open)
    }

    /// What the gates ask: machines are released, and the networks that go are emptied, those that the comments name among
    /// them.
    pub(super) fn work(&self, days: &Driver, number: u64, gate: &str) {
        let Some(newest) = self.newest() else { return };
        days.script
            .tell("bob", &format!("does what gate `{gate}` asks"));
        let hosts = days.town.rows(|maas| maas.machines());
        let leaving = |cloud: &Cloud| cloud.leaves(&newest.declares);
        let mut going = leaving(&self.declared);
        going.extend(self.pulls.iter().flat_map(|pull| leaving(&pull.declares)));
        going.extend(self.beginning.leaves(&newest.declares));
        going.extend(named(days, number, gate));
        days.town.rows(|maas| {
            for host in hosts {
                maas.release(&host);
                for cidr in &going {
                    maas.unlink_all(&host, cidr);
                }
            }
            if gate == "vacate" {
                for cidr in &going {
                    maas.vacate(cidr, true);
                }
            }
        });
    }
}

/// The networks that the newest comment about a gate names.
fn named(days: &Driver, number: u64, gate: &str) -> Vec<String> {
    let mut hub = days.town.github.github();
    let comments = hub.at(REPOSITORY).comments(number);
    let about = format!("Gate `{gate}`");
    let newest = comments.iter().rev().find(|one| one.body.contains(&about));
    let words = newest.into_iter().flat_map(|one| {
        let text = one.body.as_str();
        text.split(|c: char| !(c.is_ascii_digit() || c == '.' || c == '/'))
    });
    let is_network = |word: &&str| word.starts_with("10.7.") && word.ends_with(".0/24");
    words.filter(is_network).map(str::to_owned).collect()
}

/// The first line, as it is read.
pub(super) fn heading(body: &str) -> String {
    let first = body.lines().next().unwrap_or_default();
    first.trim_start_matches('#').trim().to_owned()
}

/// The digest that a plan comment says to name.
pub(super) fn digest(plan: &str) -> Option<String> {
    let line = plan.lines().find_map(|line| line.strip_prefix("/apply "))?;
    Some(line.trim().to_owned())
}
