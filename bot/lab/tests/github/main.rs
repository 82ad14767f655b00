//! The lab's GitHub held to GitHub's published description, and to GitHub's behaviour that no schema states.

mod conformance;
mod over_http;
mod requests;
mod rules;
mod session;
mod spec;
