//! Writes text as a YAML scalar that every YAML reader parses as that text.

use std::fmt::Write as _;

use crate::finding::shown;

/// Words that some YAML reader does not parse as text, or that have a meaning in a declaration.
const KEYWORDS: &[&str] = &[
    "true", "false", "yes", "no", "on", "off", "y", "n", "null", "none", "leave", "auto", "dhcp",
    "host",
];

/// The text as a scalar that is valid anywhere: plain if that is safe, otherwise in double quotes.
pub(super) fn scalar(text: &str) -> String {
    if is_plain(text) {
        return text.to_owned();
    }
    quoted(text)
}

/// The text in double quotes.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            c if c == ' ' || c.is_ascii_graphic() || c.is_alphanumeric() => quoted.push(c),
            c => {
                // Eight hex digits can represent any character, visible or not.
                let pushed = write!(quoted, "\\U{:08x}", u32::from(c));
                pushed.expect("writing to a string cannot fail");
            }
        }
    }
    quoted.push('"');
    quoted
}

/// The text in single quotes, if it can be represented in them.
pub(super) fn single(text: &str) -> Option<String> {
    let shows = |c: char| c == ' ' || c.is_ascii_graphic() || c.is_alphanumeric();
    text.chars()
        .all(shows)
        .then(|| format!("'{}'", text.replace('\'', "''")))
}

fn is_plain(text: &str) -> bool {
    let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | ' ');
    let first = text.chars().next();
    let ends = text.ends_with(' ');
    let numeric = |c: char| c.is_ascii_hexdigit() || matches!(c, '_' | '-' | '.' | 'x' | 'o');
    let like_a_number = first.is_some_and(|c| c.is_ascii_digit()) && text.chars().all(numeric);
    first.is_some_and(|c| c.is_ascii_alphanumeric())
        && !ends
        && text.len() <= 80
        && text.chars().all(safe)
        && !like_a_number
        && !KEYWORDS.contains(&text.to_ascii_lowercase().as_str())
}

/// A comment on one line.
pub(super) fn comment(text: &str) -> String {
    format!("# {}", shown(text))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::yaml::{self, Value};

    fn read_back(text: &str) -> Option<String> {
        let written = format!("a: [{{b: {}, c: d}}]\ne: {}\n", scalar(text), scalar(text));
        let (tree, _) = yaml::read(&written).ok()?;
        let Value::Map(entries) = tree?.value else {
            return None;
        };
        let Value::List(items) = &entries[0].1.value else {
            return None;
        };
        let Value::Map(inner) = &items[0].value else {
            return None;
        };
        let (Value::Text { text: one, .. }, Value::Text { text: two, .. }) =
            (&inner[0].1.value, &entries[1].1.value)
        else {
            return None;
        };
        (one == two && inner.len() == 2 && entries.len() == 2).then(|| one.clone())
    }

    #[test]
    fn hostile_texts_round_trip() {
        let long = "x, y: z ".repeat(400);
        for text in [
            "",
            " ",
            "a: b",
            "a #b",
            "it's",
            "\"",
            "\\",
            "a\nb",
            "\u{0}",
            "\u{7}\u{1b}[2J",
            "- x",
            "&a",
            "*a",
            "!t",
            "{}",
            "[",
            "%",
            "@",
            "`",
            "~",
            "null",
            "yes",
            "+1",
            "010",
            "1e3",
            "12:34:56",
            "<<",
            "---",
            "...",
            "é",
            "\u{202e}abc",
            "\u{feff}",
            "\u{2028}",
            "\r",
            "\r\n",
            "\t",
            "a ",
            " a",
            "🦀",
            "\u{85}",
            "=",
            "|",
            ">",
            "1_provider",
            "x/y",
            long.as_str(),
        ] {
            assert_eq!(read_back(text).as_deref(), Some(text), "{}", scalar(text));
        }
    }

    proptest! {
        #[test]
        fn any_text_round_trips(text in any::<String>()) {
            prop_assert_eq!(read_back(&text), Some(text));
        }
    }
}
