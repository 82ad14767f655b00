//! The table of threats in ARCHITECTURE.md, and the tests that it names.

use std::collections::{BTreeMap, BTreeSet};

use super::{files, read, root};

/// Numbers of threats by the file whose tests try them, its path from the repository's root.
fn tried() -> BTreeMap<String, BTreeSet<u32>> {
    let mut tried: BTreeMap<String, BTreeSet<u32>> = BTreeMap::new();
    for folder in ["bot", "tests"] {
        for path in files(&root().join(folder), "rs") {
            let text = read(&path);
            let name = path.strip_prefix(root()).unwrap().to_string_lossy();
            let mut lines = text.lines().map(str::trim);
            while let Some(line) = lines.next() {
                if line != "#[test]" && line != "#[tokio::test]" {
                    continue;
                }
                let named = lines.find(|line| !line.starts_with("#["));
                let number = named
                    .and_then(|line| line.split("fn threat_").nth(1))
                    .and_then(|rest| rest.split('_').next()?.parse().ok());
                if let Some(number) = number {
                    let numbers = tried.entry(name.clone().into_owned()).or_default();
                    numbers.insert(number);
                }
            }
        }
    }
    tried
}

/// `1–5, 7` as numbers.
fn numbers(cell: &str) -> BTreeSet<u32> {
    let parts = cell.split(',').map(str::trim);
    parts
        .flat_map(|part| {
            let (from, to) = part.split_once('–').unwrap_or((part, part));
            from.parse().unwrap()..=to.parse().unwrap()
        })
        .collect()
}

#[test]
fn each_threat_in_the_table_is_tried_where_it_says() {
    let tried = tried();
    let text = read(&root().join("ARCHITECTURE.md"));
    let table = text.split("## Threats").nth(1).unwrap();
    let table = table.split("\n## ").next().unwrap();
    let mut told = BTreeSet::new();
    let mut wrong = Vec::new();
    for line in table.lines().filter(|line| line.starts_with("| ")).skip(1) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let named: Vec<&str> = cells[3].split('`').skip(1).step_by(2).collect();
        for number in numbers(cells[1]) {
            told.insert(number);
            let held = named
                .iter()
                .any(|file| tried.get(*file).is_some_and(|own| own.contains(&number)));
            if !held {
                wrong.push(format!("no test of {named:?} tries threat {number}"));
            }
        }
        for file in named {
            let own = tried.get(file).cloned().unwrap_or_default();
            if own.is_disjoint(&numbers(cells[1])) {
                wrong.push(format!("`{file}` tries none of {}", cells[1]));
            }
        }
    }
    let all: BTreeSet<u32> = tried.values().flatten().copied().collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(told, all);
    assert_eq!(told, (1..=58).collect());
}
