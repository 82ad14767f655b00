//! Plans a pull request's head and enqueues the plan comment and the check. It must not know what follows from a merge.

use journal::{AnnotationLevel, AnnotationPayload, CheckConclusion, CheckPayload, CheckState};
use plan::audit::{AuditLine, AuditStatus};
use plan::dropped::{DroppedPlane, dropped};
use plan::plan::Plan;
use plan::waiting::waiting_summary;
use topology::draft::is_declaration;
use topology::finding::Finding;

use super::Pulls;
use super::declared::{declared_at, network_at};
use super::pull::PullRequest;
use super::record::PullRecord;
use super::unreadable;
use crate::config::Site;
use crate::github_port::RepositoryPort;
use crate::reply;
use crate::site::{PlanningResult, SiteRuntime};

impl Pulls {
    /// Plans a pull request's head and shows the plan.
    pub(crate) async fn plan_head(
        &self,
        repository: &RepositoryPort,
        runtime: &SiteRuntime,
        pull: &PullRequest,
    ) -> anyhow::Result<()> {
        let site = &runtime.site;
        let branch = repository.default_branch();
        let declared = declared_at(repository, site, &pull.head, branch).await?;
        let mut record = PullRecord::new(pull, (self.clock)());
        record.lifted = runtime.lifts(&pull.labels);
        let text = match &declared.topology {
            None => reply::findings(&declared.findings, &site.name),
            Some(topology) => {
                let policy = runtime.policy(&declared.runbooks, record.lifted);
                let at = (repository, pull.head.as_str());
                let result = self.plan_beside(at, runtime, topology, &policy).await?;
                record_plan(&mut record, &result);
                record.dropped = dropped_since(repository, site, pull, &result).await?;
                let tree = self.github.tree_url(&site.repository, branch);
                let setting = record.setting(&site.name, Some(tree));
                reply::plan(&result.outcome, &setting, &result.rehearsed)
            }
        };
        log_plan(&record, &site.name, pull.number, &declared.findings);
        let row = record.row(&site.repository, pull.number, &site.name);
        self.queue.shown_plan(&row, &text).await?;
        let check = check_of(&record, &declared.findings);
        self.queue.plan_check(&site.repository, check).await
    }
}

/// What the default branch declares, and a pull request that deletes files neither declares nor removes. A default branch
/// that cannot be read or checked tells nothing.
async fn dropped_since(
    repository: &RepositoryPort,
    site: &Site,
    pull: &PullRequest,
    result: &PlanningResult,
) -> anyhow::Result<Vec<DroppedPlane>> {
    let audit = match &result.outcome {
        Ok(plan) => &plan.audit,
        Err(refused) => &refused.audit,
    };
    let is_undeclared = |line: &AuditLine| line.standing == AuditStatus::Undeclared;
    if !audit.iter().any(is_undeclared) || !deletes_a_file(repository, site, pull).await? {
        return Ok(Vec::new());
    }
    let branch = repository.default_branch();
    let before = match network_at(repository, site, branch).await {
        Ok((before, _)) => before,
        Err(error) => {
            unreadable::findings(&error, &site.path).ok_or(error)?;
            None
        }
    };
    Ok(before.map_or_else(Vec::new, |before| dropped(&before, audit)))
}

/// Whether a file of the site that the pull request changes is gone at its head. The default branch is read only then.
async fn deletes_a_file(
    repository: &RepositoryPort,
    site: &Site,
    pull: &PullRequest,
) -> anyhow::Result<bool> {
    let Some(changed) = repository.changed_files(pull.number).await? else {
        return Ok(true);
    };
    let head = repository.folder(&pull.head, &site.path).await?;
    let is_there = |file: &str| {
        let mut paths = head.iter().map(|(path, _)| path);
        paths.any(|path| {
            file.strip_suffix(path.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
        })
    };
    let mut declared = changed
        .iter()
        .filter(|file| site.owns(file) && is_declaration(file));
    Ok(declared.any(|file| !is_there(file)))
}

/// Logs one line for each plan, refusal, or set of findings.
fn log_plan(record: &PullRecord, site: &str, number: u64, findings: &[Finding]) {
    match (&record.plan, &record.refused) {
        (Some(plan), _) => tracing::info!(
            site,
            number,
            digest = %plan.digest,
            steps = plan.steps.len(),
            gates = plan.gates.len(),
            rehearsed = record.rehearsed.failures.is_empty(),
            "planned"
        ),
        (None, Some(refused)) => {
            let code = refused.refusals.first().map(|refusal| refusal.code.word());
            tracing::info!(site, number, code, "refused to plan");
        }
        (None, None) => {
            tracing::info!(
                site,
                number,
                findings = findings.len(),
                "the declaration does not check"
            );
        }
    }
}

/// The check on the head. A refusal is always a failed check; annotations are on the lines that caused them.
fn check_of(record: &PullRecord, findings: &[Finding]) -> CheckPayload {
    let (conclusion, title) = match (&record.plan, record.rehearsed.failures.is_empty()) {
        (Some(plan), true) => plan_title(plan),
        (Some(_), false) => (CheckConclusion::Failure, "the rehearsal failed".to_owned()),
        (None, _) if record.refused.is_some() => (CheckConclusion::Failure, "no plan".to_owned()),
        (None, _) => (
            CheckConclusion::Failure,
            format!("{} findings", findings.len()),
        ),
    };
    CheckPayload {
        name: "planebot/plan".to_owned(),
        head_sha: record.commit.clone(),
        state: CheckState::Completed(conclusion),
        title,
        summary: "The plan is in the pull request's conversation.".to_owned(),
        annotations: findings.iter().map(annotation_of).collect(),
    }
}

/// A plan that leaves something declared undone is not a plain success.
fn plan_title(plan: &Plan) -> (CheckConclusion, String) {
    let waits = waiting_summary(&plan.waits);
    let changes = format!(
        "{} changes, {} gates, plan {}",
        plan.steps.len(),
        plan.gates.len(),
        plan.digest
    );
    match (plan.steps.is_empty(), waits.is_empty()) {
        (true, true) => (CheckConclusion::Success, "no changes".to_owned()),
        (false, true) => (CheckConclusion::Success, changes),
        (true, false) => (CheckConclusion::Neutral, waits),
        (false, false) => (CheckConclusion::Neutral, format!("{changes}; {waits}")),
    }
}

fn annotation_of(finding: &Finding) -> AnnotationPayload {
    AnnotationPayload {
        path: finding.file.clone(),
        start_line: u64::from(finding.line),
        end_line: u64::from(finding.line),
        level: if finding.is_error() {
            AnnotationLevel::Failure
        } else {
            AnnotationLevel::Warning
        },
        title: finding.code.to_owned(),
        message: format!("{}\n{}", finding.message, finding.help),
    }
}

/// Records a plan that nobody requested: if a different plan was shown before, an order has to name the digest of this one.
pub(crate) fn record_unrequested_plan(record: &mut PullRecord, result: &PlanningResult) {
    let reviewed = record.digest();
    record_plan(record, result);
    record.to_be_named |= reviewed.is_some() && record.digest() != reviewed;
}

/// Records the result of planning.
pub(crate) fn record_plan(record: &mut PullRecord, result: &PlanningResult) {
    record.rehearsed = result.rehearsed.clone();
    record.read_at = result.observed.at;
    match &result.outcome {
        Ok(plan) => {
            record.plan = Some(plan.clone());
            record.refused = None;
        }
        Err(refused) => {
            record.plan = None;
            record.refused = Some(refused.clone());
        }
    }
}
