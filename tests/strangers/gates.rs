//! Who may open a gate, and when; what an operator may take back.

use lab::github::MergeMethod;

use super::stage::{DESKS, NAME, Set, Stage, WITH_GATEWAY};

/// A machine lives on the subnet that is to move, so that a person must act first.
const LIVED_IN: &str = r#"{"fabrics": [{"name": "blue", "vlans": [{"vid": 0, "mtu": 1500,
    "subnets": [{"cidr": "192.0.2.0/24", "name": "desks", "managed": true}]}]}],
    "machines": [{"hostname": "m1", "status": "Deployed", "interfaces": [{"name": "eth7", "type": "physical", "mac": "52:54:00:00:07:07",
    "links": [{"subnet": "192.0.2.0/24", "mode": "STATIC", "ip": "192.0.2.40"}]}]}]}"#;

const MOVED: &str = "plane: desks\nfabric: blue\nname: desks\ncidr: 198.51.100.0/24\n";

const RUNBOOK: &str = "# Teardown\n\n```planebot\ngate = \"teardown\"\n```\n\nEmpty {{subnets}}.\n";

/// A run that waits at the teardown gate.
async fn waiting() -> (Stage, u64) {
    let mut stage = Stage::set(Set {
        layout: Some(LIVED_IN),
        files: &[("runbooks/teardown.md", RUNBOOK)],
        ..Set::default()
    })
    .await;
    let number = stage.proposed(&[(DESKS, Some(MOVED))]).await;
    stage.merge(number, MergeMethod::Squash);
    stage.work().await;
    let said = stage.ask("bob", number, "/apply").await;
    assert!(
        said.contains("Gate `teardown`: a person is needed"),
        "{said}"
    );
    (stage, number)
}

#[tokio::test]
async fn threat_50_a_gate_is_opened_by_looking_whoever_says_what() {
    let (mut stage, number) = waiting().await;
    for (who, text, word) in [
        ("mallory", "/done teardown no-juju-model", "operator"),
        ("bob", "/done jumphost", "does not wait at gate"),
        ("bob", "/done vacate", "does not wait at gate"),
        // Nothing was done yet, with or without the words that are asked for.
        ("bob", "/done teardown", "stays shut"),
        ("bob", "/done teardown no-juju-model", "stays shut"),
        ("bob", "/done teardown NO-JUJU-MODEL", "stays shut"),
        ("bob", "/done teardown no-juju-model", "stays shut"),
    ] {
        let said = stage.ask(who, number, text).await;
        assert!(said.contains(word), "{text}: {said}");
        assert_eq!(stage.writes(), 0);
    }
    {
        let mut maas = stage.maas.maas.lock().unwrap();
        maas.release("m1");
        maas.unlink_all("m1", "192.0.2.0/24");
    }
    // The network is empty, but nobody said what only a person can see.
    let said = stage.ask("bob", number, "/done teardown").await;
    assert!(
        said.contains("stays shut") && said.contains("no-juju-model"),
        "{said}"
    );
    assert_eq!(stage.writes(), 0);
    stage
        .ask("bob", number, "/done teardown no-juju-model")
        .await;
    assert_eq!(stage.subnet().await.cidr.to_string(), "198.51.100.0/24");
    // And once more, for a step that is over.
    let (writes, said) = (
        stage.writes(),
        stage
            .ask("bob", number, "/done teardown no-juju-model")
            .await,
    );
    assert!(said.contains("Not done"), "{said}");
    assert_eq!(stage.writes(), writes);
}

#[tokio::test]
async fn threat_50_another_pull_requests_gate_is_not_opened_from_here() {
    let (mut stage, _) = waiting().await;
    stage.commit("wip2", &[(DESKS, Some(WITH_GATEWAY))]);
    let other = stage.open("alice", "wip2", "main");
    stage.work().await;
    let said = stage
        .ask("bob", other, "/done teardown no-juju-model")
        .await;
    assert!(said.contains("No run waits here"), "{said}");
    assert_eq!(stage.writes(), 0);
}

#[tokio::test]
async fn threat_51_a_runbook_that_changed_after_the_plan_was_read_makes_another_plan() {
    let mut stage = Stage::set(Set {
        layout: Some(LIVED_IN),
        files: &[("runbooks/teardown.md", RUNBOOK)],
        ..Set::default()
    })
    .await;
    let number = stage.proposed(&[(DESKS, Some(MOVED))]).await;
    let read = stage.digest(number);
    let other = RUNBOOK.replace("Empty", "Do not look at");
    stage.commit("main", &[("runbooks/teardown.md", Some(&other))]);
    stage.merge(number, MergeMethod::Squash);
    stage.work().await;
    let said = stage.ask("bob", number, &format!("/apply {read}")).await;
    assert!(
        said.contains("Not applied") && said.contains(&read),
        "{said}"
    );
    assert_ne!(stage.digest(number), read);
    assert_eq!(stage.writes(), 0);
}

#[tokio::test]
async fn threat_40_an_abort_ends_the_run_once_and_an_order_meanwhile_is_answered() {
    let (mut stage, number) = waiting().await;
    let said = stage.ask("bob", number, "/apply").await;
    assert!(said.contains("under way"), "{said}");
    let said = stage.ask("mallory", number, "/abort").await;
    assert!(said.contains("Only an operator"), "{said}");
    // Two aborts and an apply between them, in one go.
    stage.say("bob", number, "/abort");
    stage.say("bob", number, "/apply 0000-0000");
    stage.say("carol", number, "/abort");
    stage.work().await;
    let own = stage.own(number);
    let aborted = own
        .iter()
        .filter(|it| it.body.contains("⏹ Aborted"))
        .count();
    assert_eq!(aborted, 1, "{own:#?}");
    assert!(
        own.iter()
            .any(|it| it.body.contains("No run is under way here"))
    );
    assert_eq!(stage.writes(), 0);
}

