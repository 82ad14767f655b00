//! What strangers, accidents and bad timing may not bring about: the whole bot, a MAAS and a GitHub in this process.
//!
//! Each test is one of the threats that ARCHITECTURE.md lists, by its number.

mod content;
mod gates;
mod late;
mod stage;
mod timing;
