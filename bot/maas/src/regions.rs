//! The region controllers of one MAAS: the URLs by which it is reached, and the ids by which it is recognised.
//!
//! All regions of a MAAS serve one database, so any of them can answer any request. A region that is away is left for the
//! next one. What may have arrived is never sent again: a write goes to another region only where no connection was made.
//! The key is no secret to the other regions, because MAAS's keys are rows of that one database; a server that is another
//! MAAS answers 401. Must not know what a request means.

use std::collections::BTreeSet;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::json::each;
use crate::request::{Cause, ReadError, message_of, read_error};
use crate::transport::{LostAnswer, MaasRequest, MaasResponse, Method, Transport};
use crate::{MaasClient, MaasReader};

/// Reaches one MAAS through whichever of its regions answers.
#[derive(Debug)]
pub struct RegionTransport<T> {
    first: T,
    others: Vec<T>,
    /// The region that answered last, which is asked first.
    current: AtomicUsize,
}

/// What follows from an answer that did not come from MAAS itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Away {
    /// Another region may be sent the same request now.
    MayBeSent,
    /// MAAS may have received it. Other requests go to another region; this one is not sent again.
    PerhapsReceived,
}

impl<T> RegionTransport<T> {
    /// A MAAS with one URL.
    pub fn one(region: T) -> Self {
        Self::new(region, Vec::new())
    }

    /// A MAAS with several URLs, which are tried in this order.
    pub fn new(first: T, others: Vec<T>) -> Self {
        Self {
            first,
            others,
            current: AtomicUsize::new(0),
        }
    }

    fn count(&self) -> usize {
        1 + self.others.len()
    }

    fn region(&self, at: usize) -> &T {
        match at.checked_sub(1) {
            None => &self.first,
            Some(other) => self.others.get(other).unwrap_or(&self.first),
        }
    }
}

impl<T: Transport> Transport for RegionTransport<T> {
    async fn send(&self, request: MaasRequest) -> Result<MaasResponse, LostAnswer> {
        let count = self.count();
        let start = self.current.load(Ordering::Relaxed);
        let mut tried = 0;
        loop {
            let at = (start + tried) % count;
            let answer = self.region(at).send(request.clone()).await;
            tried += 1;
            let Some(away) = away(request.method, &answer) else {
                self.current.store(at, Ordering::Relaxed);
                return answer;
            };
            self.current.store((at + 1) % count, Ordering::Relaxed);
            if count > 1 {
                tracing::debug!(
                    method = request.method.name(),
                    path = %request.path,
                    region = at + 1,
                    of = count,
                    "a region of MAAS is away"
                );
            }
            if away == Away::PerhapsReceived || tried == count {
                return answer;
            }
        }
    }
}

/// Whether the region is away. 502, 503 and 504 are what a proxy answers for a region that does not.
fn away(method: Method, answer: &Result<MaasResponse, LostAnswer>) -> Option<Away> {
    let unless_read = match method {
        Method::Get => Away::MayBeSent,
        Method::Post | Method::Put | Method::Delete => Away::PerhapsReceived,
    };
    match answer {
        Err(LostAnswer::Unreachable(_) | LostAnswer::Misconfigured(_)) => Some(Away::MayBeSent),
        // A read may be sent as often as anybody likes.
        Err(LostAnswer::Broken(_) | LostAnswer::TimedOut(_) | LostAnswer::Stalled(_)) => {
            Some(unless_read)
        }
        Ok(answer) if matches!(answer.status, 502..=504) => Some(unless_read),
        Err(LostAnswer::TooLarge(_)) | Ok(_) => None,
    }
}

impl<W> MaasClient<W> {
    pub(crate) fn remember_regions(&self, ids: BTreeSet<String>) {
        *self.regions.lock().unwrap_or_else(PoisonError::into_inner) = ids;
    }
}

