//! The very program that operators run.

use std::process::ExitCode;

fn main() -> ExitCode {
    planebot::cli::main()
}
