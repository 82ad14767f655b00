//! The sites beside a site: which of the configuration is declared in which folder, and what two of one MAAS both declare.
//!
//! [`check`] knows a MAAS only by the URLs of the configuration; `plan` also asks it. It must not know what two sites may
//! not share.

use std::path::{Path, PathBuf};

use service::config::{Config, Site};
use service::identity::MaasIdentity;
use topology::check::Checked;
use topology::finding::Finding;
use topology::shared::shared;

use crate::cli::folders;

/// A site's declaration that was checked.
pub(super) struct CheckedSite {
    pub(super) folder: PathBuf,
    pub(super) checked: Checked,
}

/// The folder of another site of the same repository, where it is in the same checkout as `folder`.
pub(super) fn folder_beside(folder: &Path, site: &Site, other: &Site) -> Option<PathBuf> {
    if !site.repository.eq_ignore_ascii_case(&other.repository) {
        return None;
    }
    let depth = Path::new(&site.path).components().count();
    let in_checkout = folder
        .ends_with(&site.path)
        .then(|| folder.ancestors().nth(depth))
        .flatten()
        .map(|root| root.join(&other.path));
    let name = Path::new(&other.path).file_name();
    let adjacent = folder
        .parent()
        .zip(name)
        .map(|(parent, name)| parent.join(name));
    let mut candidates = [in_checkout, adjacent].into_iter().flatten();
    candidates.find(|other| {
        other != folder && folders::site_folders(other).is_ok_and(|found| found == [other.clone()])
    })
}

/// What the checked sites declare more than once, as findings with paths from the working directory. Without a configuration
/// nobody knows which of them are on one MAAS: that is a warning.
pub(super) fn check(
    sites: &[CheckedSite],
    config: Option<&Config>,
) -> anyhow::Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for (at, one) in sites.iter().enumerate() {
        let configured = config.and_then(|config| site_of(&one.folder, config));
        for (other_at, other) in sites.iter().enumerate().filter(|(other, _)| *other != at) {
            let theirs = config.and_then(|config| site_of(&other.folder, config));
            match (configured, theirs) {
                (Some(site), Some(theirs)) if have_the_same_maas(site, theirs) => {
                    findings.extend(conflicts(one, &theirs.name, &other.checked));
                }
                (Some(_), Some(_)) => {}
                _ if other_at < at => findings.extend(doubt(one, other)),
                _ => {}
            }
        }
        let (Some(site), Some(config)) = (configured, config) else {
            continue;
        };
        for other in config
            .sites
            .iter()
            .filter(|it| have_the_same_maas(site, it))
        {
            let beside = folder_beside(&one.folder, site, other);
            let Some(folder) = beside.filter(|it| sites.iter().all(|site| site.folder != *it))
            else {
                continue;
            };
            let checked = topology::check::check(&service::site::sources(&folder)?);
            findings.extend(conflicts(one, &other.name, &checked));
        }
    }
    Ok(findings)
}

/// Whether the configuration gives two different sites a URL in common.
fn have_the_same_maas(site: &Site, other: &Site) -> bool {
    let by_url = |site| MaasIdentity::of(site, std::collections::BTreeSet::new());
    site.name != other.name && by_url(site).is_same(&by_url(other))
}

/// The site of the configuration that is declared in `folder`, where that is clear.
fn site_of<'c>(folder: &Path, config: &'c Config) -> Option<&'c Site> {
    let depth = |site: &Site| Path::new(&site.path).components().count();
    let sites = config.sites.iter();
    let found: Vec<&Site> = sites.filter(|site| folder.ends_with(&site.path)).collect();
    let most = found.iter().map(|site| depth(site)).max();
    let mut deepest = found.into_iter().filter(|site| Some(depth(site)) == most);
    match (deepest.next(), deepest.next()) {
        (Some(site), None) => Some(site),
        (Some(_), Some(_)) => None,
        (None, _) => config.site(&name_of(folder)),
    }
}

fn conflicts(one: &CheckedSite, name: &str, other: &Checked) -> Vec<Finding> {
    let (Some(own), Some(theirs)) = (&one.checked.topology, &other.topology) else {
        return Vec::new();
    };
    let found = shared(own, theirs).into_iter();
    found
        .map(|it| with_path(it.finding(&one.checked, name), &one.folder))
        .collect()
}

fn doubt(one: &CheckedSite, other: &CheckedSite) -> Option<Finding> {
    let (own, theirs) = (
        one.checked.topology.as_ref()?,
        other.checked.topology.as_ref()?,
    );
    let found = shared(own, theirs);
    let name = name_of(&other.folder);
    let finding = found.first()?.doubt(&one.checked, &name, found.len());
    Some(with_path(finding, &one.folder))
}

fn name_of(folder: &Path) -> String {
    let name = folder.file_name().unwrap_or(folder.as_os_str());
    name.to_string_lossy().into_owned()
}

/// The finding with the file's path from the working directory, so that editors can open it.
pub(super) fn with_path(mut finding: Finding, folder: &Path) -> Finding {
    if !finding.file.is_empty() {
        finding.file = folder.join(&finding.file).display().to_string();
    }
    finding
}
