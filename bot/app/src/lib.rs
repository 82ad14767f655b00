//! The doors: GitHub, MAAS, the command line, pages. Everything that has an effect is here.

pub mod cli;
pub mod clock;
pub mod command;
pub mod config;
pub mod desk;
pub mod doctor;
pub mod event;
pub mod evidence;
pub mod executor;
pub mod github;
pub mod history;
pub mod keeping;
pub mod maas;
mod outgoing;
pub mod rehearse;
mod replica;
pub mod reply;
pub mod roster;
pub mod serve;
pub mod service;
pub mod story;
pub mod tale;
pub mod terminal;
pub mod town;
pub mod turn;
pub mod webhook;
