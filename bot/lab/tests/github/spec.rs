//! GitHub's API description: finds the operation of a request, and validates the request and the answer.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::rc::Rc;

use jsonschema::Validator;
use serde_json::{Map, Value, json};

/// The description and the overlay. Schemas are compiled when they are needed.
pub(crate) struct Spec {
    all: Value,
    overlay: Value,
    compiled: RefCell<BTreeMap<String, Rc<Validator>>>,
}

/// The findings for one exchange.
#[derive(Default)]
pub(crate) struct Findings {
    pub(crate) operation: String,
    /// Errors in the request.
    pub(crate) request: Vec<String>,
    /// Errors in the answer.
    pub(crate) answer: Vec<String>,
}

/// Path parameters that may contain slashes.
const WIDE: [&str; 6] = [
    "{path}",
    "{ref}",
    "{basehead}",
    "{branch}",
    "{name}",
    "{tree_sha}",
];

impl Spec {
    /// Reads both files of this folder.
    pub(crate) fn read() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/github");
        let file = |name: &str| {
            let text =
                std::fs::read_to_string(folder.join(name)).expect("the file is beside this test");
            serde_json::from_str(&text).expect("the file is JSON")
        };
        Self {
            all: file("github.schemas.json"),
            overlay: file("overlay.json"),
            compiled: RefCell::default(),
        }
    }

    /// The ids of all operations of the description.
    pub(crate) fn operations(&self) -> BTreeSet<String> {
        self.each("operations")
            .filter_map(|one| one["id"].as_str())
            .map(str::to_owned)
            .collect()
    }

    fn each(&self, name: &str) -> impl Iterator<Item = &Value> {
        self.all[name].as_array().into_iter().flatten()
    }

    /// Finds the operation of an exchange and validates it.
    pub(crate) fn exchange(&self, exchange: &Value) -> Findings {
        let text = |field: &str| exchange[field].as_str().unwrap_or_default();
        let (path, query) = text("path").split_once('?').unwrap_or((text("path"), ""));
        let fitting = self
            .each("operations")
            .enumerate()
            .filter(|(_, one)| one["method"] == exchange["method"]);
        let fitting = fitting.filter(|(_, one)| {
            fits(
                &parts(one["path"].as_str().unwrap_or_default()),
                &parts(path),
            )
        });
        let Some((at, operation)) = fitting.max_by_key(|(_, one)| one["literals"].as_u64()) else {
            return Findings {
                request: vec!["no such operation".to_owned()],
                ..Findings::default()
            };
        };
        let mut wrong = vec![];
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let name = pair.split('=').next().unwrap_or_default();
            if !operation["query"]
                .as_array()
                .into_iter()
                .flatten()
                .any(|known| known["name"] == name)
            {
                wrong.push(format!("unknown query parameter {name}"));
            }
        }
        if !exchange["request_body"].is_null() && !operation["request"].is_null() {
            wrong.extend(self.check(
                &format!("/operations/{at}/request"),
                &exchange["request_body"],
            ));
            wrong.extend(self.overlaid(&operation["id"], &exchange["request_body"]));
        }
        Findings {
            operation: operation["id"].as_str().unwrap_or_default().to_owned(),
            request: wrong,
            answer: self.answered(at, operation, exchange),
        }
    }

    fn answered(&self, at: usize, operation: &Value, exchange: &Value) -> Vec<String> {
        let status = exchange["status"].to_string();
        let answer = &exchange["response_body"];
        match operation["responses"].get(&status) {
            Some(Value::Null) if answer.is_null() => vec![],
            Some(Value::Null) => vec![format!("{status} has no body in the description")],
            Some(_) if answer.is_string() => vec![], // raw
            Some(_) => self.check(&format!("/operations/{at}/responses/{status}"), answer),
            None if exchange["status"].as_u64() < Some(400) => {
                vec![format!("{status} is not described")]
            }
            None => self.check("/$defs/basic-error", answer),
        }
    }

    fn overlaid(&self, operation: &Value, body: &Value) -> Vec<String> {
        let rules = self.overlay["requests"].as_array().into_iter().flatten();
        let rules = rules.filter(|rule| {
            rule["ops"]
                .as_array()
                .is_some_and(|all| all.contains(operation))
        });
        rules
            .flat_map(|rule| {
                let rule =
                    jsonschema::validator_for(&rule["schema"]).expect("the overlay holds schemas");
                rule.iter_errors(body)
                    .map(|error| error.to_string())
                    .collect::<Vec<_>>()
            })
            .collect()
    }

    /// Errors in a webhook's payload.
    pub(crate) fn webhook(&self, event: &str, payload: &Value) -> Vec<String> {
        let of_action = |one: &Value| one["action"].is_null() || one["action"] == payload["action"];
        let found = self
            .each("webhooks")
            .position(|one| one["event"] == event && of_action(one));
        match found {
            Some(at) => self.check(&format!("/webhooks/{at}/schema"), payload),
            None => vec![format!("no webhook {event} {}", payload["action"])],
        }
    }

    fn check(&self, pointer: &str, value: &Value) -> Vec<String> {
        let validator = self.validator(pointer);
        let errors = validator.iter_errors(value);
        errors
            .map(|error| format!("{}: {:.200}", error.instance_path(), error.to_string()))
            .collect()
    }

    fn validator(&self, pointer: &str) -> Rc<Validator> {
        let build = || {
            let schema = self
                .all
                .pointer(pointer)
                .expect("the description has it")
                .clone();
            let mut definitions = Map::new();
            self.gather(&schema, &mut definitions);
            let whole =
                json!({"$schema": self.all["$schema"], "$defs": definitions, "allOf": [schema]});
            let built = jsonschema::options()
                .should_validate_formats(true)
                .with_format("uri", |_: &str| true) // may be empty
                .with_format("uri-template", |_: &str| true)
                .with_format("email", |_: &str| true)
                .build(&whole);
            Rc::new(built.expect("the description holds schemas"))
        };
        Rc::clone(
            self.compiled
                .borrow_mut()
                .entry(pointer.to_owned())
                .or_insert_with(build),
        )
    }

    /// Collects only the definitions that a schema refers to: compiling all of them each time is slow.
    fn gather(&self, schema: &Value, into: &mut Map<String, Value>) {
        if let Some(name) = schema["$ref"]
            .as_str()
            .and_then(|to| to.strip_prefix("#/$defs/"))
            && !into.contains_key(name)
        {
            let target = &self.all["$defs"][name];
            into.insert(name.to_owned(), target.clone());
            self.gather(target, into);
        }
        match schema {
            Value::Object(fields) => fields.values().for_each(|field| self.gather(field, into)),
            Value::Array(items) => items.iter().for_each(|item| self.gather(item, into)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
}

fn parts(path: &str) -> Vec<&str> {
    path.trim_start_matches('/').split('/').collect()
}

/// Whether a path matches a template. A wide parameter matches any number of segments.
fn fits(template: &[&str], path: &[&str]) -> bool {
    match (template, path) {
        ([], []) => true,
        ([wide, rest @ ..], _) if WIDE.contains(wide) => {
            (0..=path.len()).any(|taken| fits(rest, &path[taken..]))
        }
        ([first, rest @ ..], [part, path @ ..]) => {
            (first.starts_with('{') || first == part) && fits(rest, path)
        }
        ([], [_, ..]) | ([_, ..], []) => false,
    }
}
