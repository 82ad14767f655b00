//! The reference demo, with this program as the service; and the README's transcript, compared with it.

use std::process::Command;

/// The line without what differs from run to run: digests and commits.
fn normalized(line: &str) -> String {
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
fn the_demo_keeps_every_promise_and_prints_what_the_readme_shows() {
    let ran = Command::new(env!("CARGO_BIN_EXE_planebot"))
        .args(["lab", "--story", "d058"])
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&ran.stdout).into_owned();
    assert!(
        ran.status.success(),
        "{printed}\n{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    assert!(printed.contains(" promises held, 0 broken"), "{printed}");
    let readme =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../README.md")).unwrap();
    let shown = readme
        .split("```text\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next())
        .unwrap();
    let printed: Vec<String> = printed.lines().map(normalized).collect();
    let mut from = 0;
    for line in shown.lines().map(normalized) {
        let found = printed[from..].iter().position(|printed| *printed == line);
        from += found.unwrap_or_else(|| {
            unreachable!("the demo does not print this line after the lines that the README shows before it: {line}")
        }) + 1;
    }
}
