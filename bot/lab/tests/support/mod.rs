//! Requests to a MAAS in memory, as a user of it.

use std::collections::BTreeMap;

use lab::maas::LabMaas;
use lab::wire::{LabRequest, pairs};
use serde_json::Value;

pub(crate) const VERSIONS: [&str; 2] = ["3.5.12", "3.7.3"];

/// A MAAS, who asks, and the clock.
pub(crate) struct Asked {
    maas: LabMaas,
    pub(crate) user: &'static str,
    pub(crate) now: i64,
    nonce: u32,
    /// The paths of machines by host name.
    machines: BTreeMap<String, String>,
}

impl Asked {
    pub(crate) fn of(layout: &Value, version: &str) -> Self {
        let maas = LabMaas::load(&layout.to_string(), Some(version)).expect("it loads");
        let mut asked = Self {
            maas,
            user: "admin",
            now: 1_800_000_000,
            nonce: 0,
            machines: BTreeMap::new(),
        };
        let (_, list) = asked.get("machines/");
        for node in list.as_array().into_iter().flatten() {
            let path = format!("machines/{}/", node["system_id"].as_str().expect("an id"));
            let host = node["hostname"].as_str().expect("a name").to_owned();
            asked.machines.insert(host, path);
        }
        asked
    }

    pub(crate) fn machine(&self, host: &str) -> String {
        self.machines[host].clone()
    }

    pub(crate) fn status_of(&mut self, host: &str) -> String {
        let (_, shown) = self.get(&self.machine(host));
        shown["status_name"].as_str().unwrap_or_default().to_owned()
    }

    pub(crate) fn interfaces(&self, host: &str) -> String {
        let machine = self.machine(host);
        let id = machine.trim_start_matches("machines/");
        format!("nodes/{id}interfaces/")
    }

    /// The id of an interface.
    pub(crate) fn interface(&mut self, host: &str, name: &str) -> String {
        let (_, list) = self.get(&self.interfaces(host));
        let mut rows = list.as_array().into_iter().flatten();
        let row = rows.find(|row| row["name"] == name).expect("it is there");
        row["id"].to_string()
    }

    pub(crate) fn links(&mut self, host: &str, name: &str) -> Value {
        let (_, list) = self.get(&self.interfaces(host));
        let mut rows = list.as_array().into_iter().flatten();
        let row = rows.find(|row| row["name"] == name);
        row.map_or(Value::Null, |row| row["links"].clone())
    }

    pub(crate) fn get(&mut self, path: &str) -> (u16, Value) {
        self.send("GET", path, "", "")
    }

    pub(crate) fn post(&mut self, path: &str, form: &str) -> (u16, Value) {
        self.send("POST", path, form, "application/x-www-form-urlencoded")
    }

    /// Sends a request, signed unless the user has no key.
    pub(crate) fn send(
        &mut self,
        method: &str,
        path: &str,
        body: &str,
        kind: &str,
    ) -> (u16, Value) {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let mut headers = vec![("host".to_owned(), "lab.test".to_owned())];
        if let Some(key) = self.maas.api_key(self.user) {
            self.nonce += 1;
            let mut parts = key.split(':');
            let mut part = || parts.next().unwrap_or_default().to_owned();
            headers.push((
                "authorization".to_owned(),
                format!(
                    "OAuth oauth_version=\"1.0\", oauth_signature_method=\"PLAINTEXT\", oauth_consumer_key=\"{}\", oauth_token=\"{}\", oauth_signature=\"%26{}\", oauth_nonce=\"n{}\", oauth_timestamp=\"{}\"",
                    part(), part(), part(), self.nonce, self.now
                ),
            ));
        }
        if !kind.is_empty() {
            headers.push(("content-type".to_owned(), kind.to_owned()));
        }
        let answer = self.maas.answer(&LabRequest {
            method: method.to_owned(),
            path: format!("/MAAS/api/2.0/{path}"),
            query: pairs(query),
            headers,
            body: body.as_bytes().to_vec(),
            now: self.now,
        });
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        (answer.status, body)
    }
}
