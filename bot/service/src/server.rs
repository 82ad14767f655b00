//! The HTTP server: how connections are accepted, and the routes.

pub mod accept;
pub mod routes;

#[cfg(test)]
mod tests;
