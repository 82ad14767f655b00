//! The README's tables of settings and of environment variables, held to the code that reads them.

use std::collections::{BTreeMap, BTreeSet};

use super::{before_tests, files, is_test, read, root};

/// The tables of `planebot.toml`: the struct that reads one, its heading in the README, and how its variables begin.
const TABLES: [(&str, &str, &str); 7] = [
    ("ServerTable", "[server]", "PLANEBOT_SERVER_"),
    ("GitHubTable", "[github]", "PLANEBOT_GITHUB_"),
    ("StoreTable", "[store]", "PLANEBOT_STORE_"),
    ("SiteTable", "[[site]]", "PLANEBOT_SITE_<NAME>_"),
    (
        "OperatorsTable",
        "[site.operators]",
        "PLANEBOT_SITE_<NAME>_OPERATORS_",
    ),
    (
        "PolicyTable",
        "[site.policy]",
        "PLANEBOT_SITE_<NAME>_POLICY_",
    ),
    (
        "EvidenceTable",
        "[site.evidence]",
        "PLANEBOT_SITE_<NAME>_EVIDENCE_",
    ),
];

/// The one setting that no variable can set: it is part of the names of the others.
const WITHOUT_VARIABLE: &str = "[[site]] name";

/// The fields of a struct of `config/file.rs`, without those that are tables of their own.
fn fields(source: &str, name: &str) -> BTreeSet<String> {
    let start = format!("struct {name} {{");
    let body = source.split(&start).nth(1).unwrap_or_default();
    let body = body.split("\n}").next().unwrap_or_default();
    body.lines()
        .filter_map(|line| line.trim().strip_prefix("pub"))
        .filter_map(|line| line.split_once(": "))
        .filter(|(_, kind)| !kind.contains("Table"))
        .filter_map(|(head, _)| head.split_whitespace().last())
        .map(|field| field.trim_start_matches("r#").to_owned())
        .collect()
}

/// The rows under a heading of the README: the setting in the first cell, the variable in the second.
fn rows(readme: &str, heading: &str) -> BTreeMap<String, String> {
    let start = format!("\n#### `{heading}`\n");
    let part = readme.split(&start).nth(1).unwrap_or_default();
    let part = part.split("\n#").next().unwrap_or_default();
    part.lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| {
            let mut cells = line.split('|').map(|cell| cell.trim().trim_matches('`'));
            let setting = cells.nth(1).unwrap_or_default();
            (
                setting.to_owned(),
                cells.next().unwrap_or_default().to_owned(),
            )
        })
        .collect()
}

/// What stands between quotes in a text and begins with `PLANEBOT_`, without the beginnings of names.
fn variables(text: &str) -> BTreeSet<String> {
    let quoted = text.split('"');
    quoted
        .filter(|word| word.starts_with("PLANEBOT_") && !word.ends_with('_'))
        .filter(|word| word.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
        .map(str::to_owned)
        .collect()
}

/// Every variable that the README names.
fn named(readme: &str) -> BTreeSet<String> {
    let quoted = readme.split('`').filter(|word| !word.contains('\n'));
    quoted
        .filter(|word| word.starts_with("PLANEBOT_"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_readme_lists_every_setting_with_its_variable() {
    let config = root().join("bot/service/src/config");
    let (source, env) = (read(&config.join("file.rs")), read(&config.join("env.rs")));
    let readme = read(&root().join("README.md"));
    let mut wrong = Vec::new();
    for (name, heading, prefix) in TABLES {
        let (fields, rows) = (fields(&source, name), rows(&readme, heading));
        assert!(!fields.is_empty(), "`{name}` has no fields");
        let listed: BTreeSet<String> = rows.keys().cloned().collect();
        for field in fields.symmetric_difference(&listed) {
            wrong.push(format!(
                "`{heading}` `{field}`: in one of file.rs and README.md only"
            ));
        }
        for (setting, variable) in &rows {
            if format!("{heading} {setting}") == WITHOUT_VARIABLE {
                continue;
            }
            let expected = format!("{prefix}{}", setting.to_uppercase());
            if *variable != expected {
                wrong.push(format!(
                    "`{heading}` `{setting}`: `{expected}`, not `{variable}`"
                ));
            }
            // Which key is read from which table is matched by the words between the quotes.
            let tail = expected
                .trim_start_matches("PLANEBOT_SITE_<NAME>_")
                .trim_start_matches("PLANEBOT_SERVER_")
                .trim_start_matches("PLANEBOT_GITHUB_")
                .trim_start_matches("PLANEBOT_STORE_");
            if !env.contains(&format!("\"{tail}\"")) {
                wrong.push(format!("env.rs does not read `{expected}`"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_readme_names_the_variables_that_are_read_and_no_other() {
    let readme = read(&root().join("README.md"));
    let mut read_ones: BTreeSet<String> = files(&root().join("bot"), "rs")
        .iter()
        .filter(|path| !is_test(path))
        // The lab's own site has a name of its own.
        .filter(|path| !path.starts_with(root().join("bot/simulation")))
        .flat_map(|path| variables(&before_tests(path)))
        .collect();
    for (_, heading, _) in TABLES {
        read_ones.extend(rows(&readme, heading).into_values());
    }
    // Secrets of a site have a key of their own in env.rs.
    read_ones.insert("PLANEBOT_SITE_<NAME>_MAAS_API_KEY".to_owned());
    read_ones.retain(|name| name.starts_with("PLANEBOT_"));
    let named = named(&readme);
    let wrong: Vec<&String> = named.symmetric_difference(&read_ones).collect();
    assert!(
        wrong.is_empty(),
        "named in the README or read by the code, not both: {wrong:#?}"
    );
}
