//! The log: its options, and how its lines are written.
//!
//! `planebot serve` always logs; the other commands log only when `--log` or `PLANEBOT_LOG` asks for it, because what they
//! have to say is their output. It must not know what is logged.

use std::io::Write;

use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use service::config::{LogFilter, LogFormat, ServerSettings};
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::cli::Console;

/// What is logged, and how.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Logging")]
pub(crate) struct LogArgs {
    /// What to log to standard error: a level, or levels by crate, such as `info,github=debug`. `serve` falls back to
    /// `[server] log`, then to `info`; other commands log nothing unless this is given
    #[arg(long, global = true, env = "PLANEBOT_LOG", value_name = "FILTER")]
    log: Option<LogFilter>,
    /// How to write log lines; `serve` falls back to `[server] log_format`, then to `text`
    #[arg(
        long,
        global = true,
        env = "PLANEBOT_LOG_FORMAT",
        value_name = "FORMAT",
        value_parser = PossibleValuesParser::new(LogFormat::NAMES).try_map(|name| name.parse::<LogFormat>())
    )]
    log_format: Option<LogFormat>,
}

impl LogArgs {
    /// Starts the log where it was asked for.
    pub(super) fn start_if_asked(&self, console: &Console<'_>) -> anyhow::Result<()> {
        match &self.log {
            Some(filter) => start(filter, self.log_format.unwrap_or_default(), console),
            None => Ok(()),
        }
    }

    /// Starts the service's log. Without settings, because the configuration cannot be read, the log can still say so.
    pub(super) fn start_service(
        &self,
        settings: Option<&ServerSettings>,
        console: &Console<'_>,
    ) -> anyhow::Result<LogFormat> {
        let filter = self.log.as_ref().or(settings.map(|server| &server.log));
        let format = self
            .log_format
            .or(settings.map(|server| server.log_format))
            .unwrap_or_default();
        start(&filter.cloned().unwrap_or_default(), format, console)?;
        Ok(format)
    }
}

fn start(filter: &LogFilter, format: LogFormat, console: &Console<'_>) -> anyhow::Result<()> {
    // `NO_COLOR` and `TERM=dumb` are respected as in the rest of the output.
    let choice = anstream::AutoStream::choice(&std::io::stderr());
    let colour = console.stderr_is_terminal && choice != anstream::ColorChoice::Never;
    // A process has one log. In tests, several commands run in one process; the first one's log stays.
    drop(subscriber(filter, format, colour, std::io::stderr)?.try_init());
    Ok(())
}

/// Writes events of the filter's levels to `writer`. A JSON line has `timestamp`, `level`, `target`, `fields` with the
/// message, `span` with the fields of the innermost span (`id` of a delivery or a run) and `spans` with all of them.
fn subscriber<W>(
    filter: &LogFilter,
    format: LogFormat,
    colour: bool,
    writer: W,
) -> anyhow::Result<impl tracing::Subscriber + Send + Sync>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let targets: Targets = filter.as_str().parse()?;
    // An error of the writer would be reported to the same standard error, and a second failure there ends the process.
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(writer)
        .log_internal_errors(false);
    let lines = match format {
        LogFormat::Text => lines.map_writer(OneLineEach).with_ansi(colour).boxed(),
        LogFormat::Json => lines.with_ansi(false).json().boxed(),
    };
    Ok(tracing_subscriber::registry().with(lines.with_filter(targets)))
}

/// Writes each event as one line: whoever chooses what GitHub or MAAS answers must not write lines of this log.
struct OneLineEach<W>(W);

impl<'a, W: MakeWriter<'a>> MakeWriter<'a> for OneLineEach<W> {
    type Writer = OneLineEach<W::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        OneLineEach(self.0.make_writer())
    }
}

impl<W: Write> Write for OneLineEach<W> {
    /// The subscriber writes a whole event in one call, with a line break at its end.
    fn write(&mut self, event: &[u8]) -> std::io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let text = text.strip_suffix('\n').unwrap_or(&text);
        let line = text.replace('\n', "\\n").replace('\r', "\\r");
        self.0.write_all(format!("{line}\n").as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use serde_json::{Value, json};

    use super::*;

    #[derive(Clone, Default)]
    struct SharedBuffer(Arc<Mutex<Vec<u8>>>);

    impl Write for SharedBuffer {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// What is written of one event of each level inside a span.
    fn logged(filter: &str, format: LogFormat) -> String {
        let buffer = SharedBuffer::default();
        let writer = buffer.clone();
        let filter = filter.parse().unwrap();
        let subscriber = subscriber(&filter, format, false, move || writer.clone()).unwrap();
        tracing::subscriber::with_default(subscriber, || {
            let span = tracing::info_span!("delivery", id = "72d3162e");
            let _entered = span.enter();
            tracing::debug!(target: "github::request", "asked");
            tracing::info!(target: "service::inbox", attempt = 2, "not \u{1b}[31mprocessed\nyet");
        });
        let bytes = buffer.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_json_line_has_the_fields_of_the_event_and_of_its_spans() {
        let text = logged("info", LogFormat::Json);
        assert_eq!(text.lines().count(), 1, "{text}");
        let line: Value = serde_json::from_str(&text).unwrap();
        assert!(line["timestamp"].is_string(), "{text}");
        let expected = json!({
            "level": "INFO",
            "target": "service::inbox",
            "fields": {"message": "not \u{1b}[31mprocessed\nyet", "attempt": 2},
            "span": {"name": "delivery", "id": "72d3162e"},
            "spans": [{"name": "delivery", "id": "72d3162e"}],
        });
        for (key, value) in expected.as_object().unwrap() {
            assert_eq!(line[key], *value, "{text}");
        }
    }

    #[test]
    fn a_text_line_has_the_span_and_no_control_characters_of_the_message() {
        let text = logged("info", LogFormat::Text);
        assert!(
            text.contains("INFO delivery{id=\"72d3162e\"}: service::inbox: not"),
            "{text}"
        );
        assert!(!text.contains('\u{1b}'), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.contains(r"processed\nyet"), "{text}");
    }

    #[test]
    fn a_filter_can_name_a_crate() {
        for (filter, lines) in [
            ("info", 1),
            ("off", 0),
            ("info,github=debug", 2),
            ("github=debug", 1),
        ] {
            let text = logged(filter, LogFormat::Json);
            assert_eq!(text.lines().count(), lines, "{filter}: {text}");
        }
    }
}
