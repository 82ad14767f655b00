//! Which crate may depend on which, and the drawing of it in ARCHITECTURE.md.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

use super::{read, root};

/// The folders below `bot`, from the ground up.
pub(super) const CRATES: [&str; 10] = [
    "topology",
    "plan",
    "journal",
    "maas",
    "github",
    "lab",
    "execution",
    "service",
    "simulation",
    "cli",
];

/// The arrows that are drawn: a crate, and what it builds on. A crate may also name what these build on in turn.
const ARROWS: [(&str, &[&str]); 10] = [
    ("topology", &[]),
    ("plan", &["topology"]),
    ("journal", &["plan"]),
    ("maas", &["topology"]),
    ("github", &["topology"]),
    ("lab", &["topology"]),
    ("execution", &["plan", "maas", "lab"]),
    ("service", &["journal", "github", "execution"]),
    ("simulation", &["service", "lab"]),
    ("planebot", &["simulation"]),
];

/// What a crate's own tests may name besides: stand-ins at the other end of the wire, and what tests share.
const ONLY_IN_TESTS: [(&str, &[&str]); 3] = [
    ("maas", &["lab"]),
    ("github", &["lab"]),
    ("service", &["lab"]),
];

/// Every crate of the workspace below `bot`, with the workspace's crates that it depends on, for its build and for its tests.
fn manifests() -> BTreeMap<String, (BTreeSet<String>, BTreeSet<String>)> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let out = Command::new(cargo)
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
        ])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    let metadata: Value = serde_json::from_slice(&out.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let below_bot = packages.iter().filter(|package| {
        let manifest = package["manifest_path"].as_str().unwrap();
        CRATES
            .iter()
            .any(|folder| manifest.ends_with(&format!("bot/{folder}/Cargo.toml")))
    });
    below_bot
        .map(|package| {
            let (mut build, mut tests) = (BTreeSet::new(), BTreeSet::new());
            for dependency in package["dependencies"].as_array().unwrap() {
                // Only the workspace's own crates come from a path.
                if dependency["path"].is_null() {
                    continue;
                }
                let name = dependency["name"].as_str().unwrap().to_owned();
                if dependency["kind"] == "dev" {
                    tests.insert(name);
                } else {
                    build.insert(name);
                }
            }
            (package["name"].as_str().unwrap().to_owned(), (build, tests))
        })
        .collect()
}

/// Everything that a crate builds on, directly or not, as drawn.
fn reach(name: &str) -> BTreeSet<&'static str> {
    let (_, direct) = ARROWS.iter().find(|(own, _)| *own == name).unwrap();
    direct
        .iter()
        .flat_map(|next| reach(next).into_iter().chain([*next]))
        .collect()
}

#[test]
fn the_manifests_keep_the_arrows() {
    let manifests = manifests();
    let drawn: BTreeSet<&str> = ARROWS.iter().map(|(name, _)| *name).collect();
    let found: BTreeSet<&str> = manifests.keys().map(String::as_str).collect();
    assert_eq!(found, drawn);
    for (name, (build, tests)) in &manifests {
        let reach = reach(name);
        for other in build {
            assert!(
                reach.contains(other.as_str()),
                "`{name}` may not depend on `{other}`"
            );
        }
        let (_, direct) = ARROWS.iter().find(|(own, _)| own == name).unwrap();
        for other in *direct {
            assert!(
                build.contains(*other),
                "`{name}` is drawn on `{other}`, and does not need it"
            );
        }
        let allowed = ONLY_IN_TESTS.iter().find(|(own, _)| own == name);
        for other in tests {
            let allowed = allowed.is_some_and(|(_, names)| names.contains(&other.as_str()));
            let support = other.ends_with("support") || other.starts_with("support");
            assert!(
                allowed || support || reach.contains(other.as_str()),
                "the tests of `{name}` may not depend on `{other}`"
            );
        }
    }
}

#[test]
fn no_arrow_runs_in_a_circle() {
    for (at, (name, direct)) in ARROWS.iter().enumerate() {
        for other in *direct {
            let below = ARROWS[..at].iter().any(|(own, _)| own == other);
            assert!(below, "`{name}` stands below `{other}`");
        }
    }
}

/// The drawing, as GitHub renders it.
fn drawing() -> String {
    let mut text = String::from("```mermaid\ngraph BT\n");
    for (name, direct) in ARROWS {
        for other in direct {
            text.push_str(&format!("  {name} --> {other}\n"));
        }
    }
    text.push_str("```\n");
    text
}

#[test]
fn the_architecture_draws_the_arrows_that_the_manifests_have() {
    let text = read(&root().join("ARCHITECTURE.md"));
    let drawing = drawing();
    assert!(
        text.contains(&drawing),
        "ARCHITECTURE.md must have:\n{drawing}"
    );
}
