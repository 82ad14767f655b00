//! The recipes of CONTRIBUTING.md: which files one more command, gate, object kind, release or finding touches.
//!
//! A recipe follows an example that is already there. Its line `Example: …` names the words by which the example is
//! found in the sources; the files that hold one of these words are the files of the recipe.

use std::collections::BTreeSet;

use super::{before_tests, files, is_test, read, root};

const RECIPES: [&str; 5] = [
    "A command",
    "A gate",
    "An object kind",
    "A MAAS release",
    "A finding",
];

/// One recipe, as CONTRIBUTING.md has it.
struct Recipe {
    /// The words by which the example is found.
    words: Vec<String>,
    /// How many files it says.
    count: usize,
    /// The files that it lists, by their paths from the root.
    listed: BTreeSet<String>,
}

fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

fn recipe(text: &str, title: &str) -> Recipe {
    let part = text.split(&format!("\n### {title}\n")).nth(1);
    let part = part.unwrap_or_else(|| unreachable!("CONTRIBUTING.md has no recipe `{title}`"));
    let part = part.split("\n##").next().unwrap_or_default();
    let line = part.lines().find(|line| line.starts_with("Example: "));
    let line = line.unwrap_or_else(|| unreachable!("`{title}` has no line `Example: …`"));
    let count = line
        .split_whitespace()
        .find_map(|word| word.parse().ok())
        .unwrap_or_else(|| unreachable!("`{title}` does not say how many files"));
    let rows = part.lines().filter(|line| line.starts_with("| "));
    Recipe {
        words: quoted(line).map(str::to_owned).collect(),
        count,
        listed: rows
            .flat_map(quoted)
            .filter(|word| [".rs", ".md"].iter().any(|end| word.ends_with(end)))
            .map(str::to_owned)
            .collect(),
    }
}

/// Whether `word` stands in `text` with nothing beside it that would make another word of it.
fn is_whole(text: &str, word: &str) -> bool {
    let part_of_a_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        let (before, after) = (&text[..at], &text[at + word.len()..]);
        let joined = word.starts_with(part_of_a_word) && before.ends_with(part_of_a_word);
        let continued = word.ends_with(part_of_a_word) && after.starts_with(part_of_a_word);
        !joined && !continued
    })
}

#[test]
fn each_recipe_lists_the_files_that_its_example_is_in() {
    let text = read(&root().join(".github/CONTRIBUTING.md"));
    let sources: Vec<(String, String)> = files(&root().join("bot"), "rs")
        .into_iter()
        .filter(|path| !is_test(path) && path.components().any(|part| part.as_os_str() == "src"))
        .map(|path| {
            let own = path.strip_prefix(root()).unwrap_or(&path);
            (own.to_string_lossy().into_owned(), before_tests(&path))
        })
        .collect();
    let mut wrong = Vec::new();
    for title in RECIPES {
        let recipe = recipe(&text, title);
        let names_it = |text: &str| recipe.words.iter().any(|word| is_whole(text, word));
        assert!(!recipe.words.is_empty(), "`{title}` has no example");
        for (path, text) in &sources {
            if names_it(text) && !recipe.listed.contains(path) {
                wrong.push(format!("{title}: `{path}` is not listed"));
            }
        }
        for path in &recipe.listed {
            let source = sources.iter().find(|(own, _)| own == path);
            let text = source.map_or_else(|| read(&root().join(path)), |(_, text)| text.clone());
            if !names_it(&text) {
                wrong.push(format!("{title}: `{path}` does not have the example"));
            }
        }
        if recipe.count != recipe.listed.len() {
            let (said, listed) = (recipe.count, recipe.listed.len());
            wrong.push(format!("{title}: says {said} files and lists {listed}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
