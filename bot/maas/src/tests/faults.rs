//! A MAAS that answers badly, over a real socket: errors name the request, nothing is half observed, no secret is shown.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use topology::Object;
use topology::observed::Scope;
use topology::port::{Outcome, Write};

use crate::scripted::fixed_environment;
use crate::tests::answers;
use crate::*;

/// The three parts of the key, each recognisable by itself.
const KEY: &str = "consumer7:token8:s3cret";

/// The bytes of one response, after which the connection is closed.
type BadResponse = Vec<u8>;

fn response(head: &str, body: &str) -> BadResponse {
    let length = body.len();
    let text =
        format!("HTTP/1.1 {head}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
    text.into_bytes()
}

const JSON: &str = "content-type: application/json; charset=utf-8";
const TEXT: &str = "content-type: text/plain; charset=utf-8";
const HTML: &str = "content-type: text/html; charset=utf-8";

/// A MAAS on a port of its own that answers one request badly.
struct BrokenMaas {
    url: String,
    bad: Arc<Mutex<(String, BadResponse)>>,
    requests: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Drop for BrokenMaas {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl BrokenMaas {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/MAAS", listener.local_addr().unwrap());
        let bad = Arc::new(Mutex::new((String::new(), response("200 OK", ""))));
        let requests: Arc<Mutex<Vec<String>>> = Arc::default();
        let (response_to, log) = (Arc::clone(&bad), Arc::clone(&requests));
        #[expect(
            clippy::disallowed_methods,
            reason = "the server of one test, which stops it"
        )]
        let task = tokio::spawn(async move {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                let (response_to, log) = (Arc::clone(&response_to), Arc::clone(&log));
                tokio::spawn(answer(socket, response_to, log));
            }
        });
        Self {
            url,
            bad,
            requests,
            task,
        }
    }

    fn answer_badly(&self, request: &str, bad: &BadResponse) {
        *self.bad.lock().unwrap() = (request.to_owned(), bad.clone());
        self.requests.lock().unwrap().clear();
    }

    fn times(&self, request: &str) -> usize {
        let requests = self.requests.lock().unwrap();
        requests.iter().filter(|line| *line == request).count()
    }

    fn http(&self) -> HttpTransport {
        let limits = HttpLimits {
            bytes: 100_000,
            ..HttpLimits::default()
        };
        let http = HttpTransport::new(&self.url, ApiKey::read(KEY).unwrap(), fixed_environment().0)
            .unwrap();
        http.with_limits(limits)
    }
}

async fn answer(
    mut socket: TcpStream,
    bad: Arc<Mutex<(String, BadResponse)>>,
    requests: Arc<Mutex<Vec<String>>>,
) {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if socket.read_buf(&mut head).await.unwrap_or(0) == 0 {
            return;
        }
    }
    let head = String::from_utf8_lossy(&head);
    let mut words = head.split(' ');
    let (method, path) = (words.next().unwrap(), words.next().unwrap());
    let request = format!("{method} {}", path.trim_start_matches("/MAAS/api/2.0/"));
    requests.lock().unwrap().push(request.clone());
    let (at, with) = bad.lock().unwrap().clone();
    let known: BTreeMap<&str, String> = answers().into_iter().collect();
    let bad: BadResponse = if at == request {
        with
    } else if let Some(body) = known.get(request.as_str()) {
        response(&format!("200 OK\r\n{JSON}"), body)
    } else if ["GET subnets/3/", "GET subnets/cidr:192.0.2.0/24/"].contains(&request.as_str()) {
        response(&format!("200 OK\r\n{JSON}"), crate::tests::SUBNET)
    } else if request == "GET subnets/3/?op=ip_addresses" {
        response(&format!("200 OK\r\n{JSON}"), "[]")
    } else {
        response(
            &format!("404 Not FoundNode\r\n{TEXT}"),
            "Unknown API endpoint.",
        )
    };
    // The client may close the connection before this.
    let sent = socket.write_all(&bad).await;
    drop(sent);
}

