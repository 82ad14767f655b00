//! The client over real sockets: with the lab's MAAS, and with servers that misbehave.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use lab::maas::{HttpFault, LabMaas};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use topology::Object;
use topology::observed::Scope;
use topology::port::{Outcome, Write};

use crate::scripted::unique_nonces;
use crate::*;

pub(super) struct Always;

impl WriteFence for Always {
    fn still_held(&self) -> bool {
        true
    }
}

const OFFICE: &str = r#"{"fabrics": [{"name": "blue", "vlans": [{"vid": 0, "subnets": [{"cidr": "192.0.2.0/24"}]}]}]}"#;

fn transport_to(url: &str, key: &str) -> HttpTransport {
    // The lab's MAAS compares timestamps with its own clock and accepts one in the future.
    let environment = Environment {
        now: Arc::new(|| topology::observed::Timestamp(4_102_444_800_000)),
        ..unique_nonces()
    };
    HttpTransport::new(url, ApiKey::read(key).unwrap(), environment).unwrap()
}

#[tokio::test]
async fn over_http_a_subnet_is_created_found_and_deleted() {
    let maas = LabMaas::load(OFFICE, Some("3.7.3")).unwrap();
    let key = maas.api_key("admin").unwrap();
    let serving = lab::maas::serve(maas, None).await.unwrap();
    let read: Arc<Mutex<usize>> = Arc::default();
    let counted = Arc::clone(&read);
    let http = transport_to(&serving.url, &key).on_progress(move |progress| {
        if progress.complete {
            *counted.lock().unwrap() += progress.bytes;
        }
    });
    let client = MaasClient::new(http, unique_nonces());
    let observed = client.reader().observe(&Scope::default()).await.unwrap();
    assert!(*read.lock().unwrap() > 100);
    let desks = observed.subnets().next().unwrap().clone();
    let more = topology::object::Subnet {
        cidr: "2001:db8::/64".parse().unwrap(),
        name: "more: of/it. 2".to_owned(),
        description: "a+b=c; 100 % ü".to_owned(),
        ..desks
    };
    let more = Object::Subnet(more);
    let writer = MaasWriter::new(&client, &Always);
    let outcome = writer.send(&Write::Create(more.clone())).await;
    assert!(matches!(outcome, Outcome::Done(Some(_))), "{outcome:?}");
    let found = client.reader().look(&[more.key()]).await.unwrap();
    assert_eq!(
        found[&more.key()].as_ref().map(|it| &it.object),
        Some(&more)
    );
    assert_eq!(
        writer.send(&Write::Delete(more.clone())).await,
        Outcome::Done(None)
    );
    let found = client.reader().look(&[more.key()]).await.unwrap();
    assert_eq!(found[&more.key()], None);
}

#[tokio::test]
async fn threat_39_a_lost_answer_to_a_write_is_unknown_until_a_look() {
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
    let client = MaasClient::new(transport_to(&serving.url, &key), unique_nonces());
    let observed = client.reader().observe(&Scope::default()).await.unwrap();
    let desks = Object::Subnet(observed.subnets().next().unwrap().clone());
    let outcome = MaasWriter::new(&client, &Always)
        .send(&Write::Delete(desks.clone()))
        .await;
    assert!(matches!(outcome, Outcome::Unknown { .. }), "{outcome:?}");
    assert_eq!(
        client.reader().look(&[desks.key()]).await.unwrap()[&desks.key()],
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
    let client = MaasClient::new(transport_to(&serving.url, &wrong), unique_nonces());
    let error = client
        .reader()
        .observe(&Scope::default())
        .await
        .unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(shown.contains("401") && !shown.contains(&secret), "{shown}");
}

/// A server that sends `answer` to every request, and then keeps the connection open if `hold`.
async fn server_sending(
    answer: &'static [u8],
    hold: bool,
) -> (String, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/MAAS", listener.local_addr().unwrap());
    #[expect(
        clippy::disallowed_methods,
        reason = "the server of one test, which stops it"
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
async fn a_body_that_breaks_off_stalls_or_grows_too_large_is_lost() {
    let quick = HttpLimits {
        stall: Duration::from_millis(50),
        read: Duration::from_millis(400),
        bytes: 1_000,
        ..HttpLimits::default()
    };
    let stalls = HttpLimits {
        stall: Duration::from_secs(5),
        ..quick
    };
    let begun: &[u8] =
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n[1,";
    let large: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2000\r\n\r\n\
        [0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000";
    let small = HttpLimits { bytes: 50, ..quick };
    for (answer, hold, limits, expected) in [
        (begun, false, quick, "broke"),
        (begun, true, quick, "stalled"),
        (begun, true, stalls, "no complete response"),
        (b"".as_slice(), true, quick, "no complete response"),
        (large, true, small, "larger than"),
    ] {
        let (url, task) = server_sending(answer, hold).await;
        let http = transport_to(&url, "a:b:c").with_limits(limits);
        let lost = http
            .send(MaasRequest::get("subnets/"))
            .await
            .unwrap_err()
            .to_string();
        assert!(lost.contains(expected), "{expected}: {lost}");
        task.abort();
    }
    let gone = transport_to("http://127.0.0.1:1/MAAS", "a:b:c")
        .send(MaasRequest::get("version/"))
        .await;
    assert!(matches!(gone, Err(LostAnswer::Unreachable(_))), "{gone:?}");
}

#[tokio::test]
async fn threat_54_a_redirect_is_not_followed() {
    let (url, task) = server_sending(
        b"HTTP/1.1 301 Moved\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",
        false,
    )
    .await;
    let answer = transport_to(&url, "a:b:c")
        .send(MaasRequest::get("version/"))
        .await
        .unwrap();
    assert_eq!(answer.status, 301);
    task.abort();
}
