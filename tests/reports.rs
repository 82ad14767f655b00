//! Controllers report their interfaces whenever they like: at every moment of a run, what their hosts have then, or late,
//! what their hosts had before. The run comes to the same network, or it stops and says what it found.

use std::collections::{BTreeMap, BTreeSet};
use test_support::counts::record;

use execution::evidence::{EvidenceReading, EvidenceSource};
use execution::executor::Executor;
use execution::ledger::{Ledger, LedgerError};
use lab::maas::ReportedInterface;
use plan::gate::GateName;
use plan::plan::{Plan, PlanPolicy};
use plan::run::{Fact, NextMove, Pace, Progress, RecordedFact, next_move};
use plan::step::Step;
use serde_json::{Value, json};
use topology::Topology;
use topology::object::Key;
use topology::observed::Timestamp;
use topology::plane::Strategy;

use crate::lab::{World, declared, world_of};
use crate::walk::Held;

const PACE: Pace = Pace {
    unknown: 1_000,
    settle: 60_000,
};

/// What the controller's address is on.
const KINDS: [&str; 4] = ["physical", "bridge", "bond", "vlan"];

/// What a report says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ReportedState {
    /// What the host has at that moment.
    Now,
    /// What it had before anybody touched it.
    Before,
}

/// A controller on the first of two networks; the second takes the first one's CIDR when that goes elsewhere.
fn cloud(kind: &str, [metal, data]: [&str; 2]) -> String {
    let link = json!([{"mode": "STATIC", "subnet": metal, "ip": metal.replace("0.0/22", "0.4")}]);
    let eth0 = json!({"name": "eth0", "type": "physical", "fabric": "one", "vlan": 0});
    let above = |name: &str, vlan: u16| json!({"name": name, "type": kind, "parents": ["eth0"], "fabric": "one", "vlan": vlan, "links": link});
    let (vid, interfaces) = match kind {
        "vlan" => (104, json!([eth0, above("eth0.104", 104)])),
        "bridge" | "bond" => (0, json!([eth0, above("br0", 0)])),
        _ => {
            let mut alone = eth0;
            alone["links"] = link;
            (0, json!([alone]))
        }
    };
    let plane = |cidr: &str, name: &str| json!([{"cidr": cidr, "name": name, "gateway": cidr.replace("0.0/22", "0.1")}]);
    let mut one = vec![json!({"vid": vid, "space": "metal", "subnets": plane(metal, "metal")})];
    if vid != 0 {
        one.insert(0, json!({"vid": 0}));
    }
    json!({
        "fabrics": [
            {"name": "one", "vlans": one},
            {"name": "two", "vlans": [{"vid": 0, "space": "data", "subnets": plane(data, "data")}]},
        ],
        "controllers": [{"hostname": "ctl", "kind": "region+rack", "interfaces": interfaces}],
    })
    .to_string()
}

/// A chain of two, with the declaration that leads there.
struct Case {
    before: String,
    version: &'static str,
    topology: Topology,
}

impl Case {
    async fn of(kind: &str, version: &'static str, strategy: Strategy) -> Self {
        let before = cloud(kind, ["10.8.0.0/22", "10.16.0.0/22"]);
        let after = cloud(kind, ["10.20.0.0/22", "10.8.0.0/22"]);
        let after = world_of(&after, Some(version)).observe_all().await;
        let mut topology = declared(&after);
        for plane in topology.planes.values_mut() {
            plane.strategy = Some(strategy);
        }
        Self {
            before,
            version,
            topology,
        }
    }
}

/// How a run ended, and how the networks lie then: each CIDR with its VLAN.
#[derive(Debug, PartialEq, Eq)]
struct End {
    stopped: Option<String>,
    networks: BTreeSet<String>,
}

/// A run under way.
struct Play<'a> {
    world: World,
    plan: Plan,
    topology: &'a Topology,
    hosts: BTreeMap<String, Vec<ReportedInterface>>,
    facts: Facts,
}

