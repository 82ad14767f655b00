//! The doors: GitHub, MAAS, the command line, pages. Everything that has an effect is here.

pub mod command;
pub mod config;
pub mod evidence;
pub mod executor;
pub mod event;
pub mod maas;
pub mod rehearse;
