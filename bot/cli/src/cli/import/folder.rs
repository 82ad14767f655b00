//! FolderChanges of a folder's files: all of them or none.
//!
//! Everything is written beside its place first, so that a full disk is met before anything is changed; then names are
//! exchanged, which takes no space; what went wrong on the way is taken back. Must not know what the files say.

use std::collections::BTreeMap;
use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use topology::draft::SourceFile;

/// FolderChanges that are ready to be made.
pub(super) struct FolderChanges {
    changes: Vec<Change>,
    /// Folders that did not exist before, outermost first.
    made: Vec<PathBuf>,
}

struct Change {
    place: PathBuf,
    /// Where the new text waits; none where the file goes.
    new: Option<PathBuf>,
    /// Where the file as it was is put meanwhile, and its bytes; none where there was no file.
    old: Option<(PathBuf, Vec<u8>)>,
    stage: StagedFolder,
}

/// How far a change has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StagedFolder {
    /// The new text waits beside its place.
    Waiting,
    /// The old file was put aside.
    Aside,
    /// The new one is in its place.
    Made,
}

impl FolderChanges {
    /// Writes every new text beside its place. `before` is what was read from the folder.
    pub(super) fn of(
        folder: &Path,
        before: Vec<SourceFile>,
        files: BTreeMap<String, Option<String>>,
    ) -> anyhow::Result<Self> {
        let mut changes = Self {
            changes: Vec::new(),
            made: Vec::new(),
        };
        let mut known: BTreeMap<String, Vec<u8>> = before
            .into_iter()
            .map(|source| (source.path, source.bytes))
            .collect();
        let any = !files.is_empty();
        for (path, text) in files {
            let old = known.remove(&path);
            changes.ready(&folder.join(&path), text.as_deref(), old)?;
        }
        let schema = folder.with_file_name("topology.schema.json");
        if any && !schema.exists() && !folder.join("topology.schema.json").exists() {
            changes.ready(&schema, Some(&topology::schema::text()), None)?;
        }
        Ok(changes)
    }

    fn ready(
        &mut self,
        place: &Path,
        text: Option<&str>,
        old: Option<Vec<u8>>,
    ) -> anyhow::Result<()> {
        let beside = |end: &str| {
            let name = place.file_name().unwrap_or_default().to_string_lossy();
            place.with_file_name(format!(".{name}.{end}"))
        };
        let change = Change {
            new: text.map(|_| beside("import-new")),
            old: old.map(|bytes| (beside("import-old"), bytes)),
            place: place.to_owned(),
            stage: StagedFolder::Waiting,
        };
        self.make_folder(place.parent().unwrap_or(Path::new(".")))?;
        let mode = fs::metadata(place).map(|there| there.permissions()).ok();
        let new = change.new.clone();
        self.changes.push(change);
        if let (Some(new), Some(text)) = (new, text) {
            write(&new, text, mode).with_context(|| format!("writing `{}`", place.display()))?;
        }
        Ok(())
    }

    fn make_folder(&mut self, folder: &Path) -> anyhow::Result<()> {
        let missing = folder.ancestors().take_while(|above| !above.exists());
        let missing: Vec<PathBuf> = missing
            .filter(|above| !above.as_os_str().is_empty())
            .map(Path::to_path_buf)
            .collect();
        for above in missing.into_iter().rev() {
            fs::create_dir(&above).with_context(|| format!("making `{}`", above.display()))?;
            self.made.push(above);
        }
        Ok(())
    }

    /// Puts every file in its place. What cannot be done is told, and all that was done is taken back.
    pub(super) fn make(mut self) -> anyhow::Result<()> {
        for change in &self.changes {
            change.still_true()?;
        }
        for change in &mut self.changes {
            let put = change.put();
            put.with_context(|| format!("writing `{}`", change.place.display()))?;
        }
        for change in self.changes.drain(..) {
            if let Some((old, _)) = change.old {
                // The new file is in its place; what is left beside it is hidden, and no declaration.
                drop(fs::remove_file(old));
            }
        }
        self.made.clear();
        Ok(())
    }
}

impl Drop for FolderChanges {
    /// What was not made whole is taken back.
    fn drop(&mut self) {
        for change in self.changes.iter().rev() {
            change.take_back();
        }
        for folder in self.made.iter().rev() {
            drop(fs::remove_dir(folder));
        }
    }
}

impl Change {
    /// Nobody changed the file since it was read.
    fn still_true(&self) -> anyhow::Result<()> {
        let there = match fs::read(&self.place) {
            Ok(bytes) => Some(bytes),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => {
                return Err(error).with_context(|| format!("reading `{}`", self.place.display()));
            }
        };
        ensure!(
            there.as_ref() == self.old.as_ref().map(|(_, bytes)| bytes),
            "`{}` was changed meanwhile, and nothing was written; import again",
            self.place.display()
        );
        Ok(())
    }

