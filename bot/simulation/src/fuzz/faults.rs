//! Fault injection: one draw for each operation, in order. It must not know what an operation is for.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lab::github::WebhookFault;
use lab::maas::{HttpFault, LabMaas};
use lab::wire::LabRequest;

use crate::fuzz::rng::SeededRng;
use crate::fuzz::transcript::Transcript;
use crate::harness::{FaultPolicy, InjectedFault, Operation, SimClock};

/// The timeout of a request to GitHub, in milliseconds.
const GITHUB_TIMEOUT_MS: i64 = 30_000;

/// Faults of a request to MAAS, with their labels in the transcript.
const MAAS_FAULTS: [(&str, HttpFault); 14] = [
    ("connection closed before the request", HttpFault::CutBefore),
    ("response lost", HttpFault::LoseAnswer),
    ("500", HttpFault::Answer(500)),
    ("502", HttpFault::Answer(502)),
    ("503 with Retry-After", HttpFault::Answer(503)),
    ("409 with Retry-After", HttpFault::Answer(409)),
    ("503 with Retry-After: 7", HttpFault::RetryAfter(503, 7)),
    ("429 with Retry-After: 7", HttpFault::RetryAfter(429, 7)),
    ("response truncated", HttpFault::Truncate),
    ("half of the response, with its length", HttpFault::Halve),
    ("a proxy's page", HttpFault::ProxyPage),
    ("a redirect", HttpFault::Redirect),
    ("executed, then a timeout", HttpFault::HangAfter),
    ("timeout, not executed", HttpFault::HangBefore),
];

/// Faults of a request to GitHub.
const GITHUB_FAULTS: [(&str, HttpFault); 10] = [
    ("connection closed before the request", HttpFault::CutBefore),
    ("response lost", HttpFault::LoseAnswer),
    ("500", HttpFault::Answer(500)),
    ("502", HttpFault::Answer(502)),
    ("503", HttpFault::Answer(503)),
    ("secondary rate limit, 403", HttpFault::RetryAfter(403, 20)),
    ("secondary rate limit, 429", HttpFault::RetryAfter(429, 60)),
    ("response truncated", HttpFault::Truncate),
    ("half of the response, with its length", HttpFault::Halve),
    ("a proxy's page", HttpFault::ProxyPage),
];

/// A request that changes MAAS, as it arrived.
#[derive(Clone, Debug)]
pub(super) struct WriteRequest {
    /// When it arrived, in milliseconds since 1970.
    pub(super) at: i64,
    /// Method, path and operation; empty for a manual write past planebot.
    pub(super) what: String,
    /// How many writes MAAS had executed before.
    pub(super) writes_before: usize,
    /// A fault was injected, so planebot got no response from MAAS itself.
    pub(super) unanswered: bool,
}

/// How often each kind of operation and fault occurred, by its label.
pub type FaultCounts = BTreeMap<&'static str, usize>;

/// The faults of one run.
pub(super) struct FaultInjector(Mutex<FaultState>);

struct FaultState {
    rng: SeededRng,
    enabled: bool,
    /// Per mille: faults at MAAS, faults at GitHub, crashes, webhook faults.
    rates: [u32; 4],
    faults_left: u32,
    crashes_left: u32,
    /// When the outage of MAAS and of GitHub ends, in milliseconds since 1970.
    outages: [i64; 2],
    counts: FaultCounts,
    writes: Vec<WriteRequest>,
    reads: Vec<i64>,
    rows: Option<Arc<Mutex<LabMaas>>>,
    clock: SimClock,
    transcript: Transcript,
}

