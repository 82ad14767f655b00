//! `planebot import`: what a MAAS has now, as the declaration's first files; and later as changes of them.
//!
//! Reads and writes the folder; what is written is worked out by [`topology::write`]. Must not write anything before all
//! of it is known to be right.

mod folder;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use plan::plan::{Plan, PlanPolicy};
use plan::render;
use topology::Topology;
use topology::check::check;
use topology::draft::SourceFile;
use topology::observed::{Observed, Scope};
use topology::write::{ImportOptions, merged};

use crate::cli::told::remark;
use crate::cli::{Console, Where};
use crate::terminal::exit;
use folder::FolderChanges;
use service::clock;
use service::site::{SiteRuntime, sources};

/// Writes down what a MAAS has now, so that a plan then says no changes
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  planebot import --site dc1 --out topology
  planebot --maas-url http://maas:5240/MAAS --maas-api-key-file key import --site dc1 --out topology
  planebot import --site dc1 --adopt 192.0.2.0/24 --adopt blue/20

Writes one file for each plane to DIR/NAME/. Over files that are there only what differs is changed: comments, order and
ways of writing stay. Either all of it is written or nothing. Nothing in MAAS is changed.")]
pub(super) struct Import {
    /// The folder of the sites; the files go to DIR/NAME/. Else where the site is declared, or `topology`
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Take in only this, as `audit` lists it: a CIDR, FABRIC/VID, or the name of a subnet, fabric, space or machine
    #[arg(long, value_name = "OBJECT")]
    adopt: Vec<String>,
    /// Also take out of the files what this MAAS does not have
    #[arg(long, conflicts_with = "adopt")]
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
        let folder = self.folder(place, &desk);
        let before = if folder.exists() {
            sources(&folder)?
        } else {
            Vec::new()
        };
        let scope = Scope {
            all_nodes: true,
            all_spaces: true,
            ..Scope::default()
        };
        let observed = Box::pin(desk.client.reader().observe(&scope))
            .await
            .with_context(|| format!("reading the MAAS at `{}`", desk.site.maas_url))?;
        for spot in &observed.blind {
            remark(console, &format!("{}: {}", spot.what, spot.why))?;
        }
        let wish = ImportOptions {
            adopt: self.adopt,
            drop_gone: self.overwrite,
        };
        let files = match merged(&observed, site, &before, &wish) {
            Ok(files) => files,
            Err(refused) => {
                let lines: Vec<String> = refused.iter().map(|why| format!("\n  {why}")).collect();
                let place = folder.display();
                anyhow::bail!("nothing was written to `{place}`:{}", lines.concat());
            }
        };
        prove(&observed, &before, &files, &wish)?;
        let told = told(&observed, &before, &files, &folder);
        FolderChanges::of(&folder, before, files)?.make()?;
        write!(console.out, "{told}")?;
        Ok(exit::OK)
    }

    /// The site's folder: as told, where it is declared already, or where it is looked for.
    fn folder(&self, place: &Where, desk: &SiteRuntime) -> PathBuf {
        let site = &desk.site.name;
        if let Some(out) = &self.out {
            return out.join(site);
        }
        let declared = place.declaration(&desk.site).ok();
        let told = place.topology().unwrap_or(Path::new(&desk.site.path));
        declared
            .filter(|folder| folder == told || folder.ends_with(site))
            .unwrap_or_else(|| Path::new("topology").join(site))
    }
}

type Files = BTreeMap<String, Option<String>>;

/// What is written must plan to nothing; what is adopted must add nothing to the plan that there was.
fn prove(
    observed: &Observed,
    before: &[SourceFile],
    files: &Files,
    wish: &ImportOptions,
) -> anyhow::Result<()> {
    let steps = |topology: &Topology| -> Option<Vec<String>> {
        let plan = Plan::between(observed, topology, &PlanPolicy::default()).ok()?;
        Some(plan.steps.iter().map(render::line).collect())
    };
    let old = check(before).topology.unwrap_or_default();
    let new = check(&after(before, files)).topology;
    let new = new.context("what would be written is not sound; this is a fault of planebot")?;
    let known = if wish.adopt.is_empty() {
        Vec::new()
    } else {
        steps(&old).unwrap_or_default()
    };
    // A plan that is refused for what nobody is importing proves nothing either way.
    let left = steps(&new).unwrap_or_default();
    let left: Vec<String> = left
        .into_iter()
        .filter(|line| !known.contains(line))
        .collect();
    anyhow::ensure!(
        left.is_empty(),
        "nothing was written: a plan would still say {}; this is a fault of planebot",
        left.join(", ")
    );
    Ok(())
}

/// The files as they will be.
fn after(before: &[SourceFile], files: &Files) -> Vec<SourceFile> {
    let kept = before
        .iter()
        .filter(|source| !files.contains_key(&source.path));
    let changed = files.iter().filter_map(|(path, text)| {
        Some(SourceFile {
            path: path.clone(),
            bytes: text.clone()?.into_bytes(),
        })
    });
    kept.cloned().chain(changed).collect()
}

fn told(observed: &Observed, before: &[SourceFile], files: &Files, folder: &Path) -> String {
    let place = folder.display();
    if files.is_empty() {
        return format!("nothing differs: no file in `{place}` is changed\n");
    }
    let (vlans, subnets) = (observed.vlans().count(), observed.subnets().count());
    let version = &observed.version;
    if before.is_empty() {
        return format!(
            "wrote {} files to `{place}`: MAAS {version} with {vlans} VLANs and {subnets} subnets\nnext: planebot check {place}\n",
            files.len(),
        );
    }
    let known = |path: &str| before.iter().any(|source| source.path == path);
    let lines = files.iter().map(|(path, text)| match text {
        None => format!("gone     {path}\n"),
        Some(_) if known(path) => format!("changed  {path}\n"),
        Some(_) => format!("new      {path}\n"),
    });
    format!(
        "{}next: planebot check {place}\n",
        lines.collect::<String>()
    )
}

/// A name that stays one folder below where it is put.
fn is_name(site: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    !site.is_empty() && site.chars().all(plain) && !site.starts_with('.')
}