    fn put(&mut self) -> std::io::Result<()> {
        if let Some((old, _)) = &self.old {
            fs::rename(&self.place, old)?;
            self.stage = StagedFolder::Aside;
        }
        if let Some(new) = &self.new {
            fs::rename(new, &self.place)?;
        }
        self.stage = StagedFolder::Made;
        Ok(())
    }

    /// Nothing more can be done about what fails here: the first failure is the one that is told.
    fn take_back(&self) {
        match (&self.old, self.stage) {
            (Some((old, _)), StagedFolder::Aside | StagedFolder::Made) => {
                drop(fs::rename(old, &self.place))
            }
            (None, StagedFolder::Made) => drop(fs::remove_file(&self.place)),
            (_, StagedFolder::Waiting) | (None, StagedFolder::Aside) => {}
        }
        if let Some(new) = &self.new {
            drop(fs::remove_file(new));
        }
    }
}

/// Writes a text that is on the disk when this returns.
fn write(place: &Path, text: &str, mode: Option<fs::Permissions>) -> std::io::Result<()> {
    let mut file = fs::File::create(place)?;
    file.write_all(text.as_bytes())?;
    if let Some(mode) = mode {
        file.set_permissions(mode)?;
    }
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    type Texts = BTreeMap<String, String>;

    fn there(folder: &Path) -> Texts {
        let mut all = Texts::new();
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_file() {
                let name = entry.file_name().into_string().unwrap();
                all.insert(name, fs::read_to_string(entry.path()).unwrap());
            }
        }
        all
    }

    fn texts(of: &[(&str, &str)]) -> Texts {
        let text = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
        of.iter().map(text).collect()
    }

    /// A site with three files, and a schema beside it.
    fn site() -> (tempfile::TempDir, PathBuf) {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("dc1");
        fs::create_dir(&folder).unwrap();
        fs::write(root.path().join("topology.schema.json"), "{}").unwrap();
        for (name, text) in BEFORE {
            fs::write(folder.join(name), text).unwrap();
        }
        (root, folder)
    }

    const BEFORE: &[(&str, &str)] = &[("a.yaml", "a"), ("b.yaml", "b"), ("c.yaml", "c")];

    fn before() -> Vec<SourceFile> {
        let source = |(path, text): &(&str, &str)| SourceFile {
            path: (*path).to_owned(),
            bytes: text.as_bytes().to_vec(),
        };
        BEFORE.iter().map(source).collect()
    }

    fn make(folder: &Path) -> anyhow::Result<()> {
        let files = [
            ("a.yaml", Some("A")),
            ("b.yaml", None),
            ("c.yaml", Some("C")),
            ("new.yaml", Some("N")),
        ];
        let files = files.map(|(path, text)| (path.to_owned(), text.map(str::to_owned)));
        FolderChanges::of(folder, before(), files.into())?.make()
    }

    #[test]
    fn every_change_is_made_and_nothing_else_is_left_behind() {
        let (_root, folder) = site();
        make(&folder).unwrap();
        assert_eq!(
            there(&folder),
            texts(&[("a.yaml", "A"), ("c.yaml", "C"), ("new.yaml", "N")])
        );
    }

    /// Wherever it fails (no room beside a file, no way to put it in its place), the folder is as it was.
    #[test]
    fn of_changes_that_cannot_all_be_made_none_is() {
        for at in [
            ".a.yaml.import-new",
            ".new.yaml.import-new",
            ".b.yaml.import-old",
            ".c.yaml.import-old",
        ] {
            let (_root, folder) = site();
            // A folder with something in it stands where a file must go.
            fs::create_dir_all(folder.join(at).join("full")).unwrap();
            let why = make(&folder).unwrap_err();
            assert!(format!("{why:#}").contains("writing `"), "{why:#}");
            assert_eq!(there(&folder), texts(BEFORE), "{at}");
        }
    }

    #[test]
    fn what_somebody_changed_meanwhile_is_not_written_over() {
        let (_root, folder) = site();
        fs::write(folder.join("c.yaml"), "mine").unwrap();
        let why = make(&folder).unwrap_err().to_string();
        assert!(why.contains("was changed meanwhile"), "{why}");
        assert_eq!(
            there(&folder),
            texts(&[("a.yaml", "a"), ("b.yaml", "b"), ("c.yaml", "mine")])
        );
    }

    #[test]
    fn a_first_import_that_fails_leaves_no_folder() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join(".topology.schema.json.import-new")).unwrap();
        let files = BTreeMap::from([("a.yaml".to_owned(), Some("A".to_owned()))]);
        assert!(FolderChanges::of(&root.path().join("dc1"), Vec::new(), files).is_err());
        assert!(!root.path().join("dc1").exists());
    }
}
