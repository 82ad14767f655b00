//! DHCP snippets: hung up again where MAAS would have dropped them, left where they stay, and never more than a text.

use execution::rehearse::in_memory::InMemoryMaas;
use execution::rehearse::{RehearsalInput, rehearse};
use maas::{MaasRequest, Method, Transport as _};
use plan::gate::GateName;
use plan::plan::{Plan, PlanPolicy, RefusedPlan};
use plan::render;
use topology::Topology;
use topology::object::{Object, Snippet};
use topology::observed::{Observed, Scope};

use super::{CLOUD, Change, VERSIONS, edited, imported, refused_as};
use crate::lab::{World, outside, world_of};
use crate::walk::{carried_out, lines};

/// An edit of one file, as a row of the table has it.
fn change(file: &str, from: &str, to: &str) -> Change {
    Change {
        edits: vec![(file.to_owned(), from.to_owned(), to.to_owned())],
        ..Change::default()
    }
}

/// The same, declared, and what was declared before.
async fn declared(world: &World, change: &Change) -> (Topology, Topology) {
    let files = imported(world).await;
    let before = edited(files.clone(), &Change::default());
    (before, edited(files, change))
}

async fn planned(world: &World, topology: &Topology) -> Result<Plan, RefusedPlan> {
    let observed = world.observe(topology).await;
    Plan::between(&observed, topology, &PlanPolicy::default())
}

async fn all(world: &World) -> Observed {
    let scope = Scope {
        snippets: true,
        ..Scope::default()
    };
    world.client.reader().observe(&scope).await.unwrap()
}

/// The snippets of a subnet, with their row numbers.
async fn snippets_of(world: &World, cidr: &str) -> Vec<(u64, Snippet)> {
    let subnet = cidr.parse().unwrap();
    let seen = all(world).await.objects.into_values();
    seen.filter_map(|seen| Some((seen.id, seen.object.as_snippet()?.clone())))
        .filter(|(_, snippet)| snippet.subnet == subnet)
        .collect()
}

/// Where a network goes, and back, when its row goes each time.
const MADE_AGAIN: &str = "10.21.0.0/24\nstrategy: recreate";
const BACK: &str = "10.20.0.0/24\nstrategy: recreate";

async fn ask(world: &World, request: MaasRequest) -> u16 {
    let lab = InMemoryMaas::new(std::sync::Arc::clone(&world.maas), outside());
    lab.send(request).await.unwrap().status
}

/// What differs from the `snippets` that were there, but for their subnet and their rows.
fn same(before: &[(u64, Snippet)], now: &[(u64, Snippet)]) -> bool {
    let said = |all: &[(u64, Snippet)]| -> Vec<Snippet> {
        let anywhere = "0.0.0.0/0".parse().unwrap();
        let all = all.iter().map(|(_, snippet)| Snippet {
            subnet: anywhere,
            ..snippet.clone()
        });
        all.collect()
    };
    said(before) == said(now)
}

fn writes(plan: &Plan) -> Vec<&Object> {
    let objects = plan.steps.iter();
    objects
        .filter_map(|step| step.leaves.as_ref().or(step.expects.as_ref()))
        .filter(|object| object.as_snippet().is_some())
        .collect()
}

#[tokio::test]
async fn what_hangs_on_a_network_is_hung_up_again_when_it_is_made_again_and_when_it_comes_back() {
    for version in VERSIONS {
        let world = world_of(CLOUD, Some(version));
        let (_, new) = declared(&world, &change("phones", "10.20.0.0/24", MADE_AGAIN)).await;
        let (_, old) = declared(&world, &change("phones", "10.20.0.0/24", BACK)).await;
        let before = snippets_of(&world, "10.20.0.0/24").await;
        let others = snippets_of(&world, "10.99.0.0/24").await;
        let there = planned(&world, &new).await.unwrap();
        assert_eq!(
            writes(&there).len(),
            2 * before.len(),
            "{:#?}",
            lines(&there)
        );
        // Before 3.6 a rack must be there to check them.
        let waits = there.gate(GateName::Rack).is_some();
        assert_eq!(waits, version < "3.6", "{version}");
        carried_out(&world, &new, &there).await.unwrap();
        let now = snippets_of(&world, "10.21.0.0/24").await;
        assert!(same(&before, &now), "{version}: {now:?}");
        let back = planned(&world, &old).await.unwrap();
        carried_out(&world, &old, &back).await.unwrap();
        let again = snippets_of(&world, "10.20.0.0/24").await;
        assert!(same(&before, &again), "{version}: {again:?}");
        assert_eq!(others, snippets_of(&world, "10.99.0.0/24").await);
    }
}

