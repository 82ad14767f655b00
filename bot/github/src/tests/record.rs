//! Commits onto a branch, against the lab's GitHub.

use crate::commit_files::Content;
use crate::tests::lab_fixture;

fn files(pairs: &[(&str, &str)]) -> Content {
    Content {
        files: pairs
            .iter()
            .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
            .collect(),
        whole: Vec::new(),
    }
}

#[tokio::test]
async fn history_is_committed_on_a_branch_of_its_own() {
    let fixture = lab_fixture().await;
    let repository = &fixture.repository;
    let first = files(&[("history/a/1/plan.md", "one\n")]);
    let one = repository
        .commit_files("planebot-history", &first, "Plan one")
        .await
        .unwrap();
    assert!(repository.commit(&one).await.unwrap().parents.is_empty());
    assert_eq!(
        fixture.people(|at| at.files_at("planebot-history")),
        first.files
    );

    let second = files(&[("history/a/2/plan.md", "two\n")]);
    let two = repository
        .commit_files("planebot-history", &second, "Plan two")
        .await
        .unwrap();
    assert_eq!(repository.commit(&two).await.unwrap().parents, [one]);
    assert_eq!(
        fixture.people(|at| at.files_at("planebot-history")).len(),
        2
    );

    let again = repository
        .commit_files("planebot-history", &second, "Plan two")
        .await
        .unwrap();
    assert_eq!(again, two, "what is there already is not committed again");
    assert_eq!(fixture.people(|at| at.log("planebot-history")).len(), 2);
}

#[tokio::test]
async fn a_whole_folder_loses_what_is_no_longer_in_it() {
    let fixture = lab_fixture().await;
    let repository = &fixture.repository;
    let mut seen = files(&[
        ("observed/a/oam.yaml", "1\n"),
        ("observed/a/deep/ceph.yaml", "1\n"),
        ("observed/b/oam.yaml", "1\n"),
    ]);
    seen.whole = vec!["observed/a".to_owned(), "observed/b".to_owned()];
    repository
        .commit_files("planebot-history", &seen, "one")
        .await
        .unwrap();
    let mut less = files(&[("observed/a/oam.yaml", "2\n")]);
    less.whole = vec!["observed/a".to_owned()];
    repository
        .commit_files("planebot-history", &less, "two")
        .await
        .unwrap();
    let left = fixture.people(|at| at.files_at("planebot-history"));
    assert_eq!(
        left,
        files(&[
            ("observed/a/oam.yaml", "2\n"),
            ("observed/b/oam.yaml", "1\n")
        ])
        .files
    );
}

#[tokio::test]
async fn two_commits_at_the_same_time_both_keep_their_files() {
    let fixture = lab_fixture().await;
    let repository = &fixture.repository;
    let (left, right) = (files(&[("a", "1\n")]), files(&[("b", "2\n")]));
    let (one, two) = tokio::join!(
        repository.commit_files("planebot-history", &left, "left"),
        repository.commit_files("planebot-history", &right, "right"),
    );
    one.unwrap();
    two.unwrap();
    assert_eq!(
        fixture.people(|at| at.files_at("planebot-history")).len(),
        2
    );
    assert_eq!(fixture.people(|at| at.log("planebot-history")).len(), 2);
}
