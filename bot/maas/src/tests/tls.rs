//! The client and the ways to a MAAS that do not fit: certificates, ports, proxies, and servers that answer in its place.
//!
//! The certificates in `tls/` were made for these tests with `openssl ca`, are valid from 2020 to 2120 (`expired` to 2021),
//! and stand for nothing.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::scripted::fixed_environment;
use crate::*;

const CA: &[u8] = include_bytes!("tls/ca.pem");
const LEAF: (&[u8], &[u8]) = (
    include_bytes!("tls/leaf.pem"),
    include_bytes!("tls/leaf.key"),
);
const SELF_SIGNED: (&[u8], &[u8]) = (
    include_bytes!("tls/self.pem"),
    include_bytes!("tls/self.key"),
);
const OTHER: (&[u8], &[u8]) = (
    include_bytes!("tls/other.pem"),
    include_bytes!("tls/other.key"),
);
const EXPIRED: (&[u8], &[u8]) = (
    include_bytes!("tls/expired.pem"),
    include_bytes!("tls/expired.key"),
);

/// The certificate below the test authority.
pub(crate) fn leaf_der() -> Vec<u8> {
    CertificateDer::from_pem_slice(LEAF.0).unwrap().to_vec()
}

fn pin_of(pem: &[u8]) -> CertificatePin {
    CertificatePin::of(&CertificateDer::from_pem_slice(pem).unwrap())
}

/// Serves one response over TLS, or plain where there is no certificate, until it is dropped.
struct OneAnswer {
    port: u16,
    task: JoinHandle<()>,
}

impl Drop for OneAnswer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl OneAnswer {
    async fn over(certificate: Option<(&[u8], &[u8])>, answer: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let acceptor = certificate.map(acceptor);
        #[expect(
            clippy::disallowed_methods,
            reason = "the server of one test, which stops it"
        )]
        let task = tokio::spawn(async move {
            loop {
                let (mut socket, _) = listener.accept().await.unwrap();
                let mut request = [0_u8; 4096];
                if let Some(acceptor) = &acceptor {
                    // A client that does not trust the certificate hangs up here.
                    let Ok(mut socket) = acceptor.accept(socket).await else {
                        continue;
                    };
                    drop(socket.read(&mut request).await);
                    drop(socket.write_all(answer.as_bytes()).await);
                    drop(socket.shutdown().await);
                } else {
                    drop(socket.read(&mut request).await);
                    drop(socket.write_all(answer.as_bytes()).await);
                }
            }
        });
        Self { port, task }
    }

    async fn get(&self, scheme: &str, trust: CertificateTrust) -> Result<MaasResponse, LostAnswer> {
        let url = format!("{scheme}://127.0.0.1:{}/MAAS", self.port);
        let key = ApiKey::read("a:b:c").unwrap();
        HttpTransport::with_trust(&url, key, fixed_environment().0, trust)
            .unwrap()
            .send(MaasRequest::get("version/"))
            .await
    }
}

fn acceptor((certificate, key): (&[u8], &[u8])) -> TlsAcceptor {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(certificate).unwrap()],
            PrivateKeyDer::from_pem_slice(key).unwrap(),
        )
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";

async fn shown_to(certificate: (&[u8], &[u8]), trust: CertificateTrust) -> String {
    match OneAnswer::over(Some(certificate), OK)
        .await
        .get("https", trust)
        .await
    {
        Ok(answer) => format!("answered {}", answer.status),
        Err(LostAnswer::Misconfigured(why)) => why,
        Err(other) => panic!("{other:?}"),
    }
}

fn authorities(pem: &[u8]) -> CertificateTrust {
    CertificateTrust::authorities(pem).unwrap()
}

#[tokio::test]
async fn threat_54_a_certificate_is_accepted_by_authority_by_itself_or_by_pin() {
    let answered = "answered 200";
    assert_eq!(shown_to(LEAF, authorities(CA)).await, answered);
    assert_eq!(shown_to(LEAF, authorities(LEAF.0)).await, answered);
    assert_eq!(
        shown_to(SELF_SIGNED, authorities(SELF_SIGNED.0)).await,
        answered
    );
    let both = [CA, SELF_SIGNED.0].concat();
    assert_eq!(shown_to(SELF_SIGNED, authorities(&both)).await, answered);
    for certificate in [LEAF, SELF_SIGNED, OTHER, EXPIRED] {
        let pins = CertificateTrust::Pins(vec![pin_of(CA), pin_of(certificate.0)]);
        assert_eq!(shown_to(certificate, pins).await, answered);
    }
}

