//! The command line: what is typed, what is printed, with which code it exits.

pub mod cli;
pub mod doctor;
pub mod terminal;

mod text;
