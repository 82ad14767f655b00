//! Machines that differ from their declaration: what is changed, and what waits until MAAS allows it.

mod gateways;
mod settings;
mod templates;
mod waiting;