#[tokio::test]
async fn what_hangs_on_a_network_whose_row_stays_is_not_touched() {
    let rows = [
        (
            "10.20.0.0/24",
            "10.21.0.0/24\nstrategy: in-place",
            "10.21.0.0/24",
        ),
        ("range: +10..+20", "range: +30..+40", "10.20.0.0/24"),
        ("name: desk", "name: chair", "10.20.0.0/24"),
        ("vid: 20", "vid: 21", "10.20.0.0/24"),
    ];
    for (from, to, home) in rows {
        for version in VERSIONS {
            let world = world_of(CLOUD, Some(version));
            let (_, new) = declared(&world, &change("phones", from, to)).await;
            let before = snippets_of(&world, "10.20.0.0/24").await;
            let plan = planned(&world, &new).await.unwrap();
            assert!(writes(&plan).is_empty(), "{:#?}", lines(&plan));
            carried_out(&world, &new, &plan).await.unwrap();
            let now = snippets_of(&world, home).await;
            let rows = |all: &[(u64, Snippet)]| all.iter().map(|(id, _)| *id).collect::<Vec<_>>();
            assert!(
                same(&before, &now) && rows(&before) == rows(&now),
                "{now:?}"
            );
        }
    }
}

/// A rack on the office's network, which checks what is written before 3.6, and a snippet on its dynamic range.
async fn with_a_pool_snippet(version: &str) -> World {
    let world = world_of(CLOUD, Some(version));
    world.maas.lock().unwrap().add_rack_address("10.10.0.0/24");
    let observed = all(&world).await;
    let row = |wanted: &dyn Fn(&Object) -> bool| {
        let mut seen = observed.objects.values();
        seen.find(|seen| wanted(&seen.object))
            .unwrap()
            .id
            .to_string()
    };
    let office = row(&|object| object.as_subnet().is_some_and(|it| it.name == "office"));
    let pool = row(&|object| object.as_range().is_some_and(|it| it.comment == "pool"));
    let request = MaasRequest::new(Method::Post, "dhcp-snippets/")
        .with_field("name", "of the pool")
        .with_field("value", "default-lease-time 1200;")
        .with_field("subnet", office)
        .with_field("iprange", pool);
    assert_eq!(ask(&world, request).await, 200);
    world
}

#[tokio::test]
async fn what_may_hang_on_a_dynamic_range_that_goes_is_hung_up_again() {
    let other = "  - name: other\n    purpose: dynamic\n    range: +160..+200\n";
    for (with, moves) in [(other, false), ("", false), ("pool", true)] {
        for version in VERSIONS {
            let world = with_a_pool_snippet(version).await;
            let pool = "  - name: pool\n    purpose: dynamic\n    range: +100..+150\n";
            let mut edit = change(
                "office",
                pool,
                &if moves {
                    other.replace("other", with)
                } else {
                    with.to_owned()
                },
            );
            if with.is_empty() {
                let dhcp = "dhcp: {primary: rack-a, secondary: rack-b}";
                edit.edits
                    .push(("office".to_owned(), dhcp.to_owned(), "dhcp: off".to_owned()));
            }
            let (_, new) = declared(&world, &edit).await;
            let before = snippets_of(&world, "10.10.0.0/24").await;
            let plan = planned(&world, &new).await.unwrap();
            // 2.9 hangs none on a range, and a range that is moved keeps its row.
            let stays = moves || version == "2.9.2";
            let told = format!("{version}: {:#?}", lines(&plan));
            assert_eq!(writes(&plan).is_empty(), stays, "{told}");
            let warned = plan
                .warnings
                .iter()
                .any(|line| line.contains("`of the pool`"));
            assert_eq!(warned, !stays, "{:#?}", plan.warnings);
            assert!(plan.gate(GateName::Rack).is_none(), "{told}");
            carried_out(&world, &new, &plan).await.unwrap();
            let now = snippets_of(&world, "10.10.0.0/24").await;
            assert!(same(&before, &now), "{told}\n{now:?}");
        }
    }
}

