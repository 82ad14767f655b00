//! What is declared and is not so, although no step changes it, is listed, and a run that leaves it so does not say
//! `proved`.

use lab::github::MergeMethod;
use lab::maas::LabMaas;
use plan::plan::{Plan, PlanPolicy};
use plan::waiting::WaitingItem;
use support_scenario::{DESKS, Scenario, ScenarioOptions};
use topology::Topology;
use topology::draft::SourceFile;

use crate::lab::{World, world_of};

/// Two machines on one network, one in the state `STATUS`.
const LAYOUT: &str = r#"{"fabrics": [{"name": "blue", "vlans": [
    {"vid": 0, "subnets": [{"cidr": "192.0.2.0/24", "name": "desks"}]},
    {"vid": 20, "subnets": [{"cidr": "198.51.100.0/24", "name": "phones"}]}]}],
  "machines": [
    {"hostname": "m1", "status": "STATUS", "interfaces": [
        {"name": "eth0", "fabric": "blue", "vlan": 0, "links": [{"subnet": "192.0.2.0/24", "mode": "STATIC", "ip": "192.0.2.40"}]},
        {"name": "eth1", "fabric": "blue", "vlan": 0}]}]}"#;

const PLANES: &str = "planes:\n  - {plane: desks, fabric: blue, cidr: 192.0.2.0/24}\n  - {plane: phones, fabric: blue, vid: 20, cidr: 198.51.100.0/24}\n";

fn declared(interfaces: &str) -> Topology {
    let text = format!("{PLANES}machines:\n  - {{name: m1, interfaces: [{interfaces}]}}\n");
    let source = SourceFile {
        path: "all.yaml".to_owned(),
        bytes: text.into_bytes(),
    };
    let checked = topology::check::check(&[source]);
    let findings = format!("{:#?}", checked.findings);
    checked.topology.unwrap_or_else(|| panic!("{findings}"))
}

async fn planned(status: &str, interfaces: &str) -> Plan {
    let world: World = world_of(&LAYOUT.replace("STATUS", status), Some("3.5.12"));
    let topology = declared(interfaces);
    let observed = world.observe(&topology).await;
    Plan::between(&observed, &topology, &PlanPolicy::default())
        .unwrap_or_else(|refused| panic!("{:#?}", refused.refusals))
}

fn waits(plan: &Plan) -> Vec<String> {
    plan.waits.iter().map(WaitingItem::line).collect()
}

const MOVED: &str =
    "{name: eth0, type: physical, plane: desks, links: [{plane: desks, address: +41}]}";

#[tokio::test]
async fn a_machine_in_any_state_but_five_waits_for_what_brings_it() {
    for (status, reason) in [
        ("Deployed", "a release"),
        ("Failed deployment", "a release"),
        ("Failed commissioning", "a commissioning"),
        ("Retired", "a commissioning"),
        ("Testing", "the end of what MAAS does with the machine"),
    ] {
        let plan = planned(status, MOVED).await;
        assert!(plan.steps.is_empty());
        assert_eq!(
            waits(&plan),
            [
                format!(
                    "- link m1:eth0 on 192.0.2.0/24 192.0.2.40  waits for: {reason}  # m1 is {status}"
                ),
                format!(
                    "+ link m1:eth0 on 192.0.2.0/24 192.0.2.41  waits for: {reason}  # m1 is {status}"
                ),
            ]
        );
    }
    for status in ["New", "Ready", "Allocated", "Broken", "Failed testing"] {
        let plan = planned(status, MOVED).await;
        assert_eq!((plan.steps.len(), plan.waits.len()), (2, 0), "{status}");
    }
}

#[tokio::test]
async fn nothing_waits_where_everything_is_there() {
    let same = "{name: eth0, type: physical, plane: desks, links: [{plane: desks, address: +40}]}, {name: eth1, type: physical}";
    for status in ["Deployed", "Ready", "Testing"] {
        let plan = planned(status, same).await;
        assert!(plan.steps.is_empty() && plan.waits.is_empty(), "{plan:?}");
    }
}

#[tokio::test]
async fn a_missing_nic_and_what_stands_on_it_wait_for_it() {
    let interfaces = "{name: eth9, type: physical}, {name: bond0, type: bond, parents: [eth9]}, {name: eth0, type: bridge, parents: [eth1]}, {name: eth1, type: physical}";
    let plan = planned("Ready", interfaces).await;
    assert_eq!(
        waits(&plan),
        [
            "interface m1:eth9  waits for: a NIC  # the machine has no such NIC",
            "interface m1:bond0  waits for: a NIC  # an interface below it is missing",
            "interface m1:eth0  waits for: somebody who removes it  # it is a NIC and declared as a bridge, and MAAS changes no interface's type",
        ]
    );
}

