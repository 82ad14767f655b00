//! Changes a folder's files: all of them or none.
//!
//! Every new text is first written beside its file, so that a full disk is noticed before anything changes. Then files are
//! renamed, which takes no space. If a rename fails, all earlier ones are undone. It must not know what the files say.

use std::collections::BTreeMap;
use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use topology::draft::SourceFile;

/// Changes whose new texts are on the disk.
pub(super) struct FolderChanges {
    changes: Vec<FileChange>,
    /// Folders that did not exist before, outermost first.
    created: Vec<PathBuf>,
}

struct FileChange {
    path: PathBuf,
    /// The file with the new text; none where the file is removed.
    new: Option<PathBuf>,
    /// The backup's path, and the old bytes; none where there was no file.
    old: Option<(PathBuf, Vec<u8>)>,
    state: ChangeState,
}

/// How far a change is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ChangeState {
    /// The new text is beside the file.
    Prepared,
    /// The old file has its backup's name.
    BackedUp,
    /// The new file has its name.
    Done,
}

impl FolderChanges {
    /// Writes every new text beside its file. `before` is what was read from the folder.
    pub(super) fn prepare(
        folder: &Path,
        before: Vec<SourceFile>,
        files: BTreeMap<String, Option<String>>,
    ) -> anyhow::Result<Self> {
        let mut changes = Self {
            changes: Vec::new(),
            created: Vec::new(),
        };
        let mut known: BTreeMap<String, Vec<u8>> = before
            .into_iter()
            .map(|source| (source.path, source.bytes))
            .collect();
        let any = !files.is_empty();
        for (path, text) in files {
            let old = known.remove(&path);
            changes.add(&folder.join(&path), text.as_deref(), old)?;
        }
        let schema = folder.with_file_name("topology.schema.json");
        if any && !schema.exists() && !folder.join("topology.schema.json").exists() {
            changes.add(&schema, Some(&topology::schema::text()), None)?;
        }
        Ok(changes)
    }

    fn add(&mut self, path: &Path, text: Option<&str>, old: Option<Vec<u8>>) -> anyhow::Result<()> {
        let beside = |end: &str| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            path.with_file_name(format!(".{name}.{end}"))
        };
        let change = FileChange {
            new: text.map(|_| beside("import-new")),
            old: old.map(|bytes| (beside("import-old"), bytes)),
            path: path.to_owned(),
            state: ChangeState::Prepared,
        };
        self.create_folder(path.parent().unwrap_or(Path::new(".")))?;
        let mode = fs::metadata(path).map(|there| there.permissions()).ok();
        let new = change.new.clone();
        self.changes.push(change);
        if let (Some(new), Some(text)) = (new, text) {
            write(&new, text, mode).with_context(|| format!("writing `{}`", path.display()))?;
        }
        Ok(())
    }

    fn create_folder(&mut self, folder: &Path) -> anyhow::Result<()> {
        let missing = folder.ancestors().take_while(|above| !above.exists());
        let missing: Vec<PathBuf> = missing
            .filter(|above| !above.as_os_str().is_empty())
            .map(Path::to_path_buf)
            .collect();
        for above in missing.into_iter().rev() {
            fs::create_dir(&above).with_context(|| format!("creating `{}`", above.display()))?;
            self.created.push(above);
        }
        Ok(())
    }

    /// Replaces every file. If one cannot be replaced, dropping `self` undoes the others.
    pub(super) fn apply(mut self) -> anyhow::Result<()> {
        for change in &self.changes {
            change.check_unchanged()?;
        }
        for change in &mut self.changes {
            let replaced = change.replace();
            replaced.with_context(|| format!("writing `{}`", change.path.display()))?;
        }
        for change in self.changes.drain(..) {
            if let Some((old, _)) = change.old {
                // A backup that cannot be removed is hidden, and no declaration is read from it.
                drop(fs::remove_file(old));
            }
        }
        self.created.clear();
        Ok(())
    }
}

