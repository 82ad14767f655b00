//! How rows look in answers and webhooks. It must not know requests.

pub(crate) mod account;
pub(crate) mod app;
pub(crate) mod check;
pub(crate) mod commit;
pub(crate) mod delivery;
pub(crate) mod issue;
pub(crate) mod pull;
pub(crate) mod repository;
