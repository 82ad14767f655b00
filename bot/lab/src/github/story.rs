//! What people do, in verbs: each asks GitHub's own rules as that person, so that it is refused and told as theirs.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::GitHub;
use super::git::{Commit, Entry, Git, Mode, Oid};
use super::merge::How;
use super::people::{Kind, Organization, Permission, Team, Who};
use super::refs::Move;
use super::repo::Repository;
use crate::wire::{Request, Response};

/// GitHub said no.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("GitHub answered {status}: {message}")]
pub struct Refused {
    /// The status.
    pub status: u16,
    /// GitHub's sentence.
    pub message: String,
}

/// A pull request to open.
#[derive(Clone, Copy, Debug)]
pub struct Proposal<'a> {
    /// The branch with the change.
    pub head: &'a str,
    /// The branch that it is for.
    pub base: &'a str,
    /// One line.
    pub title: &'a str,
    /// The rest.
    pub body: &'a str,
}

/// A comment as people see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommentSeen {
    /// Its id.
    pub id: u64,
    /// The login.
    pub author: String,
    /// The text.
    pub body: String,
    /// Whether it was changed after it was written.
    pub edited: bool,
}

/// A check run as people see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckSeen {
    /// Its id.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// `queued`, `in_progress` or `completed`.
    pub status: String,
    /// How it ended.
    pub conclusion: Option<String>,
    /// The output's title.
    pub title: String,
    /// The output's summary.
    pub summary: String,
    /// `path:line level message` for each annotation.
    pub annotations: Vec<String>,
}

/// A commit as people see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitSeen {
    /// Its name.
    pub oid: Oid,
    /// The author's login.
    pub author: String,
    /// The whole message.
    pub message: String,
}

impl GitHub {
    /// A user of that login, who exists from now on. The numeric id.
    pub fn add_user(&mut self, login: &str) -> u64 {
        self.tokens
            .insert(token_of(login), Who::Person(login.to_owned()));
        self.join(login, Kind::User)
    }

    /// A user is gone; what they wrote stays, by nobody.
    pub fn remove_user(&mut self, login: &str) {
        self.people.remove(login);
        self.tokens.remove(&token_of(login));
    }

    /// The token of a user.
    pub fn token(&self, login: &str) -> String {
        token_of(login)
    }

    /// An organization; `owners` are users of it that may do everything.
    pub fn create_organization(&mut self, login: &str, owners: &[&str]) {
        self.join(login, Kind::Organization);
        let organization = self.organizations.entry(login.to_owned()).or_default();
        organization
            .members
            .extend(owners.iter().map(|owner| ((*owner).to_owned(), true)));
        for owner in owners {
            self.add_user(owner);
        }
    }

    /// Puts a user into a team, which comes into being; by that they are a member of the organization.
    pub fn add_team_member(&mut self, organization: &str, slug: &str, login: &str) {
        self.add_user(login);
        let id = self.id();
        let fresh = Team {
            id,
            slug: slug.to_owned(),
            members: BTreeMap::new(),
        };
        let organization: &mut Organization = self
            .organizations
            .entry(organization.to_owned())
            .or_default();
        organization
            .members
            .entry(login.to_owned())
            .or_insert(false);
        organization
            .teams
            .entry(slug.to_owned())
            .or_insert(fresh)
            .members
            .insert(login.to_owned(), true);
    }

    /// Asks a user into a team, without their answer: the membership is pending.
    pub fn invite(&mut self, organization: &str, slug: &str, login: &str) {
        self.add_team_member(organization, slug, login);
        if let Some(team) = self
            .organizations
            .get_mut(organization)
            .and_then(|all| all.teams.get_mut(slug))
        {
            team.members.insert(login.to_owned(), false);
        }
    }

    /// Takes a user out of a team.
    pub fn remove_team_member(&mut self, organization: &str, slug: &str, login: &str) {
        if let Some(team) = self
            .organizations
            .get_mut(organization)
            .and_then(|all| all.teams.get_mut(slug))
        {
            team.members.remove(login);
        }
    }

