//! `planebot lab`: the world to try things in.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use lab::github::GitHubSetup;

use crate::cli::Console;
use crate::terminal::exit;

/// A whole world to try things in: a MAAS, a GitHub and planebot, kept in memory on loopback
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  planebot lab                everything, left running; prints where to look and what to type
  planebot lab --story d058   plays the reference story to its end and prints the conversation
  planebot lab --replay 17    plays the tale of seed 17: a small cloud, a change, and everything that may go wrong
                              on the way; the same seed is the same tale, byte for byte
  planebot lab --only maas --maas layout.json --maas-version 3.7.3 --state lab.json
  planebot lab --only github --files . --webhook http://127.0.0.1:8080/webhook --state lab.json

The state file is written when the lab is ready: `maas_url`, `maas_api_key` and `maas_users`, or
`github_url`, `github_token` and what goes with them. It runs until it is stopped.")]
pub(super) struct Lab {
    /// A story to play to its end; exits 0 only if every promise held
    #[arg(long, value_enum, conflicts_with = "only")]
    story: Option<Story>,
    /// A seed whose tale is played to its end, with the faults between the lines; exits 0 only if every promise held
    #[arg(long, value_name = "SEED", conflicts_with_all = ["only", "story"])]
    replay: Option<u64>,
    /// Just one part of the world
    #[arg(long, value_enum, requires = "state")]
    only: Option<Only>,
    /// Where to write how it is reached, with `--only`
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    #[command(flatten)]
    maas: MaasPart,
    #[command(flatten)]
    github: GitHubPart,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Story {
    /// Three planes are re-addressed along a chain, from the pull request to the proof
    D058,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Only {
    /// A MAAS
    Maas,
    /// A GitHub
    Github,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "The MAAS")]
struct MaasPart {
    /// The layout that the MAAS is loaded with
    #[arg(long, value_name = "FILE")]
    maas: Option<PathBuf>,
    /// Which release it is; else the layout's
    #[arg(long, value_name = "VERSION", value_parser = release)]
    maas_version: Option<String>,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "The GitHub")]
struct GitHubPart {
    /// The repository
    #[arg(long, value_name = "OWNER/NAME", default_value = "example/network")]
    repository: String,
    /// A folder whose `topology/` and `runbooks/` are the first commit
    #[arg(long, value_name = "DIR")]
    files: Option<PathBuf>,
    /// Who may push: the team `operators`
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "alice,bob",
        value_name = "LOGIN"
    )]
    people: Vec<String>,
    /// Who may only look and comment
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "mallory",
        value_name = "LOGIN"
    )]
    strangers: Vec<String>,
    /// Where webhooks go
    #[arg(long, value_name = "URL")]
    webhook: Option<String>,
    /// The port; 0 takes a free one
    #[arg(long, default_value_t = 0)]
    port: u16,
}

/// `3.5.12`, `3.7`: two numbers at least. A release that nobody made would be taken for the newest.
fn release(text: &str) -> Result<String, String> {
    let mut numbers = text.split('.').take(2).map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(_)), Some(Ok(_))) => Ok(text.to_owned()),
        _ => Err("a release of MAAS, as 3.5.12".to_owned()),
    }
}

/// Where the lab is told must be a place that can be written: it is written last, when everything runs.
fn is_reachable(state: &Path) -> anyhow::Result<()> {
    let folder = state.parent().filter(|it| !it.as_os_str().is_empty());
    anyhow::ensure!(
        folder.is_none_or(Path::is_dir),
        "there is no folder for `--state {}`",
        state.display()
    );
    Ok(())
}

impl Lab {
    pub(super) async fn run(self, console: &mut Console<'_>) -> anyhow::Result<u8> {
        if let Some(seed) = self.replay {
            return replayed(seed, console).await;
        }
        let state = self.state.unwrap_or_default();
        is_reachable(&state)?;
        match (self.only, self.story) {
            (Some(Only::Maas), _) => self.maas.run(&state).await?,
            (Some(Only::Github), _) => self.github.run(&state).await?,
            (None, Some(Story::D058)) => {
                let program = std::env::current_exe().context("finding this program")?;
                let mut out = std::io::stdout();
                let held = Box::pin(simulation::demo::run(&program, &mut out)).await?;
                return Ok(if held { exit::OK } else { exit::WRONG });
            }
            (None, None) => {
                let program = std::env::current_exe().context("finding this program")?;
                Box::pin(simulation::demo::leave_running(&program, console.out)).await?;
            }
        }
        Ok(exit::OK)
    }
}

