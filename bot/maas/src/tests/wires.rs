//! The client over a real socket: the lab's MAAS, and servers that misbehave.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use lab::maas::{HttpFault, LabMaas};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use topology::Object;
use topology::observed::Scope;
use topology::port::{Outcome, Write};

use crate::scripted::ticking;
use crate::*;

pub(super) struct Always;

impl WriteFence for Always {
    fn still_held(&self) -> bool {
        true
    }
}

const OFFICE: &str = r#"{"fabrics": [{"name": "blue", "vlans": [{"vid": 0, "subnets": [{"cidr": "192.0.2.0/24"}]}]}]}"#;

fn way(url: &str, key: &str) -> Http {
    // The lab's MAAS compares timestamps with its own clock; one that is fast is not refused.
    let outside = Environment {
        now: Arc::new(|| topology::observed::Timestamp(4_102_444_800_000)),
        ..ticking()
    };
    Http::new(url, ApiKey::read(key).unwrap(), outside).unwrap()
}

#[tokio::test]
async fn over_http_a_subnet_is_made_looked_at_and_removed() {
    let maas = LabMaas::load(OFFICE, Some("3.7.3")).unwrap();
    let key = maas.api_key("admin").unwrap();
    let serving = lab::maas::serve(maas, None).await.unwrap();
    let read: Arc<Mutex<usize>> = Arc::default();
    let counted = Arc::clone(&read);
    let http = way(&serving.url, &key).watched(move |progress| {
        if progress.whole {
            *counted.lock().unwrap() += progress.bytes;
        }
    });
    let client = MaasClient::new(http, ticking());
    let observed = client.eyes().observe(&Scope::default()).await.unwrap();
    assert!(*read.lock().unwrap() > 100);
    let desks = observed.subnets().next().unwrap().clone();
    let more = topology::object::Subnet {
        cidr: "2001:db8::/64".parse().unwrap(),
        name: "more: of/it. 2".to_owned(),
        description: "a+b=c; 100 % ü".to_owned(),
        ..desks
    };
    let more = Object::Subnet(more);
    let hands = MaasWriter::new(&client, &Always);
    let outcome = hands.make(&Write::Create(more.clone())).await;
    assert!(matches!(outcome, Outcome::Done(Some(_))), "{outcome:?}");
    let found = client.eyes().look(&[more.key()]).await.unwrap();
    assert_eq!(
        found[&more.key()].as_ref().map(|it| &it.object),
        Some(&more)
    );
    assert_eq!(
        hands.make(&Write::Delete(more.clone())).await,
        Outcome::Done(None)
    );
    let found = client.eyes().look(&[more.key()]).await.unwrap();
    assert_eq!(found[&more.key()], None);
}

#[tokio::test]
async fn threat_39_a_lost_answer_to_a_write_is_unknown_and_a_look_tells() {
    let maas = LabMaas::load(OFFICE, Some("3.7.3")).unwrap();
    let key = maas.api_key("admin").unwrap();
    let faults = Arc::new(|request: &lab::wire::LabRequest| {
        if request.method == "DELETE" {
            HttpFault::LoseAnswer
        } else {
            HttpFault::None
        }
    });
    let serving = lab::maas::serve(maas, Some(faults)).await.unwrap();
    let client = MaasClient::new(way(&serving.url, &key), ticking());
    let observed = client.eyes().observe(&Scope::default()).await.unwrap();
    let desks = Object::Subnet(observed.subnets().next().unwrap().clone());
    let outcome = MaasWriter::new(&client, &Always)
        .make(&Write::Delete(desks.clone()))
        .await;
    assert!(matches!(outcome, Outcome::Unknown { .. }), "{outcome:?}");
    assert_eq!(
        client.eyes().look(&[desks.key()]).await.unwrap()[&desks.key()],
        None
    );
}

#[tokio::test]
async fn threat_53_a_wrong_key_is_refused_without_showing_any_secret() {
    let maas = LabMaas::load(OFFICE, None).unwrap();
    let key = maas.api_key("admin").unwrap();
    let secret = key.rsplit(':').next().unwrap().to_owned();
    let serving = lab::maas::serve(maas, None).await.unwrap();
    let wrong = key.replace(&secret, "wrong");
    let client = MaasClient::new(way(&serving.url, &wrong), ticking());
    let blind = client.eyes().observe(&Scope::default()).await.unwrap_err();
    let shown = format!("{blind} {blind:?}");
    assert!(shown.contains("401") && !shown.contains(&secret), "{shown}");
}

/// A server that says `answer` to one request and then nothing more; it keeps the connection open where `hold`.
async fn saying(answer: &'static [u8], hold: bool) -> (String, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/MAAS", listener.local_addr().unwrap());
    #[expect(
        clippy::disallowed_methods,
        reason = "the server of one test, ended by it"
    )]
    let task = tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = [0_u8; 4096];
            let read = socket.read(&mut request).await.unwrap();
            assert!(read > 0);
            socket.write_all(answer).await.unwrap();
            if hold {
                std::future::pending::<()>().await;
            }
        }
    });
    (url, task)
}

#[tokio::test]
async fn a_body_that_dies_stalls_or_grows_without_end_is_lost() {
    let quick = Limits {
        silence: Duration::from_millis(50),
        read: Duration::from_millis(400),
        bytes: 1_000,
        ..Limits::default()
    };
    let stalls = Limits {
        silence: Duration::from_secs(5),
        ..quick
    };
    let begun: &[u8] =
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n[1,";
    let large: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2000\r\n\r\n\
        [0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000";
    let small = Limits { bytes: 50, ..quick };
    for (answer, hold, limits, expected) in [
        (begun, false, quick, "broke"),
        (begun, true, quick, "nothing came"),
        (begun, true, stalls, "no whole answer"),
        (b"".as_slice(), true, quick, "no whole answer"),
        (large, true, small, "larger than"),
    ] {
        let (url, task) = saying(answer, hold).await;
        let http = way(&url, "a:b:c").within(limits);
        let lost = http
            .send(MaasRequest::get("subnets/"))
            .await
            .unwrap_err()
            .to_string();
        assert!(lost.contains(expected), "{expected}: {lost}");
        task.abort();
    }
    let gone = way("http://127.0.0.1:1/MAAS", "a:b:c")
        .send(MaasRequest::get("version/"))
        .await;
    assert!(matches!(gone, Err(LostAnswer::Unreachable(_))), "{gone:?}");
}

#[tokio::test]
async fn threat_54_a_redirect_is_not_followed() {
    let (url, task) = saying(
        b"HTTP/1.1 301 Moved\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",
        false,
    )
    .await;
    let answer = way(&url, "a:b:c")
        .send(MaasRequest::get("version/"))
        .await
        .unwrap();
    assert_eq!(answer.status, 301);
    task.abort();
}
