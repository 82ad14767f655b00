//! Sends requests to the lab's MAAS in this process: without a socket, but as the same bytes.
//!
//! The lab parses requests independently of the client, so they are signed and form-encoded as for a real MAAS. Must not
//! know what the lab holds.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lab::maas::LabMaas;
use maas::{AnswerHeaders, ApiKey, Environment, LostAnswer, MaasRequest, MaasResponse, Transport};
use reqwest::Url;

/// The lab's MAAS, with its administrator's API key.
#[derive(Clone)]
pub struct InMemoryMaas {
    maas: Arc<Mutex<LabMaas>>,
    key: ApiKey,
    environment: Environment,
}

impl InMemoryMaas {
    /// Reaches `maas`, which must have the user `admin`.
    pub fn new(maas: Arc<Mutex<LabMaas>>, environment: Environment) -> Self {
        let key = maas
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .api_key("admin")
            .expect("the lab's MAAS is made with an administrator");
        let key = ApiKey::read(&key).expect("the lab makes keys as MAAS does");
        Self {
            maas,
            key,
            environment,
        }
    }

    fn to_lab_request(&self, request: &MaasRequest) -> lab::wire::LabRequest {
        let path = format!("/MAAS/api/2.0/{}", request.path);
        let stamp = self.environment.stamp();
        let signature = self.key.header(
            request.method.name(),
            &format!("http://lab.test{path}"),
            &stamp,
        );
        let signature = signature.to_str().unwrap_or_default().to_owned();
        lab::wire::LabRequest {
            method: request.method.name().to_owned(),
            path,
            query: request.query.clone(),
            headers: vec![
                ("authorization".to_owned(), signature),
                (
                    "content-type".to_owned(),
                    "application/x-www-form-urlencoded".to_owned(),
                ),
            ],
            body: encoded(&request.form),
            now: i64::try_from(stamp.seconds).unwrap_or(i64::MAX),
        }
    }
}

impl fmt::Debug for InMemoryMaas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InMemoryMaas")
    }
}

impl Transport for InMemoryMaas {
    async fn send(&self, request: MaasRequest) -> Result<MaasResponse, LostAnswer> {
        let request = self.to_lab_request(&request);
        let response = self
            .maas
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .answer(&request);
        let header = |name: &str| {
            let found = response.headers.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| value.clone()).unwrap_or_default()
        };
        Ok(MaasResponse {
            status: response.status,
            content_type: header("content-type"),
            retry_after: header("retry-after").parse().ok().map(Duration::from_secs),
            headers: AnswerHeaders::default(),
            body: response.body,
        })
    }
}

/// `application/x-www-form-urlencoded`.
fn encoded(form: &[(String, String)]) -> Vec<u8> {
    if form.is_empty() {
        return Vec::new();
    }
    let mut url = Url::parse("http://lab.test/").expect("a constant that parses");
    url.query_pairs_mut().extend_pairs(form);
    url.query().unwrap_or_default().as_bytes().to_vec()
}
