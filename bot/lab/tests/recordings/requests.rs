//! Turns a recorded request into a request to the lab: credential, query, body.

use lab::wire::{LabRequest, decode, pairs};
use serde_json::{Map, Value};

use super::ids::{Ids, fields_here, path_here, plain};

/// The clock of every replay, in seconds since 1970: nothing depends on when a test runs.
pub(crate) const NOW: i64 = 1_800_000_000;

/// The users' API keys, and a counter for unique nonces.
pub(crate) struct Keys {
    pub(crate) admin: String,
    pub(crate) alice: Option<String>,
    pub(crate) nonce: u32,
}

/// A recorded request with the identifiers and credentials of the lab; `None` for a credential that is not replayed.
pub(crate) fn request(recorded: &Value, ids: &Ids, keys: &mut Keys) -> Option<LabRequest> {
    let empty = Map::new();
    let text = |key: &str| recorded.get(key).and_then(Value::as_str);
    let map = |key: &str| {
        recorded
            .get(key)
            .and_then(Value::as_object)
            .unwrap_or(&empty)
    };
    let op = |key: &str| {
        map(key)
            .get("op")
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let op = if op("query").is_empty() {
        op("form")
    } else {
        op("query")
    };
    let path = path_here(text("path")?, ids);
    let query = fields_here(map("query"), &path, op, ids);
    let form = fields_here(map("form"), &path, op, ids);
    let mut headers: Vec<(String, String)> = map("headers")
        .iter()
        .filter(|(name, _)| *name != "Host")
        .map(|(name, value)| (name.to_lowercase(), plain(value)))
        .collect();
    if text("auth")? != "none" {
        let authorization = authorization(text("auth")?, keys)?;
        headers.push(("authorization".to_owned(), authorization));
    }
    let method = text("method")?.to_owned();
    let wanted = text("content_type").unwrap_or("application/x-www-form-urlencoded");
    let (body, kind) = match text("raw_body") {
        Some(raw) => (Some(raw.to_owned()), wanted.to_owned()),
        None if !["POST", "PUT", "PATCH"].contains(&method.as_str()) && form.is_empty() => {
            (None, String::new())
        }
        None => body(&form, wanted),
    };
    if body.is_some() {
        headers.push(("content-type".to_owned(), kind));
    }
    let (path, own_query) = path.split_once('?').unwrap_or((&path, ""));
    let mut asked = pairs(own_query);
    asked.extend(flat(&query));
    Some(LabRequest {
        method,
        path: decode(path, false),
        query: asked,
        headers,
        body: body.unwrap_or_default().into_bytes(),
        now: NOW,
    })
}

fn flat(fields: &Map<String, Value>) -> Vec<(String, String)> {
    let one = |(key, value): (&String, &Value)| {
        let values = value.as_array().cloned();
        let values = values.unwrap_or_else(|| vec![value.clone()]);
        let pairs = values.iter().map(|value| (key.clone(), plain(value)));
        pairs.collect::<Vec<_>>()
    };
    fields.iter().flat_map(one).collect()
}

fn body(form: &Map<String, Value>, kind: &str) -> (Option<String>, String) {
    if kind.contains("json") {
        return (
            Some(Value::Object(form.clone()).to_string()),
            kind.to_owned(),
        );
    }
    if kind.contains("multipart") {
        let parts: String = form
            .iter()
            .map(|(key, value)| {
                format!(
                    "--edge\r\nContent-Disposition: form-data; name=\"{key}\"\r\n\r\n{}\r\n",
                    plain(value)
                )
            })
            .collect();
        let kind = "multipart/form-data; boundary=edge".to_owned();
        return (Some(format!("{parts}--edge--\r\n")), kind);
    }
    let encode = |text: &str| -> String {
        text.bytes()
            .map(|byte| match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
                    char::from(byte).to_string()
                }
                b' ' => "+".to_owned(),
                byte => format!("%{byte:02X}"),
            })
            .collect()
    };
    let parts: Vec<String> = flat(form)
        .iter()
        .map(|(key, value)| format!("{}={}", encode(key), encode(value)))
        .collect();
    (Some(parts.join("&")), kind.to_owned())
}