impl<'a> Play<'a> {
    async fn open(case: &'a Case) -> Self {
        let world = world_of(&case.before, Some(case.version));
        let observed = world.observe(&case.topology).await;
        let plan = Plan::between(&observed, &case.topology, &PlanPolicy::default())
            .unwrap_or_else(|refused| panic!("{:#?}", refused.refusals));
        let hosts = world.maas.lock().unwrap().controller_reports();
        let mut facts = Facts::default();
        facts.note(Fact::Began {
            by: "bob".to_owned(),
        });
        Self {
            world,
            plan,
            topology: &case.topology,
            hosts,
            facts,
        }
    }

    /// Plays to the end; a report comes before move `at`. Also how many moves there were.
    async fn played(mut self, at: Option<usize>, says: ReportedState) -> (End, usize) {
        let before = self.hosts.clone();
        let mut moves = 0;
        let stopped = loop {
            let next = next_move(&self.plan, &self.facts.noted, self.facts.now, PACE);
            match next {
                NextMove::Ended => break None,
                NextMove::WaitUntil(until) => self.facts.now = until,
                NextMove::WaitForOperator => match Progress::of(&self.facts.noted).stopped {
                    Some(why) => break Some(why),
                    None => self.oblige(),
                },
                NextMove::Execute(_)
                | NextMove::Ask(_)
                | NextMove::Examine(_)
                | NextMove::Verify { .. }
                | NextMove::Stop { .. }
                | NextMove::Finish => {
                    // After the last proof nobody looks any more: that is drift, for the next audit.
                    if at == Some(moves) && next != NextMove::Finish {
                        self.report(if says == ReportedState::Now {
                            &self.hosts
                        } else {
                            &before
                        });
                    }
                    self.make(&next).await;
                    moves += 1;
                }
            }
        };
        let networks = self.networks().await;
        (End { stopped, networks }, moves)
    }

    async fn make(&mut self, next: &NextMove) {
        let stage = Executor {
            plan: &self.plan,
            topology: self.topology,
            policy: &PlanPolicy::default(),
            client: &self.world.client,
            fence: &Held,
            evidence: &Nobody,
        };
        stage.execute(next, &mut self.facts).await.unwrap();
    }

    fn report(&self, said: &BTreeMap<String, Vec<ReportedInterface>>) {
        let mut maas = self.world.maas.lock().unwrap();
        for (host, said) in said {
            // On 3.7 one that would overlap is refused whole.
            drop(maas.report(host, said));
        }
    }

    /// Somebody takes the address off the host, which reports so, and says so.
    fn oblige(&mut self) {
        let asked = self.facts.noted.iter().rev().find_map(|noted| {
            if let Fact::Asked(gate) = &noted.fact {
                Some(*gate)
            } else {
                None
            }
        });
        assert_eq!(asked, Some(GateName::Vacate));
        for interface in self.hosts.values_mut().flatten() {
            interface.addresses.clear();
        }
        self.report(&self.hosts);
        self.facts.note(Fact::Claimed {
            gate: GateName::Vacate,
            by: "bob".to_owned(),
            evidence: None,
        });
    }

    async fn networks(&self) -> BTreeSet<String> {
        let observed = self.world.observe_all().await;
        observed
            .subnets()
            .map(|subnet| format!("{} on {}", subnet.cidr, subnet.vlan))
            .collect()
    }
}

#[derive(Default)]
struct Facts {
    noted: Vec<RecordedFact>,
    now: Timestamp,
}

impl Facts {
    fn note(&mut self, fact: Fact) {
        self.now.0 += 1;
        self.noted.push(RecordedFact { at: self.now, fact });
    }
}

impl Ledger for Facts {
    async fn add(&mut self, fact: Fact) -> Result<(), LedgerError> {
        self.note(fact);
        Ok(())
    }

    async fn facts(&mut self) -> Result<Vec<RecordedFact>, LedgerError> {
        Ok(self.noted.clone())
    }
}

struct Nobody;

