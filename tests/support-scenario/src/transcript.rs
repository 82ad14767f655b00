//! The transcript: what people, the bot and MAAS did, one action after the other.
//!
//! GitHub's own log of webhooks tells who pushed, opened, merged and commented, so the transcript shows what took effect
//! and not what was tried. Checks, reactions and MAAS writes come from the requests, because no webhook reports each of
//! them; a request that GitHub was told to fail says so.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use journal::{Delivery, Stored};
use lab::github::LabGitHub;
use lab::maas::HttpFault;
use lab::wire::{LabRequest, pairs};
use serde_json::Value;

const BOT: &str = "planebot";

/// Collects what no webhook reports, and reads the webhooks when it is asked for the transcript.
#[derive(Default)]
pub(crate) struct Recorder {
    github: OnceLock<Arc<Mutex<LabGitHub>>>,
    state: Mutex<RecorderState>,
}

#[derive(Default)]
struct RecorderState {
    /// The last webhook before the action, and its line.
    noted: Vec<(u64, String)>,
    /// Webhooks up to this one belong to the preparation.
    begin: u64,
    /// How many lines [`Recorder::since_last`] has returned.
    shown: usize,
}

impl Recorder {
    /// The transcript begins here.
    pub(crate) fn begin(&self, github: Arc<Mutex<LabGitHub>>) {
        let begin = last_webhook(&github);
        self.state().begin = begin;
        assert!(self.github.set(github).is_ok(), "begun twice");
    }

    /// An action that GitHub reports in no webhook.
    pub(crate) fn note(&self, who: &str, what: &str) {
        let last = self.github.get().map_or(0, last_webhook);
        self.state().noted.push((last, line(who, what)));
    }

    /// A webhook that the test delivers itself.
    pub(crate) fn delivered(&self, delivery: &Delivery, stored: Stored) {
        let body: Value = serde_json::from_str(&delivery.body).unwrap();
        let action = body["action"].as_str().unwrap_or_default();
        let about = body["comment"]["body"].as_str().map(first_line);
        let about = about.map_or_else(String::new, |text| format!(" `{text}`"));
        let known = match stored {
            Stored::New => "",
            Stored::Duplicate => ", and is known already",
        };
        let event = &delivery.event;
        self.note(
            "GitHub",
            &format!("{event} {action}{about} is delivered by hand{known}").replace("  ", " "),
        );
    }

    /// A check or a reaction of the bot; other requests are left out.
    pub(crate) fn github_request(&self, request: &LabRequest, fault: HttpFault) {
        if request.method == "GET" {
            return;
        }
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let what = if request.path.contains("/check-runs") {
            let state = body["conclusion"].as_str().or(body["status"].as_str());
            let title = body["output"]["title"].as_str().unwrap_or_default();
            format!("sets the check to {}: {title}", state.unwrap_or_default())
        } else if request.path.ends_with("/reactions") {
            let content = body["content"].as_str().unwrap_or_default();
            format!("reacts with {content}")
        } else {
            return;
        };
        let failed = if fault == HttpFault::None {
            String::new()
        } else {
            format!(" ({fault:?})")
        };
        self.note(BOT, &format!("{what}{failed}"));
    }

    pub(crate) fn maas_write(&self, request: &LabRequest) {
        let path = request.path.split("/api/2.0/").last().unwrap_or_default();
        let mut fields: Vec<String> = pairs(&String::from_utf8_lossy(&request.body))
            .into_iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        fields.sort();
        let what = format!("{} {path} {}", request.method, fields.join(" "));
        self.note("MAAS", what.trim_end());
    }

    pub(crate) fn transcript(&self) -> String {
        self.lines().concat()
    }

    pub(crate) fn since_last(&self) -> String {
        let lines = self.lines();
        let from = std::mem::replace(&mut self.state().shown, lines.len());
        lines[from..].concat()
    }

    /// Both logs, in the order in which things happened.
    fn lines(&self) -> Vec<String> {
        let github = self.github.get().expect("begun");
        let github = github.lock().unwrap_or_else(PoisonError::into_inner);
        let state = self.state();
        let mut noted = state.noted.iter().peekable();
        let mut lines = Vec::new();
        for webhook in github.deliveries() {
            while let Some((_, line)) = noted.next_if(|(last, _)| *last < webhook.id) {
                lines.push(line.clone());
            }
            if webhook.id <= state.begin || webhook.redelivery {
                continue;
            }
            let body: Value = serde_json::from_slice(&webhook.body).unwrap();
            lines.extend(reported(webhook.event, &body));
        }
        lines.extend(noted.map(|(_, line)| line.clone()));
        lines
    }

    fn state(&self) -> MutexGuard<'_, RecorderState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn last_webhook(github: &Arc<Mutex<LabGitHub>>) -> u64 {
    let github = github.lock().unwrap_or_else(PoisonError::into_inner);
    github.deliveries().last().map_or(0, |one| one.id)
}

