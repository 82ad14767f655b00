//! One run of a rehearsal: a MAAS in memory, facts in memory, a clock that jumps, and a power cut after a chosen operation.
//!
//! It must not know which runs are compared, or what counts as a failure.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use lab::maas::{LabMaas, ReportedInterface};
use maas::{Environment, LostAnswer, MaasClient, MaasRequest, MaasResponse, Transport, WriteFence};
use plan::gate::GateEvidence;
use plan::plan::Plan;
use plan::run::{Fact, NextMove, Progress, RecordedFact};
use topology::address::Cidr;
use topology::object::Object;
use topology::observed::Timestamp;

use crate::evidence::{EvidenceReading, EvidenceSource};
use crate::executor::Executor;
use crate::ledger::{Ledger, LedgerError};
use crate::rehearse::RehearsalInput;
use crate::rehearse::in_memory::InMemoryMaas;
use crate::rehearse::layout::layout;

/// The state of one run: everything that survives a power cut.
#[derive(Clone)]
pub(super) struct RehearsalRun {
    maas: LabMaas,
    pub(super) facts: Vec<RecordedFact>,
    pub(super) now: Timestamp,
    evidence: SimulatedEvidence,
    /// The interfaces that the controllers' hosts really have, whatever MAAS's rows say.
    hosts: BTreeMap<String, Vec<ReportedInterface>>,
}

impl RehearsalRun {
    pub(super) fn start(input: &RehearsalInput<'_>) -> Result<Self, String> {
        let text = layout(input.observed).json.to_string();
        let maas = LabMaas::load(&text, Some(&input.observed.version.to_string()))
            .map_err(|error| error.to_string())?;
        let began = Fact::Began {
            by: "the rehearsal".to_owned(),
        };
        let now = input.observed.at;
        Ok(Self {
            hosts: reports_without_effect(&maas),
            maas,
            facts: vec![RecordedFact {
                at: now,
                fact: began,
            }],
            now,
            evidence: SimulatedEvidence::of(input),
        })
    }

    /// Executes one move, with a power cut after operation `cut` if there is one. Returns the number of operations.
    pub(super) async fn execute(
        &mut self,
        input: &RehearsalInput<'_>,
        next: &NextMove,
        cut: Option<usize>,
    ) -> usize {
        let cut_after = Arc::new(CutAfter::new(cut));
        let shared = Arc::new(Mutex::new(self.maas.clone()));
        let transport = CutTransport {
            lab: InMemoryMaas::new(Arc::clone(&shared), environment_at(self.now)),
            cut_after: Arc::clone(&cut_after),
        };
        let client = MaasClient::new(transport, environment_at(self.now));
        let executor = Executor {
            plan: input.plan,
            topology: input.topology,
            policy: input.policy,
            client: &client,
            fence: &AlwaysHeld,
            evidence: &self.evidence,
        };
        let mut ledger = InMemoryLedger {
            facts: std::mem::take(&mut self.facts),
            now: self.now,
            cut_after: Arc::clone(&cut_after),
        };
        // After a power cut this is an error; the recorded facts decide the next move either way.
        let outcome = executor.execute_unlogged(next, &mut ledger).await;
        drop(outcome);
        self.facts = ledger.facts;
        self.now = ledger.now;
        self.maas = shared
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        cut_after.count.load(Ordering::Relaxed)
    }

    /// The controllers' hosts have the netmask of a subnet that has grown or shrunk around them, as the plan asks. One that
    /// reports the old one makes MAAS recreate the old subnet, or refuse the report.
    pub(super) fn take_new_netmasks(&mut self, plan: &Plan) {
        let done = Progress::of(&self.facts).done;
        let resized = plan.steps.iter().filter(|step| done.contains(&step.id));
        for step in resized.filter(|step| !step.vacant) {
            let cidr = |object: &Option<Object>| Some(object.as_ref()?.as_subnet()?.cidr);
            let (Some(before), Some(after)) = (cidr(&step.expects), cidr(&step.leaves)) else {
                continue;
            };
            let reported = self.hosts.values_mut().flatten();
            for address in reported.flat_map(|interface| &mut interface.addresses) {
                let old = address.trunc().to_string() == before.to_string();
                if old && after.contains(address.addr()) {
                    let new = format!("{}/{}", address.addr(), after.prefix());
                    *address = new.parse().unwrap_or(*address);
                }
            }
        }
    }

    /// Every controller reports its interfaces, which a real one may do at any moment.
    pub(super) fn controllers_report(&mut self) {
        for (host, interfaces) in &self.hosts {
            // MAAS rolls back a report that it refuses.
            drop(self.maas.report(host, interfaces));
        }
    }

    /// The occupants release that subnet, or what is outside of `keeping`: the controllers, also on their hosts, or all
    /// others.
    pub(super) fn vacate(&mut self, cidr: &Cidr, keeping: Option<&Cidr>, controllers: bool) {
        let text = cidr.to_string();
        match keeping {
            None => self.maas.vacate(&text, controllers),
            Some(keeping) => self
                .maas
                .vacate_outside(&text, &keeping.to_string(), controllers),
        }
        let reported = self.hosts.values_mut().flatten();
        for interface in reported.filter(|_| controllers) {
            interface.addresses.retain(|address| {
                let stays = keeping.is_some_and(|keeping| keeping.contains(address.addr()));
                stays || address.trunc().to_string() != text
            });
        }
    }

