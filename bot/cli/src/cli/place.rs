//! Which MAAS, and which declaration: from `planebot.toml`, or told on the command line.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use secrecy::SecretString;

use crate::cli::{Console, files};
use github::credentials::Secret;
use maas::ReadProgress;
use service::config::{Config, EvidenceSources, Operators, Site, SitePolicy};
use service::site::SiteRuntime;
use topology::port::Clock;

/// Which site: from the configuration, or ad hoc.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Which site")]
pub(crate) struct Where {
    /// The configuration
    #[arg(
        long,
        global = true,
        env = "PLANEBOT_CONFIG",
        default_value = "planebot.toml",
        value_name = "FILE"
    )]
    config: PathBuf,
    /// The site's name in the configuration; may be left out when there is one
    #[arg(long, global = true, env = "PLANEBOT_SITE", value_name = "NAME")]
    site: Option<String>,
    /// A MAAS without any configuration: its URL, ending in `/MAAS`
    #[arg(long, global = true, env = "PLANEBOT_MAAS_URL", value_name = "URL")]
    maas_url: Option<String>,
    /// The file with the API key (`consumer:token:secret`), with `--maas-url`
    #[arg(
        long,
        global = true,
        env = "PLANEBOT_MAAS_API_KEY_FILE",
        value_name = "FILE"
    )]
    maas_api_key_file: Option<PathBuf>,
    /// The folder with the declaration; else the site's `path`, or `topology`
    #[arg(long, global = true, env = "PLANEBOT_TOPOLOGY", value_name = "DIR")]
    topology: Option<PathBuf>,
}

impl Where {
    /// The site's name, where it was told.
    pub(crate) fn name(&self) -> Option<&str> {
        self.site.as_deref()
    }

    /// The folder of the declaration, or of several, as far as it was told.
    pub(crate) fn topology(&self) -> Option<&Path> {
        self.topology.as_deref()
    }

    /// The folder of that site's declaration.
    pub(crate) fn declaration(&self, site: &Site) -> anyhow::Result<PathBuf> {
        let told = self.topology.clone();
        let path = told.unwrap_or_else(|| PathBuf::from(&site.path));
        files::site(&path, self.site.as_deref())
    }

    /// The site that is meant: of the configuration, or made of what was told.
    pub(crate) fn site(&self, console: &Console<'_>) -> anyhow::Result<Site> {
        match &self.maas_url {
            Some(url) => self.ad_hoc(url, console),
            None => self.configured(console),
        }
    }

    /// That site at work, drawing its progress where someone watches.
    pub(crate) fn desk(&self, console: &Console<'_>, clock: &Clock) -> anyhow::Result<SiteRuntime> {
        let watched = console.watched;
        SiteRuntime::open(self.site(console)?, clock, move |progress| {
            if watched {
                draw(progress);
            }
        })
    }

    /// Whether there is a configuration, readable or not.
    pub(crate) fn has_config(&self) -> bool {
        self.config.exists()
    }

    /// The whole configuration.
    pub(crate) fn load(&self, console: &Console<'_>) -> anyhow::Result<Config> {
        anyhow::ensure!(
            self.config.exists(),
            "there is no `{}`; write one, name another with `--config`, or give `--maas-url`, `--maas-api-key-file` and `--topology`",
            self.config.display()
        );
        Ok(Config::load(&self.config, &console.variables)?)
    }

    fn ad_hoc(&self, url: &str, console: &Console<'_>) -> anyhow::Result<Site> {
        let given = console.variables.get("PLANEBOT_MAAS_API_KEY");
        let key = match (&self.maas_api_key_file, given) {
            (Some(file), _) => Secret::File(file.clone()),
            (None, Some(key)) => Secret::Given(SecretString::from(key.as_str())),
            (None, None) => anyhow::bail!(
                "`--maas-url` needs `--maas-api-key-file`, or the key in `PLANEBOT_MAAS_API_KEY`"
            ),
        };
        Ok(Site {
            name: self.site.clone().unwrap_or_else(|| "site".to_owned()),
            repository: String::new(),
            path: "topology".to_owned(),
            runbooks: "runbooks".to_owned(),
            maas_url: url.to_owned(),
            maas_api_key: Some(key),
            operators: Operators::default(),
            policy: SitePolicy::default(),
            evidence: EvidenceSources::default(),
        })
    }

    fn configured(&self, console: &Console<'_>) -> anyhow::Result<Site> {
        let config = self.load(console)?;
        let names: Vec<&str> = config.sites.iter().map(|site| site.name.as_str()).collect();
        let names = names.join("`, `");
        let site = match (&self.site, config.sites.as_slice()) {
            (Some(name), _) => config.site(name).with_context(|| {
                let file = self.config.display();
                format!("`{file}` has no site `{name}`; it has `{names}`")
            })?,
            (None, [site]) => site,
            (None, []) => anyhow::bail!("`{}` has no site", self.config.display()),
            (None, _) => anyhow::bail!("say which with `--site`: `{names}`"),
        };
        Ok(site.clone())
    }
}

/// Draws how far a read is, over the line before it.
fn draw(progress: ReadProgress<'_>) {
    let mut err = std::io::stderr().lock();
    let drawn = if progress.complete {
        write!(err, "\r\x1b[K")
    } else {
        write!(
            err,
            "\r\x1b[K{} … {} KiB",
            progress.request,
            progress.bytes / 1024
        )
    };
    // Nobody is told of a progress line that could not be drawn.
    drop(drawn.and_then(|()| err.flush()));
}
