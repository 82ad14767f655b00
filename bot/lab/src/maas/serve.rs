//! Serves the lab's MAAS on a loopback port, with injected faults.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::json;
use tokio::task::JoinHandle;

use super::installation::installed;
use super::store::LabMaas;
use crate::socket::{self, HttpEndpoint, HttpFaultPolicy, LabClock};
use crate::wire::{LabRequest, LabResponse};

/// A running MAAS server. Dropping it stops the server.
pub struct MaasServer {
    /// The base URL, which ends with `/MAAS`.
    pub url: String,
    /// The rows, for tests that change them without the API.
    pub maas: Arc<Mutex<LabMaas>>,
    task: JoinHandle<()>,
}

impl Drop for MaasServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Serves `maas` on a free loopback port.
pub async fn serve(maas: LabMaas, faults: Option<HttpFaultPolicy>) -> std::io::Result<MaasServer> {
    serve_with_clock(maas, faults, Arc::new(clock)).await
}

/// The same with a clock other than the system's.
pub async fn serve_with_clock(
    maas: LabMaas,
    faults: Option<HttpFaultPolicy>,
    clock: LabClock,
) -> std::io::Result<MaasServer> {
    let (listener, url) = socket::listen(0).await?;
    let maas = Arc::new(Mutex::new(maas));
    let shared = Arc::clone(&maas);
    let rules = move |request: &LabRequest| {
        let mut maas = shared.lock().unwrap_or_else(PoisonError::into_inner);
        maas.answer(request)
    };
    let endpoint = HttpEndpoint {
        rules: Arc::new(rules),
        faults,
        refusal: |status| {
            LabResponse::html(status, "<html>not now</html>").with("retry-after", "5")
        },
        clock,
    };
    let task = socket::open(listener, endpoint);
    Ok(MaasServer {
        url: format!("{url}/MAAS"),
        maas,
        task,
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "MAAS compares OAuth timestamps with its own clock"
)]
fn clock() -> i64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| {
            i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
        })
}

/// No two servers have the same: no process starts twice in one nanosecond under one number.
#[expect(
    clippy::disallowed_methods,
    reason = "an id that no other installation has cannot come from the layout"
)]
fn installation_seed() -> String {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let nanoseconds = since.map_or(0, |since| since.as_nanos());
    format!("{}/{nanoseconds}", std::process::id())
}

/// Serves a layout until SIGTERM or Ctrl-C. When ready, writes the URL and the API keys to `state` as JSON, with one rename.
pub async fn serve_until_signal(
    layout: &str,
    version: Option<&str>,
    state: &Path,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    // A layout that cannot be loaded is reported as it was written.
    let maas = LabMaas::load(&installed(layout, &installation_seed()), version)
        .or_else(|_| LabMaas::load(layout, version))?;
    let admin = maas.api_key("admin");
    let users: serde_json::Map<String, serde_json::Value> = maas
        .user_names()
        .into_iter()
        .filter_map(|name| maas.api_key(&name).map(|key| (name, json!(key))))
        .collect();
    let serving = serve(maas, None).await?;
    let text =
        json!({"maas_url": serving.url, "maas_api_key": admin, "maas_users": users}).to_string();
    let fresh = state.with_extension("new");
    std::fs::write(&fresh, text)?;
    std::fs::rename(&fresh, state)?;
    let mut term = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        _ = term.recv() => {}
        ended = tokio::signal::ctrl_c() => ended?,
    }
    Ok(())
}
