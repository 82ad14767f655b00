//! One read: sent again while that may help, and judged once it is answered.
//!
//! Only reads are repeated, and only for the reasons that pass by themselves. What was read wrong is said with the
//! request and the place, never with the body of a 401: MAAS prints the secret that it expected (seen on 3.5.12, 3.7.3).

use std::time::Duration;

use crate::MaasClient;
use crate::transport::{LostAnswer, MaasRequest, MaasResponse, Method, Transport};

/// Three more tries ride out a conflict or a restart of MAAS's workers; a MAAS that is down longer is for a person.
const RETRIES_MAX: u32 = 3;

/// MAAS asks for 5 s after a conflict (3.5.9 maasserver/utils/views.py:41); who asks for more has a person's problem.
const PAUSE_SECONDS_MAX: Duration = Duration::from_secs(10);

/// The first pause where MAAS names none; doubled each time.
const PAUSE_FIRST: Duration = Duration::from_secs(1);

/// MAAS's words are cut to this many characters.
pub(crate) const WORDS_MAX: usize = 300;

/// A read that gave nothing to go by: which request, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{request}`: {cause}")]
pub struct ReadError {
    /// Method, path and query.
    pub request: String,
    /// What stood in the way. Its words are in ours, so it is no source of its own: a chain would say it twice.
    pub cause: Cause,
}

/// Why a read gave nothing to go by.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// No answer.
    #[error("no answer from MAAS: {0}")]
    NoAnswer(LostAnswer),
    /// A redirect, which is not followed: the key would go along.
    #[error("answered with a redirect ({0}); give the URL that it leads to, ending in `/MAAS`")]
    Redirected(u16),
    /// An HTML page instead of data.
    #[error(
        "answered with a web page ({0}) instead of data; is the URL MAAS's own, ending in `/MAAS`?"
    )]
    NotMaas(u16),
    /// 401.
    #[error(
        "MAAS does not accept the API key (401); is the key whole and still valid, and is this machine's clock right?"
    )]
    KeyRefused,
    /// 403.
    #[error("the API key's user may not read this (403)")]
    Forbidden,
    /// 404 where something must be.
    #[error("not found (404): {0}")]
    NotFound(String),
    /// 409, 429, 5xx, after all retries.
    #[error("MAAS is in trouble ({status}){}: {words}", times(*asked))]
    Trouble {
        /// The last status.
        status: u16,
        /// How often.
        asked: u32,
        /// MAAS's words, cut short.
        words: String,
    },
    /// Any other status.
    #[error("answered {status}: {words}")]
    Odd {
        /// The status.
        status: u16,
        /// MAAS's words, cut short.
        words: String,
    },
    /// The answer is not what API 2.0 says.
    #[error("cannot make sense of the answer: {place}: {problem}")]
    Misread {
        /// Where in the answer, for example `[3].cidr`.
        place: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The lists name what no list has, also when they are read again.
    #[error("MAAS's lists do not fit each other: {0}; is somebody else changing this MAAS now?")]
    UnreadableEntry(String),
    /// Several nodes or objects answer to one name.
    #[error("{0}")]
    Ambiguous(String),
}

/// `, asked 4 times`, or nothing where it was asked once.
fn times(asked: u32) -> String {
    if asked == 1 {
        return String::new();
    }
    format!(", asked {asked} times")
}

impl<W: Transport> MaasClient<W> {
    /// The body of a successful answer.
    pub(crate) async fn read(&self, request: &MaasRequest) -> Result<Vec<u8>, ReadError> {
        match self.read_if_there(request).await? {
            Ok(body) => Ok(body),
            Err(words) if words.starts_with("Unknown API endpoint") => {
                let hint = "is the URL MAAS's own, ending in `/MAAS`?";
                let words = format!("{}; {hint}", words.trim_end_matches('.'));
                Err(blind(request, Cause::NotFound(words)))
            }
            Err(words) => Err(blind(request, Cause::NotFound(words))),
        }
    }

