//! A wire that answers from a table: for tests of what the client asks, and what it makes of the answers.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use topology::observed::Timestamp;

use crate::environment::Environment;
use crate::transport::{LostAnswer, MaasRequest, MaasResponse, Transport};

/// Answers by request; the last answer of a request stays.
#[derive(Debug, Default)]
pub(crate) struct ScriptedTransport {
    answers: Mutex<BTreeMap<String, VecDeque<Result<MaasResponse, LostAnswer>>>>,
    asked: Mutex<Vec<MaasRequest>>,
    flying: AtomicI64,
    most: AtomicI64,
}

impl ScriptedTransport {
    /// With one more answer to that request.
    pub(crate) fn to(self, request: &str, answer: Result<MaasResponse, LostAnswer>) -> Self {
        self.tell(request, answer);
        self
    }

    /// One more answer to that request.
    pub(crate) fn tell(&self, request: &str, answer: Result<MaasResponse, LostAnswer>) {
        let mut answers = self.answers.lock().unwrap();
        answers
            .entry(request.to_owned())
            .or_default()
            .push_back(answer);
    }

    /// What was asked so far, with form fields after `:`.
    pub(crate) fn asked(&self) -> Vec<String> {
        let asked = self.asked.lock().unwrap();
        asked
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

    /// How many were asked at once, at most.
    pub(crate) fn most_at_once(&self) -> i64 {
        self.most.load(Ordering::SeqCst)
    }
}

impl Transport for Arc<ScriptedTransport> {
    async fn send(&self, request: MaasRequest) -> Result<MaasResponse, LostAnswer> {
        let flying = self.flying.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(flying, Ordering::SeqCst);
        tokio::task::yield_now().await;
        self.flying.fetch_sub(1, Ordering::SeqCst);
        let line = request.to_string();
        self.asked.lock().unwrap().push(request);
        let mut answers = self.answers.lock().unwrap();
        match answers.get_mut(&line) {
            Some(queue) if queue.len() > 1 => queue.pop_front().unwrap(),
            Some(queue) => queue.front().cloned().unwrap(),
            None => Ok(text(404, &format!("Unknown API endpoint: {line}."))),
        }
    }
}

/// A JSON answer.
pub(crate) fn json(status: u16, body: &str) -> MaasResponse {
    MaasResponse {
        status,
        content_type: "application/json; charset=utf-8".to_owned(),
        retry_after: None,
        body: body.as_bytes().to_vec(),
    }
}

/// A plain answer.
pub(crate) fn text(status: u16, body: &str) -> MaasResponse {
    MaasResponse {
        content_type: "text/plain; charset=utf-8".to_owned(),
        ..json(status, body)
    }
}

/// A page.
pub(crate) fn page(status: u16, body: &str) -> MaasResponse {
    MaasResponse {
        content_type: "text/html; charset=utf-8".to_owned(),
        ..json(status, body)
    }
}

/// An outside where it is always the same time, and pauses are noted instead of waited for.
pub(crate) fn still() -> (Environment, Arc<Mutex<Vec<Duration>>>) {
    let pauses: Arc<Mutex<Vec<Duration>>> = Arc::default();
    let noted = Arc::clone(&pauses);
    let outside = Environment {
        now: Arc::new(|| Timestamp(1_000)),
        nonce: Arc::new(|| "nonce".to_owned()),
        pause: Arc::new(move |pause| {
            noted.lock().unwrap().push(pause);
            Box::pin(async {})
        }),
    };
    (outside, pauses)
}

/// As [`still`], with a nonce that is new each time, for a MAAS that remembers them.
pub(crate) fn ticking() -> Environment {
    let count = AtomicI64::new(0);
    Environment {
        nonce: Arc::new(move || format!("nonce{}", count.fetch_add(1, Ordering::SeqCst))),
        ..still().0
    }
}
