//! Who lives on a network that goes without being a machine: each is named, with what to do, and what to make again.

use plan::gate::GateName;
use plan::plan::{Plan, PlanPolicy};
use serde_json::json;

use super::{CLOUD, Change, VERSIONS, edited, imported};
use crate::lab::{World, world_of};
use crate::walk::carried_out;

/// The cloud with a DNS name, a user's reservation and a device on the phones' network, and a DNS name elsewhere.
fn inhabited(version: &str) -> World {
    let mut cloud: serde_json::Value = serde_json::from_str(CLOUD).unwrap();
    cloud["users"] = json!([{"name": "bob"}]);
    cloud["dns_records"] = json!([
        {"name": "pbx", "type": "A", "data": "10.20.0.9"},
        {"name": "wiki", "type": "A", "data": "10.10.0.9"}
    ]);
    cloud["devices"] = json!([{"hostname": "switch", "interfaces": [
        {"name": "p0", "fabric": "blue", "vlan": 20, "links": [
            {"mode": "STATIC", "subnet": "10.20.0.0/24", "ip": "10.20.0.31"}]}]}]);
    let phones = &mut cloud["fabrics"][0]["vlans"][1]["subnets"][0];
    assert_eq!(phones["name"], "phones");
    phones["addresses"] = json!([{"ip": "10.20.0.60", "kind": "user-reserved", "owner": "bob"}]);
    world_of(&cloud.to_string(), Some(version))
}

#[tokio::test]
async fn each_is_named_at_the_gate_and_what_is_lost_is_proposed_again() {
    for (to, fate) in [
        (
            "10.21.0.0/24\nstrategy: recreate",
            "is deleted with its subnet",
        ),
        (
            "10.21.0.0/24\nstrategy: in-place",
            "would be left without a subnet",
        ),
    ] {
        for version in VERSIONS {
            let world = inhabited(version);
            let change = Change {
                edits: vec![(
                    "phones".to_owned(),
                    "10.20.0.0/24".to_owned(),
                    to.to_owned(),
                )],
                ..Change::default()
            };
            let topology = edited(imported(&world).await, &change);
            let observed = world.observe(&topology).await;
            let plan = Plan::between(&observed, &topology, &PlanPolicy::default()).unwrap();
            let tasks = plan.gate(GateName::Teardown).unwrap().tasks.clone();
            let named = [
                "remove 10.20.0.9 from the DNS name `pbx.maas`; a name without another address is deleted with it",
                "release 10.20.0.60 of a reservation by `bob`: `maas $PROFILE ipaddresses release ip=10.20.0.60`",
                "remove the device `switch` from 10.20.0.0/24, and give it an address on another subnet",
            ];
            for task in named {
                let times = tasks.iter().filter(|line| *line == task).count();
                assert_eq!(times, 1, "{version}: {task}: {tasks:#?}");
            }
            let lost: Vec<&String> = plan
                .warnings
                .iter()
                .filter(|line| line.contains(fate))
                .collect();
            let said = [
                format!(
                    "10.20.0.9 of the DNS name `pbx.maas` {fate}: set the name to its new address afterwards, for example 10.21.0.9"
                ),
                format!(
                    "10.20.0.60 of a reservation by `bob` {fate}: reserve another one afterwards, for example 10.21.0.60"
                ),
            ];
            assert_eq!(lost, said.iter().collect::<Vec<_>>(), "{version}");
            carried_out(&world, &topology, &plan).await.unwrap();
        }
    }
}
