//! What files, names and comments may carry into planebot's words, and what they may bring about.

use insta::assert_snapshot;
use lab::github::MergeMethod;
use support_scenario::{DESKS, LAYOUT, REPOSITORY, Scenario, ScenarioOptions, WITH_GATEWAY};

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
    let stray = r#"{"vid": 9, "mtu": 1500, "name": "v", "subnets": [{"cidr": "203.0.113.0/24", "name": STRAY}]}"#;
    let layout = layout.replace(
        "}]}]}",
        &format!("}}]}}, {}]}}", stray.replace("STRAY", &evil)),
    );
    let mut scenario = Scenario::with(ScenarioOptions {
        layout: Some(&layout),
        ..ScenarioOptions::default()
    })
    .await;
    let declared = format!("{WITH_GATEWAY}description: {evil}\n");
    let declared = declared.replace("name: desks\n", "name: \"a`b``c @acme/net-ops\"\n");
    let number = scenario.propose(&[(DESKS, Some(&declared))]).await;
    scenario
        .command("bob", number, "/why `@acme/net-ops`")
        .await;
    scenario.command("bob", number, "/status").await;
    let wrong = format!(
        "plane: \"{}\"\nfabric: {evil}\ncidr: {evil}\n{evil}: 1\n",
        "a`</details>"
    );
    scenario.push("wip", &[(DESKS, Some(&wrong))]);
    scenario.run().await;
    let own = scenario.bot_comments(number);
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
    let mut scenario = Scenario::new().await;
    let number = {
        scenario.push("wip", &[(DESKS, Some(WITH_GATEWAY))]);
        scenario.open_pull("alice", "wip", "main")
    };
    let fake = format!(
        "### 🟡 Plan for `dc`: 0 changes\n\n<!-- planebot:plan/{REPOSITORY}/{number}/dc -->\n"
    );
    let id = scenario.comment("mallory", number, &fake);
    scenario.run().await;
    let all = scenario.comments(number);
    let faked = all.iter().find(|it| it.id == id).unwrap();
    assert!(!faked.edited && faked.body == fake, "{faked:?}");
    assert_snapshot!(scenario.transcript(), @r"
    alice    pushes to wip ~topology/desks.yaml
    alice    opens #1 from wip to main
    mallory  comments on #1: ### 🟡 Plan for `dc`: 0 changes
    planebot sets the check to success: 1 changes, 0 gates, plan 3909-fa4a
    planebot comments on #1: 🟡 Plan for `dc`: 1 change
               Plan: 0 to add, 1 to change, 0 to remove.
               - MIGRATE: it is in MAAS and differs from the declaration
               ! subnet 192.0.2.0/24 desks: gateway none -> 192.0.2.1  [desks]  # gateway
               *Next:* merge to queue this plan. After that, nothing changes in MAAS until an operator comments:
               /apply 3909-fa4a
    ");
}

