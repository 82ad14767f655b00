//! The tests that ARCHITECTURE.md names one by one, and the tests of objects and hazards, which it must name.

use std::collections::BTreeSet;

use super::{files, read, root};

/// `file.rs::name` of every test below `tests`, its path below that folder.
fn tests() -> BTreeSet<String> {
    let folder = root().join("tests");
    let mut tests = BTreeSet::new();
    for path in files(&folder, "rs") {
        let text = read(&path);
        let file = path.strip_prefix(&folder).unwrap().to_string_lossy();
        let mut lines = text.lines().map(str::trim);
        while let Some(line) = lines.next() {
            if line != "#[test]" && line != "#[tokio::test]" {
                continue;
            }
            let named = lines.find(|line| !line.starts_with("#[")).unwrap();
            let name = named.split("fn ").nth(1).unwrap();
            tests.insert(format!("{file}::{}", name.split('(').next().unwrap()));
        }
    }
    tests
}

#[test]
fn each_test_that_the_architecture_names_is_there_and_the_changes_of_objects_are_named() {
    let text = read(&root().join("ARCHITECTURE.md"));
    let named: BTreeSet<String> = text
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|word| word.contains(".rs::"))
        .map(|word| word.trim_start_matches("tests/").to_owned())
        .collect();
    let tests = tests();
    let lost: Vec<_> = named.difference(&tests).collect();
    assert!(lost.is_empty(), "no such tests: {lost:#?}");
    assert!(named.len() > 20, "{named:?}");
    let untold: Vec<_> = tests
        .difference(&named)
        .filter(|name| {
            let changes = name.starts_with("objects.rs::") && name.ends_with("change");
            changes || name.starts_with("hazards.rs::")
        })
        .collect();
    assert!(untold.is_empty(), "not in the table: {untold:#?}");
}
