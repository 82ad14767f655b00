//! A MAAS that answers badly, over a real socket: what was asked is named, nothing is half observed, no secret is said.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use topology::Object;
use topology::observed::Scope;
use topology::port::{Outcome, Write};

use crate::scripted::still;
use crate::tests::answers;
use crate::*;

/// The three parts of the key, each a word of its own.
const KEY: &str = "consumer7:token8:s3cret";

/// The bytes that one request is answered with, before the connection is closed.
type Trouble = Vec<u8>;

fn says(head: &str, body: &str) -> Trouble {
    let length = body.len();
    let text =
        format!("HTTP/1.1 {head}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
    text.into_bytes()
}

const JSON: &str = "content-type: application/json; charset=utf-8";
const TEXT: &str = "content-type: text/plain; charset=utf-8";
const HTML: &str = "content-type: text/html; charset=utf-8";

/// A MAAS behind a port of its own, with one request that it answers badly.
struct Broken {
    url: String,
    trouble: Arc<Mutex<(String, Trouble)>>,
    asked: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Drop for Broken {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Broken {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/MAAS", listener.local_addr().unwrap());
        let trouble = Arc::new(Mutex::new((String::new(), says("200 OK", ""))));
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let (own, noted) = (Arc::clone(&trouble), Arc::clone(&asked));
        #[expect(
            clippy::disallowed_methods,
            reason = "the server of one test, ended by it"
        )]
        let task = tokio::spawn(async move {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                let (own, noted) = (Arc::clone(&own), Arc::clone(&noted));
                tokio::spawn(answer(socket, own, noted));
            }
        });
        Self {
            url,
            trouble,
            asked,
            task,
        }
    }

    fn at(&self, request: &str, trouble: &Trouble) {
        *self.trouble.lock().unwrap() = (request.to_owned(), trouble.clone());
        self.asked.lock().unwrap().clear();
    }

    fn times(&self, request: &str) -> usize {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|line| *line == request).count()
    }

    fn http(&self) -> Http {
        let limits = Limits {
            bytes: 100_000,
            ..Limits::default()
        };
        let http = Http::new(&self.url, ApiKey::read(KEY).unwrap(), still().0).unwrap();
        http.within(limits)
    }
}

