//! Abuse, accidents and bad timing: the whole bot with a MAAS and a GitHub in this process.
//!
//! Each test with a number is one of the threats that ARCHITECTURE.md lists.

mod content;
mod gates;
mod late;
mod timing;
mod waiting;
