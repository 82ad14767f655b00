//! The service: takes webhook deliveries, makes plans, follows orders, carries out runs, and sends messages.
//!
//! It holds everything between GitHub's webhooks and MAAS that must survive a crash. It must not know the terminal or the lab.

pub mod clock;
pub mod command;
pub mod config;
pub mod github_port;
pub mod history;
pub mod identity;
pub mod inbox;
mod leader;
pub mod orders;
pub mod outbox;
pub mod pulls;
mod replica;
pub mod reply;
mod retention;
pub mod roster;
pub mod runs;
pub mod server;
pub mod service;
pub mod site;
pub mod sites;
mod trace;
pub mod worker;

pub use leader::POLL_EVERY_MS;