impl EvidenceSource for Nobody {
    fn juju_models(&self) -> EvidenceReading {
        EvidenceReading::NotConfigured
    }

    fn jumphost_addresses(&self) -> EvidenceReading {
        EvidenceReading::NotConfigured
    }
}

#[tokio::test]
async fn a_report_at_any_moment_leaves_the_network_as_declared_or_the_run_says_what_it_found() {
    let (mut reports, mut stopped) = (0, 0);
    for kind in KINDS {
        for version in ["2.9.2", "3.5.12", "3.7.3"] {
            for strategy in [Strategy::Recreate, Strategy::InPlace] {
                let case = Case::of(kind, version, strategy).await;
                let (calm, moves) = Play::open(&case)
                    .await
                    .played(None, ReportedState::Now)
                    .await;
                assert_eq!(calm.stopped, None, "{kind} on {version}, {strategy:?}");
                for (at, says) in (0..moves)
                    .flat_map(|at| [(at, ReportedState::Now), (at, ReportedState::Before)])
                {
                    let (end, _) = Play::open(&case).await.played(Some(at), says).await;
                    let place = format!("{kind} on {version}, {strategy:?}, {says:?} at move {at}");
                    reports += 1;
                    match &end.stopped {
                        None => assert_eq!(end, calm, "{place}"),
                        Some(why) => {
                            assert_eq!(says, ReportedState::Before, "{place}: {why}");
                            assert!(why.contains("10."), "{place}: {why}");
                            stopped += 1;
                        }
                    }
                }
            }
        }
    }
    assert!(stopped > 20, "{stopped} of {reports}");
    record(
        "tests/reports.rs",
        "reports, one at every moment of a run",
        reports,
    );
    record(
        "tests/reports.rs",
        "late reports that stopped the run",
        stopped,
    );
}

/// In place too: the row of a controller's address is what its next report drags a plane by.
#[tokio::test]
async fn a_plane_that_changes_in_place_waits_until_controllers_let_go() {
    for strategy in [Strategy::Recreate, Strategy::InPlace] {
        let case = Case::of("bridge", "3.5.12", strategy).await;
        let play = Play::open(&case).await;
        let gates: Vec<GateName> = play.plan.gates.iter().map(|gate| gate.name).collect();
        assert_eq!(gates, [GateName::Vacate]);
        let waits_for = play.plan.gates[0].before.unwrap();
        let held = Key::Subnet("10.8.0.0/22".parse().unwrap());
        let leaves = |step: &&Step| {
            step.expects
                .as_ref()
                .is_some_and(|there| there.key() == held)
        };
        let first = play
            .plan
            .steps
            .iter()
            .filter(|step| step.vacant)
            .find(leaves);
        assert!(waits_for <= first.unwrap().id, "{strategy:?}");
    }
}

/// An interface whose VLAN is not that of its address moves by itself, and the plan says so instead of failing.
#[tokio::test]
async fn a_controller_that_would_move_something_in_any_case_is_told() {
    let mut layout: Value =
        serde_json::from_str(&cloud("physical", ["10.8.0.0/22", "10.16.0.0/22"])).unwrap();
    layout["controllers"][0]["interfaces"][0]["fabric"] = json!("two");
    let world = world_of(&layout.to_string(), Some("3.5.12"));
    let mut topology = declared(&world.observe_all().await);
    for plane in topology.planes.values_mut() {
        plane.mtu = Some(9000);
    }
    let observed = world.observe(&topology).await;
    let plan = Plan::between(&observed, &topology, &PlanPolicy::default()).unwrap();
    insta::assert_snapshot!(plan.warnings.join("\n"), @r"
    the MTU of vlan two/untagged becomes 9000, but hosts that are up keep 1500 until they are deployed again or changed by hand: `eth0` of `ctl`
    controller `ctl` has `eth0` on two/untagged but its address on 10.8.0.0/22 of one/untagged: its next report will move one of them, whatever this plan does
    ");
}