#[tokio::test]
async fn a_reserved_range_that_goes_says_what_may_go_with_it() {
    for (version, said) in [("2.9.2", 0), ("3.5.12", 2), ("3.7.3", 2)] {
        let world = world_of(CLOUD, Some(version));
        let gone = "reserve:\n  - name: desk\n    range: +10..+20\n";
        let (_, new) = declared(&world, &change("phones", gone, "")).await;
        let plan = planned(&world, &new).await.unwrap();
        assert!(writes(&plan).is_empty(), "{:#?}", lines(&plan));
        let warned = plan
            .warnings
            .iter()
            .filter(|line| line.contains("10.20.0.10-10.20.0.20"));
        assert_eq!(warned.count(), said, "{version}: {:#?}", plan.warnings);
    }
}

#[tokio::test]
async fn a_text_that_names_an_address_that_moves_is_said_wherever_it_hangs() {
    for to in [MADE_AGAIN, "10.21.0.0/24\nstrategy: in-place"] {
        let world = world_of(CLOUD, Some("3.7.3"));
        let (_, new) = declared(&world, &change("phones", "10.20.0.0/24", to)).await;
        let plan = planned(&world, &new).await.unwrap();
        for said in [
            "`handsets` of 10.20.0.0/24 still mentions 10.20.0.5 of a subnet that moves",
            "`for all` of all networks still mentions 10.20.0.7 of a subnet that moves",
            "`not ours` of 10.99.0.0/24 still mentions 10.20.0.6 of a subnet that moves",
        ] {
            let warned = plan.warnings.iter().filter(|line| line.contains(said));
            assert_eq!(warned.count(), 1, "{said}: {:#?}", plan.warnings);
        }
    }
}

#[tokio::test]
async fn two_of_one_name_cannot_be_told_apart_and_stand_in_the_way_where_they_would_go() {
    for (plane, from, to, stops) in [
        ("phones", "10.20.0.0/24", MADE_AGAIN, true),
        (
            "plain",
            "10.60.0.0/24",
            "10.61.0.0/24\nstrategy: recreate",
            false,
        ),
    ] {
        let world = world_of(CLOUD, Some("3.7.3"));
        let request = MaasRequest::new(Method::Post, "dhcp-snippets/")
            .with_field("name", "handsets")
            .with_field("value", "next-server 10.0.0.1;")
            .with_field("subnet", "phones");
        assert_eq!(ask(&world, request).await, 200);
        let (_, new) = declared(&world, &change(plane, from, to)).await;
        let outcome = planned(&world, &new).await;
        if stops {
            let refused = outcome.unwrap_err();
            assert!(
                refused.refusals[0]
                    .why
                    .contains("`handsets` of 10.20.0.0/24")
            );
            refused_as("cannot-leave", Err(refused)).unwrap();
        } else {
            carried_out(&world, &new, &outcome.unwrap()).await.unwrap();
        }
    }
}

/// Before 3.6 MAAS has a rack check what is hung up again; where there is none, none ever will.
#[tokio::test]
async fn where_no_rack_is_a_network_with_snippets_is_not_made_again_before_3_6() {
    let mut layout: serde_json::Value = serde_json::from_str(CLOUD).unwrap();
    layout["controllers"] = serde_json::json!([]);
    for fabric in layout["fabrics"].as_array_mut().unwrap() {
        for vlan in fabric["vlans"].as_array_mut().unwrap() {
            let vlan = vlan.as_object_mut().unwrap();
            for served in ["dhcp", "primary_rack", "secondary_rack", "relay"] {
                vlan.remove(served);
            }
        }
    }
    for (version, planned_there) in [("2.9.2", false), ("3.5.12", false), ("3.6.5", true)] {
        let world = world_of(&layout.to_string(), Some(version));
        let (_, new) = declared(&world, &change("phones", "10.20.0.0/24", MADE_AGAIN)).await;
        match planned(&world, &new).await {
            Ok(_) => assert!(planned_there, "{version}"),
            Err(refused) => {
                assert!(!planned_there, "{version}: {:#?}", refused.refusals);
                refused_as("no-rack", Err(refused)).unwrap();
            }
        }
        // In place its row stays, and the snippets with it.
        let (_, new) = declared(&world, &change("phones", "10.20.0.0/24", "10.21.0.0/24")).await;
        let plan = planned(&world, &new).await.unwrap();
        assert!(writes(&plan).is_empty(), "{version}");
    }
}

