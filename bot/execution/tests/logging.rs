//! What a run writes to the log, and that its rehearsal writes nothing there at INFO.

#![expect(clippy::unwrap_used, reason = "helpers of a test")]

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use execution::evidence::{EvidenceReading, EvidenceSource};
use execution::executor::{Executor, observe};
use execution::ledger::{Ledger, LedgerError};
use execution::rehearse::in_memory::InMemoryMaas;
use execution::rehearse::{RehearsalInput, rehearse};
use lab::maas::LabMaas;
use maas::{Environment, MaasClient, WriteFence};
use plan::plan::{Plan, PlanPolicy};
use plan::run::{Fact, NextMove, Pace, RecordedFact, next_move};
use topology::object::VlanAt;
use topology::observed::Timestamp;
use topology::plane::{Plane, PlaneSubnet, Topology};
use tracing_subscriber::fmt::MakeWriter;

/// Collects a log in memory.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn lines(&self) -> Vec<String> {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8(bytes.clone()).unwrap();
        text.lines().map(|line| line.trim().to_owned()).collect()
    }

    /// Everything that is logged on this thread at `level` and above, while the guard lives.
    fn start(level: tracing::Level) -> (Self, tracing::subscriber::DefaultGuard) {
        let log = Self::default();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(level)
            .with_writer(log.clone())
            .with_ansi(false)
            .without_time()
            .finish();
        (log, tracing::subscriber::set_default(subscriber))
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        log.extend_from_slice(bytes);
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

struct AlwaysHeld;

impl WriteFence for AlwaysHeld {
    fn still_held(&self) -> bool {
        true
    }
}

struct NoSource;

impl EvidenceSource for NoSource {
    fn juju_models(&self) -> EvidenceReading {
        EvidenceReading::NotConfigured
    }

    fn jumphost_addresses(&self) -> EvidenceReading {
        EvidenceReading::NotConfigured
    }
}

struct InMemoryFacts(Vec<RecordedFact>);

impl InMemoryFacts {
    fn push(&mut self, fact: Fact) {
        let at = Timestamp(i64::try_from(self.0.len()).unwrap());
        self.0.push(RecordedFact { at, fact });
    }
}

impl Ledger for InMemoryFacts {
    async fn add(&mut self, fact: Fact) -> Result<(), LedgerError> {
        self.push(fact);
        Ok(())
    }

    async fn facts(&mut self) -> Result<Vec<RecordedFact>, LedgerError> {
        Ok(self.0.clone())
    }
}

fn environment() -> Environment {
    static NONCE: AtomicU64 = AtomicU64::new(0);
    Environment {
        now: Arc::new(|| Timestamp(1_000)),
        nonce: Arc::new(|| format!("nonce{}", NONCE.fetch_add(1, Ordering::Relaxed))),
        sleep: Arc::new(|_| Box::pin(std::future::ready(()))),
    }
}

const CLOUD: &str = r#"{
    "fabrics": [{"name": "blue", "vlans": [{"vid": 0, "subnets": [{"cidr": "192.0.2.0/24", "name": "desks"}]}]}],
    "machines": [{"hostname": "m1", "status": "Deployed", "interfaces": [
        {"name": "eth0", "fabric": "blue", "vlan": 0, "links": [{"subnet": "192.0.2.0/24", "mode": "STATIC", "ip": "192.0.2.9"}]}]}]
}"#;

/// `desks` at another CIDR.
fn renumbered() -> Topology {
    let desks = PlaneSubnet {
        cidr: "198.51.100.0/24".parse().unwrap(),
        name: "desks".to_owned(),
        gateway: None,
        dns: None,
        reservations: None,
        routes: None,
        reserved_ips: None,
        managed: None,
        allow_dns: None,
        allow_proxy: None,
        active_discovery: None,
        rdns_mode: None,
        description: None,
        disabled_boot_architectures: None,
        removed: topology::removed::RemovedEntries::default(),
    };
    let plane = Plane {
        key: "desks".to_owned(),
        description: String::new(),
        vlan: VlanAt {
            fabric: "blue".to_owned(),
            vid: 0,
        },
        vlan_name: None,
        space: None,
        mtu: None,
        dhcp: None,
        strategy: None,
        adopt: false,
        subnets: vec![desks],
    };
    Topology {
        planes: BTreeMap::from([(plane.key.clone(), plane)]),
        tree: "test".to_owned(),
        ..Topology::default()
    }
}

