//! The command line: what was typed, to a result and an exit code.
//!
//! Each command has a file of its own and writes to the outputs that it is handed. What people read is on standard
//! output, progress and remarks on standard error. It must not know how a command does its work.

mod apply;
mod check;
mod doctor;
mod files;
mod import;
mod lab;
mod look;
mod place;
mod serve;
mod told;

use std::io::{IsTerminal as _, Write};
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::terminal::exit;
use place::Where;
use told::Format;

/// What was typed.
#[derive(Debug, Parser)]
#[command(
    name = "planebot",
    version,
    about = "GitOps for the network planes of a MAAS: the plan, its rehearsal, the change, the proof",
    after_help = EXAMPLES,
    arg_required_else_help = true
)]
struct Typed {
    #[command(flatten)]
    place: Where,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  planebot check topology                       look for mistakes, without any network
  planebot import --site dc1 --out topology     write down what a MAAS has now
  planebot --maas-url http://maas:5240/MAAS --maas-api-key-file key import --site dc1 --out topology
  planebot lab --only maas --maas layout.json --state lab.json

Exit codes: 0 done, or nothing differs; 1 an error, or findings; 2 something differs; 3 refused;
4 stopped or waiting.";

/// What planebot does.
#[derive(Debug, Subcommand)]
enum Command {
    Check(check::Check),
    Import(import::Import),
    /// One line for each plane: SKIP, CREATE, DRIFT, MIGRATE or UNDECLARED
    #[command(after_help = "\
Examples:
  planebot audit --site dc1
  planebot --maas-url http://maas:5240/MAAS --maas-api-key-file key --topology topology/dc1 audit

Exit codes: 0 no drift, 2 drift, 1 an error.")]
    Audit(look::Look),
    /// The plan from what MAAS has to what is declared, its digest and its rehearsal
    #[command(after_help = "\
Examples:
  planebot plan --site dc1
  planebot plan --site dc1 --format json | jq .digest

Exit codes: 0 no changes, 2 changes, 3 refused, 1 an error. Nothing in MAAS is changed.")]
    Plan(look::Look),
    /// Plays the plan against a model of that MAAS, and again with the power cut after every step
    #[command(
        after_help = "Example:\n  planebot rehearse --site dc1\n\nExit codes: 0 it went well, 1 it did not."
    )]
    Rehearse(look::Look),
    Apply(apply::Apply),
    Serve(serve::Serve),
    Doctor(doctor::Doctor),
    Lab(lab::Lab),
    /// Prints the JSON Schema of the files under `topology/`, for editors
    #[command(after_help = "Example:\n  planebot schema > topology/topology.schema.json")]
    Schema,
    /// Prints completions for a shell
    #[command(
        after_help = "Example:\n  planebot completions bash > /etc/bash_completion.d/planebot"
    )]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Prints the manual page
    #[command(after_help = "Example:\n  planebot man | man -l -")]
    Man {
        /// The page of one command
        command: Option<String>,
    },
}

/// Where a command writes, and what it was given besides its arguments.
pub struct Console<'a> {
    /// What people and programs read.
    pub out: &'a mut dyn Write,
    /// Remarks.
    pub err: &'a mut dyn Write,
    /// Whether someone watches standard error, so that progress may be drawn there.
    pub watched: bool,
    /// The variables `PLANEBOT_…`.
    pub variables: std::collections::BTreeMap<String, String>,
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let mut out = anstream::AutoStream::auto(std::io::stdout()).lock();
    let mut err = anstream::AutoStream::auto(std::io::stderr());
    let mut console = Console {
        out: &mut out,
        err: &mut err,
        watched: std::io::stderr().is_terminal(),
        variables: service::config::environment(),
    };
    ExitCode::from(run(std::env::args_os(), &mut console))
}

/// Runs what was typed and gives the exit code.
pub fn run<T: Into<std::ffi::OsString> + Clone>(
    typed: impl IntoIterator<Item = T>,
    console: &mut Console<'_>,
) -> u8 {
    let typed = match Typed::try_parse_from(typed) {
        Ok(typed) => typed,
        Err(misspelt) => return told::misspelt(&misspelt, console),
    };
    let done = typed.command.run(&typed.place, console).and_then(|code| {
        console.out.flush()?;
        Ok(code)
    });
    match done {
        Ok(code) => code,
        Err(error) => told::failed(&error, console),
    }
}

impl Command {
    fn run(self, place: &Where, console: &mut Console<'_>) -> anyhow::Result<u8> {
        match self {
            Self::Check(check) => check.run(place, console),
            Self::Import(import) => awaited(import.run(place, console)),
            Self::Audit(look) => awaited(look.run(look::Report::Audit, place, console)),
            Self::Plan(look) => awaited(look.run(look::Report::Plan, place, console)),
            Self::Rehearse(look) => awaited(look.run(look::Report::Rehearse, place, console)),
            Self::Apply(apply) => awaited(apply.run(place, console)),
            Self::Serve(serve) => awaited(serve.run(place, console)),
            Self::Doctor(doctor) => awaited(doctor.run(place, console)),
            Self::Lab(lab) => awaited(lab.run(console)),
            Self::Schema => schema(console),
            Self::Completions { shell } => {
                let mut text = Vec::new();
                clap_complete::generate(shell, &mut Typed::command(), "planebot", &mut text);
                console.out.write_all(&text)?;
                Ok(exit::OK)
            }
            Self::Man { command } => man(command.as_deref(), console),
        }
    }
}

/// Runs a command that waits for others.
fn awaited<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(work)
}

fn schema(console: &mut Console<'_>) -> anyhow::Result<u8> {
    write!(console.out, "{}", topology::schema::text())?;
    Ok(exit::OK)
}

fn man(command: Option<&str>, console: &mut Console<'_>) -> anyhow::Result<u8> {
    let mut whole = Typed::command();
    whole.build();
    let page = match command {
        None => whole,
        Some(name) => whole.find_subcommand(name).cloned().ok_or_else(|| {
            anyhow::anyhow!("there is no command `{name}`; `planebot help` lists them")
        })?,
    };
    clap_mangen::Man::new(page).render(console.out)?;
    Ok(exit::OK)
}

#[cfg(test)]
mod tests;
