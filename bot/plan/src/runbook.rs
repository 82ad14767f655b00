//! Runbooks: instructions for people at one gate, with placeholders for a plan's values.
//!
//! A runbook is Markdown with one fenced `planebot` block that names its gate. Placeholders are `{{name}}` with a fixed set
//! of names; a value with several lines keeps the placeholder's indentation. Nothing else is interpreted: no conditions, no
//! loops, no code. Must not know where runbooks are stored.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use crate::gate::{Gate, GateName, RunbookPin};

/// A parsed runbook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Runbook {
    /// The gate it belongs to.
    pub gate: GateName,
    /// Its path in the repository, and the hash of its text.
    pub pin: RunbookPin,
    text: String,
}

/// Why a text is not a runbook.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotARunbook {
    /// There is no fenced block that begins with three backticks and `planebot`.
    #[error(
        "`{0}` has no `planebot` block; add one that begins with three backticks and `planebot` and contains `gate = \"teardown\"`"
    )]
    NoBlock(String),
    /// The block names an unknown gate.
    #[error(
        "`{path}:{line}` names an unknown gate `{gate}`; use `teardown`, `vacate`, `jumphost` or `rack`"
    )]
    NoSuchGate {
        /// The file.
        path: String,
        /// The line, from 1.
        line: usize,
        /// As written.
        gate: String,
    },
    /// A placeholder names a value that this gate does not have.
    #[error("`{path}:{line}` has a placeholder for `{name}`; this gate has {known}")]
    NoSuchValue {
        /// The file.
        path: String,
        /// The line, from 1.
        line: usize,
        /// As written.
        name: String,
        /// The known names.
        known: String,
    },
}

/// The names of the values that a gate has.
pub fn values_of(gate: GateName) -> &'static [&'static str] {
    match gate {
        GateName::Teardown => &["subnets", "machines"],
        GateName::Vacate => &["subnets", "addresses"],
        GateName::Jumphost => &["commands"],
        GateName::Rack => &["subnets", "snippets"],
    }
}

impl Runbook {
    /// Parses a runbook, and checks that every placeholder has a value.
    pub fn read(path: &str, text: &str) -> Result<Self, NotARunbook> {
        let mut inside = false;
        let mut gate = None;
        for (at, line) in text.lines().enumerate() {
            if line.trim_start().starts_with("```planebot") {
                inside = true;
            } else if inside && line.trim_start().starts_with("```") {
                break;
            } else if let Some(value) = line.trim().strip_prefix("gate").filter(|_| inside) {
                let word = value
                    .trim_start_matches([' ', '='])
                    .trim()
                    .trim_matches('"');
                gate = Some(GateName::read(word).ok_or_else(|| NotARunbook::NoSuchGate {
                    path: path.to_owned(),
                    line: at + 1,
                    gate: word.to_owned(),
                })?);
            }
        }
        let gate = gate.ok_or_else(|| NotARunbook::NoBlock(path.to_owned()))?;
        for (at, line) in text.lines().enumerate() {
            if let Some(name) = places(line).find(|name| !values_of(gate).contains(name)) {
                return Err(NotARunbook::NoSuchValue {
                    path: path.to_owned(),
                    line: at + 1,
                    name: name.to_owned(),
                    known: values_of(gate)
                        .iter()
                        .map(|name| format!("`{name}`"))
                        .collect::<Vec<_>>()
                        .join(", "),
                });
            }
        }
        Ok(Self {
            gate,
            pin: RunbookPin {
                path: path.to_owned(),
                sha256: hex::encode(Sha256::digest(text.as_bytes())),
            },
            text: text.to_owned(),
        })
    }

    /// The runbook with a gate's values filled in, without the `planebot` block.
    pub fn rendered(&self, gate: &Gate) -> String {
        let mut out = String::new();
        let mut inside = false;
        for line in self.text.lines() {
            if line.trim_start().starts_with("```planebot") {
                inside = true;
            }
            if !inside {
                out.push_str(&filled(line, &gate.values));
                out.push('\n');
            }
            if inside && line.trim() == "```" {
                inside = false;
            }
        }
        out
    }
}

fn places(line: &str) -> impl Iterator<Item = &str> {
    line.split("{{")
        .skip(1)
        .filter_map(|rest| rest.split_once("}}"))
        .map(|(name, _)| name.trim())
}

fn filled(line: &str, values: &BTreeMap<String, String>) -> String {
    let indent: String = line.chars().take_while(|c| *c == ' ').collect();
    let mut out = line.to_owned();
    for name in places(line) {
        let value = values.get(name).map(String::as_str).unwrap_or_default();
        // A value must not open or close one of the runbook's fences.
        let value = value
            .replace('`', "'")
            .lines()
            .collect::<Vec<_>>()
            .join(&format!("\n{indent}"));
        out = out.replace(&format!("{{{{{name}}}}}"), &value);
    }
    out
}

/// Whether a path may be a runbook's.
pub fn is_runbook(path: &str) -> bool {
    std::path::Path::new(path)
        .extension()
        .is_some_and(|end| end == "md")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "# T\n\n```planebot\ngate = \"jumphost\"\n```\n\n   ```sh\n   {{commands}}\n   ```\n";

    #[test]
    fn a_runbook_is_rendered_with_the_plans_values() {
        let runbook = Runbook::read("runbooks/j.md", TEXT).unwrap();
        let gate = Gate {
            name: GateName::Jumphost,
            before: None,
            why: String::new(),
            evidence: vec![],
            runbook: None,
            values: BTreeMap::from([("commands".to_owned(), "one\n```\ntwo".to_owned())]),
            tasks: vec![],
        };
        assert_eq!(
            runbook.rendered(&gate),
            "# T\n\n\n   ```sh\n   one\n   '''\n   two\n   ```\n"
        );
    }

    #[test]
    fn an_unknown_placeholder_is_reported_with_its_line() {
        let text = TEXT.replace("commands", "machines");
        let error = Runbook::read("runbooks/j.md", &text)
            .unwrap_err()
            .to_string();
        assert_eq!(
            error,
            "`runbooks/j.md:8` has a placeholder for `machines`; this gate has `commands`"
        );
        assert!(Runbook::read("x.md", "# nothing").is_err());
        assert!(Runbook::read("x.md", &TEXT.replace("jumphost", "jumphots")).is_err());
    }
}