const PACE: Pace = Pace {
    unknown: 1_000,
    settle: 1_000,
};

/// Runs the plan to its end. The operator claims each gate twice: before the work is done, and after.
async fn run(
    maas: &Arc<Mutex<LabMaas>>,
    client: &Arc<MaasClient<InMemoryMaas>>,
    plan: &Plan,
    topology: &Topology,
) {
    let executor = Executor {
        plan,
        topology,
        policy: &PlanPolicy::default(),
        client,
        fence: &AlwaysHeld,
        evidence: &NoSource,
    };
    let mut facts = InMemoryFacts(Vec::new());
    let by = || "alice".to_owned();
    facts.push(Fact::Began { by: by() });
    let (mut now, mut claims) = (Timestamp(1_000), 0);
    loop {
        let next = next_move(plan, &facts.0, now, PACE);
        match &next {
            NextMove::Ended => break,
            NextMove::WaitUntil(until) => now = *until,
            NextMove::WaitForOperator => {
                claims += 1;
                if claims == 2 {
                    let mut maas = maas.lock().unwrap_or_else(PoisonError::into_inner);
                    maas.release("m1");
                    maas.vacate("192.0.2.0/24", false);
                }
                let gate = plan.gates[0].name;
                let evidence = Some("no-juju-model".to_owned());
                facts.push(Fact::Claimed {
                    gate,
                    by: by(),
                    evidence,
                });
            }
            NextMove::Execute(_)
            | NextMove::Ask(_)
            | NextMove::Examine(_)
            | NextMove::Verify { .. }
            | NextMove::Stop { .. }
            | NextMove::Finish => executor.execute(&next, &mut facts).await.unwrap(),
        }
        assert!(facts.0.len() < 100, "{:#?}", facts.0);
    }
    let finished = facts.0.iter().any(|noted| noted.fact == Fact::Finished);
    assert!(finished, "{:#?}", facts.0);
}

#[tokio::test]
async fn a_run_logs_each_step_and_each_look_at_a_gate_and_its_rehearsal_logs_none() {
    let maas = LabMaas::load(CLOUD, Some("3.7.3")).unwrap();
    let maas = Arc::new(Mutex::new(maas));
    let transport = InMemoryMaas::new(Arc::clone(&maas), environment());
    let client = MaasClient::new(transport, environment());
    let topology = renumbered();
    let observed = observe(&client.reader(), &topology).await.unwrap();
    let plan = Plan::between(&observed, &topology, &PlanPolicy::default()).unwrap();

    let (log, guard) = Log::start(tracing::Level::INFO);
    let input = RehearsalInput {
        plan: &plan,
        topology: &topology,
        policy: &PlanPolicy::default(),
        observed: &observed,
    };
    let rehearsed = rehearse(&input, &mut |_line| {}).await;
    assert_eq!(rehearsed.failures, Vec::<String>::new());
    assert!(rehearsed.cuts > plan.steps.len());
    assert_eq!(log.lines(), Vec::<String>::new());

    run(&maas, &client, &plan, &topology).await;
    drop(guard);
    assert_eq!(
        log.lines(),
        [
            r#"INFO execution::ledger: gate teardown stays closed: m1: eth0 still has a link on 192.0.2.0/24 (192.0.2.9) gate="teardown" open=false missing=1"#,
            r#"INFO execution::ledger: gate teardown is open gate="teardown" open=true missing=0"#,
            r#"INFO execution::ledger: wrote step 1 of 1: changed subnet 192.0.2.0/24 to subnet 198.51.100.0/24 step=1 steps=1 outcome="done""#,
        ]
    );
}
