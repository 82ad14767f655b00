//! How errors, notes and progress look on a terminal.
//!
//! It must not know which command runs.

use std::io::Write as _;

use anstyle::{AnsiColor, Style};
use service::reply;

use crate::cli::Console;
use crate::terminal::exit_code;

const RED: Style = AnsiColor::Red.on_default().bold();
const YELLOW: Style = AnsiColor::Yellow.on_default().bold();

/// Prints why the command failed; the answer is the exit code.
pub(super) fn print_error(error: &anyhow::Error, console: &mut Console<'_>) -> u8 {
    // The reader of a pipe, `head` for example, has read enough.
    let broken_pipe = error
        .downcast_ref::<std::io::Error>()
        .is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe);
    if !broken_pipe {
        let text = reply::because(error);
        let printed = writeln!(console.err, "{RED}error{RED:#}: {text}");
        drop(printed);
    }
    exit_code::ERROR
}

/// Prints something that does not stop the command.
pub(super) fn print_note(console: &mut Console<'_>, text: &str) -> std::io::Result<()> {
    writeln!(console.err, "{YELLOW}note{YELLOW:#}: {text}")
}

/// Prints how far a command is.
pub(super) fn print_progress(line: &str) {
    // The command does not fail because its progress cannot be shown.
    drop(writeln!(anstream::stderr().lock(), "{line}"));
}

/// Help and version are printed to standard output and exit with 0; a usage error exits with 1 instead of clap's 2,
/// because 2 means that something differs.
pub(super) fn print_usage(error: &clap::Error, console: &mut Console<'_>) -> u8 {
    let text = error.render().ansi().to_string();
    let (written, code) = if error.use_stderr() {
        (console.err.write_all(text.as_bytes()), exit_code::ERROR)
    } else {
        (
            console
                .out
                .write_all(text.as_bytes())
                .and_then(|()| console.out.flush()),
            exit_code::OK,
        )
    };
    drop(written);
    code
}
