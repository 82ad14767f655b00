//! Open runs: one move at a time. It must not know what is said of them.

use anyhow::Context as _;
use journal::Run;
use plan::plan::Policy;
use plan::run::{Move, next_move};
use topology::observed::Timestamp;
use topology::plane::Topology;

use crate::orders::order::RunRecord;
use crate::runs::ledger::{Right, RunLedger};
use crate::site::SiteRuntime;
use crate::worker::{Office, is_githubs};
use execution::executor::Executor;

impl Office {
    /// Makes one move of one run that can make one; false when none can. One that GitHub stands in the way of keeps no
    /// other from it.
    pub(crate) async fn move_a_run(&self, now: Timestamp) -> anyhow::Result<bool> {
        let mut failed = None;
        for run in self
            .journal
            .open_runs()
            .await?
            .into_iter()
            .filter(|run| run.new.pull.is_some())
        {
            let Some(desk) = self.desks.get(&run.new.site) else {
                continue;
            };
            let record = RunRecord::of(&run)?;
            let facts = self.journal.facts(run.id).await?;
            let next = next_move(&record.plan, &facts, now, desk.pace());
            if matches!(next, Move::Wait | Move::Rest(_) | Move::Over) {
                continue;
            }
            match self.make(&run, &record, desk, &next).await {
                Ok(true) => return Ok(true),
                Ok(false) => {}
                Err(error) if is_githubs(&error) => failed = failed.or(Some(error)),
                Err(error) => return Err(error),
            }
        }
        failed.map_or(Ok(false), Err)
    }

    /// When the next run may move by itself.
    pub(crate) async fn next_move_at(&self, now: Timestamp) -> anyhow::Result<Option<Timestamp>> {
        let mut wake: Option<Timestamp> = None;
        for run in self
            .journal
            .open_runs()
            .await?
            .into_iter()
            .filter(|run| run.new.pull.is_some())
        {
            let Some(desk) = self.desks.get(&run.new.site) else {
                continue;
            };
            let record = RunRecord::of(&run)?;
            let facts = self.journal.facts(run.id).await?;
            if let Move::Rest(until) = next_move(&record.plan, &facts, now, desk.pace()) {
                wake = Some(wake.map_or(until, |wake| wake.min(until)));
            }
        }
        Ok(wake)
    }

    /// Makes a move; false when another worker has the right to.
    async fn make(
        &self,
        run: &Run,
        record: &RunRecord,
        desk: &SiteRuntime,
        next: &Move,
    ) -> anyhow::Result<bool> {
        let length = desk.site.policy.lease_ms();
        let taken = self
            .journal
            .take(&run.new.site, &self.owner, length, (self.clock)())
            .await?;
        let Some(lease) = taken else {
            return Ok(false);
        };
        let right = Right {
            lease: &lease,
            clock: &self.clock,
            policy: &desk.site.policy,
        };
        let mut keeping = RunLedger {
            journal: &self.journal,
            run: run.id,
            lease: &lease,
            clock: &self.clock,
        };
        let (topology, policy) = match next {
            // Only the proof needs the declaration; the steps are fixed.
            Move::Verify { .. } => self.proved_against(desk, record).await?,
            Move::Make(_)
            | Move::Ask(_)
            | Move::Examine(_)
            | Move::Rest(_)
            | Move::Wait
            | Move::Stop { .. }
            | Move::Finish
            | Move::Over => (Topology::default(), Policy::default()),
        };
        let witness = desk.witness(next).await;
        let acting = Executor {
            plan: &record.plan,
            topology: &topology,
            policy: &policy,
            client: &desk.client,
            lease: &right,
            witness: &witness,
        };
        acting.make(next, &mut keeping).await?;
        if let Move::Finish = next {
            self.journal.release(&lease).await?;
        }
        Ok(true)
    }

    /// The merged declaration, and the policy with the runbooks beside it.
    async fn proved_against(
        &self,
        desk: &SiteRuntime,
        record: &RunRecord,
    ) -> anyhow::Result<(Topology, Policy)> {
        let merged = &record.merge_commit;
        let commit = self.commit(&desk.site, merged, merged).await?;
        // An empty declaration would find no drift anywhere, and prove nothing.
        let topology = commit
            .topology
            .context("the merged declaration does not check with this planebot")?;
        Ok((topology, desk.policy(&commit.runbooks)))
    }
}
