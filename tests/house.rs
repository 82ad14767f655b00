//! Rules that hold for the whole source tree: sizes, headers, names, and what the documents must say.

mod circles;
mod crates;
mod delivery;
mod names;
mod objects;
mod recipes;
mod settings;
mod threats;
mod words;

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    // Not `tests/..`, which would make a test of every path.
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
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

/// Source without the items that only its tests have, wherever they stand.
fn without_tests(text: &str) -> String {
    let mut kept = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim() != "#[cfg(test)]" {
            kept.push_str(line);
            kept.push('\n');
            continue;
        }
        // rustfmt closes an item at the depth where it opened it.
        let depth = &line[..line.len() - line.trim_start().len()];
        let item = lines.find(|line| !line.trim_start().starts_with("#["));
        if item.is_some_and(|item| item.ends_with('{')) {
            let end = format!("{depth}}}");
            lines.find(|line| **line == end);
        }
    }
    kept
}

/// That file without its tests.
fn before_tests(path: &Path) -> String {
    without_tests(&read(path))
}

fn is_test(path: &Path) -> bool {
    let text = path.strip_prefix(root()).unwrap_or(path).to_string_lossy();
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
fn the_walls_look_at_the_sources() {
    let sources = files(&root().join("bot"), "rs");
    let looked_at = sources.iter().filter(|path| !is_test(path)).count();
    assert!(looked_at * 2 > sources.len(), "{looked_at} files");
}

#[test]
fn the_pure_crates_depend_only_on_what_is_listed() {
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
                "`{name}` depends on `{dependency}`"
            );
        }
        let manifest = read(&root().join("bot").join(name).join("Cargo.toml"));
        for elsewhere in ["[target", "build-dependencies", "[dependencies."] {
            assert!(
                !manifest.contains(elsewhere),
                "`{name}` has `{elsewhere}`, where nobody looks"
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
fn no_file_has_more_than_four_hundred_lines_before_its_tests() {
    let long: Vec<String> = files(&root().join("bot"), "rs")
        .into_iter()
        .filter(|path| !is_test(path))
        .map(|path| (before_tests(&path).lines().count(), path))
        .filter(|(lines, _)| *lines > 400)
        .map(|(lines, path)| format!("`{}` has {lines} lines", path.display()))
        .collect();
    assert!(long.is_empty(), "{long:#?}");
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
fn the_project_speaks_of_itself_alone() {
    let banned = [
        concat!("../", "shared"),
        concat!("/wo", "rk/"),
        concat!("static.", "crates.io"),
        concat!("index.", "crates.io"),
        concat!("registry.", "npmjs"),
        concat!("proxy.", "golang"),
        concat!("files.", "pythonhosted"),
        concat!("\"/t", "mp/"),
        concat!(" /t", "mp/"),
    ];
    for end in ["rs", "md", "toml", "yml", "yaml", "sql", "sh"] {
        for path in files(&root(), end) {
            let text = read(&path);
            for word in banned {
                assert!(!text.contains(word), "`{}` has `{word}`", path.display());
            }
            // What a tracker knows is said in words, not by its number.
            let text = text.to_lowercase();
            for word in ["issue #", "fixes #", "closes #", "fix #"] {
                let numbered = text
                    .split(word)
                    .skip(1)
                    .any(|rest| rest.starts_with(|first: char| first.is_ascii_digit()));
                assert!(!numbered, "`{}` has `{word}`", path.display());
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
    for (_, word, _) in plan::refusal::RefusalCode::ALL {
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
        "doctor",
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
    for word in service::command::WORDS {
        assert!(readme.contains(&format!("`/{word}")), "/{word}");
    }
    assert!(readme.contains("tests/golden/reference-plan.md"));
}

/// What the command line prints for these words.
fn printed(typed: &[&str]) -> String {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut console = planebot::cli::Console {
        out: &mut out,
        err: &mut err,
        stderr_is_terminal: false,
        variables: std::collections::BTreeMap::new(),
    };
    let typed = ["planebot"].iter().chain(typed);
    assert_eq!(planebot::cli::run(typed, &mut console), 0);
    // Without the colours, which a terminal would take out.
    let text = String::from_utf8(out).unwrap();
    let mut parts = text.split('\u{1b}');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        plain.push_str(part.split_once('m').map_or("", |(_, rest)| rest));
    }
    plain
}

/// The commands that `planebot --help` lists.
fn listed_commands() -> Vec<String> {
    let help = printed(&["--help"]);
    let list = help.split("Commands:\n").nth(1).unwrap();
    list.lines()
        .take_while(|line| !line.trim().is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_help_and_the_readme_name_the_same_commands() {
    let readme = read(&root().join("README.md"));
    let table = readme.split("## From a terminal").nth(1).unwrap();
    let table = table.split("\n## ").next().unwrap();
    let mut told: Vec<String> = table
        .lines()
        .filter(|line| line.starts_with("| `"))
        .filter_map(|line| line.split('|').nth(1))
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .map(|name| name.trim_start_matches("planebot ").to_owned())
        .collect();
    let mut listed = listed_commands();
    told.sort();
    listed.sort();
    assert_eq!(told, listed);
}

#[test]
fn every_command_explains_itself() {
    for command in listed_commands() {
        let help = printed(&[&command, "--help"]);
        assert!(help.contains(&format!("planebot {command}")), "{command}");
        assert!(help.contains("Example"), "`{command}` shows no example");
    }
}

#[test]
fn every_gate_has_a_runbook_that_can_be_filled() {
    let runbooks = service::site::runbooks(&root().join("runbooks")).unwrap();
    for gate in plan::gate::GateName::ALL {
        assert!(
            runbooks.iter().any(|runbook| runbook.gate == gate),
            "{}",
            gate.word()
        );
    }
}
