//! `[[site]]`, and what two sites may not share.

use github::Team;

use crate::config::check::checker::Checker;
use crate::config::check::policy;
use crate::config::check::words::{is_folder, is_login, is_repository, is_site_name, is_word};
use crate::config::file::{OneOrMany, OperatorsTable, SiteTable, UserEntry};
use crate::config::{
    EvidenceLocation, EvidenceSources, MaasCertificates, OperatorName, Operators, Site, env,
};

pub(super) fn check(checker: &mut Checker<'_>, table: &SiteTable) -> Site {
    let name = &table.name;
    if !is_site_name(name) {
        checker.error(format!(
            "`{name}` is not a site name: use at most 40 lower-case letters, digits and `-`, starting with a letter"
        ));
    }
    if !is_repository(&table.repository) {
        checker.error(format!(
            "site `{name}`: `repository` must be `owner/name`, not `{}`",
            table.repository
        ));
    }
    let path = table.path.clone();
    let path = path.unwrap_or_else(|| format!("topology/{name}"));
    let runbooks = table.runbooks.clone();
    let runbooks = runbooks.unwrap_or_else(|| "runbooks".to_owned());
    for (key, folder) in [("path", &path), ("runbooks", &runbooks)] {
        if !is_folder(folder) {
            checker.error(format!(
                "site `{name}`: `{key}` must be a folder inside the repository, not `{folder}`"
            ));
        }
    }
    let mut maas_urls = maas_urls(checker, table).into_iter();
    let maas_api_key = checker.secret(
        &format!("site `{name}`: `maas_api_key_file`"),
        table.maas_api_key_file.as_ref(),
        &format!("{}MAAS_API_KEY", env::site_prefix(name)),
    );
    let evidence = &table.evidence;
    Site {
        name: name.clone(),
        repository: table.repository.clone(),
        path,
        runbooks,
        maas_url: maas_urls.next().unwrap_or_default(),
        more_maas_urls: maas_urls.collect(),
        maas_certificates: maas_certificates(checker, table),
        maas_api_key,
        operators: operators(checker, name, &table.operators),
        policy: policy::check(checker, name, &table.policy),
        evidence: EvidenceSources {
            juju_models: locations(checker, name, evidence.juju_models.as_ref()),
            jumphost_addresses: locations(checker, name, evidence.jumphost_addresses.as_ref()),
        },
    }
}

/// The region URLs in their order; the first is asked first.
fn maas_urls(checker: &mut Checker<'_>, table: &SiteTable) -> Vec<String> {
    let key = format!("site `{}`: `maas_url`", table.name);
    let given = table.maas_url.as_ref().map_or(&[][..], OneOrMany::as_slice);
    if given.is_empty() {
        // The error says what a URL looks like.
        drop(checker.url(&key, ""));
    }
    let mut urls = Vec::new();
    for url in given {
        let Some(url) = checker.url(&key, url) else {
            continue;
        };
        if urls.contains(&url) {
            checker.error(format!("{key} names `{url}` twice: remove one"));
        } else {
            urls.push(url);
        }
    }
    urls
}

fn maas_certificates(checker: &mut Checker<'_>, table: &SiteTable) -> MaasCertificates {
    let site = &table.name;
    let ca_file = table.maas_ca_file.as_ref();
    let ca_file = ca_file.map(|file| checker.path(file));
    let given = table.maas_certificate_pin.as_ref();
    let mut pins = Vec::new();
    for pin in given.map_or(&[][..], OneOrMany::as_slice) {
        match pin.parse() {
            Ok(pin) => pins.push(pin),
            Err(error) => {
                checker.error(format!("site `{site}`: `maas_certificate_pin`: {error}"));
            }
        }
    }
    if ca_file.is_some() && given.is_some() {
        checker.error(format!(
            "site `{site}`: `maas_ca_file` and `maas_certificate_pin` exclude each other: give one"
        ));
    }
    MaasCertificates { ca_file, pins }
}

fn operators(checker: &mut Checker<'_>, site: &str, table: &OperatorsTable) -> Operators {
    let mut users = Vec::new();
    for user in &table.users {
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
            checker.error(format!("site `{site}`: `{login}` is not a GitHub login"));
        }
    }
    let mut teams = Vec::new();
    for team in &table.teams {
        match team.split_once('/') {
            Some((org, slug)) if is_login(org) && is_word(slug) => teams.push(Team {
                org: org.to_owned(),
                slug: slug.to_owned(),
            }),
            Some(_) | None => {
                checker.error(format!(
                    "site `{site}`: `{team}` is not a team: write `org/slug`"
                ));
            }
        }
    }
    Operators { users, teams }
}

fn locations(
    checker: &mut Checker<'_>,
    site: &str,
    places: Option<&OneOrMany>,
) -> Vec<EvidenceLocation> {
    let mut locations = Vec::new();
    for place in places.map_or(&[][..], OneOrMany::as_slice) {
        if !place.contains("://") {
            locations.push(EvidenceLocation::File(checker.path(place)));
        } else if let Some(url) = checker.url(&format!("site `{site}`: `evidence`"), place) {
            locations.push(EvidenceLocation::Url(url));
        }
    }
    locations
}

/// Two sites may not share a name, a variable or a folder.
pub(super) fn check_overlap(checker: &mut Checker<'_>, sites: &[Site]) {
    for (at, site) in sites.iter().enumerate() {
        for other in &sites[..at] {
            let prefix = env::site_prefix(&site.name);
            if site.name == other.name {
                checker.error(format!("two sites are named `{}`: rename one", site.name));
            } else if prefix == env::site_prefix(&other.name) {
                checker.error(format!(
                    "sites `{}` and `{}` would share the variables `{prefix}…`: rename one",
                    other.name, site.name
                ));
            } else if site.repository.eq_ignore_ascii_case(&other.repository)
                && (site.path == other.path || site.owns(&other.path) || other.owns(&site.path))
            {
                checker.error(format!(
                    "sites `{}` and `{}` share a folder of `{}`: give each a `path` of its own",
                    other.name, site.name, site.repository
                ));
            }
        }
    }
}
