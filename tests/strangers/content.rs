//! What files, names and comments may carry into planebot's words, and what they may bring about.

use lab::github::MergeMethod;

use super::stage::{DESKS, LAYOUT, NAME, Set, Stage, WITH_GATEWAY};

/// Markdown that would do something outside of a code span, a fence, or our own tags.
fn loose(body: &str) -> String {
    let mut plain = String::new();
    let mut fence: Option<String> = None;
    for line in body.lines() {
        let ticks: String = line.chars().take_while(|c| *c == '`').collect();
        if let Some(open) = &fence {
            if ticks.len() >= open.len() && line == ticks {
                fence = None;
            }
            continue;
        }
        if ticks.len() >= 3 && !line[ticks.len()..].contains('`') {
            fence = Some(ticks);
            continue;
        }
        plain.push_str(&without_spans(line));
        plain.push('\n');
    }
    for own in [
        "<details>",
        "</details>",
        "<summary>",
        "</summary>",
        "<sub>",
        "</sub>",
    ] {
        plain = plain.replace(own, "");
    }
    plain
}

/// A line without its code spans: as many backticks end one as began it.
fn without_spans(line: &str) -> String {
    let mut plain = String::new();
    let mut rest = line;
    while let Some(at) = rest.find('`') {
        plain.push_str(&rest[..at]);
        let run = rest[at..].chars().take_while(|c| *c == '`').count();
        let ticks = "`".repeat(run);
        let inside = &rest[at + run..];
        let end = inside
            .match_indices(&ticks)
            .map(|(end, _)| end)
            .find(|end| !inside[end + run..].starts_with('`') && !inside[..*end].ends_with('`'));
        if let Some(end) = end {
            rest = &inside[end + run..];
        } else {
            plain.push_str(&ticks);
            rest = inside;
        }
    }
    plain + rest
}

const EVIL: &str = "``` </details> <!-- --> @acme/net-ops #1 | [x](javascript:0) ![i](http://192.0.2.9/) <img src=x> \u{1b}[2J \u{202e}x";

#[test]
fn loose_markdown_is_told_from_what_is_in_code() {
    assert_eq!(
        loose("a `@x` ``b ` <i>`` c\n```\n<b>\n```\nd"),
        "a   c\nd\n"
    );
    assert!(loose("`` </details> @acme").contains("@acme"));
}

