//! A GitHub that signs its webhooks and loses some.
//!
//! Repositories with real git objects, pull requests, comments, checks, people and one app, kept in memory.
//! [`LabGitHub::answer`] is the whole API, a pure function of what happened before and the request: time comes with the
//! request or ticks by itself, ids are counted. What leaves, the webhooks, queues in an outbox until somebody carries it
//! ([`serve()`]). It is held to GitHub's published API description (`tests/github_conformance.rs`); it must not know what
//! a plan is, nor share a line of code with our client.

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
mod people;
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
pub use git::{NotAnOid, Oid};
pub use serve::{GitHubServer, GitHubServerOptions, serve};
pub use store::{LabGitHub, RepositoryPermission, WebhookDelivery, WebhookFault, WebhookOutcome};
pub use views::{CheckRunView, CommitView, IssueCommentView};
