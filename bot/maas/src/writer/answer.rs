//! Turns MAAS's response into the outcome of a write: done, refused, or unknown. Pure. Must not know what follows.

use serde_json::Value;
use topology::object::Object;
use topology::port::{Outcome, Write};

use crate::json::one;
use crate::lines::in_a_line;
use crate::read::interface_row;
use crate::request::{MESSAGE_CHARS_MAX, message_of, who_is_away};
use crate::transport::{LostAnswer, MaasRequest, MaasResponse, Method};

/// The outcome of `write`, which was sent as `request`.
pub(super) fn outcome(
    request: &MaasRequest,
    answer: Result<MaasResponse, LostAnswer>,
    write: &Write,
) -> Outcome {
    let answer = match answer {
        Ok(answer) => answer,
        Err(lost) => return unknown(format!("{request}: {lost}")),
    };
    match answer.status {
        // MAAS never answers a write with a web page (seen on 3.5.12 and 3.7.3), so another server did.
        200..=299 | 404 if answer.is_html() => {
            let status = answer.status;
            unknown(format!("{request} answered {status} with a web page"))
        }
        200..=299 => done(request, &answer, write),
        // What does not exist is deleted.
        404 if request.method == Method::Delete => Outcome::Done(None),
        // A transaction conflict is a web page with `Retry-After`, and the write may have happened. Plain text about a
        // node in the wrong state is a refusal (seen on 3.5.12 and 3.7.3).
        409 if !answer.is_html() && answer.retry_after.is_none() => refused(&answer),
        408 | 409 | 429 | 500..=599 => {
            let message = message_of(&answer);
            let (who, status) = (who_is_away(&answer), answer.status);
            unknown(if who == "MAAS" {
                format!("{request} answered {status}: {message}")
            } else {
                format!("{request}: {who} answered {status}: {message}")
            })
        }
        _ => refused(&answer),
    }
}

fn done(request: &MaasRequest, answer: &MaasResponse, write: &Write) -> Outcome {
    match write {
        Write::Delete(_) => Outcome::Done(None),
        Write::Create(Object::Link(link)) => {
            let row = one(request, &answer.body, interface_row).map(|row| {
                let new = Object::Link(link.clone());
                let found = row
                    .seen(&link.host)
                    .into_iter()
                    .find(|seen| seen.object == new);
                found.map(|seen| seen.id)
            });
            match row {
                Ok(id) => Outcome::Done(id),
                Err(error) => unknown(error.to_string()),
            }
        }
        Write::Create(_) | Write::Update(..) => {
            let id = one(request, &answer.body, |at| at.field("id")?.number());
            match id {
                Ok(id) => Outcome::Done(Some(id)),
                Err(error) => unknown(error.to_string()),
            }
        }
    }
}

fn refused(answer: &MaasResponse) -> Outcome {
    let why = match answer.status {
        300..=399 => "a redirect, which is not followed".to_owned(),
        401 if answer.headers.asks_for_another_login() => format!(
            "{} wants a login of its own; it is not MAAS",
            answer.headers.other_server()
        ),
        407 => format!(
            "{} wants a login; it is not MAAS",
            answer.headers.other_server()
        ),
        401 | 403 if answer.body.is_empty() => "the API key's user may not do this".to_owned(),
        _ => by_field(answer).unwrap_or_else(|| message_of(answer)),
    };
    Outcome::Refused {
        status: answer.status,
        why,
    }
}

/// MAAS's map from fields to error messages, as a sentence: `gateway_ip: Gateway IP must be within CIDR range.`
fn by_field(answer: &MaasResponse) -> Option<String> {
    if answer.status == 401 {
        return None;
    }
    let Ok(Value::Object(fields)) = serde_json::from_slice(&answer.body) else {
        return None;
    };
    let mut sentences = Vec::new();
    for (field, messages) in &fields {
        let messages: Vec<&str> = messages
            .as_array()?
            .iter()
            .map_while(Value::as_str)
            .collect();
        let messages = messages.join(" ");
        sentences.push(if field == "__all__" {
            messages
        } else {
            format!("{field}: {messages}")
        });
    }
    let text = sentences.join(" ");
    Some(in_a_line(&text).chars().take(MESSAGE_CHARS_MAX).collect())
}

fn unknown(why: String) -> Outcome {
    Outcome::Unknown { why }
}