async fn answer(
    mut socket: TcpStream,
    trouble: Arc<Mutex<(String, Trouble)>>,
    asked: Arc<Mutex<Vec<String>>>,
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
    asked.lock().unwrap().push(request.clone());
    let (at, with) = trouble.lock().unwrap().clone();
    let known: BTreeMap<&str, String> = answers().into_iter().collect();
    let trouble: Trouble = if at == request {
        with
    } else if let Some(body) = known.get(request.as_str()) {
        says(&format!("200 OK\r\n{JSON}"), body)
    } else if ["GET subnets/3/", "GET subnets/cidr:192.0.2.0/24/"].contains(&request.as_str()) {
        says(&format!("200 OK\r\n{JSON}"), crate::tests::SUBNET)
    } else if request == "GET subnets/3/?op=ip_addresses" {
        says(&format!("200 OK\r\n{JSON}"), "[]")
    } else {
        says(&format!("404 Not Found\r\n{TEXT}"), "Unknown API endpoint.")
    };
    // The client may have hung up already, as it may.
    let sent = socket.write_all(&trouble).await;
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

/// What a MAAS, or what stands in its place, answered once too often; with a word of what is said of it.
fn troubles() -> Vec<(Trouble, &'static str)> {
    [bodies(), statuses()].concat()
}

/// Bodies that are not what was asked for, or not whole.
fn bodies() -> Vec<(Trouble, &'static str)> {
    let json = |body: &str| says(&format!("200 OK\r\n{JSON}"), body);
    let cut = format!("HTTP/1.1 200 OK\r\n{JSON}\r\ncontent-length: 500\r\n\r\n[{{\"id\": 1,");
    let chunk = format!(
        "HTTP/1.1 200 OK\r\n{JSON}\r\ntransfer-encoding: chunked\r\n\r\n9\r\n[{{\"id\": 1\r\nzz\r\n"
    );
    vec![
        (json("[{\"id\": 1, \"na"), "not whole JSON"),
        (json(""), "not whole JSON"),
        (json(&"[".repeat(5_000)), "not whole JSON"),
        (json("[] []"), "cannot make sense"),
        (json("null"), "cannot make sense"),
        (json("[null]"), "cannot make sense"),
        (json("[[7]]"), "cannot make sense"),
        (json("[{}]"), "cannot make sense"),
        (json("\"\u{1b}[2J\u{202e}\""), "cannot make sense"),
        (cut.into_bytes(), "broke"),
        (chunk.into_bytes(), "broke"),
        (Vec::new(), "broke"),
        (b"SSH-2.0-OpenSSH_9.6\r\n".to_vec(), "broke"),
        (bomb(), "larger than"),
    ]
}

/// Statuses that are no yes, some with a secret in their words.
fn statuses() -> Vec<(Trouble, &'static str)> {
    let expected =
        "Authorization Error: 'Invalid signature. Expected signature base string: &s3cret'";
    let debug =
        "<title>x</title> oauth_token=\"token8\" oauth_signature=\"%26s3cret\" by consumer7";
    vec![
        (
            says(&format!("200 OK\r\n{HTML}"), "<h1>Sign in</h1>"),
            "web page",
        ),
        (
            says("302 Found\r\nlocation: /MAAS/api/2.0/stolen/", ""),
            "redirect",
        ),
        (
            says("307 Temporary\r\nlocation: /MAAS/api/2.0/stolen/", ""),
            "redirect",
        ),
        (says("204 No Content", ""), "204"),
        (
            says(&format!("401 Unauthorized\r\n{TEXT}"), expected),
            "(401)",
        ),
        (says(&format!("403 Forbidden\r\n{TEXT}"), ""), "(403)"),
        (
            says(&format!("404 Not Found\r\n{TEXT}"), "Not Found"),
            "(404)",
        ),
        (
            says(
                &format!("409 Conflict\r\n{HTML}\r\nretry-after: 5"),
                "<h2>Conflict</h2>",
            ),
            "4 times: Conflict",
        ),
        (says(&format!("500 Oops\r\n{HTML}"), debug), "(500)"),
        (
            says(&format!("503 Busy\r\n{TEXT}\r\nretry-after: 86400"), "busy"),
            "4 times: busy",
        ),
        (
            says(
                &format!("503 Busy\r\n{TEXT}\r\nretry-after: Wed, 21 Oct 2099 07:28:00 GMT"),
                "\u{1b}[31mbusy\u{202e}",
            ),
            "4 times",
        ),
        (
            says(
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

fn fit_for_people(text: &str) {
    for secret in ["consumer7", "token8", "s3cret"] {
        assert!(!text.contains(secret), "{text}");
    }
    let odd = |c: char| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c);
    assert!(!text.contains(odd), "{text:?}");
    assert!(text.chars().count() < 600, "{text}");
}

#[tokio::test]
async fn threat_57_whichever_request_is_answered_badly_it_is_named_and_nothing_is_observed() {
    let maas = Broken::new().await;
    let client = MaasClient::new(maas.http(), still().0);
    client.eyes().observe(&everything()).await.unwrap();
    let requests: Vec<String> = maas.asked.lock().unwrap().clone();
    assert_eq!(requests.len(), 21, "{requests:?}");
    for request in requests {
        for (trouble, word) in troubles() {
            maas.at(&request, &trouble);
            let seen = client.eyes().observe(&everything()).await;
            let Err(blind) = seen else {
                // Null or a text is what a setting may be.
                assert!(request.contains("get_config") && word == "cannot make sense");
                continue;
            };
            let told = blind.to_string();
            assert!(told.starts_with(&format!("`{request}`: ")), "{told}");
            let whole = ["version/", "whoami"]
                .iter()
                .any(|end| request.ends_with(end));
            let fits = told.contains(word) || (whole && told.contains("cannot make sense"));
            assert!(fits, "{trouble:?}: {told}");
            fit_for_people(&told);
            fit_for_people(&format!("{blind:?}"));
            assert_eq!(maas.times("GET stolen/"), 0);
            assert!(maas.times(&request) <= 4);
        }
    }
}

#[tokio::test]
async fn threat_57_a_write_that_is_answered_badly_is_not_done_and_is_sent_once() {
    let maas = Broken::new().await;
    let client = MaasClient::new(maas.http(), still().0);
    let observed = client.eyes().observe(&Scope::default()).await.unwrap();
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
        for (trouble, word) in troubles() {
            maas.at(request, &trouble);
            let outcome = MaasWriter::new(&client, &crate::tests::wires::Always)
                .make(&write)
                .await;
            let told = match &outcome {
                Outcome::Refused { status, why } => {
                    assert!((300..500).contains(status), "{outcome:?}");
                    why.clone()
                }
                Outcome::Unknown { why } => {
                    assert!(why.contains(request), "{why}");
                    why.clone()
                }
                // A delete has no body to be read, and what MAAS does not know is gone.
                Outcome::Done(_) => {
                    let odd = ["not whole", "cannot make", "204", "404"];
                    assert!(
                        request.starts_with("DELETE") && odd.iter().any(|it| word.contains(it)),
                        "{trouble:?}: {outcome:?}"
                    );
                    String::new()
                }
            };
            fit_for_people(&told);
            assert_eq!(maas.times(request), 1, "{trouble:?}");
            assert_eq!(maas.times("GET stolen/") + maas.times("DELETE stolen/"), 0);
        }
    }
    // A page that says 404 is not MAAS's: nobody knows whether it is gone.
    maas.at(
        "DELETE subnets/3/",
        &says(&format!("404 Not Found\r\n{HTML}"), "<h1>nginx</h1>"),
    );
    let gone = MaasWriter::new(&client, &crate::tests::wires::Always)
        .make(&Write::Delete(Object::Subnet(
            observed.subnets().next().unwrap().clone(),
        )))
        .await;
    assert!(matches!(gone, Outcome::Unknown { .. }), "{gone:?}");
}

#[tokio::test]
async fn a_pause_that_maas_asks_for_has_an_end() {
    for asked in [
        "86400",
        "18446744073709551615",
        "99999999999999999999999",
        "-5",
        "Wed, 21 Oct 2099 07:28:00 GMT",
        "",
    ] {
        let maas = Broken::new().await;
        let head = format!("503 Busy\r\n{TEXT}\r\nretry-after: {asked}");
        maas.at("GET version/", &says(&head, "busy"));
        let (outside, pauses) = still();
        let blind = MaasClient::new(maas.http(), outside)
            .eyes()
            .observe(&Scope::default())
            .await;
        assert!(blind.is_err());
        let pauses = pauses.lock().unwrap().clone();
        assert_eq!(pauses.len(), 3);
        assert!(
            pauses.iter().all(|pause| *pause <= Duration::from_secs(10)),
            "{pauses:?}"
        );
    }
}
