//! What a commit declares for a site, read through the API and never from a checkout. It must not know what is planned from it.

use anyhow::Context as _;

use plan::runbook::{Runbook, is_runbook};
use topology::draft::SourceFile;
use topology::finding::Finding;
use topology::plane::Topology;

use crate::config::Site;
use crate::github_port::RepositoryPort;
use crate::pulls::unreadable;

/// A site's declaration and runbooks at a commit.
pub(crate) struct DeclaredAt {
    /// The network; `None` if the check found errors.
    pub(crate) topology: Option<Topology>,
    pub(crate) findings: Vec<Finding>,
    pub(crate) runbooks: Vec<Runbook>,
}

/// Reads a site's declaration at one commit and the runbooks at another.
pub(crate) async fn declared_at(
    repository: &RepositoryPort,
    site: &Site,
    commit: &str,
    runbooks_at: &str,
) -> anyhow::Result<DeclaredAt> {
    let (topology, findings) = match network_at(repository, site, commit).await {
        Ok(checked) => checked,
        Err(error) => {
            let findings = unreadable::findings(&error, &site.path).ok_or(error)?;
            return Ok(DeclaredAt {
                topology: None,
                findings,
                runbooks: Vec::new(),
            });
        }
    };
    let mut runbooks = Vec::new();
    for (path, bytes) in repository
        .folder(runbooks_at, &site.runbooks)
        .await
        .context("reading the runbooks")?
    {
        if is_runbook(&path)
            && let Ok(runbook) = Runbook::read(&path, &String::from_utf8_lossy(&bytes))
        {
            runbooks.push(runbook);
        }
    }
    Ok(DeclaredAt {
        topology,
        findings,
        runbooks,
    })
}

/// The network that a site declares at a commit, if the check found no errors, and the findings.
pub(crate) async fn network_at(
    repository: &RepositoryPort,
    site: &Site,
    commit: &str,
) -> anyhow::Result<(Option<Topology>, Vec<Finding>)> {
    let files = repository
        .folder(commit, &site.path)
        .await
        .context("reading the declaration")?;
    let sources: Vec<SourceFile> = files
        .into_iter()
        .map(|(path, bytes)| SourceFile { path, bytes })
        .collect();
    let checked = topology::check::check(&sources);
    Ok((checked.topology, checked.findings))
}
