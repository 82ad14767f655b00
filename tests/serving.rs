//! DHCP that would give nobody an address: refused where it is taken away, told where it never was.

use plan::plan::{Plan, PlanPolicy, RefusedPlan};

use crate::lab::world_of;
use crate::objects::{Change, edited, imported};

const SERVED: &str = r#"{"fabrics": [{"name": "blue", "vlans": [
    {"vid": 0, "name": "untagged", "dhcp": true, "primary_rack": "rack0", "subnets": [
        {"cidr": "10.0.1.0/24", "name": "metal", "ranges": [{"type": "dynamic", "start": "10.0.1.200", "end": "10.0.1.240", "comment": "pxe"}]}]},
    {"vid": 30, "name": "far", "subnets": [{"cidr": "10.0.30.0/24", "name": "far"}]}]}],
    "controllers": [{"hostname": "rack0", "kind": "region+rack", "interfaces": [{"name": "eth0", "type": "physical", "fabric": "blue", "vlan": 0,
        "links": [{"subnet": "10.0.1.0/24", "mode": "STATIC", "ip": "10.0.1.4"}]}]}]}"#;

const RANGE: &str = "reserve:\n  - name: pxe\n    purpose: dynamic\n    range: +200..+240\n";

async fn planned(edits: &[(&str, &str, &str)]) -> Result<Plan, RefusedPlan> {
    let world = world_of(SERVED, Some("3.5.12"));
    let topology = edited(imported(&world).await, &Change::of_all(edits));
    let observed = world.observe(&topology).await;
    Plan::between(&observed, &topology, &PlanPolicy::default())
}

#[tokio::test]
async fn the_last_dynamic_range_goes_only_with_dhcp() {
    let refused = planned(&[("metal", RANGE, ""), ("metal", "dhcp: on\n", "")])
        .await
        .unwrap_err();
    let codes: Vec<&str> = refused.refusals.iter().map(|one| one.code.word()).collect();
    assert_eq!(codes, ["no-range"]);
    let off = planned(&[("metal", RANGE, ""), ("metal", "dhcp: on", "dhcp: off")])
        .await
        .unwrap();
    assert_eq!(off.steps.len(), 2);
    // Another range takes its place.
    let other = planned(&[("metal", "+200..+240", "+100..+140")])
        .await
        .unwrap();
    assert_eq!(other.steps.len(), 1);
}

#[tokio::test]
async fn a_relay_that_serves_nobody_is_told() {
    let told = |plan: &Plan| -> Vec<String> {
        let about = plan
            .warnings
            .iter()
            .filter(|one| one.contains("is relayed to"));
        about.cloned().collect()
    };
    let relay = ("far", "cidr: ", "dhcp: {relay: metal}\ncidr: ");
    let bare = planned(&[relay]).await.unwrap();
    assert_eq!(
        told(&bare),
        [
            "DHCP of vlan blue/30 is relayed to vlan blue/untagged, but none of its subnets has a dynamic range: nobody there gets an address"
        ]
    );
    let served = planned(&[
        relay,
        (
            "far",
            "cidr: 10.0.30.0/24\n",
            "cidr: 10.0.30.0/24\nreserve: [{purpose: dynamic, range: +10..+20}]\n",
        ),
    ])
    .await
    .unwrap();
    assert_eq!(told(&served), Vec::<String>::new());
}
