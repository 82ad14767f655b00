//! One request, and one read: sent again while a retry may help, and judged once MAAS has responded.
//!
//! Only reads are retried, and only for causes that pass by themselves. An error names the request and the place in the
//! response, never the body of a 401: MAAS prints the secret that it expected (seen on 3.5.12, 3.7.3).

use std::time::Duration;

use crate::MaasClient;
use crate::lines::in_a_line;
use crate::transport::{LostAnswer, MaasRequest, MaasResponse, Method, Transport};

/// Three retries cover a conflict or a restart of MAAS's workers. A longer outage needs a person.
const RETRIES_MAX: u32 = 3;

/// MAAS asks for 5 s after a conflict (3.5.9 maasserver/utils/views.py:41). A server that asks for more than this needs a
/// person.
const PAUSE_SECONDS_MAX: Duration = Duration::from_secs(10);

/// The first pause where MAAS names none; doubled each time.
const PAUSE_FIRST: Duration = Duration::from_secs(1);

/// MAAS's messages are truncated to this many characters.
pub(crate) const MESSAGE_CHARS_MAX: usize = 300;

/// A read that failed: which request, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{request}`: {cause}")]
pub struct ReadError {
    /// Method, path and query.
    pub request: String,
    /// Already part of the message, so it is not a `#[source]`: a chain would print it twice.
    pub cause: Cause,
}

/// Why a read failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// No response, after all retries.
    #[error("no answer from MAAS: {0}")]
    NoAnswer(LostAnswer),
    /// A redirect. It is not followed, because that would send the key to another server.
    #[error(
        "answered with a redirect ({status}){}; configure the URL that it leads to, ending in `/MAAS`", destination(to.as_deref())
    )]
    Redirected {
        /// 3xx.
        status: u16,
        /// Without query and password.
        to: Option<String>,
    },
    /// An HTML page instead of data.
    #[error(
        "{who} answered with a web page ({status}) instead of data; is the URL MAAS's own, ending in `/MAAS`?"
    )]
    NotMaas {
        /// The status of the page.
        status: u16,
        /// The server that wrote it.
        who: String,
    },
    /// 400 of a server that expects TLS.
    #[error("the port speaks TLS; begin `maas_url` with `https://`")]
    NeedsTls,
    /// 407.
    #[error(
        "{0} wants a login (407), and it is not MAAS; write user and password in the proxy's URL, or list MAAS's host in `NO_PROXY`"
    )]
    ProxyLogin(String),
    /// 401 of somebody else.
    #[error(
        "{who} wants a login of its own (401, {scheme}), and it is not MAAS, so the API key is not at fault; use MAAS's own URL, or let the paths below `/MAAS/api/` through"
    )]
    ForeignLogin {
        /// The server that wrote it.
        who: String,
        /// `Basic`.
        scheme: String,
    },
    /// 401.
    #[error(
        "MAAS does not accept the API key (401); is the key complete and still valid, and is this machine's clock right?"
    )]
    KeyRefused,
    /// 403.
    #[error("the API key's user may not read this (403)")]
    Forbidden,
    /// 404 where something must exist.
    #[error("not found (404): {0}")]
    NotFound(String),
    /// 409, 429, 5xx, after all retries.
    #[error("{who} answered {status}{}: {message}", after_attempts(*attempts))]
    Unavailable {
        /// `MAAS`, or a server on the way to it.
        who: String,
        /// The last status.
        status: u16,
        /// How often the request was sent.
        attempts: u32,
        /// MAAS's message, truncated.
        message: String,
    },
    /// Any other status.
    #[error("unexpected status {status}: {message}")]
    UnexpectedStatus {
        /// The status.
        status: u16,
        /// MAAS's message, truncated.
        message: String,
    },
    /// The response is not what API 2.0 specifies.
    #[error("cannot read the response: {place}: {problem}")]
    InvalidResponse {
        /// Where in the response, for example `[3].cidr`.
        place: String,
        /// What is wrong with it.
        problem: String,
    },
    /// An object refers to another that no list has, and still does when the lists are read again.
    #[error("MAAS's lists contradict each other: {0}; is another client changing this MAAS now?")]
    InconsistentLists(String),
    /// Several nodes or objects have the same name.
    #[error("{0}")]
    Ambiguous(String),
}

