//! The reference story, with this program as the service; and the README's transcript, held to it.

use std::process::Command;

/// Digests and commits differ from run to run.
fn settled(line: &str) -> String {
    let word = |word: &str| {
        let hex = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_hexdigit());
        let digest = word.split_once('-').is_some_and(|(head, tail)| {
            head.len() == 4 && tail.len() == 4 && hex(head) && hex(tail)
        });
        if digest || (word.len() == 10 && hex(word)) {
            "…".to_owned()
        } else {
            word.to_owned()
        }
    };
    line.trim()
        .trim_end_matches(" (edited)")
        .split(' ')
        .map(word)
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn the_story_keeps_every_promise_and_reads_as_the_readme_shows() {
    let ran = Command::new(env!("CARGO_BIN_EXE_planebot"))
        .args(["lab", "--story", "d058"])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&ran.stdout).into_owned();
    assert!(
        ran.status.success(),
        "{told}\n{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    assert!(told.contains(" invariants held, 0 broken"), "{told}");
    let readme =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../README.md")).unwrap();
    let shown = readme
        .split("```text\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next())
        .unwrap();
    let told: Vec<String> = told.lines().map(settled).collect();
    let mut from = 0;
    for line in shown.lines().map(settled) {
        let place = told[from..].iter().position(|told| *told == line);
        from += place.unwrap_or_else(|| {
            unreachable!("the story does not say, after what the README shows before it: {line}")
        }) + 1;
    }
}
