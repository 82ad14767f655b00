//! The whole world in one process: a harness around the service, faults, random days by seed, and the demo.

pub mod demo;
pub mod fuzz;
pub mod harness;
