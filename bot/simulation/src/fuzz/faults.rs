//! What goes wrong, drawn for each operation in its order. It must not know what an operation is for.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lab::maas::{HttpFault, LabMaas};
use lab::wire::LabRequest;

use crate::fuzz::rng::SeededRng;
use crate::fuzz::transcript::Transcript;
use crate::harness::{FaultPolicy, InjectedFault, Operation, SimClock};

/// GitHub's patience with itself, and ours with it.
const GITHUB_SECONDS: i64 = 30_000;

/// What may befall a request to MAAS, in words.
const AT_MAAS: [(&str, HttpFault); 14] = [
    ("the connection breaks before", HttpFault::CutBefore),
    ("the answer is lost", HttpFault::LoseAnswer),
    ("500", HttpFault::Answer(500)),
    ("502", HttpFault::Answer(502)),
    ("503 with Retry-After", HttpFault::Answer(503)),
    ("409 with Retry-After", HttpFault::Answer(409)),
    ("503, later", HttpFault::RetryAfter(503, 7)),
    ("429, later", HttpFault::RetryAfter(429, 7)),
    ("half an answer", HttpFault::Truncate),
    ("an answer cut short", HttpFault::Halve),
    ("a proxy's page", HttpFault::ProxyPage),
    ("a redirect", HttpFault::Redirect),
    ("done and never answered", HttpFault::HangAfter),
    ("never heard", HttpFault::HangBefore),
];

/// What may befall a request to GitHub.
const AT_GITHUB: [(&str, HttpFault); 10] = [
    ("the connection breaks before", HttpFault::CutBefore),
    ("the answer is lost", HttpFault::LoseAnswer),
    ("500", HttpFault::Answer(500)),
    ("502", HttpFault::Answer(502)),
    ("503", HttpFault::Answer(503)),
    ("a secondary limit, 403", HttpFault::RetryAfter(403, 20)),
    ("a secondary limit, 429", HttpFault::RetryAfter(429, 60)),
    ("half an answer", HttpFault::Truncate),
    ("an answer cut short", HttpFault::Halve),
    ("a proxy's page", HttpFault::ProxyPage),
];

/// A request that would change MAAS, as it arrived.
#[derive(Clone, Debug)]
pub(super) struct Written {
    pub(super) at: i64,
    pub(super) what: String,
    /// How many writes MAAS had taken before.
    pub(super) before: usize,
    /// Something went wrong with it, so that no answer of MAAS's own came.
    pub(super) unanswered: bool,
}

/// How many there were of what.
pub type FaultCounts = BTreeMap<&'static str, usize>;

/// What happened to a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carried {
    AsSent,
    Lost,
    Twice,
    Later,
}

/// The weather of a tale.
pub(super) struct FaultInjector(Mutex<FaultState>);

struct FaultState {
    dice: SeededRng,
    calm: bool,
    /// In a thousand operations: wrong at MAAS, at GitHub, the power, a webhook.
    rates: [u32; 4],
    faults_left: u32,
    cuts_left: u32,
    /// Until when nobody answers: MAAS, GitHub.
    away: [i64; 2],
    counts: FaultCounts,
    writes: Vec<Written>,
    looks: Vec<i64>,
    rows: Option<Arc<Mutex<LabMaas>>>,
    hand: SimClock,
    script: Transcript,
}

impl FaultInjector {
    /// The weather of a seed; it begins calm.
    pub(super) fn draw(mut dice: SeededRng, hand: SimClock, script: Transcript) -> Self {
        let mut rate = |all: &[u32]| dice.pick(all).unwrap_or_default();
        let rates = [
            rate(&[0, 10, 30, 80]),
            rate(&[0, 10, 30, 60]),
            rate(&[0, 5, 10, 20]),
            rate(&[0, 100, 300]),
        ];
        Self(Mutex::new(FaultState {
            faults_left: 5 + dice.below(30),
            cuts_left: 1 + dice.below(6),
            dice,
            calm: true,
            rates,
            away: [0; 2],
            counts: FaultCounts::new(),
            writes: Vec::new(),
            looks: Vec::new(),
            rows: None,
            hand,
            script,
        }))
    }

    fn sky(&self) -> MutexGuard<'_, FaultState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The MAAS whose writes are counted.
    pub(super) fn over(&self, rows: Arc<Mutex<LabMaas>>) {
        self.sky().rows = Some(rows);
    }

    /// From now on things go wrong, or nothing does any more.
    pub(super) fn turns(&self, calm: bool) {
        let mut sky = self.sky();
        sky.calm = calm;
        sky.away = [0; 2];
    }

    /// A second spell, for the time in which orders are carried out: what was spent on the way there would leave the writes
    /// to MAAS in good weather.
    pub(super) fn blows_again(&self) {
        let mut sky = self.sky();
        sky.faults_left = 3 + sky.dice.below(10);
        sky.cuts_left = sky.dice.below(4);
        sky.rates[0] = sky.dice.pick(&[10, 30, 60]).unwrap_or_default();
        sky.rates[2] = sky.dice.pick(&[0, 5, 20]).unwrap_or_default();
    }

    pub(super) fn is_calm(&self) -> bool {
        self.sky().calm
    }

    pub(super) fn count(&self, what: &'static str) {
        self.sky().count(what);
    }

    pub(super) fn counts(&self) -> FaultCounts {
        self.sky().counts.clone()
    }

    /// Somebody wrote to MAAS past planebot.
    pub(super) fn by_hand(&self, before: usize) {
        let mut sky = self.sky();
        let at = sky.hand.now();
        sky.writes.push(Written {
            at,
            what: String::new(),
            before,
            unanswered: false,
        });
    }

