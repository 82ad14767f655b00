//! An observed MAAS as files: what an import writes, so that a plan then finds nothing to change.
//!
//! One file per plane, `machines.yaml`, `site.yaml`. What MAAS holds and a declaration may not say (an overlap, a range
//! that a changed CIDR left behind) is left alone, with a comment that says so: after writing, the files are checked,
//! and whatever the check refuses is said more softly until it has nothing to refuse. MAAS's texts are strangers' texts:
//! they are quoted so that they can be nothing but text. Over files that are there only what differs is changed.

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

/// How often what was written is checked and softened. Each round settles at least one plane or machine, and a real
/// MAAS needs two or three; past this the rest is left undeclared in one go.
const ROUNDS_MAX: usize = 40;

/// What is taken in, over files that are there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportOptions {
    /// Undeclared objects by name, as an audit lists them; none: everything, and what differs is changed.
    pub adopt: Vec<String>,
    /// Whether what is declared, and this MAAS does not have, is taken out; else it is refused.
    pub drop_gone: bool,
}

/// The files of one site, by path under its folder. Checking them gives no error, and they say nothing that `observed`
/// does not hold.
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

/// What changes in the files of one site so that they say what `observed` holds: the new text of each file that
/// differs, `None` for one that goes. Comments, order and ways of writing stay; a second time nothing changes.
///
/// # Errors
/// Everything that keeps the two from being merged. Then nothing must be written.
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

/// Writes, checks and softens until the check has nothing to refuse.
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

/// A finding about a file that people wrote, after what MAAS has was put into it.
fn unmergeable(finding: &Finding) -> MergeConflict {
    MergeConflict {
        what: format!("with what MAAS has now, {}", finding.message),
        remedy: format!("{}, in the file or in MAAS, and import again", finding.help),
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
