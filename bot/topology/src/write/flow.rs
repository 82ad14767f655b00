//! Converts block style YAML to flow style.

use crate::yaml::{self, Value, YamlNode};

/// The same YAML on one line; `whole` keeps the brackets of a mapping.
pub(super) fn flow(text: &str, whole: bool) -> String {
    let Ok((Some(node), _)) = yaml::read(text) else {
        return text.to_owned();
    };
    let line = on_one_line(&node, text);
    let inside = line
        .strip_prefix('{')
        .and_then(|line| line.strip_suffix('}'));
    match inside {
        Some(inside) if !whole => inside.to_owned(),
        Some(_) | None => line,
    }
}

fn on_one_line(node: &YamlNode, text: &str) -> String {
    match &node.value {
        Value::Nothing => "null".to_owned(),
        Value::Text { .. } => text.get(node.span.clone()).unwrap_or_default().to_owned(),
        Value::List(items) => {
            let items: Vec<String> = items.iter().map(|item| on_one_line(item, text)).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Map(entries) => {
            let entries: Vec<String> = entries
                .iter()
                .map(|(key, value)| format!("{}: {}", key.text, on_one_line(value, text)))
                .collect();
            format!("{{{}}}", entries.join(", "))
        }
    }
}
