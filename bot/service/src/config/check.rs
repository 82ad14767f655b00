//! From what the file says to a configuration, or to every remark about it at once.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chrono::{DateTime, NaiveDate};
use secrecy::SecretString;
use topology::observed::Timestamp;

use crate::config::file;
use crate::config::file::{ConfigFile, OneOrMany, UserEntry};
use crate::config::{
    BODY_BYTES_MAX, Config, ConfigErrors, EvidenceLocation, EvidenceSources, LEASE_MARGIN_SECONDS,
    OperatorName, Operators, SECONDS_MAX, ServerSettings, Site, SitePolicy, StoreSettings,
    TAKEOVER_SECONDS_MIN, Window, env, store,
};
use github::Team;
use github::credentials::{GitHubSettings, Identity, Secret};

/// What is at hand while checking.
struct SiteRuntime<'a> {
    folder: &'a Path,
    variables: &'a BTreeMap<String, String>,
    remarks: Vec<String>,
}

/// Believes the file, or says why not.
pub(super) fn check(
    file: &ConfigFile,
    folder: &Path,
    variables: &BTreeMap<String, String>,
) -> Result<Config, ConfigErrors> {
    let mut desk = SiteRuntime {
        folder,
        variables,
        remarks: Vec::new(),
    };
    let server = desk.server(&file.server);
    let github = file.github.as_ref().and_then(|github| desk.github(github));
    let store = desk.store(&file.store);
    let sites: Vec<Site> = file.site.iter().map(|site| desk.site(site)).collect();
    desk.no_site_within_another(&sites);
    match store {
        Some(store) if desk.remarks.is_empty() => Ok(Config {
            server,
            github,
            store,
            sites,
        }),
        Some(_) | None => Err(ConfigErrors(desk.remarks)),
    }
}

