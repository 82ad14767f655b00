//! Which MAAS and which declaration: of a site in `planebot.toml`, or given on the command line.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use github::credentials::Secret;
use maas::{CertificatePin, ReadProgress};
use secrecy::SecretString;
use service::config::{Config, EvidenceSources, MaasCertificates, Operators, Site, SitePolicy};
use service::identity::MaasIdentity;
use service::site::SiteRuntime;
use topology::port::Clock;

use crate::cli::beside::folder_beside;
use crate::cli::{Console, folders};
use crate::terminal::SiteBeside;

/// A site of the configuration, or a MAAS without a configuration.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Site")]
pub(crate) struct LocationArgs {
    /// The configuration file
    #[arg(
        long,
        global = true,
        env = "PLANEBOT_CONFIG",
        default_value = "planebot.toml",
        value_name = "FILE"
    )]
    config: PathBuf,
    /// The name of the site in the configuration; needed only when there are several
    #[arg(long, global = true, env = "PLANEBOT_SITE", value_name = "NAME")]
    site: Option<String>,
    /// The URL of a MAAS, ending in `/MAAS`; no configuration is needed then
    #[arg(long, global = true, env = "PLANEBOT_MAAS_URL", value_name = "URL")]
    maas_url: Option<String>,
    /// The file with the API key (`consumer:token:secret`) for `--maas-url`
    #[arg(
        long,
        global = true,
        env = "PLANEBOT_MAAS_API_KEY_FILE",
        value_name = "FILE"
    )]
    maas_api_key_file: Option<PathBuf>,
    /// A PEM file with the authority that issued the certificate of `--maas-url`, or with that certificate
    #[arg(
        long,
        global = true,
        env = "PLANEBOT_MAAS_CA_FILE",
        value_name = "FILE"
    )]
    maas_ca_file: Option<PathBuf>,
    /// The SHA-256 fingerprint of the certificate of `--maas-url`, in place of `--maas-ca-file`
    #[arg(
        long,
        global = true,
        env = "PLANEBOT_MAAS_CERTIFICATE_PIN",
        value_name = "SHA256",
        value_delimiter = ','
    )]
    maas_certificate_pin: Vec<CertificatePin>,
    /// The folder with the declaration; default: the site's `path`, or `topology`
    #[arg(long, global = true, env = "PLANEBOT_TOPOLOGY", value_name = "DIR")]
    topology: Option<PathBuf>,
}

impl LocationArgs {
    /// `--site`.
    pub(crate) fn site_name(&self) -> Option<&str> {
        self.site.as_deref()
    }

    /// `--topology`: the folder of one declaration or of several.
    pub(crate) fn topology(&self) -> Option<&Path> {
        self.topology.as_deref()
    }

    /// The folder of the site's declaration.
    pub(crate) fn declaration(&self, site: &Site) -> anyhow::Result<PathBuf> {
        let given = self.topology.clone();
        let path = given.unwrap_or_else(|| PathBuf::from(&site.path));
        folders::site_folder(&path, self.site.as_deref())
    }

    /// The site, with a MAAS client that shows its progress on a terminal.
    pub(crate) fn open(&self, console: &Console<'_>, clock: &Clock) -> anyhow::Result<SiteRuntime> {
        let site = match &self.maas_url {
            Some(url) => self.site_at(url, console),
            None => self.configured_site(console),
        };
        let is_terminal = console.stderr_is_terminal;
        SiteRuntime::open(site?, clock, move |progress| {
            if is_terminal {
                show_progress(progress);
            }
        })
    }

    /// The other sites of the configuration, with their folders where they are at hand.
    pub(crate) fn beside(
        &self,
        site: &Site,
        folder: &Path,
        console: &Console<'_>,
        clock: &Clock,
    ) -> anyhow::Result<Vec<SiteBeside>> {
        if self.maas_url.is_some() || !self.has_config() {
            return Ok(Vec::new());
        }
        let config = self.load(console)?;
        let others = config.sites.into_iter();
        let others = others.filter(|other| other.name != site.name);
        Ok(others
            .map(|other| SiteBeside {
                name: other.name.clone(),
                configured: MaasIdentity::of(&other, BTreeSet::new()),
                folder: folder_beside(folder, site, &other),
                runtime: SiteRuntime::open(other, clock, |_| {}).ok(),
            })
            .collect())
    }

    /// Whether the configuration file exists, readable or not.
    pub(crate) fn has_config(&self) -> bool {
        self.config.exists()
    }

    /// Reads the configuration.
    pub(crate) fn load(&self, console: &Console<'_>) -> anyhow::Result<Config> {
        anyhow::ensure!(
            self.config.exists(),
            "there is no configuration file `{}`: create it, name another with `--config`, or give `--maas-url`, `--maas-api-key-file` and `--topology`",
            self.config.display()
        );
        Ok(Config::load(&self.config, &console.variables)?)
    }

    fn site_at(&self, url: &str, console: &Console<'_>) -> anyhow::Result<Site> {
        let variable = console.variables.get("PLANEBOT_MAAS_API_KEY");
        let key = match (&self.maas_api_key_file, variable) {
            (Some(file), _) => Secret::File(file.clone()),
            (None, Some(key)) => Secret::Given(SecretString::from(key.as_str())),
            (None, None) => anyhow::bail!(
                "`--maas-url` needs an API key: give `--maas-api-key-file`, or set `PLANEBOT_MAAS_API_KEY`"
            ),
        };
        Ok(Site {
            name: self.site.clone().unwrap_or_else(|| "site".to_owned()),
            repository: String::new(),
            path: "topology".to_owned(),
            runbooks: "runbooks".to_owned(),
            maas_url: url.to_owned(),
            more_maas_urls: Vec::new(),
            maas_certificates: MaasCertificates {
                ca_file: self.maas_ca_file.clone(),
                pins: self.maas_certificate_pin.clone(),
            },
            maas_api_key: Some(key),
            operators: Operators::default(),
            policy: SitePolicy::default(),
            evidence: EvidenceSources::default(),
        })
    }

    fn configured_site(&self, console: &Console<'_>) -> anyhow::Result<Site> {
        let config = self.load(console)?;
        let file = self.config.display();
        let names: Vec<&str> = config.sites.iter().map(|site| site.name.as_str()).collect();
        let names = names.join("`, `");
        let site = match (&self.site, config.sites.as_slice()) {
            (Some(name), _) => config.site(name).with_context(|| {
                format!("there is no site `{name}` in `{file}`: its sites are `{names}`")
            })?,
            (None, [site]) => site,
            (None, []) => anyhow::bail!("there is no `[[site]]` in `{file}`"),
            (None, _) => {
                anyhow::bail!("there are several sites: name one with `--site`: `{names}`")
            }
        };
        Ok(site.clone())
    }
}

/// Overwrites the line with how much of a response has been read.
fn show_progress(progress: ReadProgress<'_>) {
    let mut err = std::io::stderr().lock();
    let written = if progress.complete {
        write!(err, "\r\x1b[K")
    } else {
        write!(
            err,
            "\r\x1b[K{} … {} KiB",
            progress.request,
            progress.bytes / 1024
        )
    };
    // The command does not fail because its progress cannot be shown.
    drop(written.and_then(|()| err.flush()));
}
