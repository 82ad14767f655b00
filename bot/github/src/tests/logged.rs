//! What is logged and counted of requests.

use std::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex, Once};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use super::scripted::scripted;
use crate::cache::locked;
use crate::webhook::event::PullNumber;
use crate::{GitHubError, RequestKind};

/// Collects the events of this crate as lines.
#[derive(Clone, Default)]
struct LogLines(Arc<Mutex<Vec<String>>>);

impl Subscriber for LogLines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("github")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = LogLine(format!(
            "{} {}:",
            event.metadata().level(),
            event.metadata().target()
        ));
        event.record(&mut line);
        locked(&self.0).push(line.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// `tracing` decides about an event where it is met first, and remembers that for the process: without a subscriber at that
/// moment it would stay off, also for a test on another thread that has just set its own.
pub(super) fn keep_events_enabled() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| drop(tracing::subscriber::set_global_default(LogLines::default())));
}

struct LogLine(String);

impl Visit for LogLine {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {field}={value:?}").unwrap();
    }
}

#[tokio::test]
async fn each_request_is_a_debug_event_and_a_pause_is_one_warning() {
    let log = LogLines::default();
    let guard = tracing::subscriber::set_default(log.clone());
    let headers = [("retry-after", "60")];
    let (repository, _tasks) = scripted(403, &headers, "ghp_secret").await;
    for _ in 0..3 {
        let refused = repository.comments(PullNumber(7), Some("2026")).await;
        assert!(matches!(refused, Err(GitHubError::Limited { .. })));
    }
    drop(guard);
    insta::assert_snapshot!(locked(&log.0).join("\n"), @r#"
    DEBUG github: message=github_request method="GET" path="/repos/acme/network" status=200 cached=false elapsed_ms=0
    DEBUG github: message=github_request method="GET" path="/repos/acme/network/issues/7/comments" status=403 cached=false elapsed_ms=0
    WARN github: message=GitHub's rate limit is reached, sending nothing until then until="1970-01-12T13:47:40Z"
    "#);
}

#[tokio::test]
async fn requests_are_counted_by_method_route_and_status() {
    let (repository, _tasks) = scripted(404, &[], "{}").await;
    for number in 1..=3 {
        drop(repository.pull(PullNumber(number)).await);
    }
    drop(repository.comment(7).await);
    let counts = repository.client.shared.counts();
    let kind = |route, status| RequestKind {
        method: "GET".to_owned(),
        route,
        status: Some(status),
    };
    let expected = [
        (kind("/repos/{owner}/{repo}", 200), 1),
        (kind("/repos/{owner}/{repo}/issues/comments/{id}", 404), 1),
        (kind("/repos/{owner}/{repo}/pulls/{number}", 404), 3),
    ];
    assert_eq!(counts.into_iter().collect::<Vec<_>>(), expected);
}