async fn rehearsed(world: &World, topology: &Topology) -> (Plan, render::Rehearsed, Vec<String>) {
    let observed = world.observe(topology).await;
    let plan = Plan::between(&observed, topology, &PlanPolicy::default()).unwrap();
    let play = RehearsalInput {
        plan: &plan,
        topology,
        policy: &PlanPolicy::default(),
        observed: &observed,
    };
    let mut told = Vec::new();
    let rehearsed = rehearse(&play, &mut |line| told.push(line)).await;
    (plan, rehearsed, told)
}

#[tokio::test]
async fn snippets_are_rehearsed_with_the_power_cut_after_every_operation() {
    for version in ["2.9.2", "3.5.12", "3.7.3"] {
        let world = world_of(CLOUD, Some(version));
        let (_, new) = declared(&world, &change("phones", "10.20.0.0/24", MADE_AGAIN)).await;
        let (plan, rehearsed, told) = rehearsed(&world, &new).await;
        assert_eq!(
            rehearsed.failures,
            Vec::<String>::new(),
            "{}",
            told.join("\n")
        );
        assert!(writes(&plan).len() == 4 && rehearsed.cuts > plan.steps.len());
    }
}

/// Names and texts that want to be something else.
fn hostile() -> Vec<(String, String)> {
    let huge = "option domain-name \"a\";\n".repeat(8_000);
    vec![
        (
            "`</details> ![x](http://192.0.2.1/)`\u{1b}[31m @alice\u{202e}".to_owned(),
            huge,
        ),
        (
            "/apply\n# done | - [x] ```".to_owned(),
            "```\n/abort\n```\n$(reboot)\r\n\u{1b}]0;x\u{7}".to_owned(),
        ),
        (
            "x".repeat(255),
            "execute(\"/bin/sh\", \"-c\", \"true\"); # ' \" \\ %00 ${x} {{y}}\n\tlög ü 🙂"
                .to_owned(),
        ),
    ]
}

/// MAAS as it would be with those on the phones' network.
fn with_hostile(version: &str) -> World {
    let mut cloud: serde_json::Value = serde_json::from_str(CLOUD).unwrap();
    let phones = &mut cloud["fabrics"][0]["vlans"][1]["subnets"][0];
    assert_eq!(phones["name"], "phones");
    let hung = hostile().into_iter().map(|(name, value)| {
        serde_json::json!({"name": name, "value": value, "description": "# ```\u{1b}[0m"})
    });
    phones["snippets"] = hung.collect();
    world_of(&cloud.to_string(), Some(version))
}

#[tokio::test]
async fn a_hostile_snippet_is_carried_byte_for_byte_and_shown_as_a_short_name() {
    for version in ["2.9.2", "3.5.12", "3.7.3"] {
        let world = with_hostile(version);
        let (_, new) = declared(&world, &change("phones", "10.20.0.0/24", MADE_AGAIN)).await;
        let before = snippets_of(&world, "10.20.0.0/24").await;
        assert_eq!(before.len(), hostile().len());
        let plan = planned(&world, &new).await.unwrap();
        let setting = render::PlanHeader {
            site: "reference".to_owned(),
            commit: None,
            tree_url: None,
            read_at: topology::observed::Timestamp(0),
            dropped: Vec::new(),
            status: render::ApplyStatus::Open,
        };
        let comment = render::markdown(&plan, &setting, &render::Rehearsed::default());
        let terminal = render::text(&plan, "reference", None);
        for text in [&comment, &terminal] {
            let odd = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
            assert!(!text.contains(odd), "{text}");
            assert!(
                text.lines().all(|line| line.chars().count() < 600),
                "{text}"
            );
            for said in ["reboot", "bin/sh", "domain-name", &"x".repeat(100)] {
                assert!(!text.contains(said), "{said} in {text}");
            }
        }
        assert!(
            !comment
                .lines()
                .any(|line| line.starts_with("/abort") || line.starts_with("# done")),
            "{comment}"
        );
        assert_eq!(
            comment.matches("</details>").count(),
            comment.matches("<details>").count() + outside_of_tags(&comment)
        );
        assert!(comment.len() < 20_000, "{}", comment.len());
        let json = serde_json::to_string(&plan).unwrap();
        assert_eq!(serde_json::from_str::<Plan>(&json).unwrap(), plan);
        carried_out(&world, &new, &plan).await.unwrap();
        let now = snippets_of(&world, "10.21.0.0/24").await;
        assert!(same(&before, &now), "{now:?}");
    }
}

