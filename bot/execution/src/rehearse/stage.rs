//! The rehearsal's stage: a MAAS in memory, facts in memory, a clock that jumps, and a fuse.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use lab::maas::{LabMaas, ReportedInterface};
use plan::gate::GateEvidence;
use plan::run::{Fact, NextMove, RecordedFact};
use topology::observed::Timestamp;

use crate::evidence::{EvidenceReading, EvidenceSource};
use crate::executor::{Executor, Ledger, NotKept};
use crate::rehearse::Play;
use crate::rehearse::in_memory::InMemoryMaas;
use crate::rehearse::layout::layout;
use maas::{Environment, LostAnswer, MaasClient, MaasRequest, MaasResponse, Transport, WriteFence};

/// One moment of a rehearsal: everything that outlives a power cut.
#[derive(Clone)]
pub(super) struct Scene {
    maas: LabMaas,
    pub(super) facts: Vec<RecordedFact>,
    pub(super) now: Timestamp,
    witness: Obliging,
    /// What the controllers' hosts have, whatever MAAS's rows say of them.
    hosts: BTreeMap<String, Vec<ReportedInterface>>,
}

impl Scene {
    pub(super) fn open(play: &Play<'_>) -> Result<Self, String> {
        let text = layout(play.observed).json.to_string();
        let maas = LabMaas::load(&text, Some(&play.observed.version.to_string()))
            .map_err(|error| error.to_string())?;
        let began = Fact::Began {
            by: "the rehearsal".to_owned(),
        };
        let now = play.observed.at;
        Ok(Self {
            hosts: settled(&maas),
            maas,
            facts: vec![RecordedFact {
                at: now,
                fact: began,
            }],
            now,
            witness: Obliging::of(play),
        })
    }

    /// Makes one move, perhaps until the power goes; returns how many operations there were.
    pub(super) async fn make(
        &mut self,
        play: &Play<'_>,
        next: &NextMove,
        cut: Option<usize>,
    ) -> usize {
        let fuse = Arc::new(Fuse::new(cut));
        let shared = Arc::new(Mutex::new(self.maas.clone()));
        let wire = Fused {
            lab: InMemoryMaas::new(Arc::clone(&shared), outside(self.now)),
            fuse: Arc::clone(&fuse),
        };
        let client = MaasClient::new(wire, outside(self.now));
        let stage = Executor {
            plan: play.plan,
            topology: play.topology,
            policy: play.policy,
            client: &client,
            lease: &Held,
            witness: &self.witness,
        };
        let mut ledger = InMemory {
            facts: std::mem::take(&mut self.facts),
            now: self.now,
            fuse: Arc::clone(&fuse),
        };
        // A power cut shows as a fact that was not kept; what was kept decides what comes next.
        let outcome = stage.make(next, &mut ledger).await;
        drop(outcome);
        self.facts = ledger.facts;
        self.now = ledger.now;
        self.maas = shared
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        fuse.count.load(Ordering::Relaxed)
    }

    /// Every controller reports its interfaces, as it may at any moment.
    pub(super) fn controllers_report(&mut self) {
        for (host, said) in &self.hosts {
            // Of a report that MAAS refuses it keeps nothing.
            drop(self.maas.report(host, said));
        }
    }

    /// Whoever lives on that network lets go of it: `controllers` on their hosts too, or everybody else.
    pub(super) fn vacate(&mut self, cidr: &str, controllers: bool) {
        self.maas.vacate(cidr, controllers);
        let reported = self.hosts.values_mut().flatten();
        for interface in reported.filter(|_| controllers) {
            interface
                .addresses
                .retain(|address| address.trunc().to_string() != cidr);
        }
    }

    /// A rack's host is given an address on that network.
    pub(super) fn attend(&mut self, cidr: &str) {
        self.maas.add_rack_address(cidr);
        let now = self.maas.controller_reports();
        for (host, said) in &mut self.hosts {
            said.clone_from(&now[host]);
        }
    }

    pub(super) fn release(&mut self, machine: &str) {
        self.maas.release(machine);
    }

    pub(super) fn same_world(&self, other: &Self) -> bool {
        self.maas.same_rows(&other.maas)
    }

    pub(super) fn writes(&self) -> usize {
        self.maas.writes().len()
    }
}

