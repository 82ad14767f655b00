//! Files that import each other in a circle: within a crate at most two do.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::crates::CRATES;
use super::{before_tests, files, is_test, root};

/// A module's path within its crate: `inbox::poll`; the crate's root is empty.
fn module_of(path: &Path, source: &Path) -> String {
    let relative = path.strip_prefix(source).unwrap().with_extension("");
    let parts: Vec<_> = relative
        .iter()
        .map(|part| part.to_string_lossy().into_owned())
        .filter(|part| part != "lib" && part != "main")
        .collect();
    parts.join("::")
}

/// Every path that `use` statements name, braces expanded.
fn imports(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for statement in text.split("use ").skip(1) {
        let Some((tree, _)) = statement.split_once(';') else {
            continue;
        };
        let tree: String = tree.split_whitespace().collect::<Vec<_>>().join(" ");
        if tree.starts_with("crate") || tree.starts_with("super") || tree.starts_with("self") {
            expand("", &tree, &mut found);
        }
    }
    found
}

fn expand(before: &str, tree: &str, found: &mut Vec<String>) {
    let Some((head, rest)) = tree.split_once('{') else {
        let leaf = tree.split(" as ").next().unwrap_or(tree).trim();
        found.push(format!("{before}{leaf}"));
        return;
    };
    let inner = rest.strip_suffix('}').unwrap_or(rest);
    let (mut depth, mut start) = (0, 0);
    let mut parts = Vec::new();
    for (at, letter) in inner.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&inner[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&inner[start..]);
    for part in parts
        .iter()
        .map(|part| part.trim())
        .filter(|part| !part.is_empty())
    {
        expand(&format!("{before}{}", head.trim()), part, found);
    }
}

/// The module that a path names, seen from `module`: the longest that there is.
fn target(path: &str, module: &str, modules: &BTreeSet<String>) -> Option<String> {
    let mut base: Vec<&str> = Vec::new();
    let mut parts = path.split("::").peekable();
    match parts.next()? {
        "crate" => {}
        "self" => base.extend(module.split("::").filter(|part| !part.is_empty())),
        "super" => {
            base.extend(module.split("::").filter(|part| !part.is_empty()));
            base.pop();
            while parts.next_if_eq(&"super").is_some() {
                base.pop();
            }
        }
        _ => return None,
    }
    base.extend(parts);
    (0..=base.len())
        .rev()
        .map(|length| base[..length].join("::"))
        .find(|name| modules.contains(name))
}

/// The files of a crate and whom each imports. A parent that hands its children's names on is not told apart from them.
fn arrows(name: &str) -> BTreeMap<String, BTreeSet<String>> {
    let source = root().join("bot").join(name).join("src");
    let sources: Vec<_> = files(&source, "rs")
        .into_iter()
        .filter(|path| !is_test(path))
        .collect();
    let modules: BTreeSet<String> = sources
        .iter()
        .map(|path| module_of(path, &source))
        .collect();
    sources
        .iter()
        .map(|path| {
            let module = module_of(path, &source);
            let to = imports(&before_tests(path))
                .iter()
                .filter_map(|import| target(import, &module, &modules))
                // `mod x; use x::Y;` and a child's look at its parent are one file's two halves, not an arrow.
                .filter(|to| *to != module && !to.is_empty())
                .collect();
            (module, to)
        })
        .collect()
}

fn reach(from: &str, arrows: &BTreeMap<String, BTreeSet<String>>) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    let mut next: Vec<&String> = arrows[from].iter().collect();
    while let Some(module) = next.pop() {
        if seen.insert(module.clone()) {
            next.extend(arrows[module].iter());
        }
    }
    seen
}

#[test]
fn no_more_than_two_files_import_each_other_in_a_circle() {
    for name in CRATES {
        let arrows = arrows(name);
        let reach: BTreeMap<&String, BTreeSet<String>> = arrows
            .keys()
            .map(|module| (module, self::reach(module, &arrows)))
            .collect();
        for (module, reached) in &reach {
            let circle: Vec<&String> = reached
                .iter()
                .filter(|other| reach[other].contains(*module))
                .collect();
            assert!(circle.len() <= 2, "`{name}` has a circle: {circle:?}");
        }
    }
}

#[test]
fn imports_are_read_whole() {
    let text = "use crate::{a, b::{C, d as e}};\nuse super::f::G;\nuse std::x;";
    assert_eq!(
        imports(text),
        ["crate::a", "crate::b::C", "crate::b::d", "super::f::G"]
    );
    let modules = ["b", "b::f", "b::own"].map(str::to_owned).into();
    assert_eq!(target("crate::b::C", "b::own", &modules).unwrap(), "b");
    assert_eq!(target("super::f::G", "b::own", &modules).unwrap(), "b::f");
}
