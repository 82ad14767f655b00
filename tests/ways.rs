//! Which way a network takes to its new CIDR on which release, with the reason as the plan says it.

use insta::assert_snapshot;
use plan::plan::{Plan, PlanPolicy};
use plan::step::Phase;
use topology::object::Object;

use crate::lab::world_of;
use crate::objects::{CLOUD, Change, edited, imported};
use crate::walk::carried_out;

const IN_PLACE: &str = "in place: the row stays, ";

/// How a plan of that edit changes the CIDR of that plane, in its own words. The plan is carried out.
async fn reason_of(
    version: &str,
    layout: &str,
    plane: &str,
    edits: &[(&str, &str, &str)],
) -> String {
    let world = world_of(layout, Some(version));
    let topology = edited(imported(&world).await, &Change::of_all(edits));
    let observed = world.observe(&topology).await;
    let plan = Plan::between(&observed, &topology, &PlanPolicy::default()).unwrap();
    carried_out(&world, &topology, &plan).await.unwrap();
    let moves = |before: Option<&Object>, after: Option<&Object>| {
        let cidr = |object: Option<&Object>| object?.as_subnet().map(|subnet| subnet.cidr);
        cidr(before).is_some() && cidr(before) != cidr(after)
    };
    let step = plan.steps.iter().find(|step| {
        step.plane.as_deref() == Some(plane) && moves(step.expects.as_ref(), step.leaves.as_ref())
    });
    let step = step.unwrap();
    let in_place = step.why.starts_with(IN_PLACE);
    assert_eq!(in_place, step.phase == Phase::Create, "{}", step.why);
    step.why.clone()
}

const PHONES: (&str, &str, &str) = ("phones", "10.20.0.0/24", "10.21.0.0/24");
const OFFICE: (&str, &str, &str) = ("office", "10.10.0.0/24", "10.11.0.0/24");

#[tokio::test]
async fn a_network_that_only_its_plane_has_or_wants_keeps_its_row() {
    for version in ["2.9.2", "3.4.8", "3.5.12", "3.6.5", "3.7.3"] {
        let why = reason_of(version, CLOUD, "phones", &[PHONES]).await;
        assert_eq!(
            why,
            "in place: the row stays, the default where no other network has or wants its CIDRs",
            "{version}"
        );
    }
}

/// Before 3.7 dhcpd hears of a CIDR that is PUT; from then on only of a subnet that is made.
#[tokio::test]
async fn a_network_with_dhcp_keeps_its_row_where_dhcpd_hears_of_that() {
    let mut ways = String::new();
    for version in ["2.9.2", "3.5.12", "3.6.5", "3.7.0", "3.7.3"] {
        let why = reason_of(version, CLOUD, "office", &[OFFICE]).await;
        ways.push_str(&format!("{version}: {why}\n"));
    }
    assert_snapshot!(ways, @r"
    2.9.2: in place: the row stays, the default where no other network has or wants its CIDRs
    3.5.12: in place: the row stays, the default where no other network has or wants its CIDRs
    3.6.5: in place: the row stays, the default where no other network has or wants its CIDRs
    3.7.0: made again as 10.11.0.0/24, since dhcpd of this release does not hear of a change in place
    3.7.3: made again as 10.11.0.0/24, since dhcpd of this release does not hear of a change in place
    ");
}

#[tokio::test]
async fn where_cidrs_change_hands_all_deletes_come_before_all_creates() {
    let chain = [
        ("phones", "10.20.0.0/24", "10.30.0.0/24"),
        ("lab", "10.30.0.0/24", "10.31.0.0/24"),
    ];
    let mut ways = String::new();
    for version in ["2.9.2", "3.5.12", "3.7.3"] {
        for plane in ["phones", "lab"] {
            let why = reason_of(version, CLOUD, plane, &chain).await;
            ways.push_str(&format!("{version} {plane}: {why}\n"));
        }
    }
    assert_snapshot!(ways, @r"
    2.9.2 phones: made again as 10.30.0.0/24, since CIDRs change hands here: all deletes come before all creates
    2.9.2 lab: made again as 10.31.0.0/24, since CIDRs change hands here: all deletes come before all creates
    3.5.12 phones: made again as 10.30.0.0/24, since CIDRs change hands here: all deletes come before all creates
    3.5.12 lab: made again as 10.31.0.0/24, since CIDRs change hands here: all deletes come before all creates
    3.7.3 phones: made again as 10.30.0.0/24, since CIDRs change hands here: all deletes come before all creates
    3.7.3 lab: made again as 10.31.0.0/24, since CIDRs change hands here: all deletes come before all creates
    ");
}

#[tokio::test]
async fn a_network_that_takes_over_the_cidr_of_one_that_moves_is_new() {
    let taken_over = [
        PHONES,
        ("new", "", "plane: new\nfabric: red\ncidr: 10.20.0.0/24\n"),
    ];
    let why = reason_of("3.5.12", CLOUD, "phones", &taken_over).await;
    assert_snapshot!(why, @"made again as 10.21.0.0/24, since CIDRs change hands here: all deletes come before all creates");
}

/// MAAS never deletes a network that holds a BMC's address: such a one keeps its row in a chain too.
#[tokio::test]
async fn a_network_of_bmcs_keeps_its_row_whatever_its_neighbours_do() {
    let mut layout: serde_json::Value = serde_json::from_str(CLOUD).unwrap();
    layout["machines"][0]["bmc"] = serde_json::json!({"type": "ipmi", "address": "10.20.0.200"});
    let chain = [
        ("phones", "10.20.0.0/24", "10.30.0.0/24"),
        ("lab", "10.30.0.0/24", "10.31.0.0/24"),
    ];
    let mut ways = String::new();
    for version in ["2.9.2", "3.5.12", "3.7.3"] {
        let why = reason_of(version, &layout.to_string(), "phones", &chain).await;
        ways.push_str(&format!("{version}: {why}\n"));
    }
    assert_snapshot!(ways, @r"
    2.9.2: in place: the row stays, since it holds BMC addresses, and MAAS never deletes such a network
    3.5.12: in place: the row stays, since it holds BMC addresses, and MAAS never deletes such a network
    3.7.3: in place: the row stays, since it holds BMC addresses, and MAAS never deletes such a network
    ");
}

#[tokio::test]
async fn what_a_plane_declares_wins() {
    for version in ["2.9.2", "3.5.12", "3.7.3"] {
        for (word, way) in [("in-place", IN_PLACE), ("recreate", "made again as ")] {
            let to = format!("10.11.0.0/24\nstrategy: {word}");
            let edit = ("office", "10.10.0.0/24", to.as_str());
            let why = reason_of(version, CLOUD, "office", &[edit]).await;
            assert!(why.starts_with(way), "{version}: {why}");
            assert!(why.ends_with("as declared"), "{version}: {why}");
        }
    }
}
