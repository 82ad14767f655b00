//! Serves the lab's GitHub on a loopback port and delivers its webhooks.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::answer::refusal;
use super::store::{LabGitHub, WebhookDelivery, WebhookOutcome};
use crate::socket::{self, HttpEndpoint, HttpFaultPolicy, LabClock};
use crate::wire::LabRequest;

/// How long GitHub waits for the answer to a webhook (docs.github.com, "Best practices for using webhooks").
const WEBHOOK_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(10);

#[derive(Clone, Default)]
pub struct GitHubServerOptions {
    /// Chooses the fault of each request.
    pub faults: Option<HttpFaultPolicy>,
    /// The clock. Without one, each write advances the time by a second.
    pub clock: Option<LabClock>,
    /// The port; 0 for any free one.
    pub port: u16,
    /// Webhooks wait for [`LabGitHub::take_delivery`] instead of being sent.
    pub manual_delivery: bool,
}

/// A running GitHub server. Dropping it stops the server.
pub struct GitHubServer {
    /// The base URL, without a trailing slash.
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
    /// The GitHub behind the server. Release the guard before the next `await`.
    pub fn github(&self) -> MutexGuard<'_, LabGitHub> {
        self.github.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same, to share with another task.
    pub fn shared(&self) -> Arc<Mutex<LabGitHub>> {
        Arc::clone(&self.github)
    }

    /// Waits until every webhook was answered or found unreachable.
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
    let endpoint = HttpEndpoint {
        rules: Arc::new(rules),
        faults: options.faults,
        refusal: |status| refusal(status, "Not now"),
        clock: options.clock.unwrap_or_else(|| Arc::new(|| 0)),
    };
    let server = socket::open(listener, endpoint);
    let delivering = deliver_webhooks(Arc::clone(&github), wake, Arc::clone(&answered));
    let webhooks = tokio::spawn(async move {
        if !options.manual_delivery {
            delivering.await;
        }
    });
    Ok(GitHubServer {
        url,
        github,
        answered,
        tasks: [server, webhooks],
    })
}

/// Delivers webhooks one after the other, until the task is aborted.
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