#[tokio::test]
async fn threat_20_a_roster_in_the_pull_request_makes_nobody_an_operator() {
    let mut stage = Stage::new().await;
    let roster = "[[site]]\nname = 'dc'\n[site.operators]\nusers = ['mallory']\n";
    let files = [
        (DESKS, Some(WITH_GATEWAY)),
        ("planebot.toml", Some(roster)),
        ("topology/planebot.toml", Some(roster)),
        (".github/CODEOWNERS", Some("* @mallory\n")),
    ];
    let number = stage.proposed(&files).await;
    stage.merge(number, MergeMethod::Squash);
    stage.work().await;
    let said = stage.ask("mallory", number, "/apply").await;
    assert!(said.contains("not on the roster"), "{said}");
    assert_eq!(stage.writes(), 0);
}

#[tokio::test]
async fn threat_22_who_left_the_team_or_only_was_invited_is_turned_away() {
    let mut stage = Stage::new().await;
    let number = stage.proposed(&[(DESKS, Some(WITH_GATEWAY))]).await;
    stage.merge(number, MergeMethod::Squash);
    stage.work().await;
    stage.say("carol", number, "/apply");
    stage
        .hub
        .github()
        .remove_team_member("acme", "net-ops", "carol");
    stage.work().await;
    let said = stage.own(number).pop().unwrap().body;
    assert!(said.contains("not on the roster"), "{said}");
    stage.hub.github().invite("acme", "net-ops", "mallory");
    let said = stage.ask("mallory", number, "/apply").await;
    assert!(said.contains("not on the roster"), "{said}");
    assert_eq!(stage.writes(), 0);
    // An account that is gone says nothing.
    stage.say("bob", number, "/apply");
    stage.hub.github().remove_user("bob");
    stage.work().await;
    assert_eq!(stage.writes(), 0);
}

/// A run that began is not left half done because the hour is over: what it stands on may be a network without DHCP.
#[tokio::test]
async fn threat_42_a_run_that_began_in_its_window_goes_on_to_its_end() {
    let mut stage = Stage::set(Set {
        layout: Some(LIVED_IN),
        files: &[("runbooks/teardown.md", RUNBOOK)],
        policy: "windows = ['mon-sun 00:00-13:00']",
        ..Set::default()
    })
    .await;
    let noon = 12 * 3_600_000 - (stage.service.wiring.clock)().0.rem_euclid(24 * 3_600_000);
    stage.pass(noon + 24 * 3_600_000);
    let number = stage.proposed(&[(DESKS, Some(MOVED))]).await;
    stage.merge(number, MergeMethod::Squash);
    stage.work().await;
    assert!(
        stage
            .ask("bob", number, "/apply")
            .await
            .contains("a person is needed")
    );
    stage.pass(3 * 3_600_000);
    {
        let mut maas = stage.maas.maas.lock().unwrap();
        maas.release("m1");
        maas.unlink_all("m1", "192.0.2.0/24");
    }
    stage
        .ask("bob", number, "/done teardown no-juju-model")
        .await;
    assert_eq!(stage.subnet().await.cidr.to_string(), "198.51.100.0/24");
}

#[tokio::test]
async fn a_pull_request_for_two_sites_is_to_be_split() {
    let mut stage = Stage::set(Set {
        policy: "[[site]]\nname = 'east'\nrepository = 'acme/network'\npath = 'east'\n\
                 maas_url = 'http://127.0.0.1:1/MAAS'\n[site.operators]\nusers = ['bob']",
        ..Set::default()
    })
    .await;
    let there = "plane: chairs\nfabric: red\ncidr: 198.51.100.0/24\n";
    let number = stage
        .proposed(&[
            (DESKS, Some(WITH_GATEWAY)),
            ("east/chairs.yaml", Some(there)),
        ])
        .await;
    let said = stage.plan(number);
    assert!(said.contains("this touches 2 sites"), "{said}");
    assert!(said.contains("`dc`, `east`"), "{said}");
    let said = stage.ask("bob", number, "/plan").await;
    assert!(
        said.contains("open one pull request for each site"),
        "{said}"
    );
    stage.commit("wip", &[("east/chairs.yaml", None)]);
    stage.work().await;
    assert!(stage.plan(number).contains("one site now"));
    assert!(
        stage
            .own(number)
            .iter()
            .any(|own| own.body.contains("Plan for `dc`"))
    );
    stage.merge(number, MergeMethod::Squash);
    stage.work().await;
    stage.ask("bob", number, "/apply").await;
    assert_eq!(stage.writes(), 1);
    let plan = stage
        .own(number)
        .into_iter()
        .find(|own| own.body.contains("Plan for `dc`"));
    assert!(
        plan.unwrap()
            .body
            .contains("*Next:* nothing: this is applied and proved.")
    );
}

#[tokio::test]
async fn a_check_that_is_asked_for_again_is_made_again() {
    let mut stage = Stage::new().await;
    let number = stage.proposed(&[(DESKS, Some(WITH_GATEWAY))]).await;
    let before = stage.digest(number);
    stage
        .by_hand(|subnet| subnet.description = "changed by hand".to_owned())
        .await;
    let head = stage.hub.github().at(NAME).head("wip").unwrap();
    let run = stage.hub.github().at(NAME).check_runs(head)[0].id;
    stage.hub.github().at(NAME).rerequest("alice", run).unwrap();
    stage.work().await;
    assert_ne!(stage.digest(number), before, "MAAS is not what it was");
}
