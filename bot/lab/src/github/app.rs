//! Endpoints of the app: its installation, its tokens, and its log of deliveries.

use serde_json::{Value, json};

use super::answer::{
    ApiCall, GitHubAnswer, created, forbidden, maybe, no_content, not_found, ok, refusal, stamp,
};
use super::show::app::{EVENTS, rights};
use super::store::{
    AccountKind, GHOST, GitHubActor, LabGitHub, START_TIME, WebhookDelivery, WebhookOutcome,
};
use crate::wire::LabResponse;

/// Lifetime of an installation token, in seconds.
const TOKEN_SECONDS: i64 = 3600;

impl LabGitHub {
    pub(crate) fn register_app(&mut self) {
        self.app.id = self.id();
        self.app.installation = self.id();
        let login = self.app.login();
        self.add_account(&login, AccountKind::Bot);
        self.add_account(GHOST, AccountKind::User);
        self.app_token();
    }

    /// Creates a token of the app's installation.
    pub(crate) fn app_token(&mut self) -> String {
        self.app.tokens += 1;
        let token = format!("ghs_{:036}", self.app.tokens);
        self.tokens.insert(token.clone(), GitHubActor::Installation);
        token
    }

    /// The installation token that exists from the start.
    pub fn bot_token(&self) -> String {
        format!("ghs_{:036}", 1)
    }

    /// The ids of the app and of its installation.
    pub fn app_ids(&self) -> (u64, u64) {
        (self.app.id, self.app.installation)
    }

    /// Revokes every installation token except the first.
    pub fn expire_tokens(&mut self) {
        let first = self.bot_token();
        self.tokens
            .retain(|token, who| *who != GitHubActor::Installation || *token == first);
    }

    fn show_installation(&self) -> Value {
        let owner = self.app_owner();
        let account = self.accounts.get(&owner).map_or(0, |person| person.id);
        let of_organization = self.organizations.contains_key(&owner);
        // In GitHub's description of this list an account must have the fields of a user and of an enterprise.
        let mut shown = self.user(&owner);
        for (field, value) in [
            ("name", json!(owner)),
            ("slug", json!(owner)),
            ("created_at", json!(stamp(START_TIME))),
            ("updated_at", json!(stamp(START_TIME))),
        ] {
            shown[field] = value;
        }
        let (id, url) = (
            self.app.installation,
            format!("{}/app/installations", self.base),
        );
        json!({
            "id": id, "account": shown, "repository_selection": "all",
            "access_tokens_url": format!("{url}/{id}/access_tokens"),
            "repositories_url": format!("{}/installation/repositories", self.base),
            "html_url": format!("{}/organizations/{owner}/settings/installations/{id}", self.base), "app_id": self.app.id,
            "app_slug": self.app.slug, "target_id": account,
            "target_type": if of_organization { "Organization" } else { "User" }, "permissions": rights(), "events": EVENTS,
            "created_at": stamp(START_TIME), "updated_at": stamp(START_TIME), "single_file_name": null,
            "has_multiple_single_files": false, "single_file_paths": [], "suspended_by": null, "suspended_at": null,
        })
    }

    /// Everything under `/app`, which only the app itself may call.
    pub(crate) fn answer_app(&mut self, call: &ApiCall<'_>, words: &[&str]) -> GitHubAnswer {
        if call.who != GitHubActor::App {
            return Err(refusal(401, "A JSON web token could not be decoded"));
        }
        match (call.request.method.as_str(), words) {
            ("GET", []) => Ok(ok(&self.show_app())),
            ("GET", ["installations"]) => Ok(self
                .page(call, vec![()], |()| self.show_installation())
                .answer()),
            ("GET", ["installations", id]) => self
                .installation_of(id)
                .map(|()| ok(&self.show_installation())),
            ("POST", ["installations", id, "access_tokens"]) => {
                self.installation_of(id)?;
                let token = self.app_token();
                Ok(created(&json!({
                    "token": token, "expires_at": stamp(self.now + TOKEN_SECONDS), "permissions": rights(),
                    "repository_selection": "all",
                })))
            }
            ("GET", ["hook", "config"]) => Ok(ok(&self.show_hook())),
            ("PATCH", ["hook", "config"]) => {
                let body = call.json()?;
                let (url, secret) = (maybe(&body, "url"), maybe(&body, "secret"));
                self.outbox.url = url.or(self.outbox.url.take());
                if let Some(secret) = secret {
                    self.outbox.secret = secret;
                }
                Ok(ok(&self.show_hook()))
            }
            ("GET", ["hook", "deliveries"]) => Ok(self.list_deliveries(call)),
            ("GET", ["hook", "deliveries", id]) => {
                Ok(ok(&self.show_delivery(self.find_delivery(id)?, true)))
            }
            ("POST", ["hook", "deliveries", id, "attempts"]) => {
                let id = self.find_delivery(id)?.id;
                self.redeliver(id);
                Ok(LabResponse::json(202, &json!({})))
            }
            _ => Err(not_found()),
        }
    }