impl FaultInjector {
    /// Draws the fault rates of a run. Faults are disabled at first.
    pub(super) fn draw(mut rng: SeededRng, clock: SimClock, transcript: Transcript) -> Self {
        let mut rate = |all: &[u32]| rng.pick(all).unwrap_or_default();
        let rates = [
            rate(&[0, 10, 30, 80]),
            rate(&[0, 10, 30, 60]),
            rate(&[0, 5, 10, 20]),
            rate(&[0, 100, 300]),
        ];
        Self(Mutex::new(FaultState {
            faults_left: 5 + rng.below(30),
            crashes_left: 1 + rng.below(6),
            rng,
            enabled: false,
            rates,
            outages: [0; 2],
            counts: FaultCounts::new(),
            writes: Vec::new(),
            reads: Vec::new(),
            rows: None,
            clock,
            transcript,
        }))
    }

    fn state(&self) -> MutexGuard<'_, FaultState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the MAAS whose executed writes are counted.
    pub(super) fn watch(&self, rows: Arc<Mutex<LabMaas>>) {
        self.state().rows = Some(rows);
    }

    /// Starts or stops the injection of faults; both end every outage.
    pub(super) fn set_enabled(&self, enabled: bool) {
        let mut state = self.state();
        state.enabled = enabled;
        state.outages = [0; 2];
    }

    /// A second allowance of faults for the time in which plans are applied. Without it the first allowance is often spent
    /// before the first write to MAAS.
    pub(super) fn refill(&self) {
        let mut state = self.state();
        state.faults_left = 3 + state.rng.below(10);
        state.crashes_left = state.rng.below(4);
        state.rates[0] = state.rng.pick(&[10, 30, 60]).unwrap_or_default();
        state.rates[2] = state.rng.pick(&[0, 5, 20]).unwrap_or_default();
    }

    pub(super) fn is_enabled(&self) -> bool {
        self.state().enabled
    }

    pub(super) fn count(&self, what: &'static str) {
        self.state().count(what);
    }

    pub(super) fn counts(&self) -> FaultCounts {
        self.state().counts.clone()
    }

    /// Records that someone is about to write to MAAS past planebot, after this many executed writes.
    pub(super) fn record_manual_write(&self, writes_before: usize) {
        let mut state = self.state();
        let at = state.clock.now();
        state.writes.push(WriteRequest {
            at,
            what: String::new(),
            writes_before,
            unanswered: false,
        });
    }

    /// The write requests to MAAS, manual writes included, and the times of the read requests.
    pub(super) fn writes_and_reads(&self) -> (Vec<WriteRequest>, Vec<i64>) {
        let state = self.state();
        (state.writes.clone(), state.reads.clone())
    }

    /// The fault of the next webhook, if any.
    pub(super) fn webhook_fault(&self) -> Option<WebhookFault> {
        let mut state = self.state();
        state.count("webhooks");
        let rate = state.rates[3];
        if !state.enabled || !state.rng.chance(rate) {
            return None;
        }
        let all = [
            (WebhookFault::Lose, "webhooks lost"),
            (WebhookFault::Duplicate, "webhooks duplicated"),
            (WebhookFault::Delay, "webhooks delayed"),
        ];
        let (fault, counted) = state.rng.pick(&all).unwrap_or(all[0]);
        state.count(counted);
        Some(fault)
    }
}

impl FaultPolicy for FaultInjector {
    fn decide(&self, operation: Operation<'_>) -> InjectedFault {
        let mut state = self.state();
        // Each operation gets its own timestamp, so that all of them are in one order.
        state.clock.advance(1);
        match operation {
            Operation::Maas(request) => {
                state.count("requests to MAAS");
                state.record(request);
                let fault = state.draw_request(0, request, &MAAS_FAULTS);
                let answered = matches!(
                    fault,
                    InjectedFault::Fault(HttpFault::None | HttpFault::Redirect)
                );
                if request.method != "GET"
                    && let Some(write) = state.writes.last_mut()
                {
                    write.unanswered = !answered;
                }
                fault
            }
            Operation::GitHub(request) => {
                state.count("requests to GitHub");
                state.draw_request(1, request, &GITHUB_FAULTS)
            }
            Operation::Journal => {
                state.count("writes to the journal, before and after");
                if state.draw_crash(1) {
                    state
                        .transcript
                        .add("-", "the process crashes at a write to the journal");
                    state.count("crashes at the journal");
                    return InjectedFault::CrashAfter;
                }
                InjectedFault::Fault(HttpFault::None)
            }
        }
    }
}

