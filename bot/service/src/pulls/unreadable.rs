//! A folder that cannot be read, as findings: the author of the change sees each path and what to do.

use topology::finding::{Finding, Severity};

use github::{FolderError, Unfit};

/// The findings, if the error is about what the folder holds and not about GitHub.
pub(crate) fn findings(error: &anyhow::Error, folder: &str) -> Option<Vec<Finding>> {
    match error.downcast_ref::<FolderError>()? {
        FolderError::Unfit(unfit) => Some(unfit.iter().map(|it| finding(it, folder)).collect()),
        FolderError::GitHub(_) => None,
    }
}

fn finding(unfit: &Unfit, folder: &str) -> Finding {
    let (code, file, help) = match unfit {
        Unfit::Symlink { path } | Unfit::Submodule { path } => (
            "file/path",
            path.as_str(),
            "put the file itself here, or remove it",
        ),
        Unfit::NotAFolder { path } => ("file/path", path.as_str(), "declare the site in a folder"),
        Unfit::Name { .. } => (
            "file/path",
            folder,
            "rename it: letters, digits, `-`, `_`, `.`",
        ),
        Unfit::Case { path, .. } => ("file/path", path.as_str(), "rename one of them"),
        Unfit::TooLarge { path, .. } => ("file/size", path.as_str(), "split it, or remove it"),
        Unfit::TooMuch { .. } | Unfit::TooMany { .. } | Unfit::Truncated => {
            ("file/size", folder, "keep only the declaration here")
        }
        Unfit::NotText { path } => ("file/utf-8", path.as_str(), "save it as UTF-8"),
        Unfit::Lfs { path } => ("file/lfs", path.as_str(), "commit the file itself"),
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
            Unfit::Symlink { path: path() },
            Unfit::Submodule { path: path() },
            Unfit::NotAFolder { path: path() },
            Unfit::Name { path: path() },
            Unfit::Case {
                path: path(),
                other: path(),
            },
            Unfit::TooLarge {
                path: path(),
                bytes: 1,
            },
            Unfit::TooMuch { bytes: 1 },
            Unfit::TooMany { files: 1 },
            Unfit::Truncated,
            Unfit::NotText { path: path() },
            Unfit::Lfs { path: path() },
        ];
        let error = anyhow::Error::new(FolderError::Unfit(all)).context("reading the declaration");
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
