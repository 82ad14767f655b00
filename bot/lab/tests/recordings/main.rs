//! Replays recordings of real servers against the lab's MAAS and reports every difference.
//!
//! `PLANEBOT_RECORDINGS=FOLDER cargo test -p lab --test recordings` also replays `FOLDER/VERSION/*.json`.

mod compare;
mod ids;
mod replay;
mod requests;
mod smoke;

use std::path::Path;

/// Intended differences: version (or `*`), topic and exchange, reason.
const EXCEPTIONS: [(&str, &str, &str); 1] = [(
    "*",
    "60-interfaces-machines/ready-unlink-again",
    "the message names row numbers of links, which depend on how the recorded servers were filled",
)];

/// Replays every topic of every version below `folder`. Returns the unexpected differences.
#[cfg(test)]
fn replay_all(folder: &Path) -> Vec<String> {
    let mut unexplained = Vec::new();
    let mut versions: Vec<_> = std::fs::read_dir(folder)
        .expect("a folder of recordings")
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.is_dir())
        .collect();
    versions.sort();
    for home in versions {
        let version = home
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        for path in replay::files(&home) {
            let name = path
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
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
            for (id, differences) in outcome.differ {
                if !excused(&id) {
                    unexplained.push(format!("{version}/{id}: {}", differences.join("\n      ")));
                }
            }
        }
    }
    unexplained
}

#[test]
fn the_lab_answers_as_the_recorded_servers_did() {
    let unexplained = replay_all(&replay::project().join("recordings"));
    assert!(unexplained.is_empty(), "\n{}", unexplained.join("\n"));
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the environment names further recordings"
)]
fn the_lab_answers_as_the_servers_of_other_recordings_did() {
    if let Ok(folder) = std::env::var("PLANEBOT_RECORDINGS") {
        let unexplained = replay_all(Path::new(&folder));
        assert!(unexplained.is_empty(), "\n{}", unexplained.join("\n"));
    }
}
