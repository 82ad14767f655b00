//! The walls of the house, the sizes of its rooms, and the words we do not use.

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// Files of that ending below a folder, build output left out.
fn files(folder: &Path, end: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if path.is_dir() && name != "target" && name != ".git" {
            found.extend(files(&path, end));
        } else if path.extension().is_some_and(|own| own == end) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Source before its tests.
fn before_tests(path: &Path) -> String {
    let text = read(path);
    text.split("#[cfg(test)]")
        .next()
        .unwrap_or_default()
        .to_owned()
}

fn is_test(path: &Path) -> bool {
    let text = path.to_string_lossy();
    text.contains("/tests/") || text.ends_with("tests.rs") || text.contains("/examples/")
}

/// Names under `[dependencies]` of a crate.
fn dependencies(name: &str) -> Vec<String> {
    let text = read(&root().join("bot").join(name).join("Cargo.toml"));
    let part = text.split("[dependencies]").nth(1).unwrap_or_default();
    let part = part.split("\n[").next().unwrap_or_default();
    part.lines()
        .filter_map(|line| line.split(['.', ' ', '=']).next())
        .filter(|name| !name.is_empty() && !name.starts_with('#'))
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_pure_crates_lean_only_on_what_is_listed() {
    let listed = [
        (
            "topology",
            vec![
                "serde",
                "serde_json",
                "serde-saphyr",
                "schemars",
                "ipnet",
                "thiserror",
                "strsim",
                "sha2",
                "hex",
            ],
        ),
        (
            "plan",
            vec![
                "topology",
                "serde",
                "serde_json",
                "thiserror",
                "sha2",
                "hex",
            ],
        ),
    ];
    for (name, may) in listed {
        for dependency in dependencies(name) {
            assert!(
                may.contains(&dependency.as_str()),
                "`{name}` leans on `{dependency}`"
            );
        }
    }
}

#[test]
fn nobody_leans_where_the_house_has_a_wall() {
    for (name, never) in [
        ("lab", ["plan", "journal", "planebot"]),
        ("journal", ["reqwest", "octocrab", "axum"]),
    ] {
        let own = dependencies(name);
        for wall in never {
            assert!(
                !own.iter().any(|other| other == wall),
                "`{name}` leans on `{wall}`"
            );
        }
    }
}

#[test]
fn the_pure_crates_await_nothing_and_touch_nothing() {
    for name in ["topology", "plan"] {
        for path in files(&root().join("bot").join(name).join("src"), "rs") {
            let text = before_tests(&path);
            for banned in [
                ".await",
                "async fn",
                "std::fs",
                "SystemTime",
                "TcpStream",
                "HashMap",
                "println!",
            ] {
                assert!(
                    !text.contains(banned),
                    "`{}` has `{banned}`",
                    path.display()
                );
            }
        }
    }
}

#[test]
fn no_file_passes_five_hundred_lines_before_its_tests() {
    for path in files(&root().join("bot"), "rs")
        .into_iter()
        .filter(|path| !is_test(path))
    {
        let lines = before_tests(&path).lines().count();
        assert!(lines <= 500, "`{}` has {lines} lines", path.display());
    }
}

#[test]
fn every_module_opens_with_what_it_knows() {
    for path in files(&root().join("bot"), "rs")
        .into_iter()
        .filter(|path| !is_test(path))
    {
        assert!(
            read(&path).starts_with("//!"),
            "`{}` has no header",
            path.display()
        );
    }
}

#[test]
fn nothing_that_plans_asks_or_pretends_knows_the_reference_site_or_the_recordings() {
    let known = [
        "10.12.",
        "10.37.195",
        "metal-admin",
        "metal-internal",
        "provider-vip",
        "openstack0",
        "baldurkeep",
        "maas-rack0",
        "7gn6h6",
        "4gk44c",
        "virbr",
    ];
    let mut rooms = files(&root().join("bot/plan/src"), "rs");
    rooms.extend(files(&root().join("bot/topology/src"), "rs"));
    rooms.extend(files(&root().join("bot/lab/src"), "rs"));
    rooms.extend(files(&root().join("bot/app/src"), "rs"));
    // The story is told about the reference site; the other rooms may not know it.
    for path in rooms
        .into_iter()
        .filter(|path| !is_test(path) && !path.to_string_lossy().contains("/story"))
    {
        let text = before_tests(&path);
        // Comments and help texts may give an example; code may not.
        let code: String = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .map(|line| format!("{line}\n"))
            .collect();
        for word in known {
            assert!(!code.contains(word), "`{}` knows `{word}`", path.display());
        }
    }
}

#[test]
fn the_project_speaks_of_itself_alone() {
    let banned = [
        concat!("../", "shared"),
        concat!("/wo", "rk/"),
        concat!("static.", "crates.io"),
        concat!("index.", "crates.io"),
    ];
    for end in ["rs", "md", "toml", "yml", "yaml"] {
        for path in files(&root(), end) {
            let text = read(&path);
            for word in banned {
                assert!(!text.contains(word), "`{}` has `{word}`", path.display());
            }
        }
    }
}

#[test]
fn nothing_is_left_to_do_in_the_sources() {
    for path in files(&root().join("bot"), "rs") {
        let text = read(&path);
        for stub in [
            concat!("todo", "!("),
            concat!("unimplemented", "!("),
            concat!("#[ign", "ore"),
            concat!("thread::", "sleep("),
        ] {
            assert!(!text.contains(stub), "`{}` has `{stub}`", path.display());
        }
    }
}

#[test]
fn every_refusal_and_every_finding_is_explained() {
    let architecture = read(&root().join("ARCHITECTURE.md"));
    for (_, word, _) in plan::refusal::Code::ALL {
        assert!(
            architecture.contains(&format!("| `{word}` |")),
            "`{word}` has no line in ARCHITECTURE.md"
        );
    }
    let guide = read(&root().join("topology/README.md"));
    for code in topology::finding::CODES {
        assert!(
            guide.contains(code.name),
            "`{}` has no line in topology/README.md",
            code.name
        );
    }
}

#[test]
fn the_readme_names_every_command_and_the_plan_as_people_see_it() {
    let readme = read(&root().join("README.md"));
    for command in [
        "check",
        "import",
        "audit",
        "plan",
        "rehearse",
        "apply",
        "serve",
        "lab",
        "schema",
        "completions",
        "man",
    ] {
        assert!(
            readme.contains(&format!("`planebot {command}`"))
                || readme.contains(&format!("`{command}`")),
            "{command}"
        );
    }
    for word in planebot::command::WORDS {
        assert!(readme.contains(&format!("`/{word}")), "/{word}");
    }
    assert!(readme.contains("tests/golden/reference-plan.md"));
}

#[test]
fn every_gate_has_a_runbook_that_can_be_filled() {
    let runbooks = planebot::desk::runbooks(&root().join("runbooks")).unwrap();
    for gate in plan::gate::GateName::ALL {
        assert!(
            runbooks.iter().any(|runbook| runbook.gate == gate),
            "{}",
            gate.word()
        );
    }
}
