//! What CI runs and how: the order of its checks, the workflows' rights, the forms that users fill in.

use super::{files, read, root};

fn workflows() -> Vec<(String, String)> {
    files(&root().join(".github/workflows"), "yml")
        .into_iter()
        .map(|path| (path.display().to_string(), read(&path)))
        .collect()
}

/// The jobs of a workflow: the names at the first level below `jobs:`.
fn jobs(workflow: &str) -> Vec<&str> {
    let all = workflow.split_once("\njobs:\n").unwrap().1;
    all.lines()
        .filter_map(|line| line.strip_prefix("  ")?.strip_suffix(':'))
        .filter(|name| !name.starts_with([' ', '#']))
        .collect()
}

#[test]
fn actions_are_pinned_by_hash_and_keep_no_credentials() {
    let mut pinned = 0;
    for (path, text) in workflows() {
        for (_, action) in text.lines().filter_map(|line| line.split_once("uses: ")) {
            let (_, version) = action.split_once('@').unwrap();
            let (hash, release) = version.split_once(" # v").unwrap_or_default();
            assert!(
                hash.len() == 40 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()),
                "{path}: `{action}`"
            );
            assert!(!release.is_empty(), "{path}: `{action}` names no release");
            pinned += 1;
        }
        let count = |words: &str| text.matches(words).count();
        let checkouts = count("uses: actions/checkout@");
        assert_eq!(checkouts, count("persist-credentials: false"), "{path}");
    }
    assert!(pinned > 0, "no workflow was read");
}

#[test]
fn a_workflow_has_no_permissions_but_its_jobs_may_read() {
    for (path, text) in workflows() {
        assert!(text.contains("\npermissions: {}\n"), "{path}");
        assert!(!text.contains("write"), "{path} may write");
        assert!(!text.contains("pull_request_target"), "{path}");
        let limited = text.matches("    timeout-minutes: ").count();
        assert_eq!(limited, jobs(&text).len(), "{path}: a job without a limit");
    }
}

#[test]
fn the_required_job_waits_for_every_other() {
    let text = read(&root().join(".github/workflows/ci.yml"));
    let mut others = jobs(&text);
    assert_eq!(others.pop(), Some("all-passed"), "the last one");
    let needed = format!("needs: [{}]", others.join(", "));
    assert!(text.contains(&needed), "{needed}");
    assert!(text.contains("if: always()"));
}

#[test]
fn ci_runs_what_fails_fastest_first_and_every_part_is_in_a_job() {
    let script = read(&root().join(".ci/run"));
    let parts = script.split("|| set -- ").nth(1).unwrap();
    let parts = parts.lines().next().unwrap();
    assert_eq!(
        parts,
        "format commits workflows clippy house supply tests docs check demo"
    );
    assert!(script.contains("cargo test --workspace 2>&1"));
    let workflow = read(&root().join(".github/workflows/ci.yml"));
    let run: Vec<&str> = workflow
        .lines()
        .filter_map(|line| line.split_once("bash .ci/run "))
        .flat_map(|(_, names)| names.split(' '))
        .collect();
    for part in parts.split(' ') {
        assert!(script.contains(&format!("\n{part}() {{\n")), "{part}");
        assert!(run.contains(&part), "no job runs `{part}`");
    }
}

#[test]
fn an_advisory_that_is_ignored_says_why_and_until_when() {
    let text = read(&root().join("deny.toml"));
    let (_, ignored) = text.split_once("\nignore = [").unwrap();
    let (ignored, _) = ignored.split_once("]\n").unwrap();
    for line in ignored.lines().filter(|line| line.contains("RUSTSEC")) {
        assert!(
            line.contains("reason = ") && line.contains("Remove when"),
            "{line}"
        );
    }
    for strict in [
        "unmaintained = \"all\"",
        "unsound = \"all\"",
        "unused-ignored-advisory = \"deny\"",
    ] {
        assert!(text.contains(strict), "{strict}");
    }
}

#[test]
fn the_forms_ask_for_what_a_report_needs() {
    let folder = root().join(".github/ISSUE_TEMPLATE");
    for name in ["bug", "plan", "feature"] {
        let form = read(&folder.join(name).with_extension("yml"));
        for key in ["name: ", "\ndescription: ", "\nlabels: [", "\nbody:\n"] {
            assert!(form.contains(key), "`{name}` has no `{}`", key.trim());
        }
        let fields = form.matches("  - type: ").count() - form.matches("- type: markdown").count();
        assert_eq!(form.matches("\n    id: ").count(), fields, "{name}");
        if name != "feature" {
            for asked in ["planebot version", "MAAS version", "planebot doctor"] {
                assert!(form.contains(asked), "`{name}` asks for no {asked}");
            }
        }
    }
    assert!(read(&folder.join("config.yml")).contains("blank_issues_enabled: false"));
    assert!(read(&root().join(".github/SECURITY.md")).contains("private vulnerability reporting"));
}

#[test]
fn every_crate_says_where_it_comes_from_and_what_it_needs() {
    let workspace = read(&root().join("Cargo.toml"));
    let members = workspace.split_once("\nmembers = [").unwrap().1;
    let members = members.split_once(']').unwrap().0;
    for folder in members.split('"').skip(1).step_by(2) {
        let manifest = read(&root().join(folder).join("Cargo.toml"));
        assert!(manifest.contains("\ndescription = \""), "{folder}");
        for key in ["repository", "keywords", "categories", "rust-version"] {
            let inherited = format!("\n{key}.workspace = true\n");
            assert!(manifest.contains(&inherited), "{folder}: `{key}`");
            assert!(workspace.contains(&format!("\n{key} = ")), "`{key}`");
        }
    }
}
