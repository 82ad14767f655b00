use super::*;

fn command(text: &str) -> Command {
    parse(text)
        .unwrap_or_else(|| panic!("{text:?} is conversation"))
        .unwrap_or_else(|why| panic!("{text:?}: {why}"))
}

fn misspelt(text: &str) -> Misspelt {
    match parse(text) {
        Some(Err(why)) => why,
        other => panic!("{text:?} is {other:?}"),
    }
}

#[track_caller]
fn conversation(text: &str) {
    assert_eq!(parse(text), None, "{text:?}");
}

#[test]
fn a_command_is_a_whole_comment() {
    assert_eq!(command("/plan"), Command::Plan);
    assert_eq!(command("/apply"), Command::Apply(None));
    assert_eq!(
        command("/apply 7f3a-91c2"),
        Command::Apply(ShortDigest::parse("7f3a-91c2"))
    );
    assert_eq!(
        command("/done teardown"),
        Command::Done {
            gate: GateName::Teardown,
            evidence: None
        }
    );
    assert_eq!(
        command("/done jumphost moved, see ticket NET-12"),
        Command::Done {
            gate: GateName::Jumphost,
            evidence: Some("moved, see ticket NET-12".to_owned())
        }
    );
    assert_eq!(command("/abort"), Command::Abort);
    assert_eq!(command("/status"), Command::Status);
    assert_eq!(
        command("/why subnet 10.0.0.0/24"),
        Command::Why("subnet 10.0.0.0/24".to_owned())
    );
    assert_eq!(command("/help"), Command::Help);
}

#[test]
fn every_listed_word_is_a_command() {
    for word in WORDS {
        let line = match word {
            "done" => "/done vacate".to_owned(),
            "why" => "/why it".to_owned(),
            _ => format!("/{word}"),
        };
        assert_eq!(command(&line).word(), word);
    }
}

#[test]
fn trailing_whitespace_and_line_ends_are_ignored() {
    for text in ["/apply\n", "/apply\r\n", "/apply  ", "/apply \t\r\n\r\n"] {
        assert_eq!(command(text), Command::Apply(None), "{text:?}");
    }
}

#[test]
fn typos_are_answered_with_the_closest_command() {
    for (text, meant) in [
        ("/aply", "apply"),
        ("/Apply", "apply"),
        ("/APPLY 7f3a-91c2", "apply"),
        ("/appyl", "apply"),
        ("/plna", "plan"),
        ("/satus", "status"),
        ("/doen teardown", "done"),
        ("/halp", "help"),
        ("/abrt", "abort"),
        ("/Why", "why"),
    ] {
        assert!(
            matches!(misspelt(text), Misspelt::Nearly { meant: closest, .. } if closest == meant),
            "{text}"
        );
    }
    for text in [
        "/lgtm",
        "/assign @bob",
        "/retest",
        "/hold",
        "/merge",
        "/etc/passwd",
        "/",
        "//plan",
        "/who",
        "/cc @alice",
        "/label bug",
        "/approve",
    ] {
        conversation(text);
    }
}

#[test]
fn a_missing_argument_is_named() {
    assert_eq!(
        misspelt("/done").to_string(),
        "`/done` needs the name of a gate"
    );
    assert_eq!(
        misspelt("/why").to_string(),
        "`/why` needs the name of an object"
    );
    let no_gate = misspelt("/done gate").to_string();
    for gate in GateName::ALL {
        assert!(no_gate.contains(gate.word()), "{no_gate}");
    }
}

/// Threat 23: commands that Markdown renders as something else.
#[test]
fn threat_23_a_command_inside_markdown_is_conversation() {
    for text in [
        "`/apply`",
        "``/apply``",
        "```\n/apply\n```",
        "~~~\n/apply\n~~~",
        "    /apply",
        "\t/apply",
        "> /apply",
        ">/apply 7f3a-91c2",
        "- /apply",
        "* /apply",
        "1. /apply",
        "- [ ] /apply",
        "| /apply |\n|---|",
        "[/apply](https://example.org)",
        "![/apply](https://example.org/x.png)",
        "[x]: https://example.org \"/apply\"",
        "# /apply",
        "**/apply**",
        "_/apply_",
        "~~/apply~~",
        "<details>\n/apply\n</details>",
        "<details>\n\n/apply\n\n</details>",
        "<!-- /apply -->",
        "<!--\n/apply\n-->",
        "[^1]: /apply",
        "\\/apply",
        "&#47;apply",
        "<b>/apply</b>",
        " /apply",
    ] {
        conversation(text);
    }
}

/// Threat 24: a command next to other text.
#[test]
fn threat_24_a_command_next_to_other_text_is_not_a_command() {
    for text in [
        "/plan\n/apply",
        "/apply\n/abort",
        "/apply\n\nthanks",
        "/apply\n<!-- hidden -->",
        "/apply\r/abort",
        "/apply\n```\n```",
    ] {
        assert!(
            matches!(misspelt(text), Misspelt::NotAlone { .. }),
            "{text:?}"
        );
    }
    for text in [
        "/apply 7f3a-91c2 please",
        "/apply 7f3a-91c2 /abort",
        "/apply please do",
        "/plan now",
        "/abort 7f3a-91c2",
        "/status?  yes",
        "/help me",
        "/plan /apply",
    ] {
        if text.starts_with("/status") {
            conversation(text);
        } else {
            assert!(
                matches!(misspelt(text), Misspelt::TooMuch { .. }),
                "{text:?}"
            );
        }
    }
    for text in [
        "please /apply",
        "let us\n/apply",
        "\n/apply",
        "\r\n/apply",
        "@planebot /apply",
        "/apply/plan",
        "/apply;/abort",
        "/apply, thanks",
        "/apply.",
        "/apply&&/plan",
    ] {
        conversation(text);
    }
}

