//! Why there was no response, in words that name who failed: MAAS, a proxy before it, TLS, or a certificate.
//!
//! What fails before a connection stands has sent nothing. Must not know what was asked.

use std::error::Error as StdError;

use hyper_util::client::proxy::matcher::Matcher;
use reqwest::Url;
use rustls::{AlertDescription, CertificateError, Error as TlsError};

use crate::lines::in_a_line;
use crate::transport::LostAnswer;
use crate::trust::CertificateProblem;

/// How one MAAS is reached, for messages.
#[derive(Clone, Debug)]
pub(crate) struct RequestRoute {
    is_tls: bool,
    /// `maas.example:5443`.
    server: String,
    /// The proxy that the environment names, without a password.
    proxy: Option<String>,
}

impl RequestRoute {
    pub(crate) fn to(url: &Url) -> Self {
        let host = url.host_str().unwrap_or_default();
        let port = url.port_or_known_default().unwrap_or_default();
        Self {
            is_tls: url.scheme() == "https",
            server: format!("{host}:{port}"),
            proxy: proxy(url),
        }
    }

    /// In place of the client's error, whose outer parts only say that sending failed.
    pub(crate) fn explain(&self, error: reqwest::Error) -> LostAnswer {
        let refused = error.is_connect();
        let error = error.without_url();
        let causes = chain(&error);
        let last = causes.last().map(ToString::to_string);
        let message = in_a_line(&last.unwrap_or_else(|| error.to_string()));
        if !refused {
            return LostAnswer::Broken(self.broken(&causes, message));
        }
        if let Some(tls) = find::<TlsError>(&causes)
            && let Some(why) = self.tls(tls)
        {
            return LostAnswer::Misconfigured(why);
        }
        let Some(proxy) = &self.proxy else {
            let hint = if self.is_tls && message.contains("eof") {
                "; does that port speak TLS? If not, begin `maas_url` with `http://`"
            } else {
                ""
            };
            return LostAnswer::Unreachable(format!("{message}{hint}"));
        };
        let direct = "if MAAS is reached without it, list MAAS's host in `NO_PROXY`";
        // The type of this error is private.
        let said = |words: &str| causes.iter().any(|cause| cause.to_string().contains(words));
        if said("proxy authorization required") {
            return LostAnswer::Misconfigured(format!(
                "the proxy `{proxy}` wants a login (407): write user and password in the proxy's URL, or {direct}"
            ));
        }
        if said("tunnel error: unsuccessful") {
            return LostAnswer::Unreachable(format!(
                "the proxy `{proxy}` does not connect to `{}`; {direct}",
                self.server
            ));
        }
        LostAnswer::Unreachable(format!("through the proxy `{proxy}`: {message}; {direct}"))
    }

    /// The connection stood, so the request may have arrived.
    fn broken(&self, causes: &[&(dyn StdError + 'static)], message: String) -> String {
        let http = find::<hyper::Error>(causes);
        let is_answered_otherwise = http.is_some_and(hyper::Error::is_parse);
        let is_hung_up = http.is_some_and(hyper::Error::is_incomplete_message);
        if !self.is_tls && is_answered_otherwise {
            return format!(
                "{message}: `{}` did not answer in HTTP; if it speaks TLS, begin `maas_url` with `https://`",
                self.server
            );
        }
        if !self.is_tls && is_hung_up {
            return format!(
                "{message}; if `{}` always does this, it may speak TLS: begin `maas_url` with `https://`",
                self.server
            );
        }
        message
    }

    /// What to set; `None` where trying again may help.
    #[expect(clippy::wildcard_enum_match_arm, reason = "another crate's open list")]
    fn tls(&self, error: &TlsError) -> Option<String> {
        let server = &self.server;
        match error {
            TlsError::InvalidCertificate(CertificateError::Other(other)) => {
                let problem = other.0.downcast_ref::<CertificateProblem>();
                Some(problem.map_or_else(
                    || "the certificate cannot be verified".to_owned(),
                    ToString::to_string,
                ))
            }
            TlsError::InvalidMessage(_) => Some(format!(
                "`{server}` does not speak TLS: begin `maas_url` with `http://`, or give the port on which MAAS speaks TLS"
            )),
            TlsError::AlertReceived(
                AlertDescription::CertificateRequired | AlertDescription::BadCertificate,
            ) => Some(format!(
                "`{server}` wants a client's certificate, and planebot has none: use MAAS's own URL"
            )),
            TlsError::AlertReceived(alert) => {
                Some(format!("`{server}` refused the TLS connection ({alert:?})"))
            }
            TlsError::PeerIncompatible(why) => Some(format!(
                "`{server}` speaks no TLS that planebot does ({why:?}): it needs TLS 1.2 or 1.3"
            )),
            _ => None,
        }
    }
}

/// The error and all its causes. An I/O error hides the one that it wraps from `source`.
fn chain<'a>(error: &'a (dyn StdError + 'static)) -> Vec<&'a (dyn StdError + 'static)> {
    let mut causes = Vec::new();
    let mut next = Some(error);
    while let Some(cause) = next {
        causes.push(cause);
        let wrapped = cause.downcast_ref::<std::io::Error>();
        let wrapped = wrapped.and_then(std::io::Error::get_ref);
        next = match wrapped {
            Some(inner) => Some(inner as &(dyn StdError + 'static)),
            None => cause.source(),
        };
    }
    causes
}

fn find<'a, E: StdError + 'static>(causes: &[&'a (dyn StdError + 'static)]) -> Option<&'a E> {
    causes.iter().find_map(|cause| cause.downcast_ref::<E>())
}

/// The proxy by the same rules as the client's, without user and password.
fn proxy(url: &Url) -> Option<String> {
    let proxy = Matcher::from_system().intercept(&url.as_str().parse().ok()?)?;
    let uri = proxy.uri();
    Some(format!(
        "{}://{}",
        uri.scheme_str().unwrap_or("http"),
        uri.authority()?.as_str().rsplit('@').next()?
    ))
}