/// ` to URL`, or nothing.
fn destination(to: Option<&str>) -> String {
    to.map(|url| format!(" to `{url}`")).unwrap_or_default()
}

/// ` after 4 attempts`, or nothing after the first.
fn after_attempts(attempts: u32) -> String {
    if attempts == 1 {
        return String::new();
    }
    format!(" after {attempts} attempts")
}

impl<W: Transport> MaasClient<W> {
    /// The body of a successful response.
    pub(crate) async fn read(&self, request: &MaasRequest) -> Result<Vec<u8>, ReadError> {
        match self.read_if_there(request).await? {
            Ok(body) => Ok(body),
            Err(message) if message.starts_with("Unknown API endpoint") => {
                let hint = "is the URL MAAS's own, ending in `/MAAS`?";
                let message = format!("{}; {hint}", message.trim_end_matches('.'));
                Err(read_error(request, Cause::NotFound(message)))
            }
            Err(message) => Err(read_error(request, Cause::NotFound(message))),
        }
    }

    /// The body, or MAAS's message when the response is a 404.
    pub(crate) async fn read_if_there(
        &self,
        request: &MaasRequest,
    ) -> Result<Result<Vec<u8>, String>, ReadError> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            let answer = self.send(request.clone()).await;
            let Some(pause) = pause_before_retry(&answer, attempts) else {
                return judge(request, answer, attempts);
            };
            tracing::debug!(
                method = request.method.name(),
                path = %request.path,
                attempt = attempts,
                pause_ms = pause.as_millis(),
                "maas_request retried"
            );
            (self.environment.sleep)(pause).await;
        }
    }

    /// Sends one request, once, while no more than [`crate::IN_FLIGHT_MAX`] are in flight. Every request of this client
    /// passes here.
    pub(crate) async fn send(&self, request: MaasRequest) -> Result<MaasResponse, LostAnswer> {
        let _slot = self
            .in_flight
            .acquire()
            .await
            .expect("the semaphore is never closed while the client lives");
        let (method, path) = (request.method.name(), request.path.clone());
        let sent = (self.environment.now)();
        let answer = self.transport.send(request).await;
        let elapsed_ms = (self.environment.now)().0.saturating_sub(sent.0);
        // Neither query nor form nor body: they may hold secrets.
        tracing::debug!(
            method,
            %path,
            status = answer.as_ref().ok().map(|response| response.status),
            elapsed_ms,
            outcome = outcome(&answer),
            "maas_request"
        );
        answer
    }
}

/// The log's word for what came back. `not_json` is a success whose body does not claim to be JSON: a proxy's page, or a
/// server that is not MAAS.
fn outcome(answer: &Result<MaasResponse, LostAnswer>) -> &'static str {
    match answer {
        Err(_lost) => "lost",
        Ok(response)
            if (200..300).contains(&response.status)
                && !response.body.is_empty()
                && !response.is_json() =>
        {
            "not_json"
        }
        Ok(_) => "answered",
    }
}

/// How long to wait before the next attempt; `None` when this was the last.
fn pause_before_retry(
    answer: &Result<MaasResponse, LostAnswer>,
    attempts: u32,
) -> Option<Duration> {
    let requested = match answer {
        // 502 and 504 are a proxy's, whose region restarts or is slow.
        Ok(answer) if matches!(answer.status, 409 | 429 | 502 | 503 | 504) => answer.retry_after,
        Err(LostAnswer::Unreachable(_) | LostAnswer::Broken(_)) => None,
        // A response that timed out or stalled was waited for long enough, and one that is too large stays too large.
        Ok(_)
        | Err(
            LostAnswer::TimedOut(_)
            | LostAnswer::Stalled(_)
            | LostAnswer::TooLarge(_)
            | LostAnswer::Misconfigured(_),
        ) => {
            return None;
        }
    };
    let doubled = PAUSE_FIRST * 2_u32.pow(attempts - 1);
    (attempts <= RETRIES_MAX).then(|| requested.unwrap_or(doubled).min(PAUSE_SECONDS_MAX))
}

