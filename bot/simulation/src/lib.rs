//! The whole system in one process: a harness around the service, injected faults, randomized runs by seed, and the demo.

pub mod demo;
pub mod fuzz;
pub mod harness;
