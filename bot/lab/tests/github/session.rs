//! A GitHub with a repository and users, which records all exchanges.

use lab::github::{LabGitHub, RepositoryActions, RepositoryPermission};
use lab::wire::{LabRequest, LabResponse, pairs};
use serde_json::{Value, json};

pub(crate) const HOME: &str = "/repos/acme/network";
/// The lab accepts anything with the shape of a JSON Web Token as the app.
pub(crate) const CLAIM: &str = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOjF9.c2ln";

pub(crate) struct Session {
    pub(crate) hub: LabGitHub,
    pub(crate) exchanges: Vec<Value>,
}

impl Session {
    pub(crate) fn begin() -> Self {
        let mut hub = LabGitHub::new("bot");
        hub.set_webhook("http://127.0.0.1:9/webhook", "secret");
        hub.create_organization("acme", &["olga"]);
        hub.add_team_member("acme", "operators", "alice");
        hub.invite("acme", "operators", "ivan");
        hub.add_user("mallory");
        let mut at = hub.create_repository("acme/network", true);
        at.grant_team("operators", RepositoryPermission::Write);
        at.grant("rita", RepositoryPermission::Triage);
        let files = [
            ("README.md", Some("# Network\n")),
            ("topology/oam.yaml", Some("vlan: 10\nmtu: 1500\n")),
        ];
        at.commit_files("alice", "main", "Begin", &files)
            .expect("alice may push");
        Self {
            hub,
            exchanges: vec![],
        }
    }

    pub(crate) fn at(&mut self) -> RepositoryActions<'_> {
        self.hub.at("acme/network")
    }

    pub(crate) fn raw(
        &mut self,
        token: &str,
        method: &str,
        path: &str,
        body: &Value,
        headers: &[(&str, &str)],
    ) -> LabResponse {
        let (only, query) = path.split_once('?').unwrap_or((path, ""));
        let mut all = vec![
            ("user-agent", "a test"),
            ("accept", "application/vnd.github+json"),
            ("x-github-api-version", "2022-11-28"),
        ];
        let bearer = format!("Bearer {token}");
        if !token.is_empty() {
            all.push(("authorization", &bearer));
        }
        all.retain(|(name, _)| !headers.iter().any(|(other, _)| name == other));
        all.extend(headers);
        let request = LabRequest {
            method: method.to_owned(),
            path: only.to_owned(),
            query: pairs(query),
            headers: all
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            body: if body.is_null() {
                vec![]
            } else {
                body.to_string().into_bytes()
            },
            now: 0,
        };
        let response = self.hub.answer(&request);
        let shown = |pairs: &[(String, String)]| -> Value {
            pairs
                .iter()
                .map(|(name, value)| (name.clone(), json!(value)))
                .collect::<serde_json::Map<_, _>>()
                .into()
        };
        let text = || json!(String::from_utf8_lossy(&response.body));
        let mut line = json!({
            "method": method, "path": path, "request_headers": shown(&request.headers), "status": response.status,
            "response_headers": shown(&response.headers),
        });
        if !body.is_null() {
            line["request_body"] = body.clone();
        }
        if !response.body.is_empty() {
            line["response_body"] =
                serde_json::from_slice(&response.body).unwrap_or_else(|_| text());
        }
        self.exchanges.push(line);
        response
    }

    /// Sends a request as the bot and expects this status.
    pub(crate) fn bot(&mut self, status: u16, method: &str, path: &str, body: &Value) -> Value {
        let token = self.hub.bot_token();
        self.request_as(&token, status, method, (path, body))
    }

    pub(crate) fn request_as(
        &mut self,
        token: &str,
        status: u16,
        method: &str,
        (path, body): (&str, &Value),
    ) -> Value {
        let path = if path.starts_with('/') {
            path.to_owned()
        } else {
            format!("{HOME}/{path}")
        };
        let path = path.trim_end_matches('/').to_owned();
        let response = self.raw(token, method, &path, body, &[]);
        let text = String::from_utf8_lossy(&response.body).into_owned();
        assert_eq!(response.status, status, "{method} {path}: {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    pub(crate) fn get(&mut self, path: &str) -> Value {
        self.bot(200, "GET", path, &Value::Null)
    }

    pub(crate) fn post(&mut self, path: &str, body: &Value) -> Value {
        self.bot(201, "POST", path, body)
    }
}

pub(crate) fn sha(value: &Value) -> String {
    value["sha"].as_str().expect("it has a sha").to_owned()
}
