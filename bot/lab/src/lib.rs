//! Everything outside planebot, kept in memory: a MAAS and a GitHub.
//!
//! Both have their own implementation of the protocols, so they cannot share a mistake with our clients. Tests compare the
//! MAAS with recordings of real servers, and the GitHub with GitHub's published API description. The lab must not know what
//! planebot intends: nothing here names the planner, the journal or the app.

pub mod github;
pub mod maas;
mod socket;
pub mod wire;

pub use socket::{HttpFault, HttpFaultPolicy, LabClock};
