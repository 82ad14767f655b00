//! Endpoints of labels, of a repository and on issues.

use super::answer::{ApiCall, GitHubAnswer, created, invalid, maybe, not_found, ok, refusal, text};
use super::store::{LabGitHub, StoredLabel};
use crate::wire::LabResponse;

/// The color of a label that was created by adding it to an issue.
const DEFAULT_COLOR: &str = "ededed";

impl LabGitHub {
    /// `GET …/labels`
    pub(crate) fn list_labels(&self, call: &ApiCall<'_>) -> LabResponse {
        let repo = self.repo(&call.repo);
        let all = repo.labels.values().collect();
        self.page(call, all, |label| self.show_label(repo, label))
            .answer()
    }

    /// `POST …/labels`
    pub(crate) fn create_label(&mut self, call: &ApiCall<'_>) -> GitHubAnswer {
        self.writer(call)?;
        let body = call.json()?;
        let name = text(&body, "Label", "name")?.to_owned();
        if self.repo(&call.repo).labels.contains_key(&name) {
            return Err(invalid("Label", "name", "already_exists", ""));
        }
        let id = self.id();
        let color = maybe(&body, "color").unwrap_or_else(|| DEFAULT_COLOR.to_owned());
        let label = StoredLabel {
            id,
            name: name.clone(),
            color,
            description: maybe(&body, "description"),
        };
        self.repo_mut(&call.repo).labels.insert(name, label.clone());
        Ok(created(&self.show_label(self.repo(&call.repo), &label)))
    }

    /// `POST …/issues/{issue_number}/labels`: creates unknown labels.
    pub(crate) fn add_labels(&mut self, call: &ApiCall<'_>, number: &str) -> GitHubAnswer {
        self.writer(call)?;
        let body = call.json()?;
        let number = self.repo(&call.repo).find_issue(number)?.number;
        let list = if body.is_array() {
            &body
        } else {
            &body["labels"]
        };
        let list = list
            .as_array()
            .ok_or_else(|| invalid("Label", "labels", "missing_field", ""))?;
        for name in list
            .iter()
            .filter_map(|one| one.as_str().or(one["name"].as_str()))
        {
            let id = self.id();
            let repo = self.repo_mut(&call.repo);
            let fresh = StoredLabel {
                id,
                name: name.to_owned(),
                color: DEFAULT_COLOR.to_owned(),
                description: None,
            };
            repo.labels.entry(name.to_owned()).or_insert(fresh);
            self.issue_mut(&call.repo, number)
                .labels
                .insert(name.to_owned());
        }
        let repo = self.repo(&call.repo);
        Ok(ok(&self.labels_of(repo, &repo.issues[&number])))
    }

    /// `DELETE …/issues/{issue_number}/labels/{name}`
    pub(crate) fn remove_label(
        &mut self,
        call: &ApiCall<'_>,
        number: &str,
        name: &str,
    ) -> GitHubAnswer {
        self.writer(call)?;
        let number = self
            .repo(&call.repo)
            .find_issue(number)
            .map_err(|_error| not_found())?
            .number;
        if !self.issue_mut(&call.repo, number).labels.remove(name) {
            return Err(refusal(404, "Label does not exist"));
        }
        let repo = self.repo(&call.repo);
        Ok(ok(&self.labels_of(repo, &repo.issues[&number])))
    }
}
