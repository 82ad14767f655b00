//! A folder that cannot be read, as findings: the author of the change sees each path and what to do.

use topology::finding::{Finding, Severity};

use github::{FolderError, UnreadableEntry};

/// The findings, if the error is about what the folder holds and not about GitHub.
pub(crate) fn findings(error: &anyhow::Error, folder: &str) -> Option<Vec<Finding>> {
    match error.downcast_ref::<FolderError>()? {
        FolderError::Unreadable(unfit) => {
            Some(unfit.iter().map(|it| finding(it, folder)).collect())
        }
        FolderError::GitHub(_) => None,
    }
}

fn finding(unfit: &UnreadableEntry, folder: &str) -> Finding {
    let (code, file, help) = match unfit {
        UnreadableEntry::Symlink { path } | UnreadableEntry::Submodule { path } => (
            "file/path",
            path.as_str(),
            "put the file itself here, or remove it",
        ),
        UnreadableEntry::NotAFolder { path } => {
            ("file/path", path.as_str(), "declare the site in a folder")
        }
        UnreadableEntry::Name { .. } => (
            "file/path",
            folder,
            "rename it: letters, digits, `-`, `_`, `.`",
        ),
        UnreadableEntry::Case { path, .. } => ("file/path", path.as_str(), "rename one of them"),
        UnreadableEntry::TooLarge { path, .. } => {
            ("file/size", path.as_str(), "split it, or remove it")
        }
        UnreadableEntry::TooMuch { .. }
        | UnreadableEntry::TooMany { .. }
        | UnreadableEntry::Truncated => ("file/size", folder, "keep only the declaration here"),
        UnreadableEntry::NotText { path } => ("file/utf-8", path.as_str(), "save it as UTF-8"),
        UnreadableEntry::Lfs { path } => ("file/lfs", path.as_str(), "commit the file itself"),
    };
    Finding {
        file: file.to_owned(),
        line: 1,
        column: 1,
        severity: Severity::Error,
        code,
        message: unfit.to_string(),
        excerpt: String::new(),
        help: help.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use topology::finding::CODES;

    use super::*;
    use github::GitHubError;

    #[test]
    fn threat_47_what_a_folder_may_not_hold_is_said_as_findings() {
        let path = || "topology/a/x.yaml".to_owned();
        let all = vec![
            UnreadableEntry::Symlink { path: path() },
            UnreadableEntry::Submodule { path: path() },
            UnreadableEntry::NotAFolder { path: path() },
            UnreadableEntry::Name { path: path() },
            UnreadableEntry::Case {
                path: path(),
                other: path(),
            },
            UnreadableEntry::TooLarge {
                path: path(),
                bytes: 1,
            },
            UnreadableEntry::TooMuch { bytes: 1 },
            UnreadableEntry::TooMany { files: 1 },
            UnreadableEntry::Truncated,
            UnreadableEntry::NotText { path: path() },
            UnreadableEntry::Lfs { path: path() },
        ];
        let error =
            anyhow::Error::new(FolderError::Unreadable(all)).context("reading the declaration");
        let found = findings(&error, "topology/a").unwrap();
        assert_eq!(found.len(), 11);
        for finding in found {
            assert!(
                CODES.iter().any(|code| code.name == finding.code),
                "{finding}"
            );
            assert!(finding.is_error());
        }
    }

    #[test]
    fn a_github_that_does_not_answer_is_no_finding() {
        let away = FolderError::GitHub(GitHubError::Gone {
            what: "reading".to_owned(),
            status: 404,
        });
        assert_eq!(findings(&anyhow::Error::new(away), "topology"), None);
    }
}