/// The `OAuth …` header for a key, with some fields changed, or left out with `None`.
fn oauth(key: &str, nonce: &str, odd: &[(&str, Option<&str>)]) -> String {
    let mut parts = key.split(':');
    let mut part = || parts.next().unwrap_or_default();
    let (consumer, token, secret) = (part(), part(), part());
    let (signature, now) = (format!("%26{secret}"), NOW.to_string());
    let usual = [
        ("oauth_version", "1.0"),
        ("oauth_signature_method", "PLAINTEXT"),
        ("oauth_consumer_key", consumer),
        ("oauth_token", token),
        ("oauth_signature", &signature),
        ("oauth_nonce", nonce),
        ("oauth_timestamp", &now),
    ];
    let fields: Vec<String> = usual
        .iter()
        .filter_map(|(name, value)| {
            let odd = odd.iter().find(|(other, _)| other == name);
            odd.map_or(Some(*value), |(_, value)| *value)
                .map(|value| format!("{name}=\"{value}\""))
        })
        .collect();
    format!("OAuth {}", fields.join(", "))
}

/// The header for a credential's name; `None` for one that is not replayed.
fn authorization(name: &str, keys: &mut Keys) -> Option<String> {
    keys.nonce += 1;
    let nonce = format!("nonce{}", keys.nonce);
    let admin = keys.admin.clone();
    let mut parts = admin.split(':').map(str::to_owned);
    let mut part = || parts.next().unwrap_or_default();
    let (consumer, token, secret) = (part(), part(), part());
    let with = |field: &str, value: &str| oauth(&admin, &nonce, &[(field, Some(value))]);
    let without = |field: &str| oauth(&admin, &nonce, &[(field, None)]);
    let as_key = |consumer: &str, token: &str, secret: &str| {
        oauth(&format!("{consumer}:{token}:{secret}"), &nonce, &[])
    };
    let cross = |text: &str| "x".repeat(text.len());
    let plain = oauth(&admin, &nonce, &[]);
    let at = |age: i64| with("oauth_timestamp", &(NOW - age).to_string());
    if let Some(letter) = name.strip_prefix("nonce ") {
        let letter = letter.strip_suffix(" again").unwrap_or(letter);
        let nonce = format!("{letter}{}", "0".repeat(32));
        return Some(with("oauth_nonce", &nonce));
    }
    Some(match name {
        "alice (non-admin)" => oauth(keys.alice.as_ref()?, &nonce, &[]),
        "mixed keys: consumer of another user" => {
            as_key(keys.alice.as_ref()?.split(':').next()?, &token, &secret)
        }
        "empty header" => String::new(),
        "Basic auth" => "Basic YTpi".to_owned(),
        "Bearer token" => "Bearer abc".to_owned(),
        "bad consumer" => as_key(&cross(&consumer), &token, &secret),
        "bad token" => as_key(&consumer, &cross(&token), &secret),
        "bad secret" => as_key(&consumer, &token, &cross(&secret)),
        "signature without &" => with("oauth_signature", &secret),
        "signature '&secret' not percent-encoded" => with("oauth_signature", &format!("&{secret}")),
        "key file with a trailing newline in the secret" => {
            with("oauth_signature", &format!("%26{secret}%0A"))
        }
        "key with a trailing blank" => with("oauth_signature", &format!("%26{secret}%20")),
        "stale" => at(301),
        "295 s old" => at(290),
        "future" => at(-86400),
        "bad timestamp" => with("oauth_timestamp", "abc"),
        "empty timestamp" => with("oauth_timestamp", ""),
        "no timestamp" => without("oauth_timestamp"),
        "no nonce" => without("oauth_nonce"),
        "no version" => without("oauth_version"),
        "version 2.0" => with("oauth_version", "2.0"),
        "no signature" => without("oauth_signature"),
        "no signature method" => without("oauth_signature_method"),
        "RSA-SHA1" => with("oauth_signature_method", "RSA-SHA1"),
        "no blank after the commas" => plain.replace(", ", ","),
        "two blanks after the commas" => plain.replace(", ", ",  "),
        "tab after the commas" => plain.replace(", ", ",\t"),
        "blanks around '='" => plain.replace("=\"", " = \""),
        "two blanks after 'OAuth'" => plain.replace("OAuth ", "OAuth  "),
        "scheme 'oauth'" => plain.replace("OAuth ", "oauth "),
        "scheme 'OAUTH'" => plain.replace("OAuth ", "OAUTH "),
        "values without quotes" => plain.replace('"', ""),
        "trailing comma" => plain + ",",
        // A server strips trailing whitespace of a header before the application sees it.
        "admin" | "trailing blanks" => plain,
        "realm=\"OAuth\" first" => plain.replace("OAuth ", "OAuth realm=\"OAuth\", "),
        "realm=\"\" first (what the maas CLI sends)" => {
            plain.replace("OAuth ", "OAuth realm=\"\", ")
        }
        _ => return None,
    })
}
