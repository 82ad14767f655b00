//! The HTTP server: how connections are accepted, and the routes. It must not know what a delivery means.

pub mod accept;
pub mod routes;

#[cfg(test)]
mod tests;
