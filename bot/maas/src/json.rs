//! Strict reading of JSON responses: every field that is needed must be present with its type; all others are ignored. A
//! fault names its place in the response. Must not know what the fields mean.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::de::{DeserializeSeed, Error as _, SeqAccess, Visitor};
use serde_json::Value;
use topology::Cidr;

use crate::lines::in_a_line;
use crate::request::{Cause, ReadError, read_error};
use crate::transport::MaasRequest;

/// A value and its place in the response.
#[derive(Clone, Copy)]
pub(crate) struct JsonAt<'a> {
    parent: Option<&'a Self>,
    segment: Segment<'a>,
    value: &'a Value,
}

#[derive(Clone, Copy)]
enum Segment<'a> {
    Root,
    Index(usize),
    Field(&'a str),
}

/// What is wrong in a response, and where.
#[derive(Debug)]
pub(crate) struct JsonFault {
    place: String,
    problem: String,
}

pub(crate) type JsonResult<T> = Result<T, JsonFault>;

/// The items of the list in the response to `request`. Each is parsed and read before the next, because the lists are
/// large and each item repeats much of the others.
pub(crate) fn each<T>(
    request: &MaasRequest,
    body: &[u8],
    read: impl FnMut(JsonAt<'_>) -> JsonResult<T>,
) -> Result<Vec<T>, ReadError> {
    let mut items = Items {
        read,
        done: Vec::new(),
        fault: None,
    };
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let outcome = (&mut items)
        .deserialize(&mut deserializer)
        .and_then(|()| deserializer.end());
    match (items.fault, outcome) {
        (Some(fault), _) => Err(fault.into_error(request)),
        (None, Err(error)) => Err(not_json(request, &error)),
        (None, Ok(())) => Ok(items.done),
    }
}

/// The one value in the response to `request`.
pub(crate) fn one<T>(
    request: &MaasRequest,
    body: &[u8],
    read: impl FnOnce(JsonAt<'_>) -> JsonResult<T>,
) -> Result<T, ReadError> {
    let value: Value = serde_json::from_slice(body).map_err(|error| not_json(request, &error))?;
    let root = JsonAt {
        parent: None,
        segment: Segment::Root,
        value: &value,
    };
    read(root).map_err(|fault| fault.into_error(request))
}

fn not_json(request: &MaasRequest, error: &serde_json::Error) -> ReadError {
    let (place, problem) = if error.is_data() {
        // Any JSON is a value, so only the top level can have the wrong type. serde's message would quote the response.
        ("the response".to_owned(), "not a list".to_owned())
    } else {
        let place = format!("line {} column {}", error.line(), error.column());
        (place, "not complete JSON".to_owned())
    };
    read_error(request, Cause::InvalidResponse { place, problem })
}

struct Items<T, F> {
    read: F,
    done: Vec<T>,
    fault: Option<JsonFault>,
}

impl<'de, T, F: FnMut(JsonAt<'_>) -> JsonResult<T>> DeserializeSeed<'de> for &mut Items<T, F> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, T, F: FnMut(JsonAt<'_>) -> JsonResult<T>> Visitor<'de> for &mut Items<T, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(value) = list.next_element::<Value>()? {
            let item = JsonAt {
                parent: None,
                segment: Segment::Index(self.done.len()),
                value: &value,
            };
            match (self.read)(item) {
                Ok(item) => self.done.push(item),
                Err(fault) => {
                    self.fault = Some(fault);
                    return Err(A::Error::custom("replaced by the fault above"));
                }
            }
        }
        Ok(())
    }
}

impl<'a> JsonAt<'a> {
    /// The field, which must be present; it may be null.
    pub(crate) fn field(&'a self, name: &'a str) -> JsonResult<Self> {
        let object = self
            .value
            .as_object()
            .ok_or_else(|| self.fault("not an object"))?;
        let value = object
            .get(name)
            .ok_or_else(|| self.fault(&format!("`{name}` is missing")))?;
        Ok(Self {
            parent: Some(self),
            segment: Segment::Field(name),
            value,
        })
    }