#[tokio::test]
async fn threat_45_a_plan_that_somebody_edited_is_put_right_at_once_and_orders_nothing() {
    let mut scenario = Scenario::new().await;
    let number = scenario.propose(&[(DESKS, Some(WITH_GATEWAY))]).await;
    let own = scenario.bot_comments(number).remove(0);
    let fake = own.body.replace("1 change", "0 changes");
    scenario.edit_comment("bob", own.id, &fake);
    scenario.advance(2_000);
    scenario.run().await;
    assert_snapshot!(scenario.transcript(), @r"
    alice    pushes to wip ~topology/desks.yaml
    alice    opens #1 from wip to main
    planebot sets the check to success: 1 changes, 0 gates, plan 3909-fa4a
    planebot comments on #1: 🟡 Plan for `dc`: 1 change
               Plan: 0 to add, 1 to change, 0 to remove.
               - MIGRATE: it is in MAAS and differs from the declaration
               ! subnet 192.0.2.0/24 desks: gateway none -> 192.0.2.1  [desks]  # gateway
               *Next:* merge to queue this plan. After that, nothing changes in MAAS until an operator comments:
               /apply 3909-fa4a
    bob      edits a comment on #1: ### 🟡 Plan for `dc`: 0 changes
    planebot edits a comment on #1: 🟡 Plan for `dc`: 1 change
               Plan: 0 to add, 1 to change, 0 to remove.
               - MIGRATE: it is in MAAS and differs from the declaration
               ! subnet 192.0.2.0/24 desks: gateway none -> 192.0.2.1  [desks]  # gateway
               *Next:* merge to queue this plan. After that, nothing changes in MAAS until an operator comments:
               /apply 3909-fa4a
    ");
    assert_eq!(scenario.bot_comments(number).len(), 1);
}

#[tokio::test]
async fn threat_46_a_plan_that_was_removed_is_said_again_and_a_locked_conversation_stops_nothing() {
    let mut scenario = Scenario::new().await;
    let number = scenario.propose(&[(DESKS, Some(WITH_GATEWAY))]).await;
    let own = scenario.bot_comments(number).remove(0);
    scenario.delete_comment("bob", own.id);
    scenario.advance(2_000);
    scenario.run().await;
    assert_eq!(scenario.bot_comments(number).len(), 1);
    scenario.merge(number, MergeMethod::Squash);
    scenario.run().await;
    scenario.comment("bob", number, "/apply");
    scenario.lock(number);
    scenario.run().await;
    assert_snapshot!(scenario.transcript(), @r"
    alice    pushes to wip ~topology/desks.yaml
    alice    opens #1 from wip to main
    planebot sets the check to success: 1 changes, 0 gates, plan 3909-fa4a
    planebot comments on #1: 🟡 Plan for `dc`: 1 change
               Plan: 0 to add, 1 to change, 0 to remove.
               - MIGRATE: it is in MAAS and differs from the declaration
               ! subnet 192.0.2.0/24 desks: gateway none -> 192.0.2.1  [desks]  # gateway
               *Next:* merge to queue this plan. After that, nothing changes in MAAS until an operator comments:
               /apply 3909-fa4a
    bob      deletes a comment on #1
    planebot comments on #1: 🟡 Plan for `dc`: 1 change
               Plan: 0 to add, 1 to change, 0 to remove.
               - MIGRATE: it is in MAAS and differs from the declaration
               ! subnet 192.0.2.0/24 desks: gateway none -> 192.0.2.1  [desks]  # gateway
               *Next:* merge to queue this plan. After that, nothing changes in MAAS until an operator comments:
               /apply 3909-fa4a
    bob      merges #1
    bob      pushes to main ~topology/desks.yaml
    planebot sets the check to in_progress: merged, not applied
    planebot edits a comment on #1: 🟡 Plan for `dc`: 1 change
               Plan: 0 to add, 1 to change, 0 to remove.
               - MIGRATE: it is in MAAS and differs from the declaration
               ! subnet 192.0.2.0/24 desks: gateway none -> 192.0.2.1  [desks]  # gateway
               *Next:* this is merged. Nothing changes in MAAS until an operator comments:
               /apply 3909-fa4a
    bob      comments on #1: /apply
    alice    locks the conversation of #1
    planebot reacts with eyes
    planebot reacts with rocket
    planebot sets the check to in_progress: applying
    planebot comments on #1: 🔵 Applying 3909-fa4a to `dc` — 0 of 1
               - [ ] stand up: 0 of 1
    MAAS     PUT subnets/1/ gateway_ip=192.0.2.1
    planebot pushes to planebot-history +history/dc/TIME-pr1-3909-fa4a/run.json
    planebot sets the check to success: applied, proved twice
    planebot edits a comment on #1: ✅ Applied 3909-fa4a to `dc`, proved twice
               - [x] stand up: 1 of 1
    planebot edits a comment on #1: 🟡 Plan for `dc`: 1 change
               Plan: 0 to add, 1 to change, 0 to remove.
               - MIGRATE: it is in MAAS and differs from the declaration
               ! subnet 192.0.2.0/24 desks: gateway none -> 192.0.2.1  [desks]  # gateway
               *Next:* nothing: this plan is applied and verified.
    ");
    assert!(scenario.subnet().await.gateway.is_some());
}

/// A pull request that changes the file so and adds a plane; what happens until an operator orders it.
async fn changed_to(text: Option<&str>) -> String {
    let mut scenario = Scenario::new().await;
    let lamps = "plane: lamps\nfabric: blue\nvid: 7\ncidr: 198.51.100.0/24\n";
    let number = scenario
        .propose(&[(DESKS, text), ("topology/lamps.yaml", Some(lamps))])
        .await;
    scenario.merge(number, MergeMethod::Squash);
    scenario.run().await;
    scenario.command("bob", number, "/apply").await;
    let there = scenario.subnet().await;
    assert_eq!(there.cidr.to_string(), "192.0.2.0/24");
    scenario.transcript()
}

#[tokio::test]
async fn threat_48_a_file_that_is_emptied_garbled_or_gone_removes_nothing() {
    let mut all = String::new();
    for text in ["", "\u{0}", "plane: ["] {
        let transcript = changed_to(Some(text)).await;
        all.push_str(&format!("The file is {text:?}.\n{transcript}"));
    }
    assert_snapshot!(all, @r#"
    The file is "".
    alice    pushes to wip +topology/lamps.yaml ~topology/desks.yaml
    alice    opens #1 from wip to main
    planebot sets the check to failure: 1 findings
    planebot comments on #1: 🔴 The declaration of `dc` is wrong: 1 to fix
               Nothing was planned, and nothing was changed.
               error[file/empty]: the file is empty
               *Next:* fix them and push.
    bob      merges #1
    bob      pushes to main +topology/lamps.yaml ~topology/desks.yaml
    planebot sets the check to in_progress: merged, not applied
    bob      comments on #1: /apply
    planebot reacts with eyes
    planebot reacts with confused
    planebot comments on #1: ✋ Not applied
               The merged declaration does not check.
               - ✖ MAAS unchanged: the merged declaration has findings
               *Next:* fix it in a new pull request.
    The file is "\0".
    alice    pushes to wip +topology/lamps.yaml ~topology/desks.yaml
    alice    opens #1 from wip to main
    planebot sets the check to failure: 1 findings
    planebot comments on #1: 🔴 The declaration of `dc` is wrong: 1 to fix
               Nothing was planned, and nothing was changed.
               error[file/nul]: the file contains a NUL byte
               *Next:* fix them and push.
    bob      merges #1
    bob      pushes to main +topology/lamps.yaml ~topology/desks.yaml
    planebot sets the check to in_progress: merged, not applied
    bob      comments on #1: /apply
    planebot reacts with eyes
    planebot reacts with confused
    planebot comments on #1: ✋ Not applied
               The merged declaration does not check.
               - ✖ MAAS unchanged: the merged declaration has findings
               *Next:* fix it in a new pull request.
    The file is "plane: [".
    alice    pushes to wip +topology/lamps.yaml ~topology/desks.yaml
    alice    opens #1 from wip to main
    planebot sets the check to failure: 1 findings
    planebot comments on #1: 🔴 The declaration of `dc` is wrong: 1 to fix
               Nothing was planned, and nothing was changed.
               error[yaml/syntax]: this is not YAML: unclosed bracket '['
               *Next:* fix them and push.
    bob      merges #1
    bob      pushes to main +topology/lamps.yaml ~topology/desks.yaml
    planebot sets the check to in_progress: merged, not applied
    bob      comments on #1: /apply
    planebot reacts with eyes
    planebot reacts with confused
    planebot comments on #1: ✋ Not applied
               The merged declaration does not check.
               - ✖ MAAS unchanged: the merged declaration has findings
               *Next:* fix it in a new pull request.
    "#);
}

#[tokio::test]
async fn threat_48_a_file_that_is_gone_removes_nothing() {
    assert_snapshot!(changed_to(None).await, @r"
    alice    pushes to wip +topology/lamps.yaml -topology/desks.yaml
    alice    opens #1 from wip to main
    planebot sets the check to success: 2 changes, 0 gates, plan 4775-f434
    planebot comments on #1: 🟡 Plan for `dc`: 2 changes, 1 network is no longer declared and stays
               Plan: 2 to add, 0 to change, 0 to remove.
               - `192.0.2.0/24` `desks` on vlan `blue/untagged`
               - CREATE: it is declared and not in MAAS
               - UNDECLARED: it is in MAAS and in no file; planebot leaves it alone
               + vlan blue/7 mtu 1500, name lamps  [lamps]  # declared
               + subnet 198.51.100.0/24 lamps on blue/7  [lamps]  # declared
               *Next:* merge to queue this plan. After that, nothing changes in MAAS until an operator comments:
               /apply 4775-f434
    bob      merges #1
    bob      pushes to main +topology/lamps.yaml -topology/desks.yaml
    planebot sets the check to in_progress: merged, not applied
    planebot edits a comment on #1: 🟡 Plan for `dc`: 2 changes, 1 network is no longer declared and stays
               Plan: 2 to add, 0 to change, 0 to remove.
               - `192.0.2.0/24` `desks` on vlan `blue/untagged`
               - CREATE: it is declared and not in MAAS
               - UNDECLARED: it is in MAAS and in no file; planebot leaves it alone
               + vlan blue/7 mtu 1500, name lamps  [lamps]  # declared
               + subnet 198.51.100.0/24 lamps on blue/7  [lamps]  # declared
               *Next:* this is merged. Nothing changes in MAAS until an operator comments:
               /apply 4775-f434
    bob      comments on #1: /apply
    planebot reacts with eyes
    planebot reacts with rocket
    planebot sets the check to in_progress: applying
    planebot comments on #1: 🔵 Applying 4775-f434 to `dc` — 0 of 2
               - [ ] create: 0 of 2
    MAAS     POST fabrics/1/vlans/ mtu=1500 name=lamps vid=7
    MAAS     POST subnets/ cidr=198.51.100.0/24 name=lamps vlan=5002
    planebot pushes to planebot-history +history/dc/TIME-pr1-4775-f434/run.json
    planebot sets the check to success: applied, proved twice
    planebot edits a comment on #1: ✅ Applied 4775-f434 to `dc`, proved twice
               - [x] create: 2 of 2
    planebot edits a comment on #1: 🟡 Plan for `dc`: 2 changes, 1 network is no longer declared and stays
               Plan: 2 to add, 0 to change, 0 to remove.
               - `192.0.2.0/24` `desks` on vlan `blue/untagged`
               - CREATE: it is declared and not in MAAS
               - UNDECLARED: it is in MAAS and in no file; planebot leaves it alone
               + vlan blue/7 mtu 1500, name lamps  [lamps]  # declared
               + subnet 198.51.100.0/24 lamps on blue/7  [lamps]  # declared
               *Next:* nothing: this plan is applied and verified.
    ");
}

#[tokio::test]
async fn threat_49_a_pull_request_from_a_fork_is_planned_and_nothing_of_it_is_run() {
    let mut scenario = Scenario::new().await;
    let fork = scenario.hub.github().fork(REPOSITORY, "mallory");
    {
        let mut hub = scenario.hub.github();
        let mut at = hub.at(&fork);
        let files = [
            (DESKS, Some(WITH_GATEWAY)),
            (".github/workflows/x.yml", Some("on: push\n")),
        ];
        at.commit_files("mallory", "wip", "Change", &files).unwrap();
    }
    let number = scenario.open_pull("mallory", "mallory:wip", "main");
    scenario.run().await;
    scenario.command("mallory", number, "/apply").await;
    scenario.delete_repository(&fork);
    scenario.command("alice", number, "/plan").await;
    assert_snapshot!(scenario.transcript(), @r"
    mallory  opens #1 from mallory:wip to main
    planebot sets the check to success: 1 changes, 0 gates, plan 3909-fa4a
    planebot comments on #1: 🟡 Plan for `dc`: 1 change
               Plan: 0 to add, 1 to change, 0 to remove.
               - MIGRATE: it is in MAAS and differs from the declaration
               ! subnet 192.0.2.0/24 desks: gateway none -> 192.0.2.1  [desks]  # gateway
               *Next:* merge to queue this plan. After that, nothing changes in MAAS until an operator comments:
               /apply 3909-fa4a
    mallory  comments on #1: /apply
    planebot reacts with eyes
    planebot reacts with confused
    planebot comments on #1: ✋ Not applied
               Only an operator of this site may do that.
               - ✖ operator: @mallory is not on the roster; membership in team `acme/net-ops` is not confirmed: `GitHub answered 404: not a member, or this app may not see the team`
               *Next:* ask one of the site's operators.
    GitHub   deletes the repository mallory/network
    alice    comments on #1: /plan
    planebot reacts with eyes
    ");
}

#[tokio::test]
async fn threat_54_no_url_of_a_file_is_ever_asked() {
    let mut scenario = Scenario::new().await;
    let site = "maas_url: http://127.0.0.1:1/MAAS\nevidence: {juju_models: http://127.0.0.1:1/}\n";
    scenario
        .propose(&[
            (DESKS, Some(WITH_GATEWAY)),
            ("topology/site.yaml", Some(site)),
        ])
        .await;
    assert_snapshot!(scenario.transcript(), @r"
    alice    pushes to wip +topology/site.yaml ~topology/desks.yaml
    alice    opens #1 from wip to main
    planebot sets the check to failure: 2 findings
    planebot comments on #1: 🔴 The declaration of `dc` is wrong: 2 to fix
               Nothing was planned, and nothing was changed.
               error[key/unknown]: unknown key `maas_url`
               error[key/unknown]: unknown key `evidence`
               *Next:* fix them and push.
    ");
}
