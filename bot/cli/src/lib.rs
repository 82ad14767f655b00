//! The command line: what is typed, what is printed, how it ends.

pub mod cli;
pub mod doctor;
pub mod terminal;
