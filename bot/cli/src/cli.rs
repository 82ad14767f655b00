//! The command line: from arguments to an exit code.
//!
//! Each command has a file of its own and writes to the [`Console`] that it is given: results to standard output, progress
//! and notes to standard error. It must not know how a command does its work.

mod apply;
mod beside;
mod check;
mod doctor;
mod folders;
mod import;
mod lab;
mod location;
mod logging;
mod output;
mod report;
mod serve;

use std::io::{IsTerminal as _, Write};
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::terminal::exit_code;
use crate::terminal::reports::ReportSchema;
use location::LocationArgs;
use logging::LogArgs;
use report::ReportKind;

/// The arguments.
#[derive(Debug, Parser)]
#[command(
    name = "planebot",
    version,
    about = "GitOps for the network planes of a MAAS: plan a change, rehearse it, apply it, prove it",
    after_help = EXAMPLES,
    arg_required_else_help = true
)]
struct CommandLine {
    #[command(flatten)]
    location: LocationArgs,
    #[command(flatten)]
    log: LogArgs,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  planebot check topology                       check the declaration, without network access
  planebot import --site dc1 --out topology     write a MAAS's network as a declaration
  planebot plan --site dc1                      show what would change in MAAS
  planebot --maas-url http://maas:5240/MAAS --maas-api-key-file key import --site dc1 --out topology
  planebot lab --only maas --maas layout.json --state lab.json

Each command's own help shows more: planebot help apply

Exit codes: 0 done, or no changes; 1 error, or findings; 2 changes or drift; 3 refused; 4 stopped
or waiting.";

#[derive(Debug, Subcommand)]
enum Command {
    Check(check::CheckArgs),
    Import(import::ImportArgs),
    /// Compare MAAS with the declaration: one line per plane, SKIP, CREATE, DRIFT, MIGRATE or UNDECLARED
    #[command(after_help = "\
Examples:
  planebot audit --site dc1
  planebot --maas-url http://maas:5240/MAAS --maas-api-key-file key --topology topology/dc1 audit

Exit codes: 0 no drift, 1 error, 2 drift.")]
    Audit(report::ReportArgs),
    /// Plan and rehearse the change from MAAS's state to the declaration; print the plan and its digest
    #[command(after_help = "\
Examples:
  planebot plan --site dc1
  planebot plan --site dc1 --format json | jq .digest

Nothing in MAAS is changed.

Exit codes: 0 no changes, 1 error, 2 changes, 3 refused.")]
    Plan(report::ReportArgs),
    /// Carry the plan out in a model of the MAAS, and again with a simulated power cut after every step
    #[command(
        after_help = "Example:\n  planebot rehearse --site dc1\n\nNothing in MAAS is changed.\n\nExit codes: 0 the rehearsal succeeded, 1 it failed, or an error."
    )]
    Rehearse(report::ReportArgs),
    Apply(apply::ApplyArgs),
    Serve(serve::ServeArgs),
    Doctor(doctor::DoctorArgs),
    Lab(lab::LabArgs),
    /// Print the JSON Schema of declaration files, for editors, or that of a report
    #[command(
        after_help = "Examples:\n  planebot schema > topology/topology.schema.json\n  planebot schema --of plan > plan.schema.json"
    )]
    Schema {
        /// The report of that command with `--format json`, in place of declaration files
        #[arg(long, value_enum, value_name = "REPORT")]
        of: Option<ReportSchema>,
    },
    /// Print a completion script for a shell
    #[command(
        after_help = "Example:\n  planebot completions bash > /etc/bash_completion.d/planebot"
    )]
    Completions {
        /// The shell that the script is for
        shell: clap_complete::Shell,
    },
    /// Print a manual page
    #[command(after_help = "Examples:\n  planebot man | man -l -\n  planebot man apply | man -l -")]
    Man {
        /// The command that the page is about; default: all of planebot
        command: Option<String>,
    },
}

/// A command's outputs and environment.
pub struct Console<'a> {
    /// Results.
    pub out: &'a mut dyn Write,
    /// Errors and notes.
    pub err: &'a mut dyn Write,
    /// Whether standard error is a terminal, where progress can overwrite its line.
    pub stderr_is_terminal: bool,
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
        stderr_is_terminal: std::io::stderr().is_terminal(),
        variables: service::config::environment(),
    };
    ExitCode::from(run(std::env::args_os(), &mut console))
}

/// Runs a command line; the answer is the exit code.
pub fn run<T: Into<std::ffi::OsString> + Clone>(
    arguments: impl IntoIterator<Item = T>,
    console: &mut Console<'_>,
) -> u8 {
    let line = match CommandLine::try_parse_from(arguments) {
        Ok(line) => line,
        Err(error) => return output::print_usage(&error, console),
    };
    let result = line.run(console).and_then(|code| {
        console.out.flush()?;
        Ok(code)
    });
    match result {
        Ok(code) => code,
        Err(error) => output::print_error(&error, console),
    }
}

impl CommandLine {
    fn run(self, console: &mut Console<'_>) -> anyhow::Result<u8> {
        let (location, log) = (&self.location, &self.log);
        if !matches!(self.command, Command::Serve(_)) {
            log.start_if_asked(console)?;
        }
        match self.command {
            Command::Check(args) => args.run(location, console),
            Command::Import(args) => block_on(args.run(location, console)),
            Command::Audit(args) => block_on(args.run(ReportKind::Audit, location, console)),
            Command::Plan(args) => block_on(args.run(ReportKind::Plan, location, console)),
            Command::Rehearse(args) => block_on(args.run(ReportKind::Rehearse, location, console)),
            Command::Apply(args) => block_on(args.run(location, console)),
            Command::Serve(args) => block_on(args.run(location, log, console)),
            Command::Doctor(args) => block_on(args.run(location, console)),
            Command::Lab(args) => block_on(args.run(console)),
            Command::Schema { of } => schema(of, console),
            Command::Completions { shell } => {
                let mut text = Vec::new();
                clap_complete::generate(shell, &mut Self::command(), "planebot", &mut text);
                console.out.write_all(&text)?;
                Ok(exit_code::OK)
            }
            Command::Man { command } => man(command.as_deref(), console),
        }
    }
}

fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(work)
}

fn schema(of: Option<ReportSchema>, console: &mut Console<'_>) -> anyhow::Result<u8> {
    match of {
        None => write!(console.out, "{}", topology::schema::text())?,
        Some(report) => write!(console.out, "{}", report.text())?,
    }
    Ok(exit_code::OK)
}

fn man(command: Option<&str>, console: &mut Console<'_>) -> anyhow::Result<u8> {
    let mut whole = CommandLine::command();
    whole.build();
    let page = match command {
        None => whole,
        Some(name) => whole.find_subcommand(name).cloned().ok_or_else(|| {
            anyhow::anyhow!("there is no command `{name}`: `planebot help` lists all commands")
        })?,
    };
    clap_mangen::Man::new(page).render(console.out)?;
    Ok(exit_code::OK)
}

#[cfg(test)]
mod tests;
