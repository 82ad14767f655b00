//! Replays recorded exchanges against the lab's MAAS. Each sequence starts with a fresh scenario.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use lab::maas::LabMaas;
use lab::wire::LabResponse;
use serde_json::Value;

use super::compare::Comparison;
use super::ids::{Ids, Place, table};
use super::requests::{Keys, request};

const READS: [&str; 11] = [
    "fabrics",
    "spaces",
    "subnets",
    "ipranges",
    "static-routes",
    "reservedips",
    "dnsresources",
    "machines",
    "devices",
    "rackcontrollers",
    "regioncontrollers",
];

/// The result of one topic: the number of matching exchanges, and the differences by `TOPIC/EXCHANGE`.
#[derive(Debug, Default)]
pub(crate) struct TopicResult {
    pub(crate) agree: usize,
    pub(crate) differ: BTreeMap<String, Vec<String>>,
}

pub(crate) fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests")
}

pub(crate) fn read(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).expect("the file is there");
    serde_json::from_str(&text).expect("it is JSON")
}

/// Files of a folder that end in `.json`, sorted.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("the folder is there");
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
        .collect();
    files.sort();
    files
}

/// Replays one topic of one version.
pub(crate) fn topic(path: &Path, version: &str) -> TopicResult {
    let mut outcome = TopicResult::default();
    let name = path
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let exchanges = read(path);
    let scenario = std::fs::read_to_string(project().join("recordings/scenario.json"))
        .expect("the scenario is there");
    let fresh = LabMaas::load(&scenario, Some(version)).expect("the scenario loads");
    let mut replay: Option<Replay> = None;
    for exchange in exchanges.as_array().into_iter().flatten() {
        if replay.is_none() || exchange["reset"] == true {
            replay = Some(Replay::new(fresh.clone(), path, version));
        }
        let Some(replay) = &mut replay else { continue };
        let Some(differences) = replay.play(exchange) else {
            continue;
        };
        if differences.is_empty() {
            outcome.agree += 1;
        } else {
            let id = exchange["id"].as_str().unwrap_or_default();
            outcome.differ.insert(format!("{name}/{id}"), differences);
        }
    }
    outcome
}

struct Replay {
    maas: LabMaas,
    keys: Keys,
    ids: Ids,
}

impl Replay {
    /// Starts with the scenario and pairs its identifiers with the recorded ones.
    fn new(maas: LabMaas, path: &Path, version: &str) -> Self {
        let keys = Keys {
            admin: maas.api_key("admin").expect("there is an admin"),
            alice: maas.api_key("alice"),
            nonce: 0,
        };
        let mut replay = Self {
            maas,
            keys,
            ids: Ids::default(),
        };
        let known = project()
            .join("recordings")
            .join(version)
            .join("10-reads.json");
        let known = if known.exists() {
            known
        } else {
            path.with_file_name("10-reads.json")
        };
        if known.exists() {
            replay.introduce(&read(&known));
        }
        replay
    }

    fn introduce(&mut self, reads: &Value) {
        for name in READS {
            let all = reads.as_array().into_iter().flatten();
            let Some(exchange) = all
                .filter(|exchange| exchange["id"] == name)
                .find(|exchange| exchange["response"]["status"] == 200)
            else {
                continue;
            };
            let asked = serde_json::json!({"method": "GET", "path": format!("/MAAS/api/2.0/{name}/"), "auth": "admin"});
            let request = request(&asked, &self.ids, &mut self.keys).expect("a plain read");
            let answer = body(&self.maas.answer(&request));
            self.compare(&exchange["response"]["body"], &answer);
        }
    }

    fn compare(&mut self, recorded: &Value, here: &Value) -> Vec<String> {
        let mut comparison = Comparison {
            ids: &mut self.ids,
            differences: Vec::new(),
        };
        comparison.walk(recorded, here, "");
        comparison.differences
    }

    /// Replays an exchange and returns the differences; `None` if it is not replayed.
    fn play(&mut self, exchange: &Value) -> Option<Vec<String>> {
        let request = request(&exchange["request"], &self.ids, &mut self.keys)?;
        let answer = self.maas.answer(&request);
        let recorded = &exchange["response"];
        let mut differences = Vec::new();
        let content = body(&answer);
        if recorded["status"] != answer.status {
            differences.push(format!(
                "status {} / {}: {}",
                recorded["status"], answer.status, content
            ));
        } else if request.method != "HEAD" {
            let kind = header(&answer, "content-type").unwrap_or_default();
            let recorded_kind = recorded["headers"]["content-type"]
                .as_str()
                .unwrap_or_default();
            let shapes = (
                shape(recorded_kind, &recorded["body"]),
                shape(kind, &content),
            );
            if answer.status != 204 && shapes.0 != shapes.1 {
                differences.push(format!("content {} / {}", shapes.0, shapes.1));
            }
            let again = recorded["headers"].get("retry-after").is_some();
            if again != header(&answer, "retry-after").is_some() {
                differences.push("Retry-After".to_owned());
            }
            if exchange["compare"] != "status" && shapes.0 != "html" {
                differences.extend(self.compare(&recorded["body"], &content));
            }
        }
        if request.method == "DELETE" && answer.status == 204 {
            let path = exchange["request"]["path"].as_str().unwrap_or_default();
            if let Some(Place::Object { kind, id }) = Place::read(path) {
                self.ids.forget(table(&kind), &id);
            }
        }
        Some(differences)
    }
}

pub(crate) fn header<'a>(answer: &'a LabResponse, name: &str) -> Option<&'a str> {
    let found = answer.headers.iter().find(|(key, _)| key == name);
    found.map(|(_, value)| value.as_str())
}

/// The body as JSON if the content type says so, else as text.
fn body(answer: &LabResponse) -> Value {
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    let json = header(answer, "content-type").is_some_and(|kind| kind.contains("json"));
    let read = json.then(|| serde_json::from_str(&text).ok()).flatten();
    read.unwrap_or(Value::String(text))
}

fn shape(kind: &str, body: &Value) -> &'static str {
    let kind = kind.split(';').next().unwrap_or_default();
    let text = body.as_str().unwrap_or_default();
    if kind.contains("json") {
        "json"
    } else if kind.contains("html") && text.chars().take(200).any(|c| c == '<') {
        "html"
    } else {
        "text"
    }
}
