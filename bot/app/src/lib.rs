//! The doors: GitHub, MAAS, the command line, pages. Everything that has an effect is here.

pub mod config;
pub mod maas;
