//! Finds the row that a path names, or answers 404.

use super::answer::not_found;
use super::store::{
    StoredCheckRun, StoredComment, StoredDeployment, StoredIssue, StoredPullRequest,
    StoredRepository,
};
use crate::wire::LabResponse;

impl StoredRepository {
    pub(crate) fn find_run(&self, id: &str) -> Result<&StoredCheckRun, LabResponse> {
        id.parse()
            .ok()
            .and_then(|id: u64| self.runs.get(&id))
            .ok_or_else(not_found)
    }

    pub(crate) fn find_comment(&self, id: &str) -> Result<&StoredComment, LabResponse> {
        id.parse()
            .ok()
            .and_then(|id: u64| self.comments.get(&id))
            .ok_or_else(not_found)
    }

    pub(crate) fn find_deployment(&self, id: &str) -> Result<&StoredDeployment, LabResponse> {
        id.parse()
            .ok()
            .and_then(|id: u64| self.deployments.get(&id))
            .ok_or_else(not_found)
    }

    pub(crate) fn find_issue(&self, number: &str) -> Result<&StoredIssue, LabResponse> {
        number
            .parse()
            .ok()
            .and_then(|number: u64| self.issues.get(&number))
            .ok_or_else(not_found)
    }

    pub(crate) fn find_pull(
        &self,
        number: &str,
    ) -> Result<(&StoredIssue, &StoredPullRequest), LabResponse> {
        let issue = self.find_issue(number)?;
        Ok((issue, issue.pull.as_ref().ok_or_else(not_found)?))
    }
}
