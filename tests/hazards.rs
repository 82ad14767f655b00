//! What stands in the way of a change although MAAS would take every write of it, or what its reader must know: who is
//! there already, who would be left behind, what would go on naming an address that moves.

use insta::assert_snapshot;
use plan::plan::{Plan, PlanPolicy, RefusedPlan};

use crate::lab::{World, world_of};
use crate::objects::{CLOUD, Change, edited, imported};
use crate::walk::carried_out;

const PHONES_WIDEN: (&str, &str) = ("10.20.0.0/24", "10.20.0.0/22\nstrategy: in-place");
const PHONES_MOVE: (&str, &str) = ("10.20.0.0/24", "10.21.0.0/24");

/// What comes of one edit of the plane `phones`, in a world that was touched before.
async fn planned(
    (from, to): (&str, &str),
    touch: impl FnOnce(&World),
) -> (World, topology::Topology, Result<Plan, RefusedPlan>) {
    let world = world_of(CLOUD, Some("3.5.12"));
    touch(&world);
    let change = Change::of("phones", from, to);
    let topology = edited(imported(&world).await, &change);
    let observed = world.observe(&topology).await;
    let outcome = Plan::between(&observed, &topology, &PlanPolicy::default());
    (world, topology, outcome)
}

fn warnings_of(plan: &Plan, words: &str) -> Vec<String> {
    plan.warnings
        .iter()
        .filter(|warning| warning.contains(words))
        .cloned()
        .collect()
}

fn codes(refused: &RefusedPlan) -> Vec<&'static str> {
    let refusals = refused.refusals.iter();
    refusals.map(|refusal| refusal.code.word()).collect()
}

