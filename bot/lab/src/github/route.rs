//! Routes a request to its endpoint.

use serde_json::json;

use super::answer::{ApiCall, GitHubAnswer, not_found, ok};
use super::store::{GitHubActor, LabGitHub, RepositoryPermission};
use crate::wire::{LabRequest, LabResponse};

impl LabGitHub {
    /// Answers one request. `request.now` can only advance the clock; if it is behind, a write advances the clock by a second.
    pub fn answer(&mut self, request: &LabRequest) -> LabResponse {
        self.tick(request);
        self.requests += 1;
        let who = match self.actor_of(request) {
            Ok(who) => who,
            Err(refused) => return self.with_standard_headers(request, None, refused),
        };
        if let Some(limited) = self.count_request(&who) {
            return self.with_standard_headers(request, Some(&who), limited);
        }
        let call = ApiCall {
            request,
            who: who.clone(),
            repo: String::new(),
        };
        let response = match self.route(call) {
            Ok(response) | Err(response) => response,
        };
        self.with_standard_headers(request, Some(&who), response)
    }

    pub(crate) fn tick(&mut self, request: &LabRequest) {
        let write = i64::from(request.method != "GET");
        self.now = (self.now + write).max(request.now);
    }

    /// Finds the endpoint. As at GitHub, a path with a trailing slash is not found.
    pub(crate) fn route(&mut self, mut call: ApiCall<'_>) -> GitHubAnswer {
        let path = call
            .request
            .path
            .strip_prefix("/api/v3")
            .unwrap_or(&call.request.path)
            .to_owned();
        let words: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        match (call.request.method.as_str(), words.as_slice()) {
            (_, ["repos", owner, name, rest @ ..]) => {
                call.repo = self.visible(&call, owner, name)?;
                self.route_repo(&call, rest)
            }
            (_, ["repositories", id, rest @ ..]) => {
                self.by_id(&mut call, id)?;
                self.route_repo(&call, rest)
            }
            (_, ["app", rest @ ..]) => self.answer_app(&call, rest),
            ("POST", ["app-manifests", _, "conversions"]) => Ok(self.convert_manifest()),
            ("GET", ["installation", "repositories"]) => self.installed_on(&call),
            ("DELETE", ["installation", "token"]) => self.revoke(&call),
            ("GET", ["orgs", _, "installation"]) => self.get_installation(&call),
            ("GET", ["orgs", org, "teams", slug, "memberships", login]) => {
                self.team_membership(&call, [org, slug, login])
            }
            ("GET", ["orgs", org, "teams", slug, "members"]) => self.team_members(&call, org, slug),
            ("GET", ["orgs", org, "memberships", login]) => self.org_membership(&call, org, login),
            ("GET", ["user"]) => self.get_self(&call),
            ("GET", ["users", login]) => self.get_user(login),
            ("GET", ["rate_limit"]) => {
                let rate = self.limits(&call.who);
                Ok(ok(
                    &json!({"resources": {"core": rate, "search": rate}, "rate": rate}),
                ))
            }
            ("GET", ["meta"]) => Ok(ok(
                &json!({"verifiable_password_authentication": false, "hooks": ["127.0.0.0/8"]}),
            )),
            _ => Err(not_found()),
        }
    }