#[tokio::test]
async fn a_hostile_snippet_is_rehearsed_like_any_other() {
    let world = with_hostile("3.7.3");
    let (_, new) = declared(&world, &change("phones", "10.20.0.0/24", MADE_AGAIN)).await;
    let (_, rehearsed, told) = rehearsed(&world, &new).await;
    assert_eq!(rehearsed.failures, Vec::<String>::new());
    let odd = |c: char| c.is_control() || c == '\u{202e}';
    assert!(!told.iter().any(|line| line.contains(odd)), "{told:#?}");
}

/// The hostile closing tag stands in the fenced list of steps only, where it is text.
fn outside_of_tags(comment: &str) -> usize {
    comment
        .lines()
        .filter(|line| line.contains("dhcp snippet") && line.contains("</details>"))
        .count()
}

/// MAAS's own rules for snippets, asked of the lab as a client would.
#[tokio::test]
async fn the_labs_maas_takes_and_refuses_snippets_as_each_release_does() {
    let post = |fields: &[(&str, &str)]| {
        let request = MaasRequest::new(Method::Post, "dhcp-snippets/");
        fields.iter().fold(request, |request, (name, value)| {
            request.with_field(name, *value)
        })
    };
    let plain = [("name", "n"), ("value", "v")];
    let with = |more: &[(&'static str, &'static str)]| post(&[&plain, more].concat());
    for version in VERSIONS {
        let world = world_of(CLOUD, Some(version));
        let ranges = version != "2.9.2";
        let checked = version < "3.6";
        let status = |refused: bool| if refused { 400 } else { 200 };
        // A range of the office, which is no rack's network here: racks are connected, and have no address on it.
        assert_eq!(ask(&world, with(&[])).await, 200, "{version}");
        assert_eq!(
            ask(&world, with(&[("subnet", "office")])).await,
            status(checked),
            "{version}"
        );
        world.maas.lock().unwrap().add_rack_address("10.10.0.0/24");
        assert_eq!(
            ask(&world, with(&[("subnet", "office")])).await,
            200,
            "{version}"
        );
        // A relayed network is checked on the rack that it is relayed to, since 3.0.
        assert_eq!(
            ask(&world, with(&[("subnet", "guests")])).await,
            status(!ranges),
            "{version}"
        );
        assert_eq!(
            ask(&world, with(&[("subnet", "office"), ("node", "m1")])).await,
            400
        );
        assert_eq!(ask(&world, with(&[("node", "m1")])).await, 200);
        assert_eq!(ask(&world, with(&[("node", "m9")])).await, 400);
        assert_eq!(
            ask(&world, with(&[("iprange", "1")])).await,
            status(ranges),
            "{version}"
        );
        let elsewhere = with(&[("subnet", "office"), ("iprange", "3")]);
        assert_eq!(ask(&world, elsewhere).await, status(ranges), "{version}");
        assert_eq!(ask(&world, post(&[("name", "n")])).await, 400);
        assert_eq!(ask(&world, post(&[("value", "v")])).await, 400);
        assert_eq!(
            ask(&world, post(&[("name", &"n".repeat(256)), ("value", "v")])).await,
            400
        );
    }
}

#[tokio::test]
async fn the_labs_maas_drops_a_snippet_with_what_it_hangs_on() {
    let world = with_a_pool_snippet("3.7.3").await;
    assert_eq!(snippets_of(&world, "10.10.0.0/24").await.len(), 1);
    let ranges = all(&world).await;
    let pool = ranges
        .objects
        .values()
        .find(|seen| {
            seen.object
                .as_range()
                .is_some_and(|it| it.comment == "pool")
        })
        .unwrap();
    let request = MaasRequest::new(Method::Delete, format!("ipranges/{}/", pool.id));
    assert_eq!(ask(&world, request).await, 204);
    assert_eq!(snippets_of(&world, "10.10.0.0/24").await, []);
}