#[tokio::test]
async fn threat_54_a_certificate_that_is_not_trusted_is_named_with_what_to_set() {
    let leaf_pin = pin_of(LEAF.0).to_string();
    let rows = [
        (
            SELF_SIGNED,
            CertificateTrust::Machine,
            "self-signed (`CN=maas`)",
        ),
        (SELF_SIGNED, authorities(CA), "self-signed (`CN=maas`)"),
        (
            LEAF,
            CertificateTrust::Machine,
            "issued by `O=Example, CN=Example test CA`",
        ),
        (
            LEAF,
            authorities(SELF_SIGNED.0),
            "which is not in `maas_ca_file`",
        ),
        (LEAF, authorities(SELF_SIGNED.0), leaf_pin.as_str()),
        (OTHER, authorities(OTHER.0), "elsewhere.test"),
        (OTHER, authorities(OTHER.0), "not for `127.0.0.1`"),
        (EXPIRED, authorities(EXPIRED.0), "expired on 2021-01-01"),
        (
            LEAF,
            CertificateTrust::Pins(vec![pin_of(CA)]),
            "not a pinned one",
        ),
        (
            LEAF,
            CertificateTrust::Pins(vec![pin_of(CA)]),
            leaf_pin.as_str(),
        ),
    ];
    for (certificate, trust, expected) in rows {
        let why = shown_to(certificate, trust).await;
        assert!(why.contains(expected), "{expected}: {why}");
        let names_a_setting = why.contains("`maas_") || why.contains("renew it");
        assert!(names_a_setting, "{why}");
    }
}

#[tokio::test]
async fn a_port_that_speaks_the_other_protocol_is_named() {
    let plain = OneAnswer::over(None, "HTTP/1.1 400 Bad Request\r\n\r\n").await;
    let lost = plain.get("https", CertificateTrust::Machine).await;
    let why = lost.unwrap_err().to_string();
    assert!(
        why.contains("does not speak TLS: begin `maas_url` with `http://`"),
        "{why}"
    );

    let hung_up = OneAnswer::over(None, "").await;
    let lost = hung_up.get("http", CertificateTrust::Machine).await;
    let why = lost.unwrap_err().to_string();
    assert!(why.contains("begin `maas_url` with `https://`"), "{why}");

    // An alert, as OpenSSL sends it to whoever does not begin with a handshake.
    let alert = OneAnswer::over(None, "\u{15}\u{3}\u{1}\0\u{2}\u{2}F").await;
    let lost = alert.get("http", CertificateTrust::Machine).await;
    let lost = lost.unwrap_err();
    assert!(
        matches!(lost, LostAnswer::Broken(_)),
        "a write may have arrived: {lost:?}"
    );
    let why = lost.to_string();
    assert!(why.contains("begin `maas_url` with `https://`"), "{why}");
}

#[test]
fn a_pin_is_read_as_openssl_prints_it_and_a_file_must_hold_certificates() {
    let pin = pin_of(LEAF.0);
    let shown = pin.to_string();
    for given in [
        shown.clone(),
        shown.to_lowercase(),
        shown.replace(':', ""),
        format!("sha256:{}", shown.replace(':', "").to_lowercase()),
        format!("sha256 Fingerprint={shown}\n"),
        format!("SHA256 Fingerprint={shown}"),
    ] {
        assert_eq!(given.parse(), Ok(pin), "{given}");
    }
    for bad in [
        "",
        "AB:CD",
        "sha1:0123",
        &shown[2..],
        &format!("{shown}:00"),
        "zz",
    ] {
        assert!(bad.parse::<CertificatePin>().is_err(), "{bad}");
    }
    let none = CertificateTrust::authorities(b"");
    assert_eq!(none, Err(TrustError::NoCertificate));
    assert_eq!(
        CertificateTrust::authorities(LEAF.1),
        Err(TrustError::NoCertificate)
    );
    let broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert_eq!(
        CertificateTrust::authorities(broken),
        Err(TrustError::Certificate(1))
    );
}