/// What a webhook reports, as a line; `None` where another part of the transcript has it.
fn reported(event: &str, body: &Value) -> Option<String> {
    let who = body["sender"]["login"].as_str().unwrap_or_default();
    let who = who.trim_end_matches("[bot]");
    let action = body["action"].as_str().unwrap_or_default();
    let what = match event {
        "push" => pushed(body),
        "pull_request" => {
            let pull = &body["pull_request"];
            let (number, merged) = (&body["number"], pull["merged"] == true);
            match action {
                "synchronize" => return None, // the push stands before it
                "opened" => {
                    let label = |end: &str| pull[end]["label"].as_str().unwrap_or_default();
                    let (from, to) = (label("head"), label("base"));
                    let from = from.trim_start_matches("acme:");
                    format!(
                        "opens #{number} from {from} to {}",
                        to.trim_start_matches("acme:")
                    )
                }
                "closed" if merged => format!("merges #{number}"),
                "closed" => format!("closes pull request #{number}"),
                "edited" => {
                    let base = pull["base"]["ref"].as_str().unwrap_or_default();
                    format!("edits #{number}, with the base {base}")
                }
                other => format!("{other} #{number}"),
            }
        }
        "issue_comment" => {
            let number = &body["issue"]["number"];
            let text = decisive(who, body["comment"]["body"].as_str().unwrap_or_default());
            match action {
                "created" => format!("comments on #{number}: {text}"),
                "edited" => format!("edits a comment on #{number}: {text}"),
                "deleted" => format!("deletes a comment on #{number}"),
                other => format!("{other} a comment on #{number}"),
            }
        }
        "check_run" if action == "rerequested" => "asks for the check again".to_owned(),
        _ => return None,
    };
    Some(line(who, &what))
}

fn pushed(body: &Value) -> String {
    let branch = body["ref"].as_str().unwrap_or_default();
    let branch = branch.trim_start_matches("refs/heads/");
    let mut files: Vec<String> = Vec::new();
    for commit in body["commits"].as_array().into_iter().flatten() {
        for (kind, sign) in [("added", "+"), ("modified", "~"), ("removed", "-")] {
            for path in commit[kind].as_array().into_iter().flatten() {
                let file = format!("{sign}{}", path.as_str().unwrap_or_default());
                if !files.contains(&file) {
                    files.push(file);
                }
            }
        }
    }
    if branch == "planebot-history" {
        files.retain(|file| file.ends_with("run.json"));
    }
    let forced = if body["forced"] == true { "force-" } else { "" };
    format!("{forced}pushes to {branch} {}", files.join(" "))
}

/// A person's comment up to its end of line; of the bot's comment the lines that say what is so and what happens next.
fn decisive(who: &str, text: &str) -> String {
    if who != BOT {
        return first_line(text).to_owned();
    }
    let mut lines = text.lines().filter(|line| !line.is_empty()).peekable();
    let title = lines.next().unwrap_or_default().trim_start_matches("### ");
    let mut kept = vec![title];
    let is_reason = |line: &&str| {
        line.starts_with(|c: char| c.is_alphanumeric() || c == '`')
            && !line.starts_with("```")
            && !line.starts_with("Started by")
    };
    kept.extend(lines.next_if(is_reason));
    let mut folded = false;
    while let Some(line) = lines.next() {
        let tag = line.trim_start();
        folded = (folded || tag.starts_with("<details>")) && !tag.starts_with("</details>");
        if line == "```text" && !folded {
            kept.extend(lines.next());
        } else if is_decisive(line) {
            kept.push(line);
        }
    }
    kept.join("\n           ")
}

/// Changes, warnings, closed gates, steps done, and the next step. Left out are tables, what a gate asks for, gates that
/// are open or not checked, and each proof, whose number depends on the time it takes.
fn is_decisive(line: &str) -> bool {
    const KEPT: [&str; 6] = ["*Next:*", "/apply ", "+ ", "! ", "- ", "> "];
    const LEFT_OUT: [&str; 6] = ["- ✅", "- –", "- (", "- [x] proof", "> [", "> - "];
    KEPT.iter().any(|start| line.starts_with(start))
        && !LEFT_OUT.iter().any(|start| line.starts_with(start))
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

fn line(who: &str, what: &str) -> String {
    format!("{who:<9}{}\n", stable(what).trim_end())
}

/// Text without what differs from run to run: times, ports and commits, whose hashes contain their time. The digests of
/// plans stay.
fn stable(text: &str) -> String {
    let mut text = text.to_owned();
    for (pattern, name) in [
        ("dddd-dd-ddTddddddZ", "TIME"),
        ("dddd-dd-dd dd:dd:ddZ", "TIME"),
        ("127.0.0.1:ddddd", "HOST"),
        ("hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh", "COMMIT"),
        ("hhhhhhhhhh", "COMMIT"),
    ] {
        text = replaced(&text, pattern, name);
    }
    text
}

/// Replaces each whole word that fits the pattern: `d` is a digit, `h` a hexadecimal digit, and the rest itself.
fn replaced(text: &str, pattern: &str, name: &str) -> String {
    let length = pattern.len();
    let fits = |word: &str| {
        word.chars().zip(pattern.chars()).all(|(c, p)| match p {
            'd' => c.is_ascii_digit(),
            'h' => c.is_ascii_hexdigit(),
            _ => c == p,
        })
    };
    let mut out = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let joined = out.ends_with(|c: char| c.is_ascii_alphanumeric());
        let word = rest.get(..length).filter(|word| word.is_ascii());
        let ends = !rest
            .get(length..)
            .is_some_and(|after| after.starts_with(|c: char| c.is_ascii_alphanumeric()));
        if !joined && ends && word.is_some_and(&fits) {
            out.push_str(name);
            rest = &rest[length..];
        } else {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    out
}
