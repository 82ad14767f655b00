//! Finds the folders of sites on disk.
//!
//! [`service::site::declared`] reads what is in them. It must not follow symbolic links: a checkout of somebody else's
//! branch may hold one to anywhere.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use topology::draft::is_declaration;

/// The folders of the sites under `path`: `path` itself when it holds declaration files, else the folders in it that do,
/// else the same under its `topology/`.
pub(crate) fn site_folders(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    anyhow::ensure!(
        path.is_dir(),
        "`{}` is not a folder: give the folder with the declaration, for example `topology`",
        path.display()
    );
    if holds_files(path)? {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    for below in subfolders(path)? {
        if holds_files(&below)? {
            found.push(below);
        }
    }
    let nested = path.join("topology");
    if found.is_empty() && nested.is_dir() {
        return site_folders(&nested);
    }
    anyhow::ensure!(
        !found.is_empty(),
        "there is no `.yaml` file under `{}`: `planebot import` writes the first ones",
        path.display()
    );
    Ok(found)
}

/// The folder of one site: `path` itself, or the folder in it named `site`, or the only one.
pub(crate) fn site_folder(path: &Path, site: Option<&str>) -> anyhow::Result<PathBuf> {
    let mut found = site_folders(path)?;
    if found.as_slice() == [path.to_owned()] {
        return Ok(path.to_owned());
    }
    if let Some(site) = site {
        let named = found.into_iter().find(|folder| folder.ends_with(site));
        return named
            .with_context(|| format!("there is no site `{site}` under `{}`", path.display()));
    }
    match (found.pop(), found.is_empty()) {
        (Some(only), true) => Ok(only),
        (Some(_) | None, _) => anyhow::bail!(
            "there are several sites under `{}`: name one with `--site`",
            path.display()
        ),
    }
}

fn holds_files(path: &Path) -> anyhow::Result<bool> {
    let entries = entries(path)?;
    Ok(entries
        .iter()
        .any(|(name, _, kind)| kind.is_file() && is_declaration(name)))
}

fn subfolders(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = entries(path)?.into_iter();
    let folders = entries.filter(|(_, _, kind)| kind.is_dir());
    Ok(folders.map(|(_, path, _)| path).collect())
}

/// The entries of a folder in the order of their names, without hidden ones.
fn entries(path: &Path) -> anyhow::Result<Vec<(String, PathBuf, std::fs::FileType)>> {
    let reading = || format!("reading `{}`", path.display());
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(path).with_context(reading)? {
        let entry = entry.with_context(reading)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            let kind = entry.file_type().with_context(reading)?;
            entries.push((name, entry.path(), kind));
        }
    }
    entries.sort_by(|one, other| one.0.cmp(&other.0));
    Ok(entries)
}