/// Threat 25: invisible and look-alike characters. The reply names the code point.
#[test]
fn threat_25_odd_characters_are_refused_and_named() {
    for (text, code) in [
        ("\u{200b}/apply", "U+200B"),
        ("/\u{200b}apply", "U+200B"),
        ("/app\u{200d}ly", "U+200D"),
        ("/apply\u{feff}", "U+FEFF"),
        ("\u{feff}/apply", "U+FEFF"),
        ("/apply\u{ad}", "U+00AD"),
        ("/apply\u{a0}7f3a-91c2", "U+00A0"),
        ("\u{a0}/apply", "U+00A0"),
        ("/apply\u{3000}7f3a-91c2", "U+3000"),
        ("\u{202e}/apply", "U+202E"),
        ("/apply\u{202e}2c19-a3f7", "U+202E"),
        ("/\u{2066}apply\u{2069}", "U+2066"),
        ("/apply\u{e0041}\u{e0042}", "U+E0041"),
        ("/apply\u{fe0f}", "U+FE0F"),
        ("／apply", "U+FF0F"),
        ("⁄apply", "U+2044"),
        ("∕apply", "U+2215"),
        ("/ａｐｐｌｙ", "U+FF41"),
        ("/аpply", "U+0430"),
        ("/apрly", "U+0440"),
        ("/αpply", "U+03B1"),
        ("/app\u{301}ly", "U+0301"),
        ("/𝐚𝐩𝐩𝐥𝐲", "U+1D41A"),
        ("/apply 7f3а-91c2", "U+0430"),
        ("/apply 7f3a–91c2", "U+2013"),
        ("/apply\t7f3a-91c2", "U+0009"),
        ("/apply\0", "U+0000"),
        ("/apply \u{1b}[31m", "U+001B"),
        ("/done teardown \u{202e}", "U+202E"),
        ("/apply\u{b}", "U+000B"),
        ("/apply\u{85}", "U+0085"),
        ("/apply\u{2028}/abort", "U+2028"),
    ] {
        let why = misspelt(text);
        assert!(
            matches!(why, Misspelt::OddCharacter { .. }) && why.to_string().contains(code),
            "{text:?}: {why}"
        );
    }
    for text in [
        "schön, /apply später",
        "`／apply`",
        "Привет",
        "／etc／passwd",
        "🚀",
        "    ／apply",
        "> ／apply",
    ] {
        conversation(text);
    }
}

/// Threat 26: comments as long as GitHub allows.
#[test]
fn threat_26_long_comments_are_parsed_quickly_and_are_not_commands() {
    let lines = "/apply\n".repeat(10_000);
    assert!(matches!(misspelt(&lines), Misspelt::NotAlone { .. }));
    let wide = format!("/apply {}", "7".repeat(65_529));
    assert_eq!(misspelt(&wide), Misspelt::TooLong);
    let blank = format!("/apply{}x", " ".repeat(65_529));
    assert_eq!(misspelt(&blank), Misspelt::TooLong);
    conversation(&"ä".repeat(32_768));
    conversation(&"/".repeat(65_536));
    conversation(&"\u{200b}".repeat(20_000));
    assert_eq!(
        command(&format!("/apply{}", "\n".repeat(60_000))),
        Command::Apply(None)
    );
}

/// Threat 29: a digest is exact.
#[test]
fn threat_29_a_malformed_or_short_digest_is_refused() {
    for digest in [
        "7f3a",
        "7f3a-91c",
        "7f3a91c2",
        "7f3a-91c2-",
        "-7f3a91c2",
        "7f3g-91c2",
        "7f3a-91c22",
        "latest",
        "HEAD",
        "*",
        "7f3a_91c2",
    ] {
        assert_eq!(
            misspelt(&format!("/apply {digest}")),
            Misspelt::NotADigest,
            "{digest}"
        );
    }
}

/// Threat 30: digests with look-alike characters.
#[test]
fn threat_30_confusable_digests_are_refused() {
    for digest in [
        "7F3A-91C2",
        "0x7f3a-91c2",
        "7f3a-91C2",
        "\"7f3a-91c2\"",
        "`7f3a-91c2`",
        "#7f3a-91c2",
        "7f3a-9lc2",
        "7f3a-91cO",
    ] {
        assert_eq!(
            misspelt(&format!("/apply {digest}")),
            Misspelt::NotADigest,
            "{digest}"
        );
    }
    for line in [
        "/apply 7f3a -91c2",
        "/apply 7f3a- 91c2",
        "/apply 7 f 3 a - 9 1 c 2",
    ] {
        assert!(matches!(misspelt(line), Misspelt::TooMuch { .. }), "{line}");
    }
}
