//! A transport that responds from a table: for tests of what the client requests, and how it reads the responses.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use topology::observed::Timestamp;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::environment::Environment;
use crate::transport::{LostAnswer, MaasRequest, MaasResponse, Transport};

/// Responses by request; the last response to a request repeats.
#[derive(Debug)]
pub(crate) struct ScriptedTransport {
    responses: Mutex<BTreeMap<String, VecDeque<Result<MaasResponse, LostAnswer>>>>,
    requests: Mutex<Vec<MaasRequest>>,
    in_flight: AtomicI64,
    most: AtomicI64,
}

impl Default for ScriptedTransport {
    fn default() -> Self {
        keep_events_enabled();
        Self {
            responses: Mutex::default(),
            requests: Mutex::default(),
            in_flight: AtomicI64::new(0),
            most: AtomicI64::new(0),
        }
    }
}

/// `tracing` decides about an event where it is met first, and remembers that for the process: without a subscriber at that
/// moment it would stay off, also for a test on another thread that has just set its own.
fn keep_events_enabled() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| drop(tracing_subscriber::registry().try_init()));
}

impl ScriptedTransport {
    /// Adds a response to that request.
    pub(crate) fn to(self, request: &str, response: Result<MaasResponse, LostAnswer>) -> Self {
        self.push(request, response);
        self
    }

    /// Adds a response to that request.
    pub(crate) fn push(&self, request: &str, response: Result<MaasResponse, LostAnswer>) {
        let mut responses = self.responses.lock().unwrap();
        responses
            .entry(request.to_owned())
            .or_default()
            .push_back(response);
    }

    /// The requests so far, with form fields after `:`.
    pub(crate) fn requests(&self) -> Vec<String> {
        let requests = self.requests.lock().unwrap();
        requests
            .iter()
            .map(|request| {
                let fields = request.form.iter();
                let fields: Vec<String> = fields
                    .map(|(name, value)| format!("{name}={value}"))
                    .collect();
                if fields.is_empty() {
                    request.to_string()
                } else {
                    format!("{request}: {}", fields.join("&"))
                }
            })
            .collect()
    }

    /// The largest number of requests that were in flight at once.
    pub(crate) fn most_in_flight(&self) -> i64 {
        self.most.load(Ordering::SeqCst)
    }
}

impl Transport for Arc<ScriptedTransport> {
    async fn send(&self, request: MaasRequest) -> Result<MaasResponse, LostAnswer> {
        let in_flight = self.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(in_flight, Ordering::SeqCst);
        tokio::task::yield_now().await;
        self.in_flight.fetch_sub(1, Ordering::SeqCst);
        let line = request.to_string();
        self.requests.lock().unwrap().push(request);
        let mut responses = self.responses.lock().unwrap();
        match responses.get_mut(&line) {
            Some(queue) if queue.len() > 1 => queue.pop_front().unwrap(),
            Some(queue) => queue.front().cloned().unwrap(),
            None => Ok(text(404, &format!("Unknown API endpoint: {line}."))),
        }
    }
}

/// A JSON response.
pub(crate) fn json(status: u16, body: &str) -> MaasResponse {
    MaasResponse {
        status,
        content_type: "application/json; charset=utf-8".to_owned(),
        retry_after: None,
        headers: crate::AnswerHeaders::default(),
        body: body.as_bytes().to_vec(),
    }
}

/// A plain text response.
pub(crate) fn text(status: u16, body: &str) -> MaasResponse {
    MaasResponse {
        content_type: "text/plain; charset=utf-8".to_owned(),
        ..json(status, body)
    }
}

/// An HTML response.
pub(crate) fn page(status: u16, body: &str) -> MaasResponse {
    MaasResponse {
        content_type: "text/html; charset=utf-8".to_owned(),
        ..json(status, body)
    }
}

/// An environment whose clock stands still; sleeps end at once and are recorded.
pub(crate) fn fixed_environment() -> (Environment, Arc<Mutex<Vec<Duration>>>) {
    let sleeps: Arc<Mutex<Vec<Duration>>> = Arc::default();
    let recorded = Arc::clone(&sleeps);
    let environment = Environment {
        now: Arc::new(|| Timestamp(1_000)),
        nonce: Arc::new(|| "nonce".to_owned()),
        sleep: Arc::new(move |length| {
            recorded.lock().unwrap().push(length);
            Box::pin(async {})
        }),
    };
    (environment, sleeps)
}

/// Like [`fixed_environment`], with a new nonce each time, for a MAAS that refuses repeated ones.
pub(crate) fn unique_nonces() -> Environment {
    let count = AtomicI64::new(0);
    Environment {
        nonce: Arc::new(move || format!("nonce{}", count.fetch_add(1, Ordering::SeqCst))),
        ..fixed_environment().0
    }
}
