//! From a commit to a plan comment and a check run.

use anyhow::Context as _;
use journal::{Reply, ReplyKind};
use plan::runbook::{Runbook, is_runbook};
use serde_json::json;
use topology::draft::Source;
use topology::finding::Finding;
use topology::plane::Topology;

use crate::config::Site;
use crate::pulls::pull::PullRequest;
use crate::pulls::record::PullRecord;
use crate::pulls::unreadable;
use crate::reply;
use crate::site::{PlanningResult, SiteRuntime};
use crate::worker::Office;

/// What a commit declares.
pub(crate) struct DeclaredAt {
    pub(crate) topology: Option<Topology>,
    pub(crate) findings: Vec<Finding>,
    pub(crate) runbooks: Vec<Runbook>,
}

impl Office {
    /// Reads a site's declaration at one commit and the runbooks at another, through the API: never a checkout.
    pub(crate) async fn commit(
        &self,
        site: &Site,
        commit: &str,
        runbooks_at: &str,
    ) -> anyhow::Result<DeclaredAt> {
        let read = self
            .github
            .folder(&site.repository, commit, &site.path)
            .await
            .context("reading the declaration");
        let files = match read {
            Ok(files) => files,
            Err(error) => {
                let findings = unreadable::findings(&error, &site.path).ok_or(error)?;
                return Ok(DeclaredAt {
                    topology: None,
                    findings,
                    runbooks: Vec::new(),
                });
            }
        };
        let sources: Vec<Source> = files
            .into_iter()
            .map(|(path, bytes)| Source { path, bytes })
            .collect();
        let checked = topology::check::check(&sources);
        let mut runbooks = Vec::new();
        for (path, bytes) in self
            .github
            .folder(&site.repository, runbooks_at, &site.runbooks)
            .await
            .context("reading the runbooks")?
        {
            if is_runbook(&path)
                && let Ok(runbook) = Runbook::read(&path, &String::from_utf8_lossy(&bytes))
            {
                runbooks.push(runbook);
            }
        }
        Ok(DeclaredAt {
            topology: checked.topology,
            findings: checked.findings,
            runbooks,
        })
    }

    /// Plans a pull request's head, and says so.
    pub(crate) async fn plan_pull(
        &self,
        site: &Site,
        desk: &SiteRuntime,
        pull: &PullRequest,
    ) -> anyhow::Result<()> {
        let repository = &site.repository;
        let branch = self.github.default_branch(repository).await?;
        let commit = self.commit(site, &pull.head, &branch).await?;
        let mut record = PullRecord::new(pull, (self.clock)());
        let body = match &commit.topology {
            None => reply::findings(&commit.findings, &site.name),
            Some(topology) => {
                let policy = desk.policy(&commit.runbooks);
                let survey = desk.survey(topology, &policy, &mut |_| {}).await?;
                take(&mut record, &survey);
                let setting = record.setting(&site.name, Some(self.tree_url(repository, &branch)));
                reply::plan(&survey.outcome, &setting, &survey.rehearsed)
            }
        };
        // First: one that is merged before this is heard again is shown from what is remembered of it, and one that was
        // shown and not remembered would be nobody's.
        self.remember(&record.row(repository, pull.number, &site.name))
            .await?;
        self.owe_check(repository, &record, &commit.findings)
            .await?;
        self.owe_plan_comment(repository, pull.number, &site.name, body)
            .await
    }

    pub(crate) async fn owe_plan_comment(
        &self,
        repository: &str,
        number: u64,
        site: &str,
        body: String,
    ) -> anyhow::Result<()> {
        let reply = Reply {
            key: format!("plan/{repository}/{number}/{site}"),
            repository: repository.to_owned(),
            kind: ReplyKind::Comment,
            target: Some(i64::try_from(number)?),
            body,
        };
        Ok(self.journal.owe(&reply, (self.clock)()).await?)
    }

    /// The check on the head: a refusal is a failed check, always; annotations stand on the lines that caused them.
    async fn owe_check(
        &self,
        repository: &str,
        record: &PullRecord,
        findings: &[Finding],
    ) -> anyhow::Result<()> {
        let (conclusion, title) = match (&record.plan, record.rehearsed.failures.is_empty()) {
            (Some(plan), true) if plan.steps.is_empty() => ("success", "no changes".to_owned()),
            (Some(plan), true) => (
                "success",
                format!(
                    "{} changes, {} gates, plan {}",
                    plan.steps.len(),
                    plan.gates.len(),
                    plan.digest
                ),
            ),
            (Some(_), false) => ("failure", "the rehearsal failed".to_owned()),
            (None, _) if record.refused.is_some() => ("failure", "no plan".to_owned()),
            (None, _) => ("failure", format!("{} findings", findings.len())),
        };
        let annotations: Vec<_> = findings
            .iter()
            .map(|finding| {
                json!({
                    "path": finding.file, "start_line": finding.line, "end_line": finding.line,
                    "annotation_level": if finding.is_error() { "failure" } else { "warning" },
                    "title": finding.code, "message": format!("{}\n{}", finding.message, finding.help),
                })
            })
            .collect();
        let body = json!({
            "name": "planebot/plan", "head_sha": record.commit, "status": "completed", "conclusion": conclusion,
            "title": title, "summary": "The plan is in the pull request's conversation.", "annotations": annotations,
        });
        self.owe_plan_check(repository, &record.commit, &body).await
    }

    pub(crate) async fn owe_plan_check(
        &self,
        repository: &str,
        head: &str,
        body: &serde_json::Value,
    ) -> anyhow::Result<()> {
        let reply = Reply {
            key: format!("check/{repository}/{head}/plan"),
            repository: repository.to_owned(),
            kind: ReplyKind::Check,
            target: None,
            body: body.to_string(),
        };
        Ok(self.journal.owe(&reply, (self.clock)()).await?)
    }

    pub(crate) async fn owe_apply_check(
        &self,
        repository: &str,
        commit: &str,
        conclusion: Option<&str>,
        title: &str,
    ) -> anyhow::Result<()> {
        let body = json!({
            "name": "planebot/apply", "head_sha": commit, "status": if conclusion.is_some() { "completed" } else { "in_progress" },
            "conclusion": conclusion, "title": title, "summary": "See the pull request's conversation.", "annotations": [],
        });
        let reply = Reply {
            key: format!("check/{repository}/{commit}/apply"),
            repository: repository.to_owned(),
            kind: ReplyKind::Check,
            target: None,
            body: body.to_string(),
        };
        Ok(self.journal.owe(&reply, (self.clock)()).await?)
    }

    /// Where a commit's files are shown to people.
    pub(crate) fn tree_url(&self, repository: &str, commit: &str) -> String {
        let api = self
            .config
            .github
            .as_ref()
            .map(|github| github.api_url.as_str())
            .unwrap_or_default();
        let site = match api.strip_suffix("/api/v3") {
            Some(site) => site.to_owned(),
            None => api.replace("://api.", "://"),
        };
        format!("{site}/{repository}/blob/{commit}")
    }
}

/// Takes a survey that nobody asked for into the record: where another plan was read before, an order has to name this one.
pub(crate) fn take_unasked(record: &mut PullRecord, survey: &PlanningResult) {
    let reviewed = record.digest();
    take(record, survey);
    record.to_be_named |= reviewed.is_some() && record.digest() != reviewed;
}

/// Takes a survey into the record.
pub(crate) fn take(record: &mut PullRecord, survey: &PlanningResult) {
    record.rehearsed = survey.rehearsed.clone();
    record.read_at = survey.observed.at;
    match &survey.outcome {
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
