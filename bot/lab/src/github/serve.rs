//! The lab's GitHub on a loopback port, and the task that carries its webhooks.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::answer::refusal;
use super::store::{LabGitHub, WebhookDelivery, WebhookOutcome};
use crate::socket::{self, HttpEndpoint, HttpFaultPolicy, LabClock};
use crate::wire::LabRequest;

/// GitHub waits that long for an answer to a webhook (docs.github.com, "Best practices for using webhooks").
const WEBHOOK_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(10);

/// What a served GitHub may be given.
#[derive(Clone, Default)]
pub struct GitHubServerOptions {
    /// What goes wrong, request by request.
    pub faults: Option<HttpFaultPolicy>,
    /// Its time; without one, each write takes a second and nothing else passes.
    pub clock: Option<LabClock>,
    /// The port; any free one by default.
    pub port: u16,
    /// Whether webhooks wait for whoever plays to carry them ([`LabGitHub::take_delivery`]), instead of going by themselves.
    pub manual_delivery: bool,
}

/// A GitHub that is being served. Dropped, it is gone.
pub struct GitHubServer {
    /// Where, without a slash at the end.
    pub url: String,
    github: Arc<Mutex<LabGitHub>>,
    answered: Arc<Notify>,
    tasks: [JoinHandle<()>; 2],
}

impl Drop for GitHubServer {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl GitHubServer {
    /// GitHub itself, for whoever plays the people. Let it go before the next `await`.
    pub fn github(&self) -> MutexGuard<'_, LabGitHub> {
        self.github.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same for another task.
    pub fn shared(&self) -> Arc<Mutex<LabGitHub>> {
        Arc::clone(&self.github)
    }

    /// Waits until every webhook was answered, or was found to have nobody to answer it.
    pub async fn settled(&self) {
        loop {
            let answered = self.answered.notified();
            tokio::pin!(answered);
            answered.as_mut().enable(); // before looking, so that none is missed
            if self.github().is_settled() {
                return;
            }
            answered.await;
        }
    }
}

/// Serves `github` on loopback.
#[expect(
    clippy::disallowed_methods,
    reason = "the lab's servers run beside the test that holds their handle"
)]
pub async fn serve(
    mut github: LabGitHub,
    options: GitHubServerOptions,
) -> std::io::Result<GitHubServer> {
    let (listener, url) = socket::listen(options.port).await?;
    github.base.clone_from(&url);
    let wake = Arc::new(Notify::new());
    github.outbox.wake = Arc::clone(&wake);
    wake.notify_one();
    let github = Arc::new(Mutex::new(github));
    let answered = Arc::new(Notify::new());
    let shared = Arc::clone(&github);
    let rules = move |request: &LabRequest| {
        let mut github = shared.lock().unwrap_or_else(PoisonError::into_inner);
        github.answer(request)
    };
    let door = HttpEndpoint {
        rules: Arc::new(rules),
        faults: options.faults,
        refusal: |status| refusal(status, "Not now"),
        clock: options.clock.unwrap_or_else(|| Arc::new(|| 0)),
    };
    let door = socket::open(listener, door);
    let carried = deliver_webhooks(Arc::clone(&github), wake, Arc::clone(&answered));
    let carrier = tokio::spawn(async move {
        if !options.manual_delivery {
            carried.await;
        }
    });
    Ok(GitHubServer {
        url,
        github,
        answered,
        tasks: [door, carrier],
    })
}

/// Carries webhooks, one after the other, for as long as it lives.
async fn deliver_webhooks(github: Arc<Mutex<LabGitHub>>, wake: Arc<Notify>, answered: Arc<Notify>) {
    let client = reqwest::Client::builder()
        .timeout(WEBHOOK_TIMEOUT)
        .build()
        .unwrap_or_default();
    loop {
        let next = {
            let mut github = github.lock().unwrap_or_else(PoisonError::into_inner);
            github.take_delivery().map(|one| {
                let url = github.outbox.url.clone().unwrap_or_default();
                (url, github.headers(&one), one)
            })
        };
        let Some((url, headers, one)) = next else {
            wake.notified().await;
            continue;
        };
        let id = one.id;
        let outcome = post_webhook(&client, &url, headers, one).await;
        github
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .record_outcome(id, outcome);
        answered.notify_waiters();
    }
}

async fn post_webhook(
    client: &reqwest::Client,
    url: &str,
    headers: Vec<(&'static str, String)>,
    one: WebhookDelivery,
) -> WebhookOutcome {
    let mut request = client.post(url).body(one.body);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    match request.send().await {
        Ok(response) => WebhookOutcome::Answered(response.status().as_u16()),
        Err(_error) => WebhookOutcome::Unreachable,
    }
}
