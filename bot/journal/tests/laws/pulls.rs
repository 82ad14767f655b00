//! Pull requests and cursors: one row each.

use journal::PullRow;

use crate::{NOW, Store, later};

fn pull(number: i64, stage: &str, merged: Option<i64>) -> PullRow {
    PullRow {
        repository: "o/r".to_owned(),
        number,
        site: "s".to_owned(),
        merged: merged.map(later),
        stage: stage.to_owned(),
        record: format!(r#"{{"v":1,"head":"{number}"}}"#),
    }
}

pub(crate) async fn a_pull_request_has_one_row(it: Store) {
    assert_eq!(it.one.pull("o/r", 1).await.unwrap(), None);
    it.one.put_pull(&pull(1, "open", None), NOW).await.unwrap();
    it.two
        .put_pull(&pull(1, "merged", Some(5)), NOW)
        .await
        .unwrap();
    let read = it.again().await.pull("o/r", 1).await.unwrap();
    assert_eq!(read, Some(pull(1, "merged", Some(5))));
    assert_eq!(it.one.pull("o/other", 1).await.unwrap(), None);
    assert_eq!(it.one.pulls_at("s", "open").await.unwrap(), []);
}

pub(crate) async fn merged_changes_wait_in_the_order_of_their_merges(it: Store) {
    for (number, merged) in [(1, 30), (2, 10), (12, 20), (3, 20)] {
        let merged = pull(number, "merged", Some(merged));
        it.one.put_pull(&merged, NOW).await.unwrap();
    }
    it.one.put_pull(&pull(4, "open", None), NOW).await.unwrap();
    let elsewhere = PullRow {
        site: "t".to_owned(),
        ..pull(5, "merged", Some(1))
    };
    it.one.put_pull(&elsewhere, NOW).await.unwrap();
    let waiting: Vec<i64> = it
        .again()
        .await
        .pulls_at("s", "merged")
        .await
        .unwrap()
        .into_iter()
        .map(|pull| pull.number)
        .collect();
    assert_eq!(waiting, [2, 3, 12, 1]);
}

pub(crate) async fn a_cursor_is_overwritten(it: Store) {
    assert_eq!(it.one.cursor("comments").await.unwrap(), None);
    it.one.set_cursor("comments", "5").await.unwrap();
    it.two.set_cursor("comments", "9").await.unwrap();
    it.one.set_cursor("other", "1").await.unwrap();
    let read = it.again().await.cursor("comments").await.unwrap();
    assert_eq!(read.as_deref(), Some("9"));
}

pub(crate) async fn a_pull_request_that_is_not_written_to_is_idle(it: Store) {
    let long = PullRow {
        record: "x".repeat(5_000),
        ..pull(1, "applied", None)
    };
    it.one.put_pull(&long, NOW).await.unwrap();
    let open = PullRow {
        record: long.record.clone(),
        ..pull(2, "open", None)
    };
    it.one.put_pull(&open, NOW).await.unwrap();
    let short = pull(3, "applied", None);
    it.one.put_pull(&short, NOW).await.unwrap();
    let idle = async |before| {
        let stages = ["applied", "closed"];
        it.two.idle_pulls(&stages, before, NOW).await.unwrap()
    };
    assert_eq!(idle(NOW).await, []);
    assert_eq!(idle(later(1)).await, [long]);
}