impl FaultState {
    fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    fn record(&mut self, request: &LabRequest) {
        let at = self.clock.now();
        if request.method == "GET" {
            self.reads.push(at);
            return;
        }
        let what = description(request);
        self.transcript
            .add("planebot", &format!("sends to MAAS: {what}"));
        let rows = self.rows.as_ref();
        let writes_before = rows.map_or(0, |rows| {
            let rows = rows.lock().unwrap_or_else(PoisonError::into_inner);
            rows.writes().len()
        });
        self.writes.push(WriteRequest {
            at,
            what,
            writes_before,
            unanswered: false,
        });
    }

    fn draw_crash(&mut self, weight: u32) -> bool {
        if !self.enabled || self.crashes_left == 0 {
            return false;
        }
        let rate = self.rates[2] * weight;
        let crashes = self.rng.chance(rate);
        self.crashes_left -= u32::from(crashes);
        crashes
    }

    /// Draws what happens to a request. `server` is 0 for MAAS and 1 for GitHub.
    fn draw_request(
        &mut self,
        server: usize,
        request: &LabRequest,
        all: &[(&'static str, HttpFault)],
    ) -> InjectedFault {
        let (name, crashes) =
            [("MAAS", "crashes at MAAS"), ("GitHub", "crashes at GitHub")][server];
        if !self.enabled {
            return InjectedFault::Fault(HttpFault::None);
        }
        let now = self.clock.now();
        if now < self.outages[server] {
            self.count("requests during an outage");
            return InjectedFault::Fault(HttpFault::CutBefore);
        }
        let what = description(request);
        // Writes fail more often than reads, at MAAS above all.
        let weight = match (request.method.as_str(), server) {
            ("GET", _) => 1,
            (_, 0) => 8,
            (_, _) => 4,
        };
        if self.draw_crash(weight) {
            self.count(crashes);
            return self.crash(name, &what);
        }
        if self.faults_left == 0 || !self.rng.chance(self.rates[server] * weight) {
            return InjectedFault::Fault(HttpFault::None);
        }
        self.faults_left -= 1;
        if self.rng.chance(80) {
            let seconds = 5 + i64::from(self.rng.below(300));
            self.outages[server] = now + seconds * 1000;
            self.count("outages");
            self.transcript
                .add("-", &format!("{name} does not answer for {seconds} s"));
            return InjectedFault::Fault(HttpFault::CutBefore);
        }
        let (label, fault) = self.rng.pick(all).unwrap_or(all[0]);
        self.count(label);
        if server == 0 && request.method != "GET" {
            self.count("faults at writes to MAAS");
        }
        self.transcript
            .add("-", &format!("{name}: {label}: {what}"));
        if matches!(fault, HttpFault::HangAfter | HttpFault::HangBefore) {
            self.clock.time_out_request();
        }
        if server == 1 && fault == HttpFault::LoseAnswer && self.rng.chance(500) {
            self.clock.advance(GITHUB_TIMEOUT_MS);
        }
        InjectedFault::Fault(fault)
    }

    /// Draws whether the process crashes after the request or before it.
    fn crash(&mut self, server: &str, what: &str) -> InjectedFault {
        let after = self.rng.chance(600);
        let when = if after { "executed" } else { "not executed" };
        let line = format!("the process crashes: {what} at {server}, {when}");
        self.transcript.add("-", &line);
        if after {
            InjectedFault::CrashAfter
        } else {
            InjectedFault::CrashBefore
        }
    }
}

/// Method, path and operation of a request, without the server's address.
fn description(request: &LabRequest) -> String {
    let path = request.path.trim_start_matches("/MAAS/api/2.0/");
    let op = request.param("op").map(|op| format!(" {op}"));
    format!("{} {path}{}", request.method, op.unwrap_or_default())
}