    /// The field, if it is present and not null.
    pub(crate) fn optional(&'a self, name: &'a str) -> Option<Self> {
        self.field(name).ok().filter(|field| !field.value.is_null())
    }

    /// The field, which must be present, or `None` when it is null.
    pub(crate) fn nullable(&'a self, name: &'a str) -> JsonResult<Option<Self>> {
        let field = self.field(name)?;
        Ok((!field.value.is_null()).then_some(field))
    }

    pub(crate) fn is_number(&self) -> bool {
        self.value.is_u64()
    }

    pub(crate) fn is_map(&self) -> bool {
        self.value.is_object()
    }

    /// A text, a whole number or a flag, as text.
    pub(crate) fn scalar(&self) -> JsonResult<String> {
        match self.value {
            Value::String(text) => Ok(text.clone()),
            Value::Number(number) => Ok(number.to_string()),
            Value::Bool(flag) => Ok(flag.to_string()),
            Value::Null | Value::Array(_) | Value::Object(_) => {
                Err(self.fault("neither a text, a number nor a flag"))
            }
        }
    }

    pub(crate) fn text(&self) -> JsonResult<&'a str> {
        self.value
            .as_str()
            .ok_or_else(|| self.fault("not a string"))
    }

    pub(crate) fn flag(&self) -> JsonResult<bool> {
        self.value
            .as_bool()
            .ok_or_else(|| self.fault("neither true nor false"))
    }

    /// A non-negative integer that fits `N`.
    pub(crate) fn number<N: TryFrom<u64>>(&self) -> JsonResult<N> {
        self.value
            .as_u64()
            .and_then(|number| N::try_from(number).ok())
            .ok_or_else(|| self.fault("not an integer in range"))
    }

    /// Whether it is the empty string.
    pub(crate) fn is_blank(&self) -> bool {
        self.value.as_str() == Some("")
    }

    /// A string; empty when null.
    pub(crate) fn text_or_null(&self) -> JsonResult<&'a str> {
        if self.value.is_null() {
            return Ok("");
        }
        self.text()
    }

    pub(crate) fn address(&self) -> JsonResult<IpAddr> {
        self.parsed("not an address")
    }

    pub(crate) fn cidr(&self) -> JsonResult<Cidr> {
        self.parsed("not a canonical network")
    }

    fn parsed<T: FromStr>(&self, problem: &str) -> JsonResult<T> {
        self.text()?.parse().map_err(|_unread| self.fault(problem))
    }

    /// The items of a list.
    pub(crate) fn list(&'a self) -> JsonResult<Vec<Self>> {
        let items = self
            .value
            .as_array()
            .ok_or_else(|| self.fault("not a list"))?;
        Ok(items
            .iter()
            .enumerate()
            .map(|(index, value)| Self {
                parent: Some(self),
                segment: Segment::Index(index),
                value,
            })
            .collect())
    }

    /// A fault at this place.
    pub(crate) fn fault(&self, problem: &str) -> JsonFault {
        let seen = match self.value {
            Value::String(text) => {
                let head: String = text.chars().take(40).collect();
                format!(": `{}`", in_a_line(&head))
            }
            Value::Null => ": null".to_owned(),
            Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => String::new(),
        };
        JsonFault {
            place: self.place(),
            problem: format!("{problem}{seen}"),
        }
    }

    fn place(&self) -> String {
        let above = self.parent.map(JsonAt::place).unwrap_or_default();
        match self.segment {
            Segment::Root => "the response".to_owned(),
            Segment::Index(index) => format!("{above}[{index}]"),
            Segment::Field(name) if above.is_empty() => name.to_owned(),
            Segment::Field(name) => format!("{above}.{name}"),
        }
    }
}

impl JsonFault {
    /// As the error of `request`.
    pub(crate) fn into_error(self, request: &MaasRequest) -> ReadError {
        read_error(
            request,
            Cause::InvalidResponse {
                place: self.place,
                problem: self.problem,
            },
        )
    }
}
