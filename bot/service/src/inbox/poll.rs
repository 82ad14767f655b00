//! Polls GitHub for changes whose webhook did not arrive.
//!
//! A webhook may be lost or late. Each change that a poll finds becomes a delivery of our own, in the webhook's form and in
//! the same table, so it is processed in the same way; if the webhook arrives after all, the change is still acted on once.
//! While nothing changes, a poll costs one request for each repository. It must not act on a change.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use github::webhook::event::Account;
use github::{CommentSeen, PullSeen, Repository};
use journal::{Delivery, HandledComment, Settled, Stored};

use super::Inbox;
use crate::command;
use crate::pulls::record::{PullRecord, PullStatus};

/// The cursor after the first poll of a repository without pull requests.
const EPOCH: &str = "1970-01-01T00:00:00Z";

/// The lists that the last polls read, by repository, and how many polls have acted on each.
///
/// GitHub's times are whole seconds, so another comment may be written in the same second after the list was read. A list
/// therefore counts as known once two polls, which are many seconds apart, have acted on it.
#[derive(Default)]
pub(super) struct Polled(Mutex<BTreeMap<String, (Vec<PullSeen>, u8)>>);

impl Polled {
    fn is_known(&self, repository: &str, pulls: &[PullSeen]) -> bool {
        let lists = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lists
            .get(repository)
            .is_some_and(|(list, polls)| *polls >= 2 && list == pulls)
    }

    fn record(&self, repository: &str, pulls: &[PullSeen]) {
        let mut lists = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = lists.entry(repository.to_owned()).or_default();
        if known.0 != pulls {
            *known = (pulls.to_vec(), 0);
        }
        known.1 = known.1.saturating_add(1);
    }
}

impl Inbox {
    /// Asks GitHub what changed since the last poll; returns how many deliveries it stored. It asks nothing while deliveries
    /// are waiting: they may report the same changes.
    pub async fn poll(&self) -> anyhow::Result<usize> {
        if self.journal.next_delivery((self.clock)()).await?.is_some() {
            return Ok(0);
        }
        let mut stored = 0;
        for name in self.sites.repositories() {
            stored += self.poll_repository(name).await?;
        }
        Ok(stored)
    }

    async fn poll_repository(&self, name: &str) -> anyhow::Result<usize> {
        let port = self.github.read_last(name).await?;
        let cursor = format!("missed/{}", port.id());
        let since = self.journal.cursor(&cursor).await?;
        let pulls = port.client().recent_pulls(since.as_deref()).await;
        // What was remembered of the repository may be why: the next poll reads it anew.
        let pulls = pulls.inspect_err(|_| self.github.forget(name))?;
        if self.polled.is_known(name, &pulls) {
            return Ok(0);
        }
        // Something changed, perhaps the repository itself.
        let read = self.github.read(name).await?;
        if read.id() != port.id() {
            return Ok(0);
        }
        let repository = read.client();
        let mut stored = 0;
        for pull in &pulls {
            if self.is_changed(name, pull).await? {
                stored += self.store_own(&delivery_of_pull(repository, pull)).await?;
            }
            if let Some(since) = &since {
                for own in commands_of(repository, pull, since).await? {
                    stored += self.store_own(&own).await?;
                }
            }
        }
        if since.is_none() {
            self.ignore_earlier_commands(repository, &pulls).await?;
        }
        // The list is sorted newest first. Changes of that second are read once more and recognized by their delivery id.
        let newest = pulls.first().map(|pull| pull.updated_at.clone());
        let next = newest.or(since).unwrap_or_else(|| EPOCH.to_owned());
        self.journal.set_cursor(&cursor, &next).await?;
        self.polled.record(name, &pulls);
        Ok(stored)
    }

    /// Whether our record of a pull request differs from GitHub's.
    async fn is_changed(&self, repository: &str, pull: &PullSeen) -> anyhow::Result<bool> {
        let number = i64::try_from(pull.number.0)?;
        let Some(row) = self.journal.pull(repository, number).await? else {
            return Ok(pull.open);
        };
        let record = PullRecord::of(&row)?;
        Ok(match record.stage {
            PullStatus::Planned if pull.open => {
                record.commit != pull.head.as_str() || record.base != pull.base
            }
            PullStatus::Planned => true,
            PullStatus::Closed => pull.open,
            PullStatus::Merged
            | PullStatus::Running
            | PullStatus::Applied
            | PullStatus::Superseded => false,
        })
    }

    /// Commands from before the first poll are ignored. The next poll starts at the second of the newest change, so the
    /// commands of that second are settled now.
    async fn ignore_earlier_commands(
        &self,
        repository: &Repository,
        pulls: &[PullSeen],
    ) -> anyhow::Result<()> {
        let Some(newest) = pulls.first().map(|pull| pull.updated_at.as_str()) else {
            return Ok(());
        };
        for pull in pulls.iter().filter(|pull| pull.updated_at == newest) {
            for own in commands_of(repository, pull, newest).await? {
                self.store_own(&own).await?;
                let (id, now) = (delivery_of(&own).id, (self.clock)());
                // The claim keeps the command ignored after the delivery's row is removed.
                if let Some(claim) = claim_of(&repository.about.full_name, &own, &id) {
                    self.journal.claim_comment(&claim, now).await?;
                }
                let why = Settled::Ignored("written before the first poll".to_owned());
                self.journal.settle(&id, &why, now).await?;
            }
        }
        Ok(())
    }

