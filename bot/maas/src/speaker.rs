//! Who answered: MAAS, or somebody on the way to it.
//!
//! A proxy, a load balancer or a login page answers with a status of its own, which says nothing about MAAS. Headers tell
//! them apart as far as they can (seen on 3.5.12 and 3.7.3). Must not know what was asked.

use crate::lines::in_a_line;
use std::fmt;

/// Headers are shown up to this many characters: any server on the way can write them.
const SHOWN_CHARS_MAX: usize = 60;

/// The headers of a response that tell who wrote it. Empty when absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnswerHeaders {
    /// `Server`.
    pub server: String,
    /// `Via`: proxies that the response went through.
    pub via: String,
    /// `WWW-Authenticate`, or `Proxy-Authenticate`.
    pub authenticate: String,
    /// `Location`.
    pub location: String,
    /// Whether `X-MAAS-API-Hash` is there. Only MAAS sends it, with most answers, but not with every error.
    pub is_signed_by_maas: bool,
}

impl AnswerHeaders {
    /// Whether a 401 is somebody else's: MAAS asks for OAuth, and a proxy for its own kind of login.
    pub(crate) fn asks_for_another_login(&self) -> bool {
        let scheme = self.authenticate.trim().to_ascii_lowercase();
        !self.is_signed_by_maas && !scheme.is_empty() && !scheme.contains("oauth")
    }

    /// The word before the first blank: `Basic`.
    pub(crate) fn login_scheme(&self) -> String {
        let scheme = self.authenticate.trim().split([' ', ',']).next();
        shown(scheme.unwrap_or_default())
    }

    /// Where a redirect leads, without its query: that may hold a session.
    pub(crate) fn redirects_to(&self) -> Option<String> {
        let target = self.location.split(['?', '#']).next().unwrap_or_default();
        let target = target.rsplit('@').next().unwrap_or_default();
        let target = shown(target);
        (!target.is_empty()).then_some(target)
    }

    /// Whoever answered in MAAS's place.
    pub(crate) fn other_server(&self) -> OtherServer<'_> {
        OtherServer(self)
    }
}

/// `a server on the way to MAAS (squid/5.7, via 1.1 proxy)`.
pub(crate) struct OtherServer<'a>(&'a AnswerHeaders);

impl fmt::Display for OtherServer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a server on the way to MAAS")?;
        let (server, via) = (shown(&self.0.server), shown(&self.0.via));
        match (server.is_empty(), via.is_empty()) {
            (true, true) => Ok(()),
            (false, true) => write!(f, " ({server})"),
            (true, false) => write!(f, " (via {via})"),
            (false, false) => write!(f, " ({server}, via {via})"),
        }
    }
}

fn shown(text: &str) -> String {
    let line = in_a_line(text).replace('`', "");
    line.chars().take(SHOWN_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_answered_is_told_from_headers_that_anybody_may_have_written() {
        let hostile = AnswerHeaders {
            server: format!("a`\u{202e}b {}", "x".repeat(500)),
            location: "https://user:pw@other.test/login?session=1#x".to_owned(),
            ..AnswerHeaders::default()
        };
        let text = hostile.other_server().to_string();
        assert!(
            text.starts_with("a server on the way to MAAS (a b xxx"),
            "{text}"
        );
        assert!(text.len() < 120 && !text.contains('`'));
        assert_eq!(hostile.redirects_to().unwrap(), "other.test/login");
        assert_eq!(AnswerHeaders::default().redirects_to(), None);
    }

    #[test]
    fn maas_asks_for_oauth_and_a_proxy_for_its_own_login() {
        let asks = |authenticate: &str, is_signed_by_maas| {
            let headers = AnswerHeaders {
                authenticate: authenticate.to_owned(),
                is_signed_by_maas,
                ..AnswerHeaders::default()
            };
            headers.asks_for_another_login()
        };
        assert!(!asks("OAuth realm=\"OAuth\"", false));
        assert!(!asks("", true));
        assert!(!asks("", false));
        assert!(asks("Basic realm=\"gate\"", false));
        assert!(asks("Negotiate", false));
    }
}