/// Plays the tale on a thread of its own: in it everything happens in one order.
async fn replayed(seed: u64, console: &mut Console<'_>) -> anyhow::Result<u8> {
    let played = tokio::task::spawn_blocking(move || simulation::fuzz::run(seed)).await??;
    console.out.write_all(played.transcript.as_bytes())?;
    Ok(if played.broken.is_empty() {
        exit::OK
    } else {
        exit::WRONG
    })
}

impl MaasPart {
    async fn run(self, state: &Path) -> anyhow::Result<()> {
        let layout = self
            .maas
            .context("`--only maas` needs a layout: `--maas FILE`")?;
        let text = std::fs::read_to_string(&layout)
            .with_context(|| format!("reading `{}`", layout.display()))?;
        lab::maas::serve_until_signal(&text, self.maas_version.as_deref(), state)
            .await
            .map_err(anyhow::Error::from_boxed)
            .with_context(|| format!("serving `{}`", layout.display()))
    }
}

impl GitHubPart {
    async fn run(self, state: &Path) -> anyhow::Result<()> {
        let mut files = BTreeMap::new();
        if let Some(folder) = &self.files {
            for part in ["topology", "runbooks"] {
                gather(&folder.join(part), part, &mut files)?;
            }
        }
        let demo = GitHubSetup {
            app: "planebot".to_owned(),
            repository: self.repository,
            files,
            writers: self.people,
            readers: self.strangers,
            webhook: self.webhook,
            port: self.port,
        };
        lab::github::serve_until_signal(&demo, state)
            .await
            .map_err(anyhow::Error::from_boxed)
            .context("serving a GitHub")
    }
}

/// Every text file below `folder`, by its path in the repository. Passed over are symbolic links, hidden files (a journal
/// may lie beside the declaration) and what is no text.
fn gather(folder: &Path, under: &str, files: &mut BTreeMap<String, String>) -> anyhow::Result<()> {
    if !folder.is_dir() {
        return Ok(());
    }
    let reading = || format!("reading `{}`", folder.display());
    for entry in std::fs::read_dir(folder).with_context(reading)? {
        let entry = entry.with_context(reading)?;
        let kind = entry.file_type().with_context(reading)?;
        let own = entry.file_name().to_string_lossy().into_owned();
        let name = format!("{under}/{own}");
        if own.starts_with('.') {
            continue;
        }
        if kind.is_dir() {
            gather(&entry.path(), &name, files)?;
        } else if kind.is_file() {
            let bytes = std::fs::read(entry.path())
                .with_context(|| format!("reading `{}`", entry.path().display()))?;
            if let Ok(text) = String::from_utf8(bytes) {
                files.insert(name, text);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_served_or_told_is_said_before_anything_runs() {
        for good in ["3.5.12", "2.9", "3.7.0~rc1"] {
            assert!(release(good).is_ok(), "{good}");
        }
        for bad in ["", "abc", "3", "3.x", "latest"] {
            assert!(release(bad).is_err(), "{bad}");
        }
        assert!(is_reachable(Path::new("state.json")).is_ok());
        assert!(is_reachable(Path::new("/nowhere/state.json")).is_err());
    }

    #[test]
    fn only_plain_text_files_are_the_first_commit() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("dc")).unwrap();
        for (name, bytes) in [
            ("dc/a.yaml", &b"plane: a\n"[..]),
            ("dc/.planebot.db", b"SQLite"),
            ("dc/b.yaml", b"\xff\xfe"),
        ] {
            std::fs::write(folder.path().join(name), bytes).unwrap();
        }
        let mut files = BTreeMap::new();
        gather(folder.path(), "topology", &mut files).unwrap();
        assert_eq!(files.keys().collect::<Vec<_>>(), ["topology/dc/a.yaml"]);
    }
}