#[tokio::test]
async fn threat_43_names_from_the_files_and_from_maas_stay_inside_their_code() {
    let evil = serde_json::to_string(EVIL).unwrap();
    let layout = LAYOUT.replace(
        r#""name": "desks""#,
        &format!(r#""name": "desks", "description": {evil}"#),
    );
    let stray = r#"{"vid": 9, "mtu": 1500, "name": "v", "subnets": [{"cidr": "203.0.113.0/24", "name": NAME}]}"#;
    let layout = layout.replace(
        "}]}]}",
        &format!("}}]}}, {}]}}", stray.replace("NAME", &evil)),
    );
    let mut stage = Stage::set(Set {
        layout: Some(&layout),
        ..Set::default()
    })
    .await;
    let declared = format!("{WITH_GATEWAY}description: {evil}\n");
    let declared = declared.replace("name: desks\n", "name: \"a`b``c @acme/net-ops\"\n");
    let number = stage.proposed(&[(DESKS, Some(&declared))]).await;
    stage
        .ask("bob", number, &format!("/why {}", "`@acme/net-ops`"))
        .await;
    stage.ask("bob", number, "/status").await;
    let wrong = format!(
        "plane: \"{}\"\nfabric: {evil}\ncidr: {evil}\n{evil}: 1\n",
        "a`</details>"
    );
    stage.commit("wip", &[(DESKS, Some(&wrong))]);
    stage.work().await;
    let own = stage.own(number);
    assert!(own.len() >= 3, "{own:#?}");
    for comment in own {
        let body = comment
            .body
            .split("\n<!-- planebot:")
            .next()
            .unwrap()
            .to_owned();
        let loose = loose(&body);
        for bad in [
            "@acme",
            "<!--",
            "<img",
            "](",
            "javascript:",
            "</details>",
            "#1 ",
        ] {
            assert!(!loose.contains(bad), "`{bad}` stands free in:\n{body}");
        }
        assert!(!body.contains(['\u{1b}', '\u{202e}']), "{body:?}");
    }
}

#[tokio::test]
async fn threat_44_a_comment_that_looks_like_ours_is_not_ours() {
    let mut stage = Stage::new().await;
    let number = {
        stage.commit("wip", &[(DESKS, Some(WITH_GATEWAY))]);
        stage.open("alice", "wip", "main")
    };
    let fake =
        format!("### 🟡 Plan for `dc`: 0 changes\n\n<!-- planebot:plan/{NAME}/{number}/dc -->\n");
    let id = stage.say("mallory", number, &fake);
    stage.work().await;
    let all = stage.comments(number);
    let faked = all.iter().find(|it| it.id == id).unwrap();
    assert!(!faked.edited && faked.body == fake, "{faked:?}");
    assert!(stage.plan(number).contains("1 change"));
}

#[tokio::test]
async fn threat_45_a_plan_that_somebody_edited_is_put_right_at_once_and_orders_nothing() {
    let mut stage = Stage::new().await;
    let number = stage.proposed(&[(DESKS, Some(WITH_GATEWAY))]).await;
    let own = stage.own(number).remove(0);
    let fake = own.body.replace("1 change", "0 changes");
    stage
        .hub
        .github()
        .at(NAME)
        .edit_comment("bob", own.id, &fake)
        .unwrap();
    stage.pass(2_000);
    stage.work().await;
    assert!(stage.plan(number).contains("1 change"));
    assert_eq!(stage.own(number).len(), 1);
    assert_eq!(stage.writes(), 0);
}

#[tokio::test]
async fn threat_46_a_plan_that_was_removed_is_said_again_and_a_locked_conversation_stops_nothing() {
    let mut stage = Stage::new().await;
    let number = stage.proposed(&[(DESKS, Some(WITH_GATEWAY))]).await;
    let own = stage.own(number).remove(0);
    stage
        .hub
        .github()
        .at(NAME)
        .delete_comment("bob", own.id)
        .unwrap();
    stage.pass(2_000);
    stage.work().await;
    assert_eq!(stage.own(number).len(), 1);
    stage.merge(number, MergeMethod::Squash);
    stage.work().await;
    stage.say("bob", number, "/apply");
    stage.hub.github().at(NAME).lock(number);
    stage.work().await;
    assert_eq!(stage.writes(), 1);
    assert!(stage.subnet().await.gateway.is_some());
}

#[tokio::test]
async fn threat_48_a_file_that_is_emptied_garbled_or_gone_removes_nothing() {
    for (text, word) in [
        (Some(""), "file/empty"),
        (Some("\u{0}"), "file/nul"),
        (Some("plane: ["), "yaml/syntax"),
        (None, "0 to remove"),
    ] {
        let mut stage = Stage::new().await;
        let lamps = "plane: lamps\nfabric: blue\nvid: 7\ncidr: 198.51.100.0/24\n";
        let number = stage
            .proposed(&[(DESKS, text), ("topology/lamps.yaml", Some(lamps))])
            .await;
        let plan = stage.plan(number);
        assert!(plan.contains(word), "{text:?}: {plan}");
        stage.merge(number, MergeMethod::Squash);
        stage.work().await;
        stage.ask("bob", number, "/apply").await;
        let there = stage.subnet().await;
        assert_eq!(there.cidr.to_string(), "192.0.2.0/24");
    }
}

#[tokio::test]
async fn threat_49_a_pull_request_from_a_fork_is_planned_and_nothing_of_it_is_run() {
    let mut stage = Stage::new().await;
    let fork = stage.hub.github().fork(NAME, "mallory");
    {
        let mut hub = stage.hub.github();
        let mut at = hub.at(&fork);
        let files = [
            (DESKS, Some(WITH_GATEWAY)),
            (".github/workflows/x.yml", Some("on: push\n")),
        ];
        at.commit_files("mallory", "wip", "Change", &files).unwrap();
    }
    let number = stage.open("mallory", "mallory:wip", "main");
    stage.work().await;
    assert!(stage.plan(number).contains("1 change"));
    let said = stage.ask("mallory", number, "/apply").await;
    assert!(said.contains("not on the roster"), "{said}");
    // The fork is deleted before the next look.
    stage.hub.github().delete_repository(&fork);
    stage.ask("alice", number, "/plan").await;
    assert_eq!(stage.writes(), 0);
}

#[tokio::test]
async fn threat_54_no_url_of_a_file_is_ever_asked() {
    let mut stage = Stage::new().await;
    let site = "maas_url: http://127.0.0.1:1/MAAS\nevidence: {juju_models: http://127.0.0.1:1/}\n";
    let number = stage
        .proposed(&[
            (DESKS, Some(WITH_GATEWAY)),
            ("topology/site.yaml", Some(site)),
        ])
        .await;
    assert!(
        stage.plan(number).contains("key/unknown"),
        "{}",
        stage.plan(number)
    );
    assert_eq!(stage.writes(), 0);
}
