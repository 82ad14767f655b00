//! A result into an exit code.
fn main() {}
