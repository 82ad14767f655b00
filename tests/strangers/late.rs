//! What is heard late: the order of things is GitHub's, and not the one in which webhooks come.

use lab::github::MergeMethod;

use super::stage::{DESKS, NAME, Stage, WITH_GATEWAY};

const LAMPS: &str = "plane: lamps\nfabric: blue\nvid: 7\ncidr: 198.51.100.0/24\n";

#[tokio::test]
async fn threat_31_what_was_said_before_the_merge_is_no_order_when_it_is_heard_after_it() {
    let mut stage = Stage::new().await;
    let number = stage.proposed(&[(DESKS, Some(WITH_GATEWAY))]).await;
    let early = stage.order("bob", number, "/apply");
    stage.merge(number, MergeMethod::Squash);
    stage.work().await;
    stage.keep(&early).await;
    stage.settle().await;
    let said = stage.own(number).pop().unwrap().body;
    assert!(said.contains("said before the merge"), "{said}");
    assert_eq!(stage.writes(), 0);
    let said = stage.ask("bob", number, "/apply").await;
    assert!(said.contains("✅ Applied"), "{said}");
}

#[tokio::test]
async fn merges_that_are_heard_in_another_order_count_in_githubs() {
    let mut stage = Stage::new().await;
    let first = stage.proposed(&[(DESKS, Some(WITH_GATEWAY))]).await;
    stage.commit("lamps", &[("topology/lamps.yaml", Some(LAMPS))]);
    let second = stage.open("alice", "lamps", "main");
    stage.work().await;
    stage.merge(first, MergeMethod::Squash);
    stage.merge(second, MergeMethod::Squash);
    let mut told = stage.sent();
    told.reverse();
    for delivery in &told {
        stage.keep(delivery).await;
    }
    stage.settle().await;
    let digest = stage.digest(second);
    let said = stage.ask("bob", second, &format!("/apply {digest}")).await;
    assert!(said.contains("✅ Applied"), "{said}");
    let last = stage.own(first).pop().unwrap().body;
    assert!(
        last.contains(&format!("Carried out with #{second}")),
        "{last}"
    );
    assert_eq!(
        stage.hub.github().at(NAME).pull_state(first),
        Some("merged")
    );
}

/// Wherever the power goes while it is planned: what was shown is remembered, and told what became of it.
#[tokio::test]
async fn what_was_shown_before_the_power_went_and_merged_before_it_came_back_is_told_like_any_other()
 {
    let (mut cuts, mut shown) = (0, 0);
    loop {
        let mut stage = Stage::new().await;
        stage.commit("wip", &[(DESKS, Some(WITH_GATEWAY))]);
        let first = stage.open("alice", "wip", "main");
        if !stage.is_cut_off(cuts + 1).await {
            break;
        }
        cuts += 1;
        stage.merge(first, MergeMethod::Squash);
        stage.work().await;
        stage.commit("lamps", &[("topology/lamps.yaml", Some(LAMPS))]);
        let second = stage.open("alice", "lamps", "main");
        stage.work().await;
        stage.merge(second, MergeMethod::Squash);
        stage.work().await;
        let order = format!("/apply {}", stage.digest(second));
        let said = stage.ask("bob", second, &order).await;
        assert!(said.contains("✅ Applied"), "{said}");
        let Some(last) = stage.own(first).pop() else {
            continue;
        };
        shown += 1;
        assert!(
            last.body.contains(&format!("Carried out with #{second}")),
            "cut {cuts}: {}",
            last.body
        );
    }
    println!("the power cut at {cuts} places of a planning; {shown} times the plan was shown");
    assert!(shown > 0 && shown < cuts, "{shown} of {cuts}");
}
