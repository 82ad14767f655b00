//! Carries a plan out from a terminal, with the service's run, gates and journal.
//!
//! The command exits where a person must act; the same command resumes the run. It must not know the command's options
//! except in the texts that name them.

use std::io::Write;

use anyhow::Context as _;
use execution::executor::Executor;
use execution::ledger::Ledger as _;
use execution::rehearse::describe;
use journal::{Journal, JournalError, Lease, NewRun, Run, RunId};
use plan::gate::{Gate, GateName};
use plan::plan::Plan;
use plan::render;
use plan::run::{Fact, NextMove, Progress, RecordedFact, ending, next_move};
use plan::runbook::Runbook;
use service::runs::ledger::{LeaseFence, RunLedger};

use crate::terminal::{LoadedDeclaration, TerminalSession, exit_code};

/// What to do with a run.
#[derive(Clone, Debug)]
pub struct ApplyRequest {
    /// The digest of the run's plan.
    pub digest: String,
    /// A gate whose work is done, and the evidence for it.
    pub done: Option<(GateName, Option<String>)>,
    /// End the run instead of carrying it out.
    pub abort: bool,
}

/// Who gave the order, in the journal and the history.
const ACTOR: &str = "a terminal";

impl TerminalSession<'_> {
    /// Begins, resumes or ends the run of a digest.
    pub async fn apply(
        &mut self,
        journal: &Journal,
        request: ApplyRequest,
        out: &mut dyn Write,
    ) -> anyhow::Result<u8> {
        let loaded = self.load()?;
        let site = self.site.site.name.clone();
        let owner = format!("terminal-{}", std::process::id());
        let now = (self.clock)();
        let length = self.site.site.policy.lease_ms();
        let Some(lease) = journal.take(&site, &owner, length, now).await? else {
            writeln!(
                out,
                "refused: another process holds the lease on `{site}`; nothing was changed (the lease of a process that died expires after {} s at most)",
                length / 1000
            )?;
            return Ok(exit_code::REFUSED);
        };
        let code = self
            .apply_with_lease(journal, &lease, &loaded, request, out)
            .await;
        journal.release(&lease).await?;
        code
    }

    async fn apply_with_lease(
        &mut self,
        journal: &Journal,
        lease: &Lease,
        loaded: &LoadedDeclaration,
        request: ApplyRequest,
        out: &mut dyn Write,
    ) -> anyhow::Result<u8> {
        let site = &self.site.site.name;
        let runs = journal.open_runs().await?;
        let open = runs.into_iter().find(|run| run.new.site == *site);
        let digest = &request.digest;
        let mut active = match open {
            Some(run) if run.new.digest != *digest || run.new.pull.is_some() => {
                writeln!(out, "refused: {}; nothing was changed", other_run(&run))?;
                return Ok(exit_code::REFUSED);
            }
            Some(run) if request.abort => {
                let fact = Fact::Aborted {
                    by: ACTOR.to_owned(),
                };
                journal.add(run.id, lease, &fact, (self.clock)()).await?;
                let facts = journal.facts(run.id).await?;
                let done = Progress::of(&facts).done.len();
                writeln!(
                    out,
                    "aborted after {done} steps; finished steps are not undone"
                )?;
                return Ok(exit_code::OK);
            }
            Some(run) => self.resume(journal, lease, &run).await?,
            None if request.abort => {
                writeln!(out, "refused: there is no unfinished run of {digest}")?;
                return Ok(exit_code::REFUSED);
            }
            None => match self.begin(journal, loaded, digest, out).await? {
                Some(active) => active,
                None => return Ok(exit_code::REFUSED),
            },
        };
        active.done = request.done;
        active.lease = Some(lease.clone());
        self.carry_out(journal, active, loaded, out).await
    }

    /// Begins a run, if the plan computed from what MAAS holds now has that digest.
    async fn begin(
        &mut self,
        journal: &Journal,
        loaded: &LoadedDeclaration,
        digest: &str,
        out: &mut dyn Write,
    ) -> anyhow::Result<Option<ActiveRun>> {
        let result = self.plan_and_rehearse(loaded).await?;
        let refusal = match &result.outcome {
            Err(_) => Some("there is no plan".to_owned()),
            Ok(plan) if plan.digest.to_string() != digest => Some(format!(
                "the digest of the plan is now {}, not {digest}",
                plan.digest
            )),
            Ok(_) if !result.rehearsed.failures.is_empty() => {
                Some("the rehearsal of this plan failed".to_owned())
            }
            Ok(plan) => plan
                .read_only
                .as_ref()
                .map(|why| format!("this plan cannot be applied: {why}")),
        };
        let plan = match (refusal, &result.outcome) {
            (None, Ok(plan)) => plan.clone(),
            (refusal, _) => {
                self.print(&result, out)?;
                let why = refusal.unwrap_or_default();
                writeln!(out, "refused: {why}; nothing was changed")?;
                return Ok(None);
            }
        };
        let new = NewRun {
            site: self.site.site.name.clone(),
            repository: String::new(),
            pull: None,
            digest: digest.to_owned(),
            record: serde_json::to_string(&plan)?,
            maas: self.site.identity().entries(),
        };
        let first = Fact::Began {
            by: ACTOR.to_owned(),
        };
        match journal.begin(&new, &first, (self.clock)()).await {
            Ok(run) => Ok(Some(ActiveRun::of(run, plan))),
            Err(JournalError::Busy) => {
                let why = self.other_run(journal).await?;
                writeln!(out, "refused: {why}; nothing was changed")?;
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Names the unfinished run on this MAAS that prevents another.
    async fn other_run(&self, journal: &Journal) -> anyhow::Result<String> {
        let own = self.site.identity();
        let runs = journal.open_runs().await?;
        let other = runs.iter().find(|run| own.is_of_run(&run.new.maas));
        Ok(match other {
            Some(run) if run.new.site != self.site.site.name => format!(
                "site `{}` is on the same MAAS, and sites of one MAAS take turns: {}",
                run.new.site,
                other_run(run)
            ),
            Some(run) => other_run(run),
            None => "another run began just now".to_owned(),
        })
    }

    /// Resumes an unfinished run.
    async fn resume(
        &self,
        journal: &Journal,
        lease: &Lease,
        run: &Run,
    ) -> anyhow::Result<ActiveRun> {
        let plan: Plan =
            serde_json::from_str(&run.new.record).context("reading the plan of the open run")?;
        let facts = journal.facts(run.id).await?;
        if Progress::of(&facts).stopped.is_some() {
            let resumed = Fact::Resumed {
                by: ACTOR.to_owned(),
            };
            journal.add(run.id, lease, &resumed, (self.clock)()).await?;
        }
        Ok(ActiveRun::of(run.id, plan))
    }

    async fn carry_out(
        &mut self,
        journal: &Journal,
        mut active: ActiveRun,
        loaded: &LoadedDeclaration,
        out: &mut dyn Write,
    ) -> anyhow::Result<u8> {
        loop {
            let now = (self.clock)();
            let lease = self.renew_lease(journal, &active).await?;
            let facts = journal.facts(active.run).await?;
            let next = next_move(&active.plan, &facts, now, self.site.pace());
            match &next {
                NextMove::Ended => return Ok(print_end(&facts, out)?),
                NextMove::WaitForOperator => {
                    let Some(claim) = active.claim(&facts) else {
                        return print_waiting(&active, &facts, &loaded.runbooks, out);
                    };
                    journal.add(active.run, &lease, &claim, now).await?;
                    continue;
                }
                NextMove::WaitUntil(until) => {
                    let length = u64::try_from(until.0 - now.0).unwrap_or(0);
                    (self.progress)(format!("waiting {} s", length.div_ceil(1000)));
                    tokio::time::sleep(std::time::Duration::from_millis(length)).await;
                    continue;
                }
                NextMove::Execute(_)
                | NextMove::Ask(_)
                | NextMove::Examine(_)
                | NextMove::Verify { .. }
                | NextMove::Stop { .. }
                | NextMove::Finish => {}
            }
            writeln!(out, "{}", describe(&active.plan, &next))?;
            let fence = LeaseFence {
                lease: &lease,
                clock: self.clock,
                policy: &self.site.site.policy,
            };
            let evidence = self.site.evidence_for(&next).await;
            let executor = Executor {
                plan: &active.plan,
                topology: &loaded.topology,
                policy: &loaded.policy,
                client: &self.site.client,
                fence: &fence,
                evidence: &evidence,
            };
            let mut ledger = RunLedger {
                journal,
                run: active.run,
                lease: &lease,
                clock: self.clock,
            };
            executor.execute(&next, &mut ledger).await?;
            drop(ledger.facts().await?);
        }
    }

    async fn renew_lease(&self, journal: &Journal, active: &ActiveRun) -> anyhow::Result<Lease> {
        let lease = active.lease.as_ref().context("the run has no lease")?;
        let length = self.site.site.policy.lease_ms();
        journal
            .take(&lease.site, &lease.owner, length, (self.clock)())
            .await?
            .context("another process took over the lease")
    }
}

/// A run under way, and the claim that has not been used yet.
struct ActiveRun {
    run: RunId,
    plan: Plan,
    lease: Option<Lease>,
    done: Option<(GateName, Option<String>)>,
}

impl ActiveRun {
    fn of(run: RunId, plan: Plan) -> Self {
        Self {
            run,
            plan,
            lease: None,
            done: None,
        }
    }

    /// The claim that `--done` makes, where the run waits at that gate; used once.
    fn claim(&mut self, facts: &[RecordedFact]) -> Option<Fact> {
        let waiting = self.waiting_gate(facts)?.name;
        let (gate, evidence) = self.done.take_if(|(gate, _)| *gate == waiting)?;
        Some(Fact::Claimed {
            gate,
            by: ACTOR.to_owned(),
            evidence,
        })
    }

    /// The gate where the run waits for a person.
    fn waiting_gate(&self, facts: &[RecordedFact]) -> Option<&Gate> {
        let progress = Progress::of(facts);
        if progress.stopped.is_some() {
            return None;
        }
        let mut gates = self.plan.gates.iter();
        gates.find(|gate| !progress.opened.contains(&gate.name))
    }
}

fn other_run(run: &Run) -> String {
    let digest = &run.new.digest;
    match run.new.pull {
        Some(number) => {
            format!("the run of {digest} has not finished; resume or abort it in #{number}")
        }
        None => format!(
            "the run of {digest} has not finished; resume it with `--digest {digest}`, or end it with `--digest {digest} --abort`"
        ),
    }
}

/// Prints what a person must do.
fn print_waiting(
    active: &ActiveRun,
    facts: &[RecordedFact],
    runbooks: &[Runbook],
    out: &mut dyn Write,
) -> anyhow::Result<u8> {
    if let Some(why) = Progress::of(facts).stopped {
        writeln!(
            out,
            "stopped: {why}\nFix the cause; the same command then resumes the run. `--abort` ends it."
        )?;
        return Ok(exit_code::WAITING);
    }
    let Some(gate) = active.waiting_gate(facts) else {
        return Ok(exit_code::WAITING);
    };
    let word = gate.name.word();
    if let Some(Fact::NotYet { missing, .. }) = facts.last().map(|noted| &noted.fact) {
        writeln!(out, "\nnot yet:")?;
        for line in missing {
            writeln!(out, "- {}", as_options(line, word))?;
        }
    } else {
        if let Some(runbook) = runbooks.iter().find(|runbook| runbook.gate == gate.name) {
            writeln!(out, "\n{}", runbook.rendered(gate))?;
        }
        for (at, task) in gate.tasks.iter().enumerate() {
            writeln!(out, "{} {task}", render::letter(at))?;
        }
    }
    if let Some((other, _)) = &active.done {
        let other = other.word();
        writeln!(
            out,
            "\nthe run waits at gate {word}, not at gate {other}: `--done {other}` was ignored"
        )?;
    }
    writeln!(
        out,
        "\nwaiting at gate {word}: when the work is done, repeat the command with `--done {word}`"
    )?;
    Ok(exit_code::WAITING)
}

/// Replaces a comment's `/done` by the options of this command.
fn as_options(line: &str, gate: &str) -> String {
    let comment = format!("write `/done {gate} ");
    let Some((before, rest)) = line.split_once(&comment) else {
        return line.to_owned();
    };
    let Some((words, after)) = rest.split_once('`') else {
        return line.to_owned();
    };
    format!("{before}add `--done {gate} --evidence '{words}'`{after}")
}

fn print_end(facts: &[RecordedFact], out: &mut dyn Write) -> std::io::Result<u8> {
    let finished = facts.iter().any(|noted| noted.fact == Fact::Finished);
    if finished {
        print_applied(facts, out)?;
        Ok(exit_code::OK)
    } else {
        writeln!(out, "the run was aborted")?;
        Ok(exit_code::WAITING)
    }
}

/// Says `proved` only where everything that is declared is there.
fn print_applied(facts: &[RecordedFact], out: &mut dyn Write) -> std::io::Result<()> {
    let waits = Progress::of(facts).waits;
    if waits.is_empty() {
        return writeln!(out, "applied, and proved twice: a new plan has no changes");
    }
    write!(out, "{}", render::waiting_text(&waits))?;
    writeln!(out, "{}", ending(facts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_becomes_options() {
        assert_eq!(
            as_options(
                "no source is configured: write `/done jumphost br1=192.0.2.1 br2=192.0.2.2` once so",
                "jumphost"
            ),
            "no source is configured: add `--done jumphost --evidence 'br1=192.0.2.1 br2=192.0.2.2'` once so"
        );
        assert_eq!(as_options("m1 is Deployed", "teardown"), "m1 is Deployed");
    }
}
