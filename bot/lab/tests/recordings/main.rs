//! Replays recordings of real servers against the lab's MAAS and reports every difference.
//!
//! `PLANEBOT_RECORDINGS=FOLDER cargo test -p lab --test recordings` also replays `FOLDER/VERSION/*.json`.

mod compare;
mod ids;
mod replay;
mod requests;
mod smoke;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Intended differences: version (or `*`), topic and exchange, reason. The lab's documentation names them too
/// (`ARCHITECTURE.md`, "What the lab does not reproduce").
const EXCEPTIONS: [(&str, &str, &str); 2] = [
    (
        "*",
        "60-interfaces-machines/ready-unlink-again",
        "the message names row numbers of links, which depend on how the recorded servers were filled",
    ),
    (
        "3.5.12",
        "97-names-and-dns/snippet-of-deleted--1",
        "the recorded server had no rack, and its check of snippets by a rack was off",
    ),
];

/// How many exchanges of each topic agree, on 3.5.12 and on 3.7.3. They may become more.
const AGREE: [(&str, usize, usize); 22] = [
    ("10-reads", 100, 100),
    ("20-fabrics-vlans-spaces", 70, 70),
    ("30-subnet-create-update", 96, 96),
    ("40-subnet-delete", 110, 114),
    ("41-subnet-recidr", 60, 60),
    ("50-ipranges-ipaddresses", 80, 80),
    ("60-interfaces-machines", 60, 60),
    ("61-machine-release", 15, 15),
    ("70-auth-and-protocol", 71, 71),
    ("90-grow-shrink", 113, 120),
    ("91-subnet-to-vlan", 104, 109),
    ("92-vlan-change", 109, 109),
    ("93-removal", 105, 111),
    ("94-interfaces", 113, 113),
    ("95-default-gateway", 71, 71),
    ("96-machine-states", 102, 102),
    ("97-names-and-dns", 110, 111),
    ("98-settings", 81, 81),
    ("h20-vlans-fabrics-spaces", 180, 180),
    ("h30-subnets", 155, 155),
    ("h50-ranges", 112, 112),
    ("h51-routes-addresses-names", 88, 95),
];

/// What a folder of recordings showed.
#[derive(Debug, Default)]
struct Replayed {
    /// How many exchanges agree, by version and topic.
    agree: BTreeMap<(String, String), usize>,
    /// Exceptions that differed, as they should.
    excused: BTreeSet<(String, String)>,
    unexplained: Vec<String>,
}

/// Replays every topic of every version below `folder`.
#[cfg(test)]
fn replay_all(folder: &Path) -> Replayed {
    let mut replayed = Replayed::default();
    let mut versions: Vec<_> = std::fs::read_dir(folder)
        .expect("a folder of recordings")
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.is_dir())
        .collect();
    versions.sort();
    let text = |name: Option<&std::ffi::OsStr>| {
        let name = name.unwrap_or_default();
        name.to_string_lossy().into_owned()
    };
    for home in versions {
        let version = text(home.file_name());
        for path in replay::files(&home) {
            let name = text(path.file_stem());
            // `00-` is the setup of the scenario. `80-` are races, which have more than one right answer.
            if name.starts_with("00-") || name.starts_with("80-") {
                continue;
            }
            let outcome = replay::topic(&path, &version);
            let excused = |id: &str| {
                EXCEPTIONS
                    .iter()
                    .any(|(v, name, _)| (*v == "*" || *v == version) && *name == id)
            };
            let (agree, differ) = (outcome.agree, outcome.differ.len());
            println!("{version}/{name}: {agree} agree, {differ} differ");
            replayed.agree.insert((version.clone(), name), agree);
            for (id, differences) in outcome.differ {
                if excused(&id) {
                    replayed.excused.insert((version.clone(), id));
                } else {
                    let differences = differences.join("\n      ");
                    replayed
                        .unexplained
                        .push(format!("{version}/{id}: {differences}"));
                }
            }
        }
    }
    replayed
}

#[test]
fn the_lab_answers_as_the_recorded_servers_did() {
    let replayed = replay_all(&replay::project().join("recordings"));
    let unexplained = replayed.unexplained;
    assert!(unexplained.is_empty(), "\n{}", unexplained.join("\n"));
    for (topic, old, new) in AGREE {
        for (version, least) in [("3.5.12", old), ("3.7.3", new)] {
            let key = (version.to_owned(), topic.to_owned());
            let agree = replayed.agree.get(&key).copied();
            assert!(agree >= Some(least), "{version}/{topic}: {agree:?}");
        }
    }
    assert_eq!(
        replayed.agree.len(),
        2 * AGREE.len(),
        "a topic has no count"
    );
    for (version, id, _) in EXCEPTIONS {
        let differs = |release: &str| {
            let key = (release.to_owned(), id.to_owned());
            version != "*" && version != release || replayed.excused.contains(&key)
        };
        let gone = ["3.5.12", "3.7.3"].iter().find(|it| !differs(it));
        assert_eq!(gone, None, "{id} agrees now and is no exception");
    }
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the environment names further recordings"
)]
fn the_lab_answers_as_the_servers_of_other_recordings_did() {
    if let Ok(folder) = std::env::var("PLANEBOT_RECORDINGS") {
        let unexplained = replay_all(Path::new(&folder)).unexplained;
        assert!(unexplained.is_empty(), "\n{}", unexplained.join("\n"));
    }
}