impl<W: Transport> MaasReader<W> {
    /// The `system_id`s of the region controllers, as they were last read. MAAS draws them at random and never changes
    /// them, so two answers with one in common come from one MAAS (or from a copy of its database). Empty where nothing was
    /// read yet, or where the key's user may not see controllers.
    pub fn known_regions(&self) -> BTreeSet<String> {
        let known = self.client.regions.lock();
        known.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The same, read now, in one attempt: whoever asks does without the answer of a MAAS that is away.
    pub async fn regions(&self) -> Result<BTreeSet<String>, ReadError> {
        let request = MaasRequest::get("regioncontrollers/");
        let answer = self.client.send(request.clone()).await;
        let answer = answer.map_err(|lost| read_error(&request, Cause::NoAnswer(lost)))?;
        if answer.status != 200 {
            let cause = Cause::UnexpectedStatus {
                status: answer.status,
                message: message_of(&answer),
            };
            return Err(read_error(&request, cause));
        }
        let ids = each(&request, &answer.body, |at| {
            Ok(at.field("system_id")?.text()?.to_owned())
        })?;
        let ids: BTreeSet<String> = ids.into_iter().collect();
        self.client.remember_regions(ids.clone());
        Ok(ids)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use super::*;

    /// A region that gives one kind of answer and notes each request.
    #[derive(Clone)]
    struct OneRegion {
        name: &'static str,
        answer: Arc<Mutex<Result<u16, LostAnswer>>>,
        log: Arc<Mutex<Vec<String>>>,
    }

    impl Transport for OneRegion {
        async fn send(&self, request: MaasRequest) -> Result<MaasResponse, LostAnswer> {
            let note = format!("{} {}", self.name, request.method.name());
            self.log.lock().unwrap().push(note);
            let status = self.answer.lock().unwrap().clone()?;
            Ok(MaasResponse {
                status,
                content_type: String::new(),
                retry_after: None,
                headers: crate::AnswerHeaders::default(),
                body: Vec::new(),
            })
        }
    }

    struct Pair {
        regions: [OneRegion; 2],
        both: RegionTransport<OneRegion>,
    }

    impl Pair {
        fn answering(first: Result<u16, LostAnswer>) -> Self {
            let log = Arc::default();
            let region = |name, answer| OneRegion {
                name,
                answer: Arc::new(Mutex::new(answer)),
                log: Arc::clone(&log),
            };
            let regions = [region("a", first), region("b", Ok(200))];
            let [first, second] = regions.clone();
            Self {
                regions,
                both: RegionTransport::new(first, vec![second]),
            }
        }

        async fn send(&self, method: Method) -> Result<u16, LostAnswer> {
            let answer = self.both.send(MaasRequest::new(method, "subnets/")).await;
            answer.map(|answer| answer.status)
        }

        fn log(&self) -> String {
            std::mem::take(&mut *self.regions[0].log.lock().unwrap()).join(", ")
        }
    }

    fn unreachable() -> Result<u16, LostAnswer> {
        Err(LostAnswer::Unreachable("refused".to_owned()))
    }

    fn broken() -> Result<u16, LostAnswer> {
        Err(LostAnswer::Broken("reset".to_owned()))
    }

    #[tokio::test]
    async fn a_read_goes_to_the_next_region_where_one_is_away_and_stays_there() {
        let hung = Err(LostAnswer::TimedOut(Duration::from_secs(1)));
        for away in [unreachable(), broken(), hung, Ok(502), Ok(503), Ok(504)] {
            let pair = Pair::answering(away);
            assert_eq!(pair.send(Method::Get).await, Ok(200));
            assert_eq!(pair.send(Method::Get).await, Ok(200));
            assert_eq!(pair.log(), "a GET, b GET, b GET");
            // And back, once that one is away.
            *pair.regions[0].answer.lock().unwrap() = Ok(200);
            *pair.regions[1].answer.lock().unwrap() = unreachable();
            assert_eq!(pair.send(Method::Get).await, Ok(200));
            assert_eq!(pair.log(), "b GET, a GET");
        }
    }

    #[tokio::test]
    async fn a_write_that_may_have_arrived_is_never_sent_again() {
        for lost in [
            broken(),
            Ok(502),
            Ok(503),
            Ok(504),
            Err(LostAnswer::TimedOut(Duration::from_secs(1))),
        ] {
            for method in [Method::Post, Method::Put, Method::Delete] {
                let pair = Pair::answering(lost.clone());
                assert_eq!(pair.send(method).await, lost);
                let name = method.name();
                assert_eq!(pair.log(), format!("a {name}"));
                // Whoever looks whether it arrived asks the other region.
                assert_eq!(pair.send(Method::Get).await, Ok(200));
                assert_eq!(pair.log(), "b GET");
            }
        }
    }

    #[tokio::test]
    async fn a_write_that_was_not_sent_goes_to_the_next_region() {
        let pair = Pair::answering(unreachable());
        assert_eq!(pair.send(Method::Put).await, Ok(200));
        assert_eq!(pair.log(), "a PUT, b PUT");
    }

    #[tokio::test]
    async fn an_answer_of_maas_is_no_reason_to_ask_another_region() {
        for status in [200, 400, 401, 403, 404, 409, 500] {
            let pair = Pair::answering(Ok(status));
            assert_eq!(pair.send(Method::Get).await, Ok(status));
            assert_eq!(pair.log(), "a GET");
        }
    }

    #[tokio::test]
    async fn every_region_is_tried_once() {
        let pair = Pair::answering(unreachable());
        *pair.regions[1].answer.lock().unwrap() = broken();
        assert_eq!(pair.send(Method::Get).await, broken());
        assert_eq!(pair.log(), "a GET, b GET");
    }
}
