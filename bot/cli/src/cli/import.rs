//! `planebot import`: writes a MAAS's network as declaration files, and later updates them.
//!
//! It reads and writes the folder; [`topology::write`] decides what is written. It must not write anything before all of it
//! has been proved right.

mod folder;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use plan::plan::{Plan, PlanPolicy};
use plan::render;
use service::clock;
use service::site::{SiteRuntime, sources};
use topology::Topology;
use topology::check::check;
use topology::draft::SourceFile;
use topology::observed::{Observed, Scope};
use topology::write::{ImportOptions, merged};

use crate::cli::output::print_note;
use crate::cli::{Console, LocationArgs};
use crate::terminal::exit_code;
use folder::FolderChanges;

/// Write a MAAS's network as a declaration, so that a plan then shows no changes
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  planebot import --site dc1 --out topology
  planebot --maas-url http://maas:5240/MAAS --maas-api-key-file key import --site dc1 --out topology
  planebot import --site dc1 --adopt 192.0.2.0/24 --adopt blue/20

Import writes one file per plane to DIR/NAME/. In existing files it changes only what differs;
comments, order and formatting stay. It writes everything or nothing. Nothing in MAAS is changed.
What a file removes is not imported again. To remove a plane from MAAS, keep its file and add the
line `state: absent`; deleting the file only stops declaring it.

Exit codes: 0 done, 1 error.")]
pub(super) struct ImportArgs {
    /// The folder of the sites; files are written to DIR/NAME/. Default: where the site is declared, or `topology`
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Add only this object, as `planebot audit` lists it: a CIDR, FABRIC/VID, or the name of a subnet, fabric, space or machine
    #[arg(long, value_name = "OBJECT")]
    adopt: Vec<String>,
    /// Also remove from the files what this MAAS does not have
    #[arg(long, conflicts_with = "adopt")]
    overwrite: bool,
}

impl ImportArgs {
    pub(super) async fn run(
        self,
        location: &LocationArgs,
        console: &mut Console<'_>,
    ) -> anyhow::Result<u8> {
        let runtime = location.open(console, &clock::machine())?;
        let site = &runtime.site.name;
        anyhow::ensure!(
            location.site_name().is_some() || !runtime.site.repository.is_empty(),
            "name the site with `--site`"
        );
        anyhow::ensure!(
            is_folder_name(site),
            "`{site}` cannot be the name of a folder: use letters, digits, `-`, `_` and `.`"
        );
        let folder = self.folder(location, &runtime);
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
        let observed = Box::pin(runtime.client.reader().observe(&scope))
            .await
            .with_context(|| format!("reading the MAAS at `{}`", runtime.site.maas_url))?;
        for spot in &observed.blind {
            print_note(console, &format!("{}: {}", spot.what, spot.why))?;
        }
        let wish = ImportOptions {
            adopt: self.adopt,
            drop_gone: self.overwrite,
        };
        let files = match merged(&observed, site, &before, &wish) {
            Ok(files) => files,
            Err(refused) => {
                let lines: Vec<String> = refused.iter().map(|why| format!("\n  {why}")).collect();
                let folder = folder.display();
                anyhow::bail!("nothing was written to `{folder}`:{}", lines.concat());
            }
        };
        prove(&observed, &before, &files, &wish)?;
        let summary = summary(&observed, &before, &files, &folder);
        FolderChanges::prepare(&folder, before, files)?.apply()?;
        write!(console.out, "{summary}")?;
        Ok(exit_code::OK)
    }

    /// The site's folder: below `--out`, where it is declared already, or below `topology`.
    fn folder(&self, location: &LocationArgs, runtime: &SiteRuntime) -> PathBuf {
        let site = &runtime.site.name;
        if let Some(out) = &self.out {
            return out.join(site);
        }
        let declared = location.declaration(&runtime.site).ok();
        let given = location.topology().unwrap_or(Path::new(&runtime.site.path));
        declared
            .filter(|folder| folder == given || folder.ends_with(site))
            .unwrap_or_else(|| Path::new("topology").join(site))
    }
}

type Files = BTreeMap<String, Option<String>>;

/// The new files must plan to no changes; adopted objects must add no steps to the plan of the old files.
fn prove(
    observed: &Observed,
    before: &[SourceFile],
    files: &Files,
    wish: &ImportOptions,
) -> anyhow::Result<()> {
    let steps = |topology: &Topology| -> Option<Vec<String>> {
        let plan = Plan::between(observed, topology, &PlanPolicy::default()).ok()?;
        Some(
            plan.steps
                .iter()
                .map(|step| render::step_line(&plan, step))
                .collect(),
        )
    };
    let old = check(before).topology.unwrap_or_default();
    let new = check(&after(before, files)).topology;
    let new = new.context(
        "nothing was written: the new files would be invalid; this is a bug in planebot",
    )?;
    let known = if wish.adopt.is_empty() {
        Vec::new()
    } else {
        steps(&old).unwrap_or_default()
    };
    // A plan refused because of other objects proves nothing either way.
    let left = steps(&new).unwrap_or_default();
    let left: Vec<String> = left
        .into_iter()
        .filter(|line| !known.contains(line))
        .collect();
    anyhow::ensure!(
        left.is_empty(),
        "nothing was written: a plan would still show {}; this is a bug in planebot",
        left.join(", ")
    );
    Ok(())
}

/// All files as they would be after the import.
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

fn summary(observed: &Observed, before: &[SourceFile], files: &Files, folder: &Path) -> String {
    let folder = folder.display();
    if files.is_empty() {
        return format!("no differences: the files in `{folder}` are unchanged\n");
    }
    let (vlans, subnets) = (observed.vlans().count(), observed.subnets().count());
    let version = &observed.version;
    if before.is_empty() {
        return format!(
            "wrote {} files to `{folder}`: MAAS {version} with {vlans} VLANs and {subnets} subnets\nnext: planebot check {folder}\n",
            files.len(),
        );
    }
    let known = |path: &str| before.iter().any(|source| source.path == path);
    let lines = files.iter().map(|(path, text)| match text {
        None => format!("removed  {path}\n"),
        Some(_) if known(path) => format!("changed  {path}\n"),
        Some(_) => format!("new      {path}\n"),
    });
    format!(
        "{}next: planebot check {folder}\n",
        lines.collect::<String>()
    )
}

/// Whether the name stays one folder below the folder that it is joined to.
fn is_folder_name(site: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    !site.is_empty() && site.chars().all(plain) && !site.starts_with('.')
}