#[tokio::test]
async fn a_network_that_widens_lists_whom_it_takes_in() {
    let (_, _, quiet) = planned(PHONES_WIDEN, |_| {}).await;
    assert_snapshot!(quiet.unwrap().warnings.join("\n"), @r"
    `phones` changes from 10.20.0.0/24 to 10.20.0.0/22 with everything on it; hosts that MAAS did not deploy and BMCs keep the netmask /24 until somebody changes it there
    `phones` grows from 10.20.0.0/24 to 10.20.0.0/22 and then includes everything in between; MAAS knows of no addresses in use there, but there may be some
    ");

    let (world, topology, loud) = planned(PHONES_WIDEN, |world| {
        let mut maas = world.maas.lock().unwrap();
        maas.add_orphan_address("10.20.1.7".parse().unwrap(), "alice");
        maas.add_neighbour("10.20.2.9".parse().unwrap(), "02:00:00:00:00:09");
        // Neither is taken in: one is inside already, the other is elsewhere.
        maas.add_neighbour("10.20.0.77".parse().unwrap(), "02:00:00:00:00:0a");
        maas.add_orphan_address("192.0.2.7".parse().unwrap(), "alice");
    })
    .await;
    let loud = loud.unwrap();
    assert_snapshot!(loud.warnings.join("\n"), @r"
    `phones` changes from 10.20.0.0/24 to 10.20.0.0/22 with everything on it; hosts that MAAS did not deploy and BMCs keep the netmask /24 until somebody changes it there
    `phones` grows from 10.20.0.0/24 to 10.20.0.0/22 and then includes everything in between; MAAS knows of 10.20.1.7 (the user `alice`), 10.20.2.9 (an unknown host)
    ");
    carried_out(&world, &topology, &loud).await.unwrap();
}

#[tokio::test]
async fn a_network_where_somebody_is_already_is_told() {
    let (_, _, quiet) = planned(PHONES_MOVE, |_| {}).await;
    assert_eq!(warnings_of(&quiet.unwrap(), "already in use").len(), 0);
    let (_, _, loud) = planned(PHONES_MOVE, |world| {
        let mut maas = world.maas.lock().unwrap();
        for host in 1..=20 {
            let ip = std::net::Ipv4Addr::new(10, 21, 0, host).into();
            maas.add_neighbour(ip, &format!("02:00:00:00:01:{host:02x}"));
        }
    })
    .await;
    assert_snapshot!(loud.unwrap().warnings.join("\n"), @r"
    `phones` changes in place: deployed hosts and BMCs keep their old addresses until somebody changes them
    `phones` gets 10.21.0.0/24, where addresses are already in use; MAAS knows of 10.21.0.1 (an unknown host), 10.21.0.2 (an unknown host), 10.21.0.3 (an unknown host), 10.21.0.4 (an unknown host), 10.21.0.5 (an unknown host), 10.21.0.6 (an unknown host), 10.21.0.7 (an unknown host), 10.21.0.8 (an unknown host) and 12 more
    the DHCP snippet `handsets` of 10.20.0.0/24 is deleted with the reserved range 10.20.0.10-10.20.0.20 if it is attached to it, which MAAS does not show; dhcpd does not use it there
    the DHCP snippet `handsets, old` of 10.20.0.0/24 is deleted with the reserved range 10.20.0.10-10.20.0.20 if it is attached to it, which MAAS does not show; dhcpd does not use it there
    the DHCP snippet `handsets` of 10.20.0.0/24 still mentions 10.20.0.5 of a subnet that moves: planebot does not edit a snippet's text
    the DHCP snippet `not ours` of 10.99.0.0/24 still mentions 10.20.0.6 of a subnet that moves: planebot does not edit a snippet's text
    the DHCP snippet `for all` of all networks still mentions 10.20.0.7 of a subnet that moves: planebot does not edit a snippet's text
    ");
}

/// A subnet that comes takes up the addresses that MAAS keeps without one, and a dynamic range may cover none of them.
#[tokio::test]
async fn a_dynamic_range_may_not_cover_an_address_that_comes_with_the_network() {
    let dynamic =
        "cidr: 10.21.0.0/24\nreserve:\n  - {name: pool, purpose: dynamic, range: +60..+90}\n";
    let files = imported(&world_of(CLOUD, Some("3.5.12"))).await;
    let phones = files
        .iter()
        .find(|file| file.path == "phones.yaml")
        .unwrap();
    let whole = String::from_utf8(phones.bytes.clone()).unwrap();
    let from = &whole[whole.find("cidr:").unwrap()..];
    for (ip, refused) in [("10.21.0.61", true), ("10.21.0.91", false)] {
        let (_, _, outcome) = planned((from, dynamic), |world| {
            let mut maas = world.maas.lock().unwrap();
            maas.add_orphan_address(ip.parse().unwrap(), "alice");
        })
        .await;
        match outcome {
            Err(why) => {
                assert!(refused, "{why:#?}");
                assert_eq!(codes(&why), ["maas-refuses"]);
                assert_snapshot!(why.refusals[0].why, @"the dynamic range 10.21.0.60-10.21.0.90 would include 10.21.0.61, which the user `alice` uses.");
            }
            Ok(plan) => assert!(!refused, "{:?}", plan.warnings),
        }
    }
}

#[tokio::test]
async fn maas_own_settings_that_name_an_address_that_moves_are_told() {
    let (_, _, plan) = planned(PHONES_MOVE, |world| {
        let mut maas = world.maas.lock().unwrap();
        maas.configure("upstream_dns", "192.0.2.53 10.20.0.53");
        maas.configure("http_proxy", "http://10.20.0.80:8000/");
        maas.configure("ntp_servers", "ntp.ubuntu.com");
    })
    .await;
    let plan = plan.unwrap();
    assert_snapshot!(warnings_of(&plan, "MAAS's own setting").join("\n"), @r"
    MAAS's own setting `upstream_dns` contains 10.20.0.53, on a subnet that moves: update it afterwards
    MAAS's own setting `http_proxy` contains 10.20.0.80, on a subnet that moves: update it afterwards
    ");
}

/// MAAS answers 409 to the delete of a subnet that holds a BMC's address, every time; in place it changes.
#[tokio::test]
async fn a_network_of_bmcs_changes_in_place_or_not_at_all() {
    let mut layout: serde_json::Value = serde_json::from_str(CLOUD).unwrap();
    layout["machines"][0]["bmc"] = serde_json::json!({"type": "ipmi", "address": "10.20.0.200"});
    let mut refusals = std::collections::BTreeSet::new();
    for (to, planned) in [
        ("10.21.0.0/24\nstrategy: recreate", false),
        ("10.21.0.0/24\nstrategy: in-place", true),
        ("10.21.0.0/24", true),
    ] {
        for version in ["2.9.2", "3.5.12", "3.7.3"] {
            let world = world_of(&layout.to_string(), Some(version));
            let change = Change::of("phones", "10.20.0.0/24", to);
            let topology = edited(imported(&world).await, &change);
            let observed = world.observe(&topology).await;
            match Plan::between(&observed, &topology, &PlanPolicy::default()) {
                Ok(plan) => {
                    assert!(planned, "{version}");
                    carried_out(&world, &topology, &plan).await.unwrap();
                }
                Err(refused) => {
                    assert!(!planned, "{version}: {refused:#?}");
                    assert_eq!(codes(&refused), ["holds-bmc"]);
                    refusals.insert(refused.refusals[0].why.clone());
                }
            }
        }
    }
    let refusals: Vec<String> = refusals.into_iter().collect();
    assert_snapshot!(refusals.join("\n"), @"10.20.0.0/24 has the BMC addresses of 1 machines (including `m1`), and MAAS never deletes such a subnet.");
}

/// Nothing is planned under a machine that MAAS is changing; in a state of rest everything is.
#[tokio::test]
async fn a_machine_between_two_states_is_waited_for() {
    for (status, waits) in [
        ("Commissioning", true),
        ("Deploying", true),
        ("Releasing", true),
        ("Disk erasing", true),
        ("Rescue mode", true),
        ("Ready", false),
        ("Deployed", false),
        ("Broken", false),
    ] {
        let (_, _, outcome) = planned(PHONES_MOVE, |world| {
            world.maas.lock().unwrap().set_status("m1", status);
        })
        .await;
        match outcome {
            Ok(_) => assert!(!waits, "{status}"),
            Err(refused) => {
                assert!(waits, "{status}: {refused:#?}");
                assert_eq!(codes(&refused), ["in-transition"], "{status}");
            }
        }
    }
}

#[tokio::test]
async fn a_larger_share_than_the_policy_allows_is_not_deleted() {
    let again = ("10.20.0.0/24", "10.21.0.0/24\nstrategy: recreate");
    let (world, topology, _) = planned(again, |_| {}).await;
    let observed = world.observe(&topology).await;
    for (most, allowed) in [
        (None, true),
        (Some(1000), true),
        (Some(500), true),
        (Some(100), false),
        (Some(0), false),
    ] {
        let policy = PlanPolicy {
            deletions_max_per_mille: most,
            ..PlanPolicy::default()
        };
        match Plan::between(&observed, &topology, &policy) {
            Ok(_) => assert!(allowed, "{most:?}"),
            Err(refused) => {
                assert!(!allowed, "{most:?}: {refused:#?}");
                assert_eq!(codes(&refused), ["too-much"]);
                assert!(refused.refusals[0].help.contains("`max_deletions_share`"));
            }
        }
    }
}

#[tokio::test]
async fn more_than_the_policy_allows_is_refused() {
    let (world, topology, _) = planned(PHONES_MOVE, |_| {}).await;
    let observed = world.observe(&topology).await;
    for (most, allowed) in [(1, true), (0, false)] {
        let policy = PlanPolicy {
            vacated_max: most,
            ..PlanPolicy::default()
        };
        match Plan::between(&observed, &topology, &policy) {
            Ok(_) => assert!(allowed),
            Err(refused) => {
                assert!(!allowed);
                assert_eq!(codes(&refused), ["too-much"]);
            }
        }
    }
}
