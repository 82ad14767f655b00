//! Reads a site's sources of evidence: files and URLs that the configuration names. It must not know what they prove.

use std::time::Duration;

use anyhow::{Context as _, anyhow};
use execution::evidence::{EvidenceReading, EvidenceSource};
use maas::outgoing::client_to;

use crate::config;

/// A listing is a few kilobytes: a source that takes 30 s does not answer.
const SOURCE_SECONDS_MAX: Duration = Duration::from_secs(30);

/// `ip -j addr` of a busy host is some hundred kilobytes.
const SOURCE_BYTES_MAX: usize = 4 << 20;

/// What the site's sources of evidence said when they were read.
pub struct EvidenceReadings {
    pub(super) juju: EvidenceReading,
    pub(super) jumphost: EvidenceReading,
}

impl EvidenceSource for EvidenceReadings {
    fn juju_models(&self) -> EvidenceReading {
        self.juju.clone()
    }

    fn jumphost_addresses(&self) -> EvidenceReading {
        self.jumphost.clone()
    }
}

/// Reads every source and lays their lists together: `{"models": […]}` of each controller, or `[…]`.
pub(super) async fn read_all(
    sources: &[config::EvidenceLocation],
    models: bool,
) -> EvidenceReading {
    if sources.is_empty() {
        return EvidenceReading::NotConfigured;
    }
    let mut all = Vec::new();
    for source in sources {
        let text = match read(source).await {
            Ok(text) => text,
            Err(why) => return EvidenceReading::Unreadable(format!("{why:#}")),
        };
        let value: serde_json::Value = match serde_json::from_str(&text) {
            Ok(value) => value,
            Err(error) => return EvidenceReading::Unreadable(format!("no JSON: {error}")),
        };
        let list = if models {
            value.get("models").and_then(|list| list.as_array())
        } else {
            value.as_array()
        };
        match list {
            Some(list) => all.extend(list.iter().cloned()),
            None => {
                return EvidenceReading::Unreadable("not the list that was expected".to_owned());
            }
        }
    }
    let all = serde_json::Value::Array(all);
    EvidenceReading::Text(if models {
        serde_json::json!({"models": all}).to_string()
    } else {
        all.to_string()
    })
}

async fn read(source: &config::EvidenceLocation) -> anyhow::Result<String> {
    match source {
        config::EvidenceLocation::File(path) => {
            std::fs::read_to_string(path).with_context(|| format!("reading `{}`", path.display()))
        }
        config::EvidenceLocation::Url(url) => fetched(url)
            .await
            .map_err(reqwest::Error::without_url)
            .context("reading a source of evidence")?,
    }
}

async fn fetched(url: &str) -> reqwest::Result<anyhow::Result<String>> {
    let http = client_to(url).timeout(SOURCE_SECONDS_MAX).build()?;
    let mut answer = http.get(url).send().await?;
    let status = answer.status();
    if !status.is_success() {
        return Ok(Err(anyhow!("the source answered {}", status.as_u16())));
    }
    let mut text = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        text.extend_from_slice(&chunk);
        if text.len() > SOURCE_BYTES_MAX {
            return Ok(Err(anyhow!(
                "the source said more than {SOURCE_BYTES_MAX} bytes"
            )));
        }
    }
    Ok(Ok(String::from_utf8_lossy(&text).into_owned()))
}
