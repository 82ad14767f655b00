//! How every HTTP client of ours begins: it follows no redirect by itself, and knows the machine's certificates only
//! where the address asks for them. It must not know whom it speaks to.

/// A client for one address. Reading the machine's certificates takes longer than most requests, and without TLS nobody
/// shows one.
pub(crate) fn client_to(url: &str) -> reqwest::ClientBuilder {
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    if url.starts_with("http://") {
        client.tls_certs_only([])
    } else {
        client
    }
}
