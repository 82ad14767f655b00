//! What the service logs, and in which format.
//!
//! Both are settings of `[server]`, because only `planebot serve` logs unasked and a deployment keeps its settings in one
//! file. The command line overrides them, so that a person can start the same configuration on a terminal. This file
//! must not know how lines are written.

use std::fmt::{Display, Formatter};
use std::str::FromStr;

use serde::Deserialize;
use tracing::level_filters::LevelFilter;

/// Which events are logged: a level for everything, levels by crate or module, or both, as `info,github=debug`.
///
/// Stricter than tracing's own syntax: there a misspelt level (`inof`) is a target that nothing has, and the log stays
/// empty without a warning.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct LogFilter(String);

/// A text that is not a [`LogFilter`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a log filter: write a level (`error`, `warn`, `info`, `debug`, `trace` or `off`), or levels by crate, such as `info,github=debug`"
)]
pub struct InvalidLogFilter {
    text: String,
}

impl LogFilter {
    /// The filter in tracing's syntax.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for LogFilter {
    fn default() -> Self {
        Self("info".to_owned())
    }
}

impl Display for LogFilter {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for LogFilter {
    type Err = InvalidLogFilter;

    fn from_str(text: &str) -> Result<Self, InvalidLogFilter> {
        let directives: Vec<&str> = text.split(',').map(str::trim).collect();
        if directives.iter().all(|directive| is_directive(directive)) {
            Ok(Self(directives.join(",")))
        } else {
            Err(InvalidLogFilter {
                text: text.to_owned(),
            })
        }
    }
}

impl TryFrom<String> for LogFilter {
    type Error = InvalidLogFilter;

    fn try_from(text: String) -> Result<Self, InvalidLogFilter> {
        text.parse()
    }
}

/// `LEVEL`, or `TARGET=LEVEL`.
fn is_directive(text: &str) -> bool {
    let (target, level) = text
        .split_once('=')
        .map_or((None, text), |(target, level)| (Some(target), level));
    let is_path = |target: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
        !target.is_empty() && target.chars().all(plain)
    };
    // The empty text is a level to tracing: `error`.
    target.is_none_or(is_path) && !level.is_empty() && level.parse::<LevelFilter>().is_ok()
}

/// The format of a log line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line, for log collectors.
    Json,
}

impl LogFormat {
    /// The names of the formats.
    pub const NAMES: [&str; 2] = ["text", "json"];
}

impl FromStr for LogFormat {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err("`text` or `json`"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_a_level_or_levels_by_target() {
        for (text, normal) in [
            ("info", "info"),
            ("off", "off"),
            ("WARN", "WARN"),
            ("info, github=debug", "info,github=debug"),
            (
                "service::outbox=trace,maas=warn",
                "service::outbox=trace,maas=warn",
            ),
        ] {
            assert_eq!(text.parse::<LogFilter>().unwrap().as_str(), normal);
        }
    }

    #[test]
    fn a_misspelt_level_is_refused() {
        for text in [
            "",
            "inof",
            "info,",
            "github",
            "github=loud",
            "github=",
            "=debug",
            "git hub=debug",
            "[delivery]=debug",
        ] {
            let why = text.parse::<LogFilter>().unwrap_err().to_string();
            assert!(why.starts_with(&format!("`{text}` is not a log filter")));
        }
    }

    #[test]
    fn every_format_is_read_by_its_name() {
        for name in LogFormat::NAMES {
            assert!(name.parse::<LogFormat>().is_ok(), "{name}");
        }
        assert!("yaml".parse::<LogFormat>().is_err());
    }
}