impl Drop for FolderChanges {
    /// Undoes changes that were not all applied.
    fn drop(&mut self) {
        for change in self.changes.iter().rev() {
            change.undo();
        }
        for folder in self.created.iter().rev() {
            drop(fs::remove_dir(folder));
        }
    }
}

impl FileChange {
    /// The file must still be as it was read.
    fn check_unchanged(&self) -> anyhow::Result<()> {
        let there = match fs::read(&self.path) {
            Ok(bytes) => Some(bytes),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => {
                return Err(error).with_context(|| format!("reading `{}`", self.path.display()));
            }
        };
        ensure!(
            there.as_ref() == self.old.as_ref().map(|(_, bytes)| bytes),
            "`{}` was changed during the import; nothing was written: import again",
            self.path.display()
        );
        Ok(())
    }

    fn replace(&mut self) -> std::io::Result<()> {
        if let Some((old, _)) = &self.old {
            fs::rename(&self.path, old)?;
            self.state = ChangeState::BackedUp;
        }
        if let Some(new) = &self.new {
            fs::rename(new, &self.path)?;
        }
        self.state = ChangeState::Done;
        Ok(())
    }

    /// Errors are ignored: the first failure, which led here, is the one that is reported.
    fn undo(&self) {
        match (&self.old, self.state) {
            (Some((old, _)), ChangeState::BackedUp | ChangeState::Done) => {
                drop(fs::rename(old, &self.path));
            }
            (None, ChangeState::Done) => drop(fs::remove_file(&self.path)),
            (_, ChangeState::Prepared) | (None, ChangeState::BackedUp) => {}
        }
        if let Some(new) = &self.new {
            drop(fs::remove_file(new));
        }
    }
}

/// Writes a text to the disk, not only to the cache.
fn write(path: &Path, text: &str, mode: Option<fs::Permissions>) -> std::io::Result<()> {
    let mut file = fs::File::create(path)?;
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

    fn change(folder: &Path) -> anyhow::Result<()> {
        let files = [
            ("a.yaml", Some("A")),
            ("b.yaml", None),
            ("c.yaml", Some("C")),
            ("new.yaml", Some("N")),
        ];
        let files = files.map(|(path, text)| (path.to_owned(), text.map(str::to_owned)));
        FolderChanges::prepare(folder, before(), files.into())?.apply()
    }

    #[test]
    fn all_changes_are_made_and_nothing_else_is_left_behind() {
        let (_root, folder) = site();
        change(&folder).unwrap();
        assert_eq!(
            there(&folder),
            texts(&[("a.yaml", "A"), ("c.yaml", "C"), ("new.yaml", "N")])
        );
    }

    /// Wherever it fails (no space beside a file, a rename that is refused), the folder is as it was.
    #[test]
    fn if_one_change_fails_none_is_made() {
        for at in [
            ".a.yaml.import-new",
            ".new.yaml.import-new",
            ".b.yaml.import-old",
            ".c.yaml.import-old",
        ] {
            let (_root, folder) = site();
            // A folder that is not empty has the name that a file needs.
            fs::create_dir_all(folder.join(at).join("full")).unwrap();
            let why = change(&folder).unwrap_err();
            assert!(format!("{why:#}").contains("writing `"), "{why:#}");
            assert_eq!(there(&folder), texts(BEFORE), "{at}");
        }
    }

    #[test]
    fn a_file_that_was_changed_during_the_import_is_not_overwritten() {
        let (_root, folder) = site();
        fs::write(folder.join("c.yaml"), "mine").unwrap();
        let why = change(&folder).unwrap_err().to_string();
        assert!(why.contains("was changed during the import"), "{why}");
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
        assert!(FolderChanges::prepare(&root.path().join("dc1"), Vec::new(), files).is_err());
        assert!(!root.path().join("dc1").exists());
    }
}
