//! The HTTP client under all requests: where it follows redirects to, and when it reads the machine's certificates. It must
//! not know who signs what.

use reqwest::redirect::{Attempt, Policy};

/// GitHub redirects once, to a renamed repository.
const REDIRECTS_MAX: usize = 5;

/// A client for one server. A redirect is followed on that server only, so that the token stays there; one to elsewhere is
/// an answer like any other. Reading the machine's certificates takes longer than most requests, and without TLS no
/// certificate is shown.
pub(crate) fn client_to(url: &str) -> reqwest::ClientBuilder {
    let client = reqwest::Client::builder().redirect(Policy::custom(|attempt: Attempt<'_>| {
        let is_here =
            attempt.previous().last().map(reqwest::Url::origin) == Some(attempt.url().origin());
        if is_here && attempt.previous().len() <= REDIRECTS_MAX {
            attempt.follow()
        } else {
            attempt.stop()
        }
    }));
    if url.starts_with("http://") {
        client.tls_certs_only([])
    } else {
        client
    }
}