    async fn store_own(&self, own: &OwnDelivery) -> anyhow::Result<usize> {
        let result = self
            .journal
            .store_delivery(&delivery_of(own), (self.clock)())
            .await?;
        Ok(usize::from(result == Stored::New))
    }
}

/// An event's name and body, in the form of a webhook.
type OwnDelivery = (&'static str, Value);

/// A delivery of our own. Its id is a hash of its body, so the same change twice is one delivery.
fn delivery_of((event, body): &OwnDelivery) -> Delivery {
    let body = body.to_string();
    let hash = hex::encode(Sha256::digest(body.as_bytes()));
    Delivery {
        id: format!("missed-{}", &hash[..32]),
        event: (*event).to_owned(),
        body,
    }
}

/// The claim of a comment by a delivery.
fn claim_of(repository: &str, (_, body): &OwnDelivery, delivery: &str) -> Option<HandledComment> {
    let comment = &body["comment"];
    Some(HandledComment {
        repository: repository.to_owned(),
        comment: comment["id"].as_i64()?,
        body_hash: hex::encode(Sha256::digest(comment["body"].as_str()?.as_bytes())),
        delivery: delivery.to_owned(),
    })
}

/// The unedited comments since `since` that are commands or misspelt commands.
async fn commands_of(
    repository: &Repository,
    pull: &PullSeen,
    since: &str,
) -> anyhow::Result<Vec<OwnDelivery>> {
    let comments = repository.comments(pull.number, Some(since)).await?;
    Ok(comments
        .iter()
        .filter(|comment| !comment.edited() && command::parse(&comment.body).is_some())
        .map(|comment| delivery_of_comment(repository, pull, comment))
        .collect())
}

fn delivery_of_pull(repository: &Repository, pull: &PullSeen) -> OwnDelivery {
    let action = if pull.open { "synchronize" } else { "closed" };
    let body = json!({
        "action": action,
        "number": pull.number,
        "pull_request": {
            "number": pull.number,
            "state": if pull.open { "open" } else { "closed" },
            "user": account_json(pull.author.as_ref()),
            "head": branch_json("", pull.head.as_str(), pull.head_repository),
            "base": branch_json(&pull.base, pull.base_sha.as_str(), Some(repository.about.id)),
            "merged": pull.merged.is_some(),
            "merge_commit_sha": pull.merged,
            "updated_at": pull.updated_at,
        },
        "repository": repository_json(repository),
        "sender": account_json(pull.author.as_ref()),
    });
    ("pull_request", body)
}

fn delivery_of_comment(
    repository: &Repository,
    pull: &PullSeen,
    comment: &CommentSeen,
) -> OwnDelivery {
    let body = json!({
        "action": "created",
        "issue": {
            "number": pull.number,
            "user": account_json(pull.author.as_ref()),
            "pull_request": {},
        },
        "comment": {
            "id": comment.id,
            "body": comment.body,
            "user": account_json(comment.author.as_ref()),
            "created_at": comment.created_at,
            "updated_at": comment.updated_at,
            "performed_via_github_app": comment.app.map(|id| json!({ "id": id })),
        },
        "repository": repository_json(repository),
        // GitHub names the author, and only an app can write on their behalf, which GitHub reports too.
        "sender": account_json(comment.author.as_ref()),
    });
    ("issue_comment", body)
}

fn repository_json(repository: &Repository) -> Value {
    json!({ "id": repository.about.id, "full_name": repository.about.full_name })
}

fn branch_json(reference: &str, sha: &str, repository: Option<u64>) -> Value {
    json!({ "ref": reference, "sha": sha, "repo": repository.map(|id| json!({ "id": id })) })
}

fn account_json(account: Option<&Account>) -> Option<Value> {
    account.map(|account| json!({ "id": account.id, "login": account.login, "type": account.kind }))
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use github::GitHub;
    use github::webhook::event::{Event, EventDetails};
    use journal::Journal;
    use lab::github::{
        GitHubServer, GitHubServerOptions, MergeMethod, NewPullRequest, RepositoryPermission, serve,
    };
    use topology::observed::Timestamp;

    use super::*;
    use crate::config::Config;
    use crate::github_port::GitHubPort;
    use crate::outbox::OutboxQueue;
    use crate::sites::Sites;

    const NAME: &str = "acme/network";

    struct Fixture {
        lab: GitHubServer,
        inbox: Inbox,
        journal: Journal,
        _folder: tempfile::TempDir,
    }

    /// A GitHub that sends no webhooks, and an inbox that polls it.
    async fn fixture() -> Fixture {
        let mut hub = lab::github::LabGitHub::new("planebot");
        hub.create_repository(NAME, false);
        hub.add_team_member("acme", "net-ops", "alice");
        let mut at = hub.at(NAME);
        at.grant_team("net-ops", RepositoryPermission::Write);
        at.commit_files(
            "alice",
            "main",
            "Begin",
            &[("topology/a.yaml", Some("1\n"))],
        )
        .unwrap();
        let token = hub.bot_token();
        let lab = serve(hub, GitHubServerOptions::default()).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let text = format!(
            "[github]\napi_url = '{}'\n[[site]]\nname = 'a'\nrepository = '{NAME}'\npath = 'topology'\nmaas_url = 'http://127.0.0.1:1/MAAS'\n",
            lab.url
        );
        let variables = [
            ("PLANEBOT_GITHUB_TOKEN".to_owned(), token),
            (
                "PLANEBOT_SITE_A_MAAS_API_KEY".to_owned(),
                "a:b:c".to_owned(),
            ),
        ]
        .into();
        let config = Config::parse(&text, Path::new("."), &variables).unwrap();
        let clock: topology::port::Clock = Arc::new(|| Timestamp(1_000));
        let url = format!("sqlite://{}", folder.path().join("p.db").display());
        let journal = Journal::open(&url).await.unwrap();
        let settings = config.github.as_ref().unwrap();
        let client = GitHub::connect(settings, Arc::clone(&clock)).unwrap();
        let inbox = Inbox::new(
            journal.clone(),
            GitHubPort::new(client, &lab.url),
            Arc::new(Sites::open(&config, &clock).unwrap()),
            OutboxQueue::new(journal.clone(), Arc::clone(&clock)),
            clock,
        );
        Fixture {
            lab,
            inbox,
            journal,
            _folder: folder,
        }
    }

    impl Fixture {
        fn open_pull(&self) -> u64 {
            let mut hub = self.lab.github();
            let mut at = hub.at(NAME);
            at.commit_files("alice", "wip", "Two", &[("topology/a.yaml", Some("2\n"))])
                .unwrap();
            let proposal = NewPullRequest {
                head: "wip",
                base: "main",
                title: "Two",
                body: "",
            };
            at.open_pull("alice", proposal).unwrap()
        }

        fn comment(&self, number: u64, body: &str) -> u64 {
            let mut hub = self.lab.github();
            hub.at(NAME).comment("alice", number, body).unwrap()
        }

        /// Takes and settles the waiting deliveries; returns their events.
        async fn deliveries(&self) -> Vec<EventDetails> {
            let journal = &self.journal;
            let mut seen = Vec::new();
            while let Some(stored) = journal.next_delivery(Timestamp(1_000)).await.unwrap() {
                let delivery = stored.delivery;
                let Ok(Some(Event::Repository(event))) =
                    github::webhook::event::read(&delivery.event, &delivery.body)
                else {
                    panic!("{delivery:?}")
                };
                seen.push(event.details);
                let done = journal::Settled::Done;
                journal
                    .settle(&delivery.id, &done, Timestamp(1))
                    .await
                    .unwrap();
            }
            seen
        }

        async fn poll(&self) -> usize {
            self.inbox.poll().await.unwrap()
        }
    }

    #[tokio::test]
    async fn an_open_pull_request_without_a_webhook_is_found_once() {
        let fixture = fixture().await;
        assert_eq!(fixture.poll().await, 0);
        fixture.open_pull();
        assert_eq!(fixture.poll().await, 1);
        assert_eq!(fixture.poll().await, 0, "its delivery is waiting");
        let seen = fixture.deliveries().await;
        assert!(matches!(&seen[..], [EventDetails::PullSynchronized(pull)] if pull.open));
        assert_eq!(fixture.poll().await, 0, "it was found before");
    }

    #[tokio::test]
    async fn a_command_whose_webhook_was_lost_is_found() {
        let fixture = fixture().await;
        let number = fixture.open_pull();
        let early = fixture.comment(number, "/plan");
        fixture.poll().await;
        fixture.deliveries().await;
        fixture.lab.github().advance(5);
        fixture.comment(number, "just talking");
        let late = fixture.comment(number, "/apply 7f3a-91c2");
        assert!(fixture.poll().await >= 1);
        let seen = fixture.deliveries().await;
        let mut commands = Vec::new();
        for what in &seen {
            if let EventDetails::Commented(comment) = what {
                commands.push(comment.id);
            }
        }
        assert_eq!(
            commands,
            [late],
            "{early} was written before the first poll"
        );
        assert_eq!(fixture.poll().await, 0);
    }

    #[tokio::test]
    async fn a_closed_pull_request_without_a_record_is_ignored() {
        let fixture = fixture().await;
        let number = fixture.open_pull();
        {
            let mut hub = fixture.lab.github();
            hub.at(NAME)
                .merge("alice", number, MergeMethod::Merge)
                .unwrap();
        }
        assert_eq!(fixture.poll().await, 0);
    }
}