    /// An empty repository, `owner/name`. An owner that nobody knows becomes an organization.
    pub fn create_repository(&mut self, full_name: &str, private: bool) -> At<'_> {
        let (owner, name) = full_name.split_once('/').unwrap_or(("", full_name));
        if !self.people.contains_key(owner) {
            self.create_organization(owner, &[]);
        }
        let (id, now) = (self.id(), self.now);
        let repo = Repository {
            id,
            owner: owner.to_owned(),
            name: name.to_owned(),
            private,
            default_branch: "main".to_owned(),
            created: now,
            pushed: now,
            git: Git::default(),
            grants: BTreeMap::new(),
            teams: BTreeMap::new(),
            issues: BTreeMap::new(),
            comments: BTreeMap::new(),
            labels: BTreeMap::new(),
            runs: BTreeMap::new(),
            suites: BTreeMap::new(),
            statuses: vec![],
            deployments: BTreeMap::new(),
        };
        self.repositories.insert(full_name.to_owned(), repo);
        self.at(full_name)
    }

    /// A repository that exists, to do something in it.
    pub fn at(&mut self, full_name: &str) -> At<'_> {
        assert!(
            self.repositories.contains_key(full_name),
            "there is no repository `{full_name}`"
        );
        At {
            hub: self,
            key: full_name.to_owned(),
        }
    }
}

/// One repository, and the people at work in it.
pub struct At<'a> {
    hub: &'a mut GitHub,
    key: String,
}

