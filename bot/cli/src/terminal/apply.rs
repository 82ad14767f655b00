//! Carrying a plan out from a terminal: the service's run, gates and journal, one command at a time.
//!
//! The command ends where a person must act, and the same command goes on. It must not know how arguments are spelt.

use std::io::Write;

use anyhow::Context as _;
use journal::{Journal, Lease, NewRun, Run, RunId};
use plan::gate::{Gate, GateName};
use plan::plan::Plan;
use plan::render;
use plan::run::{Fact, NextMove, Progress, RecordedFact, next_move};
use plan::runbook::Runbook;

use crate::terminal::{Ready, Terminal, exit};
use execution::executor::Executor;
use execution::ledger::Ledger as _;
use execution::rehearse::describe;
use service::runs::ledger::{LeaseFence, RunLedger};

/// What is asked of a run.
#[derive(Clone, Debug)]
pub struct ApplyRequest {
    /// The digest of its plan.
    pub digest: String,
    /// A gate whose work is done, with what is given as evidence.
    pub done: Option<(GateName, Option<String>)>,
    /// To end it at this step instead.
    pub abort: bool,
}

/// Who orders, in the journal and the history.
const BY: &str = "a terminal";

impl Terminal<'_> {
    /// Begins the run of that digest, goes on with it, or ends it.
    pub async fn apply(
        &mut self,
        journal: &Journal,
        asked: ApplyRequest,
        out: &mut dyn Write,
    ) -> anyhow::Result<u8> {
        let ready = self.ready()?;
        let site = self.desk.site.name.clone();
        let owner = format!("terminal-{}", std::process::id());
        let now = (self.clock)();
        let length = self.desk.site.policy.lease_ms();
        let Some(lease) = journal.take(&site, &owner, length, now).await? else {
            writeln!(
                out,
                "refused: another worker holds the right to write to `{site}`; nothing was changed (one that died holds it for {} s at most)",
                length / 1000
            )?;
            return Ok(exit::REFUSED);
        };
        let done = self.ordered(journal, &lease, &ready, asked, out).await;
        journal.release(&lease).await?;
        done
    }

    async fn ordered(
        &mut self,
        journal: &Journal,
        lease: &Lease,
        ready: &Ready,
        asked: ApplyRequest,
        out: &mut dyn Write,
    ) -> anyhow::Result<u8> {
        let site = &self.desk.site.name;
        let runs = journal.open_runs().await?;
        let open = runs.into_iter().find(|run| run.new.site == *site);
        let digest = &asked.digest;
        let mut acting = match open {
            Some(run) if run.new.digest != *digest || run.new.pull.is_some() => {
                writeln!(out, "refused: {}; nothing was changed", not_this(&run))?;
                return Ok(exit::REFUSED);
            }
            Some(run) if asked.abort => {
                let fact = Fact::Aborted { by: BY.to_owned() };
                journal.add(run.id, lease, &fact, (self.clock)()).await?;
                let facts = journal.facts(run.id).await?;
                let done = Progress::of(&facts).done.len();
                writeln!(out, "aborted after {done} steps; what they did stays done")?;
                return Ok(exit::OK);
            }
            Some(run) => self.go_on(journal, lease, &run).await?,
            None if asked.abort => {
                writeln!(out, "refused: no run of {digest} is under way")?;
                return Ok(exit::REFUSED);
            }
            None => match self.begin(journal, ready, digest, out).await? {
                Some(acting) => acting,
                None => return Ok(exit::REFUSED),
            },
        };
        acting.done = asked.done;
        acting.lease = Some(lease.clone());
        self.carry_out(journal, acting, ready, out).await
    }

    /// A new run of exactly that digest, made anew from a fresh look.
    async fn begin(
        &mut self,
        journal: &Journal,
        ready: &Ready,
        digest: &str,
        out: &mut dyn Write,
    ) -> anyhow::Result<Option<Acting>> {
        let survey = self.survey(ready).await?;
        let refusal = match &survey.outcome {
            Err(_) => Some("there is no plan".to_owned()),
            Ok(plan) if plan.digest.to_string() != digest => {
                Some(format!("the plan is {} now, not {digest}", plan.digest))
            }
            Ok(_) if !survey.rehearsed.failures.is_empty() => {
                Some("the rehearsal of this plan failed".to_owned())
            }
            Ok(plan) => plan
                .read_only
                .as_ref()
                .map(|why| format!("this plan is for reading only: {why}")),
        };
        let plan = match (refusal, &survey.outcome) {
            (None, Ok(plan)) => plan.clone(),
            (refusal, _) => {
                self.print(&survey, out)?;
                let why = refusal.unwrap_or_default();
                writeln!(out, "refused: {why}; nothing was changed")?;
                return Ok(None);
            }
        };
        let new = NewRun {
            site: self.desk.site.name.clone(),
            repository: String::new(),
            pull: None,
            digest: digest.to_owned(),
            record: serde_json::to_string(&plan)?,
        };
        let first = Fact::Began { by: BY.to_owned() };
        let run = journal.begin(&new, &first, (self.clock)()).await?;
        Ok(Some(Acting::of(run, plan)))
    }

    /// Goes on with the run that is not over.
    async fn go_on(&self, journal: &Journal, lease: &Lease, run: &Run) -> anyhow::Result<Acting> {
        let plan: Plan =
            serde_json::from_str(&run.new.record).context("reading the plan of the open run")?;
        let facts = journal.facts(run.id).await?;
        if Progress::of(&facts).stopped.is_some() {
            let resumed = Fact::Resumed { by: BY.to_owned() };
            journal.add(run.id, lease, &resumed, (self.clock)()).await?;
        }
        Ok(Acting::of(run.id, plan))
    }

    async fn carry_out(
        &mut self,
        journal: &Journal,
        mut acting: Acting,
        ready: &Ready,
        out: &mut dyn Write,
    ) -> anyhow::Result<u8> {
        loop {
            let now = (self.clock)();
            let lease = self.renewed(journal, &acting).await?;
            let facts = journal.facts(acting.run).await?;
            let next = next_move(&acting.plan, &facts, now, self.desk.pace());
            match &next {
                NextMove::Ended => return Ok(ended(&facts, out)?),
                NextMove::WaitForOperator => {
                    let Some(claim) = acting.claim(&facts) else {
                        return waits(&acting, &facts, &ready.runbooks, out);
                    };
                    journal.add(acting.run, &lease, &claim, now).await?;
                    continue;
                }
                NextMove::WaitUntil(until) => {
                    let length = u64::try_from(until.0 - now.0).unwrap_or(0);
                    (self.tell)(format!("resting {} s", length.div_ceil(1000)));
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
            writeln!(out, "{}", describe(&acting.plan, &next))?;
            let right = LeaseFence {
                lease: &lease,
                clock: self.clock,
                policy: &self.desk.site.policy,
            };
            let witness = self.desk.evidence_for(&next).await;
            let stage = Executor {
                plan: &acting.plan,
                topology: &ready.topology,
                policy: &ready.policy,
                client: &self.desk.client,
                fence: &right,
                evidence: &witness,
            };
            let mut keeping = RunLedger {
                journal,
                run: acting.run,
                lease: &lease,
                clock: self.clock,
            };
            stage.execute(&next, &mut keeping).await?;
            drop(keeping.facts().await?);
        }
    }

    async fn renewed(&self, journal: &Journal, acting: &Acting) -> anyhow::Result<Lease> {
        let lease = acting.lease.as_ref().context("a run without a lease")?;
        let length = self.desk.site.policy.lease_ms();
        journal
            .take(&lease.site, &lease.owner, length, (self.clock)())
            .await?
            .context("the right to write was lost to another worker")
    }
}

/// A run under way, and what its command still has to say.
struct Acting {
    run: RunId,
    plan: Plan,
    lease: Option<Lease>,
    done: Option<(GateName, Option<String>)>,
}

impl Acting {
    fn of(run: RunId, plan: Plan) -> Self {
        Self {
            run,
            plan,
            lease: None,
            done: None,
        }
    }

    /// The claim, where the run waits at just that gate; said once.
    fn claim(&mut self, facts: &[RecordedFact]) -> Option<Fact> {
        let waiting = self.waiting(facts)?.name;
        let (gate, evidence) = self.done.take_if(|(gate, _)| *gate == waiting)?;
        Some(Fact::Claimed {
            gate,
            by: BY.to_owned(),
            evidence,
        })
    }

    /// The gate that a person is waited for at.
    fn waiting(&self, facts: &[RecordedFact]) -> Option<&Gate> {
        let progress = Progress::of(facts);
        if progress.stopped.is_some() {
            return None;
        }
        let mut gates = self.plan.gates.iter();
        gates.find(|gate| !progress.opened.contains(&gate.name))
    }
}

fn not_this(run: &Run) -> String {
    let digest = &run.new.digest;
    match run.new.pull {
        Some(number) => {
            format!("the run of {digest} is not over; it goes on, or is aborted, in #{number}")
        }
        None => format!(
            "the run of {digest} is not over; go on with it by its digest, or end it with `--digest {digest} --abort`"
        ),
    }
}

/// What a person is told where the run waits for one.
fn waits(
    acting: &Acting,
    facts: &[RecordedFact],
    runbooks: &[Runbook],
    out: &mut dyn Write,
) -> anyhow::Result<u8> {
    if let Some(why) = Progress::of(facts).stopped {
        writeln!(
            out,
            "stopped: {why}\nThe same command looks again and goes on from here; `--abort` ends the run."
        )?;
        return Ok(exit::WAITING);
    }
    let Some(gate) = acting.waiting(facts) else {
        return Ok(exit::WAITING);
    };
    let word = gate.name.word();
    if let Some(Fact::NotYet { missing, .. }) = facts.last().map(|noted| &noted.fact) {
        writeln!(out, "\nnot yet:")?;
        for line in missing {
            writeln!(out, "- {}", at_a_terminal(line, word))?;
        }
    } else {
        if let Some(runbook) = runbooks.iter().find(|runbook| runbook.gate == gate.name) {
            writeln!(out, "\n{}", runbook.rendered(gate))?;
        }
        for (at, task) in gate.tasks.iter().enumerate() {
            writeln!(out, "{} {task}", render::letter(at))?;
        }
    }
    if let Some((other, _)) = &acting.done {
        let other = other.word();
        writeln!(
            out,
            "\nnot at gate {other}: the run waits at gate {word}, so `--done {other}` does not count"
        )?;
    }
    writeln!(
        out,
        "\nwaiting at gate {word}: when it is done, the same command with `--done {word}`"
    )?;
    Ok(exit::WAITING)
}

/// What is said in a conversation, as it is typed at a terminal.
fn at_a_terminal(line: &str, gate: &str) -> String {
    let said = format!("say `/done {gate} ");
    let Some((before, rest)) = line.split_once(&said) else {
        return line.to_owned();
    };
    let Some((words, after)) = rest.split_once('`') else {
        return line.to_owned();
    };
    format!("{before}add `--done {gate} --evidence '{words}'`{after}")
}

fn ended(facts: &[RecordedFact], out: &mut dyn Write) -> std::io::Result<u8> {
    let finished = facts.iter().any(|noted| noted.fact == Fact::Finished);
    if finished {
        writeln!(out, "applied, and proved twice: no changes")?;
        Ok(exit::OK)
    } else {
        writeln!(out, "the run was aborted")?;
        Ok(exit::WAITING)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_in_a_conversation_is_typed_as_options() {
        assert_eq!(
            at_a_terminal(
                "nobody looks: say `/done jumphost br1=192.0.2.1 br2=192.0.2.2` when so",
                "jumphost"
            ),
            "nobody looks: add `--done jumphost --evidence 'br1=192.0.2.1 br2=192.0.2.2'` when so"
        );
        assert_eq!(
            at_a_terminal("m1 is Deployed", "teardown"),
            "m1 is Deployed"
        );
    }
}
