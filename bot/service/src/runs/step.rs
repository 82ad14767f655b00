//! Moves unfinished runs, one move at a time. It must not know what is published about them.

use anyhow::Context as _;
use tracing::Instrument as _;

use execution::executor::Executor;
use journal::Run;
use plan::plan::PlanPolicy;
use plan::run::{NextMove, ending, next_move};
use topology::observed::Timestamp;
use topology::plane::Topology;

use super::Runs;
use super::ledger::{LeaseFence, RunLedger};
use super::record::RunRecord;
use crate::pulls::declared::declared_at;
use crate::site::SiteRuntime;
use crate::trace::TraceId;
use crate::worker::is_github_error;

impl Runs {
    /// Makes one move of one run; false if no run can move. A run that fails because of GitHub does not block the others.
    pub(crate) async fn move_one(&self, now: Timestamp) -> anyhow::Result<bool> {
        let mut failed = None;
        for run in self
            .journal
            .open_runs()
            .await?
            .into_iter()
            .filter(|run| run.new.pull.is_some())
        {
            let Some(runtime) = self.sites.get(&run.new.site) else {
                continue;
            };
            let record = RunRecord::of(&run)?;
            let facts = self.journal.facts(run.id).await?;
            let next = next_move(&record.plan, &facts, now, runtime.pace());
            if matches!(
                next,
                NextMove::WaitForOperator | NextMove::WaitUntil(_) | NextMove::Ended
            ) {
                continue;
            }
            let span =
                tracing::info_span!("run", id = %TraceId::of_run(run.id), site = run.new.site);
            let moved = self
                .make_move(&run, &record, runtime, &next)
                .instrument(span);
            match moved.await {
                Ok(true) => return Ok(true),
                Ok(false) => {}
                Err(error) if is_github_error(&error) => failed = failed.or(Some(error)),
                Err(error) => return Err(error),
            }
        }
        failed.map_or(Ok(false), Err)
    }

    /// When the next run can move without an operator.
    pub(crate) async fn next_at(&self, now: Timestamp) -> anyhow::Result<Option<Timestamp>> {
        let mut wake: Option<Timestamp> = None;
        for run in self
            .journal
            .open_runs()
            .await?
            .into_iter()
            .filter(|run| run.new.pull.is_some())
        {
            let Some(runtime) = self.sites.get(&run.new.site) else {
                continue;
            };
            let record = RunRecord::of(&run)?;
            let facts = self.journal.facts(run.id).await?;
            if let NextMove::WaitUntil(until) = next_move(&record.plan, &facts, now, runtime.pace())
            {
                wake = Some(wake.map_or(until, |wake| wake.min(until)));
            }
        }
        Ok(wake)
    }

    /// Makes a move; false if another worker holds the lease.
    async fn make_move(
        &self,
        run: &Run,
        record: &RunRecord,
        runtime: &SiteRuntime,
        next: &NextMove,
    ) -> anyhow::Result<bool> {
        let Some(lease) = self.lease(&runtime.site).await? else {
            return Ok(false);
        };
        let fence = LeaseFence {
            lease: &lease,
            clock: &self.clock,
            policy: &runtime.site.policy,
        };
        let mut ledger = RunLedger {
            journal: &self.journal,
            run: run.id,
            lease: &lease,
            clock: &self.clock,
        };
        let (topology, policy) = match next {
            // Only the verification needs the declaration; the steps are fixed.
            NextMove::Verify { .. } => self.verified_against(runtime, record).await?,
            NextMove::Execute(_)
            | NextMove::Ask(_)
            | NextMove::Examine(_)
            | NextMove::WaitUntil(_)
            | NextMove::WaitForOperator
            | NextMove::Stop { .. }
            | NextMove::Finish
            | NextMove::Ended => (Topology::default(), PlanPolicy::default()),
        };
        let evidence = runtime.evidence_for(next).await;
        let executor = Executor {
            plan: &record.plan,
            topology: &topology,
            policy: &policy,
            client: &runtime.client,
            fence: &fence,
            evidence: &evidence,
        };
        executor.execute(next, &mut ledger).await?;
        log_move(next);
        if let NextMove::Finish = next {
            let how = ending(&self.journal.facts(run.id).await?);
            tracing::info!("the run has ended: {how}");
            self.journal.release(&lease).await?;
        }
        Ok(true)
    }

    /// The merged declaration, and the policy with the runbooks beside it.
    async fn verified_against(
        &self,
        runtime: &SiteRuntime,
        record: &RunRecord,
    ) -> anyhow::Result<(Topology, PlanPolicy)> {
        let merged = &record.merge_commit;
        let repository = self.github.read_last(&runtime.site.repository).await?;
        let commit = declared_at(&repository, &runtime.site, merged, merged).await?;
        // Verifying against an empty declaration would find no drift and prove nothing.
        let topology = commit
            .topology
            .context("the merged declaration does not pass the check of this planebot")?;
        // What is verified was planned within the limits, or beyond them by a label.
        Ok((topology, runtime.policy(&commit.runbooks, true)))
    }
}

/// What the executor's own lines about steps and gate evidence do not say of a run.
fn log_move(made: &NextMove) {
    match made {
        NextMove::Ask(gate) => {
            tracing::info!(
                gate = gate.word(),
                "gate {} waits for a person",
                gate.word()
            );
        }
        NextMove::Verify { round } => {
            tracing::info!(round, "observed MAAS and planned again, proof {round} of 3");
        }
        NextMove::Stop { why } => {
            tracing::warn!("the run stopped; an operator must look at it: {why}");
        }
        NextMove::Execute(_)
        | NextMove::Examine(_)
        | NextMove::WaitUntil(_)
        | NextMove::WaitForOperator
        | NextMove::Finish
        | NextMove::Ended => {}
    }
}