    /// Requests that would change MAAS, those by hand without words, and when MAAS was read.
    pub(super) fn seen(&self) -> (Vec<Written>, Vec<i64>) {
        let sky = self.sky();
        (sky.writes.clone(), sky.looks.clone())
    }

    /// What happens to the next webhook.
    pub(super) fn carries(&self) -> Carried {
        let mut sky = self.sky();
        sky.count("webhooks");
        let rate = sky.rates[3];
        if sky.calm || !sky.dice.chance(rate) {
            return Carried::AsSent;
        }
        let drawn = [
            (Carried::Lost, "webhooks lost"),
            (Carried::Twice, "webhooks doubled"),
            (Carried::Later, "webhooks late"),
        ];
        let (carried, counted) = sky.dice.pick(&drawn).unwrap_or(drawn[0]);
        sky.count(counted);
        carried
    }
}

impl FaultPolicy for FaultInjector {
    fn of(&self, operation: Operation<'_>) -> InjectedFault {
        let mut sky = self.sky();
        // Each operation has a moment of its own, so that what happened is in one order.
        sky.hand.pass(1);
        match operation {
            Operation::Maas(request) => {
                sky.count("requests to MAAS");
                sky.note(request);
                let stroke = sky.strikes(0, request, &AT_MAAS);
                let answered = matches!(
                    stroke,
                    InjectedFault::Fault(HttpFault::None | HttpFault::Redirect)
                );
                if request.method != "GET"
                    && let Some(write) = sky.writes.last_mut()
                {
                    write.unanswered = !answered;
                }
                stroke
            }
            Operation::GitHub(request) => {
                sky.count("requests to GitHub");
                sky.strikes(1, request, &AT_GITHUB)
            }
            Operation::Journal => {
                sky.count("writes of the journal, before and after");
                if sky.cuts(1) {
                    sky.script
                        .tell("-", "the power goes at a write of the journal");
                    sky.count("power cuts at the journal");
                    return InjectedFault::DarkAfter;
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

    fn note(&mut self, request: &LabRequest) {
        let at = self.hand.now();
        if request.method == "GET" {
            self.looks.push(at);
            return;
        }
        let what = told(request);
        self.script.tell("planebot", &format!("asks MAAS: {what}"));
        let rows = self.rows.as_ref();
        let before = rows.map_or(0, |rows| {
            let rows = rows.lock().unwrap_or_else(PoisonError::into_inner);
            rows.writes().len()
        });
        self.writes.push(Written {
            at,
            what,
            before,
            unanswered: false,
        });
    }

    fn cuts(&mut self, often: u32) -> bool {
        if self.calm || self.cuts_left == 0 {
            return false;
        }
        let rate = self.rates[2] * often;
        let goes = self.dice.chance(rate);
        self.cuts_left -= u32::from(goes);
        goes
    }

    fn strikes(
        &mut self,
        at: usize,
        request: &LabRequest,
        all: &[(&'static str, HttpFault)],
    ) -> InjectedFault {
        let (place, counted) = [
            ("MAAS", "power cuts at MAAS"),
            ("GitHub", "power cuts at GitHub"),
        ][at];
        if self.calm {
            return InjectedFault::Fault(HttpFault::None);
        }
        let now = self.hand.now();
        if now < self.away[at] {
            self.count("requests while it is away");
            return InjectedFault::Fault(HttpFault::CutBefore);
        }
        let what = told(request);
        // What would change something goes wrong more often than what only reads, at MAAS above all.
        let often = match (request.method.as_str(), at) {
            ("GET", _) => 1,
            (_, 0) => 8,
            (_, _) => 4,
        };
        if self.cuts(often) {
            self.count(counted);
            let after = self.dice.chance(600);
            let when = if after { "done and unheard" } else { "unsaid" };
            let line = format!("the power goes: {what} at {place}, {when}");
            self.script.tell("-", &line);
            return if after {
                InjectedFault::DarkAfter
            } else {
                InjectedFault::DarkBefore
            };
        }
        if self.faults_left == 0 || !self.dice.chance(self.rates[at] * often) {
            return InjectedFault::Fault(HttpFault::None);
        }
        self.faults_left -= 1;
        if self.dice.chance(80) {
            let seconds = 5 + i64::from(self.dice.below(300));
            self.away[at] = now + seconds * 1000;
            self.count("times away");
            self.script
                .tell("-", &format!("{place} is away for {seconds} s"));
            return InjectedFault::Fault(HttpFault::CutBefore);
        }
        let (words, fault) = self.dice.pick(all).unwrap_or(all[0]);
        self.count(words);
        if at == 0 && request.method != "GET" {
            self.count("writes to MAAS that went wrong");
        }
        self.script.tell("-", &format!("{place}: {words}: {what}"));
        if matches!(fault, HttpFault::HangAfter | HttpFault::HangBefore) {
            self.hand.stall();
        }
        if at == 1 && fault == HttpFault::LoseAnswer && self.dice.chance(500) {
            self.hand.pass(GITHUB_SECONDS);
        }
        InjectedFault::Fault(fault)
    }
}

/// A request in a few words, without what differs from one machine to another.
fn told(request: &LabRequest) -> String {
    let path = request.path.trim_start_matches("/MAAS/api/2.0/");
    let op = request.param("op").map(|op| format!(" {op}"));
    format!("{} {path}{}", request.method, op.unwrap_or_default())
}
