//! `planebot import`: what a MAAS has now, as the declaration's first files.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use topology::observed::{Observed, Scope};

use super::told::remark;
use super::{Console, Where};
use crate::clock;
use crate::terminal::exit;

/// Writes down what a MAAS has now, so that a plan then says no changes
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  planebot import --site dc1 --out topology
  planebot --maas-url http://maas:5240/MAAS --maas-api-key-file key import --site dc1 --out topology

Writes one file for each plane to DIR/NAME/. Nothing in MAAS is changed.")]
pub(super) struct Import {
    /// The folder of the sites; the files go to DIR/NAME/
    #[arg(long, value_name = "DIR", default_value = "topology")]
    out: PathBuf,
    /// Write over files that are there
    #[arg(long)]
    overwrite: bool,
}

impl Import {
    pub(super) async fn run(self, place: &Where, console: &mut Console<'_>) -> anyhow::Result<u8> {
        let desk = place.desk(console, &clock::machine())?;
        let site = &desk.site.name;
        anyhow::ensure!(
            place.name().is_some() || !desk.site.repository.is_empty(),
            "say what the site is called with `--site`"
        );
        anyhow::ensure!(
            is_name(site),
            "`{site}` is no folder's name; letters, digits, `-`, `_` and `.` are"
        );
        let folder = self.out.join(site);
        anyhow::ensure!(
            self.overwrite || is_empty(&folder)?,
            "`{}` holds files already; move them away, or say `--overwrite`",
            folder.display()
        );
        let scope = Scope {
            all_nodes: true,
            all_spaces: true,
            ..Scope::default()
        };
        let observed = Box::pin(desk.client.eyes().observe(&scope))
            .await
            .with_context(|| format!("reading the MAAS at `{}`", desk.site.maas_url))?;
        for spot in &observed.blind {
            remark(console, &format!("{}: {}", spot.what, spot.why))?;
        }
        let written = write(&observed, site, &folder)?;
        writeln!(
            console.out,
            "wrote {written} files to `{place}`: MAAS {} with {} VLANs and {} subnets\nnext: planebot check {place}",
            observed.version,
            observed.vlans().count(),
            observed.subnets().count(),
            place = folder.display(),
        )?;
        Ok(exit::OK)
    }
}

fn write(observed: &Observed, site: &str, folder: &Path) -> anyhow::Result<usize> {
    let files = topology::write::files(observed, site);
    for (path, text) in &files {
        let place = folder.join(path);
        let parent = place.parent().unwrap_or(folder);
        std::fs::create_dir_all(parent)
            .with_context(|| format!("making `{}`", parent.display()))?;
        std::fs::write(&place, text).with_context(|| format!("writing `{}`", place.display()))?;
    }
    let schema = folder.with_file_name("topology.schema.json");
    if !schema.exists() {
        std::fs::write(&schema, topology::schema::text())
            .with_context(|| format!("writing `{}`", schema.display()))?;
    }
    Ok(files.len())
}

fn is_empty(folder: &Path) -> anyhow::Result<bool> {
    match std::fs::read_dir(folder) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error).with_context(|| format!("reading `{}`", folder.display())),
    }
}

/// A name that stays one folder below where it is put.
fn is_name(site: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    !site.is_empty() && site.chars().all(plain) && !site.starts_with('.')
}