    /// An interface is removed, also on its host.
    pub(super) fn detach(&mut self, host: &str, name: &str) {
        self.maas.detach(host, name);
        if let Some(interfaces) = self.hosts.get_mut(host) {
            interfaces.retain(|interface| interface.name != name);
        }
    }

    /// A rack's host gets an address on that subnet.
    pub(super) fn attach_rack(&mut self, cidr: &str) {
        self.maas.add_rack_address(cidr);
        let now = self.maas.controller_reports();
        for (host, interfaces) in &mut self.hosts {
            interfaces.clone_from(&now[host]);
        }
    }

    pub(super) fn release(&mut self, machine: &str) {
        self.maas.release(machine);
    }

    pub(super) fn has_same_rows(&self, other: &Self) -> bool {
        self.maas.same_rows(&other.maas)
    }

    pub(super) fn writes(&self) -> usize {
        self.maas.writes().len()
    }
}

/// The reports of those controllers whose report changes nothing before the plan. Where one does change something, the plan
/// is not the cause; the plan has a warning for it.
fn reports_without_effect(maas: &LabMaas) -> BTreeMap<String, Vec<ReportedInterface>> {
    let mut hosts = maas.controller_reports();
    hosts.retain(|host, interfaces| {
        let mut after = maas.clone();
        after.report(host, interfaces).is_ok() && after.same_rows(maas)
    });
    hosts
}

/// Counts operations, and cuts the power after one of them.
struct CutAfter {
    count: AtomicUsize,
    at: Option<usize>,
    power_is_off: AtomicBool,
}

impl CutAfter {
    fn new(at: Option<usize>) -> Self {
        Self {
            count: AtomicUsize::new(0),
            at,
            power_is_off: AtomicBool::new(false),
        }
    }

    fn power_is_off(&self) -> bool {
        self.power_is_off.load(Ordering::Relaxed)
    }

    /// Counts an operation that took effect. True when the power is cut after it.
    fn count_operation(&self) -> bool {
        let count = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        if self.at == Some(count) {
            self.power_is_off.store(true, Ordering::Relaxed);
        }
        self.power_is_off()
    }
}

/// The lab's MAAS behind a power cut: the answer to the request before it is lost, and no later request arrives.
struct CutTransport {
    lab: InMemoryMaas,
    cut_after: Arc<CutAfter>,
}

impl Transport for CutTransport {
    async fn send(&self, request: MaasRequest) -> Result<MaasResponse, LostAnswer> {
        let power_cut = || LostAnswer::Broken("the power was cut".to_owned());
        if self.cut_after.power_is_off() {
            return Err(power_cut());
        }
        let answer = self.lab.send(request).await?;
        if self.cut_after.count_operation() {
            Err(power_cut())
        } else {
            Ok(answer)
        }
    }
}

fn environment_at(now: Timestamp) -> Environment {
    static NONCE: AtomicU64 = AtomicU64::new(0);
    Environment {
        now: Arc::new(move || now),
        nonce: Arc::new(|| format!("n{}", NONCE.fetch_add(1, Ordering::Relaxed))),
        sleep: Arc::new(|_| Box::pin(std::future::ready(()))),
    }
}

/// Nobody else writes to a MAAS in memory.
struct AlwaysHeld;

impl WriteFence for AlwaysHeld {
    fn still_held(&self) -> bool {
        true
    }
}

/// Facts in memory, behind the same power cut.
struct InMemoryLedger {
    facts: Vec<RecordedFact>,
    now: Timestamp,
    cut_after: Arc<CutAfter>,
}

impl Ledger for InMemoryLedger {
    async fn add(&mut self, fact: Fact) -> Result<(), LedgerError> {
        let power_cut = || LedgerError("the power was cut".into());
        if self.cut_after.power_is_off() {
            return Err(power_cut());
        }
        self.now = Timestamp(self.now.0 + 1);
        self.facts.push(RecordedFact { at: self.now, fact });
        if self.cut_after.count_operation() {
            Err(power_cut())
        } else {
            Ok(())
        }
    }

    async fn facts(&mut self) -> Result<Vec<RecordedFact>, LedgerError> {
        Ok(self.facts.clone())
    }
}

/// Evidence that the work at every gate is done.
#[derive(Clone)]
struct SimulatedEvidence {
    addresses: String,
}

impl SimulatedEvidence {
    fn of(input: &RehearsalInput<'_>) -> Self {
        let has: BTreeSet<(String, IpAddr)> = input
            .plan
            .gates
            .iter()
            .flat_map(|gate| &gate.evidence)
            .filter_map(|evidence| match evidence {
                GateEvidence::Jumphost { has, .. } => Some(has.clone()),
                GateEvidence::Vacant { .. }
                | GateEvidence::Changeable { .. }
                | GateEvidence::Detached { .. }
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

impl EvidenceSource for SimulatedEvidence {
    fn juju_models(&self) -> EvidenceReading {
        EvidenceReading::Text("{\"models\":[]}".to_owned())
    }

    fn jumphost_addresses(&self) -> EvidenceReading {
        EvidenceReading::Text(self.addresses.clone())
    }
}
