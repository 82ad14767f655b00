//! Reads a site's evidence sources: files and URLs from the configuration. It must not know what they prove.

use std::time::Duration;

use anyhow::{Context as _, anyhow};

use execution::evidence::{EvidenceReading, EvidenceSource};
use maas::outgoing::client_to;

use crate::config;

/// A listing is a few kilobytes: a source that has not responded after 30 s will not.
const SOURCE_SECONDS_MAX: Duration = Duration::from_secs(30);

/// The output of `ip -j addr` on a busy host is a few hundred kilobytes.
const SOURCE_BYTES_MAX: usize = 4 << 20;

/// The contents of a site's evidence sources when they were read.
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

/// Reads every source and concatenates their lists: `{"models": […]}` of each controller, or `[…]`.
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
            Err(error) => return EvidenceReading::Unreadable(format!("not JSON: {error}")),
        };
        let list = if models {
            value.get("models").and_then(|list| list.as_array())
        } else {
            value.as_array()
        };
        match list {
            Some(list) => all.extend(list.iter().cloned()),
            None => {
                return EvidenceReading::Unreadable("not the expected list".to_owned());
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
            .context("reading an evidence source")?,
    }
}

async fn fetched(url: &str) -> reqwest::Result<anyhow::Result<String>> {
    let http = client_to(url).timeout(SOURCE_SECONDS_MAX).build()?;
    let mut response = http.get(url).send().await?;
    let status = response.status();
    if !status.is_success() {
        return Ok(Err(anyhow!(
            "the source answered with status {}",
            status.as_u16()
        )));
    }
    let mut text = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        text.extend_from_slice(&chunk);
        if text.len() > SOURCE_BYTES_MAX {
            return Ok(Err(anyhow!(
                "the source returned more than {SOURCE_BYTES_MAX} bytes"
            )));
        }
    }
    Ok(Ok(String::from_utf8_lossy(&text).into_owned()))
}
