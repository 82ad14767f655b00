//! What a request writes to the log, and what it must not.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use topology::observed::{Scope, Timestamp};
use tracing_subscriber::fmt::MakeWriter;

use super::*;
use crate::scripted::{ScriptedTransport, fixed_environment, json, page, text};

/// Collects a log in memory.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn lines(&self) -> Vec<String> {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8(bytes.clone()).unwrap();
        text.lines().map(|line| line.trim().to_owned()).collect()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Everything that is logged on this thread while `guard` lives.
fn logging() -> (Log, tracing::subscriber::DefaultGuard) {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(log.clone())
        .with_ansi(false)
        .without_time()
        .finish();
    (log, tracing::subscriber::set_default(subscriber))
}

/// A clock that advances by 7 ms each time it is read.
fn ticking_clock() -> Environment {
    let now = Mutex::new(0);
    Environment {
        now: Arc::new(move || {
            let mut now = now.lock().unwrap_or_else(PoisonError::into_inner);
            *now += 7;
            Timestamp(*now)
        }),
        ..fixed_environment().0
    }
}

#[tokio::test]
async fn each_request_is_logged_with_its_status_time_and_outcome() {
    let (log, guard) = logging();
    let maas = Arc::new(
        ScriptedTransport::default()
            .to("GET version/", Ok(text(503, "busy")))
            .to("GET version/", Ok(json(200, r#"{"version": "3.6.1"}"#)))
            .to("GET users/?op=whoami", Ok(page(200, "<h1>Sign in</h1>"))),
    );
    let client = MaasClient::one_at_a_time(Arc::clone(&maas), ticking_clock());
    let error = client.reader().version_and_access().await.unwrap_err();
    assert!(error.to_string().contains("web page"), "{error}");
    let lost = Err(LostAnswer::TimedOut(Duration::from_secs(1)));
    maas.push("GET fabrics/", lost);
    assert!(client.reader().fabrics().await.is_err());
    drop(guard);
    let mut lines = log.lines();
    lines.sort();
    assert_eq!(
        lines,
        [
            r#"DEBUG maas::request: maas_request method="GET" path=fabrics/ elapsed_ms=7 outcome="lost""#,
            r#"DEBUG maas::request: maas_request method="GET" path=users/ status=200 elapsed_ms=7 outcome="not_json""#,
            r#"DEBUG maas::request: maas_request method="GET" path=version/ status=503 elapsed_ms=7 outcome="answered""#,
            r#"DEBUG maas::request: maas_request retried method="GET" path=version/ attempt=1 pause_ms=1000"#,
        ]
    );
}

#[tokio::test]
async fn no_query_form_or_body_is_logged() {
    let (log, guard) = logging();
    let maas = filled(ScriptedTransport::default());
    let client = MaasClient::new(Arc::clone(&maas), ticking_clock());
    let request = MaasRequest::new(Method::Post, "spaces/")
        .with_query("op", "s3cret-in-query")
        .with_field("name", "s3cret-in-form");
    let answer = client.send(request).await;
    assert!(answer.is_ok());
    let everything = Scope {
        all_nodes: true,
        settings: true,
        ..Scope::default()
    };
    client.reader().observe(&everything).await.unwrap();
    drop(guard);
    let log = log.lines().join("\n");
    assert!(log.contains("path=spaces/") && log.contains("path=maas/"));
    for hidden in ["s3cret", "?", "ntp.ubuntu.com", "op="] {
        assert!(!log.contains(hidden), "{hidden}: {log}");
    }
    assert!(!log.contains("INFO") && !log.contains("WARN"), "{log}");
}