#[tokio::test]
async fn an_interface_goes_to_its_declared_vlan_and_takes_its_links_along() {
    let interfaces =
        "{name: eth0, type: physical, plane: phones, links: [{plane: phones, address: +40}]}";
    let plan = planned("Ready", interfaces).await;
    assert_eq!(
        crate::walk::lines(&plan),
        [
            "- link m1:eth0 on 192.0.2.0/24 192.0.2.40  # not declared for this interface",
            "! interface m1:eth0: vlan blue/untagged -> blue/20  # its declared VLAN; its links are made again",
            "+ link m1:eth0 on 198.51.100.0/24 198.51.100.40  # declared",
        ]
    );
    let left_alone = planned("Ready", "{name: eth0, type: physical, plane: phones}").await;
    assert_eq!(
        crate::walk::lines(&left_alone)[0],
        "- link m1:eth0 on 192.0.2.0/24 192.0.2.40  # its interface leaves the VLAN for blue/20"
    );
}

#[tokio::test]
async fn a_link_to_another_vlan_than_the_interfaces_waits() {
    let interfaces = "{name: eth1, type: physical, links: [{plane: phones, address: +40}]}";
    let plan = planned("Ready", interfaces).await;
    assert_eq!(
        waits(&plan),
        [
            "link m1:eth1 on 198.51.100.0/24 (198.51.100.40)  waits for: its interface on the subnet's VLAN  # the interface is on blue/untagged, the subnet on blue/20",
        ]
    );
}

const DEPLOYED_DESKS: &str = "planes: [{plane: desks, fabric: blue, cidr: 192.0.2.0/24}, {plane: phones, fabric: blue, vid: 20, cidr: 198.51.100.0/24}]\nmachines:\n  - {name: m1, interfaces: [{name: eth0, type: physical, links: [{plane: desks, address: +40}]}]}\n";

async fn scenario() -> Scenario {
    let layout = LAYOUT.replace("STATUS", "Deployed");
    assert!(LabMaas::load(&layout, Some("3.7.3")).is_ok());
    Scenario::with(ScenarioOptions {
        layout: Some(&layout),
        declaration: Some(DEPLOYED_DESKS),
        ..ScenarioOptions::default()
    })
    .await
}

#[tokio::test]
async fn the_check_and_the_comment_say_what_waits() {
    let mut scenario = scenario().await;
    let moved = DEPLOYED_DESKS.replace("+40", "+41");
    let number = scenario.propose(&[(DESKS, Some(&moved))]).await;
    let comment = scenario.plan_comment(number);
    assert!(
        comment.contains("nothing can be changed now, 2 items wait for: a release")
            && comment.contains("`+ link m1:eth0 on 192.0.2.0/24 192.0.2.41` waits for: a release"),
        "{comment}"
    );
    assert!(!comment.contains("no changes"), "{comment}");
    let told = scenario.transcript();
    assert!(
        told.contains("to neutral: 2 items wait for: a release"),
        "{told}"
    );
}

#[tokio::test]
async fn a_run_that_leaves_something_waiting_ends_as_applied_and_not_as_proved() {
    let mut scenario = scenario().await;
    let moved = DEPLOYED_DESKS
        .replace("+40", "+41")
        .replace("192.0.2.0/24}", "192.0.2.0/24, gateway: +1}");
    let number = scenario.propose(&[(DESKS, Some(&moved))]).await;
    scenario.merge(number, MergeMethod::Squash);
    scenario.run().await;
    let digest = scenario.digest(number);
    scenario.since_last();
    scenario
        .command("bob", number, &format!("/apply {digest}"))
        .await;
    let told = scenario.since_last();
    assert!(
        told.contains("to neutral: applied; 2 items wait for: a release"),
        "{told}"
    );
    assert!(!told.contains("proved"), "{told}");
    let comments = scenario.bot_comments(number);
    let run = comments
        .iter()
        .find(|comment| comment.body.contains("Applied"));
    let body = &run.unwrap().body;
    assert!(
        body.contains("; 2 items wait for: a release")
            && body.contains("+ link m1:eth0 on 192.0.2.0/24 192.0.2.41  waits for: a release"),
        "{body}"
    );
}
