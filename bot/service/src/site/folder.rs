//! A declaration and its runbooks, read from a local folder. Symbolic links are refused. It must not know MAAS or GitHub.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, bail};
use plan::runbook::Runbook;
use topology::draft::SourceFile;
use topology::finding::Finding;
use topology::plane::Topology;

/// A declaration and the runbooks beside it, as read from a folder.
pub struct Declared {
    /// The network, when nothing is wrong.
    pub topology: Option<Topology>,
    /// Everything that was found.
    pub findings: Vec<Finding>,
}

/// The declaration's files of a folder.
pub fn sources(folder: &Path) -> anyhow::Result<Vec<SourceFile>> {
    let mut files = BTreeMap::new();
    gather(folder, folder, &mut files)?;
    let sources = files.into_iter();
    Ok(sources
        .map(|(path, bytes)| SourceFile { path, bytes })
        .collect())
}

/// Checks the files of a folder.
pub fn declared(folder: &Path) -> anyhow::Result<Declared> {
    let checked = topology::check::check(&sources(folder)?);
    Ok(Declared {
        topology: checked.topology,
        findings: checked.findings,
    })
}

fn gather(root: &Path, folder: &Path, files: &mut BTreeMap<String, Vec<u8>>) -> anyhow::Result<()> {
    let entries = std::fs::read_dir(folder)
        .with_context(|| format!("reading the folder `{}`", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        if kind.is_symlink() {
            bail!(
                "`{}` is a symbolic link; a declaration is made of plain files",
                path.display()
            );
        }
        if kind.is_dir() {
            gather(root, &path, files)?;
        } else if topology::draft::is_declaration(&path.to_string_lossy()) {
            let name = path
                .strip_prefix(root)
                .unwrap_or(&path)
                .to_string_lossy()
                .into_owned();
            files.insert(
                name,
                std::fs::read(&path).with_context(|| format!("reading `{}`", path.display()))?,
            );
        }
    }
    Ok(())
}

/// The runbooks of a folder; none where there is no folder.
pub fn runbooks(folder: &Path) -> anyhow::Result<Vec<Runbook>> {
    let mut found = Vec::new();
    if !folder.is_dir() {
        return Ok(found);
    }
    let mut paths: Vec<_> = std::fs::read_dir(folder)?
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .collect();
    paths.sort();
    for path in paths
        .into_iter()
        .filter(|path| path.extension().is_some_and(|end| end == "md"))
    {
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("reading `{}`", path.display()))?;
        let name = format!(
            "runbooks/{}",
            path.file_name().unwrap_or_default().to_string_lossy()
        );
        found.push(Runbook::read(&name, &text)?);
    }
    Ok(found)
}