/// The controllers whose own report changes nothing as things stand. One that would move something in any case is not the
/// plan's doing; the plan warns of it.
fn settled(maas: &LabMaas) -> BTreeMap<String, Vec<ReportedInterface>> {
    let mut hosts = maas.controller_reports();
    hosts.retain(|host, said| {
        let mut after = maas.clone();
        after.report(host, said).is_ok() && after.same_rows(maas)
    });
    hosts
}

/// Counts operations and goes dark after one of them.
struct Fuse {
    count: AtomicUsize,
    at: Option<usize>,
    dark: AtomicBool,
}

impl Fuse {
    fn new(at: Option<usize>) -> Self {
        Self {
            count: AtomicUsize::new(0),
            at,
            dark: AtomicBool::new(false),
        }
    }

    fn is_dark(&self) -> bool {
        self.dark.load(Ordering::Relaxed)
    }

    /// One operation took effect; true when the power went with it.
    fn burn(&self) -> bool {
        let count = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        if self.at == Some(count) {
            self.dark.store(true, Ordering::Relaxed);
        }
        self.is_dark()
    }
}

/// A wire behind a fuse: when it is dark nothing arrives, and the answer of the last request is lost.
struct Fused {
    lab: InMemoryMaas,
    fuse: Arc<Fuse>,
}

impl Transport for Fused {
    async fn send(&self, request: MaasRequest) -> Result<MaasResponse, LostAnswer> {
        let dark = || LostAnswer::Broken("the power went".to_owned());
        if self.fuse.is_dark() {
            return Err(dark());
        }
        let answer = self.lab.send(request).await?;
        if self.fuse.burn() {
            Err(dark())
        } else {
            Ok(answer)
        }
    }
}

fn outside(now: Timestamp) -> Environment {
    static NONCE: AtomicU64 = AtomicU64::new(0);
    Environment {
        now: Arc::new(move || now),
        nonce: Arc::new(|| format!("n{}", NONCE.fetch_add(1, Ordering::Relaxed))),
        pause: Arc::new(|_| Box::pin(std::future::ready(()))),
    }
}

/// Nobody else writes to a MAAS in memory.
struct Held;

impl WriteFence for Held {
    fn still_held(&self) -> bool {
        true
    }
}

struct InMemory {
    facts: Vec<RecordedFact>,
    now: Timestamp,
    fuse: Arc<Fuse>,
}

impl Ledger for InMemory {
    async fn add(&mut self, fact: Fact) -> Result<(), NotKept> {
        let dark = || NotKept("the power went".into());
        if self.fuse.is_dark() {
            return Err(dark());
        }
        self.now = Timestamp(self.now.0 + 1);
        self.facts.push(RecordedFact { at: self.now, fact });
        if self.fuse.burn() {
            Err(dark())
        } else {
            Ok(())
        }
    }

    async fn facts(&mut self) -> Result<Vec<RecordedFact>, NotKept> {
        Ok(self.facts.clone())
    }
}

/// People at their gates did all that was asked of them.
#[derive(Clone)]
struct Obliging {
    addresses: String,
}

impl Obliging {
    fn of(play: &Play<'_>) -> Self {
        let has: BTreeSet<(String, IpAddr)> = play
            .plan
            .gates
            .iter()
            .flat_map(|gate| &gate.evidence)
            .filter_map(|evidence| match evidence {
                GateEvidence::Jumphost { has, .. } => Some(has.clone()),
                GateEvidence::Vacant { .. }
                | GateEvidence::Changeable { .. }
                | GateEvidence::NoJujuModel
                | GateEvidence::Attended { .. } => None,
            })
            .flatten()
            .collect();
        let list: Vec<serde_json::Value> = has
            .iter()
            .map(|(interface, ip)| serde_json::json!({"ifname": interface, "addr_info": [{"local": ip}]}))
            .collect();
        Self {
            addresses: serde_json::Value::Array(list).to_string(),
        }
    }
}

impl EvidenceSource for Obliging {
    fn juju_models(&self) -> EvidenceReading {
        EvidenceReading::Said("{\"models\":[]}".to_owned())
    }

    fn jumphost_addresses(&self) -> EvidenceReading {
        EvidenceReading::Said(self.addresses.clone())
    }
}
