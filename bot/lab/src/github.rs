//! A GitHub in memory: the REST API, git objects, and signed webhooks that can be lost, duplicated or delayed.
//!
//! [`LabGitHub::answer`] is the whole API. It is deterministic: the response depends on the earlier requests and this one,
//! time comes with the request or advances with each write, and ids are counted. Webhooks wait in a queue until [`serve()`]
//! or a test delivers them. `tests/github/conformance.rs` compares the answers with GitHub's published API description. It
//! must not know what a plan is, and must not share code with our client.

mod accounts;
mod actions;
mod actor;
mod answer;
mod app;
mod base64;
mod branch;
mod check;
mod comment;
mod commit;
mod contents;
mod demo;
mod deployment;
mod edit;
mod event;
mod git;
mod issue;
mod label;
mod lookup;
mod merge;
mod objects;
mod page;
mod pull;
mod reaction;
mod refs;
mod repo;
mod review;
mod route;
mod serve;
mod setup;
mod show;
mod status;
mod store;
mod views;
mod webhook;

pub use actions::{GitHubRefusal, NewPullRequest, RepositoryActions};
pub use demo::{GitHubSetup, serve_until_signal};
pub use git::merge::MergeMethod;
pub use git::{InvalidOid, Oid};
pub use serve::{GitHubServer, GitHubServerOptions, serve};
pub use store::{LabGitHub, RepositoryPermission, WebhookDelivery, WebhookFault, WebhookOutcome};
pub use views::{CheckRunView, CommitView, IssueCommentView};