    fn installation_of(&self, id: &str) -> Result<(), LabResponse> {
        if id == self.app.installation.to_string() {
            Ok(())
        } else {
            Err(not_found())
        }
    }

    /// `GET /repos/{owner}/{repo}/installation` and `GET /orgs/{org}/installation`
    pub(crate) fn get_installation(&self, call: &ApiCall<'_>) -> GitHubAnswer {
        if call.who != GitHubActor::App {
            return Err(refusal(401, "A JSON web token could not be decoded"));
        }
        Ok(ok(&self.show_installation()))
    }

    /// `GET /installation/repositories`
    pub(crate) fn installed_on(&self, call: &ApiCall<'_>) -> GitHubAnswer {
        if call.who != GitHubActor::Installation {
            return Err(forbidden());
        }
        let all: Vec<_> = self
            .repositories
            .values()
            .filter(|repo| repo.parent.is_none())
            .collect();
        let total = all.len();
        Ok(self.page(call, all, |repo| self.show_repo(repo)).within(|list| {
            json!({"total_count": total, "repository_selection": "all", "repositories": list})
        }))
    }

    /// `DELETE /installation/token`
    pub(crate) fn revoke(&mut self, call: &ApiCall<'_>) -> GitHubAnswer {
        if call.who != GitHubActor::Installation {
            return Err(forbidden());
        }
        let header = call.request.header("authorization").unwrap_or_default();
        let token = header
            .split_once(' ')
            .map_or("", |(_, token)| token.trim())
            .to_owned();
        self.tokens.remove(&token);
        Ok(no_content())
    }

    fn find_delivery(&self, id: &str) -> Result<&WebhookDelivery, LabResponse> {
        id.parse()
            .ok()
            .and_then(|id: u64| self.outbox.log.get(&id))
            .ok_or_else(not_found)
    }

    fn list_deliveries(&self, call: &ApiCall<'_>) -> LabResponse {
        let failed = |one: &&WebhookDelivery| match call.request.param("status") {
            Some("success") => one.outcome.is_ok(),
            Some("failure") => matches!(one.outcome, WebhookOutcome::Answered(400..)),
            _ => true,
        };
        let asked = call
            .request
            .param("cursor")
            .and_then(|text| text.parse::<u64>().ok());
        let per = call
            .request
            .param("per_page")
            .and_then(|text| text.parse().ok())
            .unwrap_or(30_usize)
            .clamp(1, 100);
        let all = self
            .outbox
            .log
            .values()
            .rev()
            .filter(|one| asked.is_none_or(|at| one.id < at));
        let mut all: Vec<&WebhookDelivery> = all.filter(failed).collect();
        let more = all.len() > per;
        all.truncate(per);
        let shown: Vec<Value> = all
            .iter()
            .map(|one| self.show_delivery(one, false))
            .collect();
        let response = ok(&Value::Array(shown));
        match all.last().filter(|_| more) {
            Some(last) => {
                let url = format!(
                    "{}/app/hook/deliveries?per_page={per}&cursor={}",
                    self.base, last.id
                );
                response.with("link", &format!("<{url}>; rel=\"next\""))
            }
            None => response,
        }
    }

    /// `POST /app-manifests/{code}/conversions`: accepts any code.
    pub(crate) fn convert_manifest(&mut self) -> LabResponse {
        let mut shown = self.show_app();
        shown["client_id"] = json!("Iv1.0000000000000000");
        shown["client_secret"] = json!("0000000000000000000000000000000000000000");
        shown["webhook_secret"] = json!(self.outbox.secret);
        shown["pem"] = json!("");
        created(&shown)
    }
}