    /// The key of a repository that the actor may see. As at GitHub, names are compared without case.
    fn visible(&self, call: &ApiCall<'_>, owner: &str, name: &str) -> Result<String, LabResponse> {
        let asked = format!("{owner}/{name}");
        let found = self
            .repositories
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(&asked));
        let (key, repo) = found.ok_or_else(|| self.redirect_or_not_found(&asked))?;
        self.permission(repo, &call.who)
            .or((call.who == GitHubActor::App).then_some(RepositoryPermission::Read))
            .ok_or_else(not_found)?;
        Ok(key.clone())
    }

    /// 301 for a renamed repository, else 404.
    fn redirect_or_not_found(&self, asked: &str) -> LabResponse {
        let fresh = self
            .renamed
            .get(asked)
            .and_then(|fresh| self.repositories.get(fresh));
        let Some(repo) = fresh else {
            return not_found();
        };
        let url = format!("{}/repositories/{}", self.base, repo.id);
        let body = json!({"message": "Moved Permanently", "url": url, "documentation_url": "https://docs.github.com/rest"});
        LabResponse::json(301, &body).with("location", &url)
    }

    /// `GET /repositories/{id}`, the redirect target of a renamed repository.
    fn by_id(&self, call: &mut ApiCall<'_>, id: &str) -> Result<(), LabResponse> {
        let found = self
            .repositories
            .iter()
            .find(|(_, repo)| repo.id.to_string() == id);
        let (key, repo) = found.ok_or_else(not_found)?;
        self.permission(repo, &call.who).ok_or_else(not_found)?;
        call.repo.clone_from(key);
        Ok(())
    }

    fn route_repo(&mut self, call: &ApiCall<'_>, words: &[&str]) -> GitHubAnswer {
        match (call.request.method.as_str(), words) {
            ("GET", []) => Ok(self.get_repo(call)),
            ("GET", ["installation"]) => self.get_installation(call),
            ("GET", ["contents", path @ ..]) => self.get_content(call, &path.join("/")),
            ("PUT", ["contents", path @ ..]) => self.put_content(call, &path.join("/")),
            ("GET", ["branches"]) => Ok(self.list_branches(call)),
            ("GET", ["branches", name @ ..]) => self.get_branch(call, name),
            ("GET", ["rules", "branches", ..]) => Ok(self.rules(call)),
            ("GET", ["commits"]) => self.list_commits(call),
            ("GET", ["commits", name @ .., "pulls"]) => self.pulls_of_commit(call, &name.join("/")),
            ("GET", ["commits", name @ .., "check-runs"]) => self.list_runs(call, &name.join("/")),
            ("GET", ["commits", name @ .., "check-suites"]) => {
                self.list_suites(call, &name.join("/"))
            }
            ("GET", ["commits", name @ .., "status"]) => {
                self.combined_status(call, &name.join("/"))
            }
            ("GET", ["commits", name @ .., "statuses"]) => {
                self.list_statuses(call, &name.join("/"))
            }
            ("GET", ["commits", name @ ..]) => self.get_commit(call, &name.join("/")),
            ("GET", ["compare", basehead @ ..]) => self.compare(call, &basehead.join("/")),
            ("POST", ["statuses", sha]) => self.create_status(call, sha),
            ("GET", ["collaborators", login, "permission"]) => self.collaborator(call, login),
            ("GET", ["teams"]) => Ok(self.repo_teams(call)),
            ("GET" | "PUT", ["environments", name]) => self.environment(call, name),
            (_, ["git", rest @ ..]) => self.route_git(call, rest),
            (_, ["pulls", rest @ ..]) => self.route_pulls(call, rest),
            (_, ["issues" | "labels", ..]) => self.route_issues(call, words),
            (_, ["check-runs" | "check-suites" | "deployments", ..]) => {
                self.route_checks(call, words)
            }
            _ => Err(not_found()),
        }
    }

    fn route_git(&mut self, call: &ApiCall<'_>, words: &[&str]) -> GitHubAnswer {
        match (call.request.method.as_str(), words) {
            ("GET", ["trees", name @ ..]) if !name.is_empty() => {
                self.get_tree(call, &name.join("/"))
            }
            ("POST", ["trees"]) => self.create_tree(call),
            ("GET", ["blobs", sha]) => self.get_blob(call, sha),
            ("POST", ["blobs"]) => self.create_blob(call),
            ("GET", ["commits", sha]) => self.get_git_commit(call, sha),
            ("POST", ["commits"]) => self.create_commit(call),
            ("POST", ["tags"]) => self.create_tag(call),
            ("GET", ["ref", name @ ..]) => self.get_ref(call, &name.join("/")),
            ("GET", ["matching-refs", name @ ..]) => Ok(self.matching_refs(call, &name.join("/"))),
            ("POST", ["refs"]) => self.create_ref(call),
            ("PATCH", ["refs", name @ ..]) => self.update_ref(call, &name.join("/")),
            ("DELETE", ["refs", name @ ..]) => self.delete_ref(call, &name.join("/")),
            _ => Err(not_found()),
        }
    }

    fn route_pulls(&mut self, call: &ApiCall<'_>, words: &[&str]) -> GitHubAnswer {
        match (call.request.method.as_str(), words) {
            ("GET", []) => Ok(self.list_pulls(call)),
            ("POST", []) => self.open(call),
            ("GET", [number]) => self.get_pull(call, number),
            ("PATCH", [number]) => self.patch_pull(call, number),
            ("GET", [number, "files"]) => self.pull_files(call, number),
            ("GET", [number, "commits"]) => self.pull_commits(call, number),
            ("GET", [number, "reviews"]) => self.list_reviews(call, number),
            ("POST", [number, "reviews"]) => self.create_review(call, number),
            ("POST", [number, "requested_reviewers"]) => self.request_reviewers(call, number),
            ("PUT", [number, "merge"]) => self.merge(call, number),
            _ => Err(not_found()),
        }
    }

    fn route_issues(&mut self, call: &ApiCall<'_>, words: &[&str]) -> GitHubAnswer {
        match (call.request.method.as_str(), words) {
            ("GET", ["labels"]) => Ok(self.list_labels(call)),
            ("POST", ["labels"]) => self.create_label(call),
            ("GET", ["issues", "comments", id]) => self.get_comment(call, id),
            ("PATCH", ["issues", "comments", id]) => self.update_comment(call, id),
            ("DELETE", ["issues", "comments", id]) => self.delete_comment(call, id),
            ("GET", ["issues", "comments", id, "reactions"]) => self.list_reactions(call, id),
            ("POST", ["issues", "comments", id, "reactions"]) => self.react_to_comment(call, id),
            ("DELETE", ["issues", "comments", id, "reactions", reaction]) => {
                self.delete_reaction(call, id, reaction)
            }
            ("GET", ["issues", number]) => self.get_issue(call, number),
            ("PATCH", ["issues", number]) => self.patch_issue(call, number),
            ("GET", ["issues", number, "comments"]) => self.list_comments(call, number),
            ("POST", ["issues", number, "comments"]) => self.create_comment(call, number),
            ("POST", ["issues", number, "reactions"]) => self.react_to_issue(call, number),
            ("POST", ["issues", number, "labels"]) => self.add_labels(call, number),
            ("DELETE", ["issues", number, "labels", name @ ..]) => {
                self.remove_label(call, number, &name.join("/"))
            }
            _ => Err(not_found()),
        }
    }

    fn route_checks(&mut self, call: &ApiCall<'_>, words: &[&str]) -> GitHubAnswer {
        match (call.request.method.as_str(), words) {
            ("POST", ["check-runs"]) => self.create_run(call),
            ("GET", ["check-runs", id]) => self.get_run(call, id),
            ("PATCH", ["check-runs", id]) => self.update_run(call, id),
            ("GET", ["check-runs", id, "annotations"]) => self.list_annotations(call, id),
            ("POST", ["check-runs", id, "rerequest"]) => self.rerequest_run(call, id),
            ("GET", ["check-suites", id]) => self.get_suite(call, id),
            ("GET", ["deployments"]) => Ok(self.list_deployments(call)),
            ("POST", ["deployments"]) => self.create_deployment(call),
            ("GET", ["deployments", id]) => self.get_deployment(call, id),
            ("GET", ["deployments", id, "statuses"]) => self.list_deployment_statuses(call, id),
            ("POST", ["deployments", id, "statuses"]) => self.create_deployment_status(call, id),
            _ => Err(not_found()),
        }
    }
}