/// 200,000 zeros after a bracket, in 231 bytes.
fn bomb() -> Vec<u8> {
    let mut bytes = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xed\xc1\xb1\x00\x00\x00\x00\x020\xa5|\xf2\xf7\x88\xa1\x7f[\x03".to_vec();
    bytes.extend([0; 188]);
    bytes.extend(b"\xdc\x06\xc6U\xc2\x0eA\r\x03\x00");
    let head = format!(
        "HTTP/1.1 200 OK\r\n{JSON}\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n",
        bytes.len()
    );
    [head.into_bytes(), bytes].concat()
}

/// Bad responses of a MAAS, or of a server in its place, each with a word of the error that it gives.
fn bad_responses() -> Vec<(BadResponse, &'static str)> {
    [bodies(), statuses()].concat()
}

/// Bodies of another kind than requested, or incomplete.
fn bodies() -> Vec<(BadResponse, &'static str)> {
    let json = |body: &str| response(&format!("200 OK\r\n{JSON}"), body);
    let cut = format!("HTTP/1.1 200 OK\r\n{JSON}\r\ncontent-length: 500\r\n\r\n[{{\"id\": 1,");
    let chunk = format!(
        "HTTP/1.1 200 OK\r\n{JSON}\r\ntransfer-encoding: chunked\r\n\r\n9\r\n[{{\"id\": 1\r\nzz\r\n"
    );
    vec![
        (json("[{\"id\": 1, \"na"), "not complete JSON"),
        (json(""), "not complete JSON"),
        (json(&"[".repeat(5_000)), "not complete JSON"),
        (json("[] []"), "cannot read"),
        (json("null"), "cannot read"),
        (json("[null]"), "cannot read"),
        (json("[[7]]"), "cannot read"),
        (json("[{}]"), "cannot read"),
        (json("\"\u{1b}[2J\u{202e}\""), "cannot read"),
        (cut.into_bytes(), "broke"),
        (chunk.into_bytes(), "broke"),
        (Vec::new(), "broke"),
        (b"SSH-2.0-OpenSSH_9.6\r\n".to_vec(), "broke"),
        (bomb(), "larger than"),
    ]
}

/// Statuses other than 200 with data, some with a secret in their body.
fn statuses() -> Vec<(BadResponse, &'static str)> {
    let expected =
        "Authorization Error: 'Invalid signature. Expected signature base string: &s3cret'";
    let debug =
        "<title>x</title> oauth_token=\"token8\" oauth_signature=\"%26s3cret\" by consumer7";
    vec![
        (
            response(&format!("200 OK\r\n{HTML}"), "<h1>Sign in</h1>"),
            "web page",
        ),
        (
            response("302 FoundNode\r\nlocation: /MAAS/api/2.0/stolen/", ""),
            "redirect",
        ),
        (
            response("307 Temporary\r\nlocation: /MAAS/api/2.0/stolen/", ""),
            "redirect",
        ),
        (response("204 No Content", ""), "204"),
        (
            response(&format!("401 Unauthorized\r\n{TEXT}"), expected),
            "(401)",
        ),
        (response(&format!("403 Forbidden\r\n{TEXT}"), ""), "(403)"),
        (
            response(&format!("404 Not FoundNode\r\n{TEXT}"), "Not FoundNode"),
            "(404)",
        ),
        (
            response(
                &format!("409 Conflict\r\n{HTML}\r\nretry-after: 5"),
                "<h2>Conflict</h2>",
            ),
            "4 attempts: Conflict",
        ),
        (
            response(&format!("500 Oops\r\n{HTML}"), debug),
            "answered 500: ",
        ),
        (
            response(&format!("503 Busy\r\n{TEXT}\r\nretry-after: 86400"), "busy"),
            "4 attempts: busy",
        ),
        (
            response(
                &format!("503 Busy\r\n{TEXT}\r\nretry-after: Wed, 21 Oct 2099 07:28:00 GMT"),
                "\u{1b}[31mbusy\u{202e}",
            ),
            "4 attempts",
        ),
        (
            response(
                &format!("418 Tea\r\n{TEXT}"),
                "the key is consumer7:token8:s3cret",
            ),
            "418",
        ),
    ]
}

fn everything() -> Scope {
    Scope {
        occupants: vec!["192.0.2.0/24".parse().unwrap()],
        all_nodes: true,
        all_spaces: true,
        snippets: true,
        elsewhere: true,
        settings: true,
        ..Scope::default()
    }
}

fn assert_safe_to_show(text: &str) {
    for secret in ["consumer7", "token8", "s3cret"] {
        assert!(!text.contains(secret), "{text}");
    }
    let odd = |c: char| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c);
    assert!(!text.contains(odd), "{text:?}");
    assert!(text.chars().count() < 600, "{text}");
}