impl SiteRuntime<'_> {
    fn remark(&mut self, text: String) {
        self.remarks.push(text);
    }

    fn place(&self, path: &Path) -> PathBuf {
        self.folder.join(path)
    }

    /// A secret in a file or in a variable; both at once are refused.
    fn secret(&mut self, key: &str, file: Option<&PathBuf>, variable: &str) -> Option<Secret> {
        match (file, self.variables.get(variable)) {
            (Some(_), Some(_)) => {
                self.remark(format!("{key} and `{variable}` are both set: keep one"));
                None
            }
            (Some(path), None) => Some(Secret::File(self.place(path))),
            (None, Some(value)) => Some(Secret::Given(SecretString::from(value.as_str()))),
            (None, None) => None,
        }
    }

    fn server(&mut self, server: &file::ServerTable) -> ServerSettings {
        let text = server.listen.as_deref().unwrap_or("127.0.0.1:8080");
        let listen = text.parse().unwrap_or_else(|_| {
            self.remark(format!(
                "`server.listen`: `{text}` is not an address with a port, as `0.0.0.0:8080`"
            ));
            std::net::SocketAddr::from(([127, 0, 0, 1], 8080))
        });
        let body_limit = server.body_limit_bytes.unwrap_or(BODY_BYTES_MAX);
        if body_limit == 0 || body_limit > BODY_BYTES_MAX {
            self.remark(format!(
                "`server.body_limit_bytes` must be between 1 and {BODY_BYTES_MAX}: GitHub sends nothing larger"
            ));
        }
        let public_url = server
            .public_url
            .as_deref()
            .and_then(|url| self.url("`server.public_url`", url));
        let replica = server.replica.clone();
        if replica.as_deref().is_some_and(|name| !is_word(name)) {
            self.remark(
                "`server.replica` is a name of letters, digits, `-`, `_` and `.`".to_owned(),
            );
        }
        let takeover_seconds = server.takeover_seconds.unwrap_or(30);
        if !(TAKEOVER_SECONDS_MIN..=SECONDS_MAX).contains(&takeover_seconds) {
            self.remark(format!(
                "`server.takeover_seconds` must be from {TAKEOVER_SECONDS_MIN} to {SECONDS_MAX}: the store alone is given 5 s for an answer"
            ));
        }
        ServerSettings {
            listen,
            body_limit,
            public_url,
            replica,
            takeover_seconds,
        }
    }

    fn github(&mut self, github: &file::GitHubTable) -> Option<GitHubSettings> {
        let api_url = github
            .api_url
            .as_deref()
            .unwrap_or("https://api.github.com");
        let api_url = self.url("`github.api_url`", api_url);
        let [
            key_variable,
            token_variable,
            secret_variable,
            previous_variable,
        ] = env::SECRETS;
        let key = self.secret(
            "`github.private_key_file`",
            github.private_key_file.as_ref(),
            key_variable,
        );
        let token = self.secret(
            "`github.token_file`",
            github.token_file.as_ref(),
            token_variable,
        );
        let identity = self.identity(github.app_id, key, token);
        let webhook_secret = self.secret(
            "`github.webhook_secret_file`",
            github.webhook_secret_file.as_ref(),
            secret_variable,
        );
        let previous = self.secret(
            "`github.previous_webhook_secret_file`",
            github.previous_webhook_secret_file.as_ref(),
            previous_variable,
        );
        let until = github
            .previous_webhook_secret_until
            .as_ref()
            .map(file::Moment::text);
        let previous_webhook_secret = self.previous(previous, until.as_deref());
        Some(GitHubSettings {
            api_url: api_url?,
            identity: identity?,
            webhook_secret,
            previous_webhook_secret,
        })
    }

    fn identity(
        &mut self,
        app_id: Option<u64>,
        key: Option<Secret>,
        token: Option<Secret>,
    ) -> Option<Identity> {
        match (app_id, key, token) {
            (Some(id), Some(private_key), None) => Some(Identity::App { id, private_key }),
            (None, None, Some(token)) => Some(Identity::Token(token)),
            (Some(_), None, None) => {
                self.remark("`github.app_id` needs `github.private_key_file`".to_owned());
                None
            }
            (None, Some(_), None) => {
                self.remark("`github.private_key_file` needs `github.app_id`".to_owned());
                None
            }
            (None, None, None) => {
                self.remark(
                    "`github` needs `app_id` with `private_key_file`, or `token_file`".to_owned(),
                );
                None
            }
            (Some(_), _, Some(_)) | (None, Some(_), Some(_)) => {
                self.remark("`github` has both an app and a token: keep one".to_owned());
                None
            }
        }
    }

    fn previous(
        &mut self,
        secret: Option<Secret>,
        until: Option<&str>,
    ) -> Option<(Secret, Timestamp)> {
        match (secret, until) {
            (Some(secret), Some(text)) => {
                let until = moment(text);
                if until.is_none() {
                    self.remark(format!(
                        "`github.previous_webhook_secret_until`: `{text}` is not a date, as `2026-12-01` or `2026-12-01T12:00:00Z`"
                    ));
                }
                until.map(|until| (secret, until))
            }
            (Some(_), None) => {
                self.remark(
                    "`github.previous_webhook_secret_file` needs `github.previous_webhook_secret_until`: an old secret is believed only for a while"
                        .to_owned(),
                );
                None
            }
            (None, Some(_)) => {
                self.remark(
                    "`github.previous_webhook_secret_until` is set without `github.previous_webhook_secret_file`"
                        .to_owned(),
                );
                None
            }
            (None, None) => None,
        }
    }

    fn store(&mut self, store: &file::StoreTable) -> Option<StoreSettings> {
        let password = self.secret(
            "`store.password_file`",
            store.password_file.as_ref(),
            env::STORE_PASSWORD,
        );
        store::check(store, password, self.folder)
            .map_err(|remark| self.remark(remark))
            .ok()
    }

    fn site(&mut self, site: &file::SiteTable) -> Site {
        let name = &site.name;
        if !is_site_name(name) {
            self.remark(format!(
                "`{name}` is not a name for a site: lower-case letters, digits and `-`, beginning with a letter, at most 40"
            ));
        }
        if !is_repository(&site.repository) {
            self.remark(format!(
                "site `{name}`: `{}` is not a repository, as `owner/name`",
                site.repository
            ));
        }
        let path = site
            .path
            .clone()
            .unwrap_or_else(|| format!("topology/{name}"));
        let runbooks = site
            .runbooks
            .clone()
            .unwrap_or_else(|| "runbooks".to_owned());
        for (key, folder) in [("path", &path), ("runbooks", &runbooks)] {
            if !is_folder(folder) {
                self.remark(format!(
                    "site `{name}`: `{key}` must be a folder inside the repository, not `{folder}`"
                ));
            }
        }
        let maas_url = self.url(&format!("site `{name}`: `maas_url`"), &site.maas_url);
        let maas_api_key = self.secret(
            &format!("site `{name}`: `maas_api_key_file`"),
            site.maas_api_key_file.as_ref(),
            &format!("{}MAAS_API_KEY", env::site_prefix(name)),
        );
        Site {
            name: name.clone(),
            repository: site.repository.clone(),
            path,
            runbooks,
            maas_url: maas_url.unwrap_or_default(),
            maas_api_key,
            operators: self.operators(name, &site.operators),
            policy: self.policy(name, &site.policy),
            evidence: EvidenceSources {
                juju_models: self.sources(name, site.evidence.juju_models.as_ref()),
                jumphost_addresses: self.sources(name, site.evidence.jumphost_addresses.as_ref()),
            },
        }
    }

    fn operators(&mut self, site: &str, operators: &file::OperatorsTable) -> Operators {
        let mut users = Vec::new();
        for user in &operators.users {
            let (login, id) = match user {
                UserEntry::Login(login) => (login, None),
                UserEntry::Pinned(pinned) => (&pinned.login, pinned.id),
            };
            if is_login(login) {
                users.push(OperatorName {
                    login: login.clone(),
                    id,
                });
            } else {
                self.remark(format!("site `{site}`: `{login}` is not a GitHub login"));
            }
        }
        let mut teams = Vec::new();
        for team in &operators.teams {
            match team.split_once('/') {
                Some((org, slug)) if is_login(org) && is_word(slug) => teams.push(Team {
                    org: org.to_owned(),
                    slug: slug.to_owned(),
                }),
                Some(_) | None => {
                    self.remark(format!(
                        "site `{site}`: `{team}` is not a team, as `org/slug`"
                    ));
                }
            }
        }
        Operators { users, teams }
    }

    fn policy(&mut self, site: &str, policy: &file::PolicyTable) -> SitePolicy {
        let usual = SitePolicy::default();
        let mut windows = Vec::new();
        for text in &policy.windows {
            match Window::parse(text) {
                Ok(window) => windows.push(window),
                Err(why) => self.remark(format!("site `{site}`: {why}")),
            }
        }
        let unknown_pause_seconds = policy
            .unknown_pause_seconds
            .unwrap_or(usual.unknown_pause_seconds);
        let shortest = unknown_pause_seconds.saturating_add(LEASE_MARGIN_SECONDS);
        let lease_seconds = policy
            .lease_seconds
            .unwrap_or(usual.lease_seconds.max(shortest));
        if !(shortest..=SECONDS_MAX).contains(&lease_seconds) {
            self.remark(format!(
                "site `{site}`: `lease_seconds` must be from {shortest} to {SECONDS_MAX}: MAAS may be at work on a request for `unknown_pause_seconds`, and the looks before it take time too"
            ));
        }
        SitePolicy {
            settle_seconds: policy.settle_seconds.unwrap_or(usual.settle_seconds),
            unknown_pause_seconds,
            lease_seconds,
            max_deletions_per_mille: policy
                .max_deletions_share
                .and_then(|share| self.per_mille(site, share)),
            two_person: policy.two_person.unwrap_or(usual.two_person),
            windows,
        }
    }

    fn per_mille(&mut self, site: &str, share: f64) -> Option<u16> {
        if !(0.0..=1.0).contains(&share) {
            self.remark(format!(
                "site `{site}`: `max_deletions_share` must be from 0 to 1, not {share}"
            ));
            return None;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share from 0 to 1 is 0 to 1000 thousandths"
        )]
        let thousandths = (share * 1000.0).round() as u16;
        Some(thousandths)
    }

    fn sources(&mut self, site: &str, places: Option<&OneOrMany>) -> Vec<EvidenceLocation> {
        let places = match places {
            None => return Vec::new(),
            Some(OneOrMany::One(place)) => std::slice::from_ref(place),
            Some(OneOrMany::Many(places)) => places.as_slice(),
        };
        let mut sources = Vec::new();
        for place in places {
            if !place.contains("://") {
                sources.push(EvidenceLocation::File(self.place(Path::new(place))));
            } else if let Some(url) = self.url(&format!("site `{site}`: `evidence`"), place) {
                sources.push(EvidenceLocation::Url(url));
            }
        }
        sources
    }

    /// `http(s)://host…` without user, password or fragment, and without a slash at the end.
    fn url(&mut self, key: &str, text: &str) -> Option<String> {
        let parsed = reqwest::Url::parse(text).ok().filter(|url| {
            matches!(url.scheme(), "http" | "https")
                && url.has_host()
                && url.username().is_empty()
                && url.password().is_none()
                && url.fragment().is_none()
        });
        if parsed.is_none() {
            // A URL may hold a password, so it is not shown.
            self.remark(format!(
                "{key} must be a URL that begins with `http://` or `https://`, without user and password"
            ));
        }
        parsed.map(|_| text.trim_end_matches('/').to_owned())
    }

    fn no_site_within_another(&mut self, sites: &[Site]) {
        for (at, site) in sites.iter().enumerate() {
            for other in &sites[..at] {
                if site.name == other.name {
                    self.remark(format!("two sites are called `{}`", site.name));
                } else if env::site_prefix(&site.name) == env::site_prefix(&other.name) {
                    self.remark(format!(
                        "sites `{}` and `{}` have the same variables",
                        other.name, site.name
                    ));
                } else if site.repository.eq_ignore_ascii_case(&other.repository)
                    && (site.path == other.path || site.owns(&other.path) || other.owns(&site.path))
                {
                    self.remark(format!(
                        "sites `{}` and `{}` share a folder of `{}`",
                        other.name, site.name, site.repository
                    ));
                }
            }
        }
    }
}

/// Midnight UTC of a date, or a date and time with its offset.
fn moment(text: &str) -> Option<Timestamp> {
    if let Ok(date) = text.parse::<NaiveDate>() {
        let midnight = date.and_hms_opt(0, 0, 0)?;
        return Some(Timestamp(midnight.and_utc().timestamp_millis()));
    }
    let time = DateTime::parse_from_rfc3339(text).ok()?;
    Some(Timestamp(time.timestamp_millis()))
}

fn is_site_name(text: &str) -> bool {
    text.len() <= 40
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

/// GitHub: letters, digits and single hyphens; enterprise accounts add `_`.
fn is_login(text: &str) -> bool {
    (1..=100).contains(&text.len())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}

fn is_word(text: &str) -> bool {
    (1..=100).contains(&text.len())
        && text != "."
        && text != ".."
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

fn is_repository(text: &str) -> bool {
    text.split_once('/')
        .is_some_and(|(owner, name)| is_login(owner) && is_word(name))
}

fn is_folder(text: &str) -> bool {
    text.split('/').all(is_word)
}
