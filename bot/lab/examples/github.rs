//! Serves the lab's GitHub: `github --files DIR --state F.json [--webhook URL] [--repository OWNER/NAME] [--port N]`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use lab::github::{GitHubSetup, serve_until_signal};

type Failed = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failed> {
    let mut demo = GitHubSetup {
        app: "bot".to_owned(),
        repository: "demo/network".to_owned(),
        files: BTreeMap::from([("README.md".to_owned(), "# A network\n".to_owned())]),
        writers: vec!["alice".to_owned(), "bob".to_owned()],
        readers: vec!["mallory".to_owned()],
        webhook: None,
        port: 0,
    };
    let mut state = PathBuf::from("github.json");
    let mut words = std::env::args().skip(1);
    while let (Some(flag), Some(value)) = (words.next(), words.next()) {
        match flag.as_str() {
            "--files" => demo.files = files(Path::new(&value), "")?,
            "--state" => state = PathBuf::from(value),
            "--webhook" => demo.webhook = Some(value),
            "--repository" => demo.repository = value,
            "--port" => demo.port = value.parse()?,
            other => return Err(format!("unknown flag `{other}`").into()),
        }
    }
    serve_until_signal(&demo, &state).await
}

/// The text files under a directory, by path.
fn files(from: &Path, prefix: &str) -> Result<BTreeMap<String, String>, Failed> {
    let mut out = BTreeMap::new();
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            out.extend(files(&entry.path(), &format!("{path}/"))?);
        } else {
            out.insert(path, std::fs::read_to_string(entry.path())?);
        }
    }
    Ok(out)
}
