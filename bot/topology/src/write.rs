//! Import: writes an observed MAAS as a declaration, so that a plan then finds nothing to change.
//!
//! It writes one file per plane, `machines.yaml` and `site.yaml`. What MAAS contains but a declaration may not (an overlap,
//! a range outside a subnet whose CIDR was changed) is left alone, with a comment: the written files are checked, and what
//! the check refuses is left out in stages until there are no errors. MAAS's texts are untrusted and are always quoted so
//! that they can only be text. In existing files only what differs is changed.

mod assemble;
mod conflict;
mod declaration;
mod flow;
mod import;
mod layout;
mod leniency;
mod literal;
mod machine;
mod merge;
mod naming;
mod patch;
mod plane;
mod scalar;
mod selection;
mod settings;
mod site;
mod tree;
mod written;

use std::collections::BTreeMap;

use crate::check::check;
use crate::draft::SourceFile;
use crate::finding::{Finding, Severity};
use crate::observed::Observed;

use assemble::assemble;
pub use conflict::MergeConflict;
use declaration::Declaration;
use import::SiteImport;
use leniency::Leniency;
use selection::Selection;
use written::FileChanges;

/// The most rounds of writing and checking. Each round resolves at least one plane or machine, and a real MAAS needs two or
/// three. After this many, the rest is left undeclared.
const ROUNDS_MAX: usize = 40;

/// What an import changes in existing files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportOptions {
    /// Undeclared objects to adopt, by name, as an audit lists them. Empty: everything is imported, and what differs is
    /// changed.
    pub adopt: Vec<String>,
    /// Whether declared objects that this MAAS does not have are removed from the files; otherwise they are conflicts.
    pub drop_gone: bool,
}

/// The files of one site, by path under its folder. They have no errors, and declare nothing that is not in `observed`.
pub fn files(observed: &Observed, site: &str) -> BTreeMap<String, String> {
    let written = import_until_accepted(
        observed,
        site,
        &Declaration::default(),
        &Selection::default(),
    );
    let written = written.unwrap_or_default().into_iter();
    written
        .filter_map(|(path, text)| Some((path, text?)))
        .collect()
}

/// The changes that make the files of one site match `observed`: the new text of each file that differs, or `None` for a
/// file to delete. Comments, order and style are kept, and a second import changes nothing.
///
/// # Errors Every conflict. The caller must then write nothing.
pub fn merged(
    observed: &Observed,
    site: &str,
    sources: &[SourceFile],
    wish: &ImportOptions,
) -> Result<BTreeMap<String, Option<String>>, Vec<MergeConflict>> {
    let checked = check(sources);
    let wrong = checked
        .findings
        .iter()
        .filter(|f| f.severity == Severity::Error);
    let Some(topology) = checked.topology else {
        return Err(wrong.map(from_finding).collect());
    };
    let declaration = Declaration::of(sources, topology, observed);
    let mut selection = Selection::of(&wish.adopt, observed, &declaration)?;
    selection.drop_gone = wish.drop_gone;
    let gone = declaration.gone(observed);
    if selection.everything() && !wish.drop_gone && !gone.is_empty() {
        return Err(gone);
    }
    import_until_accepted(observed, site, &declaration, &selection)
}

fn from_finding(finding: &Finding) -> MergeConflict {
    MergeConflict {
        file: finding.file.clone(),
        line: finding.line,
        what: finding.message.clone(),
        remedy: finding.help.clone(),
    }
}

/// Writes and checks, leaving out what is refused, until there are no errors.
fn import_until_accepted(
    observed: &Observed,
    site: &str,
    declaration: &Declaration,
    selection: &Selection,
) -> Result<FileChanges, Vec<MergeConflict>> {
    let mut leniency = Leniency::default();
    for _ in 0..ROUNDS_MAX {
        let import = SiteImport::of((observed, site), &leniency, declaration, selection);
        import.refuse_undeclarable()?;
        let written = assemble(&import)?;
        let refused = refused(declaration, &written.files);
        let (ours, theirs): (Vec<Finding>, Vec<Finding>) =
            refused.into_iter().partition(|finding| {
                written.is_about_new(finding) || !declaration.files.contains_key(&finding.file)
            });
        if !theirs.is_empty() {
            return Err(theirs.iter().map(unmergeable).collect());
        }
        if ours.is_empty() {
            return Ok(written.files);
        }
        for finding in &ours {
            leniency.relax(finding, &written);
        }
    }
    leniency.everything = true;
    let import = SiteImport::of((observed, site), &leniency, declaration, selection);
    import.refuse_undeclarable()?;
    Ok(assemble(&import)?.files)
}

/// A conflict from a finding about an existing file that was changed to match MAAS.
fn unmergeable(finding: &Finding) -> MergeConflict {
    MergeConflict {
        what: format!("with MAAS's current values, {}", finding.message),
        remedy: format!(
            "{}, in the file or in MAAS, then import again",
            finding.help
        ),
        ..from_finding(finding)
    }
}

fn refused(declaration: &Declaration, changed: &FileChanges) -> Vec<Finding> {
    let mut texts: BTreeMap<&str, &str> = BTreeMap::new();
    for (path, file) in &declaration.files {
        texts.insert(path, &file.text);
    }
    for (path, text) in changed {
        match text {
            Some(text) => texts.insert(path, text),
            None => texts.remove(path.as_str()),
        };
    }
    let sources: Vec<SourceFile> = texts
        .into_iter()
        .map(|(path, text)| SourceFile {
            path: path.to_owned(),
            bytes: text.as_bytes().to_vec(),
        })
        .collect();
    let mut findings = check(&sources).findings;
    findings.retain(|finding| finding.severity == Severity::Error);
    findings
}
