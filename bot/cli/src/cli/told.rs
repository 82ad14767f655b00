//! How results and errors look on a terminal.

use std::io::Write as _;

use anstyle::{AnsiColor, Style};

use crate::cli::Console;
use crate::terminal::exit;
use service::reply;

/// How a result is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people, with colour on a terminal.
    #[default]
    Text,
    /// For comments.
    Markdown,
    /// For programs.
    Json,
}

impl From<Format> for crate::terminal::Format {
    fn from(format: Format) -> Self {
        match format {
            Format::Text => Self::Text,
            Format::Markdown => Self::Markdown,
            Format::Json => Self::Json,
        }
    }
}

const RED: Style = AnsiColor::Red.on_default().bold();
const YELLOW: Style = AnsiColor::Yellow.on_default().bold();

/// Says that the command failed, and why. Exit code 1.
pub(super) fn failed(error: &anyhow::Error, console: &mut Console<'_>) -> u8 {
    let broken_pipe = error
        .downcast_ref::<std::io::Error>()
        .is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe);
    if !broken_pipe {
        let said = writeln!(console.err, "{RED}error{RED:#}: {}", reply::because(error));
        drop(said);
    }
    exit::WRONG
}

/// Says something that does not stop the command.
pub(super) fn remark(console: &mut Console<'_>, text: &str) -> std::io::Result<()> {
    writeln!(console.err, "{YELLOW}note{YELLOW:#}: {text}")
}

/// Says how far a command is, while it runs.
pub(super) fn remark_line(line: &str) {
    // Nobody is told of a progress line that could not be written.
    drop(writeln!(anstream::stderr().lock(), "{line}"));
}

/// Help and version go to standard output with 0; anything else was misspelt: 1, because 2 means that something
/// differs.
pub(super) fn misspelt(error: &clap::Error, console: &mut Console<'_>) -> u8 {
    let text = error.render().ansi().to_string();
    let (written, code) = if error.use_stderr() {
        (console.err.write_all(text.as_bytes()), exit::WRONG)
    } else {
        (
            console
                .out
                .write_all(text.as_bytes())
                .and_then(|()| console.out.flush()),
            exit::OK,
        )
    };
    drop(written);
    code
}
