//! The settings that all our HTTP clients share: no redirect is followed, and the system's certificates are loaded only
//! for `https`. It must not know which server a client talks to.

/// A client builder for one URL. Loading the system's certificates takes longer than most requests, and plain HTTP needs
/// none.
pub fn client_to(url: &str) -> reqwest::ClientBuilder {
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    if url.starts_with("http://") {
        client.tls_certs_only([])
    } else {
        client
    }
}