    /// The body, or MAAS's words where it says that there is no such thing.
    pub(crate) async fn read_if_there(
        &self,
        request: &MaasRequest,
    ) -> Result<Result<Vec<u8>, String>, ReadError> {
        let mut asked = 0;
        loop {
            asked += 1;
            let answer = self.send(request.clone()).await;
            match again(&answer, asked) {
                Some(pause) => (self.outside.pause)(pause).await,
                None => return judge(request, answer, asked),
            }
        }
    }

    /// One request, no more than two at once. Every request of this client passes here.
    pub(crate) async fn send(&self, request: MaasRequest) -> Result<MaasResponse, LostAnswer> {
        let _slot = self
            .gate
            .acquire()
            .await
            .expect("the gate is never closed while the client lives");
        self.wire.send(request).await
    }
}

/// How long to wait before the next try; `None` when this was the last.
fn again(answer: &Result<MaasResponse, LostAnswer>, asked: u32) -> Option<Duration> {
    let wished = match answer {
        Ok(answer) if matches!(answer.status, 409 | 503) => answer.retry_after,
        Err(LostAnswer::Unreachable(_) | LostAnswer::Broken(_)) => None,
        // Late and silent answers were waited for long enough, and a large one stays large.
        Ok(_) | Err(LostAnswer::Late(_) | LostAnswer::Silent(_) | LostAnswer::TooLarge(_)) => {
            return None;
        }
    };
    let doubled = PAUSE_FIRST * 2_u32.pow(asked - 1);
    (asked <= RETRIES_MAX).then(|| wished.unwrap_or(doubled).min(PAUSE_SECONDS_MAX))
}

fn judge(
    request: &MaasRequest,
    answer: Result<MaasResponse, LostAnswer>,
    asked: u32,
) -> Result<Result<Vec<u8>, String>, ReadError> {
    debug_assert_eq!(request.method, Method::Get, "only reads are judged here");
    let answer = answer.map_err(|lost| blind(request, Cause::NoAnswer(lost)))?;
    let status = answer.status;
    let cause = match status {
        300..=399 => Cause::Redirected(status),
        401 => Cause::KeyRefused,
        403 => Cause::Forbidden,
        200 | 404 | 405 | 410 if answer.is_html() => Cause::NotMaas(status),
        200 => return Ok(Ok(answer.body)),
        404 => return Ok(Err(words(&answer))),
        409 | 429 | 500..=599 => Cause::Trouble {
            status,
            asked,
            words: words(&answer),
        },
        _ => Cause::Odd {
            status,
            words: words(&answer),
        },
    };
    Err(blind(request, cause))
}

/// That request, and why it gave nothing.
pub(crate) fn blind(request: &MaasRequest, cause: Cause) -> ReadError {
    ReadError {
        request: request.to_string(),
        cause,
    }
}

/// What MAAS says in an answer, fit for people: no markup, no control characters, cut short; nothing of a 401.
pub(crate) fn words(answer: &MaasResponse) -> String {
    if answer.status == 401 {
        return "MAAS does not accept the API key".to_owned();
    }
    // Enough to hold the words even when markup surrounds them, without walking megabytes.
    let head = &answer.body[..answer.body.len().min(64 * 1024)];
    let text = String::from_utf8_lossy(head);
    let plain = if answer.is_html() || text.trim_start().starts_with('<') {
        without_markup(&text)
    } else {
        text.into_owned()
    };
    let plain = in_a_line(&plain);
    if plain.is_empty() {
        return "without a word".to_owned();
    }
    if plain.chars().count() <= WORDS_MAX {
        return plain;
    }
    plain.chars().take(WORDS_MAX - 1).chain(['…']).collect()
}

/// MAAS's text on one line, without characters that control a terminal, turn the writing or do not show.
pub(crate) fn in_a_line(text: &str) -> String {
    let apart = |c: char| c.is_whitespace() || c.is_control() || hides(c);
    let words: Vec<&str> = text.split(apart).filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

fn hides(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e0fff}')
}

/// Drops tags, comments, and what `head`, `script` and `style` hold.
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
