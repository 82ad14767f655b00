//! The program: nothing but a call of the library, so that tests can run the same code.

use std::process::ExitCode;

fn main() -> ExitCode {
    planebot::cli::main()
}
