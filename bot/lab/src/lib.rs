//! World: everything outside planebot, kept in memory.
//!
//! A MAAS and a GitHub with their own idea of the wire, so that they cannot agree with our clients' mistakes: the MAAS
//! is held to recordings of real servers, the GitHub to GitHub's published description. It must not know what planebot
//! intends: nothing here names the planner, the journal or the app.

pub mod github;
pub mod maas;
mod socket;
pub mod wire;

pub use socket::{HttpFault, HttpFaultPolicy, LabClock};