impl At<'_> {
    fn ask(
        &mut self,
        by: &str,
        method: &str,
        (tail, body): (&str, &Value),
    ) -> Result<Value, Refused> {
        let request = Request {
            method: method.to_owned(),
            path: format!("/repos/{}{tail}", self.key),
            query: vec![],
            headers: vec![(
                "authorization".to_owned(),
                format!("Bearer {}", token_of(by)),
            )],
            body: body.to_string().into_bytes(),
            now: 0,
        };
        read(&self.hub.answer(&request))
    }

    fn repo(&self) -> &Repository {
        self.hub.repo(&self.key)
    }

    /// Gives a user that permission here.
    pub fn grant(&mut self, login: &str, permission: Permission) {
        self.hub.add_user(login);
        self.hub
            .repo_mut(&self.key)
            .grants
            .insert(login.to_owned(), permission);
    }

    /// Gives a team that permission here.
    pub fn grant_team(&mut self, slug: &str, permission: Permission) {
        self.hub
            .repo_mut(&self.key)
            .teams
            .insert(slug.to_owned(), permission);
    }

    /// Commits files (path, text; no text takes the file away) to a branch and pushes it. A branch that does not exist
    /// starts at the default branch.
    pub fn commit_files(
        &mut self,
        author: &str,
        branch: &str,
        message: &str,
        files: &[(&str, Option<&str>)],
    ) -> Result<Oid, Refused> {
        self.may_push(author)?;
        self.hub.now += 1;
        let own = self.hub.signature(author);
        let repo = self.hub.repo_mut(&self.key);
        let before = repo.git.branch(branch);
        let from = before.or_else(|| repo.git.branch(&repo.default_branch));
        let mut all = from.map(|from| repo.git.files(from)).unwrap_or_default();
        for (path, text) in files {
            match text {
                Some(text) => {
                    let mode = all.get(*path).map_or(Mode::File, |known| known.mode);
                    let oid = repo.git.keep_blob(text.as_bytes());
                    all.insert((*path).to_owned(), Entry { mode, oid });
                }
                None => {
                    all.remove(*path);
                }
            }
        }
        let tree = repo.git.plant(&all);
        let commit = Commit {
            tree,
            parents: from.into_iter().collect(),
            author: own.clone(),
            committer: own,
            message: message.to_owned(),
        };
        let oid = repo.git.keep_commit(commit);
        self.push(author, branch, oid)?;
        Ok(oid)
    }

    /// Puts a branch at a commit, by force where it must.
    pub fn push(&mut self, by: &str, branch: &str, oid: Oid) -> Result<(), Refused> {
        self.may_push(by)?;
        let git = &self.repo().git;
        let before = git.branch(branch);
        let forced = before.is_some_and(|before| !git.reaches(oid, before));
        let step = Move {
            branch: branch.to_owned(),
            before,
            after: Some(oid),
            by: by.to_owned(),
            forced,
        };
        self.hub.place(&self.key, &step);
        self.hub.moved(&self.key, &step);
        Ok(())
    }

    fn may_push(&self, by: &str) -> Result<(), Refused> {
        if self.hub.granted(self.repo(), by) >= Some(Permission::Write) {
            return Ok(());
        }
        Err(Refused {
            status: 403,
            message: format!("Permission to {} denied to {by}.", self.key),
        })
    }

    /// Opens a pull request; its number.
    pub fn open_pull(&mut self, author: &str, proposal: Proposal<'_>) -> Result<u64, Refused> {
        let Proposal {
            head,
            base,
            title,
            body,
        } = proposal;
        let body = json!({"head": head, "base": base, "title": title, "body": body});
        let told = self.ask(author, "POST", ("/pulls", &body))?;
        Ok(told["number"].as_u64().unwrap_or_default())
    }

    /// Opens an issue that is no pull request; its number.
    pub fn open_issue(&mut self, author: &str, title: &str, body: &str) -> u64 {
        self.hub.now += 1;
        self.hub.add_issue(
            &self.key,
            author,
            [Some(title.to_owned()), Some(body.to_owned())],
            None,
        )
    }

    /// Writes a comment; its id.
    pub fn comment(&mut self, author: &str, number: u64, body: &str) -> Result<u64, Refused> {
        let told = self.ask(
            author,
            "POST",
            (
                &format!("/issues/{number}/comments"),
                &json!({"body": body}),
            ),
        )?;
        Ok(told["id"].as_u64().unwrap_or_default())
    }

    /// Changes a comment.
    pub fn edit_comment(&mut self, by: &str, id: u64, body: &str) -> Result<(), Refused> {
        self.ask(
            by,
            "PATCH",
            (&format!("/issues/comments/{id}"), &json!({"body": body})),
        )
        .map(drop)
    }

    /// Takes a comment away.
    pub fn delete_comment(&mut self, by: &str, id: u64) -> Result<(), Refused> {
        self.ask(
            by,
            "DELETE",
            (&format!("/issues/comments/{id}"), &json!({})),
        )
        .map(drop)
    }

    /// Reacts to a comment.
    pub fn react(&mut self, by: &str, comment: u64, content: &str) -> Result<(), Refused> {
        let told = json!({"content": content});
        self.ask(
            by,
            "POST",
            (&format!("/issues/comments/{comment}/reactions"), &told),
        )
        .map(drop)
    }

    /// Lands a pull request; the commit that is now the base's tip.
    pub fn merge(&mut self, by: &str, number: u64, how: How) -> Result<Oid, Refused> {
        let told = self.ask(
            by,
            "PUT",
            (
                &format!("/pulls/{number}/merge"),
                &json!({"merge_method": how.word()}),
            ),
        )?;
        let oid = told["sha"].as_str().and_then(|sha| sha.parse().ok());
        Ok(oid.unwrap_or(Oid::ZERO))
    }

    /// Closes a pull request without landing it.
    pub fn close(&mut self, by: &str, number: u64) -> Result<(), Refused> {
        self.edit_pull(by, number, &json!({"state": "closed"}))
    }

    /// Opens it again.
    pub fn reopen(&mut self, by: &str, number: u64) -> Result<(), Refused> {
        self.edit_pull(by, number, &json!({"state": "open"}))
    }

    /// Changes `title`, `body`, `base` or `state`, as in `PATCH /repos/{owner}/{repo}/pulls/{pull_number}`.
    pub fn edit_pull(&mut self, by: &str, number: u64, fields: &Value) -> Result<(), Refused> {
        self.ask(by, "PATCH", (&format!("/pulls/{number}"), fields))
            .map(drop)
    }

    /// Locks the conversation: only those who may push can still comment.
    pub fn lock(&mut self, number: u64) {
        self.hub.issue_mut(&self.key, number).locked = true;
    }

    /// Asks for a check run again.
    pub fn rerequest(&mut self, by: &str, run: u64) -> Result<(), Refused> {
        self.ask(
            by,
            "POST",
            (&format!("/check-runs/{run}/rerequest"), &json!({})),
        )
        .map(drop)
    }

    /// Presses a check run's button.
    pub fn press(&mut self, by: &str, run: u64, identifier: &str) {
        let told = json!({"requested_action": {"identifier": identifier}});
        self.hub
            .tell_run(&self.key, run, by, ("requested_action", told));
    }

    /// The comments of an issue or pull request, oldest first.
    pub fn comments(&self, number: u64) -> Vec<CommentSeen> {
        let all = self
            .repo()
            .comments
            .values()
            .filter(|comment| comment.issue == number);
        all.map(|comment| CommentSeen {
            id: comment.id,
            author: comment.author.clone(),
            body: comment.body.clone(),
            edited: comment.updated != comment.created,
        })
        .collect()
    }

    /// Who reacted to a comment, and with what.
    pub fn reactions(&self, comment: u64) -> Vec<(String, String)> {
        let comment = self.repo().comments.get(&comment);
        let all = comment
            .into_iter()
            .flat_map(|comment| comment.reactions.values());
        all.map(|reaction| (reaction.by.clone(), reaction.kind.clone()))
            .collect()
    }

    /// The check runs of a commit, oldest first.
    pub fn check_runs(&self, oid: Oid) -> Vec<CheckSeen> {
        let all = self.repo().runs.values().filter(|run| run.oid == oid);
        all.map(|run| CheckSeen {
            id: run.id,
            name: run.name.clone(),
            status: run.status.clone(),
            conclusion: run.conclusion.clone(),
            title: run.title.clone().unwrap_or_default(),
            summary: run.summary.clone().unwrap_or_default(),
            annotations: run.annotations.iter().map(annotation).collect(),
        })
        .collect()
    }

    /// A branch's tip.
    pub fn head(&self, branch: &str) -> Option<Oid> {
        self.repo().git.branch(branch)
    }

    /// What a branch holds, text by path.
    pub fn files_at(&self, branch: &str) -> BTreeMap<String, String> {
        let git = &self.repo().git;
        let files = git
            .resolve(branch)
            .map(|oid| git.files(oid))
            .unwrap_or_default();
        let text = |oid| String::from_utf8_lossy(git.blob(oid).unwrap_or_default()).into_owned();
        files
            .into_iter()
            .map(|(path, entry)| (path, text(entry.oid)))
            .collect()
    }

    /// A branch's history, newest first.
    pub fn log(&self, branch: &str) -> Vec<CommitSeen> {
        let git = &self.repo().git;
        let all = git
            .resolve(branch)
            .map(|oid| git.history(oid))
            .unwrap_or_default();
        let seen = |oid| {
            let commit = git.commit(oid)?;
            Some(CommitSeen {
                oid,
                author: super::commit::signer_name(&commit.author),
                message: commit.message.clone(),
            })
        };
        all.into_iter().filter_map(seen).collect()
    }

    /// `open`, `closed` or `merged`.
    pub fn pull_state(&self, number: u64) -> Option<&'static str> {
        let issue = self.repo().issues.get(&number)?;
        Some(if issue.is_merged() {
            "merged"
        } else {
            issue.word()
        })
    }
}

fn annotation(told: &Value) -> String {
    let text = |field: &str| told[field].as_str().unwrap_or_default();
    format!(
        "{}:{} {} {}",
        text("path"),
        told["start_line"],
        text("annotation_level"),
        text("message")
    )
}

fn token_of(login: &str) -> String {
    format!("ghp_{login}")
}

fn read(response: &Response) -> Result<Value, Refused> {
    let told: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    if response.status < 400 {
        return Ok(told);
    }
    let errors = told["errors"].as_array().into_iter().flatten();
    let errors: Vec<&str> = errors
        .filter_map(|error| error["message"].as_str())
        .collect();
    let message = told["message"].as_str().unwrap_or_default();
    Err(Refused {
        status: response.status,
        message: [&[message][..], &errors].concat().join(": "),
    })
}
