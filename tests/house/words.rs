//! Names: public types that are defined twice, and metaphors that were replaced by the field's words.

use std::collections::BTreeMap;

use super::{before_tests, files, is_test, root};

/// Words that say nothing to somebody who knows Rust, MAAS and GitHub. Each was a name here once; the field's word replaced it.
const METAPHORS: [&str; 34] = [
    "city",
    "desk",
    "dice",
    "door",
    "eyes",
    "fate",
    "forge",
    "fuse",
    "hands",
    "hear",
    "heard",
    "hears",
    "hung",
    "office",
    "owe",
    "owed",
    "owes",
    "promise",
    "reckoning",
    "said",
    "say",
    "says",
    "sky",
    "stranger",
    "stroke",
    "tale",
    "tell",
    "tells",
    "telling",
    "told",
    "town",
    "unsaid",
    "wanted",
    "weather",
];

/// Type names that two crates define, and why both keep theirs. At most 15.
const DEFINED_TWICE: [(&str, &str); 0] = [];

/// A name in its words: `PullRequest` and `pull_request` have the same two.
fn words(name: &str) -> Vec<String> {
    let mut apart = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() {
            apart.push('_');
        }
        apart.extend(letter.to_lowercase());
    }
    apart
        .split('_')
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

/// What a line of code defines: the keyword, and the name.
fn defined(line: &str) -> Option<(&str, &str)> {
    let mut line = line.trim_start();
    for before in ["pub ", "pub(crate) ", "pub(super) ", "const ", "async "] {
        line = line.strip_prefix(before).unwrap_or(line);
    }
    let kinds = ["struct ", "enum ", "trait ", "type ", "fn ", "mod "];
    let (kind, rest) = kinds
        .iter()
        .find_map(|kind| Some((*kind, line.strip_prefix(kind)?)))?;
    let name = rest
        .split(|letter: char| !letter.is_alphanumeric() && letter != '_')
        .next()?;
    Some((kind.trim_end(), name))
}

#[test]
fn no_name_is_a_metaphor() {
    let mut found = Vec::new();
    let sources = ["bot", "tests"].map(|folder| files(&root().join(folder), "rs"));
    for path in sources.concat() {
        let text = before_tests(&path);
        let file = path.file_stem().unwrap_or_default().to_string_lossy();
        let names = text.lines().filter_map(defined).map(|(_, name)| name);
        for name in names.chain([file.as_ref()]) {
            let own = words(name);
            // A test's name is a sentence.
            let is_sentence = own.len() > 4;
            let metaphor = own
                .iter()
                .find(|word| METAPHORS.contains(&word.as_str()))
                .filter(|_| !is_sentence);
            if let Some(word) = metaphor {
                let path = path.strip_prefix(root()).unwrap_or(&path).display();
                found.push(format!("{path}: `{name}` has `{word}`"));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn each_public_type_name_is_defined_once() {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for path in files(&root().join("bot"), "rs") {
        if is_test(&path) {
            continue;
        }
        let text = before_tests(&path);
        for line in text
            .lines()
            .filter(|line| line.trim_start().starts_with("pub"))
        {
            if let Some(("struct" | "enum" | "trait" | "type", name)) = defined(line) {
                let path = path.strip_prefix(root()).unwrap_or(&path);
                let place = path.to_string_lossy().into_owned();
                places.entry(name.to_owned()).or_default().push(place);
            }
        }
    }
    assert!(places.len() > 300, "only {} types", places.len());
    assert!(DEFINED_TWICE.len() <= 15);
    let allowed = |name: &str| DEFINED_TWICE.iter().any(|(own, _)| *own == name);
    for (name, _) in DEFINED_TWICE {
        assert!(
            places.get(name).is_some_and(|at| at.len() > 1),
            "`{name}` is defined once"
        );
    }
    let twice: Vec<_> = places
        .iter()
        .filter(|(name, at)| at.len() > 1 && !allowed(name))
        .collect();
    assert!(twice.is_empty(), "{twice:#?}");
}
