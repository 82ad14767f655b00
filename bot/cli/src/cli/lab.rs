//! `planebot lab`: a MAAS, a GitHub and planebot on loopback, to try things in.
//!
//! It must not know how the lab works.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use lab::github::GitHubSetup;

use crate::cli::Console;
use crate::terminal::exit_code;

/// Start a MAAS, a GitHub and planebot on loopback, kept in memory, to try things in
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  planebot lab                start everything and leave it running; prints URLs and what to type
  planebot lab --story d058   run the reference demo to its end and print the conversation
  planebot lab --replay 17    run the simulation of seed 17: a small cloud, a change, and random faults; the
                              same seed always gives the same transcript, byte for byte
  planebot lab --only maas --maas layout.json --maas-version 3.7.3 --state lab.json
  planebot lab --only github --files . --webhook http://127.0.0.1:8080/webhook --state lab.json

With `--only`, the state file is written when the lab is ready. It holds `maas_url`, `maas_api_key`
and `maas_users`, or `github_url`, `github_token` and more. The lab runs until it is stopped.")]
pub(super) struct LabArgs {
    /// A demo to run to its end; exits with 0 only if every promise held
    #[arg(long, value_enum, conflicts_with = "only")]
    story: Option<DemoName>,
    /// The seed of a simulation to run to its end; the transcript shows the faults; exits with 0 only if every promise held
    #[arg(long, value_name = "SEED", conflicts_with_all = ["only", "story"])]
    replay: Option<u64>,
    /// Start only one part
    #[arg(long, value_enum, requires = "state")]
    only: Option<LabPart>,
    /// The file for the URL and the credentials, with `--only`
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    #[command(flatten)]
    maas: MaasArgs,
    #[command(flatten)]
    github: GitHubArgs,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum DemoName {
    /// Re-addresses three planes along a chain, from the pull request to the proof
    D058,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum LabPart {
    /// A MAAS
    Maas,
    /// A GitHub
    Github,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "MAAS")]
struct MaasArgs {
    /// The layout (JSON) to load
    #[arg(long, value_name = "FILE")]
    maas: Option<PathBuf>,
    /// The release to imitate; default: the layout's
    #[arg(long, value_name = "VERSION", value_parser = release)]
    maas_version: Option<String>,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "GitHub")]
struct GitHubArgs {
    /// The repository to create
    #[arg(long, value_name = "OWNER/NAME", default_value = "example/network")]
    repository: String,
    /// A folder whose `topology/` and `runbooks/` become the first commit
    #[arg(long, value_name = "DIR")]
    files: Option<PathBuf>,
    /// People with write access: the team `operators`
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "alice,bob",
        value_name = "LOGIN"
    )]
    people: Vec<String>,
    /// People who may only read and comment
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "mallory",
        value_name = "LOGIN"
    )]
    strangers: Vec<String>,
    /// The URL that webhooks are sent to
    #[arg(long, value_name = "URL")]
    webhook: Option<String>,
    /// The port to listen on; 0 picks a free one
    #[arg(long, default_value_t = 0)]
    port: u16,
}

/// `3.5.12`, `3.7`: at least two numbers. The lab would take any other text for the newest release.
fn release(text: &str) -> Result<String, String> {
    let mut numbers = text.split('.').take(2).map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(_)), Some(Ok(_))) => Ok(text.to_owned()),
        _ => Err("not a MAAS release, such as `3.5.12`".to_owned()),
    }
}

/// The state file is written last, when everything runs: a wrong path must be reported before.
fn check_state_file(state: &Path) -> anyhow::Result<()> {
    let folder = state.parent().filter(|it| !it.as_os_str().is_empty());
    anyhow::ensure!(
        folder.is_none_or(Path::is_dir),
        "the folder of `--state {}` does not exist",
        state.display()
    );
    Ok(())
}

impl LabArgs {
    pub(super) async fn run(self, console: &mut Console<'_>) -> anyhow::Result<u8> {
        if let Some(seed) = self.replay {
            return replay(seed, console).await;
        }
        let state = self.state.unwrap_or_default();
        check_state_file(&state)?;
        match (self.only, self.story) {
            (Some(LabPart::Maas), _) => self.maas.run(&state).await?,
            (Some(LabPart::Github), _) => self.github.run(&state).await?,
            (None, Some(DemoName::D058)) => {
                let program =
                    std::env::current_exe().context("finding the path of this program")?;
                let mut out = std::io::stdout();
                let all_held = Box::pin(simulation::demo::play(&program, &mut out)).await?;
                return Ok(if all_held {
                    exit_code::OK
                } else {
                    exit_code::ERROR
                });
            }
            (None, None) => {
                let program =
                    std::env::current_exe().context("finding the path of this program")?;
                Box::pin(simulation::demo::leave_running(&program, console.out)).await?;
            }
        }
        Ok(exit_code::OK)
    }
}

/// Runs the simulation on a thread of its own, which its single-threaded runtime needs.
async fn replay(seed: u64, console: &mut Console<'_>) -> anyhow::Result<u8> {
    let result = tokio::task::spawn_blocking(move || simulation::fuzz::play(seed)).await??;
    console.out.write_all(result.transcript.as_bytes())?;
    Ok(if result.broken.is_empty() {
        exit_code::OK
    } else {
        exit_code::ERROR
    })
}

impl MaasArgs {
    async fn run(self, state: &Path) -> anyhow::Result<()> {
        let layout = self
            .maas
            .context("`--only maas` needs a layout: give `--maas FILE`")?;
        let text = std::fs::read_to_string(&layout)
            .with_context(|| format!("reading `{}`", layout.display()))?;
        lab::maas::serve_until_signal(&text, self.maas_version.as_deref(), state)
            .await
            .map_err(anyhow::Error::from_boxed)
            .with_context(|| format!("serving `{}`", layout.display()))
    }
}

impl GitHubArgs {
    async fn run(self, state: &Path) -> anyhow::Result<()> {
        let mut files = BTreeMap::new();
        if let Some(folder) = &self.files {
            for part in ["topology", "runbooks"] {
                read_files(&folder.join(part), part, &mut files)?;
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

/// Reads every text file below `folder` under its path in the repository. Symbolic links, hidden files (a journal may lie
/// beside the declaration) and files that are not UTF-8 are skipped.
fn read_files(
    folder: &Path,
    under: &str,
    files: &mut BTreeMap<String, String>,
) -> anyhow::Result<()> {
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
            read_files(&entry.path(), &name, files)?;
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
    fn an_invalid_release_or_state_file_is_reported_before_anything_starts() {
        for good in ["3.5.12", "2.9", "3.7.0~rc1"] {
            assert!(release(good).is_ok(), "{good}");
        }
        for bad in ["", "abc", "3", "3.x", "latest"] {
            assert!(release(bad).is_err(), "{bad}");
        }
        assert!(check_state_file(Path::new("state.json")).is_ok());
        assert!(check_state_file(Path::new("/nowhere/state.json")).is_err());
    }

    #[test]
    fn only_text_files_become_the_first_commit() {
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
        read_files(folder.path(), "topology", &mut files).unwrap();
        assert_eq!(files.keys().collect::<Vec<_>>(), ["topology/dc/a.yaml"]);
    }
}
