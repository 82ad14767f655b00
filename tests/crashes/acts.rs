//! What people do in the tales, in order. It must not know of power cuts.

use std::collections::BTreeMap;

use lab::github::{MergeMethod, NewPullRequest};
use simulation::demo::site;

use simulation::harness::REPOSITORY;

use super::stage::Stage;

/// One act: what it is, and the doing.
pub(crate) type Act = (&'static str, fn(&mut Stage));

/// The reference story.
pub(crate) const STORY: [Act; 8] = [
    ("alice opens the pull request", propose),
    ("mallory says /apply", |stage| {
        comment(stage, "mallory", "/apply");
    }),
    ("bob says /apply before the merge", apply),
    ("bob merges", merge),
    ("bob says /apply", apply),
    ("bob says /done too early", |stage| {
        release(stage);
        comment(stage, "bob", "/done teardown");
    }),
    ("bob says /done teardown", |stage| {
        empty(stage);
        comment(stage, "bob", "/done teardown");
    }),
    ("bob says /done jumphost", |stage| {
        stage.jumphost(&site::JUMPHOST_AFTER);
        comment(stage, "bob", "/done jumphost");
    }),
];

/// A run is begun and aborted; then another pull request takes the first one's change back and is applied.
pub(crate) const OVERTAKING: [Act; 9] = [
    ("alice opens the pull request", propose),
    ("bob merges", merge),
    ("bob says /apply", apply),
    ("bob says /abort", |stage| {
        comment(stage, "bob", "/abort");
    }),
    ("bob says /status", |stage| {
        comment(stage, "bob", "/status");
    }),
    ("alice takes it back", take_back),
    ("bob merges that", merge),
    ("bob says /apply there", apply),
    ("bob says /apply on the first", |stage| {
        stage.number -= 1;
        apply(stage);
    }),
];

fn comment(stage: &mut Stage, who: &str, words: &str) {
    let number = stage.number;
    let mut hub = stage.town.github.github();
    hub.at(REPOSITORY).comment(who, number, words).unwrap();
}

fn apply(stage: &mut Stage) {
    comment(stage, "bob", "/apply");
}

/// One branch and one pull request: the files that are given, and no other declaration.
fn open(stage: &mut Stage, branch: &str, declared: &BTreeMap<String, String>) {
    let mut hub = stage.town.github.github();
    let mut at = hub.at(REPOSITORY);
    let old = at.files_at("main");
    let gone = old
        .keys()
        .filter(|path| path.starts_with("topology/"))
        .map(|path| (path.as_str(), None));
    let mut files: BTreeMap<&str, Option<&str>> = gone.collect();
    files.extend(
        declared
            .iter()
            .map(|(path, text)| (path.as_str(), Some(text.as_str()))),
    );
    let files: Vec<(&str, Option<&str>)> = files.into_iter().collect();
    at.commit_files("alice", branch, "Move the planes", &files)
        .unwrap();
    let proposal = NewPullRequest {
        head: branch,
        base: "main",
        title: "Move the planes",
        body: "",
    };
    let number = at.open_pull("alice", proposal).unwrap();
    drop(hub);
    stage.number = number;
}

fn propose(stage: &mut Stage) {
    let declared = site::DECLARED.map(|(path, text)| (path.to_owned(), text.to_owned()));
    open(stage, "vip-plane", &BTreeMap::from(declared));
}

fn take_back(stage: &mut Stage) {
    let mut before = stage.declared_before();
    before.retain(|path, _| path.starts_with("topology/"));
    before
        .entry("topology/README.md".to_owned())
        .or_insert_with(|| "The planes stay where they are.\n".to_owned());
    open(stage, "take-back", &before);
}

fn merge(stage: &mut Stage) {
    let number = stage.number;
    let mut hub = stage.town.github.github();
    hub.at(REPOSITORY)
        .merge("bob", number, MergeMethod::Squash)
        .unwrap();
}

fn release(stage: &mut Stage) {
    stage.juju(&["admin/controller"]);
    stage.town.rows(|maas| {
        for host in maas.machines() {
            maas.release(&host);
        }
    });
}

fn empty(stage: &mut Stage) {
    stage.town.rows(|maas| {
        for host in maas.machines() {
            for cidr in site::VACATED {
                maas.unlink_all(&host, cidr);
            }
        }
    });
}