fn judge(
    request: &MaasRequest,
    answer: Result<MaasResponse, LostAnswer>,
    attempts: u32,
) -> Result<Result<Vec<u8>, String>, ReadError> {
    debug_assert_eq!(request.method, Method::Get, "only reads are judged here");
    let answer = answer.map_err(|lost| read_error(request, Cause::NoAnswer(lost)))?;
    let status = answer.status;
    let cause = match status {
        300..=399 => Cause::Redirected {
            status,
            to: answer.headers.redirects_to(),
        },
        400 if wants_tls(&answer) => Cause::NeedsTls,
        401 if answer.headers.asks_for_another_login() => Cause::ForeignLogin {
            who: answer.headers.other_server().to_string(),
            scheme: answer.headers.login_scheme(),
        },
        401 => Cause::KeyRefused,
        407 => Cause::ProxyLogin(answer.headers.other_server().to_string()),
        403 if !is_foreign_page(&answer) => Cause::Forbidden,
        200 | 403 | 404 | 405 | 410 if answer.is_html() => Cause::NotMaas {
            status,
            who: answer.headers.other_server().to_string(),
        },
        200 => return Ok(Ok(answer.body)),
        404 => return Ok(Err(message_of(&answer))),
        409 | 429 | 500..=599 => Cause::Unavailable {
            who: who_is_away(&answer),
            status,
            attempts,
            message: message_of(&answer),
        },
        _ => Cause::UnexpectedStatus {
            status,
            message: message_of(&answer),
        },
    };
    Err(read_error(request, cause))
}

/// A page that MAAS itself does not write with this status (seen on 3.5.12 and 3.7.3).
fn is_foreign_page(answer: &MaasResponse) -> bool {
    answer.is_html() && !answer.headers.is_signed_by_maas
}

/// 502 and 504 are always somebody else's; so is a page with 429 or 503, which MAAS answers in plain text.
pub(crate) fn who_is_away(answer: &MaasResponse) -> String {
    let is_gateway = matches!(answer.status, 502 | 504);
    let is_page = matches!(answer.status, 429 | 503) && is_foreign_page(answer);
    if is_gateway || is_page {
        answer.headers.other_server().to_string()
    } else {
        "MAAS".to_owned()
    }
}

/// What nginx, Apache and Go answer to plain HTTP on a port for TLS.
fn wants_tls(answer: &MaasResponse) -> bool {
    let message = message_of(answer).to_ascii_lowercase();
    [
        "plain http request was sent to https port",
        "speaking plain http to an ssl-enabled server port",
        "sent an http request to an https server",
    ]
    .iter()
    .any(|words| message.contains(words))
}

pub(crate) fn read_error(request: &MaasRequest, cause: Cause) -> ReadError {
    ReadError {
        request: request.to_string(),
        cause,
    }
}

/// MAAS's message in a response: without markup and control characters, truncated, and never that of a 401.
pub(crate) fn message_of(answer: &MaasResponse) -> String {
    if answer.status == 401 {
        return "MAAS does not accept the API key".to_owned();
    }
    // Enough to hold the message even inside markup, without scanning megabytes.
    let head = &answer.body[..answer.body.len().min(64 * 1024)];
    let text = String::from_utf8_lossy(head);
    let plain = if answer.is_html() || text.trim_start().starts_with('<') {
        without_markup(&text)
    } else {
        text.into_owned()
    };
    let plain = in_a_line(&plain);
    if plain.is_empty() {
        return "no message".to_owned();
    }
    if plain.chars().count() <= MESSAGE_CHARS_MAX {
        return plain;
    }
    plain
        .chars()
        .take(MESSAGE_CHARS_MAX - 1)
        .chain(['…'])
        .collect()
}

/// Drops tags, comments, and the contents of `head`, `script` and `style`.
fn without_markup(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some(start) = rest.find('<') {
        plain.push_str(&rest[..start]);
        plain.push(' ');
        let tag = &rest[start..];
        let lower: String = tag.chars().take(8).collect::<String>().to_ascii_lowercase();
        let end = ["head", "script", "style"]
            .into_iter()
            .find(|name| {
                let after = lower
                    .strip_prefix('<')
                    .and_then(|tag| tag.strip_prefix(name));
                after.is_some_and(|after| after.starts_with(['>', ' ', '\n']))
            })
            .map_or_else(|| ">".to_owned(), |name| format!("</{name}>"));
        let Some(length) = tag.find(&end) else {
            return plain;
        };
        rest = &tag[length + end.len()..];
    }
    plain.push_str(rest);
    plain
}
