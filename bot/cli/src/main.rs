//! A result into an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    planebot::cli::main()
}
