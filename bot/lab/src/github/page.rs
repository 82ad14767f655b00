//! Pagination: `per_page`, `page`, and the `Link` header.

use serde_json::{Value, json};

use super::answer::ApiCall;
use super::store::LabGitHub;
use crate::wire::LabResponse;

/// The largest page, whatever `per_page` asks for.
const PER_PAGE_MAX: usize = 100;

const PER_PAGE: usize = 30;

/// The requested part of a list.
pub(crate) struct Page {
    pub(crate) items: Vec<Value>,
    pub(crate) total: usize,
    link: Option<String>,
}

impl Page {
    /// The items as a JSON array.
    pub(crate) fn answer(self) -> LabResponse {
        let list = Value::Array(self.items);
        linked(LabResponse::json(200, &list), self.link)
    }

    /// An object with `total_count` and the items in the field `name`.
    pub(crate) fn counted(self, name: &str) -> LabResponse {
        let mut body = json!({"total_count": self.total});
        body[name] = Value::Array(self.items);
        linked(LabResponse::json(200, &body), self.link)
    }

    /// Any other body that contains this page's items.
    pub(crate) fn within(mut self, body: impl FnOnce(Vec<Value>) -> Value) -> LabResponse {
        let items = std::mem::take(&mut self.items);
        linked(LabResponse::json(200, &body(items)), self.link)
    }
}

fn linked(response: LabResponse, link: Option<String>) -> LabResponse {
    match link {
        Some(link) => response.with("link", &link),
        None => response,
    }
}

impl LabGitHub {
    /// The page that `call` asks for. `show` is called only for the items on it.
    pub(crate) fn page<T>(
        &self,
        call: &ApiCall<'_>,
        all: Vec<T>,
        show: impl FnMut(T) -> Value,
    ) -> Page {
        let number = |name| {
            call.request
                .param(name)
                .and_then(|text| text.parse::<usize>().ok())
        };
        let per = number("per_page")
            .filter(|per| *per > 0)
            .unwrap_or(PER_PAGE)
            .min(PER_PAGE_MAX);
        let page = number("page").unwrap_or(1).max(1);
        let total = all.len();
        let last = total.div_ceil(per).max(1);
        let mut links = vec![];
        let mut link = |rel: &str, to: usize| {
            links.push(format!("<{}>; rel=\"{rel}\"", self.page_url(call, to)));
        };
        if page > 1 {
            link("prev", page - 1);
        }
        if page < last {
            link("next", page + 1);
            link("last", last);
        }
        if page > 1 {
            link("first", 1);
        }
        let items = all
            .into_iter()
            .skip((page - 1).saturating_mul(per))
            .take(per)
            .map(show)
            .collect();
        Page {
            items,
            total,
            link: (!links.is_empty()).then(|| links.join(", ")),
        }
    }

    fn page_url(&self, call: &ApiCall<'_>, page: usize) -> String {
        let mut query: Vec<String> = (call.request.query.iter())
            .filter(|(name, _)| name != "page")
            .map(|(name, value)| {
                format!("{name}={}", value.replace('&', "%26").replace(' ', "%20"))
            })
            .collect();
        query.push(format!("page={page}"));
        format!("{}{}?{}", self.base, call.request.path, query.join("&"))
    }
}