#[tokio::test]
async fn threat_57_whichever_request_is_answered_badly_the_error_names_it_and_nothing_is_observed()
{
    let maas = BrokenMaas::new().await;
    let client = MaasClient::new(maas.http(), fixed_environment().0);
    client.reader().observe(&everything()).await.unwrap();
    let requests: Vec<String> = maas.requests.lock().unwrap().clone();
    assert_eq!(requests.len(), 21, "{requests:?}");
    for request in requests {
        for (bad, word) in bad_responses() {
            maas.answer_badly(&request, &bad);
            let seen = client.reader().observe(&everything()).await;
            let Err(error) = seen else {
                // A setting may be null or a string.
                assert!(request.contains("get_config") && word == "cannot read");
                continue;
            };
            let message = error.to_string();
            assert!(message.starts_with(&format!("`{request}`: ")), "{message}");
            let is_object = ["version/", "whoami"]
                .iter()
                .any(|end| request.ends_with(end));
            let fits = message.contains(word) || (is_object && message.contains("cannot read"));
            assert!(fits, "{bad:?}: {message}");
            assert_safe_to_show(&message);
            assert_safe_to_show(&format!("{error:?}"));
            assert_eq!(maas.times("GET stolen/"), 0);
            assert!(maas.times(&request) <= 4);
        }
    }
}

#[tokio::test]
async fn threat_57_a_write_that_is_answered_badly_is_not_done_and_is_sent_once() {
    let maas = BrokenMaas::new().await;
    let client = MaasClient::new(maas.http(), fixed_environment().0);
    let observed = client.reader().observe(&Scope::default()).await.unwrap();
    let desks = observed.subnets().next().unwrap().clone();
    let renamed = topology::object::Subnet {
        name: "tables".to_owned(),
        ..desks.clone()
    };
    let writes = [
        (
            "DELETE subnets/3/",
            Write::Delete(Object::Subnet(desks.clone())),
        ),
        (
            "PUT subnets/3/",
            Write::Update(
                Box::new(Object::Subnet(desks)),
                Box::new(Object::Subnet(renamed)),
            ),
        ),
    ];
    for (request, write) in writes {
        for (bad, word) in bad_responses() {
            maas.answer_badly(request, &bad);
            let outcome = MaasWriter::new(&client, &crate::tests::http::Always)
                .send(&write)
                .await;
            let message = match &outcome {
                Outcome::Refused { status, why } => {
                    assert!((300..500).contains(status), "{outcome:?}");
                    why.clone()
                }
                Outcome::Unknown { why } => {
                    assert!(why.contains(request), "{why}");
                    why.clone()
                }
                // The body of a delete is not read, and what MAAS does not have is deleted.
                Outcome::Done(_) => {
                    let odd = ["not complete", "cannot read", "204", "404"];
                    assert!(
                        request.starts_with("DELETE") && odd.iter().any(|it| word.contains(it)),
                        "{bad:?}: {outcome:?}"
                    );
                    String::new()
                }
            };
            assert_safe_to_show(&message);
            assert_eq!(maas.times(request), 1, "{bad:?}");
            assert_eq!(maas.times("GET stolen/") + maas.times("DELETE stolen/"), 0);
        }
    }
    // A 404 as a web page is not MAAS's, so it does not prove that the subnet is deleted.
    maas.answer_badly(
        "DELETE subnets/3/",
        &response(&format!("404 Not FoundNode\r\n{HTML}"), "<h1>nginx</h1>"),
    );
    let gone = MaasWriter::new(&client, &crate::tests::http::Always)
        .send(&Write::Delete(Object::Subnet(
            observed.subnets().next().unwrap().clone(),
        )))
        .await;
    assert!(matches!(gone, Outcome::Unknown { .. }), "{gone:?}");
}

#[tokio::test]
async fn a_retry_after_header_is_limited() {
    for retry_after in [
        "86400",
        "18446744073709551615",
        "99999999999999999999999",
        "-5",
        "Wed, 21 Oct 2099 07:28:00 GMT",
        "",
    ] {
        let maas = BrokenMaas::new().await;
        let head = format!("503 Busy\r\n{TEXT}\r\nretry-after: {retry_after}");
        maas.answer_badly("GET version/", &response(&head, "busy"));
        let (environment, sleeps) = fixed_environment();
        let error = MaasClient::new(maas.http(), environment)
            .reader()
            .observe(&Scope::default())
            .await;
        assert!(error.is_err());
        let sleeps = sleeps.lock().unwrap().clone();
        assert_eq!(sleeps.len(), 3);
        assert!(
            sleeps.iter().all(|pause| *pause <= Duration::from_secs(10)),
            "{sleeps:?}"
        );
    }
}
