//! What strangers, accidents and bad timing may not bring about: the whole bot, a MAAS and a GitHub in this process.
//!
//! Each test with a number is one of the threats that ARCHITECTURE.md lists.

mod content;
mod gates;
mod late;
mod stage;
mod timing;
mod waiting;
